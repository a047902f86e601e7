"""`ShareClassifier`: seen classes told apart by what a mapped point is made of."""

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from wordsight.classifiers.temperature import (
    Temperature,
    check_temperature,
    likeliest_temperature,
)
from wordsight.exceptions import InputError
from wordsight.geometry import shares_of
from wordsight.validation import checked_labels, validated

__all__ = ["ShareClassifier"]


class ShareClassifier(ClassifierMixin, BaseEstimator):
    """Tell seen classes apart by the shares of their words in a mapped point (`shares_of`).

    Behind a linear map (Eq. 1) these shares are ridge regression on one-hot classes, to which the
    map adds nothing and takes nothing away as long as the words do not depend on one another: at
    most d + 1 classes in d dimensions. So there is nothing to train beside the map, and what it
    says of held-out images is known in closed form. With more classes the shares are the shortest
    solution, and a `SoftmaxClassifier` tells more.

    Parameters
    ----------
    temperature : float or "auto", default "auto"
        What shares are divided by before the softmax; "auto" is the one with which the labels of
        the points given to `fit` are likeliest.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    centers_ : ndarray of float64, shape (C, d)
        The word vectors of the classes.
    temperature_ : float

    Examples
    --------
    >>> from wordsight import ShareClassifier
    >>> words = [[0.0, 1.0], [1.0, 0.0]]
    >>> seen = ShareClassifier().fit(words, ["cat", "truck"])
    >>> seen.logits([[0.25, 0.75]]).round(6).tolist()
    [[0.75, 0.25]]
    """

    sees: ClassVar[Literal["mapped"]] = "mapped"

    def __init__(self, temperature: Temperature = "auto") -> None:
        self.temperature = temperature

    def fit(self, S: Any, y: Any, *, centers: Any = None) -> Self:
        """Take note of the words, and learn the temperature.

        Parameters
        ----------
        S : array-like, shape (n, d)
            Mapped points of images that the map was not trained on.
        y : array-like, shape (n,)
            Their class names.
        centers : mapping of name to (d,), optional
            Word vectors of all seen classes; by default the mean points of those in `y`.

        Returns
        -------
        ShareClassifier
            Itself.
        """
        check_temperature(self.temperature)
        S, y = validated(self, S, y, dtype=np.float64)
        y = checked_labels(y, len(y))
        if centers is None:
            self.classes_, codes = np.unique(y, return_inverse=True)
            self.centers_ = np.stack(
                [S[codes == code].mean(0) for code in range(len(self.classes_))]
            )
        else:
            self.classes_ = np.unique(np.array(list(centers)))
            self.centers_ = np.stack(
                [np.asarray(centers[name], dtype=np.float64) for name in self.classes_.tolist()]
            )
            codes = np.searchsorted(self.classes_, y)
        if len(self.classes_) < 2:
            raise InputError(
                f"only one class was given ({self.classes_[0]}); expected at least two to tell "
                "apart: add images of another class"
            )
        self.temperature_ = (
            likeliest_temperature(shares_of(S, self.centers_), codes)
            if self.temperature == "auto"
            else float(self.temperature)
        )
        return self

    def logits(self, S: Any) -> NDArray[np.float64]:
        """Return the shares of mapped points, shape (n, C), in the order of `classes_`."""
        check_is_fitted(self)
        S = validated(self, S, reset=False, dtype=np.float64)
        return shares_of(S, self.centers_)

    def predict_proba(self, S: Any) -> NDArray[np.float64]:
        """Return P(y | seen, x), shape (n, C), in the order of `classes_`.

        Parameters
        ----------
        S : array-like, shape (n, d)
            Mapped points.
        """
        proba: NDArray[np.float64] = softmax(self.logits(S) / self.temperature_, axis=1)
        return proba

    def predict(self, S: Any) -> NDArray[Any]:
        """Return the class with the largest share."""
        best = self.logits(S).argmax(1)
        names: NDArray[Any] = self.classes_[best]
        return names
