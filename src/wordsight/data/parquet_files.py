"""Which files of a folder are parquet files, and of which split."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from wordsight.exceptions import InputError

__all__ = ["files_by_split", "is_parquet", "splits"]

_KNOWN_SPLITS = ("train", "validation", "valid", "val", "dev", "test", "eval")
_SHARD = re.compile(r"(?P<split>.+)-\d+-of-\d+")


def is_parquet(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a parquet file, by its name or first bytes, or a folder that holds some."""
    path = Path(path)
    if path.is_dir():
        return any(True for _ in _parquet_files(path))
    return path.is_file() and (path.suffix.lower() == ".parquet" or _starts_as_parquet(path))


def splits(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Name the splits of a parquet file or folder: train, validation and test first, if there.

    The split of a file is the part of its name before ``-00000-of-00001``; else a usual split's
    name that it starts with (``train.parquet``, ``test-0.parquet``); else the subfolder it is in,
    other than ``data``; else the part of its name before the first dash. A file whose name tells
    nothing (``images.parquet``, ``part-0.parquet``, ``0001.parquet``) belongs to no split and is
    read only when no split is asked for.

    Parameters
    ----------
    path : path-like
        A parquet file, or a folder with parquet files in it or at most two folders deeper.

    Returns
    -------
    tuple of str
        The names, none where no file tells one.

    Raises
    ------
    InputError
        There are no parquet files, or they are of several data sets.
    """
    return tuple(dict.fromkeys(split for split, _ in files_by_split(Path(path)) if split))


def files_by_split(path: Path) -> list[tuple[str | None, Path]]:
    """List the parquet files of `path` with their splits, in the order in which they are read.

    Parameters
    ----------
    path : pathlib.Path
        A parquet file, or a folder of them.

    Returns
    -------
    list of (str or None, pathlib.Path)
        The files of one split stand together, in the order of their names.

    Raises
    ------
    InputError
        There are no parquet files, or they are of several data sets.
    """
    if not path.exists():
        raise InputError(f"{path} is not there, expected a parquet file or a folder of them")
    files = sorted(_parquet_files(path)) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} holds no parquet file, expected names like train.parquet")
    told = [(*_split_and_home(file, path), file) for file in files]
    homes = sorted({home for _, home, _ in told})
    if len(homes) > 1:
        raise InputError(
            f"{path} holds several data sets, in {homes[0]} and {homes[1]}; name one of the folders"
        )
    names = sorted({split for split, _, _ in told if split}, key=_usual_first)
    order: Sequence[str | None] = [*names, None]
    return [(split, file) for wanted in order for split, _, file in told if split == wanted]


def _split_and_home(file: Path, root: Path) -> tuple[str | None, Path]:
    """Return the split that a file's name or folder tells, and the folder of its data set."""
    split = _split_by_name(file.name.split(".")[0])
    inside = root.is_dir() and file.parent != root and file.parent.name != "data"
    if split is not None:
        return split, file.parent.parent if inside and file.parent.name == split else file.parent
    if inside:
        return file.parent.name, file.parent.parent
    stem = file.name.split(".")[0]
    first = stem.partition("-")[0]
    tells = "-" in stem and first != "part" and not first.isdigit()
    return first if tells else None, file.parent


def _split_by_name(stem: str) -> str | None:
    """Return the split of a file named as the hub names shards, or after a usual split."""
    shard = _SHARD.fullmatch(stem)
    first = re.split(r"[-_]", stem)[0]
    if shard and shard["split"] != "part":
        return shard["split"]
    if first.lower() in _KNOWN_SPLITS:
        return stem.partition("-")[0] if "-" in stem else first
    return None


def _parquet_files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.parquet", "*/*.parquet", "*/*/*.parquet"):
        for file in folder.glob(pattern):
            hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
            if not hidden and file.is_file():
                yield file


def _starts_as_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False


def _usual_first(split: str) -> tuple[int, str]:
    usual = split.lower() in _KNOWN_SPLITS
    return (_KNOWN_SPLITS.index(split.lower()) if usual else len(_KNOWN_SPLITS), split)
