"""What every map from features into word space has in common."""

from abc import ABCMeta, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MultiOutputMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from wordsight.compute import RidgeFactor
from wordsight.exceptions import InputError
from wordsight.rows import StoredRows
from wordsight.validation import validated

__all__ = [
    "HeldOutFit",
    "RegressionMap",
    "SemanticMap",
    "checked_held_out",
    "fit_held_out",
    "moved_words",
]


class SemanticMap(Protocol):
    """A map from image features into the space of word vectors.

    One with a method ``words`` maps the word vectors, too: see `moved_words`.
    """

    def fit(self, X: Any, Y: Any) -> Self:
        """Learn to take each row of X to the word vector in the same row of Y."""

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the mapped points S, shape (n, d)."""


@runtime_checkable
class _HeldOutMap(Protocol):
    def fit_held_out(self, X: Any, Y: Any, held_out: NDArray[np.bool_]) -> "HeldOutFit": ...


@runtime_checkable
class _MovesWords(Protocol):
    def words(self, W: Any) -> NDArray[Any]: ...


def moved_words(mapping: SemanticMap, W: NDArray[Any]) -> NDArray[Any]:
    """Return word vectors where the points of a map are compared with them.

    That is where they are, except for a map with a method ``words``, such as `VisualMap`, which
    maps images and words to a space of their own.

    Parameters
    ----------
    mapping : SemanticMap
        Fitted.
    W : ndarray, shape (C, d)

    Returns
    -------
    ndarray, shape (C, m)
    """
    return mapping.words(W) if isinstance(mapping, _MovesWords) else W


@dataclass(frozen=True)
class HeldOutFit:
    """What a map says of images it has been trained on, and of images it has not.

    Attributes
    ----------
    rest : ndarray, shape (n_rest, d)
        Rows that were not held out, mapped by a map that was trained on them.
    held_out : ndarray, shape (n_held_out, d)
        Rows held out, each mapped by a map that was not trained on it.
    factor : RidgeFactor or None
        Of the features of the rows learned from, where the map computed one.
    """

    rest: NDArray[Any]
    held_out: NDArray[Any]
    factor: RidgeFactor | None = None


def fit_held_out(
    mapping: SemanticMap, X: Any, Y: NDArray[Any], held_out: NDArray[np.bool_]
) -> HeldOutFit:
    """Fit `mapping`, and learn how it maps rows that it is not trained on.

    A map with a method ``fit_held_out`` sees to that itself: `LinearMap` is trained on all rows
    and still can tell. Another is trained without the held-out rows, so that what it says of them
    is what it says of new ones.

    Parameters
    ----------
    mapping : SemanticMap
        Is fitted.
    X : ndarray or StoredRows, shape (n, F)
    Y : ndarray, shape (n, d)
        The word vector of each row's class.
    held_out : ndarray of bool, shape (n,)

    Returns
    -------
    HeldOutFit
    """
    if isinstance(mapping, _HeldOutMap):
        return mapping.fit_held_out(X, Y, held_out)
    mapping.fit(X[~held_out], Y[~held_out])
    return HeldOutFit(mapping.predict(X[~held_out]), mapping.predict(X[held_out]))


def checked_held_out(held_out: Any, n_rows: int) -> NDArray[np.bool_]:
    """Return which rows are held out as an array, or say what is wrong with it."""
    mask: NDArray[Any] = np.asarray(held_out)
    if mask.dtype != np.bool_ or mask.shape != (n_rows,) or mask.all():
        raise InputError(
            f"held_out of type {mask.dtype} and shape {mask.shape} was given for "
            f"{n_rows} images; expected one bool for each, false for at least one of them"
        )
    return mask


class RegressionMap(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    MultiOutputMixin,
    RegressorMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """What the maps that learn by regression have in common: all but `fit` and the formula.

    Subclasses implement `_check_parameters` and `_map`.
    """

    coef_: NDArray[Any]
    flat_: bool

    def predict(self, X: Any) -> NDArray[Any]:
        """Map features into word space.

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)

        Returns
        -------
        ndarray, shape (n, d), or (n,) where Y of `fit` had one dimension
            The mapped points S.
        """
        check_is_fitted(self)
        mapped = self._map(validated(self, X, reset=False, dtype=[np.float32, np.float64]))
        return mapped[:, 0] if self.flat_ else mapped

    def transform(self, X: Any) -> NDArray[Any]:
        """Map features into word space: `predict` under the name that pipelines call."""
        mapped = self.predict(X)
        return mapped.reshape(len(mapped), -1)

    @abstractmethod
    def _map(self, X: NDArray[Any] | StoredRows) -> NDArray[Any]:
        """Map checked features (n, F) to points (n, d)."""

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise `InputError` for a parameter out of range."""

    def _checked(self, X: Any, Y: Any) -> tuple[NDArray[Any] | StoredRows, NDArray[Any]]:
        """Return features, and targets as a table of the same precision."""
        X, Y = validated(
            self, X, Y, multi_output=True, y_numeric=True, dtype=[np.float32, np.float64]
        )
        self._check_parameters()
        self.flat_ = Y.ndim == 1
        return X, Y.reshape(len(Y), -1).astype(X.dtype, copy=False)

    @property
    def _n_features_out(self) -> int:
        # the name under which scikit-learn's set_output looks for it
        return len(self.coef_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
