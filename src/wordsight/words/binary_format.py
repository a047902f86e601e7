r"""The binary table of word2vec.

A header line ``n d``; then for each word its bytes, a space, and d little-endian float32 numbers,
followed by a ``\n`` (as the original program writes) or not (as gensim does).

Reading with a selection stops as soon as all words were met; the rest of the file is then not
verified.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.words.byte_stream import broken_file
from wordsight.words.row_table import RowCollector, WordTable
from wordsight.words.selection import Selection
from wordsight.words.text_format import parse_header

__all__ = ["read_binary", "write_binary"]

_BLOCK_BYTES = 1 << 20
_BLOCK_ROWS = 16_384
_LONGEST_WORD = 1 << 16
_LARGEST_DIMENSION = 100_000


class _Rows:
    """Words and the bytes of their vectors, one after another from a stream."""

    def __init__(self, stream: BinaryIO, dimension: int) -> None:
        self._stream = stream
        self._size = 4 * dimension
        self._buffer = b""
        self._at = 0

    def next(self) -> tuple[bytes, bytes] | None:
        """Return the next word and vector, or None where the file ends or has no word."""
        while True:
            cut = self._buffer.find(b" ", self._at)
            if cut >= 0 and cut + 1 + self._size <= len(self._buffer):
                break
            if cut < 0 and len(self._buffer) - self._at > _LONGEST_WORD:
                return None
            if not self._refill():
                return None
        word = self._buffer[self._at : cut].lstrip(b"\n")
        self._at = cut + 1 + self._size
        return word, self._buffer[cut + 1 : self._at]

    def at_end(self) -> bool:
        """Say whether nothing but line breaks is left."""
        while not self._buffer[self._at :].strip(b"\r\n"):
            self._at = len(self._buffer)
            if not self._refill():
                return True
        return False

    def _refill(self) -> bool:
        more = self._stream.read(max(_BLOCK_BYTES, self._size))
        self._buffer, self._at = self._buffer[self._at :] + more, 0
        return bool(more)


def read_binary(stream: BinaryIO, path: Path, *, selection: Selection | None) -> WordTable:
    """Read a binary table.

    Parameters
    ----------
    stream : binary file
        At its beginning, unpacked.
    path : pathlib.Path
        Named in errors.
    selection : Selection or None
        Which words to keep.

    Returns
    -------
    WordTable
        Vectors in float32.

    Raises
    ------
    DataError
        The file is truncated, goes on after the last word that its header promises, or holds a
        number that is not finite.
    """
    header = parse_header(stream.readline(64).removesuffix(b"\n"))
    if header is None:
        raise broken_file(path, "line 1 is no word2vec header, which is two whole numbers")
    promised, dimension = header
    if not 0 < dimension <= _LARGEST_DIMENSION:
        raise broken_file(path, f"its header promises vectors of {dimension} numbers")
    table = RowCollector(path, dimension, selection, "word")
    rows = _Rows(stream, dimension)
    kept: list[bytes] = []
    places: list[int] = []
    # what is promised is never allocated: memory grows with what is found
    for at in range(1, promised + 1):
        if (row := rows.next()) is None:
            raise broken_file(
                path, f"its header promises {promised} words, and it ends in word {at}"
            )
        if table.wants(row[0], at):
            kept.append(row[1])
            places.append(at)
        if len(kept) == _BLOCK_ROWS:
            table.add(_as_rows(kept, dimension), places)
            kept, places = [], []
        if table.complete:
            break
    if kept:
        table.add(_as_rows(kept, dimension), places)
    if not table.complete and not rows.at_end():
        raise broken_file(path, f"its header promises {promised} words, and it goes on after them")
    return table.finish()


def _as_rows(kept: list[bytes], dimension: int) -> NDArray[np.float32]:
    flat = np.frombuffer(b"".join(kept), dtype="<f4").astype(np.float32)
    return flat.reshape(len(kept), dimension)


def write_binary(stream: BinaryIO, words: Sequence[str], vectors: NDArray[np.floating]) -> None:
    r"""Write a binary table, with a ``\n`` after each vector, as the original program does.

    Parameters
    ----------
    stream : binary file
        Where to.
    words : sequence of str
        (n,).
    vectors : ndarray
        (n, d), written in float32.

    Raises
    ------
    InputError
        A word has a space or a line break, which end a word in this format.
    """
    for word in words:
        if " " in word or "\n" in word:
            raise InputError(
                f"the word {word!r} has a space or a line break, which the binary format cannot"
                " hold; save as .safetensors"
            )
    stream.write(b"%d %d\n" % vectors.shape)
    for word, row in zip(words, vectors.astype("<f4", copy=False), strict=True):
        stream.write(word.encode("utf-8") + b" " + row.tobytes() + b"\n")
