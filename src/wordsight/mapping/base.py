"""What every map from features into word space has in common."""

from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wordsight.compute import RidgeFactor

__all__ = ["HeldOutFit", "SemanticMap", "fit_held_out"]


class SemanticMap(Protocol):
    """A map from image features into the space of word vectors."""

    def fit(self, X: Any, Y: Any) -> Self:
        """Learn to take each row of X to the word vector in the same row of Y."""

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the mapped points S, shape (n, d)."""


@runtime_checkable
class _HeldOutMap(Protocol):
    def fit_held_out(self, X: Any, Y: Any, held_out: NDArray[np.bool_]) -> "HeldOutFit": ...


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
    X : ndarray, shape (n, F)
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
