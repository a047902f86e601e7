"""The one contract of the peers: what each learns and how it scores classes is all that differs."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from wordsight.classifiers.class_words import ClassWords, check_classes, columns_of
from wordsight.exceptions import InputError
from wordsight.validation import checked_labels, validated
from wordsight.words.vectors import WordVectors

__all__ = ["ZeroShotPeer"]


class ZeroShotPeer(ClassifierMixin, BaseEstimator, metaclass=ABCMeta):
    """Recognise seen and unseen classes from ready features, by one score for each class.

    Subclasses implement `_fit` and `_scores`. All of them learn from features of seen classes and
    the word vectors of these alone; the unseen classes change without training.

    Attributes
    ----------
    classes_ : ndarray, shape (n_seen + n_unseen,)
        Seen classes, sorted, then unseen ones: the columns of `class_scores`.
    n_features_in_ : int
        F.
    """

    words: WordVectors | Mapping[str, Any] | str | None
    unseen: Sequence[str]
    on_missing: Literal["error", "compose"]

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from features of images of seen classes.

        Parameters
        ----------
        X : ndarray, shape (n, F)
        y : array-like, shape (n,)
            Class names.

        Returns
        -------
        ZeroShotPeer
            Itself.

        Raises
        ------
        InputError
            Fewer than two classes, labels of an unseen class, a name without a word vector, a
            parameter out of range.
        """
        X, y = validated(self, X, y, dtype=[np.float32, np.float64])
        labels = checked_labels(y, len(X))
        seen, codes = np.unique(labels, return_inverse=True)
        unseen = list(map(str, self.unseen))
        check_classes(seen, unseen)
        self._check_parameters()
        words = WordVectors.coerce(self.words)
        found = ClassWords.look_up(words, seen, unseen, on_missing=self.on_missing)
        self._fit(X, codes, np.asarray(found.seen_vectors, dtype=np.float64))
        self._class_words = found
        return self

    @property
    def classes_(self) -> NDArray[Any]:
        """Seen classes, then unseen ones."""
        return self._class_words.classes

    @property
    def seen_(self) -> NDArray[Any]:
        """Classes with images."""
        return self._class_words.seen

    @property
    def unseen_(self) -> NDArray[Any]:
        """Classes known by name alone."""
        return self._class_words.unseen

    def add_classes(self, names: Iterable[str] | Mapping[str, Any]) -> Self:
        """Recognise more classes from now on, by name or by name and vector, without training."""
        check_is_fitted(self, "_class_words")
        self._class_words = self._class_words.with_classes(names, on_missing=self.on_missing)
        return self

    def remove_classes(self, names: Iterable[str]) -> Self:
        """Recognise some unseen classes no longer."""
        check_is_fitted(self, "_class_words")
        self._class_words = self._class_words.without_classes(names)
        return self

    def class_scores(self, X: Any) -> NDArray[np.float64]:
        """Score all classes for each image, high = likely.

        Parameters
        ----------
        X : ndarray, shape (n, F)

        Returns
        -------
        ndarray, shape (n, n_seen + n_unseen)
            In the order of `classes_`; comparable within a row.
        """
        check_is_fitted(self, "_class_words")
        X = validated(self, X, reset=False, dtype=[np.float32, np.float64])
        words = np.asarray(self._class_words.vectors, dtype=np.float64)
        return np.asarray(self._scores(X, words), dtype=np.float64)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of the highest score, seen or unseen, shape (n,)."""
        scores = self.class_scores(X)
        best: NDArray[Any] = self.classes_[scores.argmax(1)]
        return best

    def predict_among(self, X: Any, classes: Sequence[str]) -> NDArray[Any]:
        """Return the class of the highest score among some classes, shape (n,)."""
        check_is_fitted(self, "_class_words")
        columns = columns_of(self.classes_, classes)
        best: NDArray[Any] = self.classes_[columns][self.class_scores(X)[:, columns].argmax(1)]
        return best

    def novelty_score(self, X: Any) -> NDArray[np.float64]:
        """Return the best score of an unseen class less that of a seen one, shape (n,).

        A threshold on it is the calibrating constant of Chao et al. (2016): swept, it makes the
        seen–unseen curve.
        """
        scores = self.class_scores(X)
        n_seen = len(self.seen_)
        if scores.shape[1] == n_seen:
            raise InputError("the model has no unseen class; name some with add_classes")
        margin: NDArray[np.float64] = scores[:, n_seen:].max(1) - scores[:, :n_seen].max(1)
        return margin

    @abstractmethod
    def _fit(self, X: NDArray[Any], codes: NDArray[np.int64], W: NDArray[np.float64]) -> None:
        """Learn from checked features (n, F), classes (n,) and the seen words (n_seen, d)."""

    @abstractmethod
    def _scores(self, X: NDArray[Any], W: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score the classes with word vectors W (n_classes, d), the seen ones first."""

    def _check_parameters(self) -> None:
        """Raise `InputError` for a parameter out of range; there may be none."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def check_positive(**values: object) -> None:
    """Raise `InputError` for a parameter that is not a number above 0."""
    for name, value in values.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 < float(value) < np.inf:  # type: ignore[arg-type]
            raise InputError(f"{name}={value!r} was given; expected a number above 0")
