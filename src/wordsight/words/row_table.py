"""The rows of one file, gathered under the rules that all formats share."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordsight.words.byte_stream import broken_file
from wordsight.words.selection import Selection
from wordsight.words.spelling import canonical

__all__ = ["RowCollector", "WordTable"]


@dataclass(frozen=True)
class WordTable:
    """Words and their vectors as a file gives them.

    Attributes
    ----------
    words : list of str
        (n,), all different in Unicode NFC.
    vectors : ndarray
        (n, d), finite; float32, or float64 where the file says so.
    source : str
        Where they come from, in a few words.
    """

    words: list[str]
    vectors: NDArray[np.floating]
    source: str


class RowCollector:
    """Gathers wanted rows block by block.

    Of a word that comes twice the first row wins. Words that are not valid UTF-8 keep their row,
    with U+FFFD in place of the broken bytes. Both are counted and mentioned in one warning each.

    Parameters
    ----------
    path : pathlib.Path
        Named in errors.
    dimension : int
        Numbers in a row.
    selection : Selection or None
        Which words to keep; None keeps all.
    place : str
        What rows are counted in: ``"line"`` or ``"word"``.
    """

    def __init__(self, path: Path, dimension: int, selection: Selection | None, place: str) -> None:
        self._path = path
        self._dimension = dimension
        self._selection = selection
        self._place = place
        self._words: list[str] = []
        self._known: set[str] = set()
        self._blocks: list[NDArray[np.floating]] = []
        self._repeated: list[tuple[int, str]] = []
        self._undecodable: list[int] = []

    @property
    def complete(self) -> bool:
        """Whether all words asked for are there, so that reading may end."""
        return self._selection is not None and self._selection.complete

    def wants(self, token: bytes, at: int) -> bool:
        """Say whether the row of this word is to be kept; if so, `add` must get it in its turn."""
        try:
            word = token.decode("utf-8")
        except UnicodeDecodeError:
            word = token.decode("utf-8", "replace")
            self._undecodable.append(at)
        if not word:
            raise broken_file(self._path, f"{self._place} {at} has no word before its numbers")
        key = canonical(word)
        if self._selection is not None and not self._selection.take(key):
            return False
        if key in self._known:
            self._repeated.append((at, word))
            return False
        self._known.add(key)
        self._words.append(word)
        return True

    def add(self, values: NDArray[np.floating], places: list[int]) -> None:
        """Append the rows of the words wanted since the last call.

        Parameters
        ----------
        values : ndarray
            (k, d).
        places : list of int
            (k,), their lines or positions in the file.
        """
        finite = np.isfinite(values).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            word = self._words[len(self._words) - len(values) + row]
            raise broken_file(
                self._path,
                f"{self._place} {places[row]} ({word!r}) holds a number that is not finite",
            )
        self._blocks.append(values)

    def finish(self) -> WordTable:
        """Return the table, after the warnings about it."""
        self._warn()
        vectors = np.empty((len(self._words), self._dimension), dtype=self._dtype())
        end = len(vectors)
        # from the back, each block let go as soon as it is copied: the table stands in memory once
        while self._blocks:
            block = self._blocks.pop()
            vectors[end - len(block) : end] = block
            end -= len(block)
        return WordTable(self._words, vectors, self._path.name)

    def _dtype(self) -> type[np.floating]:
        double = any(block.dtype == np.float64 for block in self._blocks)
        return np.float64 if double else np.float32

    def _warn(self) -> None:
        if self._repeated:
            at, word = self._repeated[0]
            warnings.warn(
                f"{self._path}: {len(self._repeated)} rows repeat a word that has a vector already"
                f" and were left out (the first: {word!r}, {self._place} {at})",
                stacklevel=2,
            )
        if self._undecodable:
            warnings.warn(
                f"{self._path}: {len(self._undecodable)} words are not valid UTF-8 and have U+FFFD"
                f" in place of the broken bytes (the first: {self._place} {self._undecodable[0]})",
                stacklevel=2,
            )
