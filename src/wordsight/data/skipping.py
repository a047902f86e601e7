"""A data set read as if its broken images were not there, which are noted on the way."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.data.dataset import Dataset
from wordsight.data.source import Batch, BrokenImage

__all__ = ["SkipBroken"]

_T = TypeVar("_T")


class SkipBroken:
    """The images of a data set that can be read.

    Batches keep the rows of the data set, so that what is missing between two rows is broken.

    Parameters
    ----------
    dataset : Dataset
        Any images.
    start : int, default 0
        The row to begin at, where earlier work was left: rows count, and the set is as long, as if
        it began at 0.

    Attributes
    ----------
    broken : list of BrokenImage
        The images left out by the walk that is under way or was the last to end. All that stand
        before a row that was yielded are in it.
    """

    def __init__(self, dataset: Dataset, start: int = 0) -> None:
        self.broken: list[BrokenImage] = []
        self._dataset = dataset
        self._start = start

    def __len__(self) -> int:
        return len(self._dataset)

    def select(self, rows: ArrayLike) -> "SkipBroken":
        """Return the images of some rows, as `Dataset.select` does."""
        return SkipBroken(self._dataset.select(rows))

    def batches(self, image_size: tuple[int, int] | None, *, size: int = 256) -> Iterator[Batch]:
        """Decode the images, `size` at a time, as `Dataset.batches` does."""
        self.broken.clear()
        if not self._start:
            yield from self._dataset.batches(
                image_size, size=size, on_broken="skip", broken=self.broken
            )
            return
        rest = self._dataset.select(np.arange(self._start, len(self)))
        found: list[BrokenImage] = []
        for batch in rest.batches(image_size, size=size, on_broken="skip", broken=found):
            self._note(found)
            yield replace(batch, rows=batch.rows + self._start)
        self._note(found)

    def with_broken(
        self, made: Iterable[tuple[NDArray[np.int64], Iterable[_T]]]
    ) -> Iterator[list[tuple[int, _T] | BrokenImage]]:
        """Put broken images back among what was made of the others.

        Parameters
        ----------
        made : iterable of (ndarray of int64 (b,), iterable)
            Rows and what was made of each, in the batches of one walk over these images.

        Yields
        ------
        list of (int, result) or BrokenImage
            A batch in the order of the set: what is broken before an image that can be read
            belongs to its batch.
        """
        at, n_broken = self._start, 0  # the first row, and the first broken image, not yielded yet
        for rows, results in made:
            batch: list[tuple[int, _T] | BrokenImage] = []
            for row, result in zip(rows.tolist(), results, strict=True):
                batch += self.broken[n_broken : n_broken + row - at]
                n_broken += row - at
                batch.append((row, result))
                at = row + 1
            yield batch
        if at < len(self):
            yield list(self.broken[n_broken:])

    def _note(self, found: list[BrokenImage]) -> None:
        self.broken.extend(replace(one, row=one.row + self._start) for one in found)
        found.clear()
