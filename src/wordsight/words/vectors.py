"""Word vectors: names in, points of the word space out."""

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.exceptions import DataError, InputError, MissingWordError
from wordsight.words.array_checks import check_mapping, check_points, check_table, check_words
from wordsight.words.formats import read_table, write_table
from wordsight.words.missing import missing_error
from wordsight.words.similarity import nearest_rows, row_lengths
from wordsight.words.spelling import canonical, lookup_order, name_parts, near_spellings
from wordsight.words.vocabulary import DEFAULT_VOCABULARY

__all__ = ["DESCRIBED", "WordVectors"]

DESCRIBED = "descriptions by "
"""What the source of a table of described classes begins with; the encoder's name follows."""


class WordVectors:
    """A fixed table of words and their vectors.

    Names are looked up as given; then in lower case, with each part capitalised, and in upper
    case. In each case a name of several parts (``pickup truck``, ``pickup_truck``,
    ``pickup-truck``) is tried as given and joined by ``_``, ``-`` and a space. Both sides are
    compared in Unicode NFC.

    Parameters
    ----------
    words : sequence of str
        (n,), all different, most frequent first where that is known.
    vectors : array-like
        (n, d), finite. float64 is kept, everything else becomes float32. Copied.
    source : str, default "arrays"
        Where they come from, in a few words.

    Raises
    ------
    InputError
        Words and vectors do not fit together, a word comes twice, or a number is not finite.

    Examples
    --------
    >>> words = WordVectors(["cat", "pickup", "truck"], [[1, 0], [0, 1], [0, 3]])
    >>> words.vector_for("pickup truck", on_missing="compose")
    array([0., 2.], dtype=float32)
    """

    __slots__ = ("_index", "_lengths", "_source", "_vectors", "_words")

    def __init__(self, words: Sequence[str], vectors: ArrayLike, *, source: str = "arrays") -> None:
        table = check_table(vectors)
        self._keep(check_words(words, len(table)), table, source)

    def _keep(self, words: Iterable[str], vectors: NDArray[np.floating], source: str) -> None:
        vectors.setflags(write=False)
        self._words = tuple(words)
        self._vectors = vectors
        self._lengths: NDArray[np.float64] | None = None
        self._source = source
        self._index = {canonical(word): row for row, word in enumerate(self._words)}

    @classmethod
    def _adopt(cls, words: Iterable[str], vectors: NDArray[np.floating], source: str) -> Self:
        """Take over checked words and an array that nobody else will write to, without a copy."""
        made = cls.__new__(cls)
        made._keep(words, vectors, source)
        return made

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        only: Iterable[str] | None = None,
        format: str = "auto",
    ) -> Self:
        """Read word vectors from a file.

        Parameters
        ----------
        path : path-like
            word2vec text or binary, GloVe, fastText ``.vec``, each plain or gzip, or safetensors.
        only : iterable of str or None
            Keep only the words that looking up these names, whole or composed, can need: a file
            of gigabytes is then read in one pass with little memory. Reading ends when every name
            was met exactly as given; the rest of the file is then not verified. Names that the
            file lacks are no error here but where they are looked up, and the near spellings
            listed there are then those among the words kept.
        format : str, default "auto"
            ``"word2vec-text"``, ``"word2vec-binary"``, ``"glove"`` or ``"safetensors"`` where the
            content, which otherwise decides, would mislead.

        Raises
        ------
        InputError
            The file is not there, or an argument is wrong.
        DataError
            The file is broken; the sentence says where.
        """
        table = read_table(path, format=format, only=only)
        return cls._adopt(table.words, table.vectors, table.source)

    @classmethod
    def default(cls) -> "WordVectors":
        """Return the vocabulary in the package: 39,182 words, 50-d, from English Wikipedia."""
        return _default()

    @classmethod
    def coerce(cls, words: object) -> "WordVectors":
        """Return word vectors from whatever stands for them.

        Parameters
        ----------
        words : WordVectors, mapping of str to array, path-like or None
            None stands for the vocabulary in the package.

        Raises
        ------
        InputError
            It is none of these, or cannot be read.
        """
        if words is None:
            return cls.default()
        if isinstance(words, WordVectors):
            return words
        if isinstance(words, str | os.PathLike):
            return cls.load(words)
        if not isinstance(words, Mapping):
            raise InputError(
                f"word vectors are given as {type(words).__name__}; give a WordVectors, a mapping"
                " of names to vectors, the path of a file, or None for the vocabulary in the"
                " package"
            )
        check_mapping(words)
        return cls(list(words), list(words.values()), source="mapping")

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the table to a file, which appears whole or not at all.

        Parameters
        ----------
        path : path-like
            word2vec text for ``.txt`` and ``.vec``, word2vec binary for ``.bin`` (each also with
            ``.gz``), or ``.safetensors``, which alone keeps float64. An old file is replaced.
        format : str or None
            Overrides the ending; ``"glove"`` is to be had only so.

        Raises
        ------
        InputError
            The ending or format is unknown, or the format cannot hold one of the words.
        WordsightError
            The file cannot be written.
        """
        write_table(path, self._words, self._vectors, format=format, source=self._source)

    @property
    def is_described(self) -> bool:
        """Whether these are vectors of descriptions, which mean nothing beside those of words."""
        return self._source.startswith(DESCRIBED)

    @property
    def words(self) -> tuple[str, ...]:
        """The words, (n,)."""
        return self._words

    @property
    def vectors(self) -> NDArray[np.floating]:
        """The vectors, (n, d), read-only."""
        return self._vectors

    @property
    def dimension(self) -> int:
        """d, the numbers in a vector."""
        return int(self._vectors.shape[1])

    @property
    def source(self) -> str:
        """Where the vectors come from, in a few words."""
        return self._source

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, name: object) -> bool:
        """Say whether `vector_for(name)` finds a vector."""
        return isinstance(name, str) and self._row(name) is not None

    def __repr__(self) -> str:
        return f"WordVectors({len(self)} words, {self.dimension}-d, {self._source!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        # nothing can change it, and scikit-learn's clone would copy megabytes
        return self

    def __reduce__(
        self,
    ) -> tuple[Callable[..., "WordVectors"], tuple[tuple[str, ...], NDArray[np.floating], str]]:
        # by the two columns alone: the index is rebuilt, and the array is read-only again
        return type(self)._adopt, (self._words, self._vectors, self._source)

    def vector_for(
        self, name: str, *, on_missing: Literal["error", "compose"] = "error"
    ) -> NDArray[np.floating]:
        """Return the vector of one name.

        Parameters
        ----------
        name : str
            Looked up as the class describes.
        on_missing : {"error", "compose"}, default "error"
            With "compose" a name of several parts that is not there as a whole gets the mean of
            the vectors of its parts, all of which must be there.

        Returns
        -------
        ndarray
            (d,).

        Raises
        ------
        MissingWordError
            There is no such word, or one of its parts is missing.
        DataError
            The vector is all zeros.
        """
        _check_choice(on_missing, ("error", "compose"))
        composed = on_missing == "compose"
        found = self._find(name, compose=composed)
        if found is None:
            ways = ["compose"] if not composed and len(name_parts(name)) > 1 else []
            raise self._missing([name], ways, composed=composed)
        return found

    def vectors_for(
        self, names: Iterable[str], *, on_missing: Literal["error", "skip", "compose"] = "error"
    ) -> tuple[list[str], NDArray[np.floating]]:
        """Return the vectors of many names.

        Parameters
        ----------
        names : iterable of str
            Looked up as the class describes.
        on_missing : {"error", "skip", "compose"}, default "error"
            What to do about a name without a vector: raise, leave it out, or compose it from its
            parts (see `vector_for`), which raises where a part is missing.

        Returns
        -------
        kept : list of str
            (k,), the names that have a vector, as given and in the order given.
        vectors : ndarray
            (k, d).

        Raises
        ------
        MissingWordError
            Some are missing; the message lists all of them and spellings near them.
        DataError
            A vector is all zeros.
        """
        _check_choice(on_missing, ("error", "skip", "compose"))
        if isinstance(names, str):
            raise InputError(f"names={names!r} is one string; give a list of names: [{names!r}]")
        asked = list(names)
        composed = on_missing == "compose"
        found = [self._find(name, compose=composed) for name in asked]
        missing = [name for name, vector in zip(asked, found, strict=True) if vector is None]
        if missing and on_missing != "skip":
            ways = ["skip"] if composed else ["skip", "compose"]
            raise self._missing(list(dict.fromkeys(missing)), ways, composed=composed)
        kept = [name for name, vector in zip(asked, found, strict=True) if vector is not None]
        table = np.empty((len(kept), self.dimension), dtype=self._vectors.dtype)
        for row, vector in enumerate(vector for vector in found if vector is not None):
            table[row] = vector
        return kept, table

    def subset(
        self, names: Iterable[str], *, on_missing: Literal["error", "skip", "compose"] = "error"
    ) -> "WordVectors":
        """Return a table of these names alone, in their order and spelled as given."""
        kept, table = self.vectors_for(names, on_missing=on_missing)
        return WordVectors(kept, table, source=self._source)

    def most_similar(
        self,
        name_or_vector: str | ArrayLike,
        n: int = 10,
        *,
        metric: str = "cosine",
        exclude: Iterable[str] = (),
    ) -> list[tuple[str, float]]:
        """Return the words nearest to a word or to a point.

        Parameters
        ----------
        name_or_vector : str or array-like
            A name, which is itself left out, or a point (d,).
        n : int, default 10
            How many, as far as there are so many.
        metric : {"cosine", "euclidean"}, default "cosine"
            Cosine of the angle, or negative distance: a larger similarity is nearer in both.
        exclude : iterable of str
            Names to leave out; ones that are not there do no harm.

        Returns
        -------
        list of (str, float)
            Words and similarities, the nearest first.

        Raises
        ------
        InputError
            The point is of another dimension, not finite, or, for the cosine, all zeros.
        """
        hidden = {self._row(name) for name in exclude}
        if isinstance(name_or_vector, str):
            hidden.add(self._row(name_or_vector))
            name_or_vector = self.vector_for(name_or_vector)
        point = check_points(np.atleast_2d(name_or_vector), self.dimension)
        if metric == "cosine" and not point.any():
            raise InputError("a point of zeros has no direction; use metric='euclidean' for it")
        if n < 1:
            raise InputError(f"n={n} words are asked for; ask for 1 or more")
        return self._but([hidden], point, n, metric)[0]

    def most_similar_each(
        self, points: ArrayLike, n: int = 10, *, exclude: Sequence[Iterable[str]]
    ) -> list[list[tuple[str, float]]]:
        """Return the words with the highest cosine with each of many points.

        Parameters
        ----------
        points : array-like
            (q, d).
        n : int, default 10
            How many, as far as there are so many.
        exclude : sequence of iterables of str
            Names to leave out, for each of the points.

        Returns
        -------
        list of list of (str, float)
            Words and similarities, the nearest first.
        """
        hidden = [{self._row(name) for name in names} for names in exclude]
        return self._but(hidden, check_points(points, self.dimension), n, "cosine")

    def _but(
        self, hidden: Sequence[set[int | None]], points: NDArray[np.floating], n: int, metric: str
    ) -> list[list[tuple[str, float]]]:
        """Return the n words nearest to each point, but for those in hidden rows."""
        rows, similarities = self._nearest(points, n + max(map(len, hidden)), metric)
        found = zip(rows.tolist(), similarities.tolist(), hidden, strict=True)
        return [
            [
                (self._words[row], value)
                for row, value in zip(near, values, strict=True)
                if row not in left_out
            ][:n]
            for near, values, left_out in found
        ]

    def nearest(
        self, points: ArrayLike, k: int = 10, *, metric: str = "cosine"
    ) -> tuple[list[list[str]], NDArray[np.float64]]:
        """Return the words nearest to each of many points.

        Parameters
        ----------
        points : array-like
            (n, d), such as mapped images.
        k : int, default 10
            How many words for each, as far as there are so many.
        metric : {"cosine", "euclidean"}, default "cosine"
            See `most_similar`. A point of zeros has cosine 0 with every word.

        Returns
        -------
        words : list of list of str
            (n, k), the nearest first.
        similarities : ndarray
            (n, k).
        """
        rows, similarities = self.nearest_rows(points, k, metric=metric)
        return [[self._words[row] for row in near] for near in rows.tolist()], similarities

    def nearest_rows(
        self, points: ArrayLike, k: int = 10, *, metric: str = "cosine"
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return what `nearest` does, but rows of the table, (n, k), in place of words."""
        return self._nearest(check_points(points, self.dimension), k, metric)

    def _nearest(
        self, points: NDArray[np.floating], k: int, metric: str
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the rows of the nearest words; their lengths are measured at the first call."""
        if self._lengths is None:
            self._lengths = row_lengths(self._vectors)
        return nearest_rows(self._vectors, points, k, metric=metric, lengths=self._lengths)

    def near_spellings(self, name: str, n: int = 5) -> list[str]:
        """Return the words spelled most like a name, the best first, without the name itself."""
        return near_spellings(self._words, name, n)

    def _row(self, name: str) -> int | None:
        if not isinstance(name, str):
            raise InputError(
                f"names are strings, and {name!r} is a {type(name).__name__}; give a list of "
                "strings"
            )
        for spelling in lookup_order(name):
            if (row := self._index.get(spelling)) is not None:
                return row
        return None

    def _find(self, name: str, *, compose: bool) -> NDArray[np.floating] | None:
        """Return the vector of a name, or None where it or one of its parts is missing."""
        row = self._row(name)
        if row is not None:
            vector: NDArray[np.floating] = self._vectors[row]
        elif compose and (parts := name_parts(name)):
            rows = [self._row(part) for part in parts]
            known = [row for row in rows if row is not None]
            if len(known) < len(rows):
                return None
            vector = self._vectors[known].mean(axis=0)
        else:
            return None
        if not vector.any():
            raise DataError(
                f"the word vector of {name!r} is all zeros, which is no place for a class; leave"
                " the class out or use other word vectors"
            )
        return vector

    def _missing(
        self, names: list[str], ways: list[str], *, composed: bool = False
    ) -> MissingWordError:
        lacking = []
        for name in names:
            parts = name_parts(name) if composed else []
            vain = [part for part in parts if part not in self] if len(parts) > 1 else []
            lacking.append((name, vain))
        return missing_error(lacking, self._words, ways)


@functools.cache
def _default() -> WordVectors:
    return WordVectors.load(DEFAULT_VOCABULARY, format="safetensors")


def _check_choice(on_missing: str, choices: tuple[str, ...]) -> None:
    if on_missing not in choices:
        raise InputError(f"on_missing={on_missing!r} is unknown; use {' or '.join(choices)}")
