"""Images sorted into folders by what a model says of them: links to them, or copies.

The folder appears whole or not at all. What was put into it is listed in it, so that it can be told
from a folder that holds anything else, which is never replaced.
"""

import csv
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from wordsight.data.files import shown
from wordsight.exceptions import InputError
from wordsight.prediction import Prediction
from wordsight.storage import atomic_directory

__all__ = [
    "MARK",
    "NOVEL",
    "UNREADABLE",
    "Sorter",
    "check_sortable",
    "folder_names",
    "refuse_filled",
    "sorting_into",
]

NOVEL, UNREADABLE = "_novel", "_unreadable"
MARK = ".sorted-by-wordsight"
"""The file that lists what was put into the folder: paths in it, each ended by a NUL byte."""

_FORBIDDEN = frozenset('/\\:*?"<>|')
_LONGEST = 255  # bytes of a name, on every common system


def folder_names(classes: Sequence[str]) -> dict[str, str]:
    """Return a folder's name for each class: one that any system takes, and all different.

    Parameters
    ----------
    classes : sequence of str
        Any names.

    Returns
    -------
    dict of str to str
        The class's own name where it can be one. Names that differ only in case, or in what had to
        be replaced, get a number.
    """
    taken: set[str] = set()
    return {name: _untaken(_safe(name), taken) for name in classes}


def _safe(name: str) -> str:
    kept = "".join("_" if c in _FORBIDDEN or not c.isprintable() else c for c in name).strip(" .")
    cut = kept.encode("utf-8", "replace")[: _LONGEST - 8].decode("utf-8", "ignore")
    # a leading underscore is for what is no class
    return f"-{cut}" if cut.startswith("_") or not cut else cut


def _untaken(name: str, taken: set[str], folder: str = "") -> str:
    """Return a name that is not taken, whatever the case of its letters, and take it."""
    stem, ending = os.path.splitext(name)  # noqa: PTH122 - for every file of many
    number = 1
    found = name
    while f"{folder}/{found}".casefold() in taken:
        number += 1
        room = _LONGEST - len(os.fsencode(ending)) - len(f"~{number}")
        cut = os.fsdecode(os.fsencode(stem)[:room])
        found = f"{cut}~{number}{ending}"
    taken.add(f"{folder}/{found}".casefold())
    return found


def check_sortable(
    target: Path, folders: Iterable[Path], files: Iterable[str], *, overwrite: bool
) -> None:
    """Raise `InputError` where images cannot be sorted into `target` without losing something.

    Parameters
    ----------
    target : pathlib.Path
        The folder to be made.
    folders : iterable of pathlib.Path
        Those that images are taken from; images sorted into one would be found there next time.
    files : iterable of str
        The images; none may lie in the folder that is replaced.
    overwrite : bool
        Whether an earlier one may be replaced.
    """
    here = target.resolve()
    for folder in {Path(folder).resolve() for folder in set(map(os.path.dirname, files))}:
        if folder == here or here in folder.parents:
            raise InputError(f"{target} holds images that are to be sorted; name another folder")
    for folder in folders:
        above = folder.resolve()
        if above == here or above in here.parents:
            raise InputError(
                f"{target} lies in {folder}, whose images are to be sorted, and would be found "
                "there as images itself; name a folder outside"
            )
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(f"{target} exists and is no folder; name another one")
    if not target.is_dir() or not any(target.iterdir()):
        return
    strange = _not_ours(target)
    if strange is not None:
        raise InputError(
            f"{target} holds other things than images sorted by Wordsight ({shown(strange)}), so "
            "it is not replaced; name another folder"
        )
    refuse_filled(target, overwrite=overwrite)


def refuse_filled(target: Path, *, overwrite: bool) -> None:
    """Raise `InputError` where a folder that is not empty may not be replaced."""
    if not overwrite and target.is_dir() and any(target.iterdir()):
        raise InputError(
            f"{target} exists already; name another folder, or allow it to be replaced "
            "(--overwrite)"
        )


def _not_ours(target: Path) -> str | None:
    """Return something in a folder that was not put there by us, or None."""
    try:
        listed = {os.fsdecode(name) for name in (target / MARK).read_bytes().split(b"\0")}
    except OSError:
        return min(path.name for path in target.iterdir())
    for path in target.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            name = str(path.relative_to(target))
            if name not in listed and name != MARK:
                return name
    return None


class Sorter:
    """Puts images into the folders of their classes: made by `sorting_into`.

    Where an image goes is a hard decision: to the folder of its label, whatever the probability;
    one that the detector judges novel and that has no name but a seen class's goes to ``_novel``.
    One that cannot be read is listed in ``_unreadable/list.csv``.

    Parameters
    ----------
    place : pathlib.Path
        The folder that is being filled.
    seen, classes, copy
        As for `sorting_into`.
    """

    def __init__(
        self, place: Path, seen: Sequence[str], classes: Sequence[str], copy: bool
    ) -> None:
        self._place = place
        self._seen = frozenset(seen)
        self._folders = folder_names(classes)
        self._copy = copy
        self._taken: set[str] = set()
        self._open = ExitStack()
        self._mark: IO[bytes] = self._open.enter_context((place / MARK).open("wb"))
        self._unreadable: Any = None

    def pass_on(self, rows: Iterable[Prediction], files: Iterable[str]) -> Iterator[Prediction]:
        """Sort rows on their way to somewhere else; `files` are those of the rows, in order."""
        for row, file in zip(rows, files, strict=True):
            self._put(row, file)
            yield row

    def _put(self, row: Prediction, file: str) -> None:
        if row.label is None:
            self._list(row)
            return
        novel = row.is_novel and row.label in self._seen
        folder = NOVEL if novel else self._folders[row.label]
        name = _untaken(os.path.basename(file), self._taken, folder)  # noqa: PTH119
        (self._place / folder).mkdir(exist_ok=True)
        target = self._place / folder / name
        if self._copy:
            shutil.copy2(file, target)
        else:
            target.symlink_to(os.path.abspath(file))  # noqa: PTH100 - a link stays a link
        self._note(f"{folder}/{name}")

    def _list(self, row: Prediction) -> None:
        if self._unreadable is None:
            (self._place / UNREADABLE).mkdir()
            path = self._place / UNREADABLE / "list.csv"
            file = self._open.enter_context(path.open("w", encoding="utf-8", newline=""))
            self._unreadable = csv.writer(file, lineterminator="\n")
            self._unreadable.writerow(["path", "error"])
            self._note(f"{UNREADABLE}/list.csv")
        self._unreadable.writerow([row.path, row.error])

    def _note(self, path: str) -> None:
        self._mark.write(os.fsencode(path) + b"\0")

    def close(self) -> None:
        """Write what is still to be written."""
        self._open.close()


@contextmanager
def sorting_into(
    target: Path,
    *,
    seen: Sequence[str],
    classes: Sequence[str],
    copy: bool = False,
    on_written: Callable[[Path], object] | None = None,
) -> Iterator[Sorter]:
    """Sort images into a folder that appears, or replaces an earlier one, when the block ends well.

    Parameters
    ----------
    target : pathlib.Path
        As `check_sortable` has let it pass.
    seen, classes : sequence of str
        The seen classes of the model, and all of them.
    copy : bool, default False
        Copy the images. Otherwise they are linked to, by their whole path: the folder can be
        moved, the images cannot.
    on_written : callable, optional
        Called with the list of what was put into the folder (`MARK`) before it takes its place.

    Yields
    ------
    Sorter

    Raises
    ------
    WordsightError
        The disk is full, an image is gone, links are not allowed, and the like.
    """
    with atomic_directory(target, overwrite=True) as place:
        sorter = Sorter(place, seen, classes, copy)
        try:
            yield sorter
        finally:
            sorter.close()
        if on_written is not None:
            on_written(place / MARK)
