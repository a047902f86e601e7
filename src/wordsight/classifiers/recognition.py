"""What a model has to say of some images: every factor of Eq. 2, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.class_words import columns_of

__all__ = ["Recognition"]

_PER_IMAGE = (
    "mapped", "seen_proba", "unseen_proba", "novelty_score", "novelty_proba", "proba",
)  # fmt: skip


@dataclass(frozen=True)
class Recognition:
    """The factors of Eq. 2 for n images.

    Attributes
    ----------
    classes : ndarray, shape (n_seen + n_unseen,)
        Names, seen ones first.
    n_seen : int
    mapped : ndarray, shape (n, d)
        Points S in word space.
    seen_proba : ndarray of float64, shape (n, n_seen)
        p(y | V = s, x).
    unseen_proba : ndarray of float64, shape (n, n_unseen)
        p(y | V = u, x).
    novelty_score : ndarray of float64, shape (n,)
        Above 0: novel. The detector's decision function, turned round.
    novelty_proba : ndarray of float64, shape (n,)
        P(V = u | x), as the detector estimates it.
    proba : ndarray of float64, shape (n, n_seen + n_unseen)
        p(y | x), through the model's gate.
    threshold : float
        Where the detector's own score, which is high for ordinary images, is that of the
        threshold: the score is ``threshold - novelty_score``.
    """

    classes: NDArray[Any]
    n_seen: int
    mapped: NDArray[Any]
    seen_proba: NDArray[np.float64]
    unseen_proba: NDArray[np.float64]
    novelty_score: NDArray[np.float64]
    novelty_proba: NDArray[np.float64]
    proba: NDArray[np.float64]
    threshold: float = 0.0

    @property
    def label(self) -> NDArray[Any]:
        """The most probable class, shape (n,)."""
        names: NDArray[Any] = self.classes[self.proba.argmax(1)]
        return names

    @property
    def probability(self) -> NDArray[np.float64]:
        """Its probability, shape (n,)."""
        top: NDArray[np.float64] = self.proba.max(1)
        return top

    @property
    def is_novel(self) -> NDArray[np.bool_]:
        """Whether the detector takes the image for one of no seen class, shape (n,)."""
        return self.novelty_score > 0

    @property
    def seen_label(self) -> NDArray[Any]:
        """The most probable seen class, whatever the gate says, shape (n,)."""
        names: NDArray[Any] = self.classes[: self.n_seen][self.seen_proba.argmax(1)]
        return names

    @property
    def unseen_label(self) -> NDArray[Any] | None:
        """The most probable unseen class, whatever the gate says, or None where there is none."""
        if not self.unseen_proba.shape[1]:
            return None
        names: NDArray[Any] = self.classes[self.n_seen :][self.unseen_proba.argmax(1)]
        return names

    def rows(self, chosen: Any) -> "Recognition":
        """Return what there is of some of the images: row numbers, a slice or a mask."""
        arrays: dict[str, Any] = {name: getattr(self, name)[chosen] for name in _PER_IMAGE}
        return replace(self, **arrays)

    @classmethod
    def together(cls, parts: Sequence["Recognition"]) -> "Recognition":
        """Return what one model recognised in several blocks, at least one, as one."""
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in _PER_IMAGE
        }
        return replace(parts[0], **arrays)

    def among(self, classes: Sequence[str]) -> NDArray[Any]:
        """Return the most probable of some classes, shape (n,).

        Where all of them are seen, or all unseen, P(V | x) is known and the gate is left out.
        """
        names: NDArray[Any] = self.classes[self._columns(classes)]
        best: NDArray[Any] = names[self.among_proba(classes).argmax(1)]
        return best

    def among_proba(self, classes: Sequence[str]) -> NDArray[np.float64]:
        """Return p(y | x, y is one of `classes`), shape (n, k), in the order of `classes`."""
        columns = self._columns(classes)
        is_seen = columns < self.n_seen
        if is_seen.all() or not is_seen.any():
            return _shares(np.hstack([self.seen_proba, self.unseen_proba])[:, columns])
        return self._gated(columns, is_seen)

    def _columns(self, classes: Sequence[str]) -> NDArray[np.int64]:
        return columns_of(self.classes, classes)

    def _gated(self, columns: NDArray[np.int64], is_seen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Eq. 2 over some classes of both kinds: each factor is made to sum to 1 among them."""
        share = np.zeros((len(self.proba), len(columns)))
        both = np.hstack([self.seen_proba, self.unseen_proba])
        novel = self.proba[:, self.n_seen :].sum(1)
        for of_kind, weight in ((is_seen, 1.0 - novel), (~is_seen, novel)):
            share[:, of_kind] = _shares(both[:, columns[of_kind]]) * weight[:, None]
        return share


def _shares(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make rows sum to 1, also those whose every probability was too small for a double."""
    lifted = proba + np.finfo(np.float64).tiny
    shares: NDArray[np.float64] = lifted / lifted.sum(1, keepdims=True)
    return shares
