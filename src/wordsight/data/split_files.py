"""Which files of a folder are shards of a data set, and of which split."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from wordsight.exceptions import InputError

__all__ = ["KNOWN_SPLITS", "files_by_split", "find_files"]

KNOWN_SPLITS = ("train", "validation", "valid", "val", "dev", "test", "eval")
"""What splits are usually called."""

_SHARD = re.compile(r"(?P<split>.+)-\d+-of-\d+")
_NUMBERED = re.compile(rf".+[-_](?P<split>{'|'.join(KNOWN_SPLITS)})(?:[-_]\d+)+", re.IGNORECASE)


def find_files(folder: Path, ending: str) -> Iterator[Path]:
    """Yield the files of an ending in a folder or at most two folders deeper, but hidden ones."""
    for pattern in (f"*{ending}", f"*/*{ending}", f"*/*/*{ending}"):
        for file in folder.glob(pattern):
            hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
            if not hidden and file.is_file():
                yield file


def files_by_split(path: Path, ending: str) -> list[tuple[str | None, Path]]:
    """List the shards of `path` with their splits, in the order in which they are read.

    The split of a file is the part of its name before ``-00000-of-00001``; else a usual split's
    name that it starts with (``train.parquet``, ``test-0.parquet``), or that stands before its
    numbers (``flowers-val-000012.tar``); else the subfolder it is in, other than ``data``; else the
    part of its name before the first dash. A file whose name tells nothing (``images.parquet``,
    ``part-0.parquet``, ``0001.parquet``) belongs to no split and is read only when no split is
    asked for.

    Parameters
    ----------
    path : pathlib.Path
        A file, or a folder of them.
    ending : str
        Of the files in a folder, such as ``.parquet``.

    Returns
    -------
    list of (str or None, pathlib.Path)
        The files of one split stand together, in the order of their names.

    Raises
    ------
    InputError
        There are no such files, or they are of several data sets.
    """
    kind = ending[1:]
    if not path.exists():
        raise InputError(f"{path} is not there, expected a {kind} file or a folder of them")
    files = sorted(find_files(path, ending)) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} holds no {kind} file, expected names like train{ending}")
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
    if first.lower() in KNOWN_SPLITS:
        return stem.partition("-")[0] if "-" in stem else first
    numbered = _NUMBERED.fullmatch(stem)
    return numbered["split"] if numbered else None


def _usual_first(split: str) -> tuple[int, str]:
    usual = split.lower() in KNOWN_SPLITS
    return (KNOWN_SPLITS.index(split.lower()) if usual else len(KNOWN_SPLITS), split)
