"""Data sets cut into shards, which other processes open one by one.

A shard is plain data: where some consecutive rows of a data set are stored. Whoever has it, and can
see the same files, reads those rows with the same names, labels and classes as in the whole,
opening no file that holds none of them and listing no folder.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.data.arrays import open_array_file
from wordsight.data.class_labels import ClassLabels
from wordsight.data.dataset import Dataset
from wordsight.data.files import file_stamp, shown
from wordsight.data.folder import ListedSource
from wordsight.data.part import Part, rows_of_runs, runs_of_rows
from wordsight.data.source import Item, Source, UnreadableSource
from wordsight.exceptions import DataError, InputError

__all__ = ["Shard", "cut"]

_COST_OF_A_SHARD = 1 / 16
"""Of the images of a full one: a smaller shard has to save more than that elsewhere."""


@dataclass(frozen=True)
class Shard(Part):
    """Consecutive rows of a data set, as `cut` makes them; `asdict` gives what JSON can write.

    Attributes
    ----------
    kind, root, given_root, paths, n_stored, rows, labels, details
        As in `Part`.
    first_row : int
        Where its first image stands in the data set.
    n_images : int
        How many images it has.
    class_names : tuple of str
        The classes of the data set.
    """

    first_row: int
    n_images: int
    class_names: tuple[str, ...]

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Shard":
        """Return the shard that `dataclasses.asdict` wrote, also after JSON made lists of tuples.

        Raises
        ------
        DataError
            It is no shard.
        """
        values = {
            name: value if name == "details" else _tuples(value) for name, value in stored.items()
        }
        if values.keys() != {field.name for field in fields(cls)} or values["kind"] not in _OPENERS:
            raise DataError(
                f"{json.dumps(stored, default=str)[:60]} is no shard, expected what another "
                "process wrote of one; cut the data set anew"
            )
        return cls(**values)

    def open(self) -> Dataset:
        """Open the images, in any process that sees the files.

        Returns
        -------
        Dataset
            Row ``i`` is row ``first_row + i`` of the whole, with the same name, label and classes.
            An image that cannot be read keeps its place.

        Raises
        ------
        InputError
            A file is not there.
        DataError
            A file is broken, or holds another number of rows than when the data set was cut.
        """
        source = _OPENERS[self.kind](self)
        if len(source) != self.n_stored:
            raise DataError(
                f"{shown(self.names[0])} or a file of the same shard holds {len(source)} images, "
                f"expected {self.n_stored} as when the data set was cut; cut it anew"
            )
        return Dataset(_Opened(source, self))

    def identity(self) -> str:
        """Digest what the images depend on: the rows, the files, their sizes and times.

        Returns
        -------
        str
            32 hexadecimal digits. They are the same wherever the files lie, and others as soon as a
            file of this shard is written again.
        """
        parts = asdict(self)
        # the files may be seen under another path, and named as one likes
        del parts["root"], parts["given_root"]
        parts["stamps"] = [file_stamp(file) for file in self.files]
        text = json.dumps(parts, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def cut(dataset: Dataset, n_images: int = 4096, *, multiple_of: int = 256) -> list[Shard]:
    """Cut a data set into shards of consecutive rows.

    Every shard but the last holds a multiple of `multiple_of` images, so that batches of that size
    fall as they do in the whole, and sums over batches come out the same to the last bit. Among
    the places where that is so, a cut is made at or soon after a border of the files, a row group
    or an archive, where one is near: what lies between the two is decompressed twice.

    Parameters
    ----------
    dataset : Dataset
        Any images that are stored in files, all of them or some, in any order.
    n_images : int, default 4096
        The most images of a shard. A shard before a border may have down to half as many.
    multiple_of : int, default 256
        Images of a batch.

    Returns
    -------
    list of Shard
        In order, each row in one of them. None where there are no images.

    Raises
    ------
    InputError
        The images are in memory, or a number is out of range.
    """
    if multiple_of < 1 or n_images < multiple_of:
        raise InputError(
            f"n_images={n_images}, multiple_of={multiple_of} were given; expected at least 1 "
            "image in a batch, and at least one batch in a shard"
        )
    most = n_images - n_images % multiple_of
    borders = _borders(dataset)
    shards, start = [], 0
    while start < len(dataset):
        stop = _next_cut(start, len(dataset), most, multiple_of, borders)
        shards.append(_shard(dataset, start, stop))
        start = stop
    return shards


def _borders(dataset: Dataset) -> NDArray[np.int64]:
    """Return the rows of the data set at which another file or row group begins."""
    of_row = np.searchsorted(dataset.source.borders(), dataset.source_rows, side="right")
    return np.flatnonzero(np.diff(of_row)) + 1


def _next_cut(start: int, end: int, most: int, multiple_of: int, borders: NDArray[np.int64]) -> int:
    """Choose the end of the shard that begins at `start`: the one with the least cost an image."""
    if start + most >= end:
        return end
    fewest = -(-most // (2 * multiple_of)) * multiple_of
    sizes = np.arange(fewest, most + 1, multiple_of)
    last = np.searchsorted(borders, start + sizes, side="right")
    # what the next shard has to pass over before its first row
    twice = start + sizes - np.r_[0, borders][last] if borders.size else np.zeros_like(sizes)
    costs = (sizes + twice + _COST_OF_A_SHARD * most) / sizes
    return start + int(sizes[np.flatnonzero(costs == costs.min())[-1]])


def _shard(dataset: Dataset, start: int, stop: int) -> Shard:
    part = dataset.source.part(dataset.source_rows[start:stop])
    if part is None:
        raise InputError(
            "these images are in memory, where no other process can read them; save them in files "
            "(.npy, or a folder of class folders) and open those"
        )
    plain = {field.name: getattr(part, field.name) for field in fields(Part)}
    return Shard(
        **plain, first_row=start, n_images=stop - start, class_names=tuple(dataset.class_names)
    )


class _Opened(Source):
    """The rows of a shard alone, numbered from 0, with their labels."""

    def __init__(self, source: Source, shard: Shard) -> None:
        self._source = source
        self._shard = shard
        self._rows = rows_of_runs(shard.rows)
        self.class_names = shard.class_names
        self.class_labels = None
        if shard.labels is not None:
            self.class_labels = ClassLabels.of_runs(shard.labels)
        elif source.class_labels is not None:
            self.class_labels = source.class_labels.take(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, row: int) -> str:
        return self._source.name(int(self._rows[row]))

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        return self._source.read(self._rows[rows])

    def part(self, rows: NDArray[np.int64]) -> Part:
        labels = self._shard.labels
        if labels is not None and self.class_labels is not None:
            labels = self.class_labels.take(rows).runs()
        return replace(self._shard, rows=runs_of_rows(self._rows[rows]), labels=labels)


def _open_array(part: Part) -> Source:
    (file,) = part.files
    return open_array_file(file, name=shown(part.names[0]), with_labels=False)


def _open_cifar(part: Part) -> Source:
    from wordsight.data.cifar import CifarSource  # noqa: PLC0415

    place = os.path.join(part.root, part.details["path"])  # noqa: PTH118
    return CifarSource(place, part.details["split"])


def _open_parquet(part: Part) -> Source:
    from wordsight.data.parquet import ParquetSource  # noqa: PLC0415 - pyarrow takes long to start

    return ParquetSource.of_part(part)


def _open_webdataset(part: Part) -> Source:
    from wordsight.data.webdataset import WebDatasetSource  # noqa: PLC0415

    return WebDatasetSource.of_part(part)


def _open_unreadable(part: Part) -> Source:
    return UnreadableSource(part.names[0], part.details["reason"])


_OPENERS: dict[str, Callable[[Part], Source]] = {
    "array": _open_array,
    "cifar": _open_cifar,
    "files": ListedSource,
    "parquet": _open_parquet,
    "unreadable": _open_unreadable,
    "webdataset": _open_webdataset,
}


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
