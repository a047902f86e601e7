"""DeViSE: a linear map into word space, learned by ranking the right word above the others."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.baselines.base import ZeroShotPeer, check_positive
from wordsight.exceptions import InputError
from wordsight.geometry import directions
from wordsight.parameters import checked_random_state
from wordsight.progress import report
from wordsight.words.vectors import WordVectors

__all__ = ["DeViSE", "ranking_loss"]


def ranking_loss(scores: torch.Tensor, codes: torch.Tensor, margin: float) -> torch.Tensor:
    """Return Σ_{j ≠ y} max(0, margin − s_y + s_j), averaged over images.

    Parameters
    ----------
    scores : Tensor, shape (n, C)
    codes : Tensor of int64, shape (n,)
        y, the class of each image.
    margin : float

    Returns
    -------
    Tensor, shape ()

    References
    ----------
    Frome et al. 2013, Eq. 1.
    """
    right = scores.gather(1, codes[:, None])
    # the class itself adds the margin, a constant, which is taken off again
    return (margin - right + scores).clamp(min=0).sum(1).mean() - margin


class DeViSE(ZeroShotPeer):
    """Score a class by wᵀ M x, M learned by a ranking loss over the seen words.

    Words have length 1, features are standardised. Minimised by Adagrad over mini-batches; all
    seen classes take part in the loss of each image, where the published training stops at the
    first one that violates the margin.

    Parameters
    ----------
    words : WordVectors, mapping of str to array, path or None, default None
        Word vectors of the class names; None is the vocabulary in the package.
    unseen : sequence of str, default ()
        Names of classes to be recognised without an image.
    margin : float, default 0.1
        By how much the right word is to lie above the others.
    n_epochs : int, default 20
        Passes over the images.
    batch_size : int, default 256
    learning_rate : float, default 0.01
        Of Adagrad.
    on_missing : {"error", "compose"}, default "compose"
        What to do with a name that has no vector of its own.
    random_state : int, RandomState or None, default None
        Draws the order of the images.

    Attributes
    ----------
    coef_ : ndarray, shape (d, F)
        M, of features that are not standardised.
    intercept_ : ndarray, shape (d,)
    loss_ : float
        Mean ranking loss of the last pass.

    References
    ----------
    Frome, Corrado, Shlens, Bengio, Dean, Ranzato, Mikolov: "DeViSE: A Deep Visual-Semantic
    Embedding Model", NIPS 2013.
    """

    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    loss_: float

    def __init__(
        self,
        words: WordVectors | Mapping[str, Any] | str | None = None,
        unseen: Sequence[str] = (),
        *,
        margin: float = 0.1,
        n_epochs: int = 20,
        batch_size: int = 256,
        learning_rate: float = 0.01,
        on_missing: Literal["error", "compose"] = "compose",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.words = words
        self.unseen = unseen
        self.margin = margin
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.on_missing = on_missing
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_positive(margin=self.margin, learning_rate=self.learning_rate)
        for name in ("n_epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise InputError(f"{name}={value!r} was given; expected a whole number above 0")

    def _fit(self, X: NDArray[Any], codes: NDArray[np.int64], W: NDArray[np.float64]) -> None:
        random_state = checked_random_state(self.random_state)
        mean, scale = X.mean(0, dtype=np.float64), X.std(0, dtype=np.float64)
        scale[scale == 0] = 1.0
        words = torch.from_numpy(directions(W)).float()
        # from nothing: what a first draw puts where no seen word points would stay there
        M = torch.zeros(words.shape[1], X.shape[1], requires_grad=True)
        optimiser = torch.optim.Adagrad([M], lr=self.learning_rate)
        for epoch in range(self.n_epochs):
            order = random_state.permutation(len(X))
            total = 0.0
            for begin in range(0, len(X), self.batch_size):
                rows = order[begin : begin + self.batch_size]
                x = torch.from_numpy((X[rows] - mean) / scale).float()
                loss = ranking_loss(x @ M.T @ words.T, torch.from_numpy(codes[rows]), self.margin)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                total += float(loss.detach()) * len(rows)
            self.loss_ = total / len(X)
            report("ranking words", epoch + 1, self.n_epochs)
        self.coef_ = M.detach().double().numpy() / scale
        self.intercept_ = -self.coef_ @ mean

    def _scores(self, X: NDArray[Any], W: NDArray[np.float64]) -> NDArray[np.float64]:
        mapped: NDArray[np.float64] = X @ self.coef_.T + self.intercept_
        return mapped @ directions(W).T
