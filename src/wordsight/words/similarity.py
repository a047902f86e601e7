"""Which rows of a table lie nearest to given points: exact, in blocks that stay in the cache.

A product in single precision scores every row for every point, and only the best score of each
small group of rows is kept. The error of a score is bounded, so most groups certainly hold none
of the k nearest; the rows of the others are measured in double precision, by differences.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.geometry import directions

__all__ = ["METRICS", "nearest_rows", "row_lengths"]

METRICS = ("cosine", "euclidean")

_Floats = NDArray[np.floating]

# points and rows scored at a time: a block of scores of 1 MB
_POINTS, _ROWS = 64, 4096
# the groups become smaller than this where that leaves fewer than so many of them a neighbour
_GROUP, _GROUPS_A_NEIGHBOUR = 16, 16
# numbers of the rows that are measured at a time: 8 MB
_CELLS = 1 << 20
# lengths whose squares and inverses a score in single precision can hold
_SHORTEST, _LONGEST = 1e-15, 1e15
# lengths whose squares double precision can hold
_TINY, _HUGE = 1e-140, 1e140


def row_lengths(table: _Floats) -> NDArray[np.float64]:
    """Return the Euclidean length of each row, (n,), of a table (n, d)."""
    lengths = np.empty(len(table))
    for start in range(0, len(table), _ROWS):
        block = table[start : start + _ROWS].astype(np.float64)
        with np.errstate(over="ignore", under="ignore"):
            found = np.linalg.norm(block, axis=1)
        for row in np.flatnonzero(~((found > _TINY) & (found < _HUGE))):
            largest = np.abs(block[row]).max(initial=0.0)
            if largest > 0:
                found[row] = largest * np.linalg.norm(block[row] / largest)
        lengths[start : start + _ROWS] = found
    return lengths


def _is_extreme(lengths: NDArray[np.float64]) -> bool:
    """Say whether the square of a length is too large or too small for double precision."""
    return bool(((lengths > _HUGE) | ((lengths > 0) & (lengths < _TINY))).any())


def _moderate(
    table: _Floats, points: _Floats, metric: str
) -> tuple[_Floats, _Floats, NDArray[np.float64], float]:
    """Return a table and points of ordinary lengths, the table's, and the unit of distances."""
    if metric == "cosine":
        table, points, unit = directions(table), directions(points), 1.0
    else:
        unit = float(max(np.abs(table).max(initial=0.0), np.abs(points).max(initial=0.0)))
        table, points = table.astype(np.float64) / unit, points.astype(np.float64) / unit
    return table, points, row_lengths(table), unit


def nearest_rows(
    table: _Floats,
    points: _Floats,
    k: int,
    *,
    metric: str,
    lengths: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the k rows nearest to each point.

    Parameters
    ----------
    table : ndarray
        (n, d), finite.
    points : ndarray
        (q, d), finite.
    k : int
        At least 1; at most n rows are returned.
    metric : {"cosine", "euclidean"}
        The cosine of the angle between point and row (0 where either is all zeros), or the
        negative Euclidean distance: a larger similarity is nearer in both.
    lengths : ndarray, optional
        ``row_lengths(table)``, where it is known already.

    Returns
    -------
    rows : ndarray
        (q, min(k, n)), the nearest first; of equally near ones the first in the table.
    similarities : ndarray
        (q, min(k, n)).

    Raises
    ------
    InputError
        The metric is unknown, or k is less than 1.
    """
    if metric not in METRICS:
        raise InputError(f"metric={metric!r} is unknown; use one of {', '.join(METRICS)}")
    if k < 1:
        raise InputError(f"{k} nearest words are asked for; ask for 1 or more")
    k = min(k, len(table))
    rows = np.empty((len(points), k), dtype=np.intp)
    similarities = np.empty((len(points), k))
    if k:
        long = row_lengths(points)
        known = row_lengths(table) if lengths is None else lengths
        unit = 1.0
        if _is_extreme(known) or _is_extreme(long):
            table, points, known, unit = _moderate(table, points, metric)
            long = row_lengths(points)
        search = _Search(table, known, k, metric, farthest=float(long.max(initial=0.0)))
        for start in range(0, len(points), _POINTS):
            cut = slice(start, start + _POINTS)
            found = search.nearest(points[cut].astype(np.float64), long[cut])
            rows[cut], similarities[cut] = found
        similarities *= unit
    return rows, similarities


class _Search:
    """A table made ready for the k rows nearest to points, by one metric."""

    def __init__(
        self,
        table: _Floats,
        lengths: NDArray[np.float64],
        k: int,
        metric: str,
        *,
        farthest: float,
    ) -> None:
        self._table, self._lengths, self._k = table, lengths, k
        self._cosine = metric == "cosine"
        longest = float(lengths.max())
        shortest = float(lengths.min(where=lengths > 0, initial=np.inf))
        # double precision where single precision would overflow
        single = shortest > _SHORTEST and max(longest, farthest) < _LONGEST
        self._dtype = np.float32 if single else np.float64
        self._longest = longest
        self._group = max(1, min(_GROUP, len(table) // (_GROUPS_A_NEIGHBOUR * k)))
        with np.errstate(divide="ignore"):
            weight = 1.0 / lengths if self._cosine else -0.5 * lengths**2
        weight[lengths == 0] = 0.0
        self._weight = weight.astype(self._dtype)
        self._scores = np.empty((_POINTS, _ROWS + self._group), dtype=self._dtype)

    def nearest(
        self, points: NDArray[np.float64], long: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return rows and similarities, (q, k), for one block of points of these lengths."""
        if self._cosine:
            points = points / np.where(long > 0, long, 1.0)[:, None]
        best = self._best_of_groups(points.astype(self._dtype))
        at_least = _kth_largest(best, self._k) - 2 * self._error(long)
        # in one dimension numpy finds them several times faster
        chosen = np.flatnonzero(best >= at_least[:, None].astype(self._dtype))
        who, group = np.divmod(chosen, best.shape[1])
        # where many rows are equally near, one point at a time, so that memory stays bounded
        step = len(points) if len(group) * self._group <= _CELLS else 1
        found = []
        for start in range(0, len(points), step):
            mine = slice(*np.searchsorted(who, [start, start + step]))
            found.append(self._rank(points[start : start + step], who[mine] - start, group[mine]))
        return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])

    def _error(self, long: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bound how far a score is from the exact one: a sum of d rounded products, and more."""
        unit = np.finfo(self._dtype).eps * (self._table.shape[1] + 8)
        if self._cosine:
            return np.full(len(long), unit)
        return np.asarray(unit * self._longest * (long + self._longest))

    def _blocks(self) -> Iterator[tuple[slice, int]]:
        """Yield the rows of each block and its number of groups."""
        for start in range(0, len(self._table), _ROWS):
            rows = slice(start, min(start + _ROWS, len(self._table)))
            yield rows, -(-(rows.stop - start) // self._group)

    def _best_of_groups(self, points: _Floats) -> _Floats:
        """Return the best score in each group of rows, (q, groups).

        The score is the cosine, or ``s·w − |w|²/2``, which falls as the distance grows. A block
        of w groups puts its rows 0, w, 2w, ... into the first, 1, w + 1, ... into the second:
        the maxima are then taken of long runs of numbers.
        """
        n_groups = sum(width for _, width in self._blocks())
        best = np.empty((len(points), n_groups), dtype=self._dtype)
        scores = self._scores[: len(points)]
        done = 0
        for rows, width in self._blocks():
            n_rows = rows.stop - rows.start
            found = scores[:, :n_rows]
            np.matmul(points, self._table[rows].astype(self._dtype, copy=False).T, out=found)
            if self._cosine:
                found *= self._weight[rows]
            else:
                found += self._weight[rows]
            scores[:, n_rows : width * self._group] = -np.inf
            grouped = scores[:, : width * self._group].reshape(len(points), self._group, width)
            grouped.max(axis=1, out=best[:, done : done + width])
            done += width
        return best

    def _rows_of(self, group: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the rows of groups, (groups, rows of one); n or more where there is none."""
        a_block = -(-_ROWS // self._group)
        block, within = np.divmod(group, a_block)
        start = block * _ROWS
        width = -(-np.minimum(_ROWS, len(self._table) - start) // self._group)
        place = within[:, None] + width[:, None] * np.arange(self._group)
        rows: NDArray[np.intp] = start[:, None] + place
        rows[place >= _ROWS] = len(self._table)
        return rows

    def _rank(
        self, points: NDArray[np.float64], who: NDArray[np.intp], group: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Measure all rows of the groups chosen for each point, and keep the k nearest."""
        rows = self._rows_of(group)
        real = rows < len(self._table)
        who, rows = np.repeat(who, real.sum(axis=1)), rows[real]
        values = np.empty(len(rows))
        step = max(1, _CELLS // self._table.shape[1])
        for start in range(0, len(rows), step):
            cut = slice(start, start + step)
            values[cut] = self._measure(points[who[cut]], rows[cut])
        order = np.lexsort((rows, -values, who))
        first = np.searchsorted(who, np.arange(len(points)))
        chosen = order[first[:, None] + np.arange(self._k)]
        return rows[chosen], values[chosen]

    def _measure(self, points: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the similarity of each point to the row beside it."""
        table = self._table[rows].astype(np.float64)
        if self._cosine:
            length = self._lengths[rows]
            cosine: NDArray[np.float64] = np.einsum("nd,nd->n", points, table)
            return cosine / np.where(length > 0, length, 1.0)
        table -= points
        distance: NDArray[np.float64] = np.sqrt(np.einsum("nd,nd->n", table, table))
        return -distance


def _kth_largest(best: _Floats, k: int) -> NDArray[np.float64]:
    """Return a value that at least k of each row reach: the k-th largest, or one a little less."""
    fold = max(1, best.shape[1] // (_GROUPS_A_NEIGHBOUR * k))
    if fold > 1:
        width = best.shape[1] // fold
        best = best[:, : fold * width].reshape(len(best), fold, width).max(axis=1)
    return np.partition(best, best.shape[1] - k, axis=1)[:, best.shape[1] - k].astype(np.float64)
