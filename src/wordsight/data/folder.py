"""Images in files: a folder of class folders, or files and folders without labels."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordsight.data.class_labels import ClassLabels
from wordsight.data.files import (
    class_name_of,
    find_images,
    is_image_name,
    read_file,
    shown,
    subfolders,
)
from wordsight.data.part import (
    Part,
    absolute_root,
    common_root,
)
from wordsight.data.source import Item, Source
from wordsight.exceptions import BrokenImageError, InputError

__all__ = ["FilesSource", "FolderSource", "ListedSource", "has_class_folders", "splits"]

_SPLITS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_ORDER = ("train", "validation", "test")


class _PathsSource(Source):
    """Images of which each is a file of its own."""

    _paths: Sequence[str]

    def __len__(self) -> int:
        return len(self._paths)

    def name(self, row: int) -> str:
        """Name the image by its path."""
        return shown(self._paths[row])

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the bytes of each file; one that cannot be read is yielded as its error."""
        for row in rows.tolist():
            yield read_file(self._paths[row])

    def part(self, rows: NDArray[np.int64]) -> Part:
        """List the files, so that no folder is searched again."""
        root, paths = common_root([self._paths[row] for row in rows.tolist()])
        labels = None if self.class_labels is None else self.class_labels.take(rows).runs()
        every = ((0, len(paths)),)
        return Part("files", absolute_root(root), root, paths, len(paths), every, labels, {})


class FolderSource(_PathsSource):
    """A folder of class folders: the name of a sub-folder is the class of the images in it.

    The folder may also hold one such folder for each split: ``train``, ``test`` and ``val``,
    ``valid`` or ``validation``, in any case of letters. It is taken so when all sub-folders with
    images bear such names and one of them holds class folders. Images may lie at any depth below
    their class folder. Hidden files and files without an image's ending are ignored, and so are
    images that lie beside the class folders; `n_ignored` counts them. A sub-folder without images
    is no class. Classes, and the images of a class, are sorted by name.

    Parameters
    ----------
    path : path-like
        The folder.
    split : str, optional
        One of `splits`; by default all images are taken.

    Raises
    ------
    InputError
        There is no such folder or split, or the folder has no class folders.
    DataError
        A folder cannot be listed.
    """

    def __init__(self, path: str | os.PathLike[str], split: str | None = None) -> None:
        root = _checked_folder(path)
        parts = _split_folders(root)
        if split is not None and split not in parts:
            raise InputError(
                f"{shown(root)} has no split {split!r}; {_splits_listed(tuple(parts))}"
            )
        # classes are those of all splits, so that a class lacks no index in one of them
        found = {
            name: [_ClassFolders(folder) for folder in folders]
            for name, folders in (parts or {"": [root]}).items()
        }
        everything = [part for several in found.values() for part in several]
        chosen = everything if split is None else found[split]
        self.class_names = tuple(sorted({name for part in everything for name in part.images}))
        self.n_ignored = sum(part.n_ignored for part in chosen)
        labelled = [part for part in chosen if part.images]
        loose = [path for part in chosen if not part.images for path in part.loose]
        if not self.class_names:
            raise InputError(f"{shown(root)} holds no folders with images; give one for each class")
        if labelled and loose:
            raise InputError(
                f"one split of {shown(root)} has class folders and another has none; choose one: "
                f"{', '.join(parts)}"
            )
        pairs = [pair for part in labelled for pair in part.labelled_paths()]
        self._paths = [path for path, _ in pairs] or loose
        self.class_labels = ClassLabels.of([name for _, name in pairs]) if pairs else None


class _ClassFolders:
    """The images of a folder by class, and those that lie beside the class folders."""

    def __init__(self, folder: Path) -> None:
        self.images: dict[str, list[str]] = {}
        n_in_classes = 0
        for class_folder in subfolders(folder):
            paths, n_ignored = find_images(class_folder)
            n_in_classes += n_ignored
            if paths:
                self.images.setdefault(class_name_of(class_folder.name), []).extend(paths)
        self.loose, n_beside = _images_beside(folder)
        self.n_ignored = n_in_classes + n_beside + (len(self.loose) if self.images else 0)

    def labelled_paths(self) -> Iterator[tuple[str, str]]:
        """Yield path and class, class after class."""
        for name in sorted(self.images):
            for path in self.images[name]:
                yield path, name


class FilesSource(_PathsSource):
    """Image files without labels, for prediction.

    Parameters
    ----------
    paths : sequence of path-like
        Files, taken in this order, and folders, which stand for all images in and below them,
        sorted. A file is tried whatever its ending. A path that is not there, and a folder
        without images, is one image that cannot be read, so that no input is lost silently.

    Raises
    ------
    DataError
        A folder cannot be listed.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]]) -> None:
        self.class_labels = None
        self.class_names = ()
        self._paths: list[str] = []
        for path in paths:
            if not Path(path).is_dir():
                self._paths.append(os.fspath(path))
                continue
            found, n_ignored = find_images(Path(path))
            self._paths.extend(found or [os.fspath(path)])
            self.n_ignored += n_ignored

    @property
    def paths(self) -> Sequence[str]:
        """The path of each image."""
        return self._paths

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the bytes of each file; one that cannot be read is yielded as its error."""
        for row in rows.tolist():
            yield _read_input(self._paths[row])


class ListedSource(_PathsSource):
    """Image files that were found before, elsewhere: `Part` of a folder or of files.

    Parameters
    ----------
    part : Part
        Their paths.
    """

    def __init__(self, part: Part) -> None:
        self._paths = part.files
        self._names = part.names
        self.class_labels = None
        self.class_names = ()

    def name(self, row: int) -> str:
        """Name the image by its path as it was given."""
        return shown(self._names[row])

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the bytes of each file; one that cannot be read is yielded as its error."""
        for row in rows.tolist():
            item = _read_input(self._paths[row])
            if isinstance(item, BrokenImageError):
                item = BrokenImageError(self.name(row), item.reason)
            yield item


def _read_input(path: str) -> bytes | BrokenImageError:
    if Path(path).is_dir():
        return BrokenImageError(shown(path), "the folder holds no images")
    return read_file(path)


def has_class_folders(path: str | os.PathLike[str]) -> bool:
    """Tell whether a sub-folder holds images, at any depth."""
    return any(_has_images(folder) for folder in subfolders(Path(path)))


def splits(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """List the splits of a folder: ``train``, ``validation``, ``test``, or none at all."""
    return tuple(_split_folders(Path(path)))


def _split_folders(root: Path) -> dict[str, list[Path]]:
    """Return the folders of each split, or nothing where the sub-folders are classes."""
    folders = [folder for folder in subfolders(root) if _has_images(folder)]
    names = [_SPLITS.get(folder.name.lower()) for folder in folders]
    # "train" may well be a class, so all names must agree and one folder must hold classes
    if None in names or not any(has_class_folders(folder) for folder in folders):
        return {}
    pairs = list(zip(names, folders, strict=True))
    by_split = {split: [folder for name, folder in pairs if name == split] for split in _ORDER}
    return {split: found for split, found in by_split.items() if found}


def _has_images(folder: Path) -> bool:
    return bool(find_images(folder, first_only=True)[0])


def _images_beside(folder: Path) -> tuple[list[str], int]:
    """List the images directly in a folder and count its other files."""
    files = [entry for entry in sorted(folder.iterdir()) if not entry.is_dir()]
    images = [os.fspath(entry) for entry in files if is_image_name(entry.name)]
    return images, len(files) - len(images)


def _checked_folder(path: str | os.PathLike[str]) -> Path:
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"{shown(root)} is not a folder; name a folder of class folders")
    return root


def _splits_listed(names: tuple[str, ...]) -> str:
    return f"its splits are: {', '.join(names)}" if names else "it has none"
