"""Files that appear whole or not at all.

Everything the library writes goes to a temporary name in the same folder and is renamed when it
is complete, so that an interrupt, a crash or a full disk never leaves a half-written file under a
name that somebody will read.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wordsight.exceptions import InputError, WordsightError

__all__ = ["atomic_directory", "atomic_path", "refuse_existing"]


def refuse_existing(path: Path, *, overwrite: bool = False) -> None:
    """Raise `InputError` where `path` exists already and may not be replaced."""
    if path.exists() and not overwrite:
        raise InputError(
            f"{path} exists already; name another output, or allow it to be replaced (--overwrite)"
        )


def _write_error(path: Path, error: OSError) -> WordsightError:
    reason = error.strerror or str(error)
    return WordsightError(f"cannot write {path}: {reason}; nothing was left behind")


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
    WordsightError
        The disk is full, the folder is read-only, and the like.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix="".join(target.suffixes[-2:]), dir=target.parent
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        _give_ordinary_permissions(temporary)
        temporary.replace(target)
    except OSError as error:
        raise _write_error(target, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


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
    refuse_existing(target, overwrite=overwrite)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        yield temporary
        _give_ordinary_permissions(temporary)
        _swap(temporary, target)
    except OSError as error:
        raise _write_error(target, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, target: Path) -> None:
    """Put the directory `new` at `target`, setting an old one aside until the new one stands."""
    if not target.exists():
        new.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(aside / target.name)
    try:
        new.rename(target)
    except OSError:
        (aside / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _give_ordinary_permissions(path: Path) -> None:
    """Undo the private mode that `tempfile` sets, following the process's umask."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
