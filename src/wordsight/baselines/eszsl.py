"""ESZSL: a bilinear score of features and words, regularised on either side, in closed form."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wordsight.baselines.base import ZeroShotPeer, check_positive
from wordsight.geometry import directions
from wordsight.mapping.linear import LinearMap
from wordsight.words.vectors import WordVectors

__all__ = ["ESZSL"]


class ESZSL(ZeroShotPeer):
    """Score a class by xᵀ V w, with V = (X Xᵀ + γ I)⁻¹ X Y Sᵀ (S Sᵀ + λ I)⁻¹.

    Y is +1 for an image's class and −1 for the others, S the word vectors of the seen classes,
    brought to length 1. Features are counted from their mean and Y from its, which the published
    formula leaves to whoever prepares them.

    Parameters
    ----------
    words : WordVectors, mapping of str to array, path or None, default None
        Word vectors of the class names; None is the vocabulary in the package.
    unseen : sequence of str, default ()
        Names of classes to be recognised without an image.
    alpha : float, default 0.01
        γ, divided by the number of images: in units of a feature's variance.
    word_alpha : float, default 0.1
        λ, in units of squared word length; the published trials take 10⁻³ to 10³.
    on_missing : {"error", "compose"}, default "compose"
        What to do with a name that has no vector of its own.

    Attributes
    ----------
    coef_ : ndarray, shape (d, F)
        Vᵀ.
    intercept_ : ndarray, shape (d,)
        Of the features' mean.

    References
    ----------
    Romera-Paredes, Torr: "An Embarrassingly Simple Approach to Zero-Shot Learning", ICML 2015,
    Eq. 7.
    """

    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]

    def __init__(
        self,
        words: WordVectors | Mapping[str, Any] | str | None = None,
        unseen: Sequence[str] = (),
        *,
        alpha: float = 0.01,
        word_alpha: float = 0.1,
        on_missing: Literal["error", "compose"] = "compose",
    ) -> None:
        self.words = words
        self.unseen = unseen
        self.alpha = alpha
        self.word_alpha = word_alpha
        self.on_missing = on_missing

    def _check_parameters(self) -> None:
        check_positive(alpha=self.alpha, word_alpha=self.word_alpha)

    def _fit(self, X: NDArray[Any], codes: NDArray[np.int64], W: NDArray[np.float64]) -> None:
        target = np.where(codes[:, None] == np.arange(len(W)), 1.0, -1.0).astype(X.dtype)
        of_classes = LinearMap(self.alpha).fit(X, target)
        S = directions(W)
        system = S.T @ S + self.word_alpha * np.eye(S.shape[1])
        self.coef_ = np.linalg.solve(system, S.T @ of_classes.coef_)
        # scores are counted from those of the mean image: a bias of one class alone says nothing
        # of a class that has none
        mean = X.mean(0, dtype=np.float64)
        self.intercept_ = -self.coef_ @ mean

    def _scores(self, X: NDArray[Any], W: NDArray[np.float64]) -> NDArray[np.float64]:
        S: NDArray[np.float64] = X @ self.coef_.T + self.intercept_
        return S @ directions(W).T
