"""Where the pixels of patches lie in an image, and which quadrant each patch belongs to."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["PatchPlaces", "halves", "patch_places", "quadrants"]


def halves(n: int) -> tuple[slice, slice]:
    """Cut n places in two, the first half the larger (27 = 14 + 13)."""
    middle = (n + 1) // 2
    return slice(0, middle), slice(middle, n)


def quadrants(n_rows: int, n_columns: int) -> list[tuple[slice, slice]]:
    """Return the four quadrants of a grid: upper left, upper right, lower left, lower right."""
    return [(rows, columns) for rows in halves(n_rows) for columns in halves(n_columns)]


@dataclass(frozen=True)
class PatchPlaces:
    """Places of all patches in the memory of one image of shape (height, width, 3).

    Patches stand quadrant by quadrant; the values of a patch colour by colour, each row by row.

    Attributes
    ----------
    corners : ndarray of int32, shape (n,)
        The place of each patch's upper left pixel.
    within : ndarray of int32, shape (p,)
        From there to each of its values.
    quadrants : tuple of slice
        Which patches belong to each of the four.
    """

    corners: NDArray[np.int32]
    within: NDArray[np.int32]
    quadrants: tuple[slice, ...]

    @cached_property
    def index(self) -> torch.Tensor:
        """Places of all values of all patches, int64, shape (n, p)."""
        places = self.corners[:, None].astype(np.int64) + self.within
        return torch.from_numpy(places)


@lru_cache(maxsize=16)
def patch_places(height: int, width: int, patch_size: int, stride: int) -> PatchPlaces:
    """Find the places of the patches of images of one size.

    Parameters
    ----------
    height, width : int
        Of the images.
    patch_size : int
        Pixels along a side.
    stride : int
        Pixels between neighbouring patches.

    Returns
    -------
    PatchPlaces
    """
    pixels = np.arange(height * width * 3, dtype=np.int32).reshape(height, width, 3)
    first = pixels[: height - patch_size + 1 : stride, : width - patch_size + 1 : stride, 0]
    parts = [first[cut].ravel() for cut in quadrants(*first.shape)]
    ends = np.cumsum([0, *map(len, parts)]).tolist()
    return PatchPlaces(
        corners=np.concatenate(parts),
        within=pixels[:patch_size, :patch_size].transpose(2, 0, 1).ravel(),
        quadrants=tuple(map(slice, ends[:-1], ends[1:])),
    )
