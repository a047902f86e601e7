"""Distances in the space of word vectors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cosine", "directions", "sq_dist"]


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
