"""``.mat`` files of versions 5 to 7.2, in plain Python: SciPy's reader crashes on damaged ones.

The format is MathWorks' "MAT-File Format". A file is a header of 128 bytes and elements; an
element is a tag of 8 bytes (what, and how many bytes) and these bytes. A variable is an element
of elements: flags with its class, dimensions, a name, then numbers, or a variable for each cell.
"""

import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_TEXTS", "read_mat5"]

MOST_TEXTS = 1 << 20
"""Texts in one variable above which a file is not believed."""

_HEADER = 128
_START = 1 << 12
"""Bytes within which a variable has told its class, its dimensions and its name."""
_PIECE = 1 << 20

_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
_VARIABLE, _COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_TEXTS = {1: "ascii", 2: "ascii", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_FLAGS_TYPE, _SHAPE_TYPES, _NAME_TYPES = 6, (5, 6), (1, 2, 16)  # in use, beyond what is specified
_OF_CELLS, _OF_TEXT, _OF_NUMBERS, _OPAQUE = 1, 4, range(6, 16), 17
_COMPLEX = 0x08
_MOST_SIDES = 32  # of an array of NumPy's


class _Variable(NamedTuple):
    """What a variable says of itself, and the elements that follow."""

    name: str
    kind: int
    flags: int
    shape: tuple[int, ...]
    rest: memoryview


def read_mat5(
    place: Path, names: Sequence[str], check_size: Callable[[Path, str, Sequence[int]], None]
) -> dict[str, NDArray[Any]]:
    """Read some variables.

    Parameters
    ----------
    place : Path
    names : sequence of str
    check_size : callable (place, name, shape)
        Told the shape of each of them before its values are read; raises where it is absurd.

    Returns
    -------
    dict of str to ndarray
        Numbers, of the type that they are stored in; texts, alone or in cells, as one row of
        texts. Variables that the file lacks are left out.

    Raises
    ------
    ValueError, zlib.error
        The file is of another version, truncated or damaged, or one of the variables holds
        neither real numbers nor texts.
    """
    found: dict[str, NDArray[Any]] = {}
    with place.open("rb") as file:
        order = _ORDERS.get(file.read(_HEADER)[124:])
        if order is None:
            raise ValueError("it does not begin like version 5 to 7.3")
        for start, read in _stored(file, order):
            told = _variable(start, order)
            if told.name not in names:
                continue
            if told.name in found:
                raise ValueError(f"{told.name} is there twice")
            check_size(place, told.name, told.shape)
            found[told.name] = _values(_variable(read(), order), order)
    return found


def _stored(file: BinaryIO, order: str) -> Iterator[tuple[memoryview, Callable[[], memoryview]]]:
    """Yield how each variable starts, and what reads the whole of it."""
    size = os.fstat(file.fileno()).st_size
    at = _HEADER
    while at < size:
        file.seek(at)
        kind, n_bytes = _tag(file.read(8), order)
        at += 8
        if at + n_bytes > size:
            raise ValueError("it ends early")
        start = memoryview(file.read(min(n_bytes, _START)))
        read = partial(_plain, file, at, n_bytes)
        if kind == _COMPRESSED:
            start = memoryview(zlib.decompressobj().decompress(start, _START))
            kind, n_inside = _tag(start, order)
            start = start[8:]
            read = partial(_decompressed, file, at, n_bytes, 8 + n_inside)
        if kind != _VARIABLE:
            raise ValueError(f"an element of type {kind} stands where a variable should")
        yield start, read
        at += n_bytes


def _plain(file: BinaryIO, at: int, n_bytes: int) -> memoryview:
    file.seek(at)
    return memoryview(file.read(n_bytes))


def _decompressed(file: BinaryIO, at: int, n_bytes: int, n_inside: int) -> memoryview:
    """Decompress no more than what it says; a sum at its end has to agree."""
    file.seek(at)
    decoder, content = zlib.decompressobj(), bytearray()
    while n_bytes and len(content) <= n_inside and (packed := file.read(min(n_bytes, _PIECE))):
        n_bytes -= len(packed)
        content += decoder.decompress(packed, n_inside + 1 - len(content))
    if n_bytes or not decoder.eof or len(content) != n_inside:
        raise ValueError("a variable has another size than it says")
    return memoryview(content)[8:]


def _tag(view: bytes | memoryview, order: str) -> tuple[int, int]:
    """Return the type and the number of bytes of the element that begins here."""
    if len(view) < 8:
        raise ValueError("it ends early")
    kind, n_bytes = struct.unpack(f"{order}II", view[:8])
    return kind, n_bytes


def _element(view: memoryview, order: str) -> tuple[int, memoryview, memoryview]:
    """Return the type of the first element, its bytes, and what follows it."""
    kind, n_bytes = _tag(view, order)
    if kind > 0xFFFF:  # small: the size and the type share four bytes, and four more are the data
        kind, n_bytes = kind & 0xFFFF, kind >> 16
        if n_bytes > 4:
            raise ValueError("a small element is too large")
        return kind, view[4 : 4 + n_bytes], view[8:]
    end = 8 + n_bytes
    if end > len(view):
        raise ValueError("it ends early")
    return kind, view[8:end], view[end + -n_bytes % 8 :]


def _variable(view: memoryview, order: str) -> _Variable:
    """Read what stands before the values."""
    of_flags, flags, view = _element(view, order)
    if of_flags != _FLAGS_TYPE or len(flags) != 8:
        raise ValueError("a variable has no class")
    (word,) = struct.unpack(f"{order}I", flags[:4])
    if word & 0xFF == _OPAQUE:  # laid out in another way; it has no name to be asked for by
        return _Variable("", word & 0xFF, word >> 8, (), view)
    of_shape, shape, view = _element(view, order)
    of_name, name, view = _element(view, order)
    if of_shape not in _SHAPE_TYPES or of_name not in _NAME_TYPES or len(shape) % 4:
        raise ValueError("a variable has no dimensions or no name")
    sides = struct.unpack(f"{order}{len(shape) // 4}i", shape)
    if not 2 <= len(sides) <= _MOST_SIDES or min(sides) < 0:
        raise ValueError("a variable has impossible dimensions")
    return _Variable(bytes(name).decode("latin-1"), word & 0xFF, word >> 8, sides, view)


def _values(variable: _Variable, order: str) -> NDArray[Any]:
    if variable.kind == _OF_CELLS:
        return np.array(_texts_of_cells(variable, order), dtype=np.str_)
    if variable.kind == _OF_TEXT:
        return np.array(_texts(variable, order), dtype=np.str_)
    kind, content, rest = _element(variable.rest, order)
    if variable.kind not in _OF_NUMBERS or variable.flags & _COMPLEX or kind not in _NUMBERS:
        raise ValueError(f"{variable.name} holds neither real numbers nor texts")
    dtype = np.dtype(order + _NUMBERS[kind])
    if len(content) != math.prod(variable.shape) * dtype.itemsize or rest:
        raise ValueError(f"{variable.name} holds more or fewer numbers than its shape says")
    values = np.ndarray(variable.shape, dtype, content, order="F")
    return values.astype(dtype.newbyteorder("="), copy=False)


def _texts_of_cells(variable: _Variable, order: str) -> list[str]:
    n_cells, rest = math.prod(variable.shape), variable.rest
    if n_cells > MOST_TEXTS:
        raise ValueError(f"{variable.name} has {n_cells:,} cells, more than {MOST_TEXTS:,}")
    found = []
    for _ in range(n_cells):
        kind, content, rest = _element(rest, order)
        texts = _texts(_variable(content, order), order) if kind == _VARIABLE else []
        if len(texts) != 1:
            raise ValueError(f"a cell of {variable.name} holds no text")
        found += texts
    return found


def _texts(variable: _Variable, order: str) -> list[str]:
    """Return the rows of a matrix of letters, which lie column by column."""
    kind, content, _rest = _element(variable.rest, order)
    if variable.kind != _OF_TEXT or kind not in _TEXTS:
        raise ValueError("there is no text where one should be")
    codec = _TEXTS[kind]
    if codec[-2:] in {"16", "32"}:
        codec += "-le" if order == "<" else "-be"
    text = bytes(content).decode(codec)
    n_rows, size = variable.shape[0], math.prod(variable.shape)
    # a letter beyond the 16 bits of MATLAB's counts twice
    lengths = {len(text), len(text.encode("utf-16-le")) // 2 if n_rows == 1 else len(text)}
    # NumPy drops zeros at the end of a text
    if not 0 < n_rows <= MOST_TEXTS or not text or size not in lengths or "\0" in text:
        raise ValueError("a text is empty, or of another length than its shape says")
    return [text[row::n_rows] for row in range(n_rows)]
