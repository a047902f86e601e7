"""Rows: tables read a few at a time, so that memory does not grow with them, and some held out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise as pairs
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "READ", "ChosenRows", "SpreadRows", "StoredRows", "by_blocks", "column_mean", "cuts",
    "draw_held_out", "pairwise", "take",
]  # fmt: skip

_T = TypeVar("_T")

READ = 1024
"""Rows read at a time: with 12,800 features in single precision, 52 MB."""


class StoredRows(ABC):
    """A table of features on disk: it looks like an array as far as rows are read from it.

    What learns from features takes one in place of an array, and reads blocks of rows; the whole
    is never in memory.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """What rows are read as, whatever they are stored as: float32."""
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def __getitem__(self, rows: slice | NDArray[Any]) -> NDArray[Any]:
        """Read some rows: a slice, row numbers in any order, or a mask.

        Returns
        -------
        ndarray of float32, shape (k, F)
            New memory.
        """


class SpreadRows(StoredRows):
    """A table in parts to which work is sent, in place of reading the rows to where the work is.

    Sums over rows are additive: each part is summed where it lies, and the sums are merged two at
    a time in an order that depends on the parts alone, not on who computed them or when.
    """

    @abstractmethod
    def fold(
        self,
        work: Callable[..., _T],
        merge: Callable[[_T, _T], _T],
        *along: NDArray[Any],
        rows: NDArray[np.int64] | None = None,
        small: bool = False,
        on_part: Callable[[int], None] | None = None,
    ) -> _T:
        """Apply `work` to each part and merge the results pairwise, in order.

        Parameters
        ----------
        work : callable (StoredRows, *arrays)
            What to do with the chosen rows of a part, and those of the arrays that belong to them.
        merge : callable
            Adds two results; of neither is use made again.
        *along : ndarray, shape (n, ...)
            Arrays with an entry for each row of the table.
        rows : ndarray of int64, optional
            Which rows, in increasing order; by default all.
        small : bool, default False
            Whether results are so small that they are best merged by the caller.
        on_part : callable, optional
            Called with the number of rows of a part that is done.

        Returns
        -------
        object
            Of no row at all, what `work` makes of an empty part.
        """

    @abstractmethod
    def each(
        self, work: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[np.int64] | None = None
    ) -> Iterator[NDArray[Any]]:
        """Apply `work` to blocks of the chosen rows, and yield what it makes of them, in order."""

    def chosen(self, rows: NDArray[np.int64]) -> "SpreadRows":
        """Return some of the rows, in increasing order, as a table of its own."""
        return _ChosenSpread(self, rows)


class _ChosenSpread(SpreadRows):
    """Some rows of a table that is spread."""

    def __init__(self, X: SpreadRows, rows: NDArray[np.int64]) -> None:
        self._X, self._rows = X, rows

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._rows), self._X.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._X.dtype

    def __getitem__(self, rows: slice | NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = self._X[self._rows[rows]]
        return found

    def fold(
        self,
        work: Callable[..., _T],
        merge: Callable[[_T, _T], _T],
        *along: NDArray[Any],
        rows: NDArray[np.int64] | None = None,
        small: bool = False,
        on_part: Callable[[int], None] | None = None,
    ) -> _T:
        # arrays go along with the rows of the table, which has more of them
        n_all = len(self._X)
        spread = [np.zeros((n_all, *array.shape[1:]), dtype=array.dtype) for array in along]
        for whole, array in zip(spread, along, strict=True):
            whole[self._rows] = array
        return self._X.fold(
            work, merge, *spread, rows=self._all(rows), small=small, on_part=on_part
        )

    def each(
        self, work: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[np.int64] | None = None
    ) -> Iterator[NDArray[Any]]:
        return self._X.each(work, self._all(rows))

    def _all(self, rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
        return self._rows if rows is None else self._rows[rows]


class ChosenRows(StoredRows):
    """Some rows of a table, without a copy of them all.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
    rows : ndarray of int64, shape (k,)
        Which rows.
    """

    def __init__(self, X: Any, rows: NDArray[np.int64]) -> None:
        self._X, self.rows = X, rows

    @property
    def shape(self) -> tuple[int, int]:
        """Rows chosen, and columns."""
        return len(self.rows), int(self._X.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the table."""
        found: np.dtype[Any] = self._X.dtype
        return found

    def __getitem__(self, rows: slice | NDArray[Any]) -> NDArray[Any]:
        """Read some of the rows chosen."""
        found: NDArray[Any] = self._X[self.rows[rows]]
        return found


def cuts(X: Any, size: int, rows: NDArray[np.int64] | None = None) -> list[slice]:
    """Cut rows into blocks in which those of chosen rows lie together that do so in the table.

    A block's sum is rounded, and blocks are added in higher precision. Cut at the same places of
    the table, whichever of its rows are chosen and in however many parts it lies, sums come out
    the same.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
    size : int
        Rows of a block at most. A table in parts is cut here where the parts are, if each begins
        at a multiple of this.
    rows : ndarray of int64, optional
        Chosen rows of X.

    Returns
    -------
    list of slice
        Of the rows chosen, or of all.
    """
    if rows is None and isinstance(X, ChosenRows):
        rows = X.rows
    n_rows = len(X) if rows is None else len(rows)
    if rows is None or bool((np.diff(rows) <= 0).any()):
        return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
    ends = np.flatnonzero(np.diff(rows // size)) + 1
    return [slice(a, b) for a, b in pairs([0, *ends.tolist(), n_rows]) if a < b]


def take(X: Any, rows: NDArray[np.int64], out: NDArray[Any]) -> NDArray[Any]:
    """Read rows of an array or of stored rows into `out`, of shape (k, F), and return it."""
    if isinstance(X, StoredRows):
        out[...] = X[rows]
    else:
        np.take(X, rows, axis=0, out=out, mode="clip")
    return out


def column_mean(X: Any) -> NDArray[np.float64]:
    """Return the mean of each column of an array or of stored rows, shape (F,)."""
    if not isinstance(X, StoredRows):
        mean: NDArray[np.float64] = X.mean(0, dtype=np.float64)
        return mean
    if isinstance(X, SpreadRows):
        total: NDArray[np.float64] = X.fold(_column_sum, np.add, small=True)
        return total / len(X)
    return _column_sum(X) / len(X)


def _column_sum(X: StoredRows) -> NDArray[np.float64]:
    total = np.zeros(X.shape[1])
    for start in range(0, len(X), READ):
        total += X[start : start + READ].sum(0, dtype=np.float64)
    return total


def pairwise(items: Iterable[_T], merge: Callable[[_T, _T], _T]) -> _T:
    """Merge items two at a time, then the results two at a time, in order.

    At most one item of each size is held, however many there are. The order of the merges depends
    on the number of items alone.

    Parameters
    ----------
    items : iterable
        At least one.
    merge : callable
        Adds two of them.
    """
    waiting: list[tuple[int, _T]] = []  # of 2^level items each, the largest first
    for item in items:
        waiting.append((0, item))
        while len(waiting) > 1 and waiting[-1][0] == waiting[-2][0]:
            (level, a), (_level, b) = waiting[-2:]
            waiting[-2:] = [(level + 1, merge(a, b))]
    total = waiting.pop()[1]
    while waiting:
        total = merge(waiting.pop()[1], total)
    return total


def by_blocks(
    work: Callable[[NDArray[Any]], NDArray[Any]], X: Any, rows: NDArray[np.int64] | None = None
) -> NDArray[Any]:
    """Apply `work` to rows of X, a block at a time where they are stored, and join the results.

    Parameters
    ----------
    work : callable
        Turns rows (k, F) into as many rows of something small.
    X : ndarray or StoredRows, shape (n, F)
    rows : ndarray of int64, optional
        Which rows; by default all.

    Returns
    -------
    ndarray
    """
    if not isinstance(X, StoredRows):
        return work(X if rows is None else X[rows])
    if isinstance(X, SpreadRows):
        return np.concatenate(list(X.each(work, rows)))
    n_rows = len(X) if rows is None else len(rows)
    cuts = [slice(start, min(start + READ, n_rows)) for start in range(0, n_rows, READ)]
    # an empty table, too, has a result of the right shape
    parts = [work(X[cut if rows is None else rows[cut]]) for cut in cuts or [slice(0, 0)]]
    return np.concatenate(parts)


def draw_held_out(
    codes: NDArray[np.int64], fraction: float, random_state: np.random.RandomState
) -> NDArray[np.bool_]:
    """Hold out a share of each class's rows, rounded, leaving at least one row in training.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Class of each row.
    fraction : float
        Between 0 and 1.
    random_state : RandomState

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    held_out = np.zeros(len(codes), dtype=bool)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        count = min(round(fraction * len(rows)), len(rows) - 1)
        held_out[random_state.permutation(rows)[:count]] = True
    return held_out
