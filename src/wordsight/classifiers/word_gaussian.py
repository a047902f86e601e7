"""`WordGaussians`: one isometric Gaussian around each class's word vector, P(y | unseen, x)."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from wordsight.compute import blocks
from wordsight.exceptions import InputError
from wordsight.geometry import means_of, sq_dist
from wordsight.leading import MANY, ClassScores, Leading, leading, product
from wordsight.validation import checked_labels, validated

__all__ = ["WordGaussians"]


class WordGaussians(ClassifierMixin, BaseEstimator):
    """Tell classes apart in word space, by an isometric Gaussian around each word vector.

    The paper's classifier for unseen classes (section 5): they have no image to estimate anything
    from, so all Gaussians share one variance and the nearest word vector wins.

    Parameters
    ----------
    variance : float, default 1.0
        Of each coordinate, in squared units of the word space. It decides how sure
        `predict_proba` is, and nothing else.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    word_vectors_ : ndarray of float64, shape (C, d)
        Means of the Gaussians.

    Examples
    --------
    >>> from wordsight import WordGaussians
    >>> words = WordGaussians().fit([[0.0, 1.0], [1.0, 0.0]], ["cat", "truck"])
    >>> words.predict([[0.2, 0.7]])
    array(['cat'], dtype='<U5')
    """

    def __init__(self, variance: float = 1.0) -> None:
        self.variance = variance

    def fit(self, W: Any, y: Any) -> Self:
        """Set the Gaussians.

        Parameters
        ----------
        W : array-like, shape (C, d)
            Word vectors, one a class; of several with the same name the mean is taken.
        y : array-like, shape (C,)
            Class names.

        Returns
        -------
        WordGaussians
            Itself.
        """
        W, y = validated(self, W, y, dtype=np.float64)
        y = checked_labels(y, len(y))
        if not 0 < self.variance < np.inf:
            raise InputError(f"variance={self.variance!r} was given; expected a number above 0")
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.word_vectors_ = means_of(W, codes, len(self.classes_))
        return self

    def log_density(self, S: Any) -> NDArray[np.float64]:
        """Return ``log N(s | w_y, variance · I)``, shape (n, C)."""
        check_is_fitted(self)
        S = validated(self, S, reset=False, dtype=np.float64)
        d = self.word_vectors_.shape[1]
        return _log_density(sq_dist(S, self.word_vectors_), d, self.variance)

    def predict_proba(self, S: Any) -> NDArray[np.float64]:
        """Return P(y | unseen, x), all classes being as likely beforehand.

        Parameters
        ----------
        S : ndarray, shape (n, d)
            Mapped points.

        Returns
        -------
        ndarray of float64, shape (n, C)
            Rows sum to 1; columns are in the order of `classes_`.
        """
        proba: NDArray[np.float64] = softmax(self.log_density(S), axis=1)
        return proba

    def top_k(self, S: Any, k: int, *, among: NDArray[np.int64] | None = None) -> Leading:
        """Return the k most probable classes of each point, exactly, without an (n, C) table.

        Parameters
        ----------
        S : ndarray, shape (n, d)
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
        S = validated(self, S, reset=False, dtype=np.float64)
        return leading(self.scores(), S, k, among)

    def scores(self) -> ClassScores:
        """Return how classes are scored, for `leading`."""
        # made at its first use: few need it
        ready: _GaussianScores | None = getattr(self, "_scores", None)
        if ready is None or not ready.is_of(self.word_vectors_, self.variance):
            ready = self._scores = _GaussianScores(self.word_vectors_, self.variance)
        return ready

    def predict(self, S: Any) -> NDArray[Any]:
        """Return the class with the nearest word vector."""
        check_is_fitted(self)
        if len(self.classes_) > MANY:
            best = self.top_k(S, 1).columns[:, 0]
        else:
            best = self.log_density(S).argmax(1)
        names: NDArray[Any] = self.classes_[best]
        return names


def _log_density(sq_dist: NDArray[Any], d: int, variance: float) -> NDArray[np.float64]:
    constant = 0.5 * d * np.log(2.0 * np.pi * variance)
    density: NDArray[np.float64] = -sq_dist / (2.0 * variance) - constant
    return density


class _GaussianScores(ClassScores):
    """Log densities; by the product ``(s − c)·w − |w − c|²/2``, c the mean word, over σ²."""

    def __init__(self, words: NDArray[np.float64], variance: float) -> None:
        self.n_classes, self._d = words.shape
        self._words, self._variance = words, variance
        self._centre = words.mean(axis=0)
        self._half = np.empty(len(words))
        for cut in blocks(len(words), MANY):  # centred words would take as much memory as words
            away = words[cut] - self._centre
            self._half[cut] = 0.5 * np.einsum("cd,cd->c", away, away)
        # of a word, and of a word from the mean: whichever is longer
        self._longest = float(np.sqrt(2.0 * self._half.max())) + float(np.linalg.norm(self._centre))

    def is_of(self, words: NDArray[np.float64], variance: float) -> bool:
        """Tell whether these are the scores of a classifier with these words."""
        return words is self._words and variance == self._variance

    def product(
        self, points: NDArray[np.float64], classes: slice | NDArray[np.int64]
    ) -> NDArray[np.float64]:
        found = product(points - self._centre, self._words[classes])
        found -= self._half[classes]
        found /= self._variance
        return found

    def exact(
        self, points: NDArray[np.float64], classes: slice | NDArray[np.int64]
    ) -> NDArray[np.float64]:
        return _log_density(sq_dist(points, self._words[classes]), self._d, self._variance)

    def pairs(self, points: NDArray[np.float64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        away = points - self._words[columns]
        return _log_density(np.einsum("qd,qd->q", away, away), self._d, self._variance)

    def error(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        # d products of coordinates, each rounded and added, on either way to the score: half of
        # this, and a little for what follows
        unit = np.finfo(np.float64).eps * (self._d + 8)
        length = np.linalg.norm(points - self._centre, axis=1) + self._longest
        bound: NDArray[np.float64] = unit * length**2 / self._variance
        return bound
