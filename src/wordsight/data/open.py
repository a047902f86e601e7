"""The one opener: whatever images come in, a `Dataset` comes out."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.data.arrays import ArraySource, is_array_file, open_array_file
from wordsight.data.cifar_archive import first_names
from wordsight.data.dataset import Dataset
from wordsight.data.files import find_images, is_image_name, shown
from wordsight.data.folder import FilesSource, FolderSource, has_class_folders
from wordsight.data.folder import splits as folder_splits
from wordsight.data.source import Source
from wordsight.exceptions import InputError

__all__ = ["DataLike", "available_splits", "open_dataset"]

DataLike = (
    str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | NDArray[Any] | Source | Dataset
)
"""What `open_dataset` takes."""

_COMPRESSED = (".tar.gz", ".tgz")
_ALIASES = {"val": "validation", "valid": "validation"}


def open_dataset(
    source: DataLike,
    *,
    split: str | None = None,
    labels: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
) -> Dataset:
    """Open labelled or unlabelled images.

    Parameters
    ----------
    source : path-like, sequence of path-like, ndarray, Source or Dataset
        One of these:

        - a parquet file, or a folder of them as on the Hugging Face hub;
        - a ``.tar`` archive in WebDataset's layout, a folder or a list of them, or a pattern such
          as ``train-{000000..000012}.tar`` or ``train-*.tar``;
        - a CIFAR-10 or CIFAR-100 binary archive (``.tar.gz``), or the folder extracted from it;
        - a folder of class folders, optionally within ``train``, ``test`` and ``val``;
        - a ``.npy`` file (with labels in ``NAME_labels.npy`` beside it) or a ``.npz`` archive;
        - a flat folder of images, an image, or a list of images and folders, without labels;
        - an array of images, with `labels`.
    split : str, optional
        ``"train"``, ``"test"`` or another one of `available_splits`; by default all images. Where
        the images are not split, ``"train"`` is all of them and every other split is refused.
    labels : array-like of int or str, shape (n,), optional
        The labels of an array.
    class_names : sequence of str, optional
        The classes of an array.

    Returns
    -------
    Dataset
        At least one image.

    Raises
    ------
    InputError
        There is no such path or split, no image, or nothing that is known.
    DataError
        A file is broken.
    """
    kind = _recognise(source, labels, class_names)
    dataset = kind.open(_chosen_split(split, kind))
    if len(dataset) == 0:
        raise InputError(f"{kind.name} holds no images; name a file or folder that does")
    return dataset


def available_splits(source: DataLike) -> tuple[str, ...]:
    """List the splits of a source, such as ``("train", "test")``; empty where it is not split.

    Parameters
    ----------
    source : path-like, sequence of path-like, ndarray, Source or Dataset
        As for `open_dataset`.

    Returns
    -------
    tuple of str
        Names that `open_dataset` takes as `split`.

    Raises
    ------
    InputError
        There is no such path, or nothing that is known.
    """
    return _recognise(source, None, None).splits


@dataclass(frozen=True)
class _Kind:
    """How to open what was recognised."""

    name: str
    splits: tuple[str, ...]
    open: Callable[[str | None], Dataset]


def _recognise(
    source: DataLike, labels: ArrayLike | None, class_names: Sequence[str] | None
) -> _Kind:
    if isinstance(source, np.ndarray):
        return _unsplit("the array", lambda: ArraySource(source, labels, class_names))
    if isinstance(source, str | os.PathLike) and is_array_file(source) and Path(source).is_file():
        return _unsplit(shown(source), lambda: open_array_file(source, labels, class_names))
    if labels is not None or class_names is not None:
        raise InputError(
            "labels and class_names were given, which go with an array; leave them out: these "
            "images bring their own"
        )
    if isinstance(source, Dataset):
        return _Kind("the data set", (), lambda _: source)
    if isinstance(source, Source):
        return _unsplit("the source", lambda: source)
    if isinstance(source, str | os.PathLike):
        return _recognise_path(Path(source))
    return _recognise_list(_checked_paths(source))


def _recognise_list(paths: Sequence[str | os.PathLike[str]]) -> _Kind:
    if paths and all(os.fspath(path).lower().endswith(".tar") for path in paths):
        return _archives("the list of archives", paths)
    return _unsplit("the list of files", lambda: FilesSource(paths))


def _recognise_path(path: Path) -> _Kind:
    """Tell the kinds of files and folders apart."""
    # imported here because pyarrow takes long to start
    from wordsight.data import cifar, parquet, webdataset  # noqa: PLC0415

    name = shown(path)
    if not path.exists():
        return _recognise_pattern(path)
    if parquet.is_parquet(path):
        return _split(name, parquet.splits(path), lambda s: parquet.ParquetSource(path, s))
    _refuse_compressed(path)
    if cifar.is_cifar(path):
        return _split(name, cifar.splits(path), lambda s: cifar.CifarSource(path, s))
    if path.is_dir() and find_images(path, first_only=True)[0]:
        return _recognise_images(path)
    if webdataset.is_webdataset(path):
        return _split(name, webdataset.splits(path), lambda s: webdataset.WebDatasetSource(path, s))
    for file in sorted(path.iterdir()) if path.is_dir() else []:
        _refuse_compressed(file)
    return _recognise_images(path)


def _recognise_pattern(path: Path) -> _Kind:
    from wordsight.data.webdataset import matching  # noqa: PLC0415

    archives = matching(os.fspath(path))
    if not archives:
        raise InputError(f"there is no file or folder {shown(path)}; check the path")
    return _archives(shown(path), archives)


def _recognise_images(path: Path) -> _Kind:
    name = shown(path)
    if path.is_dir():
        if has_class_folders(path):
            return _split(name, folder_splits(path), lambda s: FolderSource(path, s))
        return _unsplit(name, lambda: _FlatFolder(path))
    if is_image_name(path.name):
        return _unsplit(name, lambda: FilesSource([path]))
    raise InputError(
        f"{name} is not a kind of data that is known; give a folder of class folders, a parquet "
        "file or folder, a .tar archive of images, a CIFAR binary archive, a .npy or .npz file, or "
        "image files"
    )


def _archives(name: str, paths: Sequence[str | os.PathLike[str]]) -> _Kind:
    """Open archives that were named one by one, or by a pattern."""
    from wordsight.data.webdataset import WebDatasetSource  # noqa: PLC0415

    return _unsplit(name, lambda: WebDatasetSource(paths))


def _refuse_compressed(file: Path) -> None:
    """Refuse a compressed archive of images, which cannot be read from the middle."""
    compressed = file.name.lower().endswith(_COMPRESSED) and file.is_file()
    if compressed and any(map(is_image_name, first_names(file))):
        raise InputError(
            f"{shown(file)} is a compressed archive of images, which cannot be read from the "
            "middle; unpack it to a plain .tar (gunzip)"
        )


class _FlatFolder(FilesSource):
    """The images of one folder; none at all where it holds none."""

    def __init__(self, folder: Path) -> None:
        super().__init__([folder])
        if self._paths == [os.fspath(folder)]:
            self._paths = []


def _unsplit(name: str, make: Callable[[], Source]) -> _Kind:
    return _Kind(name, (), lambda _: Dataset(make()))


def _split(name: str, splits: tuple[str, ...], make: Callable[[str | None], Source]) -> _Kind:
    return _Kind(name, splits, lambda split: Dataset(make(split)))


def _chosen_split(split: str | None, kind: _Kind) -> str | None:
    """Return the split in the words of the source."""
    if split is None:
        return None
    if not kind.splits:
        if split == "train":
            return None
        raise InputError(
            f"{kind.name} is not split, so it has no {split!r} images; leave the split out to "
            "take all of them"
        )
    wanted = _ALIASES.get(split, split)
    for name in kind.splits:
        if name == split or _ALIASES.get(name, name) == wanted:
            return name
    raise InputError(
        f"{kind.name} has no split {split!r}; its splits are: {', '.join(kind.splits)}"
    )


def _checked_paths(source: object) -> list[str | os.PathLike[str]]:
    if isinstance(source, Sequence) and all(isinstance(path, str | os.PathLike) for path in source):
        return list(source)
    raise InputError(
        f"images were given as {type(source).__name__}; give a path, a list of paths or an array"
    )
