"""The one contract of novelty detectors.

A detector looks at mapped points S in the word space and says how much each looks like the seen
classes. It has one sign, scikit-learn's: a high score is ordinary, a low one novel.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from wordsight.exceptions import InputError
from wordsight.novelty.calibration import check_rate, threshold_for_rate

__all__ = ["Centers", "LogisticNovelty", "NoveltyDetector", "Sees", "check_labels", "classes_of"]

Sees = Literal["mapped", "features", "logits"]
"""What a detector looks at: mapped points S, image features X, or what the softmax over seen
classes takes the exponential of."""

Centers = Mapping[str, ArrayLike] | ArrayLike
"""Word vectors of the seen classes: by name, or in the order of the sorted labels."""

_ONE_CLASS = "seen"

# coordinates above this have squared distances that overflow a double, and no ordering
_LARGEST_COORDINATE = 1e140


class NoveltyDetector(OutlierMixin, BaseEstimator, metaclass=ABCMeta):
    """Tell images of seen classes from those of classes never seen.

    Subclasses implement `_fit`, `_score` and `novelty_proba`. All of them learn from mapped
    points of seen classes only.

    Attributes
    ----------
    sees : {"mapped", "features", "logits"}
        What its points are; of the class, not learned.
    offset_ : float
        The threshold T on `score_samples`: a point that scores strictly below it is novel.
        `fit` sets it on the training points themselves, from `false_novel_rate`, so that a
        detector is usable at once; as the mapping has been fitted to the same points they look
        more ordinary than new ones do. `calibrate` sets it on held-out images, with a guarantee.
    n_features_in_ : int
        The dimension d of the word space.
    """

    sees: ClassVar[Sees] = "mapped"
    false_novel_rate: float
    offset_: float

    def fit(
        self, S: ArrayLike, y: ArrayLike | None = None, *, centers: Centers | None = None
    ) -> Self:
        """Learn what points of seen classes look like.

        Parameters
        ----------
        S : array-like of shape (n, d)
            Mapped training points of the seen classes.
        y : array-like of shape (n,), optional
            Their class names; without them all points are of one class.
        centers : mapping of name to (d,) or array-like of shape (n_classes, d), optional
            The word vectors of the seen classes; an array is in the order of the sorted labels.
            Detectors that use no word vectors ignore it.

        Returns
        -------
        NoveltyDetector
            Itself.

        Raises
        ------
        InputError
            A wrong parameter or shape, NaN or infinity, no points, labels of another length, a
            class without its center.
        """
        check_rate(self.false_novel_rate)
        points = self._check_points(S, reset=True)
        self._fit(points, None if y is None else check_labels(y, len(points)), centers)
        return self

    def score_samples(self, S: ArrayLike) -> NDArray[np.float64]:
        """Score how ordinary points are: high = like the seen classes.

        Parameters
        ----------
        S : array-like of shape (n, d)
            Mapped points.

        Returns
        -------
        ndarray of shape (n,)
            The scores; their unit is the detector's own.

        Raises
        ------
        InputError
            A wrong shape, NaN or infinity.
        """
        check_is_fitted(self)
        return self._score(self._check_points(S, reset=False))

    def decision_function(self, S: ArrayLike) -> NDArray[np.float64]:
        """Return `score_samples(S) - offset_`, shape (n,): below 0 is novel."""
        return self.score_samples(S) - self.offset_

    def predict(self, S: ArrayLike) -> NDArray[np.int64]:
        """Return −1 for novel points and +1 for ordinary ones, shape (n,).

        Eq. 3 of Socher et al.: novel is what scores strictly below the threshold.
        """
        return np.where(self.decision_function(S) < 0.0, -1, 1).astype(np.int64)

    def novelty_proba(self, S: ArrayLike) -> NDArray[np.float64]:
        """Return P(V = u | x), the probability that a point is of an unseen class.

        Parameters
        ----------
        S : array-like of shape (n, d)
            Mapped points.

        Returns
        -------
        ndarray of shape (n,)
            Probabilities between 0 and 1; never rising with `score_samples`.
        """
        return self._proba(self.score_samples(S))

    def score_and_proba(self, S: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `decision_function` and `novelty_proba` of the same points, scored once."""
        return self.judge(self.score_samples(S))

    def judge(self, scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `decision_function` and `novelty_proba` of points that have these scores."""
        return scores - self.offset_, self._proba(scores)

    def check_enough(self, counts: NDArray[np.int64], false_novel_rate: float) -> None:
        """Raise `InputError` where held-out images are too few to calibrate on, before any work.

        Parameters
        ----------
        counts : ndarray of int, shape (n_classes,)
            Held-out images of each class.
        false_novel_rate : float
        """
        threshold_for_rate(np.zeros(int(counts.sum())), false_novel_rate)

    def set_threshold(self, score: float) -> Self:
        """Put the threshold `offset_` at a score; what scores strictly below it is novel."""
        check_is_fitted(self)
        threshold = float(score)
        if not np.isfinite(threshold):
            raise InputError(f"a threshold of {threshold} was given; give a finite score")
        self.offset_ = threshold
        return self

    def calibrate(
        self,
        S: ArrayLike,
        false_novel_rate: float | None = None,
        *,
        y: ArrayLike | None = None,
    ) -> Self:
        """Set the threshold on held-out points of seen classes.

        Parameters
        ----------
        S : array-like of shape (n, d)
            Mapped points of seen classes that neither the mapping nor `fit` has used.
        false_novel_rate : float, optional
            The fraction of seen images that may be called novel; the parameter's by default.
        y : array-like of shape (n,), optional
            Their class names, for detectors that calibrate within each class.

        Returns
        -------
        NoveltyDetector
            Itself.

        Raises
        ------
        InputError
            The rate is smaller than the number of points supports; see `threshold_for_rate`.
        """
        rate = self.false_novel_rate if false_novel_rate is None else false_novel_rate
        return self.set_threshold(threshold_for_rate(self.score_samples(S), rate))

    @property
    def compares_words(self) -> bool:
        """Whether scores depend on the words of the unseen classes."""
        return False

    def set_unseen(self, centers: ArrayLike) -> Self:
        """Take note of the word vectors of the unseen classes, shape (n_unseen, d).

        Only detectors that compare with them make use of it; their scores then change, and the
        threshold is to be calibrated again.
        """
        check_is_fitted(self)
        return self

    @abstractmethod
    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        """Learn from checked points (n, d); sets `offset_` and all that `_score` needs."""

    @abstractmethod
    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score checked points (n, d), high = ordinary."""

    @abstractmethod
    def _proba(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn scores (n,) into P(unseen | x)."""

    def _check_points(self, S: ArrayLike, *, reset: bool) -> NDArray[np.float64]:
        try:
            points: NDArray[np.float64] = validate_data(
                self, S, reset=reset, dtype=np.float64, order="C", ensure_all_finite=False
            )
        except ValueError as error:
            raise InputError(_plain(error, S)) from error
        wrong = ~np.isfinite(points).all(axis=1)
        if wrong.any():
            raise InputError(
                f"{np.count_nonzero(wrong)} of {len(points)} points hold NaN or infinity (inf), "
                f"the first in row {int(wrong.argmax())}; leave these images out or mend their "
                "features"
            )
        if np.abs(points).max(initial=0.0) > _LARGEST_COORDINATE:
            raise InputError(
                f"a point has a coordinate above {_LARGEST_COORDINATE:g}, too far for distances "
                "in double precision; standardise the features"
            )
        return points


class LogisticNovelty(NoveltyDetector):
    """A detector whose score has no probabilistic meaning of its own.

    `novelty_proba` is 1 / (1 + exp((score − offset_) / scale_)): 1/2 at the threshold, and as
    steep as ordinary points spread. A calibrated probability is what `CombinedNovelty` learns.

    Attributes
    ----------
    scale_ : float
        Standard deviation of the training points' scores; 1 where they are all the same.
    """

    scale_: float

    def _set_scale(self, scores: NDArray[np.float64]) -> None:
        """Set threshold and scale on the scores of the training points."""
        self.offset_ = float(np.quantile(scores, self.false_novel_rate))
        self.scale_ = float(scores.std()) or 1.0

    def _proba(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(expit((self.offset_ - scores) / self.scale_), dtype=np.float64)


def _plain(error: ValueError, S: ArrayLike) -> str:
    """Restate scikit-learn's refusal of points in one sentence."""
    reason = str(error).splitlines()[0]
    if reason.endswith("features as input."):
        return f"{reason.rstrip('.')}; give points of the space that it was fitted in"
    if "0 sample(s)" in reason:
        return f"{reason.rstrip('.')}; give at least one image"
    if "Expected 2D array" not in reason:
        return reason
    return (
        f"points of shape {np.shape(S)} were given, and (n images, d dimensions) is expected. "
        "Reshape your data: S.reshape(1, -1) for a single image"
    )


def check_labels(y: ArrayLike, n_points: int) -> NDArray[Any]:
    """Return class names as an array (n_points,), or refuse them."""
    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) != n_points:
        raise InputError(
            f"labels of shape {labels.shape} were given for {n_points} points; give one class "
            "name a point"
        )
    return labels


def _centers_of(classes: NDArray[Any], centers: Centers, dimension: int) -> NDArray[np.float64]:
    """Put the given word vectors in the order of `classes`, (n_classes, d), or refuse them."""
    names = classes.tolist()
    rows: Any = centers
    if isinstance(centers, Mapping):
        missing = [str(name) for name in names if name not in centers]
        if missing:
            raise InputError(
                f"centers has no word vector for {', '.join(missing)}; give one for every class "
                "in y"
            )
        rows = [centers[name] for name in names]
    try:
        table = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"centers is not a table of {len(names)} word vectors of {dimension} numbers each; "
            "give one row of numbers for each class in y"
        ) from error
    if table.shape != (len(names), dimension):
        raise InputError(
            f"centers of shape {table.shape} were given; {len(names)} classes in {dimension} "
            f"dimensions need others: give {(len(names), dimension)}, rows in the order of the "
            "sorted labels"
        )
    if not np.isfinite(table).all():
        raise InputError("centers hold NaN or infinity; give finite word vectors")
    return table


def classes_of(
    points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.float64]]:
    """Return the classes of points, sorted; the class of each point; and the classes' centers.

    Parameters
    ----------
    points : ndarray of shape (n, d)
    labels : ndarray of shape (n,) or None
        None makes all points one class.
    centers : mapping or array-like or None
        Their word vectors; None takes their mean points.
    """
    if labels is None:
        labels = np.full(len(points), _ONE_CLASS)
    classes, codes = np.unique(labels, return_inverse=True)
    if centers is not None:
        return classes, codes, _centers_of(classes, centers, points.shape[1])
    means = [points[codes == c].mean(axis=0) for c in range(len(classes))]
    return classes, codes, np.stack(means)
