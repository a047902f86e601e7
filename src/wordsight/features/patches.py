"""Patches of images: how they are drawn at random, how contrast is normalised."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.features.images import walk
from wordsight.progress import report

__all__ = ["normalise_contrast", "sample_patches"]


def normalise_contrast(patches: torch.Tensor, constant: float) -> torch.Tensor:
    """Subtract each patch's mean and divide by ``sqrt(variance + constant)``, in place.

    Parameters
    ----------
    patches : Tensor, shape (n, p)
        Pixel values 0 to 255; p = 3 · patch_size².
    constant : float
        In squared pixel values; keeps flat patches from being all noise. The variance divides by
        p − 1 (Coates & Ng 2011).

    Returns
    -------
    Tensor, shape (n, p)
        `patches` itself.
    """
    n_values = patches.shape[1]
    patches -= patches.mean(1, keepdim=True)
    variance = torch.linalg.vecdot(patches, patches) / (n_values - 1)
    patches *= torch.rsqrt(variance + constant)[:, None]
    return patches


def sample_patches(
    images: Any,
    n_patches: int,
    *,
    patch_size: int,
    stride: int,
    image_size: tuple[int, int] | None,
    random_state: np.random.RandomState,
    batch_size: int = 512,
) -> NDArray[np.float32]:
    """Draw patches uniformly over images and positions, with replacement.

    One pass over the images; memory is that of the patches drawn.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3), or ImageSet
    n_patches : int
    patch_size : int
    stride : int
        Pixels between the patches of an image when it is encoded; here it matters only to what
        images are too small.
    image_size : tuple of int, or None
        Height and width the images are asked for.
    random_state : RandomState
    batch_size : int
        Images held at a time.

    Returns
    -------
    ndarray of float32, shape (n_patches, 3 · patch_size²)
        Colour by colour, each row by row, 0 to 255.

    Raises
    ------
    InputError
        Images are smaller than a patch, or there are none.
    """
    n_images = len(images)
    if n_images == 0:
        raise InputError("no images were given to learn features from; expected at least one")
    share = np.bincount(random_state.randint(n_images, size=n_patches), minlength=n_images)
    drawn = np.empty((n_patches, 3 * patch_size**2), dtype=np.float32)
    filled = 0
    for rows, batch in walk(images, image_size, batch_size):
        check_patch_fits(batch.shape[1:3], patch_size, stride)
        which = np.repeat(np.arange(len(rows)), share[rows])
        top = random_state.randint(batch.shape[1] - patch_size + 1, size=len(which))
        left = random_state.randint(batch.shape[2] - patch_size + 1, size=len(which))
        windows = np.lib.stride_tricks.sliding_window_view(batch, (patch_size, patch_size), (1, 2))
        # windows: (b, rows, columns, 3, patch, patch), a view until it is indexed
        drawn[filled : filled + len(which)] = windows[which, top, left].reshape(len(which), -1)
        filled += len(which)
        report("drawing patches", int(rows[-1]) + 1, n_images)
    return drawn[:filled]  # images that were skipped as broken gave none


def check_patch_fits(image_size: tuple[int, ...], patch_size: int, stride: int) -> None:
    """Raise `InputError` where images hold no 2 × 2 grid of patches to pool over."""
    least = patch_size + stride
    if min(image_size) < least:
        raise InputError(
            f"images of {image_size[0]} × {image_size[1]} pixels were given; patches of "
            f"{patch_size} × {patch_size} with stride {stride} need at least {least} × {least}: "
            "use a larger image_size or a smaller patch_size"
        )
