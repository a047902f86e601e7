r"""Files of word vectors: which format a file is in, reading it, writing one.

- ``word2vec-text``: a header ``n d``, then a word and d numbers a line. fastText's ``.vec`` is
  the same. Written for the endings ``.txt``, ``.vec``, ``.txt.gz`` and ``.vec.gz``.
- ``word2vec-binary``: a header ``n d``, then words and float32 numbers; ``.bin`` and ``.bin.gz``.
- ``glove``: text without a header; written when asked for.
- ``safetensors``: numbers and words as tensors, as Wordsight saves them; ``.safetensors``.

What a file holds decides how it is read, not its name, and gzip is unpacked on the way. A header
is held to, whichever way it is wrong. Words that are not valid UTF-8 are kept with U+FFFD in place
of the broken bytes, and of a word that comes twice the first row wins; each is warned about once.
"""

import gzip
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.storage import atomic_path
from wordsight.words.binary_format import read_binary, write_binary
from wordsight.words.byte_stream import broken_file, open_bytes
from wordsight.words.row_table import WordTable
from wordsight.words.safetensors_format import read_safetensors, write_safetensors
from wordsight.words.selection import Selection
from wordsight.words.text_format import (
    looks_like_text_row,
    n_trailing_numbers,
    parse_header,
    read_text,
    starts_with_header,
    write_text,
)

__all__ = ["FORMATS", "detect_format", "read_table", "write_table"]

FORMATS = ("word2vec-text", "word2vec-binary", "glove", "safetensors")
_ENDINGS = {
    ".txt": "word2vec-text",
    ".vec": "word2vec-text",
    ".bin": "word2vec-binary",
    ".safetensors": "safetensors",
}
_HEAD_BYTES = 1 << 16
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_LARGEST_SAFETENSORS_HEADER = 100_000_000


def detect_format(path: str | os.PathLike[str]) -> str:
    """Say which format a file is in, from its first bytes.

    A binary table of a handful of numbers, whose bytes happen to be all letters, is taken for
    text; reading it then fails, unless the format is given.

    Parameters
    ----------
    path : path-like
        The file, plain or gzip.

    Returns
    -------
    str
        One of `FORMATS`.

    Raises
    ------
    InputError
        There is no such file, or it may not be read.
    DataError
        It is in none of the formats.
    """
    file = Path(path)
    with open_bytes(file) as stream:
        head = stream.read(_HEAD_BYTES)
    if not head:
        raise broken_file(file, "it is empty")
    if head.startswith(b"PK\x03\x04"):
        raise broken_file(file, "it is a zip archive; unpack it and name the file inside")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _LARGEST_SAFETENSORS_HEADER:
        return "safetensors"
    first, *others = head.split(b"\n")
    header = parse_header(first)
    if header is not None:
        if _is_binary(head[len(first) + 1 :], dimension=header[1]):
            return "word2vec-binary"
        return (
            "word2vec-text" if starts_with_header(first, others[0] if others else b"") else "glove"
        )
    if any(looks_like_text_row(line) for line in [first, *others[:9]]):
        return "glove"
    raise broken_file(file, f"it is in none of the formats {', '.join(FORMATS)}")


def _is_binary(rows: bytes, dimension: int) -> bool:
    # fewer than the header promises may be the bytes of a number, such as b"_p\t1"
    if n_trailing_numbers(rows.partition(b"\n")[0]) >= max(1, dimension):
        return False
    # a damaged row of text is still text: float32 numbers are hardly ever all printable
    start = rows.find(b" ") + 1
    return bool(rows[start : start + max(64, 4 * dimension)].translate(None, _PRINTABLE))


def read_table(
    path: str | os.PathLike[str], *, format: str = "auto", only: Iterable[str] | None = None
) -> WordTable:
    """Read the words and vectors of a file.

    Parameters
    ----------
    path : path-like
        The file, plain or gzip.
    format : str, default "auto"
        One of `FORMATS`, or "auto" to go by what the file holds.
    only : iterable of str or None
        Keep only the words under which these names can be looked up, in a single pass with memory
        for these alone. Reading ends when every name was met exactly as given; the rest of the
        file is then not verified.

    Returns
    -------
    WordTable
        The words in the order of the file, and their vectors.

    Raises
    ------
    InputError
        The file is not there, or an argument is wrong.
    DataError
        The file is broken; the sentence says where.
    """
    file = Path(path)
    if format not in (*FORMATS, "auto"):
        raise InputError(f"format={format!r} is unknown; use one of auto, {', '.join(FORMATS)}")
    selection = None if only is None else Selection(only)
    kind = detect_format(file) if format == "auto" else format
    table = _read(file, kind, selection)
    if not table.words and selection is None:
        raise broken_file(file, "it holds no words")
    return table


def _read(file: Path, kind: str, selection: Selection | None) -> WordTable:
    if kind == "safetensors":
        return read_safetensors(file, selection=selection)
    with open_bytes(file) as stream:
        if kind == "word2vec-binary":
            return read_binary(stream, file, selection=selection)
        return read_text(stream, file, header=kind == "word2vec-text", selection=selection)


def write_table(
    path: str | os.PathLike[str],
    words: Sequence[str],
    vectors: NDArray[np.floating],
    *,
    format: str | None = None,
    source: str = "",
) -> None:
    """Write words and vectors to a file, which appears whole or not at all.

    Text and binary hold float32; safetensors keeps float64.

    Parameters
    ----------
    path : path-like
        The file; one that is there is replaced. A name that ends in ``.gz`` is written as gzip.
    words : sequence of str
        (n,).
    vectors : ndarray
        (n, d).
    format : str or None
        One of `FORMATS`; None goes by the name's ending.
    source : str
        Where the vectors come from; safetensors remembers it.

    Raises
    ------
    InputError
        The ending or format is unknown, or the format cannot hold a word.
    WordsightError
        The file cannot be written.
    """
    file = Path(path)
    packed = file.suffix.lower() == ".gz"
    ending = file.with_suffix("").suffix.lower() if packed else file.suffix.lower()
    kind = format or _ENDINGS.get(ending, "")
    if kind not in FORMATS:
        raise InputError(
            f"cannot tell a format from {format or file.name!r}; end the name in .txt, .vec, .bin"
            f" (or these with .gz) or .safetensors, or give one of the formats {', '.join(FORMATS)}"
        )
    if kind == "safetensors" and packed:
        raise InputError(f"{file.name} asks for safetensors inside gzip; leave the .gz away")
    if kind != "safetensors":
        with np.errstate(over="ignore"):
            vectors = vectors.astype(np.float32, copy=False)
        if not np.isfinite(vectors).all():
            raise InputError("the vectors are too large for float32; save as .safetensors")
    with atomic_path(file) as temporary:
        if kind == "safetensors":
            write_safetensors(temporary, words, vectors, source=source)
            return
        with _writable(temporary, packed=packed) as stream:
            if kind == "word2vec-binary":
                write_binary(stream, words, vectors)
            else:
                write_text(stream, words, vectors, header=kind == "word2vec-text")


@contextmanager
def _writable(path: Path, *, packed: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as plain:
        if not packed:
            yield plain
            return
        # neither time nor name goes into the header: the same table gives the same bytes
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=plain, mtime=0) as stream:
            yield cast(BinaryIO, stream)
