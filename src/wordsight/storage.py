"""Files that appear whole or not at all.

Everything the library writes goes to a temporary name in the same folder and is renamed when it
is complete, so that an interrupt, a crash or a full disk never leaves a half-written file under a
name that somebody will read. What a killed process leaves is cleared away by whoever writes the
same target next (`leftovers`).
"""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wordsight.exceptions import InputError, WordsightError
from wordsight.leftovers import claimed, exchange, put_aside, remove

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "atomic_directory",
    "atomic_path",
    "check_writable",
    "refuse_existing",
    "save_array",
    "save_tensors",
]


def refuse_existing(path: Path, *, overwrite: bool = False) -> None:
    """Raise `InputError` where `path` exists already and may not be replaced."""
    if path.exists() and not overwrite:
        raise InputError(
            f"{path} exists already; name another output, or allow it to be replaced (--overwrite)"
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # which would sound as if the output existed
        raise NotADirectoryError(
            errno.ENOTDIR, f"{folder} is a file where a folder is needed"
        ) from error


def check_writable(path: Path) -> None:
    """Raise `WordsightError` where nothing could be written at `path`, before the work is done.

    A file without a name is made, and gone again, in the folder of `path` or, where that is
    missing, in the nearest one above it that is there: permissions alone do not tell of read-only
    disks, and tell nothing to the superuser.
    """
    folder = path.absolute().parent
    try:
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _write_error(path, error) from error


def _write_error(path: Path, error: OSError) -> WordsightError:
    reason = error.strerror or str(error) or type(error).__name__
    return WordsightError(
        f"cannot write {path}: {reason}; nothing was left behind: make room there, or name another "
        "output"
    )


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends well.

    Parameters
    ----------
    path : path-like
        The file to be written. Its folder is made where it is missing.

    Yields
    ------
    pathlib.Path
        Write here. The ending is that of `path`, so libraries that look at it are content.

    Raises
    ------
    InputError
        `path` is a directory, a device or a pipe, which no file may take the place of.
    WordsightError
        The disk is full, the folder is read-only, and the like.
    """
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            raise InputError(f"{target} exists and is not a file; name a file to write")
        _make_folder(target.parent)
        with claimed(target) as temporary:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            _give_ordinary_permissions(temporary)
            temporary.replace(target)
    except OSError as error:
        raise _write_error(target, error) from error


@contextmanager
def atomic_directory(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary directory beside `path` that takes its place when the block ends well.

    Parameters
    ----------
    path : path-like
        The directory to be made.
    overwrite : bool, default False
        Replace `path` where it exists; otherwise an existing one is refused.

    Yields
    ------
    pathlib.Path
        Write files here.

    Raises
    ------
    InputError
        `path` exists and `overwrite` is false.
    WordsightError
        The disk is full, the folder is read-only, and the like.
    """
    target = Path(path)
    try:
        refuse_existing(target, overwrite=overwrite)
        _make_folder(target.parent)
        with claimed(target, folder=True) as temporary:
            refuse_existing(target, overwrite=overwrite)  # an old one may have been put back
            yield temporary
            # the files too: safetensors writes ones that only their owner can read
            for written in (temporary, *temporary.rglob("*")):
                if written.is_symlink():  # what it leads to is not ours
                    continue
                _give_ordinary_permissions(written)
            _swap(temporary, target)
    except OSError as error:
        raise _write_error(target, error) from error


def save_array(path: Path, array: "NDArray[Any]") -> None:
    """Write an array as `numpy.save` does, which itself does not tell why a disk takes no more."""
    import numpy as np  # noqa: PLC0415 - this module is imported before every command

    with path.open("wb") as file:
        np.save(_Write(file.write), array, allow_pickle=False)


@dataclass(frozen=True)
class _Write:
    """A file for NumPy, which goes around Python where it sees a real one."""

    write: Callable[[bytes], object]


def save_tensors(
    path: Path,
    tensors: "Mapping[str, np.ndarray[Any, Any]]",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays as safetensors; a disk that takes no more is an `OSError`, as for every file."""
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.numpy import save_file  # noqa: PLC0415

    try:
        save_file(dict(tensors), path, metadata=None if metadata is None else dict(metadata))
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _swap(new: Path, target: Path) -> None:
    """Put the directory `new` at `target`; an old one is at `new` afterwards, or gone."""
    if not target.exists():
        try:
            new.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return
    # it was there, or another process was first
    if not exchange(new, target):
        _swap_in_two_steps(new, target)


def _swap_in_two_steps(new: Path, target: Path) -> None:
    """Put an old directory aside until the new one stands, where both at once is not possible."""
    old, handle = put_aside(target)
    try:
        new.rename(target)
    finally:
        # whatever stopped it, an interrupt too; and what cannot be put back is not removed
        if not target.exists():
            old.rename(target)
        remove(old)
        if handle is not None:
            os.close(handle)


def _give_ordinary_permissions(path: Path) -> None:
    """Undo the private mode that `tempfile` sets, following the process's umask."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
