"""One way to walk over images, whether they are an array or a data set that streams."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError

__all__ = [
    "ImageBatch", "ImageSet", "Images", "as_images", "asked_size", "check_size", "fingerprint",
    "is_images", "job_size", "part_of", "walk",
]  # fmt: skip

_SAMPLED = 64


class ImageBatch(Protocol):
    """Some decoded images and where they stand."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Where the images stand in the set, shape (b,)."""

    @property
    def images(self) -> NDArray[np.uint8]:
        """The pixels, shape (b, height, width, 3)."""


@runtime_checkable
class ImageSet(Protocol):
    """A set of images that yields batches, such as `wordsight.data.dataset.Dataset`."""

    def __len__(self) -> int:
        """Count the images."""

    def batches(
        self, image_size: tuple[int, int] | None, *, size: int = ...
    ) -> Iterator[ImageBatch]:
        """Yield the images in order, decoded to one size."""

    def select(self, rows: NDArray[np.int64]) -> "ImageSet":
        """Return the set of some rows."""


Images = NDArray[np.uint8] | ImageSet


def check_images(images: Any) -> NDArray[np.uint8]:
    """Return an array of images as it is, or say what is wrong with it."""
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise InputError(
            "images of several shapes were given; expected one array (n, height, width, 3)"
        ) from error
    if array.ndim != 4 or array.shape[3] != 3:
        raise InputError(
            f"images of shape {array.shape} were given; expected (n, height, width, 3)"
        )
    if array.dtype != np.uint8:
        raise InputError(
            f"images of type {array.dtype} were given; expected uint8 (0 to 255): "
            "scale and convert them with (255 * images).round().astype('uint8') if they are 0 to 1"
        )
    return array


_whole: ContextVar[int] = ContextVar("wordsight_whole_job", default=0)


@contextmanager
def part_of(n_images: int) -> Iterator[None]:
    """Say that the images in the block are a part of a job of so many.

    How features are computed may depend on how many there are, and with it the last bits: these
    must not depend on how a job was cut up.
    """
    token = _whole.set(n_images)
    try:
        yield
    finally:
        _whole.reset(token)


def job_size(images: Any) -> int:
    """Return how many images there are in the whole job that these belong to."""
    return max(len(images), _whole.get())


def is_images(X: Any) -> bool:
    """Tell images, as an array or a set, from ready features."""
    return getattr(X, "ndim", None) == 4 or (
        isinstance(X, ImageSet) and not isinstance(X, np.ndarray)
    )


def as_images(images: Any) -> Any:
    """Return a set as it is, and anything else as a checked array."""
    if isinstance(images, ImageSet) and not isinstance(images, np.ndarray):
        return images
    return check_images(images)


def asked_size(size: Any) -> tuple[int, int] | None:
    """Return ``image_size=`` of an estimator as height and width, or None where it is None."""
    if size is None:
        return None
    sides = (size, size) if isinstance(size, int | np.integer) else size
    whole = isinstance(sides, tuple | list) and all(
        isinstance(side, int | np.integer) for side in sides
    )
    if not whole or len(sides) != 2:
        raise InputError(
            f"image_size={size!r} was given; expected a whole number, (height, width) or None"
        )
    return int(sides[0]), int(sides[1])


def walk(
    images: Any, image_size: tuple[int, int] | None, size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Yield rows and pixels, `size` images at a time.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3), or an `ImageSet`
    image_size : tuple of int, or None
        Height and width that a set is asked for; an array must already have it.
    size : int
        Images a batch.

    Yields
    ------
    rows : ndarray of int64, shape (b,)
    images : ndarray of uint8, shape (b, height, width, 3)
    """
    images = as_images(images)
    if not isinstance(images, np.ndarray):
        for batch in images.batches(image_size, size=size):
            yield batch.rows, check_size(batch.images, image_size)
        return
    array = check_size(images, image_size)
    for start in range(0, len(array), size):
        part = array[start : start + size]
        yield np.arange(start, start + len(part)), part


def fingerprint(images: Any, image_size: tuple[int, int] | None) -> str:
    """Return a digest that tells one set of images from another.

    Their number and the pixels of 64 of them, evenly spaced, are digested, not all of them: it is
    to catch the wrong folder, not a forger.
    """
    digest = hashlib.sha256(str(len(images)).encode())
    rows = np.unique(np.linspace(0, len(images) - 1, _SAMPLED).astype(np.int64))
    part = images[rows] if isinstance(images, np.ndarray) else images.select(rows)
    for _rows, pixels in walk(part, image_size, _SAMPLED):
        digest.update(str(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def check_size(images: NDArray[np.uint8], image_size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Return the images, or say that they are not of the size expected."""
    if image_size is not None and images.shape[1:3] != image_size:
        raise InputError(
            f"images of {images.shape[1]} × {images.shape[2]} pixels were given; this encoder "
            f"expects {image_size[0]} × {image_size[1]}: resize them, or open them with "
            "open_dataset, which does"
        )
    return images
