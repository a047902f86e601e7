"""Named members of a tar archive, read as a stream and never put on disk.

The archive comes from elsewhere and is not trusted. What is looked for are a few plain files with
known short names, so the walk below knows plain files alone: links, devices, sparse files and the
extended headers that rename or resize what follows are stepped over, and nothing in the archive
decides about a path. The standard `tarfile` follows all of these, at the price of headers that
can be crafted to keep it busy without end in Python versions that are still in use.
"""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from wordsight.data.tar_members import BLOCK, header_number, is_header
from wordsight.exceptions import DataError

__all__ = ["first_names", "read_members"]

_CHUNK = 1 << 20
_MOST_BYTES = 1 << 28  # the official archives unpack to 185 MB
_MOST_MEMBERS = 1000


def first_names(path: Path, most: int = 2) -> list[str]:
    """Name the first files of a ``.tar`` or ``.tar.gz`` archive, without their folders.

    What is damaged, or no archive, has no more names. This is for telling archives apart: few names
    do, and what stands before the next has to be unpacked.
    """
    names: list[str] = []
    try:
        with path.open("rb") as file, _unpacked(file) as unpacked:
            for name, _ in _plain_files(_Stream(path, unpacked)):
                names.append(name.rpartition("/")[2])
                if len(names) == most:
                    break
    except (DataError, EOFError, OSError, zlib.error):
        pass
    return names


def read_members(
    path: Path, wanted: Mapping[str, int]
) -> tuple[dict[str, NDArray[np.uint8]], frozenset[str]]:
    """Read files from a ``.tar`` or ``.tar.gz`` archive by their names.

    Parameters
    ----------
    path : pathlib.Path
        The archive, told apart by its first bytes.
    wanted : mapping of str to int
        The names of the files, without a folder, and the most bytes that each may have.

    Returns
    -------
    found : dict of str to ndarray of uint8
        The content of those files that are there: memory-mapped where the archive is not
        compressed, in memory where it is.
    names : frozenset of str
        The names of all files in the archive that stand in no folder or in one.

    Raises
    ------
    DataError
        The archive is truncated, corrupt or no archive, holds a wanted file twice or too large,
        or unpacks to far more than the data sets it could be.
    """
    try:
        with path.open("rb") as file, _unpacked(file) as unpacked:
            return _walk(_Stream(path, unpacked), wanted, mapped=unpacked is file)
    except (EOFError, OSError, zlib.error) as error:
        raise _broken(path, str(error)) from error


@contextmanager
def _unpacked(file: BinaryIO) -> Iterator[BinaryIO]:
    """Decompress a file that is compressed; yield any other as it is."""
    compressed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not compressed:
        yield file
        return
    with gzip.GzipFile(fileobj=file) as unpacked:
        yield cast(BinaryIO, unpacked)


def _walk(
    stream: "_Stream", wanted: Mapping[str, int], *, mapped: bool
) -> tuple[dict[str, NDArray[np.uint8]], frozenset[str]]:
    found: dict[str, NDArray[np.uint8]] = {}
    names: set[str] = set()
    for path, size in _plain_files(stream):
        name = _safe_name(path)
        if name:
            names.add(name)
        if name not in wanted:
            continue
        if name in found:
            raise _broken(stream.path, f"it holds {name} twice")
        if size > wanted[name]:
            raise _broken(stream.path, f"{name} has {size} bytes, at most {wanted[name]} expected")
        found[name] = stream.mapped(size) if mapped and size else stream.read(size)
    stream.drain()
    return found, frozenset(names)


def _plain_files(stream: "_Stream") -> Iterator[tuple[str, int]]:
    """Yield name and size of each plain file while the stream stands at its content."""
    for _ in range(_MOST_MEMBERS):
        header = stream.read(BLOCK).tobytes()
        if not any(header):
            return
        if not is_header(header):
            raise _broken(stream.path, "a header in it is not a tar archive's")
        size = header_number(header[124:136])
        if size < 0:
            raise _broken(stream.path, "the size of a member is no number")
        end = stream.position + -(-size // BLOCK) * BLOCK
        if header[156:157] in (b"0", b"\0"):
            yield header[:100].split(b"\0")[0].decode("utf-8", "replace"), size
        stream.skip_to(end)
    raise _broken(stream.path, f"it has more than {_MOST_MEMBERS} members")


def _safe_name(path: str) -> str:
    """Return the file's own name where it stands in no folder or in one, else an empty string."""
    parts = [part for part in path.split("/") if part != "."]
    return parts[-1] if len(parts) <= 2 and ".." not in parts and parts[:1] != [""] else ""


def _broken(path: Path, reason: str) -> DataError:
    return DataError(
        f"cannot read {path}: it is no CIFAR archive, or truncated or corrupt ({reason}); "
        "get it again"
    )


class _Stream:
    """An archive read forwards, which counts its bytes and refuses more than are reasonable."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.position = 0
        self._file = file

    def read(self, size: int) -> NDArray[np.uint8]:
        """Read exactly `size` bytes."""
        self._allow(size)
        content = np.empty(size, dtype=np.uint8)
        rest = content.data
        while rest:
            piece = self._file.read(min(len(rest), _CHUNK))
            if not piece:
                raise _broken(self.path, "it ends too early")
            rest[: len(piece)] = piece
            rest = rest[len(piece) :]
        self.position += size
        return content

    def mapped(self, size: int) -> NDArray[np.uint8]:
        """Map the next `size` bytes of the file into memory, without moving on."""
        if self.position + size > self.path.stat().st_size:
            raise _broken(self.path, "it ends too early")
        return np.memmap(self.path, np.uint8, "r", offset=self.position, shape=(size,))

    def skip_to(self, position: int) -> None:
        """Move forwards to `position`, or stay where the stream is there already."""
        self._allow(position - self.position)
        while self.position < position:
            self.read(min(position - self.position, _CHUNK))

    def drain(self) -> None:
        """Read the rest, so that a compressed file is checked against its checksum."""
        while piece := self._file.read(_CHUNK):
            self._allow(len(piece))
            self.position += len(piece)

    def _allow(self, size: int) -> None:
        if self.position + size > _MOST_BYTES:
            raise _broken(self.path, f"it unpacks to more than {_MOST_BYTES >> 20} MB")
