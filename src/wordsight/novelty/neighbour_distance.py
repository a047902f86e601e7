"""Novelty as distance to the k-th nearest training point."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.novelty.base import Centers, LogisticNovelty, Sees
from wordsight.novelty.neighbours import SearchesTrainingPoints

__all__ = ["FeatureNeighbourDistance", "NeighbourDistance"]


class NeighbourDistance(SearchesTrainingPoints, LogisticNovelty):
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

    def __init__(self, n_neighbors: int = 50, *, false_novel_rate: float = 0.1) -> None:
        self.n_neighbors = n_neighbors
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self._check_neighbors(len(points))
        self.training_points_ = points.copy()
        self._set_scale(self._farthest(None))

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._farthest(points)

    def _farthest(self, points: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return minus the distance to the k-th neighbour; None: of the training points."""
        distances, _ = self._neighbours(points)
        return -distances[:, -1]


class FeatureNeighbourDistance(NeighbourDistance):
    """`NeighbourDistance` on image features X in place of mapped points."""

    sees: ClassVar[Sees] = "features"
