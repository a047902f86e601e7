"""Bytes of a file, plain or gzip, and their lines: nothing here knows what the lines mean."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from wordsight.exceptions import DataError, InputError

__all__ = ["broken_file", "is_gzip", "line_blocks", "open_bytes"]

_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK_BYTES = 1 << 20
# a row of 100,000 numbers fits; a file without line ends must not be read into memory whole
_LONGEST_LINE = 4 << 20


def broken_file(path: Path, reason: str) -> DataError:
    """Return the one error for a file that does not hold what it should."""
    return DataError(
        f"cannot read word vectors from {path}: {reason} (mend the file or fetch it again)"
    )


def is_gzip(path: Path) -> bool:
    """Say whether a file that is there is gzip."""
    with path.open("rb") as plain:
        return plain.read(2) == _GZIP_MAGIC


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacking gzip, which its first two bytes give away.

    Parameters
    ----------
    path : pathlib.Path
        The file, with any name.

    Yields
    ------
    binary file
        The unpacked bytes. The block inside should do nothing but read: what goes wrong in it is
        reported as a fault of this file.

    Raises
    ------
    InputError
        There is no such file, it is a folder, or it may not be read.
    DataError
        The compressed data are damaged or end too early.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file of word vectors in it")
    try:
        with path.open("rb") as plain:
            if plain.peek(2).startswith(_GZIP_MAGIC):
                with gzip.open(plain) as unpacked, io.BufferedReader(unpacked) as stream:
                    yield stream
            else:
                yield plain
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}; name a file of word vectors") from error
    except EOFError as error:
        raise broken_file(path, "its compressed data end too early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise broken_file(path, "its compressed data are damaged") from error
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}; make it readable"
        ) from error


def line_blocks(stream: BinaryIO, path: Path) -> Iterator[tuple[int, list[bytes]]]:
    r"""Yield lines in blocks of about a megabyte, split at ``\n`` and nowhere else.

    Words may hold any other line separator (U+2028, a form feed, a lone carriage return), so
    ``splitlines`` would cut them in two.

    Parameters
    ----------
    stream : binary file
        Read from where it stands.
    path : pathlib.Path
        Named in errors.

    Yields
    ------
    tuple of int and list of bytes
        The number of the first line, counted from 1, and the lines without their ``\n``.

    Raises
    ------
    DataError
        A line is longer than any row of word vectors.
    """
    number, rest = 1, b""
    while chunk := stream.read(_BLOCK_BYTES):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > _LONGEST_LINE:
            raise broken_file(path, f"line {number + len(lines)} is too long for a row of numbers")
        if lines:
            yield number, lines
        number += len(lines)
    if rest:
        yield number, [rest]
