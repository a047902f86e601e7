r"""Text tables: word2vec and fastText (with a header) and GloVe (without).

A row is a word, one separator, d numbers. Rows end with ``\n`` or ``\r\n`` and are split at
spaces and tabs alone, so that any other white space may stand inside a word. A word may even
contain spaces (``. . .`` in GloVe 840B): the last d fields are the numbers, whatever stands
before them is the word.

The header ``n d`` is held to: another number of rows or of columns is an error. Reading with a
selection stops as soon as all words were met; the rest of the file, its number of rows included,
is then not verified, nor are the numbers in rows that were not asked for.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.words.byte_stream import broken_file, line_blocks
from wordsight.words.row_table import RowCollector, WordTable
from wordsight.words.selection import Selection

__all__ = [
    "looks_like_text_row",
    "n_trailing_numbers",
    "parse_header",
    "read_text",
    "starts_with_header",
    "write_text",
]

_BLANKS = b" \t\r"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEADER = re.compile(rb"[ \t]*(\d{1,18})[ \t]+(\d{1,18})[ \t\r]*")
_FIELD = re.compile(rb"[^ \t]+")
_DIGITS = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_DECIMAL = re.compile(_DIGITS)
_NUMBER = re.compile(_DIGITS + rb"|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)


def parse_header(line: bytes) -> tuple[int, int] | None:
    """Return (rows, dimension) from a line of exactly two whole numbers, otherwise None."""
    match = _HEADER.fullmatch(line.removeprefix(_BYTE_ORDER_MARK))
    return (int(match[1]), int(match[2])) if match else None


def starts_with_header(first: bytes, second: bytes) -> bool:
    """Say whether the first line of a text table is a header.

    Two whole numbers are a header, unless the second line holds one number, which then is not
    what the header promises: such a file is a GloVe table of 1-d vectors whose first word is a
    number.
    """
    header = parse_header(first)
    if header is None:
        return False
    return header[1] == 1 or len(_FIELD.findall(second.rstrip(_BLANKS))) != 2


def looks_like_text_row(line: bytes) -> bool:
    """Say whether the line is a word and at least one number."""
    return n_trailing_numbers(line) > 0


def read_text(
    stream: BinaryIO, path: Path, *, header: bool, selection: Selection | None
) -> WordTable:
    """Read a text table.

    Parameters
    ----------
    stream : binary file
        At its beginning, unpacked.
    path : pathlib.Path
        Named in errors.
    header : bool
        Whether the first line promises the size. Without it, the dimension is the one that most
        of the first rows agree in.
    selection : Selection or None
        Which words to keep.

    Returns
    -------
    WordTable
        Vectors in float32.

    Raises
    ------
    DataError
        A row has too few or too many numbers, or something else than finite numbers, or the
        header is wrong; the message names the line.
    """
    blocks = line_blocks(stream, path)
    _, lines = next(blocks, (1, [b""]))
    lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
    promised = parse_header(lines[0]) if header else None
    if header and promised is None:
        raise broken_file(path, "line 1 is no word2vec header, which is two whole numbers")
    first = 1 if promised is None else 2
    lines = lines[first - 1 :]
    dimension = _usual_dimension(lines) if promised is None else promised[1]
    if not dimension:
        raise broken_file(path, "its first lines are not a word and numbers")
    rows = RowCollector(path, dimension, selection, "line")
    found = _gather(chain([(first, lines)], blocks), path, rows, dimension)
    if promised is not None and found != promised[0] and not rows.complete:
        raise broken_file(path, f"its header promises {promised[0]} words, and it holds {found}")
    return rows.finish()


def _gather(
    blocks: Iterator[tuple[int, list[bytes]]], path: Path, rows: RowCollector, dimension: int
) -> int:
    """Fill `rows` and return how many rows were met."""
    found, blank = 0, 0
    for first, lines in blocks:
        kept: list[bytes] = []
        places: list[int] = []
        for at, line in enumerate(lines, start=first):
            row = line.rstrip(_BLANKS)
            if not row:
                blank = blank or at
                continue
            if blank:
                raise broken_file(path, f"line {blank} is blank, and line {at} is not")
            token, numbers = _split_row(row, dimension, path, at)
            found += 1
            if rows.wants(token, at):
                kept.append(numbers)
                places.append(at)
                if rows.complete:
                    break
        if kept:
            rows.add(_parse_numbers(kept, places, path), places)
        if rows.complete:
            break
    return found


def _split_row(row: bytes, dimension: int, path: Path, at: int) -> tuple[bytes, bytes]:
    """Return the word and its numbers, which are then separated by single spaces."""
    if row.count(b" ") == dimension and b"\t" not in row and b"  " not in row:
        token, _, numbers = row.partition(b" ")
        return token, numbers
    fields = list(_FIELD.finditer(row))
    if len(fields) <= dimension:
        # a word may be missing as well as a number: count what reads as a number
        count = min(n_trailing_numbers(row), len(fields) - 1)
        raise broken_file(path, f"line {at} has {count} numbers instead of {dimension}")
    before = fields[-dimension - 1]
    # a word that ends with a number after a space does not exist in practice, a row with one
    # number too many does
    if len(fields) > dimension + 1 and _DECIMAL.fullmatch(before[0]):
        count = min(n_trailing_numbers(row), len(fields) - 1)
        raise broken_file(path, f"line {at} has {count} numbers instead of {dimension}")
    return row[: before.end()], b" ".join(field[0] for field in fields[-dimension:])


def n_trailing_numbers(row: bytes) -> int:
    """Count the fields at the end of a row that read as numbers, the first field left out."""
    count = 0
    for field in reversed(_FIELD.findall(row.rstrip(_BLANKS))[1:]):
        if not _NUMBER.fullmatch(field):
            break
        count += 1
    return count


def _usual_dimension(lines: Sequence[bytes]) -> int:
    counts = Counter(n_trailing_numbers(line) for line in lines[:1000] if line.strip(_BLANKS))
    return counts.most_common(1)[0][0] if counts else 0


def _parse_numbers(rows: list[bytes], places: list[int], path: Path) -> NDArray[np.float32]:
    texts = b"\n".join(rows).decode("latin-1").split("\n")
    try:
        # numpy's C reader: strict about what a number is, and several times as fast as float()
        return np.loadtxt(texts, dtype=np.float32, delimiter=" ", comments=None, ndmin=2)
    except ValueError:
        for row, at in zip(rows, places, strict=True):
            for field in row.split(b" "):
                if not _NUMBER.fullmatch(field):
                    shown = field.decode("utf-8", "replace")
                    raise broken_file(
                        path, f"line {at} has {shown!r} where a number belongs"
                    ) from None
        raise


def write_text(
    stream: BinaryIO, words: Sequence[str], vectors: NDArray[np.floating], *, header: bool
) -> None:
    """Write a text table in float32, with nine significant digits, which give each back exactly.

    Parameters
    ----------
    stream : binary file
        Where to.
    words : sequence of str
        (n,).
    vectors : ndarray
        (n, d).
    header : bool
        Write ``n d`` first (word2vec, fastText) or not (GloVe).

    Raises
    ------
    InputError
        A word cannot stand in a text table.
    """
    dimension = vectors.shape[1]
    for word in words:
        _check_writable(word)
    if header:
        stream.write(b"%d %d\n" % vectors.shape)
    # with one number to a row, "3 5" would read as a header, and "3 5.000000000e+00" does not
    form = " ".join(["%.9g" if dimension > 1 else "%.9e"] * dimension)
    for word, row in zip(words, vectors.astype(np.float32, copy=False), strict=True):
        numbers = form % tuple(row.tolist())
        stream.write(word.encode("utf-8") + b" " + numbers.encode("ascii") + b"\n")


def _check_writable(word: str) -> None:
    encoded = word.encode("utf-8")
    if b"\n" in encoded or encoded.strip(b" \t") != encoded:
        reason = "a line break, or a space or tab at an end"
    elif len(fields := _FIELD.findall(encoded)) > 1 and _DECIMAL.fullmatch(fields[-1]):
        reason = "a number after a space"
    else:
        return
    raise InputError(
        f"the word {word!r} has {reason}, which text cannot hold; save as .safetensors"
    )
