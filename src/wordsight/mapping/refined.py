"""Eq. 1 from a factor in single precision, refined to the solution in double precision.

In single precision a factor takes half the memory and half the time. It solves nearly; conjugate
gradients with it, multiplying with the Gram matrix in double precision, come to what a factor in
double precision would give in a few steps, each of which reads both matrices once.
"""

from typing import Any

import torch

from wordsight.compute import Moments, RidgeFactor
from wordsight.exceptions import WordsightError
from wordsight.mapping.conjugate_gradients import conjugate_gradients
from wordsight.mapping.sums import (
    SMALL,
    Solution,
    Statistics,
    covariance,
    factor_of,
    solution,
    solution_of,
)

__all__ = ["solve"]

TOL = 1e-10
"""Norm of a residual, relative to its right-hand side. The error of a solution is at most the
condition of the system times that, and mostly far less: with a condition of ten million, 1e-7."""

MAX_STEPS = 30
"""More are needed only where single precision hardly resembles the system."""


def solve(moments: Statistics, alpha: float, dtype: Any) -> tuple[Solution, RidgeFactor]:
    """Solve Eq. 1 to double precision, and return what it was solved with.

    Parameters
    ----------
    moments : Moments or FewRows
        Of features X and targets Y.
    alpha : float
        Ridge term, in units of a feature's variance.
    dtype : dtype
        Of the solution: that of the features.

    Returns
    -------
    solution : (coef, intercept)
        θ (d, F) and b (d,).
    factor : RidgeFactor
        Of many features in single precision, in that; otherwise in double precision.
    """
    if isinstance(moments, Moments) and _is_large(moments):
        try:
            factor = RidgeFactor(moments, alpha, torch.float32)
            return solution_of(moments, factor, _refined(moments, factor), dtype), factor
        except WordsightError:  # singular, or nearly so, in single precision
            pass
    factor = factor_of(moments, alpha)
    return solution(moments, factor, dtype), factor


def _is_large(moments: Moments) -> bool:
    return moments.gram.size > SMALL and moments.shift.dtype == torch.float32


def _refined(moments: Moments, factor: RidgeFactor) -> torch.Tensor:
    """Return ``(C + alpha I)⁻¹`` times the covariance of features and targets, (F, d)."""
    mean = moments.sum_x / moments.n

    def times(V: torch.Tensor) -> torch.Tensor:
        product = moments.gram.times(V).div_(moments.n)
        return product.sub_(mean[:, None] * (mean @ V)).add_(V, alpha=factor.alpha)

    target = covariance(moments)
    size = target.norm(dim=0)
    size = torch.where(size > 0, size, 1.0)  # residuals of any size then fit single precision
    return size * conjugate_gradients(
        times, factor.solve, target / size, TOL, "solving the map", max_steps=MAX_STEPS
    )
