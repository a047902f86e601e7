"""ZCA whitening: decorrelate the values of a patch while changing it as little as possible."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["zca"]


def zca(
    mean: NDArray[np.float64], covariance: NDArray[np.float64], constant: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean M and the symmetric matrix P of ``whitened = (p − M) P``.

    ``P = V diag((D + constant)^-1/2) Vᵀ`` for the covariance ``V diag(D) Vᵀ`` (Coates & Ng 2011).

    Parameters
    ----------
    mean : ndarray, shape (p,)
        Mean of the contrast-normalised patches.
    covariance : ndarray, shape (p, p)
        Their covariance, divided by n − 1.
    constant : float
        Keeps directions that hardly vary from being amplified without bound.

    Returns
    -------
    mean : ndarray, shape (p,)
    whitener : ndarray, shape (p, p)
    """
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    scale = 1.0 / np.sqrt(np.maximum(eigenvalues, 0.0) + constant)
    return mean, (eigenvectors * scale) @ eigenvectors.T
