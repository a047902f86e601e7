"""Words as questions to a model: where one lies among mapped points, and which points are near."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from wordsight.classifiers.class_words import ClassWords
from wordsight.exceptions import InputError
from wordsight.features.images import is_images
from wordsight.features.mosaic import patch_mosaic
from wordsight.features.patch_features import PatchFeatures
from wordsight.geometry import cosine
from wordsight.mapping.base import SemanticMap, moved_words
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.visual import VisualMap
from wordsight.words.similarity import nearest_rows
from wordsight.words.spelling import canonical, name_parts
from wordsight.words.vectors import WordVectors

__all__ = ["AnswersWords", "WordQuery", "nearest_of"]


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
        place = class_words.places.get(canonical(word))
        if place is not None:
            found = class_words.vector_at(place)
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


class AnswersWords:
    """What a fitted `CrossModalClassifier` answers to words, and of words to images.

    The paper, section 4: the grounded space can be queried for prototypical images of a word.
    """

    features_: Any
    mapping_: SemanticMap
    _class_words: ClassWords

    def map(self, X: Any) -> NDArray[Any]:
        """Return the mapped points S."""
        raise NotImplementedError

    def feature_blocks(self, X: Any) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
        """Yield rows and features, a few at a time."""
        raise NotImplementedError

    def nearest_words(self, S: Any, k: int = 10) -> list[list[str]]:
        """Return the words of `words_` with the highest cosine with each of some points or images.

        Parameters
        ----------
        S : ndarray (n, d), Dataset, or ndarray of uint8 (n, height, width, 3)
            Mapped points, from `map` or `recognise`; or images, which are mapped.
        k : int, default 10
            How many words for each, as far as there are so many.

        Returns
        -------
        list of list of str
            The nearest first.
        """
        check_is_fitted(self, "mapping_")
        rows, _similarities = self._near_words(self.map(S) if is_images(S) else S, k)
        return [[self._class_words.words.words[row] for row in near] for near in rows.tolist()]

    def word_similarities(self, S: NDArray[Any], k: int = 10) -> list[list[tuple[str, float]]]:
        """Return the words nearest to each of some mapped points, with their cosines."""
        check_is_fitted(self, "mapping_")
        rows, similarities = self._near_words(S, k)
        return [
            [
                (self._class_words.words.words[row], value)
                for row, value in zip(near, values, strict=True)
            ]
            for near, values in zip(rows.tolist(), similarities.tolist(), strict=True)
        ]

    def query(self, word: str) -> WordQuery:
        """Return where a word lies among the mapped points.

        Parameters
        ----------
        word : str
            A class of the model, or a name that `words_` has a vector of, whole or composed of
            its parts.

        Returns
        -------
        WordQuery

        Raises
        ------
        MissingWordError
            There is no vector; spellings near it are named.
        """
        check_is_fitted(self, "mapping_")
        return WordQuery.of(word, self._class_words, self.mapping_)

    def words_near(self, word: str, k: int = 10) -> list[tuple[str, float]]:
        """Return the words nearest to a word, with their cosines; neither itself nor its parts.

        The word vectors themselves are compared, as they were before any map.
        """
        asked = self.query(word)
        if k < 1:
            return []
        hidden = [word, *asked.parts]
        return self._class_words.words.most_similar(asked.word_vector, k, exclude=hidden)

    def words_near_each(self, words: Sequence[str], k: int = 10) -> list[list[tuple[str, float]]]:
        """Return what `words_near` does for each of many words, much faster than one by one."""
        asked = [self.query(word) for word in words]
        if k < 1 or not asked:
            return [[] for _ in asked]
        hidden = [[each.word, *each.parts] for each in asked]
        vectors = np.stack([each.word_vector for each in asked])
        return self._class_words.words.most_similar_each(vectors, k, exclude=hidden)

    def nearest_images(
        self, word: str, X: Any, k: int = 10
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the images that are mapped nearest to a word: the space queried (section 4).

        Parameters
        ----------
        word : str
            Any word with a vector, a class or not; see `query`.
        X : Dataset, ndarray of uint8 (n, height, width, 3), or ndarray (n, F)
            What to look among, since a model keeps no images; a few are in memory at a time.
        k : int, default 10
            How many, as far as there are so many.

        Returns
        -------
        rows : ndarray of int64, shape (min(k, n),)
            Where they stand in X, the nearest first.
        similarities : ndarray of float64, shape (min(k, n),)
            Cosines of mapped point and word.
        """
        vector = self.query(word).vector
        blocks_of_points = (
            (rows, self.mapping_.predict(features)) for rows, features in self.feature_blocks(X)
        )
        return nearest_of(blocks_of_points, vector, k)

    @property
    def can_draw(self) -> bool:
        """Whether `prototype` can draw words: patches have to be mapped, and linearly."""
        return self._drawing_parts() is not None

    def _drawing_parts(self) -> tuple[PatchFeatures, LinearMap | VisualMap] | None:
        features, mapping = self.features_, self.mapping_
        if isinstance(features, PatchFeatures) and isinstance(mapping, LinearMap | VisualMap):
            return features, mapping
        return None

    def prototype(self, word: str, *, tiles: int = 6) -> NDArray[np.uint8]:
        """Draw what a word looks like to the model, without any image: patches that pull to it.

        An image moves towards a word, counted from the mean of the seen words, by a linear
        function of its features; each feature is a patch in a quadrant. See `patch_mosaic`.

        Parameters
        ----------
        word : str
            Any word with a vector, a class or not; see `query`.
        tiles : int, default 6
            Patches along a side of a quadrant.

        Returns
        -------
        ndarray of uint8, shape (side, side, 3)
            The four quadrants as they lie in an image.

        Raises
        ------
        MissingWordError
            There is no vector; spellings near it are named.
        InputError
            The model does not map patches, or not linearly.
        """
        check_is_fitted(self, "mapping_")
        parts = self._drawing_parts()
        if parts is None:
            seen_as = "ready features" if self.features_ is None else type(self.features_).__name__
            raise InputError(
                f"a word was to be drawn by a model with {seen_as} and "
                f"{type(self.mapping_).__name__}; it takes PatchFeatures with LinearMap or "
                "VisualMap; ask for the images nearest to the word instead (nearest_images)"
            )
        features, mapping = parts
        middle = moved_words(mapping, self._class_words.seen_vectors).mean(axis=0)
        pull = (self.query(word).vector - middle) @ mapping.coef_  # (w − w̄)ᵀ θ, shape (F,)
        return patch_mosaic(features, pull, tiles=tiles)

    def _near_words(self, S: NDArray[Any], k: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        table = moved_words(self.mapping_, self._class_words.words.vectors)
        if table is self._class_words.words.vectors:
            return self._class_words.words.nearest_rows(S, k)
        return nearest_rows(table, S, k, metric="cosine")
