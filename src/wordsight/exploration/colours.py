"""Average colours, taken in linear light.

sRGB numbers are not proportional to light: half black and half white look, from afar, like 188, not
like 127. So numbers are brought to linear light (IEC 61966-2-1), averaged, and brought back.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["average_colours", "mean_colour"]


def _linear(srgb: NDArray[Any]) -> NDArray[np.float64]:
    """Return light of sRGB numbers from 0 to 1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


_LIGHT = _linear(np.arange(256) / 255.0).astype(np.float32)


def _to_srgb(light: NDArray[Any]) -> NDArray[np.uint8]:
    """Return sRGB numbers from 0 to 255, rounded, of light from 0 to 1."""
    curved = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    srgb = np.where(light <= 0.0031308, 12.92 * light, curved)
    return np.clip(np.rint(255.0 * srgb), 0, 255).astype(np.uint8)


def average_colours(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the average colour of each of some images.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)

    Returns
    -------
    ndarray of uint8, shape (n, 3)
    """
    return _to_srgb(_LIGHT[images].mean(axis=(1, 2), dtype=np.float64))


def mean_colour(colours: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Return the average of some colours, shape (k, 3): that of images that count alike."""
    red, green, blue = _to_srgb(_LIGHT[colours].mean(axis=0, dtype=np.float64)).tolist()
    return red, green, blue
