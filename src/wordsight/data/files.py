"""Image files found and read: what counts as one, in which order, and what to say if it fails."""

import os
import stat
import unicodedata
from pathlib import Path

from wordsight.exceptions import BrokenImageError, DataError

__all__ = [
    "IMAGE_ENDINGS",
    "class_name_of",
    "file_stamp",
    "find_images",
    "is_image_name",
    "read_file",
    "shown",
    "subfolders",
]

IMAGE_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | {".pnm", ".ppm", ".pgm", ".pbm"}
)
"""Endings of files that are taken for images, in lower case."""

_MAX_BYTES = 1 << 30  # more than 100 megapixels take uncompressed with 16 bits and four channels


def shown(text: str | os.PathLike[str]) -> str:
    """Return a path as text that can be printed, even if its bytes are not valid UTF-8."""
    path = os.fspath(text)
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def class_name_of(folder: str) -> str:
    """Return the class that a folder's name means: composed Unicode (NFC), as in word files."""
    return unicodedata.normalize("NFC", shown(folder))


def file_stamp(path: str) -> str:
    """Return what changes when a file does, its size and time, or ``none`` where it is not."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every file of many
    except (OSError, ValueError):
        return "none"
    return f"{status.st_size} {status.st_mtime_ns}"


def is_image_name(name: str) -> bool:
    """Tell whether a file's name is not hidden and ends as an image's does."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_ENDINGS  # noqa: PTH122


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"cannot list the folder {shown(folder)}: {error.strerror}; make it readable or move "
            "it away"
        ) from error


def subfolders(folder: Path) -> list[Path]:
    """List the sub-folders that are not hidden, sorted by name; links to folders count."""
    return [
        folder / entry.name
        for entry in _entries(os.fspath(folder))
        if _is_folder(entry) and not entry.name.startswith(".")
    ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116 - called for every folder of a large tree
    return status.st_dev, status.st_ino


def find_images(folder: Path, *, first_only: bool = False) -> tuple[list[str], int]:
    """Find the image files of a folder and all folders below it.

    Parameters
    ----------
    folder : pathlib.Path
        Where to look. Links to folders are followed, but never to a folder that holds this one or
        that was seen already, so that loops end.
    first_only : bool, default False
        Stop at the first image: enough to know that there is one.

    Returns
    -------
    list of str
        Paths that begin with `folder`, sorted by their parts.
    int
        How many files were passed over because they are hidden or have another ending.
    """
    # the folder may itself be a link: what holds the link and what holds its target both count
    above = {*folder.absolute().parents, *folder.resolve().parents}
    seen = {_identity(os.fspath(parent)) for parent in above}
    stack, images, n_ignored = [os.fspath(folder)], list[str](), 0
    while stack:
        current = stack.pop()
        try:
            identity = _identity(current)
        except OSError:  # a link to nothing: an ordinary file for the caller to report
            continue
        if identity in seen:
            continue
        seen.add(identity)
        for entry in _entries(current):
            if _is_folder(entry):
                if not entry.name.startswith("."):
                    stack.append(entry.path)
            elif is_image_name(entry.name):
                images.append(entry.path)
                if first_only:
                    return images, n_ignored
            else:
                n_ignored += 1
    return sorted(images, key=_by_parts), n_ignored


def _by_parts(path: str) -> str:
    """Sort by folder before file name: no character of a name comes before NUL."""
    return path.replace(os.sep, "\0")


def read_file(path: str) -> bytes | BrokenImageError:
    """Read a file whole; return the reason instead where that cannot be done."""
    name = shown(path)
    try:
        status = os.stat(path)  # noqa: PTH116
        if stat.S_ISDIR(status.st_mode):
            return BrokenImageError(name, "it is a folder")
        # opening a named pipe or a device could wait for ever
        if not stat.S_ISREG(status.st_mode):
            return BrokenImageError(name, "it is not a regular file")
        if status.st_size > _MAX_BYTES:
            return BrokenImageError(name, "the file is larger than 1 GiB")
        return Path(path).read_bytes()
    except FileNotFoundError:
        return BrokenImageError(name, "there is no such file")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        said = error.strerror if isinstance(error, OSError) else str(error)
        return BrokenImageError(name, said or type(error).__name__)
