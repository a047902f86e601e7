"""Words as questions to a model: where one lies among mapped points, and which points are near."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.class_words import ClassWords
from wordsight.exceptions import InputError
from wordsight.geometry import cosine
from wordsight.mapping.base import SemanticMap, moved_words
from wordsight.words.spelling import name_parts
from wordsight.words.vectors import WordVectors

__all__ = ["WordQuery", "nearest_of"]


@dataclass(frozen=True)
class WordQuery:
    """A word, and where it lies among the mapped points of a model.

    Attributes
    ----------
    word : str
        As it was asked.
    parts : tuple of str
        What its vector is the mean of; empty for a word with a vector of its own.
    vector : ndarray, shape (m,)
        Where mapped points are compared with it: its word vector, or what the map made of it.
    word_vector : ndarray, shape (d,)
        The word vector itself.
    """

    word: str
    parts: tuple[str, ...]
    vector: NDArray[Any]
    word_vector: NDArray[Any]

    @classmethod
    def of(cls, word: str, class_words: ClassWords, mapping: SemanticMap) -> Self:
        """Look a word up: a class of the model has the vector that it was named with."""
        if not isinstance(word, str):
            raise InputError(f"{word!r} was asked for; expected one word or name, a text")
        words = class_words.words
        known = class_words.classes.astype(np.str_)
        if word in known:
            found = class_words.vectors[int((known == word).argmax())]
        else:
            class_words.check_described([word])
            found = words.vector_for(word, on_missing="compose")
        parts = _parts(word, found, words)
        return cls(word, parts, moved_words(mapping, found[None])[0], found)


def _parts(word: str, vector: NDArray[Any], words: WordVectors) -> tuple[str, ...]:
    """Return the parts that the vector of a word is composed of, if it is."""
    parts = name_parts(word)
    if word in words or len(parts) < 2 or not all(part in words for part in parts):
        return ()
    composed = words.vector_for(word, on_missing="compose")
    return tuple(parts) if np.allclose(vector, composed, rtol=1e-6) else ()


def nearest_of(
    points: Iterable[tuple[NDArray[np.int64], NDArray[Any]]], vector: NDArray[Any], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows of the points with the highest cosine with a vector.

    Parameters
    ----------
    points : iterable of (ndarray of int64, ndarray)
        Rows (b,) and points (b, m), block by block; only their cosines are kept.
    vector : ndarray, shape (m,)
    k : int
        At least 1; as many rows as there are, at most.

    Returns
    -------
    rows : ndarray of int64, shape (min(k, n),)
        The nearest first; of equally near ones the first.
    similarities : ndarray of float64, shape (min(k, n),)
    """
    if k < 1:
        raise InputError(f"k={k} images were asked for; ask for 1 or more")
    rows, similarities = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for some, block in points:
        rows.append(some)
        similarities.append(cosine(block, vector[None])[:, 0])
    all_rows, every = np.concatenate(rows), np.concatenate(similarities)
    order = np.argsort(-every, kind="stable")[:k]
    return all_rows[order], every[order]
