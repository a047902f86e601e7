"""`WordGaussians`: one isometric Gaussian around each class's word vector, P(y | unseen, x)."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from wordsight.exceptions import InputError
from wordsight.geometry import sq_dist
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
        self.word_vectors_ = np.stack(
            [W[codes == code].mean(0) for code in range(len(self.classes_))]
        )
        return self

    def log_density(self, S: Any) -> NDArray[np.float64]:
        """Return ``log N(s | w_y, variance · I)``, shape (n, C)."""
        check_is_fitted(self)
        S = validated(self, S, reset=False, dtype=np.float64)
        d = self.word_vectors_.shape[1]
        constant = 0.5 * d * np.log(2.0 * np.pi * self.variance)
        density: NDArray[np.float64] = (
            -sq_dist(S, self.word_vectors_) / (2.0 * self.variance) - constant
        )
        return density

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

    def predict(self, S: Any) -> NDArray[Any]:
        """Return the class with the nearest word vector."""
        best = self.log_density(S).argmax(1)
        names: NDArray[Any] = self.classes_[best]
        return names
