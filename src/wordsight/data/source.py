"""The contract of everything that images can come from."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wordsight.data.class_labels import ClassLabels
from wordsight.data.files import shown
from wordsight.data.part import Part, part_of_file
from wordsight.exceptions import BrokenImageError

__all__ = ["Batch", "BrokenImage", "Item", "Source", "UnreadableSource"]

Item = bytes | NDArray[np.uint8] | BrokenImageError
"""One image as stored: encoded bytes, pixels (h, w, 3), or the reason why it cannot be had."""


@dataclass(frozen=True)
class Batch:
    """Some images of a data set, decoded.

    Attributes
    ----------
    rows : ndarray of int64, shape (b,)
        Where the images stand in the data set.
    images : ndarray of uint8, shape (b, height, width, 3)
        Red, green and blue, 0 to 255.
    labels : ndarray of str, shape (b,), or None
        Class names, where the data set has any.
    """

    rows: NDArray[np.int64]
    images: NDArray[np.uint8]
    labels: NDArray[np.str_] | None


@dataclass(frozen=True)
class BrokenImage:
    """An image that was left out, and why.

    Attributes
    ----------
    row : int
        Where it stands in the data set.
    name : str
        The file, or the row of a table.
    reason : str
        What is wrong with it.
    """

    row: int
    name: str
    reason: str


class Source(ABC):
    """Stored images, in a fixed order, with their labels where there are any.

    Attributes
    ----------
    class_labels : ClassLabels or None
        The class name of each image, as numbers for names.
    class_names : tuple of str
        All class names, in the order of the source, whether or not an image bears them.
    n_ignored : int
        How many files were passed over because they are hidden or not images.
    """

    class_labels: ClassLabels | None
    class_names: tuple[str, ...]
    n_ignored: int = 0

    @cached_property
    def labels(self) -> NDArray[np.str_] | None:
        """The class name of each image, shape (n,), written out when it is asked for."""
        return None if self.class_labels is None else self.class_labels.text()

    @abstractmethod
    def __len__(self) -> int:
        """Count the images."""

    @abstractmethod
    def name(self, row: int) -> str:
        """Name the image of a row as a person would find it: a path, or ``file.parquet#17``."""

    @abstractmethod
    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the images of `rows` in the order given, holding few of them in memory.

        An image that cannot be had is yielded as the error that says why, so that the reader can
        go on with the next one. Increasing rows are read fastest.
        """

    def borders(self) -> NDArray[np.int64]:
        """Return the rows, increasing, where it is cheap to begin: of each file or row group."""
        return np.empty(0, np.int64)

    def part(self, rows: NDArray[np.int64]) -> Part | None:
        """Say how another process finds `rows`; None where it cannot, as with arrays in memory."""
        return None


class UnreadableSource(Source):
    """A file of images that cannot be opened, as one image that cannot be read.

    Parameters
    ----------
    path : str
        The file.
    reason : str
        What is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.class_labels = None
        self.class_names = ()
        self._path = path
        self._reason = reason

    def __len__(self) -> int:
        return 1

    def name(self, row: int) -> str:
        """Name the file."""
        return shown(self._path)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the reason."""
        for _row in rows:
            yield BrokenImageError(shown(self._path), self._reason)

    def part(self, rows: NDArray[np.int64]) -> Part:
        """Say what is wrong, without opening the file again."""
        return part_of_file("unreadable", self._path, 1, rows, reason=self._reason)
