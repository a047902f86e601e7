"""Distances in the space of word vectors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError

__all__ = [
    "check_metric",
    "cosine",
    "directions",
    "means_of",
    "shares_of",
    "similarity",
    "sq_dist",
]


def sq_dist(S: NDArray[Any], W: NDArray[Any]) -> NDArray[np.float64]:
    """Return the squared Euclidean distance of each point to each word vector.

    By differences, not by expanding the square, which cancels where norms are large.

    Parameters
    ----------
    S : ndarray, shape (n, d)
    W : ndarray, shape (C, d)

    Returns
    -------
    ndarray of float64, shape (n, C)
    """
    dist = np.empty((len(S), len(W)))
    for column, word in enumerate(W):
        difference = np.asarray(S - word, dtype=np.float64)
        np.einsum("nd,nd->n", difference, difference, out=dist[:, column])
    return dist


def cosine(S: NDArray[Any], W: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cosine of the angle between each point and each word vector.

    Parameters
    ----------
    S : ndarray, shape (n, d)
    W : ndarray, shape (C, d)

    Returns
    -------
    ndarray of float64, shape (n, C)
        0 where either is all zeros.
    """
    return directions(S) @ directions(W).T


def directions(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Return vectors (n, d) divided by their lengths; all zeros stay so."""
    table = np.asarray(vectors, dtype=np.float64)
    largest = np.abs(table).max(axis=1, keepdims=True, initial=0.0)
    # scaled first: squares of very large or small numbers do not fit a double
    scaled = table / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    unit: NDArray[np.float64] = scaled / np.where(length > 0, length, 1.0)
    return unit


def check_metric(metric: str) -> None:
    """Raise `InputError` for a metric that is neither cosine nor Euclidean."""
    if metric not in ("cosine", "euclidean"):
        raise InputError(f"metric={metric!r} is unknown; choose 'cosine' or 'euclidean'")


def similarity(S: NDArray[Any], W: NDArray[Any], metric: str) -> NDArray[np.float64]:
    """Return the cosine, or minus the Euclidean distance, of each point and each word vector.

    Parameters
    ----------
    S : ndarray, shape (n, d)
    W : ndarray, shape (C, d)
    metric : {"cosine", "euclidean"}

    Returns
    -------
    ndarray of float64, shape (n, C)
        High where they are near.
    """
    return cosine(S, W) if metric == "cosine" else -np.sqrt(sq_dist(S, W))


def shares_of(points: NDArray[Any], words: NDArray[Any]) -> NDArray[np.float64]:
    """Return what mapped points are made of: shares of the seen words that sum to 1.

    The least-squares solution of ``s − w̄ ≈ Σ_c z_c (w_c − w̄)`` with ``Σ_c z_c = 1``, the shortest
    where there are several. A linear map (Eq. 1) takes an image to ``s = Σ_c z_c w_c`` with z the
    ridge regression on one-hot classes: these shares are z again, as long as the words do not
    depend on one another.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    words : ndarray, shape (C, d)
        Of the seen classes.

    Returns
    -------
    ndarray of float64, shape (n, C)
    """
    table = np.asarray(words, dtype=np.float64)
    origin = table.mean(axis=0)
    shares: NDArray[np.float64] = (points - origin) @ np.linalg.pinv(table - origin) + 1.0 / len(
        table
    )
    return shares


def means_of(W: NDArray[np.float64], codes: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """Return the mean of the vectors of each code.

    Parameters
    ----------
    W : ndarray of float64, shape (m, d)
    codes : ndarray of int, shape (m,)
        Each of 0 to n − 1 at least once.
    n : int

    Returns
    -------
    ndarray of float64, shape (n, d)
    """
    means = np.empty((n, W.shape[1]))
    means[codes] = W  # of most codes there is one
    for code in np.flatnonzero(np.bincount(codes, minlength=n) > 1):
        means[code] = W[codes == code].mean(0)
    return means
