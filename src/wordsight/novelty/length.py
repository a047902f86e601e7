"""Novelty as being mapped to nowhere in particular."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.novelty.base import Centers, LogisticNovelty, classes_of

__all__ = ["LengthNovelty"]


class LengthNovelty(LogisticNovelty):
    """Novel is what is mapped to near the middle of the seen words.

    Ridge regression takes an image that is like none it was trained on to the mean of its targets:
    the score is the distance from the mean of the seen words. A weak gate alone, and a part of
    `CombinedNovelty`.

    Parameters
    ----------
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
    """

    classes_: NDArray[Any]
    centers_: NDArray[np.float64]

    def __init__(self, *, false_novel_rate: float = 0.1) -> None:
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self.classes_, _, self.centers_ = classes_of(points, labels, centers)
        self._set_scale(self._score(points))

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        length: NDArray[np.float64] = np.linalg.norm(points - self.centers_.mean(axis=0), axis=1)
        return length
