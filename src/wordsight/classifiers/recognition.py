"""What a model has to say of some images: every factor of Eq. 2, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.class_words import columns_of

if TYPE_CHECKING:
    from wordsight.leading import Leading

__all__ = ["Recognition", "ranked", "shares"]


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

    _per_image: ClassVar[tuple[str, ...]] = (
        "mapped", "seen_proba", "unseen_proba", "novelty_score", "novelty_proba", "proba",
    )  # fmt: skip

    @property
    def column(self) -> NDArray[np.int64]:
        """Where the most probable class stands in `classes`, shape (n,)."""
        best: NDArray[np.int64] = self.proba.argmax(1)
        return best

    @property
    def label(self) -> NDArray[Any]:
        """The most probable class, shape (n,)."""
        names: NDArray[Any] = self.classes[self.column]
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
    def unseen_column(self) -> NDArray[np.int64] | None:
        """Where the most probable unseen class stands in `classes`, whatever the gate says.

        Shape (n,), or None where there is no unseen class.
        """
        if len(self.classes) == self.n_seen:
            return None
        best: NDArray[np.int64] = self.n_seen + self.unseen_proba.argmax(1)
        return best

    @property
    def unseen_label(self) -> NDArray[Any] | None:
        """The most probable unseen class, whatever the gate says, or None where there is none."""
        columns = self.unseen_column
        return None if columns is None else self.classes[columns]

    def top_k(self, k: int, among: Sequence[str] | None = None) -> "Leading":
        """Return the k most probable classes of each image.

        Parameters
        ----------
        k : int
            At least 1; all classes where there are fewer.
        among : sequence of str, optional
            Choose among these classes alone; see `among`.

        Returns
        -------
        Leading
            ``columns`` in `classes` and ``proba``, p(y | x) or that among these, both (n, k), the
            most probable first. Of equally probable classes the first; those without any
            probability in the order that they have among their own kind.
        """
        from wordsight.leading import Leading, check_k  # noqa: PLC0415 - imports torch

        check_k(k)
        columns = np.arange(len(self.classes)) if among is None else self._columns(among)
        if among is None:
            proba, given = self.proba, np.hstack([self.seen_proba, self.unseen_proba])
        else:
            proba, given = self._among(columns)
        places = np.broadcast_to(np.arange(len(columns)), proba.shape)
        best = ranked(places, proba, given, min(k, len(columns)))
        return Leading(columns[best.columns], best.proba)

    def rows(self, chosen: Any) -> "Recognition":
        """Return what there is of some of the images: row numbers, a slice or a mask."""
        arrays: dict[str, Any] = {name: getattr(self, name)[chosen] for name in self._per_image}
        return replace(self, **arrays)

    @classmethod
    def together(cls, parts: Sequence["Recognition"]) -> "Recognition":
        """Return what one model recognised in several blocks, at least one, as one."""
        names = parts[0]._per_image
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in names
        }
        return replace(parts[0], **arrays)

    def among(self, classes: Sequence[str]) -> NDArray[Any]:
        """Return the most probable of some classes, shape (n,).

        Where all of them are seen, or all unseen, P(V | x) is known and the gate is left out.
        """
        names: NDArray[Any] = self.classes[self.top_k(1, classes).columns[:, 0]]
        return names

    def among_proba(self, classes: Sequence[str]) -> NDArray[np.float64]:
        """Return p(y | x, y is one of `classes`), shape (n, k), in the order of `classes`."""
        return self._among(self._columns(classes))[0]

    def _columns(self, classes: Sequence[str]) -> NDArray[np.int64]:
        return columns_of(self.classes, classes)

    def _among(self, columns: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return p(y | x) among some classes, and that among those of a kind, (n, k) both.

        Eq. 2, where they are of both kinds: each factor is made to sum to 1 among them.
        """
        both = np.hstack([self.seen_proba, self.unseen_proba])
        is_seen = columns < self.n_seen
        if is_seen.all() or not is_seen.any():
            alone = shares(both[:, columns])
            return alone, alone
        proba, given = np.zeros((2, len(both), len(columns)))
        novel = self.proba[:, self.n_seen :].sum(1)
        for of_kind, weight in ((is_seen, 1.0 - novel), (~is_seen, novel)):
            given[:, of_kind] = shares(both[:, columns[of_kind]])
            proba[:, of_kind] = given[:, of_kind] * weight[:, None]
        return proba, given


def shares(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make rows sum to 1, also those whose every probability was too small for a double."""
    lifted = proba + np.finfo(np.float64).tiny
    shares: NDArray[np.float64] = lifted / lifted.sum(1, keepdims=True)
    return shares


def ranked(
    columns: NDArray[np.int64], proba: NDArray[np.float64], given: NDArray[np.float64], k: int
) -> "Leading":
    """Put classes in the order of `Recognition.top_k`, and keep k of them.

    Parameters
    ----------
    columns : ndarray of int64, shape (n, m)
        Which classes.
    proba : ndarray of float64, shape (n, m)
        p(y | x).
    given : ndarray of float64, shape (n, m)
        Their probability among their own kind.
    k : int
        At most m.
    """
    from wordsight.leading import Leading  # noqa: PLC0415 - imports torch

    among_kind = np.where(proba > 0, 0.0, -given)
    order = np.lexsort((columns, among_kind, -proba), axis=-1)[:, :k]
    return Leading(np.take_along_axis(columns, order, 1), np.take_along_axis(proba, order, 1))
