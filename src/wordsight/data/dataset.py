"""A selection of stored images, decoded in batches that stream.

Memory holds one batch and a few images decoded ahead, however many images there are. Decoding
runs in a few threads, and what comes out does not depend on how many.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.data.class_labels import ClassLabels
from wordsight.data.decoding import check_image_size, decode_item
from wordsight.data.report import DatasetReport, summarise_sizes
from wordsight.data.source import Batch, BrokenImage, Item, Source
from wordsight.data.streaming import map_images
from wordsight.exceptions import BrokenImageError, InputError
from wordsight.progress import report

__all__ = ["Dataset", "OnBroken"]

OnBroken = Literal["error", "skip"]
"""What to do with an image that cannot be read."""

_Pixels = NDArray[np.uint8]


class Dataset:
    """Some of the images of a source, in a fixed order.

    Parameters
    ----------
    source : Source
        Where the images are stored.
    rows : array of int, shape (n,), optional
        Which rows of the source, in which order; all of them by default.
    class_names : sequence of str, optional
        The classes that take part; those of the source by default.

    Attributes
    ----------
    source : Source
        Where the images are stored.
    source_rows : ndarray of int64, shape (n,)
        The row of the source that each image comes from.
    class_labels : ClassLabels or None
        The class name of each image, where there are any, as numbers for names.
    class_names : tuple of str
        The classes that take part, in the order of the source, with or without images.
    """

    def __init__(
        self,
        source: Source,
        rows: ArrayLike | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        self.source = source
        self.source_rows = _checked_rows(rows, len(source))
        self.class_names = source.class_names if class_names is None else tuple(class_names)
        self.class_labels: ClassLabels | None = source.class_labels
        if rows is not None and source.class_labels is not None:
            self.class_labels = source.class_labels.take(self.source_rows)

    def __len__(self) -> int:
        return len(self.source_rows)

    def __repr__(self) -> str:
        return f"<Dataset: {len(self)} images, {len(self.class_names)} classes>"

    @cached_property
    def labels(self) -> NDArray[np.str_] | None:
        """The class name of each image, shape (n,), or None where there are none.

        It is written out when it is asked for, and kept: `label` and `class_labels` are for images
        by the million.
        """
        return None if self.class_labels is None else self.class_labels.text()

    def label(self, row: int) -> str | None:
        """Return the class name of the image of a row, where there are any."""
        return None if self.class_labels is None else self.class_labels[row]

    def name(self, row: int) -> str:
        """Name the image of a row as a person would find it."""
        return self.source.name(int(self.source_rows[row]))

    @property
    def names(self) -> list[str]:
        """The names of all images."""
        return [self.source.name(int(row)) for row in self.source_rows]

    def select(self, rows: ArrayLike) -> "Dataset":
        """Return the images of `rows`: indices into this data set, or one bool for each image."""
        chosen = np.asarray(rows)
        if chosen.dtype == np.bool_:
            if chosen.shape != (len(self),):
                raise InputError(
                    f"a mask of shape {chosen.shape} was given for {len(self)} images; give one "
                    "flag for each"
                )
            chosen = np.flatnonzero(chosen)
        return Dataset(
            self.source, self.source_rows[_checked_rows(chosen, len(self))], self.class_names
        )

    def only_classes(self, names: Sequence[str]) -> "Dataset":
        """Return the images of the classes named; a class that is not here is an `InputError`."""
        wanted = self._checked_classes(names)
        assert self.class_labels is not None
        kept = tuple(name for name in self.class_names if name in wanted)
        rows = self.source_rows[self.class_labels.among(kept)]
        return Dataset(self.source, rows, kept)

    def without_classes(self, names: Sequence[str]) -> "Dataset":
        """Leave out every image of the classes named; one that is not here is an `InputError`."""
        unwanted = self._checked_classes(names)
        return self.only_classes([name for name in self.class_names if name not in unwanted])

    def class_counts(self) -> dict[str, int]:
        """Count the images of each class, in the order of `class_names`; empty without labels."""
        if self.class_labels is None:
            return {}
        of_class = self.class_labels.counts()
        return {name: of_class.get(name, 0) for name in self.class_names}

    def batches(
        self,
        image_size: tuple[int, int] | None,
        *,
        size: int = 256,
        on_broken: OnBroken = "error",
        broken: list[BrokenImage] | None = None,
        n_threads: int | None = None,
    ) -> Iterator[Batch]:
        """Decode the images, `size` at a time, in order.

        Parameters
        ----------
        image_size : (int, int) or None
            Height and width that images are brought to. None leaves them as they are, which
            requires the images of a batch to be of one size.
        size : int, default 256
            Images in a batch; the last one may hold fewer.
        on_broken : {"error", "skip"}, default "error"
            Whether an image that cannot be read stops the work or is left out.
        broken : list of BrokenImage, optional
            With "skip", what was left out is appended here.
        n_threads : int, optional
            Threads that decode; as many as there are processors, up to 8, by default. The batches
            do not depend on it.

        Yields
        ------
        Batch
            `rows` are indices into this data set.

        Raises
        ------
        BrokenImageError
            An image cannot be read, and `on_broken` is "error".
        InputError
            An option is wrong, or images of several sizes meet with `image_size` None.
        """
        check_image_size(image_size)
        if on_broken not in ("error", "skip"):
            raise InputError(f"on_broken is {on_broken!r}; give 'error' or 'skip'")
        if size < 1 or (n_threads is not None and n_threads < 1):
            raise InputError(
                f"size={size}, n_threads={n_threads} were given; expected at least 1 of both"
            )
        decoded = map_images(
            lambda item, name: decode_item(item, image_size, name), self._items(), n_threads
        )
        return self._collect(_sound(decoded, on_broken, broken), size)

    def _collect(self, decoded: Generator[tuple[int, _Pixels]], size: int) -> Iterator[Batch]:
        """Stack `size` images at a time."""
        rows: list[int] = []
        images: list[_Pixels] = []
        with closing(decoded):
            for row, pixels in decoded:
                if images and pixels.shape != images[0].shape:
                    raise self._sizes_differ(row, pixels.shape, rows[0], images[0].shape)
                rows.append(row)
                images.append(pixels)
                if len(rows) == size:
                    yield self._batch(rows, images)
                    rows, images = [], []
        if rows:
            yield self._batch(rows, images)

    def _batch(self, rows: list[int], images: list[_Pixels]) -> Batch:
        index = np.array(rows, dtype=np.int64)
        return Batch(index, np.stack(images), self._labels_of(index))

    def _labels_of(self, rows: NDArray[np.int64]) -> NDArray[np.str_] | None:
        return None if self.class_labels is None else self.class_labels.take(rows).text()

    def images(
        self,
        image_size: tuple[int, int] | None,
        *,
        on_broken: OnBroken = "error",
        broken: list[BrokenImage] | None = None,
        n_threads: int | None = None,
    ) -> Batch:
        """Decode everything into one `Batch`, for sets that fit into memory.

        The parameters and errors are those of `batches`; `rows` tells which images are there
        when some were skipped.
        """
        parts = self.batches(image_size, on_broken=on_broken, broken=broken, n_threads=n_threads)
        images: _Pixels | None = None
        rows: list[NDArray[np.int64]] = []
        n_done = 0
        for part in parts:
            if images is None:  # filled as it comes, so that no second copy is ever held
                images = np.empty((len(self), *part.images.shape[1:]), dtype=np.uint8)
            if part.images.shape[1:] != images.shape[1:]:
                found, first = part.images.shape[1:], images.shape[1:]
                raise self._sizes_differ(int(part.rows[0]), found, int(rows[0][0]), first)
            images[n_done : n_done + len(part.rows)] = part.images
            n_done += len(part.rows)
            rows.append(part.rows)
        if images is None:
            images = np.empty((0, *(image_size or (0, 0)), 3), dtype=np.uint8)
        index = np.concatenate([np.empty(0, dtype=np.int64), *rows])
        return Batch(index, images[:n_done], self._labels_of(index))

    def intact(self, image_size: tuple[int, int] | None) -> tuple["Dataset", list[BrokenImage]]:
        """Leave out the images that cannot be read, which takes one pass over all of them.

        Parameters
        ----------
        image_size : (int, int) or None
            Height and width that the images will be brought to.

        Returns
        -------
        Dataset
            The others, in the same order; this data set itself where nothing is broken.
        list of BrokenImage
            What was left out, with its row in this data set.
        """
        check_image_size(image_size)
        broken: list[BrokenImage] = []
        # the pixels are dropped at once: only whether there are any is of interest
        found = map_images(
            lambda item, name: decode_item(item, image_size, name).size, self._items()
        )
        for row, size in found:
            if isinstance(size, BrokenImageError):
                broken.append(BrokenImage(row, size.name, size.reason))
            report("checking the images", row + 1, len(self))
        if not broken:
            return self, broken
        return self.select(np.setdiff1d(np.arange(len(self)), [one.row for one in broken])), broken

    def inspect(self, on_progress: Callable[[int, int], None] | None = None) -> DatasetReport:
        """Decode every image once and say what there is: classes, sizes, what is broken.

        Parameters
        ----------
        on_progress : callable (done, total), optional
            Called after each image.

        Returns
        -------
        DatasetReport
            Counts, sizes and broken images.
        """
        sizes: Counter[tuple[int, int]] = Counter()
        broken: list[BrokenImage] = []
        measured = map_images(
            lambda item, name: decode_item(item, None, name).shape[:2], self._items()
        )
        for n_done, (row, shape) in enumerate(measured, start=1):
            if isinstance(shape, BrokenImageError):
                broken.append(BrokenImage(row, shape.name, shape.reason))
            else:
                sizes[shape[0], shape[1]] += 1
            if on_progress is not None:
                on_progress(n_done, len(self))
        return DatasetReport(
            n_images=len(self),
            class_counts=self.class_counts(),
            heights=summarise_sizes(sizes, axis=0),
            widths=summarise_sizes(sizes, axis=1),
            broken=tuple(broken),
            n_ignored=self.source.n_ignored,
        )

    def _items(self) -> Iterator[tuple[Item, str]]:
        """Yield the images as stored, with their names."""
        for row, item in enumerate(self.source.read(self.source_rows)):
            yield item, self.name(row)

    def _checked_classes(self, names: Sequence[str]) -> set[str]:
        """Return the names as a set; they must be classes of this data set."""
        if isinstance(names, str):
            raise InputError(
                f"class names come as a list, but {names!r} is one string; give [{names!r}]"
            )
        if self.class_labels is None:
            raise InputError(
                "classes cannot be chosen, since these images have no labels; leave them out, or "
                "open images that have"
            )
        for name in names:
            if name not in self.class_names:
                near = difflib.get_close_matches(str(name), self.class_names, n=3)
                hint = f"near: {', '.join(near)}" if near else _listed(self.class_names)
                raise InputError(f"no class {name!r} in the data; {hint}")
        return set(names)

    def _sizes_differ(
        self, row: int, shape: tuple[int, ...], first_row: int, first: tuple[int, ...]
    ) -> InputError:
        return InputError(
            f"{self.name(row)} has {shape[0]}×{shape[1]} pixels and {self.name(first_row)} "
            f"{first[0]}×{first[1]}; images of several sizes need one to be brought to: give "
            "image_size=(height, width)"
        )


def _checked_rows(rows: ArrayLike | None, n_images: int) -> NDArray[np.int64]:
    """Return row numbers as int64, every one of them there."""
    if rows is None:
        return np.arange(n_images, dtype=np.int64)
    index = np.asarray(rows)
    if index.size == 0:
        return np.empty(0, dtype=np.int64)
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise InputError(
            f"rows of type {index.dtype} and shape {index.shape} were given; give whole numbers "
            "in one dimension"
        )
    if index.min() < 0 or index.max() >= n_images:
        raise InputError(
            f"rows from {index.min()} to {index.max()} were asked for; there are {n_images} "
            f"images: ask for rows from 0 to {n_images - 1}"
        )
    return index.astype(np.int64)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return f"there are: {shown}{', …' if len(names) > 10 else ''}"


def _sound(
    decoded: Generator[tuple[int, _Pixels | BrokenImageError]],
    on_broken: OnBroken,
    broken: list[BrokenImage] | None,
) -> Generator[tuple[int, _Pixels]]:
    """Let sound images pass; raise or note the others."""
    with closing(decoded):  # its threads end with the work, not when the error is forgotten
        for row, pixels in decoded:
            if not isinstance(pixels, BrokenImageError):
                yield row, pixels
            elif on_broken == "error":
                raise pixels
            elif broken is not None:
                broken.append(BrokenImage(row, pixels.name, pixels.reason))
