"""The most probable of very many classes, exactly, without a table of points × classes.

Classes pass by in blocks. Of each point a running maximum and sum keep what the softmax is divided
by, and a running table the k best so far. A product scores whole blocks; its rounding error is
bounded, and what may be among the k best is measured by the classifier's own arithmetic, so that
the order is that of the dense computation.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import blocks, in_order
from wordsight.exceptions import InputError

__all__ = ["MANY", "ClassScores", "Leading", "check_k", "leading", "product"]

MANY = 4096
"""Above so many classes tables of points × classes are not made unless asked for."""

# points and classes scored at a time: a block of scores of 2 MB
_POINTS, _CLASSES = 64, 4096
# points whose scores may be off by more are measured whole: probabilities would be off by as much
_COARSE = 1e-8
# numbers of the word vectors that are measured at a time: 8 MB
_CELLS = 1 << 20

_Floats = NDArray[np.float64]
_Columns = NDArray[np.int64]


class Leading(NamedTuple):
    """The most probable classes of n points.

    Attributes
    ----------
    columns : ndarray of int64, shape (n, k)
        Classes by their place, the most probable first; of equally probable ones the first.
    proba : ndarray of float64, shape (n, k)
        Their probabilities.
    """

    columns: _Columns
    proba: _Floats


class ClassScores(ABC):
    """How a classifier scores points: the logarithm of p(y | x), up to a number for each point.

    Attributes
    ----------
    n_classes : int
    """

    n_classes: int

    @abstractmethod
    def product(self, points: _Floats, classes: slice | _Columns) -> _Floats:
        """Return scores by a product, shape (p, b), each point's up to a number of its own."""

    @abstractmethod
    def exact(self, points: _Floats, classes: slice | _Columns) -> _Floats:
        """Return scores by the classifier's own arithmetic, shape (p, b)."""

    @abstractmethod
    def pairs(self, points: _Floats, columns: _Columns) -> _Floats:
        """Return what `exact` does, (q,), for points (q, m) and one class beside each."""

    @abstractmethod
    def error(self, points: _Floats) -> _Floats:
        """Bound how far `product` is from `exact` for each point, shape (p,)."""


def product(points: _Floats, words: _Floats) -> _Floats:
    """Return ``points wordsᵀ``, shape (p, b), by torch: on as many threads as `in_order` lets it.

    Those of NumPy's BLAS know nothing of it, and would get in one another's way.
    """
    found: _Floats = torch.mm(torch.from_numpy(points), torch.from_numpy(words).T).numpy()
    return found


def check_k(k: int) -> None:
    """Raise `InputError` where fewer than one class is asked for."""
    if k < 1:
        raise InputError(f"k={k} classes were asked for; ask for 1 or more")


def leading(scores: ClassScores, points: _Floats, k: int, among: _Columns | None = None) -> Leading:
    """Find the k most probable classes of each point.

    Parameters
    ----------
    scores : ClassScores
    points : ndarray of float64, shape (n, m)
        As the scores take them.
    k : int
        At least 1; at most as many as there are classes are returned.
    among : ndarray of int64, optional
        Choose among these classes alone, by their places, each once: probabilities are then those
        among them.

    Returns
    -------
    Leading
        Memory beside it: some megabytes, whatever the numbers of points and classes.
    """
    check_k(k)
    n_classes = scores.n_classes if among is None else len(among)
    k = min(k, n_classes)
    columns = np.empty((len(points), k), dtype=np.int64)
    proba = np.empty((len(points), k))

    def race(cut: slice) -> None:
        with np.errstate(all="ignore"):  # numbers too large for a product have no bounded error
            error = scores.error(points[cut])
        fine = error <= _COARSE  # false of NaN
        for rows, is_fine in ((np.flatnonzero(fine), True), (np.flatnonzero(~fine), False)):
            if len(rows):
                some = _Race(scores, among, points[cut][rows], error[rows], k, product=is_fine)
                at = cut.start + rows
                columns[at], proba[at] = some.run(n_classes)

    for _done in in_order(race, blocks(len(points), _POINTS)):
        pass
    return Leading(columns if among is None else among[columns], proba)


class _Race:
    """A block of points, and what is known of them while classes pass by.

    Of each point: the largest score so far and the sum of exp(score − largest), the k best scores
    by the product (they tell which classes may be among the k best), and the k best by the
    classifier's own arithmetic, as places among those to choose among.
    """

    def __init__(
        self,
        scores: ClassScores,
        among: _Columns | None,
        points: _Floats,
        error: _Floats,
        k: int,
        *,
        product: bool,
    ) -> None:
        self._scores, self._among, self._points, self._k = scores, among, points, k
        self._product = product
        self._slack = 2.0 * error[:, None] if product else np.zeros((len(points), 1))
        self._largest = np.full(len(points), -np.inf)
        self._sum = np.zeros(len(points))
        self._best = np.full((len(points), k), -np.inf)
        self._columns = np.full((len(points), k), -1, dtype=np.int64)
        self._exact = np.full((len(points), k), -np.inf)
        self._rough = np.full((len(points), k), -np.inf)

    def run(self, n_classes: int) -> Leading:
        """Let all classes pass, and return the winners."""
        way = self._scores.product if self._product else self._scores.exact
        for cut in blocks(n_classes, _CLASSES):
            found = way(self._points, cut if self._among is None else self._among[cut])
            high = found.max(axis=1)
            self._enter(found, high, cut.start)
            self._add(found, high)
        return self._winners()

    def _add(self, found: _Floats, high: _Floats) -> None:
        """Add a block to the sums; it is overwritten."""
        largest = np.maximum(self._largest, high)
        found -= largest[:, None]
        self._sum *= np.exp(self._largest - largest)
        self._sum += np.exp(found, out=found).sum(axis=1)
        self._largest = largest

    def _enter(self, found: _Floats, high: _Floats, start: int) -> None:
        """Measure what may be among the k best of all classes so far."""
        floor = self._best.min(axis=1, keepdims=True) - self._slack
        rows = np.flatnonzero(high >= floor[:, 0])
        if not len(rows):
            return
        mine, k = found[rows], self._k
        width = mine.shape[1]
        top = np.partition(mine, width - k, axis=1)[:, width - k :] if width > k else mine
        best = np.hstack([self._best[rows], top])
        best = np.partition(best, best.shape[1] - k, axis=1)[:, best.shape[1] - k :]
        self._best[rows] = best
        floor = best.min(axis=1, keepdims=True) - self._slack[rows]
        who, place = np.divmod(np.flatnonzero(mine >= floor), width)
        rough = mine[who, place]
        exact = self._measured(rows[who], start + place) if self._product else rough
        self._keep(rows, who, start + place, exact, rough)

    def _measured(self, rows: NDArray[np.intp], columns: _Columns) -> _Floats:
        values = np.empty(len(rows))
        columns = columns if self._among is None else self._among[columns]
        for cut in blocks(len(rows), max(1, _CELLS // self._points.shape[1])):
            values[cut] = self._scores.pairs(self._points[rows[cut]], columns[cut])
        return values

    def _keep(
        self,
        rows: NDArray[np.intp],
        who: NDArray[np.intp],
        columns: _Columns,
        exact: _Floats,
        rough: _Floats,
    ) -> None:
        """Keep the k best of these and of those before, for some of the points."""
        k = self._k
        who = np.concatenate([np.repeat(np.arange(len(rows)), k), who])
        columns = np.concatenate([self._columns[rows].ravel(), columns])
        exact = np.concatenate([self._exact[rows].ravel(), exact])
        rough = np.concatenate([self._rough[rows].ravel(), rough])
        # an empty place comes after every class, also after one whose score is minus infinity
        order = np.lexsort((columns, columns < 0, -exact, who))
        first = np.searchsorted(who[order], np.arange(len(rows)))
        chosen = order[first[:, None] + np.arange(k)]
        self._columns[rows] = columns[chosen]
        self._exact[rows], self._rough[rows] = exact[chosen], rough[chosen]

    def _winners(self) -> Leading:
        # the best class has both scores, which tells how far the two are apart for a point
        log_sum = self._largest - self._rough[:, :1].T[0] + np.log(self._sum)
        proba = np.exp(self._exact - self._exact[:, :1] - log_sum[:, None])
        return Leading(self._columns, proba)
