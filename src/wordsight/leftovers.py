"""Temporary files beside an output, and what is left of them where a process was killed.

What is written lies in a room: a folder beside its target, under a hidden name made of the target's
name and a small number, with a file that its maker holds a lock on (flock). The lock ends with the
process, however that ends. A room that nobody holds was left by a process that is dead, and whoever
writes the same target next removes it; one that is held belongs to a process at work, and is left
alone. What is in it may be replaced by another file, as some libraries do when they write, without
the lock being lost, and is gone from it when it takes the target's place. Where the system or the
file system knows no such locks, nothing is removed.
"""

import ctypes
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

__all__ = ["claimed", "exchange", "hidden_name", "hold", "is_at", "put_aside", "remove"]

_LONGEST_ENDING = 16
_CLEARED = 8
"""How many numbers are looked at: as many processes may write one target at once."""

_OLD = "old"
_LOCK = "lock"
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE


def hidden_name(target: Path, ending: str) -> Path:
    """Return a name beside `target`; not its own, which may be as long as names can be already."""
    name = hashlib.blake2b(os.fsencode(target.name), digest_size=8).hexdigest()
    return target.parent / f".unfinished-{name}{ending}"


@contextmanager
def claimed(target: Path, *, folder: bool = False) -> Iterator[Path]:
    """Make a temporary file or folder for `target`; it is gone when the block ends.

    What dead processes left for the same target is cleared away first.

    Parameters
    ----------
    target : pathlib.Path
        Its folder must be there.
    folder : bool, default False
        Make a folder.

    Yields
    ------
    pathlib.Path
        An empty file or folder that only its owner can read, on the disk of `target`. A file's
        ending is that of `target`, so that libraries that look at it are content.
    """
    _clear_away(target)
    room, handle = _claim(target)
    try:
        place = room / ("new" if folder else f"new{_ending(target.name)}")
        if folder:
            place.mkdir(mode=0o700)
        else:
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        yield place
    finally:
        _remove_room(room)
        if handle is not None:
            os.close(handle)


def put_aside(folder: Path) -> tuple[Path, int | None]:
    """Give a folder a hidden name, under which it is found again should this process die.

    Returns
    -------
    pathlib.Path
        Where it is now.
    int or None
        The handle of its lock, to be closed when it is removed.
    """
    aside, handle = _numbered(folder, _OLD), hold(folder)
    try:
        folder.rename(aside)
    except BaseException:
        if handle is not None:
            os.close(handle)
        raise
    return aside, handle


def exchange(one: Path, other: Path) -> bool:
    """Let two paths change places in one step; tell whether that was possible.

    Linux does (renameat2) on nearly all of its file systems.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def hold(place: Path) -> int | None:
    """Lock a file or folder for as long as this process lives or the handle is open.

    Returns
    -------
    int or None
        An open file descriptor; None where there are no locks.

    Raises
    ------
    BlockingIOError
        A process at work holds it.
    OSError
        It is not there, or may not be opened.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    # NFS locks for writing only what is open for it, which a folder cannot be
    handle = os.open(place, os.O_RDONLY if place.is_dir() else os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        os.close(handle)
        return None
    return handle


def remove(place: Path) -> None:
    """Remove a file, a link or a whole folder, as far as it can be."""
    with suppress(OSError):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def _claim(target: Path) -> tuple[Path, int | None]:
    """Make a room for a target, and hold it."""
    for number in count():
        room = _numbered(target, f"{number}")
        lock = room / _LOCK
        try:
            room.mkdir(mode=0o700)
        except FileExistsError:
            continue
        # where it is gone, or another's: taken for a dead one's before it was held
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except (FileExistsError, FileNotFoundError):
            continue
        except OSError:
            with suppress(OSError):
                room.rmdir()
            raise
        try:
            handle = hold(lock)
        except (BlockingIOError, FileNotFoundError):
            continue
        except OSError:
            _remove_room(room)
            raise
        if handle is None or is_at(handle, lock):
            return room, handle
        os.close(handle)
    raise AssertionError("numbers do not end")


def _remove_room(room: Path) -> None:
    """Remove a room; its lock last, by which what is left of it is known."""
    with suppress(OSError):
        for place in list(room.iterdir()):
            if place.name != _LOCK:
                remove(place)
        remove(room / _LOCK)
        room.rmdir()


def _clear_away(target: Path) -> None:
    """Remove what dead processes left for a target, but for its old content where that is all."""
    for number in range(_CLEARED):
        room = _numbered(target, f"{number}")
        with suppress(OSError):
            room.rmdir()  # one in which there is no lock yet, or no more
        with _held(room / _LOCK) as held:
            if held:
                _remove_room(room)
    old = _numbered(target, _OLD)
    if old.is_symlink():  # the target was one; there is nothing in it to be held
        remove(old)
    with _held(old) as held:
        if held and not target.exists():
            old.rename(target)
        elif held:
            remove(old)


@contextmanager
def _held(place: Path) -> Iterator[bool]:
    """Hold what lies at a path for the block; tell whether it is there and nobody held it."""
    try:
        handle = hold(place)
    except OSError:
        handle = None
    if handle is None:
        yield False
        return
    try:
        yield is_at(handle, place)
    finally:
        os.close(handle)


def is_at(handle: int, place: Path) -> bool:
    """Tell whether an open file is still the one that lies at a path."""
    try:
        return os.path.samestat(os.fstat(handle), place.stat())
    except FileNotFoundError:
        return False


def _numbered(target: Path, name: str) -> Path:
    return hidden_name(target, f"-{name}")


def _ending(name: str) -> str:
    """Return the ending of a file's name, such as ``.txt.gz``; a long one is no ending."""
    return "".join(part for part in Path(name).suffixes[-2:] if len(part) <= _LONGEST_ENDING)
