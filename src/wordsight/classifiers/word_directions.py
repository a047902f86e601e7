"""`WordDirections`: classes told apart by the direction of their words, hubs taken into account."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from wordsight.compute import blocks
from wordsight.exceptions import InputError
from wordsight.geometry import cosine, directions, means_of
from wordsight.leading import MANY, ClassScores, Leading, leading, product
from wordsight.validation import checked_labels, validated

__all__ = ["Correction", "WordDirections", "mean_of_nearest", "soft_maximum"]

Correction = Literal["csls", "inverted_softmax"]
"""Names of corrections for hubs."""

COLDEST, HOTTEST = 1e-3, 1e2
"""Temperatures that are tried: a cosine never differs by more than 2."""


def mean_of_nearest(similarities: NDArray[np.float64], n_neighbors: int) -> NDArray[np.float64]:
    """Return the mean of the largest similarities in each row: CSLS's r.

    Parameters
    ----------
    similarities : ndarray, shape (n, m)
    n_neighbors : int
        How many; all of them where there are fewer.

    Returns
    -------
    ndarray, shape (n,)
    """
    k = min(n_neighbors, similarities.shape[1])
    nearest = np.partition(similarities, similarities.shape[1] - k, axis=1)[:, -k:]
    # sorted, so that the sum does not depend on the order of the columns
    mean: NDArray[np.float64] = np.sort(nearest, axis=1).mean(axis=1)
    return mean


def soft_maximum(similarities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return ``t log mean exp(s / t)`` of each row: the inverted softmax's denominator.

    Between the mean of a row (t large) and its largest value (t small).

    Parameters
    ----------
    similarities : ndarray, shape (n, m)
    temperature : float

    Returns
    -------
    ndarray, shape (n,)
    """
    scaled = np.sort(similarities, axis=1) / temperature
    soft: NDArray[np.float64] = temperature * (
        logsumexp(scaled, axis=1) - np.log(similarities.shape[1])
    )
    return soft


class WordDirections(ClassifierMixin, BaseEstimator):
    """Tell classes apart in word space, by the angle between a mapped point and each word.

    A word that lies near many points whatever they show is a hub: it is predicted too often.
    Counting points and words from the mean of the seen words makes hubs rarer (Suzuki et al.).
    What hubs are left is seen in held-out images of seen classes, which are the reference: a
    word that is near to many of them must be nearer to a new point than others to win.

    * ``"csls"``: ``2 cos(s, w) − r(s) − r(w)``, r(w) the mean cosine of a word and the k nearest
      reference points, r(s) that of a point and the k nearest words (Conneau et al.).
    * ``"inverted_softmax"``: ``exp(cos(s, w) / t)`` divided by its mean over the reference points
      in place of s (Smith et al.); here as ``cos(s, w) − t log mean exp(cos(·, w) / t)``.

    In both sources the points to be recognised are among the reference. Here they never are: what
    is said of an image does not depend on what other images are asked about.

    Parameters
    ----------
    centre : bool, default True
        Count points and words from the mean of the seen words; where none are given, from the mean
        of these.
    correction : {"csls", "inverted_softmax"} or None, default None
        How hubs are made up for.
    n_neighbors : int, default 10
        k of ``"csls"``; all where there are fewer.
    temperature : float or None, default None
        t: probabilities are the softmax of `similarity` / t. None learns it: the one that makes
        the labels of held-out points most likely among the seen words, between 0.001 and 100; and
        1 where no points are given. Of seen classes, whose words the map was learned for, such
        probabilities are right; of unseen ones they say too much.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    word_vectors_ : ndarray of float64, shape (C, d)
    centre_ : ndarray of float64, shape (d,)
        What points and words are counted from; zeros without `centre`.
    temperature_ : float
    hubness_ : ndarray of float64, shape (C,)
        What is taken from each word's similarity: r(w), or ``t log mean exp(cos(·, w) / t)``;
        zeros without a correction.

    References
    ----------
    Suzuki, Hara, Shimbo, Saerens, Fukumizu: "Centering Similarity Measures to Reduce Hubs", EMNLP
    2013. Conneau, Lample, Ranzato, Denoyer, Jégou: "Word Translation Without Parallel Data", ICLR
    2018, section 2.3. Smith, Turban, Hamblin, Hammerla: "Offline Bilingual Word Vectors,
    Orthogonal Transformations and the Inverted Softmax", ICLR 2017.

    Examples
    --------
    >>> from wordsight import WordDirections
    >>> words = WordDirections(centre=False).fit([[0.0, 1.0], [1.0, 0.0]], ["cat", "truck"])
    >>> words.predict([[0.2, 0.7]])
    array(['cat'], dtype='<U5')
    """

    def __init__(
        self,
        *,
        centre: bool = True,
        correction: Correction | None = None,
        n_neighbors: int = 10,
        temperature: float | None = None,
    ) -> None:
        self.centre = centre
        self.correction = correction
        self.n_neighbors = n_neighbors
        self.temperature = temperature

    def fit(
        self,
        W: Any,
        y: Any,
        *,
        seen_words: Any = None,
        points: Any = None,
        labels: Any = None,
    ) -> Self:
        """Take note of the words.

        Parameters
        ----------
        W : array-like, shape (C, d)
            Word vectors, one a class; of several with the same name the mean is taken.
        y : array-like, shape (C,)
            Class names.
        seen_words : array-like, shape (n_seen, d), optional
            Word vectors of the seen classes.
        points : array-like, shape (m, d), optional
            Mapped images of seen classes that the map was not trained on: the reference.
        labels : array-like of int, shape (m,), optional
            Their classes, as rows of `seen_words`; without them no temperature is learned.

        Returns
        -------
        WordDirections
            Itself.

        Raises
        ------
        InputError
            A parameter out of range, wrong shapes, a correction without points.
        """
        self._check_parameters()
        W, y = validated(self, W, y, dtype=np.float64)
        y = checked_labels(y, len(y))
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.word_vectors_ = means_of(W, codes, len(self.classes_))
        seen = self.word_vectors_ if seen_words is None else self._table(seen_words, "seen_words")
        self.centre_ = seen.mean(0) if self.centre else np.zeros(W.shape[1])
        reference = None if points is None else self._table(points, "points")
        if self.correction is not None and reference is None:
            raise InputError(
                f"correction={self.correction!r} finds hubs among images of seen classes, and none "
                "were given; give points=, mapped images that were held out, or correction=None"
            )
        self.temperature_ = 1.0 if self.temperature is None else float(self.temperature)
        if self.temperature is None and seen_words is not None and labels is not None:
            self.temperature_ = self._learned_temperature(seen, reference, labels)
        self.hubness_ = np.zeros(len(self.classes_))
        if reference is not None:
            for cut in blocks(len(self.classes_), MANY):
                to_reference = self._cosine(reference, self.word_vectors_[cut])
                self.hubness_[cut] = self._hubness(to_reference, self.temperature_)
        return self

    def similarity(self, S: Any) -> NDArray[np.float64]:
        """Return the cosine of each point and word, less what hubs have too much of it.

        Parameters
        ----------
        S : array-like, shape (n, d)
            Mapped points.

        Returns
        -------
        ndarray of float64, shape (n, C)
            High where they are near; columns are in the order of `classes_`.
        """
        check_is_fitted(self)
        S = validated(self, S, reset=False, dtype=np.float64, any_size=True)
        return self._corrected(self._cosine(S, self.word_vectors_), self.hubness_)

    def predict_proba(self, S: Any) -> NDArray[np.float64]:
        """Return P(y | unseen, x), the softmax of `similarity` over the temperature.

        Parameters
        ----------
        S : array-like, shape (n, d)
            Mapped points.

        Returns
        -------
        ndarray of float64, shape (n, C)
            Rows sum to 1; columns are in the order of `classes_`.
        """
        proba: NDArray[np.float64] = softmax(self.similarity(S) / self.temperature_, axis=1)
        return proba

    def top_k(self, S: Any, k: int, *, among: NDArray[np.int64] | None = None) -> Leading:
        """Return the k most probable classes of each point, exactly, without an (n, C) table.

        Parameters
        ----------
        S : array-like, shape (n, d)
            Mapped points.
        k : int
            At least 1; all classes where there are fewer.
        among : ndarray of int64, optional
            Choose among these classes alone, by their places in `classes_`.

        Returns
        -------
        Leading
            ``columns`` and ``proba``, both (n, k), the most probable first.
        """
        check_is_fitted(self)
        S = validated(self, S, reset=False, dtype=np.float64, any_size=True)
        return leading(self.scores(), self.directed(S), k, among)

    def directed(self, S: NDArray[Any]) -> NDArray[np.float64]:
        """Return points or words counted from `centre_`, at length 1: as `scores` takes them."""
        return directions(S - self.centre_)

    def scores(self) -> ClassScores:
        """Return how classes are scored, for `leading`: of directions from `centre_`."""
        # made at its first use: few need it
        ready: _DirectionScores | None = getattr(self, "_scores", None)
        if ready is None or ready.hubness is not self.hubness_:
            factor = 2.0 if self.correction == "csls" else 1.0
            units = self.directed(self.word_vectors_)
            ready = _DirectionScores(units, self.hubness_, factor, self.temperature_)
            self._scores = ready
        return ready

    def predict(self, S: Any) -> NDArray[Any]:
        """Return the class of the most similar word."""
        check_is_fitted(self)
        if len(self.classes_) > MANY:
            best = self.top_k(S, 1).columns[:, 0]
        else:
            best = self.similarity(S).argmax(1)
        names: NDArray[Any] = self.classes_[best]
        return names

    def _cosine(
        self, points: NDArray[np.float64], words: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return cosine(points - self.centre_, words - self.centre_)

    def _hubness(
        self, to_reference: NDArray[np.float64], temperature: float
    ) -> NDArray[np.float64]:
        """Return how near each word is to the reference: its cosines with it are a column."""
        if self.correction == "csls":
            return mean_of_nearest(to_reference.T, self.n_neighbors)
        if self.correction == "inverted_softmax":
            return soft_maximum(to_reference.T, temperature)
        return np.zeros(to_reference.shape[1])

    def _corrected(
        self, cosines: NDArray[np.float64], hubness: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if self.correction == "csls":
            around = mean_of_nearest(cosines, self.n_neighbors)[:, None]
            return 2.0 * cosines - around - hubness
        return cosines - hubness

    def _learned_temperature(
        self, seen: NDArray[np.float64], reference: NDArray[np.float64] | None, labels: Any
    ) -> float:
        """Return the temperature at which the labels of the reference are most likely.

        Half of the points tell hubs for the other half, as they will for new points.
        """
        rows = np.asarray(labels)
        n_points = 0 if reference is None else len(reference)
        if rows.shape != (n_points,) or not np.isin(rows, np.arange(len(seen))).all():
            raise InputError(
                f"labels of shape {rows.shape} were given for {n_points} points of {len(seen)} "
                "seen classes; give the row of seen_words for each point"
            )
        if reference is None or n_points < 2:
            return 1.0
        cosines = self._cosine(reference, seen)
        is_first = np.empty(n_points, dtype=bool)
        is_first[np.argsort(rows, kind="stable")] = np.arange(n_points) % 2 == 0  # in each class
        halves = [is_first, ~is_first]

        def loss(log_temperature: float) -> float:
            t = float(np.exp(log_temperature))
            total = 0.0
            for half in halves:
                score = self._corrected(cosines[half], self._hubness(cosines[~half], t)) / t
                total -= log_softmax(score, axis=1)[np.arange(half.sum()), rows[half]].sum()
            return total / n_points

        # first a grid: with the inverted softmax there may be more than one valley
        grid = np.linspace(np.log(COLDEST), np.log(HOTTEST), 24)
        best = int(np.argmin([loss(value) for value in grid]))
        around = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        found = minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-3})
        return float(np.exp(found.x))

    def _table(self, given: Any, name: str) -> NDArray[np.float64]:
        """Return rows of the word space, or say what is wrong with them."""
        try:
            table = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{name} is no table of numbers ({error}); give rows of numbers"
            ) from error
        dimension = self.word_vectors_.shape[1]
        if table.ndim != 2 or not len(table) or table.shape[1] != dimension:
            raise InputError(
                f"{name} of shape {table.shape} was given; expected rows of {dimension} numbers, "
                "as the word vectors have"
            )
        if not np.isfinite(table).all():
            raise InputError(f"{name} holds NaN or infinity; give finite numbers")
        return table

    def _check_parameters(self) -> None:
        if self.correction not in (None, "csls", "inverted_softmax"):
            raise InputError(
                f"correction={self.correction!r} was given; expected None, 'csls' or "
                "'inverted_softmax'"
            )
        k = self.n_neighbors
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise InputError(f"n_neighbors={k!r} was given; expected a whole number from 1")
        t = self.temperature
        is_number = isinstance(t, int | float | np.number) and not isinstance(t, bool)
        if t is not None and not (is_number and 0 < t < np.inf):
            raise InputError(f"temperature={t!r} was given; expected None or a number above 0")
        if not isinstance(self.centre, bool | np.bool_):
            raise InputError(f"centre={self.centre!r} was given; expected True or False")


class _DirectionScores(ClassScores):
    """Similarity over the temperature; CSLS's r(s), which is one number for a point, left out."""

    def __init__(
        self,
        units: NDArray[np.float64],
        hubness: NDArray[np.float64],
        factor: float,
        temperature: float,
    ) -> None:
        self.n_classes = len(units)
        self.hubness = hubness
        self._units, self._factor, self._temperature = units, factor, temperature

    def product(
        self, points: NDArray[np.float64], classes: slice | NDArray[np.int64]
    ) -> NDArray[np.float64]:
        return self._scaled(product(points, self._units[classes]), self.hubness[classes])

    def exact(
        self, points: NDArray[np.float64], classes: slice | NDArray[np.int64]
    ) -> NDArray[np.float64]:
        # only asked for where probabilities hang on the last digits of a cosine
        found = np.einsum("pd,bd->pb", points, self._units[classes])
        return self._scaled(found, self.hubness[classes])

    def pairs(self, points: NDArray[np.float64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        found = np.einsum("qd,qd->q", points, self._units[columns])
        return self._scaled(found, self.hubness[columns])

    def error(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        unit = np.finfo(np.float64).eps * (self._units.shape[1] + 8)
        return np.full(len(points), unit * self._factor / self._temperature)

    def _scaled(
        self, cosines: NDArray[np.float64], hubness: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = (self._factor * cosines - hubness) / self._temperature
        return scaled
