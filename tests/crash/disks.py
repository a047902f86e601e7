"""Small disks and read-only ones, seen by this process and its children alone; needs root."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEW_NAMESPACE = 0x20000
_READ_ONLY, _REMOUNT, _PRIVATE, _DETACH = 1, 32, 0x4000 | 0x40000, 2
_libc = ctypes.CDLL(None, use_errno=True)

ROOMY = 1 << 30


def own_mounts() -> bool:
    """Let no mount be seen outside from now on; tell whether this process may mount."""
    try:
        _checked(_libc.unshare(NEW_NAMESPACE))
        _mount(None, Path("/"), None, _PRIVATE, "")
    except OSError:
        return False
    return True


@contextmanager
def disk(place: Path) -> Iterator[None]:
    """Mount an empty disk in memory at a folder."""
    _mount("tmpfs", place, "tmpfs", 0, f"size={ROOMY}")
    try:
        yield
    finally:
        _checked(_libc.umount2(os.fsencode(place), _DETACH))


def limit(place: Path, *, n_bytes: int | None = None, n_files: int | None = None) -> None:
    """Leave room for so many more bytes and files alone; None for plenty."""
    now = os.statvfs(place)
    used = (now.f_blocks - now.f_bfree) * now.f_frsize
    size = ROOMY if n_bytes is None else max(used + n_bytes, now.f_frsize)
    inodes = 1_000_000 if n_files is None else now.f_files - now.f_ffree + n_files
    _mount("tmpfs", place, "tmpfs", _REMOUNT, f"size={size},nr_inodes={inodes}")


def forbid_writing(place: Path) -> None:
    """Let the disk be read alone."""
    _mount("tmpfs", place, "tmpfs", _REMOUNT | _READ_ONLY, "")


def _mount(source: str | None, place: Path, kind: str | None, flags: int, options: str) -> None:
    texts = [None if text is None else text.encode() for text in (source, kind)]
    _checked(_libc.mount(texts[0], os.fsencode(place), texts[1], flags, options.encode()))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
