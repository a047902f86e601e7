"""What is to be predicted: files, folders, patterns, lists and data sets, in the order given."""

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import groupby
from pathlib import Path

from wordsight.data.arrays import is_array_file
from wordsight.data.dataset import Dataset
from wordsight.data.files import file_stamp, find_images, is_image_name, shown, subfolders
from wordsight.data.folder import FilesSource
from wordsight.data.open import open_dataset
from wordsight.data.source import UnreadableSource
from wordsight.exceptions import DataError, InputError

__all__ = ["Inputs", "is_input", "matches", "names_in", "open_inputs"]

PathLike = str | os.PathLike[str]


class Inputs:
    """Images named in any way, in this order.

    Parameters
    ----------
    inputs : sequence of path-like
        Image files; folders, which stand for all images in and below them (class folders mean
        nothing here); patterns as a shell knows them, with ``**`` for any folders; and whatever
        else `open_dataset` opens.

    Attributes
    ----------
    datasets : list of Dataset
        A path that is not there, a folder without images, a pattern that nothing matches and a
        data file that cannot be opened are one broken image each, so that no input is lost
        silently.

    Raises
    ------
    InputError
        No input holds anything that could be an image.
    """

    def __init__(self, inputs: Sequence[PathLike]) -> None:
        if not inputs:
            raise InputError("no images were named; give files or folders")
        paths = [path for given in inputs for path in _expanded(given)]
        _refuse_none(paths)
        self.datasets: list[Dataset] = []
        self._data: list[Path] = []
        for is_data, group in groupby(paths, key=_is_data):
            if is_data:
                places = list(map(Path, group))
                self._data += places
                self.datasets += map(_open_data, places)
            else:
                self.datasets.append(Dataset(FilesSource(list(group))))

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    def files(self) -> Iterator[str]:
        """Yield the file of each image, in order.

        Raises
        ------
        InputError
            Some images are rows of a data file.
        """
        if self._data:
            raise InputError(
                f"{shown(self._data[0])} is a data file, whose images are no files of their own; "
                "name image files or folders of them"
            )
        for source in self._file_sources:
            yield from source.paths

    @cached_property
    def digest(self) -> str:
        """What tells these images from others: names, sizes and times of all files, in order."""
        digest = hashlib.blake2b(digest_size=16)
        for source in self._file_sources:
            for path in source.paths:
                digest.update(_stamp(path))
        for place in self._data:
            for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
                digest.update(_stamp(os.fspath(file)))
        digest.update(repr([len(dataset) for dataset in self.datasets]).encode())
        return digest.hexdigest()

    @property
    def _file_sources(self) -> Iterator[FilesSource]:
        for dataset in self.datasets:
            if isinstance(dataset.source, FilesSource):
                yield dataset.source


def open_inputs(inputs: Sequence[PathLike]) -> list[Dataset]:
    """Open images, folders of images, patterns and data files: the data sets of `Inputs`."""
    return Inputs(inputs).datasets


def names_in(text: bytes, *, null: bool = False) -> list[str]:
    """Return the paths in a list of files, such as ``find`` or ``ls`` makes.

    Parameters
    ----------
    text : bytes
        One path a line; empty lines mean nothing.
    null : bool, default False
        Each path is ended by a NUL byte instead, so that it may hold line ends.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        The list names nothing.
    """
    parts = text.split(b"\0") if null else (line.rstrip(b"\r") for line in text.split(b"\n"))
    names = [os.fsdecode(part) for part in parts if part]
    if not names:
        raise InputError("the list of files on standard input is empty; give a path on each line")
    if not null and any("\0" in name for name in names):
        raise InputError(
            "the list of files on standard input has several NUL bytes; if these end its paths, "
            "say so (--null)"
        )
    return names


def is_input(path: PathLike) -> bool:
    """Tell whether a path is, or by its name would be, something to predict, not a model."""
    place = Path(path)
    if place.is_dir():
        return _lacks_images(path) is None
    return place.exists() or is_image_name(place.name) or _is_pattern(path) or is_array_file(place)


def matches(pattern: str) -> list[str]:
    """Return what a pattern matches, each path once, sorted by its parts.

    Parameters
    ----------
    pattern : str
        Of ``*``, ``?`` and ``[...]`` as a shell knows them; a part ``**`` stands for any number of
        folders, also none. Hidden names are matched only where the pattern has the dot, and
        ``**`` goes through no links, so that it ends.

    Returns
    -------
    list of str
        Files, and data sets in folders; any other folder stands for all images in and below it.
    """
    root, *parts = Path(pattern).parts if Path(pattern).is_absolute() else ("", *pattern.split("/"))
    found: dict[str, None] = {}
    for path in _walked(root, [part for part in parts if part and part != "."]):
        if os.path.isdir(path) and not _is_data(path):  # noqa: PTH112
            found.update(dict.fromkeys(find_images(Path(path))[0]))
        else:
            found[path] = None
    return sorted(found, key=lambda path: path.replace(os.sep, "\0"))


def _walked(folder: str, parts: list[str]) -> Iterator[str]:
    """Yield what the parts of a pattern match below a folder."""
    if not parts:
        yield folder or "."
        return
    head, rest = parts[0], parts[1:]
    here = Path(folder or ".")
    if head == "**" and not rest:
        yield folder or "."  # with all images below it
    elif head == "**":
        yield from _walked(folder, rest)
        for below in subfolders(here) if here.is_dir() else []:
            if not below.is_symlink():
                yield from _walked(os.path.join(folder, below.name), parts)  # noqa: PTH118
    elif not glob.has_magic(head):
        path = os.path.join(folder, head)  # noqa: PTH118
        if os.path.lexists(path):
            yield from _walked(path, rest)
    elif here.is_dir():
        for name in sorted(entry.name for entry in here.iterdir()):
            if fnmatchcase(name, head) and (head.startswith(".") or not name.startswith(".")):
                yield from _walked(os.path.join(folder, name), rest)  # noqa: PTH118


def _expanded(given: PathLike) -> list[PathLike]:
    """Return what a pattern matches; anything else, and a pattern without match, as it is."""
    if not _is_pattern(given):
        return [given]
    return [*matches(os.fspath(given))] or [given]


def _is_pattern(path: PathLike) -> bool:
    """Tell patterns from files, some of whose names hold brackets."""
    return glob.has_magic(os.fspath(path)) and not os.path.lexists(path)


def _refuse_none(paths: Sequence[PathLike]) -> None:
    """Raise `InputError` where no path holds anything that could be an image."""
    reasons = []
    for path in paths:
        reason = _lacks_images(path)
        if reason is None:
            return
        reasons.append(reason)
    more = f" (and {len(reasons) - 1} more inputs without images)" if reasons[1:] else ""
    raise InputError(f"{reasons[0]}{more}; name image files or folders of them")


def _lacks_images(given: PathLike) -> str | None:
    """Say why an input holds nothing that could be an image, or return None."""
    path = Path(given)
    if _is_pattern(given):
        return f"nothing matches the pattern {shown(given)}"
    if not path.exists():
        return f"there is no file or folder {shown(given)}"
    if path.is_dir() and not _is_data(path) and not find_images(path, first_only=True)[0]:
        return f"the folder {shown(given)} holds no images"
    return None


def _is_data(given: PathLike) -> bool:
    """Tell whether a path is a data set in files of its own kind, not image files."""
    path = Path(given)
    # by far the most frequent, and told without opening the file
    if not path.exists() or (is_image_name(path.name) and path.is_file()):
        return False
    # imported here because pyarrow takes long to start
    from wordsight.data import cifar, parquet, webdataset  # noqa: PLC0415

    return (
        (path.is_file() and is_array_file(path))
        or parquet.is_parquet(path)
        or cifar.is_cifar(path)
        or webdataset.is_webdataset(path)
    )


def _open_data(path: Path) -> Dataset:
    try:
        return open_dataset(path)
    except (InputError, DataError) as error:
        return Dataset(UnreadableSource(os.fspath(path), str(error)))


def _stamp(path: str) -> bytes:
    return os.fsencode(path) + f"\0{file_stamp(path)}\0".encode()
