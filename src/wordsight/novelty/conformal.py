"""A gate with a guarantee: each image's p-value of being ordinary (split-conformal prediction)."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from wordsight.exceptions import InputError
from wordsight.novelty.base import Centers, NoveltyDetector, check_labels
from wordsight.novelty.calibration import check_rate, checked_rank
from wordsight.novelty.gaussian import GaussianNovelty

__all__ = ["ConformalNovelty", "p_values"]

# p = k/(n + 1) and a rate of as much may differ by rounding
_ROUNDING = 1e-9


def p_values(held_out: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Return how often an ordinary image looks at least as novel as each of some images does.

    p = (1 + #{i : held_out_i ≤ score}) / (n + 1). For an image that is exchangeable with the n
    held-out ones, P(p ≤ ε) ≤ ε for every ε: in finite samples, whatever the score and the
    distribution, over the drawing of both.

    Parameters
    ----------
    held_out : array-like of shape (n,)
        Scores (high = ordinary) of images of seen classes that nothing was fitted on.
    scores : array-like of shape (m,)
        Scores of other images.

    Returns
    -------
    ndarray of shape (m,)
        Between 1/(n + 1) and 1.

    References
    ----------
    Vovk, Gammerman, Shafer: "Algorithmic Learning in a Random World", 2005, section 2.3; Bates,
    Candès, Lei, Romano, Sesia: "Testing for Outliers with Conformal p-values", Annals of
    Statistics 2023, Eq. 3.
    """
    known = np.sort(np.asarray(held_out, dtype=np.float64))
    rank = np.searchsorted(known, np.asarray(scores, dtype=np.float64), side="right")
    return np.asarray((1.0 + rank) / (len(known) + 1.0), dtype=np.float64)


class ConformalNovelty(NoveltyDetector):
    """Another detector's score turned into a p-value of being ordinary.

    After `calibrate` on n images of seen classes that neither map nor detector has met,
    `score_samples` is the conformal p-value: for a new image of the seen classes that is
    exchangeable with them, P(p ≤ ε) ≤ ε for every ε. Novel is what has p ≤ `false_novel_rate`, so
    that at most this share of ordinary images is called novel, whatever the detector is worth.

    With ``per_class=True`` (Mondrian) the same holds *within each class*: p is the largest of the
    p-values among the held-out images of each class, so that images of a rare or difficult class
    are not called novel more often than others.

    The guarantee is over the drawing of the held-out images and the new one; with these held-out
    images fixed, the share of new ones called novel varies around it with a standard deviation of
    about sqrt(ε (1 − ε) / n).

    Parameters
    ----------
    detector : NoveltyDetector or None, default None
        Whose score it is; None is `GaussianNovelty`. It must look at mapped points.
    per_class : bool, default False
        Whether the guarantee is to hold within each class.
    false_novel_rate : float, default 0.1
        ε, the share of seen images that may be called novel.

    Attributes
    ----------
    detector_ : NoveltyDetector
        Fitted.
    calibration_scores_ : ndarray of shape (n,)
        Scores of the held-out images; until `calibrate`, of the training points, with which there
        is no guarantee.
    calibration_codes_ : ndarray of shape (n,)
        Their classes as numbers from 0; all 0 unless ``per_class=True``.
    offset_ : float
        The rate, and a rounding error above it: what has a p-value below is novel.

    Notes
    -----
    A p-value is no probability of being unseen. `novelty_proba` is offset_ / (offset_ + p): 1/2 at
    the threshold, and falling with p.

    References
    ----------
    See `p_values`; for classes, Vovk: "Conditional validity of inductive conformal predictors",
    ACML 2012.
    """

    detector_: NoveltyDetector
    calibration_scores_: NDArray[np.float64]
    calibration_codes_: NDArray[np.float64]

    def __init__(
        self,
        detector: NoveltyDetector | None = None,
        *,
        per_class: bool = False,
        false_novel_rate: float = 0.1,
    ) -> None:
        self.detector = detector
        self.per_class = per_class
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self.detector_ = GaussianNovelty() if self.detector is None else clone(self.detector)
        self.detector_.fit(points, labels, centers=centers)
        self._keep(self.detector_.score_samples(points), labels)
        self._set_rate(self.false_novel_rate)

    def check_enough(self, counts: NDArray[np.int64], false_novel_rate: float) -> None:
        """Raise `InputError` where held-out images are too few; see `NoveltyDetector`."""
        super().check_enough(counts, false_novel_rate)
        if self.per_class:
            checked_rank(int(counts[counts > 0].min()), false_novel_rate)

    def calibrate(
        self,
        S: ArrayLike,
        false_novel_rate: float | None = None,
        *,
        y: ArrayLike | None = None,
    ) -> Self:
        """Learn what scores ordinary images have.

        Parameters
        ----------
        S : array-like of shape (n, d)
            Mapped points of seen classes that neither the mapping nor `fit` has used.
        false_novel_rate : float, optional
            ε; the parameter's by default.
        y : array-like of shape (n,), optional
            Their class names; needed with ``per_class=True``.

        Returns
        -------
        ConformalNovelty
            Itself.

        Raises
        ------
        InputError
            The rate is below 1/(n + 1), with n the images of the rarest class where it is to hold
            within each; no class names, where they are needed.
        """
        rate = check_rate(self.false_novel_rate if false_novel_rate is None else false_novel_rate)
        scores = self.detector_.score_samples(S)
        if self.per_class and y is None:
            raise InputError(
                "per_class=True needs the class name of each held-out image: calibrate(S, y=labels)"
            )
        labels = None if y is None else check_labels(y, len(scores))
        groups = [scores]
        if self.per_class and labels is not None:
            groups = [scores[labels == name] for name in np.unique(labels)]
        checked_rank(min(map(len, groups)), rate)
        self._keep(scores, labels)
        self._set_rate(rate)
        return self

    def _keep(self, scores: NDArray[np.float64], labels: NDArray[Any] | None) -> None:
        self.calibration_scores_ = scores
        self.calibration_codes_ = np.zeros(len(scores))
        if self.per_class and labels is not None:
            self.calibration_codes_ = np.unique(labels, return_inverse=True)[1].astype(np.float64)

    def _set_rate(self, rate: float) -> None:
        self.offset_ = rate * (1.0 + _ROUNDING)

    @property
    def compares_words(self) -> bool:
        """Whether scores depend on the words of the unseen classes."""
        return self.detector_.compares_words

    def set_unseen(self, centers: ArrayLike) -> Self:
        """Pass the word vectors of the unseen classes on; see `NoveltyDetector`."""
        super().set_unseen(centers)
        self.detector_.set_unseen(centers)
        return self

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = self.detector_.score_samples(points)
        of_class = (
            p_values(self.calibration_scores_[self.calibration_codes_ == code], scores)
            for code in np.unique(self.calibration_codes_)
        )
        largest: NDArray[np.float64] = np.stack(list(of_class)).max(axis=0)
        return largest

    def _proba(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        threshold = max(self.offset_, 0.0)  # one moved below every p-value calls nothing novel
        found: NDArray[np.float64] = threshold / (threshold + scores)
        return found
