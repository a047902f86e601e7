"""How a name may be spelled in a table of words, and which words look like it."""

import difflib
import heapq
import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["LONGEST_NAME", "canonical", "lookup_order", "name_parts", "near_spellings", "shortened"]

LONGEST_NAME = 1000
"""Characters of a class name: an array of names has room for the longest one in every place."""

_SHOWN = 80
_SEPARATORS = re.compile(r"[ _-]+")
_BLOCK_WORDS = 65_536
_SHORTLIST = 300
_BUCKETS = 32
_LOOKS_ALIKE = 0.6


def canonical(word: str) -> str:
    """Return the word in Unicode NFC, so that composed and combining accents are one spelling."""
    return word if word.isascii() else unicodedata.normalize("NFC", word)


def shortened(name: str) -> str:
    """Return a name as an error shows it: its beginning, where it is very long."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"


def name_parts(name: str) -> list[str]:
    """Return the parts of a multi-word name: split at spaces, underscores and hyphens."""
    return [part for part in _SEPARATORS.split(name) if part]


def lookup_order(name: str) -> tuple[str, ...]:
    """Return the spellings under which a name is looked up, in this order.

    As given; lower case; each part capitalised; upper case. Within each case a name of several
    parts is tried as given, then joined by ``_``, by ``-`` and by a space.

    Parameters
    ----------
    name : str
        A class name, such as ``"pickup truck"``.

    Returns
    -------
    tuple of str
        Different spellings in Unicode NFC, the first being the name itself.
    """
    parts = name_parts(name)
    wholes = [name]
    if len(parts) > 1:
        wholes += [joint.join(parts) for joint in "_- "]
    cases = (str, str.lower, _capitalise_parts, str.upper)
    return tuple(dict.fromkeys(canonical(case(whole)) for case in cases for whole in wholes))


def _capitalise_parts(name: str) -> str:
    # str.title would also capitalise after an apostrophe
    pieces = re.split(r"([ _-]+)", name)
    return "".join(piece[:1].upper() + piece[1:].lower() for piece in pieces)


def near_spellings(words: Sequence[str], name: str, n: int = 5) -> list[str]:
    """Return the words that are spelled most like a name, the best first.

    The words that share most letters with the name are shortlisted by counting letters (the bag
    distance, which is never more than the edit distance); the shortlist is ranked by the share of
    matching runs (Ratcliff and Obershelp, as in `difflib`).

    Parameters
    ----------
    words : sequence of str
        The vocabulary; of two words that are equally like the name the earlier comes first.
    name : str
        What was asked for. The same word in the same spelling is left out; case is ignored.
    n : int, default 5
        At most so many.

    Returns
    -------
    list of str
        May be empty: words that share less than 60 % with the name are not near.
    """
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(name.lower())
    scored = []
    for position in _shortlist(words, name):
        matcher.set_seq1(words[position].lower())
        ratio = matcher.ratio()
        if ratio >= _LOOKS_ALIKE and words[position] != name:
            scored.append((-ratio, position))
    return [words[position] for _, position in heapq.nsmallest(n, scored)]


def _shortlist(words: Sequence[str], name: str) -> Iterator[int]:
    wanted = _letter_counts([name])[0]
    best: list[tuple[int, int]] = []
    for start in range(0, len(words), _BLOCK_WORDS):
        difference = _letter_counts(words[start : start + _BLOCK_WORDS]) - wanted
        distance = np.maximum(
            np.maximum(difference, 0).sum(axis=1), np.maximum(-difference, 0).sum(axis=1)
        )
        nearest = np.argsort(distance, kind="stable")[:_SHORTLIST]
        best += [(int(distance[row]), start + int(row)) for row in nearest]
        best = heapq.nsmallest(_SHORTLIST, best)
    return (position for _, position in best)


def _letter_counts(words: Sequence[str]) -> NDArray[np.int16]:
    """Return how often each letter (code point modulo 32) stands in each word, (n, 32)."""
    lowered = [word.lower() for word in words]
    letters = np.frombuffer("".join(lowered).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    lengths = np.fromiter(map(len, lowered), dtype=np.int64, count=len(lowered))
    owner = np.repeat(np.arange(len(lowered)), lengths)
    cells = owner * _BUCKETS + letters % _BUCKETS
    counts = np.bincount(cells, minlength=len(lowered) * _BUCKETS)
    return counts.reshape(len(lowered), _BUCKETS).astype(np.int16)
