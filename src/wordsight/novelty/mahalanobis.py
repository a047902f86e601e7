"""Novelty as distance from the nearest seen class, in units of how seen classes spread."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.covariance import ledoit_wolf

from wordsight.exceptions import InputError
from wordsight.geometry import sq_dist
from wordsight.novelty.base import Centers, LogisticNovelty, Sees, classes_of

MOST_FEATURES = 4096
"""Above this the covariance of features takes minutes and gigabytes."""

__all__ = ["FeatureMahalanobisNovelty", "MahalanobisNovelty"]


class MahalanobisNovelty(LogisticNovelty):
    """Novel is what lies far from the mean of every seen class, by one covariance of all of them.

    The score is −min_y (s − μ_y)ᵀ Σ⁻¹ (s − μ_y), where μ_y is the mean of the class's *points*, not
    its word vector, and Σ the covariance within classes, tied over them. Σ is shrunk towards a
    multiple of the identity as Ledoit and Wolf do, so that it can be inverted with few points.

    Parameters
    ----------
    false_novel_rate : float, default 0.1
        The fraction of seen images that may be called novel.

    Attributes
    ----------
    means_ : ndarray of shape (n_classes, d)
        μ_y, in the order of the sorted classes.
    whitener_ : ndarray of shape (d, d)
        The inverse of Σ's Cholesky factor, transposed: ``(s − μ) @ whitener_`` has the
        Mahalanobis distance for its length.
    shrinkage_ : float
        Weight of the identity in Σ, between 0 and 1.
    scale_ : float
        Standard deviation of the training points' scores.
    offset_ : float
        The threshold on the score.

    References
    ----------
    Lee, Lee, Lee, Shin: "A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks", NeurIPS 2018, Eq. 1-2; Ledoit, Wolf: "A Well-Conditioned Estimator for
    Large-Dimensional Covariance Matrices", 2004.
    """

    means_: NDArray[np.float64]
    whitener_: NDArray[np.float64]
    shrinkage_: float

    def __init__(self, *, false_novel_rate: float = 0.1) -> None:
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        _, codes, self.means_ = classes_of(points, labels, None)
        within = points - self.means_[codes]
        covariance, self.shrinkage_ = ledoit_wolf(within, assume_centered=True)
        # where no class has any spread, any distance at all is novel
        size = np.trace(covariance) / len(covariance) or 1e-12
        covariance = covariance + 1e-12 * size * np.eye(len(covariance))
        factor = np.linalg.cholesky(covariance)
        self.whitener_ = solve_triangular(factor, np.eye(len(factor)), lower=True).T
        self._set_scale(self._score(points))

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        nearest: NDArray[np.float64] = sq_dist(
            points @ self.whitener_, self.means_ @ self.whitener_
        ).min(axis=1)
        return -nearest


class FeatureMahalanobisNovelty(MahalanobisNovelty):
    """`MahalanobisNovelty` on image features X in place of mapped points.

    The covariance is F × F: for features of an encoder with a few hundred to two thousand numbers
    an image, not for the 12,800 of `PatchFeatures`.
    """

    sees: ClassVar[Sees] = "features"

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        if points.shape[1] > MOST_FEATURES:
            raise InputError(
                f"a covariance of {points.shape[1]} features was asked for, and {MOST_FEATURES} "
                "are the most; use MahalanobisNovelty, which looks at mapped points"
            )
        super()._fit(points, labels, centers)
