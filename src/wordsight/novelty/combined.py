"""Several gates weighed into one probability, learned on seen classes held out as unseen ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from wordsight.exceptions import InputError
from wordsight.novelty.base import Centers, NoveltyDetector
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.novelty.length import LengthNovelty
from wordsight.novelty.shares import ShareNovelty
from wordsight.novelty.stacking import StackingNovelty

__all__ = ["CombinedNovelty", "ScoreTables", "Trial", "check_classes_suffice"]

ScoreTables = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Standardised scores of a trial's ordinary and novel images, a column for each detector."""


def check_classes_suffice(n_classes: int) -> None:
    """Raise `InputError` where holding out a class leaves nothing to tell it from."""
    if n_classes < 3:
        raise InputError(
            f"a gate that weighs others learns by holding out seen classes, and {n_classes} are "
            "too few; give images of at least three classes, or choose another gate"
        )


@dataclass(frozen=True)
class Trial:
    """What a map says of images when some seen classes are held out as if they were unseen.

    Attributes
    ----------
    rest, rest_labels : ndarray, shapes (n_rest, d) and (n_rest,)
        Mapped images of the classes kept, that the map was trained on.
    held_out, held_out_labels : ndarray, shapes (m, d) and (m,)
        Mapped images of the classes kept, that it was not trained on.
    novel, novel_labels : ndarray, shapes (q, d) and (q,)
        Mapped images of the classes held out.
    centers : dict of label to ndarray
        Word vectors of the classes kept.
    unseen_centers : dict of label to ndarray
        Those of the classes held out.
    """

    rest: NDArray[np.float64]
    rest_labels: NDArray[Any]
    held_out: NDArray[np.float64]
    held_out_labels: NDArray[Any]
    novel: NDArray[np.float64]
    novel_labels: NDArray[Any]
    centers: dict[Any, NDArray[np.float64]]
    unseen_centers: dict[Any, NDArray[np.float64]]


class CombinedNovelty(NoveltyDetector):
    """Weigh the scores of several detectors into P(V = u | x).

    Each score is counted in standard deviations of ordinary images' from their mean, on images
    that nothing was fitted on; a logistic regression on these numbers gives the probability. Its
    weights come from trials (`learn_weights`) in which seen classes were held out, from the map on,
    as if they were unseen: no image of a truly unseen class is needed. Before that, all weights are
    the same. `CrossModalClassifier` holds out up to ten seen classes in turn, and learns them.

    The score is minus the log odds of being novel, as if half of all images were; the threshold is
    `offset_`, as everywhere, and `novelty_proba` does not depend on it.

    Parameters
    ----------
    detectors : sequence of NoveltyDetector or None, default None
        None is ten of mapped points: `StackingNovelty` by cosine and by distance, and about the
        mean of the seen words with both sides together and each alone; `LengthNovelty`;
        `GaussianNovelty`; and the three rules of `ShareNovelty`.
    alpha : float, default 0.01
        Weight of the penalty of the logistic regression.
    unseen_share : float, default 0.5
        Share of images that are expected to be of unseen classes: what P(V = u | x) is before
        anything is known of x. The threshold and all scores are the same whatever it is.
    false_novel_rate : float, default 0.1
        The fraction of seen images that may be called novel.

    Attributes
    ----------
    detectors_ : list of NoveltyDetector
        Fitted.
    coef_ : ndarray of shape (n_detectors,)
        How much a standard deviation towards ordinary takes from the log odds.
    intercept_ : float
    means_, scales_ : ndarray of shape (n_detectors,)
        Of ordinary images' scores.
    offset_ : float
        The threshold on the score.

    References
    ----------
    Atzmon, Chechik: "Adaptive Confidence Smoothing for Generalized Zero-Shot Learning", CVPR 2019,
    whose gate is learned on held-out classes from the outputs of the experts.
    """

    detectors_: list[NoveltyDetector]
    coef_: NDArray[np.float64]
    intercept_: float
    means_: NDArray[np.float64]
    scales_: NDArray[np.float64]

    def __init__(
        self,
        detectors: Sequence[NoveltyDetector] | None = None,
        *,
        alpha: float = 0.01,
        unseen_share: float = 0.5,
        false_novel_rate: float = 0.1,
    ) -> None:
        self.detectors = detectors
        self.alpha = alpha
        self.unseen_share = unseen_share
        self.false_novel_rate = false_novel_rate

    def _members(self) -> list[NoveltyDetector]:
        if self.detectors is None:
            return [
                StackingNovelty("cosine"),
                StackingNovelty("euclidean"),
                StackingNovelty("cosine", centre=True),
                StackingNovelty("cosine", centre=True, side="seen"),
                StackingNovelty("cosine", centre=True, side="unseen"),
                LengthNovelty(),
                GaussianNovelty(),
                ShareNovelty("largest"),
                ShareNovelty("margin"),
                ShareNovelty("entropy"),
            ]
        if not len(self.detectors):
            raise InputError("no detector was given; give at least one to weigh")
        for each in self.detectors:
            if each.sees != "mapped":
                raise InputError(
                    f"{type(each).__name__} looks at {each.sees}, and a combined gate at mapped "
                    "points; give detectors that look at these"
                )
        return [clone(each) for each in self.detectors]

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        if not 0 < self.alpha < np.inf:
            raise InputError(f"alpha={self.alpha!r} was given; expected a number above 0")
        if not 0 < self.unseen_share < 1:
            raise InputError(
                f"unseen_share={self.unseen_share!r} was given; expected a share between 0 and 1"
            )
        self.detectors_ = self._members()
        for each in self.detectors_:
            each.fit(points, labels, centers=centers)
        count = len(self.detectors_)
        self.coef_, self.intercept_ = np.full(count, 1.0 / count), 0.0
        standardised = self._measured(points)
        self.offset_ = float(np.quantile(self.weighed(standardised), self.false_novel_rate))

    def _raw(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([each.score_samples(points) for each in self.detectors_], axis=1)

    def _measured(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Learn what scores ordinary points have; return them, standardised."""
        raw = self._raw(points)
        self.means_ = raw.mean(axis=0)
        spread = raw.std(axis=0)
        self.scales_ = np.where(spread > 0, spread, 1.0)
        standardised: NDArray[np.float64] = (raw - self.means_) / self.scales_
        return standardised

    def check_enough(self, counts: NDArray[np.int64], false_novel_rate: float) -> None:
        """Raise `InputError` where classes or held-out images are too few."""
        check_classes_suffice(len(counts))
        super().check_enough(counts, false_novel_rate)

    def learn_weights(self, trials: Sequence[Trial]) -> Self:
        """Learn how to weigh the detectors from classes held out as if they were unseen.

        Parameters
        ----------
        trials : sequence of Trial
            Ordinary and novel images count alike in each, and the trials count alike.

        Returns
        -------
        CombinedNovelty
            Itself; `calibrate` it afterwards, since the scores have changed.

        Raises
        ------
        InputError
            No trial, or one without ordinary or without novel images.
        """
        check_is_fitted(self)
        if not trials or not all(len(one.held_out) and len(one.novel) for one in trials):
            raise InputError(
                "weights are learned from trials with ordinary and novel images; hold out images "
                "of the classes kept, and at least one class"
            )
        return self.weigh([self.standardised_scores(trial) for trial in trials])

    def standardised_scores(self, trial: Trial) -> ScoreTables:
        """Return what `weigh` learns from: the scores of the detectors, fitted on a trial.

        Parameters
        ----------
        trial : Trial

        Returns
        -------
        held_out, novel : ndarray of float64, shapes (m, n_detectors) and (q, n_detectors)
        """
        member = clone(self).fit(trial.rest, trial.rest_labels, centers=trial.centers)
        member.set_unseen(np.stack(list(trial.unseen_centers.values())))
        ordinary = member._measured(member._check_points(trial.held_out, reset=False))
        return ordinary, member._standardised(member._check_points(trial.novel, reset=False))

    def weigh(self, tables: Sequence[ScoreTables]) -> Self:
        """Learn the weights from the scores of some trials; see `learn_weights`.

        Parameters
        ----------
        tables : sequence of (ndarray, ndarray)
            From `standardised_scores`.
        """
        parts = [part for pair in tables for part in pair]
        novel = np.concatenate([np.full(len(part), k % 2) for k, part in enumerate(parts)])
        weight = np.concatenate([np.full(len(part), 1.0 / len(part)) for part in parts])
        # its penalty is on the sum over images, this one's on their mean
        model = LogisticRegression(C=1.0 / self.alpha, tol=1e-8, max_iter=1000)
        model.fit(np.concatenate(parts), novel, sample_weight=weight / len(parts))
        self.coef_, self.intercept_ = -model.coef_[0], float(model.intercept_[0])
        return self

    def weighed(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the score that the weights make of standardised scores (n, n_detectors)."""
        score: NDArray[np.float64] = scores @ self.coef_ - self.intercept_
        return score

    def _standardised(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (self._raw(points) - self.means_) / self.scales_
        return found

    def calibrate(
        self,
        S: ArrayLike,
        false_novel_rate: float | None = None,
        *,
        y: ArrayLike | None = None,
    ) -> Self:
        """Measure the scores of held-out ordinary images, and set the threshold on them."""
        self._measured(self._check_points(S, reset=False))
        return super().calibrate(S, false_novel_rate, y=y)

    @property
    def compares_words(self) -> bool:
        """Whether scores depend on the words of the unseen classes."""
        return any(each.compares_words for each in self.detectors_)

    def set_unseen(self, centers: ArrayLike) -> Self:
        """Pass the word vectors of the unseen classes on; see `NoveltyDetector`."""
        super().set_unseen(centers)
        for each in self.detectors_:
            each.set_unseen(centers)
        return self

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.weighed(self._standardised(points))

    def _proba(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(expit(logit(self.unseen_share) - scores), dtype=np.float64)
