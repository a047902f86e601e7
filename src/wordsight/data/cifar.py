"""The official binary distributions of CIFAR-10 and CIFAR-100.

A record is one label byte (CIFAR-10) or two (CIFAR-100: coarse, fine), then 3,072 bytes of
pixels: the red, the green and the blue plane, each 32 × 32, row by row
(https://www.cs.toronto.edu/~kriz/cifar.html).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordsight.data.cifar_archive import first_names, read_members
from wordsight.data.class_labels import ClassLabels
from wordsight.data.part import Part, part_of_file
from wordsight.data.source import Item, Source
from wordsight.exceptions import DataError, InputError

__all__ = ["CifarSource", "is_cifar", "splits"]

_PIXELS = 3 * 32 * 32
_MOST_RECORDS = 50_000
_MOST_NAME_BYTES = 1 << 16
_COMPRESSED = (".tar.gz", ".tgz")


@dataclass(frozen=True)
class _Layout:
    """The files of a distribution, and how many classes each label byte of a record tells."""

    title: str
    archive: str
    files: dict[str, tuple[str, ...]]
    names: str
    n_classes: tuple[int, ...]

    @property
    def record(self) -> int:
        return len(self.n_classes) + _PIXELS


_CIFAR10 = _Layout(
    title="CIFAR-10",
    archive="cifar-10-binary.tar.gz",
    files={
        "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test": ("test_batch.bin",),
    },
    names="batches.meta.txt",
    n_classes=(10,),
)
_CIFAR100 = _Layout(
    title="CIFAR-100",
    archive="cifar-100-binary.tar.gz",
    files={"train": ("train.bin",), "test": ("test.bin",)},
    names="fine_label_names.txt",
    n_classes=(20, 100),
)
_OWN_NAMES = frozenset(
    {*_CIFAR10.files["train"], *_CIFAR10.files["test"], _CIFAR10.names}
    | {"train.bin", "test.bin", _CIFAR100.names}
    | {"data_batch_1", "batches.meta", "train", "test", "meta"}
)
_FOLDERS = ("cifar-10-batches-bin", "cifar-100-binary", "cifar-10-batches-py", "cifar-100-python")


def is_cifar(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is an archive or a folder of CIFAR-10 or CIFAR-100.

    Any ``.tar.gz`` or ``.tgz`` counts, since no other compressed archives are read: what is wrong
    with one is told on opening. A ``.tar`` counts where its first files are those of CIFAR. So does
    the Python version, which is refused on opening.
    """
    path = Path(path)
    if path.is_file():
        name = path.name.lower()
        if not name.endswith(".tar"):
            return name.endswith(_COMPRESSED)
        found = frozenset(first_names(path))
        return bool(found & _OWN_NAMES) or (not found and "cifar" in name)
    names = _names_in(_inner_folder(path)) if path.is_dir() else frozenset()
    return _layout_of(names) is not None or _is_python_version(names)


def splits(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Name the splits, which are always ``train`` and ``test``.

    Parameters
    ----------
    path : path-like
        An archive or a folder.

    Returns
    -------
    tuple of str
        The names.

    Raises
    ------
    InputError
        There is no such path.
    """
    if not Path(path).exists():
        raise InputError(f"{path} is not there, expected a CIFAR archive or its extracted folder")
    return tuple(_CIFAR10.files)


class CifarSource(Source):
    """Images of the official binary CIFAR-10 or CIFAR-100, in the official order.

    CIFAR-100 is labelled with its 100 fine classes. Extracted files and an uncompressed ``.tar``
    are memory-mapped. A ``.tar.gz`` cannot be read from the middle, so that the files asked for
    are held in memory: 154 MB for the training split, 31 MB for the test split.

    Parameters
    ----------
    path : path-like
        ``cifar-10-binary.tar.gz`` or ``cifar-100-binary.tar.gz``, the same uncompressed
        (``.tar``), the folder extracted from it, or a folder that holds that folder.
    split : {"train", "test"} or None
        None takes both, the training images first.

    Raises
    ------
    InputError
        There is no such path or split.
    DataError
        Files are missing, truncated, corrupt or of another kind, or of the Python version.
    """

    def __init__(self, path: str | os.PathLike[str], split: str | None = None) -> None:
        root = Path(path)
        if split is not None and split not in splits(root):
            raise InputError(f"{root} has no split {split!r}; its splits are: train, test")
        chosen = splits(root) if split is None else (split,)
        self._root, self._split = root, split
        if root.is_dir():
            layout, found = _read_folder(_inner_folder(root), chosen)
            self._prefix = ""
        else:
            layout, found = _read_archive(root, chosen)
            self._prefix = f"{root.name}/"
        self._files = [name for part in chosen for name in layout.files[part]]
        self._records = [_records(found[name], layout, f"{root}: {name}") for name in self._files]
        self._starts = np.cumsum([0, *(len(records) for records in self._records)])
        self.class_names = _class_names(found[layout.names], layout, f"{root}: {layout.names}")
        numbers = [records[:, len(layout.n_classes) - 1] for records in self._records]
        self.class_labels = ClassLabels.coded(self.class_names, np.concatenate(numbers))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def name(self, row: int) -> str:
        """Name a row by its file and its place in that file: ``data_batch_1.bin#17``."""
        number = int(np.searchsorted(self._starts[1:], row, side="right"))
        return f"{self._prefix}{self._files[number]}#{row - int(self._starts[number])}"

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the pixels of `rows`, each uint8 of shape (32, 32, 3), in the order given."""
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise InputError(
                f"rows {rows.min()} to {rows.max()} are asked for, of {len(self)} rows; ask for "
                f"rows from 0 to {len(self) - 1}"
            )
        numbers = np.searchsorted(self._starts[1:], rows, side="right")
        within = rows - self._starts[numbers]
        for number, place in zip(numbers.tolist(), within.tolist(), strict=True):
            planes = self._records[number][place, -_PIXELS:].reshape(3, 32, 32)
            yield np.array(planes.transpose(1, 2, 0), dtype=np.uint8, order="C")

    def part(self, rows: NDArray[np.int64]) -> Part:
        """Name the archive or folder, which is opened as a whole."""
        part = part_of_file("cifar", self._root, len(self), rows, split=self._split)
        (name,) = part.paths
        part.details["path"] = name
        if not self._root.is_dir():
            return part
        inner = _inner_folder(self._root).relative_to(self._root).as_posix()
        return replace(part, paths=tuple(f"{name}/{inner}/{file}" for file in self._files))


def _read_folder(
    folder: Path, chosen: tuple[str, ...]
) -> tuple[_Layout, dict[str, NDArray[np.uint8]]]:
    layout = _known_layout(_names_in(folder), folder)
    found: dict[str, NDArray[np.uint8]] = {}
    for name in _needed(layout, chosen):
        file = folder / name
        try:
            if file.is_file():  # a pipe of that name would be waited for
                empty = file.stat().st_size == 0  # which cannot be mapped
                found[name] = np.zeros(0, np.uint8) if empty else np.memmap(file, np.uint8, "r")
        except OSError as error:
            raise DataError(
                f"cannot read {file}: {error.strerror or error}; make it readable or get it again"
            ) from error
    _refuse_missing(found, layout, chosen, folder)
    return layout, found


def _read_archive(
    path: Path, chosen: tuple[str, ...]
) -> tuple[_Layout, dict[str, NDArray[np.uint8]]]:
    lower = path.name.lower()
    if "cifar" in lower and "python" in lower:
        raise _python_version(path)
    wanted: dict[str, int] = {}
    for layout in (_CIFAR10, _CIFAR100):
        wanted |= dict.fromkeys(_needed(layout, chosen), _MOST_RECORDS * layout.record)
        wanted[layout.names] = _MOST_NAME_BYTES
    found, names = read_members(path, wanted)
    layout = _known_layout(names, path)
    _refuse_missing(found, layout, chosen, path)
    return layout, found


def _needed(layout: _Layout, chosen: tuple[str, ...]) -> list[str]:
    return [layout.names, *(name for part in chosen for name in layout.files[part])]


def _known_layout(names: frozenset[str], path: Path) -> _Layout:
    layout = _layout_of(names)
    if layout is None and _is_python_version(names):
        raise _python_version(path)
    if layout is None:
        raise DataError(
            f"{path} holds neither CIFAR-10 nor CIFAR-100, expected files like data_batch_1.bin or "
            f"train.bin; get {_CIFAR10.archive} or {_CIFAR100.archive}"
        )
    return layout


def _refuse_missing(
    found: dict[str, NDArray[np.uint8]], layout: _Layout, chosen: tuple[str, ...], path: Path
) -> None:
    missing = [name for name in _needed(layout, chosen) if name not in found]
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)}, which {layout.title} has; "
            f"get {layout.archive} again"
        )


def _records(content: NDArray[np.uint8], layout: _Layout, name: str) -> NDArray[np.uint8]:
    """Cut a file into records, shape (n, label bytes + 3072), after checking it."""
    if len(content) == 0 or len(content) % layout.record:
        raise DataError(
            f"{name} has {len(content)} bytes, expected one or more records of {layout.record}; "
            f"it is truncated or not of {layout.title}: get {layout.archive} again"
        )
    records = content.reshape(-1, layout.record)
    for column, n_classes in enumerate(layout.n_classes):
        largest = int(records[:, column].max())
        if largest >= n_classes:
            row = int(np.argmax(records[:, column] >= n_classes))
            raise DataError(
                f"{name} has the label {records[row, column]} in record {row}, expected 0 to "
                f"{n_classes - 1}; it is corrupt or not of {layout.title}: "
                f"get {layout.archive} again"
            )
    return records


def _class_names(content: NDArray[np.uint8], layout: _Layout, name: str) -> tuple[str, ...]:
    try:
        text = content[:_MOST_NAME_BYTES].tobytes().decode()
    except UnicodeDecodeError:
        text = ""
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    expected = layout.n_classes[-1]
    if len(names) != expected or len(set(names)) != expected or "\0" in text:
        raise DataError(
            f"{name} does not hold {expected} different class names, one in a line; "
            f"get {layout.archive} again"
        )
    return names


def _inner_folder(path: Path) -> Path:
    """Return the folder with the files: `path`, or the one in it that the archive makes."""
    if _layout_of(_names_in(path)) is not None:
        return path
    inner = [path / name for name in _FOLDERS if (path / name).is_dir()]
    return inner[0] if len(inner) == 1 else path


def _names_in(folder: Path) -> frozenset[str]:
    return frozenset(name for name in _OWN_NAMES if (folder / name).is_file())


def _layout_of(names: frozenset[str]) -> _Layout | None:
    if _CIFAR10.names in names or any(n in names for n in _CIFAR10.files["train"]):
        return _CIFAR10
    if _CIFAR100.names in names or {"train.bin", "test.bin"} <= names:
        return _CIFAR100
    return None


def _is_python_version(names: frozenset[str]) -> bool:
    return {"batches.meta", "data_batch_1"} <= names or {"train", "test", "meta"} <= names


def _python_version(path: Path) -> DataError:
    return DataError(
        f"{path} is the Python version of CIFAR, made of pickles, which are never opened since "
        f"they can run code; get the binary version, {_CIFAR10.archive} or {_CIFAR100.archive}"
    )
