"""Whether probabilities mean what they say: of images called 80 % sure, 80 % should be right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.exceptions import InputError

__all__ = ["Reliability", "expected_calibration_error", "reliability"]

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Reliability:
    """Images in bins of how sure a model was of them.

    Attributes
    ----------
    edges : ndarray of shape (n_bins + 1,)
        A bin holds the probabilities above its lower edge, up to and with its upper one.
    counts : ndarray of shape (n_bins,)
        Images in each bin.
    confidence : ndarray of shape (n_bins,)
        Mean probability of the class named; NaN in an empty bin.
    accuracy : ndarray of shape (n_bins,)
        Share of images whose class was named; NaN in an empty bin.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean over images of |accuracy − confidence| of a bin."""
        filled = self.counts > 0
        gaps = np.abs(self.accuracy - self.confidence)[filled]
        return float((gaps * self.counts[filled]).sum() / self.counts.sum())


def reliability(is_right: ArrayLike, confidence: ArrayLike, *, n_bins: int = 15) -> Reliability:
    """Compare how sure a model was with how often it was right.

    Parameters
    ----------
    is_right : array-like of bool, shape (n,)
        Whether the class named was the true one.
    confidence : array-like of shape (n,)
        The probability of the class named.
    n_bins : int, default 15
        Bins of equal width between 0 and 1.

    Returns
    -------
    Reliability

    Raises
    ------
    InputError
        No images, lengths that differ, a confidence that is no probability, fewer than 1 bin.

    References
    ----------
    Naeini, Cooper, Hauskrecht: "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
    AAAI 2015; with 15 bins, Guo, Pleiss, Sun, Weinberger: "On Calibration of Modern Neural
    Networks", ICML 2017, Eq. 3.
    """
    right = np.asarray(is_right, dtype=np.float64)
    sure = np.asarray(confidence, dtype=np.float64)
    if right.ndim != 1 or right.shape != sure.shape or not len(right):
        raise InputError(
            f"{right.shape} verdicts and {sure.shape} probabilities were given; expected one of "
            "each for every image, and at least one image"
        )
    if not ((sure >= -_ROUNDING) & (sure <= 1 + _ROUNDING)).all():
        raise InputError("a confidence is not between 0 and 1; give probabilities")
    if n_bins < 1:
        raise InputError(f"n_bins={n_bins} was given; expected 1 or more")
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, n_bins - 1)
    counts = np.bincount(place, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            edges=edges,
            counts=counts,
            confidence=np.bincount(place, weights=sure, minlength=n_bins) / counts,
            accuracy=np.bincount(place, weights=right, minlength=n_bins) / counts,
        )


def expected_calibration_error(
    is_right: ArrayLike, confidence: ArrayLike, *, n_bins: int = 15
) -> float:
    """Return the mean over images of |accuracy − confidence| of their bin; see `reliability`."""
    return reliability(is_right, confidence, n_bins=n_bins).error
