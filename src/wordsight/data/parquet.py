"""Images in parquet files, laid out as on the Hugging Face hub."""

import os
import unicodedata
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wordsight.data.class_labels import ClassLabels
from wordsight.data.parquet_columns import Columns, choose_columns
from wordsight.data.parquet_files import files_by_split, is_parquet, splits
from wordsight.data.part import Part, absolute_root, runs_of_rows
from wordsight.data.source import Item, Source
from wordsight.exceptions import BrokenImageError, DataError, InputError, WordsightError

__all__ = ["ParquetSource", "is_parquet", "opened_parquet", "splits"]

_BATCH_BYTES = 8 << 20  # encoded images decoded from the file at once
_WINDOW_BYTES = 64 << 20  # encoded images held to bring them into another order
_LONGEST_CLASS_NAME = 200


class ParquetSource(Source):
    """Images of one split, or of all, in parquet files.

    The images are a column of struct<bytes, path>, the labels a column of integers or strings;
    which ones, and the names of the classes, is told by the ``huggingface`` metadata of the
    schema, and without it by the shape and the names of the columns. Among several label columns
    ``fine_label`` and then ``label`` is taken. Integers without class names become their decimal
    strings. Labels that are all missing (null, or the hub's -1) count as no labels.

    Labels are read at once, images as they are asked for: at any time a few megabytes of encoded
    images are held (64 where `read` is asked for rows that do not increase), but never less than
    one page of the file.

    Parameters
    ----------
    path : path-like
        A parquet file, or a folder of them.
    split : str or None
        One of `splits`; None takes all files, one split after the other.

    Raises
    ------
    InputError
        There is no such path or split, or the folder holds several data sets.
    DataError
        A file is truncated, corrupt or not parquet, has no images, has labels that are not
        classes, or differs from the others in its columns or classes.
    """

    def __init__(self, path: str | os.PathLike[str], split: str | None = None) -> None:
        root = Path(path)
        found = files_by_split(root)
        files = [file for name, file in found if split in (None, name)]
        if not files:
            known = ", ".join(splits(root)) or "none; read it without naming a split"
            raise InputError(f"{root} has no split {split!r}; its splits are: {known}")
        self._hold(root if root.is_dir() else root.parent, *_survey(files))

    @classmethod
    def of_part(cls, part: Part) -> "ParquetSource":
        """Open the row groups that a part names, and nothing else of their files.

        Parameters
        ----------
        part : Part
            What `part` told of a source, perhaps in another process.

        Raises
        ------
        DataError
            The files are not what they were.
        """
        columns, groups = _survey(list(map(Path, part.files)))
        wanted = dict(zip(map(Path, part.files), part.details["groups"], strict=True))
        source = cls.__new__(cls)
        kept = [group for group in groups if group.number in wanted[group.path]]
        source._hold(Path(part.root), columns, kept)
        return source

    def _hold(self, root: Path, columns: Columns, groups: list["_RowGroup"]) -> None:
        self._root, self._columns, self._groups = root, columns, groups
        lengths = [group.n_rows for group in groups]
        self._starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
        # once for each file, as every image is named: paths are slow
        self._shown = {one.path: one.path.relative_to(root).as_posix() for one in groups}
        self.class_labels, self.class_names = self._read_labels()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def name(self, row: int) -> str:
        """Name a row by its file and its place in that file: ``file.parquet#17``."""
        number = int(np.searchsorted(self._starts[1:], row, side="right"))
        group = self._groups[number]
        return f"{self._shown[group.path]}#{row - int(self._starts[number]) + group.first_row}"

    def borders(self) -> NDArray[np.int64]:
        """Return where each row group begins."""
        return self._starts[:-1]

    def part(self, rows: NDArray[np.int64]) -> Part:
        """Name the row groups that hold `rows`."""
        of_row = np.searchsorted(self._starts[1:], rows, side="right")
        numbers, place = np.unique(of_row, return_inverse=True)
        groups = [self._groups[number] for number in numbers.tolist()]
        ends = np.cumsum([group.n_rows for group in groups])
        within = rows - self._starts[of_row] + np.r_[0, ends[:-1]][place]
        chosen: dict[Path, list[int]] = {}
        for group in groups:
            chosen.setdefault(group.path, []).append(group.number)
        return Part(
            kind="parquet",
            root=absolute_root(os.path.join(self._root, "")),  # noqa: PTH118 - ends with a slash
            given_root=os.path.join(self._root, ""),  # noqa: PTH118
            paths=tuple(self._shown[path] for path in chosen),
            n_stored=int(ends[-1]),
            rows=runs_of_rows(within),
            labels=None,
            details={"groups": list(chosen.values())},
        )

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the encoded images of `rows` in the order given.

        Rows that do not decrease are streamed, row group by row group. Others are read in windows
        of about 64 MB, each of which goes through the files once.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise InputError(
                f"rows {rows.min()} to {rows.max()} are asked for, of {len(self)} rows; ask for "
                f"rows from 0 to {len(self) - 1}"
            )
        for place, data in enumerate(self._in_order(rows)):
            if data is None:
                yield BrokenImageError(self.name(int(rows[place])), "its bytes are missing")
            else:
                yield data

    def _in_order(self, rows: NDArray[np.int64]) -> Iterator[bytes | None]:
        if np.all(rows[1:] >= rows[:-1]):
            yield from self._stream(rows)
            return
        mean = max(1, sum(group.n_bytes for group in self._groups) // len(self))
        window = max(1, _WINDOW_BYTES // mean)
        for first in range(0, len(rows), window):
            some = rows[first : first + window]
            order = np.argsort(some, kind="stable")
            held: list[bytes | None] = [None] * len(some)
            for where, data in zip(order.tolist(), self._stream(some[order]), strict=True):
                held[where] = data
            yield from held

    def _stream(self, rows: NDArray[np.int64]) -> Iterator[bytes | None]:
        """Yield the bytes of `rows`, which do not decrease."""
        cuts = pairwise(np.searchsorted(rows, self._starts).tolist())
        pieces = ((number, cut) for number, cut in enumerate(cuts) if cut[0] < cut[1])
        for path, in_file in groupby(pieces, key=lambda piece: self._groups[piece[0]].path):
            with opened_parquet(path) as file:
                for number, (start, stop) in in_file:
                    wanted = rows[start:stop] - self._starts[number]
                    yield from self._groups[number].stream(file, self._columns.image, wanted)

    def _read_labels(self) -> tuple[ClassLabels | None, tuple[str, ...]]:
        """Return the class name of each row and all class names."""
        known = self._columns.class_names
        if self._columns.label is None:
            return None, ()
        numbers: dict[object, int] = {}  # each label as stored, in the order of appearance
        firsts: list[int] = []  # and the row of its first appearance
        codes = array("I")
        label = self._columns.label
        for path, groups in groupby(self._groups, key=lambda group: group.path):
            chosen = [group.number for group in groups]
            with opened_parquet(path) as file:
                for batch in file.iter_batches(
                    row_groups=chosen, columns=[label], use_threads=False
                ):
                    for value in batch.column(0).to_pylist():
                        code = numbers.setdefault(value, len(numbers))
                        if code == len(firsts):
                            firsts.append(len(codes))
                        codes.append(code)
        if len(codes) != len(self):
            raise DataError(
                f"{self._groups[0].path} or a file beside it has {len(codes)} labels, and its row "
                f"groups say {len(self)} rows; it is corrupt: get it again"
            )
        if numbers and all(_is_missing(value, known) for value in numbers):
            return None, known or ()
        names = list(map(self._class_name, numbers, firsts))
        ordered = (str(value) for value in sorted(numbers, key=_integers_then_strings))
        classes = known or tuple(
            dict.fromkeys(unicodedata.normalize("NFC", one) for one in ordered)
        )
        return ClassLabels.coded(names, codes), classes

    def _class_name(self, value: object, row: int) -> str:
        """Turn a label as stored into a class name; `row` is one that bears it."""
        known = self._columns.class_names
        at = self.name(row)
        if _is_missing(value, known):
            raise DataError(f"{at} has no label, while other rows have; add it or remove the row")
        if known is not None and isinstance(value, int):
            if not 0 <= value < len(known):
                raise DataError(
                    f"{at} has the label {value}, expected 0 to {len(known) - 1}, since the "
                    f"metadata names {len(known)} classes; mend the labels or the metadata"
                )
            return known[value]
        name = unicodedata.normalize("NFC", str(value))
        if not name or "\0" in name or len(name) > _LONGEST_CLASS_NAME:
            raise DataError(
                f"{at} has the label {name[:40]!r}, expected a class name of 1 to "
                f"{_LONGEST_CLASS_NAME} characters; mend column {self._columns.label!r}"
            )
        if known is not None and name not in known:
            raise DataError(
                f"{at} has the label {name!r}, which is not among the {len(known)} classes that "
                "the metadata names; mend the labels or the metadata"
            )
        return name


@dataclass(frozen=True)
class _RowGroup:
    """A row group of a file: its number and first row there, its rows, its bytes unpacked."""

    path: Path
    number: int
    first_row: int
    n_rows: int
    n_bytes: int

    def stream(
        self, file: pq.ParquetFile, column: str, rows: NDArray[np.int64]
    ) -> Iterator[bytes | None]:
        """Yield the bytes of `rows` of this group, which do not decrease, a batch at a time."""
        mean = max(1, self.n_bytes // max(1, self.n_rows))
        size = int(np.clip(_BATCH_BYTES // mean, 1, 1024))
        start = done = 0
        # only the bytes of the struct: its path is of the machine that wrote the file
        for batch in file.iter_batches(
            size, row_groups=[self.number], columns=[f"{column}.bytes"], use_threads=False
        ):
            images = batch.column(0)
            stop = int(np.searchsorted(rows, start + len(images)))
            for row in rows[done:stop].tolist():
                yield _bytes_of(images[row - start].as_py())
            start, done = start + len(images), stop
            if done == len(rows):
                return
        raise DataError(
            f"{self.path} ends after {start} rows of a row group of {self.n_rows}; get it again"
        )


def _survey(files: list[Path]) -> tuple[Columns, list[_RowGroup]]:
    """Find the columns, which must be the same in all files, and all row groups."""
    columns: Columns | None = None
    groups: list[_RowGroup] = []
    for path in files:
        with opened_parquet(path) as file:
            mine = choose_columns(file.schema_arrow, path)
            columns = columns or mine
            if mine != columns:
                raise DataError(
                    f"{path} has other image or label columns, or other class names, than "
                    f"{files[0]}, expected the same in all files; keep data sets in folders of "
                    "their own"
                )
            groups.extend(_row_groups(file, path))
    if columns is None:
        raise InputError("no parquet file is given, expected at least one")
    return columns, groups


def _row_groups(file: pq.ParquetFile, path: Path) -> Iterator[_RowGroup]:
    first_row = 0
    for number in range(file.num_row_groups):
        # the size of all columns: asking for one column's ends the process if its entry is corrupt
        group = file.metadata.row_group(number)
        n_rows = max(0, group.num_rows)
        yield _RowGroup(path, number, first_row, n_rows, max(0, group.total_byte_size))
        first_row += n_rows


@contextmanager
def opened_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a parquet file; whatever goes wrong with it in the block becomes a `DataError`."""
    try:
        # a column chunk may hold all images of the file: neither read it at once nor ahead
        with pq.ParquetFile(
            path, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True
        ) as file:
            yield file
    except WordsightError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(". ")
        raise DataError(
            f"cannot read {path}: it is no parquet file, or truncated or corrupt ({reason}); "
            "get it again"
        ) from error


def _integers_then_strings(value: object) -> tuple[int, str]:
    return (value, "") if isinstance(value, int) else (0, str(value))


def _is_missing(value: object, known: tuple[str, ...] | None) -> bool:
    return value is None or (known is not None and value == -1)


def _bytes_of(struct: object) -> bytes | None:
    data = struct.get("bytes") if isinstance(struct, dict) else None
    return data if isinstance(data, bytes) else None
