"""Novelty as being made of several seen classes, and of none alone."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from wordsight.exceptions import InputError
from wordsight.geometry import shares_of
from wordsight.novelty.base import Centers, LogisticNovelty, classes_of
from wordsight.parameters import is_between

__all__ = ["ShareNovelty"]


class ShareNovelty(LogisticNovelty):
    """Novel is what is made of several seen classes and of none alone.

    The score is the largest of an image's shares (`shares_of`); by how much it leads the next; or
    minus the entropy of their softmax. Unseen words have no part in it, and of a single seen class
    nothing is novel.

    Parameters
    ----------
    rule : {"largest", "margin", "entropy"}, default "largest"
    temperature : float, default 0.125
        What shares are divided by before the softmax, for ``rule="entropy"``: shares lie between 0
        and 1 for the most part, so that an image made of one class alone is then taken for that
        class with all but certainty.
    false_novel_rate : float, default 0.1
        The fraction of seen images that may be called novel.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The seen classes, sorted.
    centers_ : ndarray of shape (n_classes, d)
        Their word vectors, or the classes' mean points where none were given.
    scale_ : float
        Standard deviation of the training points' scores.
    offset_ : float
        The threshold on the score.

    References
    ----------
    Norouzi et al.: "Zero-Shot Learning by Convex Combination of Semantic Embeddings", ICLR 2014,
    take the words of seen classes in the shares of a classifier's probabilities; here the shares
    are read off a mapped point.
    """

    classes_: NDArray[Any]
    centers_: NDArray[np.float64]

    def __init__(
        self,
        rule: Literal["largest", "margin", "entropy"] = "largest",
        *,
        temperature: float = 0.125,
        false_novel_rate: float = 0.1,
    ) -> None:
        self.rule = rule
        self.temperature = temperature
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self._check_parameters()
        self.classes_, _, self.centers_ = classes_of(points, labels, centers)
        self._set_scale(self._score(points))

    def _check_parameters(self) -> None:
        if self.rule not in ("largest", "margin", "entropy"):
            raise InputError(
                f"rule={self.rule!r} is unknown; choose 'largest', 'margin' or 'entropy'"
            )
        if not is_between(self.temperature, 0, np.inf):
            raise InputError(f"temperature={self.temperature!r} was given; give a number above 0")

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = shares_of(points, self.centers_)
        if self.rule == "entropy":
            log_proba = log_softmax(shares / self.temperature, axis=1)
            return np.asarray((np.exp(log_proba) * log_proba).sum(axis=1))
        shares = np.sort(shares, axis=1)
        if self.rule == "margin" and shares.shape[1] > 1:
            return np.asarray(shares[:, -1] - shares[:, -2])
        return shares[:, -1]
