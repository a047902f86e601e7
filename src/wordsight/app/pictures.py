"""Images as PNG files, made to be looked at."""

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["PictureCache", "png"]

SMALLEST_WIDTH, LARGEST_SIDE = 96, 512


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode pixels (h, w, 3) to be shown: small ones enlarged without smoothing, large reduced."""
    image = Image.fromarray(pixels)
    if image.width < SMALLEST_WIDTH:
        factor = -(-SMALLEST_WIDTH // image.width)
        if image.height * factor <= 4 * LARGEST_SIDE:
            size = (image.width * factor, image.height * factor)
            image = image.resize(size, Image.Resampling.NEAREST)
    if max(image.size) > LARGEST_SIDE:
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)  # it goes no further than this machine
    return buffer.getvalue()


class PictureCache:
    """Encoded pictures that were asked for lately, with their digests.

    Parameters
    ----------
    make : callable
        Returns the encoded picture of a number.
    most_bytes : int
        Kept in memory.
    """

    def __init__(self, make: Callable[[int], bytes], most_bytes: int = 64_000_000) -> None:
        self._make = make
        self._most = most_bytes
        self._kept: OrderedDict[int, tuple[bytes, str]] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def get(self, number: int) -> tuple[bytes, str]:
        """Return a picture and its digest."""
        with self._lock:
            found = self._kept.get(number)
            if found is not None:
                self._kept.move_to_end(number)
                return found
        encoded = self._make(number)
        made = encoded, hashlib.blake2b(encoded, digest_size=12).hexdigest()
        with self._lock:
            if number not in self._kept:
                self._kept[number] = made
                self._n_bytes += len(encoded)
            while self._n_bytes > self._most and len(self._kept) > 1:
                _number, (dropped, _digest) = self._kept.popitem(last=False)
                self._n_bytes -= len(dropped)
        return made
