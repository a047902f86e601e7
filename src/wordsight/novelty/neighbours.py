"""The k points of a set that lie nearest to others: exact, without an n × n table.

A product in single precision scores every pair. The error of a score is bounded, so all but a few
points certainly are no neighbours; these few are measured in double precision, by differences.
"""

import numbers

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import blocks, in_order, scratch
from wordsight.exceptions import InputError
from wordsight.progress import report

__all__ = ["Neighbourhood", "SearchesTrainingPoints"]

_Points = NDArray[np.float64]
_Found = tuple[_Points, NDArray[np.intp]]

# points that a thread searches for at a time, fewer where they would have more scores than these:
# in smaller pieces threads wait for the interpreter more than they work
_BLOCK, _SCORES = 512, 1 << 25
# a set is cut into groups of so many points, fewer where less than so many groups a neighbour
# were left: the k best groups then hold hardly more than the k neighbours
_LARGEST_GROUP, _GROUPS_A_NEIGHBOUR = 64, 15
# candidates a neighbour above which single precision is too coarse for these points
_MANY = 4
# numbers of candidates measured at a time: 512 KB
_CELLS = 1 << 16
_DOUBLE = torch.empty(0, dtype=torch.float64)


class Neighbourhood:
    """A set of points, made ready to be searched.

    Parameters
    ----------
    points : ndarray of float64, shape (n, d)
        Finite, no coordinate above 1e140.

    Attributes
    ----------
    points : ndarray
        The same array.
    """

    def __init__(self, points: _Points) -> None:
        self.points = points
        # centred, as an offset costs precision; the farthest point comes to lie at 1
        self._mean = points.mean(axis=0)
        centred = points - self._mean
        largest = float(np.abs(centred).max()) or 1.0
        centred /= largest  # before it is squared, which could underflow
        longest = float(np.sqrt(np.einsum("nd,nd->n", centred, centred).max())) or 1.0
        self._scale = largest * longest
        self._single = self._table().to(torch.float32)

    def _table(self) -> torch.Tensor:
        """Return the points as the scores take them, (d + 1, n): y, and below it −|y|²/2."""
        scaled = (self.points - self._mean) / self._scale
        half = -0.5 * np.einsum("nd,nd->n", scaled, scaled)
        return torch.from_numpy(np.vstack([scaled.T, half]))

    def nearest(self, points: _Points | None, k: int, *, stage: str) -> _Found:
        """Find the k nearest points of the set.

        Parameters
        ----------
        points : ndarray of float64, shape (q, d), or None
            None takes the points of the set themselves, and none is its own neighbour.
        k : int
            At least 1, and less than n.
        stage : str
            What progress is reported as.

        Returns
        -------
        distances : ndarray, shape (q, k)
            Euclidean, the nearest first.
        rows : ndarray, shape (q, k)
            Of equally near points those that come first in the set.
        """
        n_points = len(self.points) if points is None else len(points)
        distances = np.empty((n_points, k))
        rows = np.empty((n_points, k), dtype=np.intp)

        def search(cut: slice) -> tuple[slice, _Found]:
            if points is None:
                return cut, self._search(self.points[cut], k, own=cut.start)
            return cut, self._search(points[cut], k, own=None)

        size = max(1, min(_BLOCK, _SCORES // len(self.points)))
        for cut, (distances[cut], rows[cut]) in in_order(search, blocks(n_points, size)):
            report(stage, cut.stop, n_points)
        return distances, rows

    def _search(self, points: _Points, k: int, *, own: int | None) -> _Found:
        """Search for one block of points; the first is row `own` of the set."""
        who, rows = self._candidates(points, k, own, self._single)
        if len(who) > _MANY * k * len(points):
            who, rows = self._candidates(points, k, own, self._table())
        # where very many are equally near, one point at a time, so that memory stays bounded
        step = len(points) if len(who) * points.shape[1] <= 256 * _CELLS else 1
        parts = []
        for cut in blocks(len(points), step):
            mine = slice(*np.searchsorted(who, [cut.start, cut.stop]))
            parts.append(self._measure(points[cut], who[mine] - cut.start, rows[mine], k))
        return np.concatenate([part[0] for part in parts]), np.concatenate([p[1] for p in parts])

    def _candidates(
        self, points: _Points, k: int, own: int | None, table: torch.Tensor
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return all pairs of a point and a row that may be one of its k nearest, in order.

        The score is ``x·y − |y|²/2``, divided by |x| where that is above 1: it falls as the
        distance grows, and never overflows.
        """
        n = table.shape[1]
        group = max(1, min(_LARGEST_GROUP, n // (_GROUPS_A_NEIGHBOUR * k)))
        width = -(-n // group)
        scores = self._scores(points, table, width * group)
        if own is not None:
            scores[np.arange(len(points)), own + np.arange(len(points))] = -np.inf
        # row r is in group r % width: the maxima are then taken of long runs of numbers
        grouped = scores.reshape(len(points), group, width)
        best = grouped.max(axis=1)
        kth = np.partition(best, width - k, axis=1)[:, width - k]
        error = 3 * float(np.finfo(scores.dtype).eps) * (table.shape[0] + 8)
        at_least = kth - scores.dtype.type(error)
        chosen = np.flatnonzero(best >= at_least[:, None])
        who, which = np.divmod(chosen, width)
        inside = grouped[who, :, which] >= at_least[who, None]
        pair, place = np.divmod(np.flatnonzero(inside), group)
        pairs = np.sort(who[pair] * n + which[pair] + place * width)
        return np.divmod(pairs, n)

    def _scores(self, points: _Points, table: torch.Tensor, n_columns: int) -> NDArray[np.floating]:
        """Return the scores, (b, n_columns); columns beyond the set are −∞."""
        points = points - self._mean
        with np.errstate(over="ignore"):  # infinitely far: all are equally near, and measured
            far = np.maximum(np.linalg.norm(points, axis=1) / self._scale, 1.0)
            right = np.hstack([points / (self._scale * far)[:, None], 1.0 / far[:, None]])
        scores = scratch("scores", (len(points), n_columns), table)
        n = table.shape[1]
        torch.mm(torch.from_numpy(right).to(table.dtype), table, out=scores[:, :n])
        scores[:, n:] = -torch.inf
        return scores.numpy()

    def _measure(
        self, points: _Points, who: NDArray[np.intp], rows: NDArray[np.intp], k: int
    ) -> _Found:
        """Measure the candidates of each point by differences, and keep the k nearest."""
        counts = np.bincount(who, minlength=len(points))
        there = np.arange(counts.max()) < counts[:, None]
        table = np.zeros(there.shape, dtype=np.intp)
        table[there] = rows
        sq_dist = np.empty(there.shape)
        for cut in blocks(len(points), max(1, _CELLS // (there.shape[1] * points.shape[1]))):
            shape = (*table[cut].shape, points.shape[1])
            difference = scratch("differences", shape, _DOUBLE).numpy()
            np.take(self.points, table[cut], axis=0, out=difference, mode="clip")
            difference -= points[cut, None]
            np.einsum("bcd,bcd->bc", difference, difference, out=sq_dist[cut])
        sq_dist[~there] = np.inf
        # stable: of equally near ones the first in the set, which the candidates are in order of
        order = np.argsort(sq_dist, axis=1, kind="stable")[:, :k]
        nearest = np.take_along_axis(sq_dist, order, axis=1)
        return np.sqrt(nearest), np.take_along_axis(table, order, axis=1)


class SearchesTrainingPoints:
    """What detectors have in common that look for the nearest of the training points.

    Attributes
    ----------
    n_neighbors : int
        k.
    training_points_ : ndarray of shape (n, d)
    """

    n_neighbors: int
    training_points_: _Points

    def _check_neighbors(self, n_points: int) -> None:
        k = self.n_neighbors
        if not isinstance(k, numbers.Integral) or k < 1:
            raise InputError(f"n_neighbors={k!r} was given; give a whole number of 1 or more")
        if n_points <= k:
            raise InputError(
                f"n_neighbors={k} needs at least {k + 1} training points, but n_samples={n_points} "
                "were given; add images or lower n_neighbors"
            )

    def _neighbours(self, points: _Points | None) -> _Found:
        """Find the k nearest training points, (n, k) distances and rows; None: without itself."""
        # made by fit, and at its first use where the detector was loaded
        ready: Neighbourhood | None = getattr(self, "_neighbourhood", None)
        if ready is None or ready.points is not self.training_points_:
            ready = self._neighbourhood = Neighbourhood(self.training_points_)
        return ready.nearest(points, int(self.n_neighbors), stage="comparing neighbours")
