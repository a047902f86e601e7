"""The threshold between ordinary and novel, set on held-out images of seen classes alone."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wordsight.exceptions import InputError

__all__ = ["check_rate", "checked_rank", "threshold_for_rate"]

# a rate of 1/(n + 1) times n + 1 may fall short of 1 by rounding
_ROUNDING = 1e-9


def check_rate(false_novel_rate: float) -> float:
    """Return the rate as a float; `InputError` where it is not a number between 0 and 1."""
    try:
        rate = float(false_novel_rate)
    except (TypeError, ValueError):
        rate = math.nan
    if not 0.0 < rate < 1.0:
        raise InputError(
            f"false_novel_rate={false_novel_rate!r} is not a fraction of images; give a number "
            "above 0 and below 1, such as 0.1"
        )
    return rate


def threshold_for_rate(scores_held_out: ArrayLike, false_novel_rate: float) -> float:
    """Find the score under which about a given fraction of seen images falls.

    The split-conformal quantile: of n held-out scores the k-th smallest, with
    k = floor(rate · (n + 1)). An image is novel if and only if its score is *strictly* below the
    threshold. For a new image that is exchangeable with the held-out ones,

        rate − 1/(n + 1)  <  k/(n + 1)  =  P(score < threshold)  ≤  rate,

    the equality where scores have no ties; ties can only lower the probability. No image of an
    unseen class takes part.

    Parameters
    ----------
    scores_held_out : array-like of shape (n,)
        `score_samples` (high = ordinary) of images of seen classes that the detector was not
        fitted on.
    false_novel_rate : float
        The fraction of seen images that may be called novel, above 0 and below 1.

    Returns
    -------
    float
        The threshold, one of the held-out scores.

    Raises
    ------
    InputError
        The rate is not between 0 and 1, or less than 1/(n + 1), which is the smallest that n
        images support; or the scores are not a non-empty row of finite numbers.

    References
    ----------
    Papadopoulos et al., "Inductive Confidence Machines for Regression", ECML 2002 (the
    split-conformal quantile); the threshold T is that of Socher et al., Eq. 3.
    """
    rate = check_rate(false_novel_rate)
    scores = np.asarray(scores_held_out, dtype=np.float64)
    if scores.ndim != 1 or scores.size == 0:
        raise InputError(
            f"held-out scores of shape {scores.shape} were given; give one score an image, "
            "of at least one image, to set the threshold on"
        )
    if not np.isfinite(scores).all():
        raise InputError(
            f"{np.count_nonzero(~np.isfinite(scores))} of {scores.size} held-out scores are NaN "
            "or infinite; score finite features only"
        )
    k = checked_rank(scores.size, rate)
    return float(np.partition(scores, k - 1)[k - 1])


def checked_rank(n: int, rate: float) -> int:
    """Return k = floor(rate · (n + 1)); `InputError` where n images support no rate so small."""
    k = math.floor(rate * (n + 1) + _ROUNDING)
    if k < 1:
        smallest = math.ceil(1e6 / (n + 1)) / 1e6
        raise InputError(
            f"false_novel_rate={rate:g} is too small for {n} held-out seen images; the smallest "
            f"they support is 1/{n + 1} (give {smallest:g} or more, or hold out more images)"
        )
    return k
