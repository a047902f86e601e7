"""Distances in the space of word vectors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["sq_dist"]


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
