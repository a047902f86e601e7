"""What a model has to say of images where unseen classes are very many: no table of them all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.recognition import Recognition, ranked, shares
from wordsight.compute import blocks
from wordsight.leading import Leading, check_k

__all__ = ["ManyClasses", "TellsUnseen"]

_CELLS = 1 << 22
"""Numbers of a table of images × classes, where some of one cannot be done without: 34 MB."""

_Floats = NDArray[np.float64]
_Columns = NDArray[np.int64]


class TellsUnseen(Protocol):
    """A classifier of unseen classes, fitted on their places."""

    def predict_proba(self, S: Any) -> _Floats:
        """Return P(y | unseen, x), shape (n, n_unseen)."""

    def top_k(self, S: Any, k: int, *, among: _Columns | None = None) -> Leading:
        """Return the k most probable classes of each point."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ManyClasses(Recognition):
    """The factors of Eq. 2 for n images and very many unseen classes, which pass by in blocks.

    It answers what `Recognition` does. Memory is that of mapped points, seen classes and answers;
    `unseen_proba` and `proba` alone are tables of images × classes, made when they are asked for.

    Attributes
    ----------
    classes, n_seen, mapped, seen_proba, novelty_score, novelty_proba, threshold
        As of `Recognition`.
    novel : ndarray of float64, shape (n,)
        P(V = u | x) as the model's gate has it: the detector's verdict or its probability.
    unseen : TellsUnseen
        Tells the unseen classes apart by mapped points.
    join : callable
        Makes p(y | x) of p(y | V = s, x), p(y | V = u, x) and `novel`: Eq. 2.
    """

    unseen_proba: _Floats = field(init=False)
    proba: _Floats = field(init=False)
    novel: _Floats
    unseen: TellsUnseen
    join: Callable[[_Floats, _Floats, _Floats], _Floats]

    _per_image: ClassVar[tuple[str, ...]] = (
        "mapped", "seen_proba", "novelty_score", "novelty_proba", "novel",
    )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        # asked for what is not there yet
        if name == "unseen_proba":
            made = self.unseen.predict_proba(self.mapped)
        elif name == "proba":
            made = self.join(self.seen_proba, self.unseen_proba, self.novel)
        else:
            raise AttributeError(f"a recognition has no attribute {name!r}")
        vars(self)[name] = made
        return made

    def __repr__(self) -> str:
        return f"<ManyClasses: {len(self.mapped)} images, {len(self.classes)} classes>"

    @cached_property
    def _first(self) -> Leading:
        return self.top_k(1)

    @property
    def column(self) -> NDArray[np.int64]:
        """Where the most probable class stands in `classes`, shape (n,)."""
        return self._first.columns[:, 0]

    @property
    def probability(self) -> _Floats:
        """Its probability, shape (n,)."""
        return self._first.proba[:, 0]

    @cached_property
    def unseen_column(self) -> NDArray[np.int64] | None:
        """Where the most probable unseen class stands in `classes`, whatever the gate says."""
        best: NDArray[np.int64] = self.n_seen + self.unseen.top_k(self.mapped, 1).columns[:, 0]
        return best

    def top_k(self, k: int, among: Sequence[str] | None = None) -> Leading:
        """Return the k most probable classes of each image; see `Recognition.top_k`."""
        check_k(k)
        columns = np.arange(len(self.classes)) if among is None else self._columns(among)
        is_seen = columns < self.n_seen
        seen, k = self.seen_proba, min(k, len(columns))
        if among is not None:
            seen = shares(seen[:, columns[is_seen]])
        at, given = self._best_unseen(k, columns, all_of_them=among is None)
        # where all are of one kind the gate has nothing to decide
        both = seen.shape[1] and given.shape[1]
        kinds = np.hstack([seen, given])
        proba = self.join(seen, given, self.novel) if both else kinds
        places = np.broadcast_to(np.flatnonzero(is_seen), seen.shape)
        best = ranked(np.hstack([places, at]), proba, kinds, k)
        return Leading(columns[best.columns], best.proba)

    def _best_unseen(
        self, k: int, columns: _Columns, *, all_of_them: bool
    ) -> tuple[_Columns, _Floats]:
        """Return where the best unseen ones of some classes stand among them, and P(y | V = u, x).

        Both have a column for each that may be among the k best of all.
        """
        unseen = np.flatnonzero(columns >= self.n_seen)
        given = np.zeros((len(self.mapped), min(k, len(unseen))))
        at = np.full(given.shape, len(columns))  # beyond all that are chosen
        # where the gate leaves unseen classes nothing, seen ones come first
        asked = np.flatnonzero((self.novel > 0) | (k > len(columns) - len(unseen)))
        if len(unseen) and len(asked):
            which = columns[unseen] - self.n_seen
            best = self.unseen.top_k(
                self.mapped[asked], given.shape[1], among=None if all_of_them else which
            )
            place = np.empty(len(self.classes) - self.n_seen, dtype=np.int64)
            place[which] = unseen
            at[asked], given[asked] = place[best.columns], best.proba
        return at, given

    def among_proba(self, classes: Sequence[str]) -> _Floats:
        """Return p(y | x, y is one of `classes`), shape (n, k), in the order of `classes`."""
        size = max(1, _CELLS // len(self.classes))
        parts = [
            Recognition.among_proba(self.rows(cut), classes)
            for cut in blocks(len(self.mapped), size)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(classes)))
