"""Ridge regression from sums over rows: the sums, their factor and the solution (Eq. 1)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import Moments, RidgeFactor, merge, partial, without
from wordsight.few_rows import FewRows, ThinFactor, are_few
from wordsight.progress import report
from wordsight.rows import StoredRows, column_mean

__all__ = [
    "DEFAULT_ALPHA",
    "SMALL",
    "RowSums",
    "Solution",
    "Statistics",
    "covariance",
    "factor_of",
    "less",
    "ridge",
    "solution",
    "solution_of",
    "together",
]

DEFAULT_ALPHA = 0.01
"""Ridge term, as a share of the features' mean variance, where there is nothing to choose it on."""

SMALL = 2048
"""Features up to which a system is always factored in double precision."""

Statistics = Moments | FewRows
"""Sums over many rows, or few rows themselves; one kind throughout a fit."""

Solution = tuple[NDArray[Any], NDArray[Any]]
"""Coefficients (d, F) and intercept (d,)."""


class RowSums:
    """Sums of moments over chosen rows, all counted from one shift, reporting how far they are.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
    Y : ndarray, shape (n, d)
    device : torch.device
        Where the products run.
    """

    def __init__(self, X: NDArray[Any] | StoredRows, Y: NDArray[Any], device: torch.device) -> None:
        self._X, self._Y, self._device = X, Y, device
        self._shift = column_mean(X)
        self._done = 0

    def over(self, rows: NDArray[np.int64]) -> Statistics:
        """Sum over some rows."""
        if are_few(*self._X.shape):
            self._count(len(rows))
            return FewRows.take(self._X, self._Y, rows, self._shift, self._device)
        return partial(
            self._X,
            self._Y,
            rows=rows,
            shift=self._shift,
            device=self._device,
            on_block=self._count,
        )

    def _count(self, n_rows: int) -> None:
        self._done += n_rows
        report("summing the statistics of the features", self._done, len(self._X))


def together(a: Statistics, b: Statistics, *, overwrite: bool = False) -> Statistics:
    """Add the statistics of two sets of rows that share no row.

    Parameters
    ----------
    a, b : Moments or FewRows
    overwrite : bool, default False
        Whether `a` may be lost, whose memory the sum of moments then takes.

    Returns
    -------
    Moments or FewRows
    """
    if isinstance(a, FewRows) and isinstance(b, FewRows):
        return a.merge(b)
    assert isinstance(a, Moments) and isinstance(b, Moments)  # one kind throughout
    return merge(a, b, overwrite=overwrite)


def less(total: Statistics, part: Statistics) -> Statistics:
    """Take the rows of `part` out of `total`."""
    if isinstance(total, FewRows) and isinstance(part, FewRows):
        return total.without(part)
    assert isinstance(total, Moments) and isinstance(part, Moments)
    return without(total, part)


def factor_of(
    moments: Statistics,
    alpha: float,
    dtype: torch.dtype = torch.float64,
    *,
    overwrite: bool = False,
) -> RidgeFactor:
    """Factor ``C + alpha I``, C the covariance of the features.

    Parameters
    ----------
    moments : Moments or FewRows
    alpha : float
        Ridge term, in units of a feature's variance.
    dtype : torch.dtype, default float64
        Precision of the factor; that of few rows is always double.
    overwrite : bool, default False
        Whether the Gram matrix may be lost, whose memory the factor then takes.

    Returns
    -------
    RidgeFactor
    """
    if isinstance(moments, FewRows):
        return ThinFactor(moments, alpha)
    return RidgeFactor(moments, alpha, dtype, overwrite=overwrite)


def covariance(moments: Statistics) -> torch.Tensor:
    """Return the covariance of features and targets, shape (F, d)."""
    mean_y = moments.sum_y / moments.n
    return moments.cross / moments.n - torch.outer(moments.sum_x / moments.n, mean_y)


def ridge(moments: Statistics, factor: RidgeFactor) -> tuple[NDArray[Any], NDArray[Any]]:
    """Solve Eq. 1 with a ridge term and a bias.

    Minimises ``1/n Σ ‖y − θ x − b‖² + alpha ‖θ‖²``; the bias b is not penalised.

    Parameters
    ----------
    moments : Moments or FewRows
        Of features X and targets Y.
    factor : RidgeFactor
        Of the same moments.

    Returns
    -------
    coef : ndarray of float64, shape (d, F)
        θ.
    intercept : ndarray of float64, shape (d,)
        b.
    """
    return _with_intercept(moments, factor, factor.solve(covariance(moments)).double())


def _with_intercept(moments: Statistics, factor: RidgeFactor, coef: torch.Tensor) -> Solution:
    intercept = moments.sum_y / moments.n - factor.mean_x @ coef
    return coef.T.cpu().numpy(), intercept.cpu().numpy()


def solution(moments: Statistics, factor: RidgeFactor, dtype: Any) -> Solution:
    """Solve Eq. 1 as `ridge` does, in a given precision."""
    return solution_of(moments, factor, factor.solve(covariance(moments)).double(), dtype)


def solution_of(
    moments: Statistics, factor: RidgeFactor, theta: torch.Tensor, dtype: Any
) -> Solution:
    """Turn coefficients that are solved for into the solution of Eq. 1.

    Parameters
    ----------
    moments : Moments or FewRows
    factor : RidgeFactor
        Of the same moments: it knows their mean.
    theta : Tensor of float64, shape (F, d)
    dtype : dtype
        Of the solution.

    Returns
    -------
    coef : ndarray, shape (d, F)
    intercept : ndarray, shape (d,)
    """
    coef, intercept = _with_intercept(moments, factor, theta)
    # in C order, as a saved model is read: a product's last bits depend on the layout
    return np.ascontiguousarray(coef, dtype=dtype), intercept.astype(dtype)
