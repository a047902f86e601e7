"""What is asked of words and vectors that come from the caller, with one sentence for each."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.exceptions import InputError
from wordsight.words.spelling import canonical

__all__ = ["check_mapping", "check_points", "check_table", "check_words"]


def check_table(vectors: ArrayLike) -> NDArray[np.floating]:
    """Return a copy of (n, d) finite numbers: float64 where given, float32 otherwise."""
    table = _numbers(vectors, "word vectors")
    if table.ndim != 2 or table.shape[1] == 0:
        raise InputError(f"word vectors have shape {table.shape}; give (words, dimension)")
    copied = np.array(table, order="C", copy=True)
    finite = np.isfinite(copied).all(axis=1)
    if not finite.all():
        raise InputError(
            f"word vector {int(np.argmin(finite))} holds a number that is not finite; mend "
            "it or leave it out"
        )
    return copied


def check_mapping(words: Mapping[str, ArrayLike]) -> None:
    """Refuse a mapping of names to vectors that is empty or ragged."""
    if not words:
        raise InputError("the mapping of names to vectors is empty; give at least one name")
    shapes = {name: np.shape(vector) for name, vector in words.items()}
    first = next(iter(shapes))
    for name, shape in shapes.items():
        if len(shape) != 1 or shape != shapes[first]:
            raise InputError(
                f"the vector of {name!r} has shape {shape}, and that of {first!r} {shapes[first]};"
                " give one row of the same length for each name"
            )


def check_points(points: ArrayLike, dimension: int) -> NDArray[np.floating]:
    """Return (n, d) finite numbers, uncopied where they are that already."""
    checked = _numbers(points, "points")
    if checked.ndim != 2 or checked.shape[1] != dimension:
        raise InputError(
            f"points of shape {checked.shape} are given where (n, {dimension}) is expected:"
            f" the words have {dimension} dimensions"
        )
    if not np.isfinite(checked).all():
        raise InputError("a point holds a number that is not finite; leave such points out")
    return checked


def check_words(words: Sequence[str], count: int) -> tuple[str, ...]:
    """Return `count` different words that can be written as UTF-8."""
    if isinstance(words, str):
        raise InputError(f"words={words!r} is one string; give a list of words")
    checked = tuple(words)
    if len(checked) != count:
        raise InputError(f"{len(checked)} words and {count} vectors are given; give one for each")
    known: set[str] = set()
    for word in checked:
        _check_word(word)
        if (key := canonical(word)) in known:
            raise InputError(f"the word {word!r} is given twice; give each word once")
        known.add(key)
    return checked


def _check_word(word: object) -> None:
    if not isinstance(word, str) or not word:
        raise InputError(
            f"words are strings of a letter or more, and {word!r} is none; leave it out"
        )
    try:
        word.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"the word {word!r} cannot be written as UTF-8; leave it out or mend it"
        ) from error


def _numbers(values: ArrayLike, what: str) -> NDArray[np.floating]:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise ValueError(array.dtype.name)
        with np.errstate(over="ignore"):  # what does not fit is then not finite, and refused
            return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what} are not a table of numbers ({error}); give rows of one length"
        ) from error
