"""The members of an uncompressed tar archive, found by its headers alone.

The archive comes from elsewhere and is not trusted: nothing is extracted, no name in it becomes a
path, and each step of the walk moves on, so that it ends, in memory that no header decides about.
The standard `tarfile` takes three times as long, which counts where shards hold millions of
members, and has had headers that keep it busy without end in versions still in use.

Read are POSIX (ustar and pax) and GNU archives; of extended headers, the name and the size.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wordsight.data.files import shown
from wordsight.exceptions import DataError

__all__ = [
    "BLOCK",
    "Member",
    "broken_archive",
    "header_number",
    "is_header",
    "read_exactly",
    "walk",
]

BLOCK = 512
_END = bytes(BLOCK)
_MOST_HEADER_BYTES = 1 << 16
_LONGEST_NAME = 4096
_TAIL = 1 << 16

_FILES = frozenset({b"0", b"\0", b"7"})
_TELLING = frozenset({b"x", b"X", b"L"})  # of the next member
_EXTENSIONS = _TELLING | {b"g", b"K"}  # of all that follow, and the target of a link
_IN_PIECES = frozenset({b"S", b"M"})  # sparse, or continued from another volume
_WITHOUT_CONTENT = {
    b"1": "it is a link",
    b"2": "it is a link",
    b"3": "it is a device",
    b"4": "it is a device",
    b"5": "it is a folder",
    b"6": "it is a named pipe",
}


class Member(NamedTuple):
    """A member of an archive.

    Attributes
    ----------
    begin : int
        Where its first header begins.
    name : str
        As it stands in the archive, without a leading ``./`` or ``/``.
    offset, size : int
        Where its content begins, and how many bytes it has.
    reason : str
        Why it has no content to read, or an empty string where it is a plain file.
    """

    begin: int
    name: str
    offset: int
    size: int
    reason: str


def walk(file: int, path: Path, start: int = 0) -> Iterator[Member]:
    """Yield the members of an archive, jumping over their content.

    Parameters
    ----------
    file : int
        Descriptor of the open archive, a regular file.
    path : pathlib.Path
        Its path, named in errors.
    start : int, default 0
        The `Member.begin` to start from.

    Yields
    ------
    Member
        Plain files, links, folders and the like.

    Raises
    ------
    DataError
        The archive is truncated or corrupt, or holds what is read in no way: a member stored in
        pieces (sparse), a part of an archive of several volumes, a header or name without measure,
        a name that leads out of the archive.
    """
    end = os.fstat(file).st_size
    position = begin = start
    told: dict[str, str] = {}
    while (header := read_exactly(file, path, position, BLOCK)) != _END:
        if not is_header(header):
            raise broken_archive(path, f"what stands at byte {position} is no header")
        kind = header[156:157]
        position += BLOCK
        size = 0 if kind in _WITHOUT_CONTENT else header_number(header[124:136])
        name = "a header" if kind in _EXTENSIONS else told.get("path") or _name(header)
        if "size" in told and kind in _FILES:
            size = int(told["size"])
        if size < 0 or position + size > end:
            raise broken_archive(path, f"it ends within {_shown(name)}")
        if kind in _EXTENSIONS:
            told |= _extension(file, path, kind, position, size)
        elif kind in _IN_PIECES or "sparse" in told:
            raise broken_archive(
                path,
                f"{_shown(name)} is stored in pieces",
                "pack it again as a plain archive, without --sparse",
            )
        elif kind in _FILES or kind in _WITHOUT_CONTENT:
            yield Member(
                begin, _safe_name(name, path), position, size, _WITHOUT_CONTENT.get(kind, "")
            )
        position += -(-size // BLOCK) * BLOCK
        if kind not in _EXTENSIONS:
            begin, told = position, {}
    if told:
        raise broken_archive(path, "it ends after a header that belongs to a member")
    # padding is of zeros; another archive behind this one would be lost without a word
    if any(_read(file, path, position, _TAIL)):
        raise broken_archive(
            path, "something stands behind its end marker", "pack it again as one archive"
        )


def is_header(header: bytes) -> bool:
    """Tell whether the checksum of a header is right."""
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    return header_number(header[148:156]) == total


def header_number(field: bytes) -> int:
    """Return a number in a header, or -1 where it is none."""
    if field[:1] == b"\x80":  # too large for its digits
        return int.from_bytes(field[1:])
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits.isdigit() else -1
    except ValueError:
        return -1


def broken_archive(path: Path, reason: str, advice: str = "get it again") -> DataError:
    """Return the error of an archive that cannot be read."""
    return DataError(
        f"cannot read {shown(path)}: it is no tar archive, or truncated or corrupt ({reason}); "
        f"{advice}"
    )


def read_exactly(file: int, path: Path, position: int, size: int) -> bytes:
    """Read bytes of an open archive.

    Parameters
    ----------
    file : int
        Its descriptor.
    path : pathlib.Path
        Its path, named in errors.
    position, size : int
        Where they begin, and how many there must be.

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        There are fewer, or they cannot be read.
    """
    content = _read(file, path, position, size)
    if len(content) < size:
        raise broken_archive(path, "it ends too early")
    return content


def _read(file: int, path: Path, position: int, size: int) -> bytes:
    try:
        return os.pread(file, size, position)
    except OSError as error:
        raise broken_archive(path, error.strerror or type(error).__name__) from error


def _extension(file: int, path: Path, kind: bytes, position: int, size: int) -> dict[str, str]:
    """Return what a header tells of the member that follows: path, size, whether it is sparse."""
    if kind not in _TELLING:
        return {}
    if size > _MOST_HEADER_BYTES:
        raise broken_archive(path, f"it holds a header of {size} bytes")
    content = read_exactly(file, path, position, size)
    if kind == b"L":
        return {"path": _decoded(content.split(b"\0")[0])}
    told, at = {}, 0
    while any(content[at : at + 1]):
        digits = content[at : at + 20].split(b" ")[0]
        stop = at + int(digits) if digits.isdigit() else 0
        if not at + len(digits) + 3 < stop <= size:
            raise broken_archive(path, "a header in it is damaged")
        key, _, value = content[at + len(digits) + 1 : stop - 1].partition(b"=")
        at = stop
        if key == b"path":
            told["path"] = _decoded(value)
        elif key == b"size":
            told["size"] = value.decode() if value.isdigit() and len(value) < 20 else "-1"
        elif key.startswith(b"GNU.sparse"):
            told["sparse"] = "yes"
    return told


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return _decoded(prefix + b"/" + name if prefix else name)


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _safe_name(name: str, path: Path) -> str:
    """Return a name that leads nowhere else, as it is shown and told from others."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise broken_archive(path, f"{_shown(name)} leads out of it", "pack it again")
    if len(name) > _LONGEST_NAME or "\0" in name:
        raise broken_archive(path, f"it holds the name {_shown(name)}", "pack it again")
    return "/".join(parts)


def _shown(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:80]}…"
