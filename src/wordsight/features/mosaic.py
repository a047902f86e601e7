"""What weights on patch features look like: a mosaic of the patches that weigh most.

Each feature of `PatchFeatures` belongs to an atom, a quadrant of the image and, with the sign
split, a sign. A linear function of the features is then a picture: in each quadrant, the patches
that raise it most.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.exceptions import InputError
from wordsight.features.patch_features import PatchFeatures

__all__ = ["patch_mosaic", "patches_of_features"]

_GREY = 128
_CONTRAST = 127.0
_SEAM = 1


def patches_of_features(features: PatchFeatures) -> NDArray[np.float64]:
    """Return the patch that each value of a quadrant responds to most, as pixels about grey.

    An atom lies in the whitened space; ``atom P⁻¹`` is the patch that whitening takes there. With
    the sign split, the second half of the values responds to its negative.

    Parameters
    ----------
    features : PatchFeatures
        Fitted.

    Returns
    -------
    ndarray of float64, shape (values · K, patch_size, patch_size, 3)
        In the order of the features of one quadrant; the largest absolute value of each is 1, and
        a patch without any contrast stays 0.
    """
    atoms = np.linalg.solve(features.whitener_, features.dictionary_.astype(np.float64).T).T
    if features.encoder == "soft_threshold":
        atoms = np.concatenate([atoms, -atoms])
    side = features.patch_size
    patches = atoms.reshape(-1, 3, side, side).transpose(0, 2, 3, 1)
    largest = np.abs(patches).max(axis=(1, 2, 3), keepdims=True)
    unit: NDArray[np.float64] = patches / np.where(largest > 0, largest, 1.0)
    return unit


def patch_mosaic(
    features: PatchFeatures, weights: ArrayLike, *, tiles: int = 6
) -> NDArray[np.uint8]:
    """Draw a linear function of patch features.

    In each quadrant, laid out as in the image, stand the patches with the greatest positive weight,
    row by row from the greatest on. Their contrast is proportional to the weight: full for the
    greatest of all quadrants, none, which is grey, for those of weight 0 and below.

    Parameters
    ----------
    features : PatchFeatures
        Fitted.
    weights : array-like, shape (F,)
        What an image gains by each standardised feature: by a patch that is there as much more
        than in other images as patches of its kind vary.
    tiles : int, default 6
        Patches along a side of a quadrant.

    Returns
    -------
    ndarray of uint8, shape (side, side, 3)
        ``side = 2 · tiles · patch_size + 1``: a white line parts the quadrants.
    """
    if tiles < 1:
        raise InputError(f"tiles={tiles} patches a side were asked for; ask for 1 or more")
    given: NDArray[Any] = np.asarray(weights, dtype=np.float64)
    if given.shape != features.scale_.shape:
        raise InputError(
            f"weights of shape {given.shape} were given; expected one for each of "
            f"{len(features.scale_)} features"
        )
    of_quadrant = given.reshape(4, -1)
    greatest = max(float(of_quadrant.max()), 0.0) or 1.0
    patches = patches_of_features(features)
    size = tiles * features.patch_size
    picture = np.full((2 * size + _SEAM, 2 * size + _SEAM, 3), 255, dtype=np.uint8)
    for number, weight in enumerate(of_quadrant):
        top, left = (step * (size + _SEAM) for step in divmod(number, 2))
        picture[top : top + size, left : left + size] = _tiled(
            patches, np.maximum(weight, 0.0) / greatest, tiles
        )
    return picture


def _tiled(
    patches: NDArray[np.float64], weight: NDArray[np.float64], tiles: int
) -> NDArray[np.uint8]:
    """Tile one quadrant with its heaviest patches; weights are between 0 and 1."""
    side = patches.shape[1]
    chosen = np.argsort(-weight, kind="stable")[: tiles**2]
    field = np.zeros((tiles**2, side, side, 3))
    field[: len(chosen)] = patches[chosen] * weight[chosen, None, None, None]
    grid = field.reshape(tiles, tiles, side, side, 3).transpose(0, 2, 1, 3, 4)
    pixels = np.rint(_GREY + _CONTRAST * grid.reshape(tiles * side, tiles * side, 3))
    return pixels.astype(np.uint8)
