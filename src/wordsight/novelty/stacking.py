"""Novelty as nearness to a word of an unseen class, against nearness to one of a seen class."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.compute import blocks
from wordsight.exceptions import InputError
from wordsight.geometry import check_metric, similarity
from wordsight.leading import MANY
from wordsight.novelty.base import Centers, LogisticNovelty, classes_of

__all__ = ["StackingNovelty"]


class StackingNovelty(LogisticNovelty):
    """Novel is what lies nearer to a word of an unseen class than to one of a seen class.

    The score is the similarity to the nearest seen word less that to the nearest unseen one:
    of cosines, or of negative Euclidean distances. The threshold γ on it is the calibrating
    constant of Chao et al.; at 0 the nearest of all words decides, which favours seen classes,
    since the map was learned from images of theirs.

    Until `set_unseen` names unseen classes, the score is the similarity to the nearest seen word
    alone.

    Parameters
    ----------
    metric : {"cosine", "euclidean"}, default "cosine"
        By what words are near.
    side : {"both", "seen", "unseen"}, default "both"
        Which words are compared with: with "seen" the score is the similarity to the nearest seen
        word alone, with "unseen" minus that to the nearest unseen one. Neither is much of a gate;
        a gate that weighs several (`CombinedNovelty`) can make more of them than of their
        difference.
    centre : bool, default False
        Count points and words from the mean of the seen words. Cosines then tell directions apart
        that all words share otherwise, and no word is near to everything; distances stay.
    false_novel_rate : float, default 0.1
        The fraction of seen images that may be called novel.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The seen classes, sorted.
    centers_ : ndarray of shape (n_classes, d)
        Their word vectors, or the classes' mean points where none were given.
    unseen_centers_ : ndarray of shape (n_unseen, d)
        The word vectors of the unseen classes.
    scale_ : float
        Standard deviation of the training points' scores.
    offset_ : float
        The threshold γ.

    References
    ----------
    Chao, Changpinyo, Gong, Sha: "An Empirical Study and Analysis of Generalized Zero-Shot Learning
    for Object Recognition in the Wild", ECCV 2016, Eq. 4. Suzuki, Hara, Shimbo, Saerens, Fukumizu:
    "Centering Similarity Measures to Reduce Hubs", EMNLP 2013, for centring.
    """

    classes_: NDArray[Any]
    centers_: NDArray[np.float64]
    unseen_centers_: NDArray[np.float64]

    def __init__(
        self,
        metric: Literal["cosine", "euclidean"] = "cosine",
        *,
        side: Literal["both", "seen", "unseen"] = "both",
        centre: bool = False,
        false_novel_rate: float = 0.1,
    ) -> None:
        self.metric = metric
        self.side = side
        self.centre = centre
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self._check_parameters()
        self.classes_, _, self.centers_ = classes_of(points, labels, centers)
        self.unseen_centers_ = np.empty((0, points.shape[1]))
        self._set_scale(self._score(points))

    def _check_parameters(self) -> None:
        check_metric(self.metric)
        if self.side not in ("both", "seen", "unseen"):
            raise InputError(f"side={self.side!r} is unknown; choose 'both', 'seen' or 'unseen'")

    @property
    def compares_words(self) -> bool:
        """Whether scores depend on the words of the unseen classes."""
        return self.side != "seen"

    def set_unseen(self, centers: ArrayLike) -> Self:
        """Compare with these word vectors of unseen classes from now on, shape (n_unseen, d)."""
        super().set_unseen(centers)
        words = np.asarray(centers, dtype=np.float64)
        dimension = self.centers_.shape[1]
        if words.ndim != 2 or words.shape[1] != dimension or not np.isfinite(words).all():
            raise InputError(
                f"word vectors of shape {words.shape} were given for unseen classes; expected "
                f"(n_unseen, {dimension}), all finite"
            )
        self.unseen_centers_ = words.copy()
        return self

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        score = np.zeros(len(points))
        if self.side != "unseen":
            score += self._similarity(points, self.centers_)
        if self.side != "seen" and len(self.unseen_centers_):
            score -= self._similarity(points, self.unseen_centers_)
        return score

    def _similarity(
        self, points: NDArray[np.float64], words: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the similarity of each point to the nearest word, (n,)."""
        if self.centre:
            origin = self.centers_.mean(axis=0)
            points, words = points - origin, words - origin
        nearest = np.full(len(points), -np.inf)
        for cut in blocks(len(words), MANY):  # of very many words never a table of all
            found = similarity(points, words[cut], self.metric).max(axis=1)
            np.maximum(nearest, found, out=nearest)
        return nearest
