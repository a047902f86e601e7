"""The two inner loops of encoding, compiled by numba: one pass where torch needs several.

Imported only through `wordsight.features.encoding.load_kernels`: numba is an optional dependency
(``pip install 'wordsight[fast]'``), and compiling takes a second.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["add_thresholded", "cut_patches"]

F32 = NDArray[np.float32]


@njit("void(u1[::1], i4[::1], i4[::1], f4[::1], f4, f4[:,::1])", nogil=True, error_model="numpy")
def cut_patches(
    pixels: NDArray[np.uint8],
    corners: NDArray[np.int32],
    within: NDArray[np.int32],
    mean: F32,
    constant: np.float32,
    out: F32,
) -> None:
    """Cut the patches out of an image, normalise their contrast and subtract their mean.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height · width · 3,)
    corners, within : ndarray of int32, shapes (n,) and (p,)
        Of `PatchPlaces`.
    mean : ndarray of float32, shape (p,)
        M of whitening.
    constant : float32
        Added to a patch's variance.
    out : ndarray of float32, shape (n, p)
    """
    size = len(within)
    for i in range(len(corners)):
        corner = corners[i]
        total = 0
        for j in range(size):
            total += pixels[corner + within[j]]
        middle = np.float32(total / size)
        squares = np.float32(0.0)
        for j in range(size):
            value = np.float32(pixels[corner + within[j]]) - middle
            out[i, j] = value
            squares += value * value
        scale = np.float32(1.0) / np.sqrt(squares / np.float32(size - 1) + constant)
        for j in range(size):
            out[i, j] = out[i, j] * scale - mean[j]


@njit("void(f4[:,::1], f4, f4[:,::1])", nogil=True, error_model="numpy")
def add_thresholded(products: F32, threshold: np.float32, sums: F32) -> None:
    """Add to each atom the sums of ``max(0, z − α)`` and of ``max(0, −z − α)`` over patches.

    Four patches at a time, so that the sums are read and written a quarter as often. The
    comparisons are written out since they become one instruction each, as ``max`` does not.

    Parameters
    ----------
    products : ndarray of float32, shape (n, K)
        z.
    threshold : float32
        α.
    sums : ndarray of float32, shape (2, K)
        What is added to.
    """
    positive, negative = sums[0], sums[1]
    alpha, four = threshold, np.float32(4.0)
    n = len(products)
    i = 0
    while i + 4 <= n:
        for k in range(products.shape[1]):
            a, b = products[i, k], products[i + 1, k]
            c, d = products[i + 2, k], products[i + 3, k]
            # max(0, z − α) = max(z, α) − α, and max(0, −z − α) = −min(z, −α) − α
            above = (a if a > alpha else alpha) + (b if b > alpha else alpha)
            above += (c if c > alpha else alpha) + (d if d > alpha else alpha)
            below = (a if a < -alpha else -alpha) + (b if b < -alpha else -alpha)
            below += (c if c < -alpha else -alpha) + (d if d < -alpha else -alpha)
            positive[k] += above - four * alpha
            negative[k] -= below + four * alpha
        i += 4
    while i < n:
        for k in range(products.shape[1]):
            z = products[i, k]
            positive[k] += (z if z > alpha else alpha) - alpha
            negative[k] -= (z if z < -alpha else -alpha) + alpha
        i += 1
