"""Novelty as being made of several seen classes, and of none alone."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.geometry import shares_of
from wordsight.novelty.base import Centers, LogisticNovelty, classes_of

__all__ = ["ShareNovelty"]


class ShareNovelty(LogisticNovelty):
    """Novel is what is made of several seen classes and of none alone.

    The score is the largest of an image's shares (`shares_of`), or by how much it leads the next.
    Unseen words have no part in it.

    Parameters
    ----------
    rule : {"largest", "margin"}, default "largest"
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
        self, rule: Literal["largest", "margin"] = "largest", *, false_novel_rate: float = 0.1
    ) -> None:
        self.rule = rule
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self._check_parameters()
        self.classes_, _, self.centers_ = classes_of(points, labels, centers)
        self._set_scale(self._score(points))

    def _check_parameters(self) -> None:
        if self.rule not in ("largest", "margin"):
            raise InputError(f"rule={self.rule!r} is unknown; choose 'largest' or 'margin'")

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = np.sort(shares_of(points, self.centers_), axis=1)
        if self.rule == "margin" and shares.shape[1] > 1:
            return np.asarray(shares[:, -1] - shares[:, -2])
        return shares[:, -1]
