"""Novelty as low density under isometric Gaussians at the word vectors of the seen classes."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logsumexp

from wordsight.exceptions import InputError
from wordsight.geometry import sq_dist
from wordsight.novelty.base import Centers, NoveltyDetector, classes_of
from wordsight.novelty.calibration import check_rate
from wordsight.parameters import is_count

__all__ = ["GaussianNovelty", "log_density", "mixture_log_density"]

_RULES = ("mixture", "per_class")

# No class is taken to be tighter than this fraction of the mean variance of all classes: a class
# of one point, or whose points all lie on its word vector, would have infinite density there.
_SMALLEST_VARIANCE_FRACTION = 1e-6
# ... and where no class has any spread, so that there is no scale to take a fraction of
_SMALLEST_VARIANCE = 1e-12


def log_density(S: ArrayLike, centers: ArrayLike, variances: ArrayLike) -> NDArray[np.float64]:
    """Log density of points under isometric Gaussians.

    log N(s | w_y, σ_y² I) = −(d/2) log(2π σ_y²) − |s − w_y|² / (2 σ_y²), natural logarithm.

    Parameters
    ----------
    S : array-like of shape (n, d)
        Mapped points.
    centers : array-like of shape (n_classes, d)
        The means: word vectors w_y.
    variances : array-like of shape (n_classes,)
        σ_y², above 0, the same in every direction.

    Returns
    -------
    ndarray of shape (n, n_classes)
        The log densities.

    References
    ----------
    Socher et al., "Zero-Shot Learning Through Cross-Modal Transfer", section 5, the terms
    N(θx | w_y, Σ_y) above Eq. 3.
    """
    points = np.asarray(S, dtype=np.float64)
    spread = np.asarray(variances, dtype=np.float64)
    squared = sq_dist(points, np.asarray(centers, dtype=np.float64))
    dimension = points.shape[1]
    result: NDArray[np.float64] = -0.5 * (
        dimension * np.log(2.0 * np.pi * spread) + squared / spread
    )
    return result


def mixture_log_density(
    S: ArrayLike, centers: ArrayLike, variances: ArrayLike, priors: ArrayLike
) -> NDArray[np.float64]:
    """Log of the marginal P(x | X_s, W_s, θ) = Σ_y N(s | w_y, σ_y² I) P(y).

    Parameters
    ----------
    S, centers, variances : array-like
        As for `log_density`.
    priors : array-like of shape (n_classes,)
        P(y), above 0, summing to 1.

    Returns
    -------
    ndarray of shape (n,)
        The log densities, finite also where the densities themselves are too small for a double.

    References
    ----------
    Socher et al., the marginal that Eq. 3 compares with T.
    """
    joint = log_density(S, centers, variances) + np.log(np.asarray(priors, dtype=np.float64))
    return np.asarray(logsumexp(joint, axis=1), dtype=np.float64)


class GaussianNovelty(NoveltyDetector):
    """Novel is what has a low density under the seen classes' Gaussians.

    Each seen class is N(s | w_y, σ_y² I) with its mean *fixed* at the word vector, and
    σ_y² = Σ |s − w_y|² / (n_y · d) over the class's n_y mapped points.

    * ``rule="mixture"`` (ICLR 2013, Eq. 3): the score is log Σ_y N(s | w_y, σ_y² I) P(y); novel is
      what scores below log T.
    * ``rule="per_class"`` (NIPS 2013): novel is what lies below T_y under *every* seen class; the
      score is max_y (log N(s | w_y, σ_y² I) − log T_y). `fit` sets T_y so that the fraction
      1 − `false_novel_rate` of the class's own points stays above it.

    `novelty_proba` is the soft version of Eq. 3. It takes images of unseen classes as spread
    evenly, with the constant density T, so that by Bayes' rule at even odds
    P(u | x) = T / (T + p(x)) = 1 / (1 + exp(score − offset_)), 1/2 exactly at the threshold. In
    fifty dimensions densities differ by many powers of e, so it is close to a step.

    Parameters
    ----------
    rule : {"mixture", "per_class"}, default "mixture"
        Which of the two published rules.
    false_novel_rate : float, default 0.1
        The fraction of seen images that may be called novel. `fit` applies it to the training
        points: to the mixture score ("mixture", `offset_` is its quantile), or within each class
        ("per_class", `offset_` is 0). `calibrate` applies it to held-out points.
    block_size : int, default 8192
        Points scored at once; memory is about block_size × (d + n_classes) doubles.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The seen classes, sorted.
    centers_ : ndarray of shape (n_classes, d)
        Their means: the word vectors, or the classes' mean points where none were given.
    variances_ : ndarray of shape (n_classes,)
        σ_y², at least 1e-6 of the mean over classes (1e-12 where no class has any spread), so
        that a class of one point has a finite density.
    priors_ : ndarray of shape (n_classes,)
        P(y), the classes' shares of the training points.
    log_thresholds_ : ndarray of shape (n_classes,)
        log T_y; only for ``rule="per_class"``.
    offset_ : float
        The threshold on the score; for "mixture" it is log T.

    References
    ----------
    Socher, Ganjoo, Sridhar, Bastani, Manning, Ng: "Zero-Shot Learning Through Cross-Modal
    Transfer", ICLR 2013 workshop (Eq. 3) and NIPS 2013.
    """

    classes_: NDArray[Any]
    centers_: NDArray[np.float64]
    variances_: NDArray[np.float64]
    priors_: NDArray[np.float64]
    log_thresholds_: NDArray[np.float64]

    def __init__(
        self, rule: str = "mixture", *, false_novel_rate: float = 0.1, block_size: int = 8192
    ) -> None:
        self.rule = rule
        self.false_novel_rate = false_novel_rate
        self.block_size = block_size

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self._check_parameters()
        self.classes_, y, self.centers_ = classes_of(points, labels, centers)
        counts = np.bincount(y)
        self.variances_ = _variances(points, y, self.centers_)
        self.priors_ = counts / len(points)  # P(y) of Eq. 3's marginal
        if self.rule == "mixture":
            self.offset_ = float(np.quantile(self._score(points), self.false_novel_rate))
        else:
            self.log_thresholds_ = self._class_thresholds(points, y)
            self.offset_ = 0.0

    def _check_parameters(self) -> None:
        check_rate(self.false_novel_rate)
        if self.rule not in _RULES:
            raise InputError(f"rule={self.rule!r} is unknown; choose 'mixture' or 'per_class'")
        if not is_count(self.block_size):
            raise InputError(f"block_size={self.block_size!r} was given; give 1 or more points")

    def _class_thresholds(
        self, points: NDArray[np.float64], y: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Thresholds log T_y: the quantile of each class's own log densities."""
        own = [
            log_density(points[y == c], self.centers_[c : c + 1], self.variances_[c : c + 1])
            for c in range(len(self.classes_))
        ]
        return np.array([np.quantile(values, self.false_novel_rate) for values in own])

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = np.empty(len(points))
        for start in range(0, len(points), self.block_size):
            block = slice(start, start + self.block_size)
            if self.rule == "mixture":
                scores[block] = mixture_log_density(
                    points[block], self.centers_, self.variances_, self.priors_
                )
            else:
                densities = log_density(points[block], self.centers_, self.variances_)
                scores[block] = (densities - self.log_thresholds_).max(axis=1)
        return scores

    def _proba(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(expit(self.offset_ - scores), dtype=np.float64)


def _variances(
    points: NDArray[np.float64], y: NDArray[np.intp], centers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """σ_y² = Σ |s − w_y|² / (n_y · d), floored."""
    dimension = points.shape[1]
    raw = np.array(
        [
            sq_dist(points[y == c], center[np.newaxis]).mean() / dimension
            for c, center in enumerate(centers)
        ]
    )
    floor = max(_SMALLEST_VARIANCE_FRACTION * raw.mean(), np.finfo(np.float64).tiny)
    if not raw.any():
        floor = _SMALLEST_VARIANCE
    variances: NDArray[np.float64] = np.maximum(raw, floor)
    return variances
