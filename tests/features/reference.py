"""Coates & Ng's features, written as the text reads: one patch at a time, in double precision.

Source: Coates & Ng, "The Importance of Encoding Versus Training with Sparse Coding and Vector
Quantization", ICML 2011; Coates, Lee & Ng, AISTATS 2011, for k-means and the triangle. It shares
nothing with the library, folds nothing and saves nothing: it is what the library is held to, as
nearly as single precision lets it (`pooled_rounding`).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNIT = 2.0**-24
"""Half a unit in the last place of 1 in single precision: what one rounding costs at most."""


def patches_of(image: NDArray[np.uint8], size: int, stride: int) -> list[list[Array]]:
    """Cut out every patch of an image (height, width, 3): rows of patches, colour by colour."""
    height, width, _ = image.shape
    rows = []
    for top in range(0, height - size + 1, stride):
        row = []
        for left in range(0, width - size + 1, stride):
            values = [
                float(image[top + y, left + x, colour])
                for colour in range(3)
                for y in range(size)
                for x in range(size)
            ]
            row.append(np.array(values))
        rows.append(row)
    return rows


def normalise_contrast(patch: Array, constant: float) -> Array:
    """Subtract the patch's mean, divide by sqrt(variance + constant), variance with n − 1."""
    mean = patch.sum() / len(patch)
    variance = ((patch - mean) ** 2).sum() / (len(patch) - 1)
    result: Array = (patch - mean) / math.sqrt(variance + constant)
    return result


def zca(patches: Array, constant: float) -> tuple[Array, Array]:
    """Return the mean M and P = V diag((D + constant)^-1/2) Vᵀ of patches (n, p)."""
    mean = patches.mean(axis=0)
    D, V = np.linalg.eigh(np.cov(patches, rowvar=False))
    return mean, V @ np.diag((D + constant) ** -0.5) @ V.T


def whiten(patch: Array, mean: Array, whitener: Array) -> Array:
    """Return (p − M) P."""
    return (patch - mean) @ whitener


def omp1_step(patches: Array, atoms: Array) -> tuple[Array, list[int]]:
    """Assign each patch to its atom, sum them weighted by the product, renormalise.

    Returns the new atoms and how many patches each got; an atom without a patch is zero.
    """
    new = np.zeros_like(atoms)
    counts = [0] * len(atoms)
    for patch in patches:
        products = atoms @ patch
        best = int(np.argmax(np.abs(products)))
        new[best] += products[best] * patch
        counts[best] += 1
    for k in range(len(atoms)):
        if counts[k]:
            new[k] /= np.linalg.norm(new[k])
    return new, counts


def omp1_objective(patches: Array, atoms: Array) -> float:
    """Return Σ ‖p − s d‖² with the best atom d of each patch and the best s for it."""
    total = 0.0
    for patch in patches:
        products = atoms @ patch
        best = int(np.argmax(np.abs(products)))
        total += float(((patch - products[best] * atoms[best]) ** 2).sum())
    return total


def kmeans_step(patches: Array, centroids: Array) -> tuple[Array, list[int]]:
    """Assign each patch to the nearest centroid and return the means of the groups."""
    groups: list[list[Array]] = [[] for _ in centroids]
    for patch in patches:
        groups[int(np.argmin(((centroids - patch) ** 2).sum(axis=1)))].append(patch)
    means = [np.mean(group, axis=0) if group else np.zeros(patches.shape[1]) for group in groups]
    return np.array(means), [len(group) for group in groups]


def soft_threshold(patch: Array, atoms: Array, threshold: float) -> Array:
    """Return max(0, z − α) of every atom, then max(0, −z − α) of every atom."""
    z = atoms @ patch
    return np.concatenate([np.maximum(0, z - threshold), np.maximum(0, -z - threshold)])


def triangle(patch: Array, atoms: Array) -> Array:
    """Return max(0, mean distance − distance) of every atom."""
    distances = np.sqrt(((atoms - patch) ** 2).sum(axis=1))
    result: Array = np.maximum(0, distances.mean() - distances)
    return result


def soft_threshold_rounding(patch: Array, atoms: Array, threshold: float) -> Array:
    """Return how far single precision may take each value of `soft_threshold`.

    A product of vectors of p numbers, summed in whatever order, is off by √p units of the product
    of their lengths (Higham & Mary, SIAM J. Sci. Comput. 41, 2019), and by three more that have
    gone into the patch: its mean, its deviation, the mean patch.
    """
    off = (math.sqrt(len(patch)) + 3) * UNIT * np.linalg.norm(patch) * np.linalg.norm(atoms, axis=1)
    z = atoms @ patch
    return np.concatenate([off * (z > threshold - off), off * (-z > threshold - off)])


def triangle_rounding(patch: Array, atoms: Array) -> Array:
    """Return how far single precision may take each value of `triangle`.

    d² = ‖p‖² + ‖a‖² − 2 p·a is off by δ = 2 (√p + 3) units of ‖p‖² + ‖a‖², as of products above.
    Its root then is off by about δ / 2d, at most δ / d; and where a patch is an atom, so that
    nothing is left of d² but δ, by √δ.
    """
    distances = np.sqrt(((atoms - patch) ** 2).sum(axis=1))
    lengths = patch @ patch + (atoms**2).sum(axis=1)
    delta = 2 * (math.sqrt(len(patch)) + 3) * UNIT * lengths
    off = delta / np.maximum(distances, np.sqrt(delta))
    off += off.mean()  # of the mean distance
    result: Array = off * (distances.mean() - distances > -off)
    return result


def pool(codes: list[list[Array]]) -> Array:
    """Sum the codes over the four quadrants; the upper and the left one are the larger."""
    n_rows, n_columns = len(codes), len(codes[0])
    sums = np.zeros((2, 2, len(codes[0][0])))
    for row in range(n_rows):
        for column in range(n_columns):
            lower = 0 if row < math.ceil(n_rows / 2) else 1
            right = 0 if column < math.ceil(n_columns / 2) else 1
            sums[lower, right] += codes[row][column]
    return sums.reshape(-1)


def coded(
    image: NDArray[np.uint8],
    code: Callable[[Array], Array],
    mean: Array,
    whitener: Array,
    patch_size: int,
    stride: int,
    contrast_constant: float,
) -> list[list[Array]]:
    """Return the code of every patch of an image, normalised and whitened."""
    return [
        [code(whiten(normalise_contrast(raw, contrast_constant), mean, whitener)) for raw in row]
        for row in patches_of(image, patch_size, stride)
    ]


def pooled_features(
    image: NDArray[np.uint8],
    atoms: Array,
    mean: Array,
    whitener: Array,
    *,
    patch_size: int = 6,
    stride: int = 1,
    contrast_constant: float = 10.0,
    encoder: str = "soft_threshold",
    threshold: float = 0.25,
) -> Array:
    """Encode and pool one image; not yet standardised."""

    def code(patch: Array) -> Array:
        if encoder == "soft_threshold":
            return soft_threshold(patch, atoms, threshold)
        return triangle(patch, atoms)

    return pool(coded(image, code, mean, whitener, patch_size, stride, contrast_constant))


def pooled_rounding(
    image: NDArray[np.uint8],
    atoms: Array,
    mean: Array,
    whitener: Array,
    *,
    patch_size: int = 6,
    stride: int = 1,
    contrast_constant: float = 10.0,
    encoder: str = "soft_threshold",
    threshold: float = 0.25,
) -> Array:
    """Return how far single precision may take each of `pooled_features`.

    The roundings of different patches are independent: their squares add up. (Not where patches
    are the same, as those of a flat image are.)
    """

    def code(patch: Array) -> Array:
        if encoder == "soft_threshold":
            return soft_threshold_rounding(patch, atoms, threshold) ** 2
        return triangle_rounding(patch, atoms) ** 2

    squares = pool(coded(image, code, mean, whitener, patch_size, stride, contrast_constant))
    result: Array = np.sqrt(squares)
    return result


def standardise(X: Array, mean: Array, variance: Array, constant: float) -> Array:
    """Subtract the training mean, divide by sqrt(training variance + constant)."""
    result: Array = (X - mean) / np.sqrt(variance + constant)
    return result
