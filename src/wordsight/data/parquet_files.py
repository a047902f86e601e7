"""Which files of a folder are parquet files, and of which split."""

import os
from pathlib import Path

from wordsight.data import split_files

__all__ = ["files_by_split", "is_parquet", "splits"]

_ENDING = ".parquet"


def is_parquet(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a parquet file, by its name or first bytes, or a folder that holds some."""
    path = Path(path)
    if path.is_dir():
        return any(True for _ in split_files.find_files(path, _ENDING))
    return path.is_file() and (path.suffix.lower() == _ENDING or _starts_as_parquet(path))


def splits(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Name the splits of a parquet file or folder: train, validation and test first, if there.

    How they are told is said in `wordsight.data.split_files.files_by_split`.

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
    """List the parquet files of `path` with their splits, in the order in which they are read."""
    return split_files.files_by_split(path, _ENDING)


def _starts_as_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False
