"""Novelty as distance to the k-th nearest training point."""

import numbers
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.novelty.base import Centers, LogisticNovelty, Sees
from wordsight.novelty.neighbours import Neighbourhood

__all__ = ["FeatureNeighbourDistance", "NeighbourDistance"]


class NeighbourDistance(LogisticNovelty):
    """Novel is what has its k-th nearest training point far away.

    The score is the negative Euclidean distance; a training point is not its own neighbour.

    Parameters
    ----------
    n_neighbors : int, default 50
        k.
    false_novel_rate : float, default 0.1
        The fraction of seen images that may be called novel.

    Attributes
    ----------
    training_points_ : ndarray of shape (n, d)
    scale_ : float
        Standard deviation of the training points' scores.
    offset_ : float
        The threshold on the score.

    References
    ----------
    Sun, Ming, Zhu, Li: "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022;
    there features have length 1 and k is chosen between 1 and 5000.
    """

    training_points_: NDArray[np.float64]

    def __init__(self, n_neighbors: int = 50, *, false_novel_rate: float = 0.1) -> None:
        self.n_neighbors = n_neighbors
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self._check_parameters(len(points))
        self.training_points_ = points.copy()
        self._set_scale(self._farthest(None))

    def _check_parameters(self, n_points: int) -> None:
        k = self.n_neighbors
        if not isinstance(k, numbers.Integral) or k < 1:
            raise InputError(f"n_neighbors={k!r} was given; give a whole number of 1 or more")
        if n_points <= k:
            raise InputError(
                f"n_neighbors={k} needs at least {k + 1} training points, but n_samples={n_points} "
                "were given; add images or lower n_neighbors"
            )

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._farthest(points)

    def _farthest(self, points: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return minus the distance to the k-th neighbour; None: of the training points."""
        ready: Neighbourhood | None = getattr(self, "_neighbourhood", None)
        if ready is None or ready.points is not self.training_points_:
            ready = self._neighbourhood = Neighbourhood(self.training_points_)
        distances, _ = ready.nearest(points, int(self.n_neighbors), stage="comparing neighbours")
        return -distances[:, -1]


class FeatureNeighbourDistance(NeighbourDistance):
    """`NeighbourDistance` on image features X in place of mapped points."""

    sees: ClassVar[Sees] = "features"
