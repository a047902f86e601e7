"""Rows: tables read a few at a time, so that memory does not grow with them, and some held out."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["READ", "ChosenRows", "StoredRows", "by_blocks", "column_mean", "draw_held_out", "take"]

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


class ChosenRows(StoredRows):
    """Some rows of a table, without a copy of them all.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
    rows : ndarray of int64, shape (k,)
        Which rows.
    """

    def __init__(self, X: Any, rows: NDArray[np.int64]) -> None:
        self._X, self._rows = X, rows

    @property
    def shape(self) -> tuple[int, int]:
        """Rows chosen, and columns."""
        return len(self._rows), int(self._X.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the table."""
        found: np.dtype[Any] = self._X.dtype
        return found

    def __getitem__(self, rows: slice | NDArray[Any]) -> NDArray[Any]:
        """Read some of the rows chosen."""
        found: NDArray[Any] = self._X[self._rows[rows]]
        return found


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
    total = np.zeros(X.shape[1])
    for start in range(0, len(X), READ):
        total += X[start : start + READ].sum(0, dtype=np.float64)
    return total / len(X)


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
