"""SAE: a linear map into word space that can also tell the features from the words."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.baselines.base import ZeroShotPeer, check_positive
from wordsight.compute import RidgeFactor, partial
from wordsight.geometry import cosine, directions
from wordsight.words.vectors import WordVectors

__all__ = ["SAE"]


class SAE(ZeroShotPeer):
    """A semantic autoencoder: words from features by W, features from words by Wᵀ.

    W minimises ‖X − Wᵀ S‖² + λ ‖W X − S‖², so that S Sᵀ W + λ W X Xᵀ = (1 + λ) S Xᵀ, and the word
    of the highest cosine with W x wins. Features and words are counted from their means over the
    training images, words having length 1.

    Parameters
    ----------
    words : WordVectors, mapping of str to array, path or None, default None
        Word vectors of the class names; None is the vocabulary in the package.
    unseen : sequence of str, default ()
        Names of classes to be recognised without an image.
    weight : float, default 1.0
        λ.
    on_missing : {"error", "compose"}, default "compose"
        What to do with a name that has no vector of its own.

    Attributes
    ----------
    coef_ : ndarray, shape (d, F)
        W.
    mean_, word_mean_ : ndarray, shapes (F,) and (d,)

    Notes
    -----
    The Sylvester equation is solved in the basis of the eigenvectors of S Sᵀ, where it falls apart
    into one ridge regression a direction; only as many directions as there are seen classes have
    anything to learn.

    References
    ----------
    Kodirov, Xiang, Gong: "Semantic Autoencoder for Zero-Shot Learning", CVPR 2017, Eq. 4.
    """

    coef_: NDArray[np.float64]
    mean_: NDArray[np.float64]
    word_mean_: NDArray[np.float64]

    def __init__(
        self,
        words: WordVectors | Mapping[str, Any] | str | None = None,
        unseen: Sequence[str] = (),
        *,
        weight: float = 1.0,
        on_missing: Literal["error", "compose"] = "compose",
    ) -> None:
        self.words = words
        self.unseen = unseen
        self.weight = weight
        self.on_missing = on_missing

    def _check_parameters(self) -> None:
        check_positive(weight=self.weight)

    def _fit(self, X: NDArray[Any], codes: NDArray[np.int64], W: NDArray[np.float64]) -> None:
        n = len(X)
        self.mean_ = X.mean(0, dtype=np.float64)
        S = directions(W)
        share = np.bincount(codes) / n
        self.word_mean_ = share @ S
        S = S - self.word_mean_
        moments = partial(X, S[codes].astype(X.dtype), shift=self.mean_)
        # (1/n) S Sᵀ and (1/n) S Xᵀ: dividing both sides of the equation by n changes nothing
        size, basis = np.linalg.eigh((S.T * share) @ S)
        across = moments.cross.double().numpy() / n  # (F, d): counted from the means on both sides
        self.coef_ = np.zeros((S.shape[1], X.shape[1]))
        for a, direction in zip(size, basis.T, strict=True):
            if a <= 1e-10 * size[-1]:
                continue  # no image differs from another along it
            # a w + λ C w = (1 + λ) c, so that w = (1 + λ)/λ (C + a/λ I)⁻¹ c
            factor = RidgeFactor(moments, float(a) / self.weight)
            target = torch.from_numpy((1 + self.weight) / self.weight * (across @ direction))
            self.coef_ += np.outer(direction, factor.solve(target[:, None])[:, 0].double().numpy())

    def _scores(self, X: NDArray[Any], W: NDArray[np.float64]) -> NDArray[np.float64]:
        mapped = X @ self.coef_.T - self.coef_ @ self.mean_
        return cosine(mapped, directions(W) - self.word_mean_)
