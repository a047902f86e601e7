"""The only scorer: accuracies over seen and unseen classes, the seen–unseen curve, AUROC.

Labels are class names. Accuracies are averaged over classes ("macro"), as is usual for
generalised zero-shot learning, so that a class with many images counts no more than another.
What is undefined, because no image of that kind is there, is None: never 0 and never NaN.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.exceptions import InputError
from wordsight.reliability import Reliability, expected_calibration_error, reliability

__all__ = [
    "Confusion",
    "Reliability",
    "Scores",
    "SeenUnseenCurve",
    "accuracy",
    "confused_classes",
    "confusion_matrix",
    "confusion_of_many",
    "expected_calibration_error",
    "harmonic_mean",
    "macro_accuracy",
    "novelty_auroc",
    "per_class_accuracy",
    "reliability",
    "scores",
    "seen_unseen_accuracy",
    "seen_unseen_curve",
]

Names = NDArray[np.str_]

MANY_CLASSES = 1000
"""Above so many classes, scores name only those that images are of or are called."""

# accuracies are sums of fractions and miss a round number such as 0.7 by about this much
_ROUNDING = 1e-12


class Confusion(TypedDict):
    """Counts of images: `matrix[i][j]` of class `classes[i]` were called `classes[j]`."""

    classes: list[str]
    matrix: list[list[int]]


class Scores(TypedDict):
    """What `scores` returns; ready for JSON. Accuracies are fractions, macro-averaged."""

    n_images: int
    seen_only_accuracy: float | None
    unseen_only_accuracy: float | None
    seen_accuracy: float | None
    unseen_accuracy: float | None
    harmonic_mean: float | None
    overall_accuracy: float
    ausuc: float | None
    unseen_at_70_seen: float | None
    best_harmonic_mean: float | None
    novelty_auroc: float | None
    seen_called_novel: float | None
    per_class: dict[str, float | None]
    confusion: Confusion


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Fraction of images whose class is right; every image counts the same."""
    true, predicted = _pair(y_true, y_pred)
    return float(np.mean(true == predicted))


def per_class_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, classes: ArrayLike | None = None
) -> dict[str, float | None]:
    """Fraction of each class's images whose class is right.

    Parameters
    ----------
    y_true, y_pred : array-like of str, shape (n,)
        True and predicted class names.
    classes : array-like of str, optional
        The classes to report, in order; by default those in `y_true`, sorted.

    Returns
    -------
    dict of str to float
        Accuracy by class; None for a class without images.
    """
    true, predicted = _pair(y_true, y_pred)
    present, codes = np.unique(true, return_inverse=True)
    shares = np.bincount(codes, weights=true == predicted) / np.bincount(codes)
    found: dict[str, float | None] = dict(zip(present.tolist(), shares.tolist(), strict=True))
    if classes is None:
        return found
    return {name: found.get(name) for name in _names(classes).tolist()}


def macro_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, classes: ArrayLike | None = None
) -> float | None:
    """Mean of `per_class_accuracy` over the classes that have images; None where none has."""
    found = per_class_accuracy(y_true, y_pred, classes).values()
    present = [value for value in found if value is not None]
    return float(np.mean(present)) if present else None


def harmonic_mean(a: float, b: float) -> float:
    """2ab / (a + b), and 0 where both are 0."""
    return 2.0 * a * b / (a + b) if a + b > 0 else 0.0


def seen_unseen_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, seen: ArrayLike, unseen: ArrayLike
) -> tuple[float | None, float | None]:
    """Macro accuracy on images of seen and on images of unseen classes.

    Parameters
    ----------
    y_true, y_pred : array of str, shape (n,)
        `y_pred` is over seen and unseen classes together.
    seen, unseen : array of str
        The classes of either kind.

    Returns
    -------
    tuple of (float or None)
        Either is None where no such image is there.
    """
    true, predicted = _pair(y_true, y_pred)
    _is_unseen(true, seen, unseen)
    return macro_accuracy(true, predicted, seen), macro_accuracy(true, predicted, unseen)


def confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike, classes: ArrayLike) -> NDArray[np.int64]:
    """Count images by true class (rows) and predicted class (columns), in the order of `classes`.

    Raises
    ------
    InputError
        A label that is not among `classes`, or a class that is there twice.
    """
    true, predicted = _pair(y_true, y_pred)
    names = _names(classes)
    order = np.argsort(names)
    if np.any(names[order][1:] == names[order][:-1]):
        raise InputError("classes holds a name twice; name every class once")
    rows, columns = (_rows(labels, names, order) for labels in (true, predicted))
    flat = np.bincount(rows * len(names) + columns, minlength=len(names) ** 2)
    return flat.reshape(len(names), len(names)).astype(np.int64)


def confused_classes(y_true: ArrayLike, y_pred: ArrayLike, classes: ArrayLike) -> list[str]:
    """Return the classes that a confusion matrix is made of: all, but of very many 1,000.

    These are then the classes that images most often are of or are called, in the order of
    `classes`: a matrix of all of 100,000 would hold 10¹⁰ numbers.

    Parameters
    ----------
    y_true, y_pred : array-like of str, shape (n,)
        True and predicted class names.
    classes : array-like of str

    Returns
    -------
    list of str
        All where there are at most 1,000.
    """
    names = _names(classes)
    if len(names) <= MANY_CLASSES:
        return list(map(str, names))
    found, counts = np.unique(np.concatenate(_pair(y_true, y_pred)), return_counts=True)
    often = found[np.argsort(-counts, kind="stable")[:MANY_CLASSES]]
    return list(map(str, names[np.isin(names, often)]))


def confusion_of_many(
    y_true: ArrayLike, y_pred: ArrayLike, classes: ArrayLike
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the confusion matrix of the `confused_classes`, and these.

    Images of other classes, or called one of these, are not counted.
    """
    true, predicted = _pair(y_true, y_pred)
    shown = confused_classes(true, predicted, classes)
    inside = np.isin(true, shown) & np.isin(predicted, shown)
    if len(shown) == len(_names(classes)):
        return shown, confusion_matrix(true, predicted, shown)
    if not inside.any():
        return shown, np.zeros((len(shown), len(shown)), dtype=np.int64)
    return shown, confusion_matrix(true[inside], predicted[inside], shown)


@dataclass(frozen=True)
class SeenUnseenCurve:
    """Seen against unseen accuracy as the gate sweeps from "all seen" to "all novel".

    Attributes
    ----------
    thresholds : ndarray of shape (m,)
        Falling; at point i an image is novel if and only if its novelty score is at least
        ``thresholds[i]``. The first is infinite: nothing is novel.
    seen_accuracy, unseen_accuracy : ndarray of shape (m,)
        Accuracy on images of seen classes (falls to 0) and of unseen ones (rises from 0).

    Notes
    -----
    Images with the same score change sides together, so the curve goes straight from the point
    before to the point after; between two distinct scores of one image each it runs parallel to
    an axis.

    References
    ----------
    Chao et al., "An Empirical Study and Analysis of Generalized Zero-Shot Learning", ECCV 2016.
    """

    thresholds: NDArray[np.float64]
    seen_accuracy: NDArray[np.float64]
    unseen_accuracy: NDArray[np.float64]

    @property
    def area(self) -> float:
        """AUSUC, the exact area under the curve: ∫ unseen accuracy d(seen accuracy)."""
        widths = self.seen_accuracy[:-1] - self.seen_accuracy[1:]
        heights = (self.unseen_accuracy[:-1] + self.unseen_accuracy[1:]) / 2.0
        return float(widths @ heights)

    @property
    def best_harmonic_mean(self) -> float:
        """The largest harmonic mean of the two accuracies at any threshold."""
        return float(self._harmonic_means().max())

    @property
    def best_threshold(self) -> float:
        """The threshold with the best harmonic mean; the highest of them in a tie."""
        return float(self.thresholds[int(self._harmonic_means().argmax())])

    @property
    def best_point(self) -> tuple[float, float]:
        """Seen and unseen accuracy at the best threshold."""
        best = int(self._harmonic_means().argmax())
        return float(self.seen_accuracy[best]), float(self.unseen_accuracy[best])

    def unseen_at_seen(self, level: float) -> float | None:
        """Return the unseen accuracy that is had while the seen accuracy is still `level`.

        Linear interpolation along the curve; where it is vertical at `level`, its upper end.

        Parameters
        ----------
        level : float
            Seen accuracy, between 0 and 1.

        Returns
        -------
        float or None
            None where the seen accuracy is below `level` everywhere.
        """
        if not 0.0 <= level <= 1.0:
            raise InputError(f"a seen accuracy of {level} was asked for; give a fraction in [0, 1]")
        reached = np.flatnonzero(self.seen_accuracy >= level - _ROUNDING)
        if reached.size == 0:
            return None
        i = int(reached[-1])
        if i == len(self.thresholds) - 1:
            return float(self.unseen_accuracy[i])
        above, below = float(self.seen_accuracy[i]), float(self.seen_accuracy[i + 1])
        way = max(0.0, above - level) / (above - below)
        start, end = float(self.unseen_accuracy[i]), float(self.unseen_accuracy[i + 1])
        return start + way * (end - start)

    def _harmonic_means(self) -> NDArray[np.float64]:
        pairs = zip(self.seen_accuracy.tolist(), self.unseen_accuracy.tolist(), strict=True)
        return np.array([harmonic_mean(a, b) for a, b in pairs])


def seen_unseen_curve(
    y_true: ArrayLike,
    seen_predictions: ArrayLike,
    unseen_predictions: ArrayLike,
    novelty_score: ArrayLike,
    *,
    seen: ArrayLike,
    unseen: ArrayLike,
    average: Literal["macro", "micro"] = "macro",
) -> SeenUnseenCurve:
    """Sweep the gate over every threshold that changes anything.

    Parameters
    ----------
    y_true : array-like of str, shape (n,)
        True classes; of both kinds at least one image.
    seen_predictions, unseen_predictions : array-like of str, shape (n,)
        For every image the best seen class and the best unseen class: what it is called on either
        side of the gate.
    novelty_score : array-like of shape (n,)
        Finite, high = novel (such as `novelty_proba`, or minus `score_samples`).
    seen, unseen : array-like of str
        The classes of either kind.
    average : {"macro", "micro"}, default "macro"
        Average accuracies over the classes that have images, or over images.

    Returns
    -------
    SeenUnseenCurve
        One point more than there are distinct scores.

    Raises
    ------
    InputError
        Lengths that differ, a prediction that is not a class of its side, a score that is not
        finite, an image of neither kind of class, or no image of one kind.
    """
    true, as_seen = _pair(y_true, seen_predictions)
    _, as_unseen = _pair(true, unseen_predictions)
    novelty = _novelty_scores(novelty_score, len(true))
    is_unseen = _is_unseen(true, seen, unseen)
    _check_side(as_seen, seen, "seen")
    _check_side(as_unseen, unseen, "unseen")
    if is_unseen.all() or not is_unseen.any():
        kind = "seen" if is_unseen.all() else "unseen"
        raise InputError(
            f"there is no image of a {kind} class; give images of seen and of unseen classes"
        )
    if average not in ("macro", "micro"):
        raise InputError(f"average={average!r} is unknown; choose 'macro' or 'micro'")
    lost = np.where(~is_unseen & (as_seen == true), _shares(true, is_unseen, average), 0.0)
    won = np.where(is_unseen & (as_unseen == true), _shares(true, is_unseen, average), 0.0)
    levels, group = np.unique(-novelty, return_inverse=True)
    lost, won = (np.bincount(group, weights=share, minlength=len(levels)) for share in (lost, won))
    return SeenUnseenCurve(
        thresholds=np.concatenate([[np.inf], -levels]),
        # summed from the far end, so that the curve ends at 0 exactly
        seen_accuracy=np.concatenate([np.cumsum(lost[::-1])[::-1], [0.0]]),
        unseen_accuracy=np.concatenate([[0.0], np.cumsum(won)]),
    )


def novelty_auroc(is_unseen: ArrayLike, novelty_score: ArrayLike) -> float | None:
    """Probability that an unseen image has a higher novelty score than a seen one.

    The Mann–Whitney statistic; a tie counts one half.

    Parameters
    ----------
    is_unseen : array-like of bool, shape (n,)
        Whether each image is of an unseen class.
    novelty_score : array-like of shape (n,)
        High = novel.

    Returns
    -------
    float or None
        The area under the ROC curve; None where all images are of one kind.
    """
    positive = np.asarray(is_unseen, dtype=bool)
    if positive.ndim != 1 or positive.size == 0:
        raise InputError(f"is_unseen of shape {positive.shape} was given; give one flag an image")
    novelty = _novelty_scores(novelty_score, len(positive))
    n_unseen = int(positive.sum())
    n_seen = len(positive) - n_unseen
    if n_unseen == 0 or n_seen == 0:
        return None
    levels, group = np.unique(novelty, return_inverse=True)
    unseen_at = np.bincount(group[positive], minlength=len(levels))
    seen_at = np.bincount(group[~positive], minlength=len(levels))
    seen_below = np.cumsum(seen_at) - seen_at
    # whole numbers up to the last step: twice the count of pairs in the right order
    twice = int(unseen_at @ (2 * seen_below + seen_at))
    return twice / (2 * n_unseen * n_seen)


def scores(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    seen_predictions: ArrayLike,
    unseen_predictions: ArrayLike,
    novelty_score: ArrayLike,
    *,
    seen: ArrayLike,
    unseen: ArrayLike,
) -> Scores:
    """All scores of one evaluation.

    Parameters
    ----------
    y_true, y_pred : array-like of str, shape (n,)
        True classes, and the predictions over seen and unseen classes together.
    seen_predictions, unseen_predictions, novelty_score, seen, unseen : array-like
        As for `seen_unseen_curve`.

    Returns
    -------
    dict
        `seen_only_accuracy`, `unseen_only_accuracy`: images of that kind told apart among the
        classes of that kind. `seen_accuracy`, `unseen_accuracy`, `harmonic_mean`,
        `overall_accuracy` (over all classes), `per_class`, `confusion`: of `y_pred`. `ausuc`,
        `unseen_at_70_seen`, `best_harmonic_mean`: of the seen–unseen curve. `novelty_auroc`.
        `seen_called_novel`: the fraction of seen images that `y_pred` gives an unseen class.
        `n_images`. None stands for what is undefined; all accuracies are averaged over classes.
        Of more than 1,000 classes `per_class` names those with images, and `confusion` is that of
        `confusion_of_many`.
    """
    true, predicted = _pair(y_true, y_pred)
    _, as_seen = _pair(true, seen_predictions)
    _, as_unseen = _pair(true, unseen_predictions)
    is_unseen = _is_unseen(true, seen, unseen)
    classes = [*_names(seen).tolist(), *_names(unseen).tolist()]
    on_seen, on_unseen = seen_unseen_accuracy(true, predicted, seen, unseen)
    both = on_seen is not None and on_unseen is not None
    curve = (
        seen_unseen_curve(true, as_seen, as_unseen, novelty_score, seen=seen, unseen=unseen)
        if both
        else None
    )
    called_novel = np.isin(predicted[~is_unseen], _names(unseen))
    per_class = per_class_accuracy(true, predicted, classes)
    if len(classes) > MANY_CLASSES:
        per_class = {name: value for name, value in per_class.items() if value is not None}
    shown, matrix = confusion_of_many(true, predicted, classes)
    return Scores(
        n_images=len(true),
        seen_only_accuracy=macro_accuracy(true, as_seen, seen),
        unseen_only_accuracy=macro_accuracy(true, as_unseen, unseen),
        seen_accuracy=on_seen,
        unseen_accuracy=on_unseen,
        harmonic_mean=(
            None if on_seen is None or on_unseen is None else harmonic_mean(on_seen, on_unseen)
        ),
        overall_accuracy=float(np.mean([a for a in per_class.values() if a is not None])),
        ausuc=None if curve is None else curve.area,
        unseen_at_70_seen=None if curve is None else curve.unseen_at_seen(0.70),
        best_harmonic_mean=None if curve is None else curve.best_harmonic_mean,
        novelty_auroc=novelty_auroc(is_unseen, novelty_score),
        seen_called_novel=float(called_novel.mean()) if called_novel.size else None,
        per_class=per_class,
        confusion=Confusion(classes=shown, matrix=matrix.tolist()),
    )


def _names(labels: ArrayLike) -> Names:
    names = np.asarray(labels).astype(np.str_)
    if names.ndim != 1:
        raise InputError(f"class names of shape {names.shape} were given; give one row of names")
    if "".join(names.tolist()).isascii():
        return names
    # two spellings of one name are one class
    found, rows = np.unique(names, return_inverse=True)
    return np.array([unicodedata.normalize("NFC", name) for name in found.tolist()])[rows]


def _pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Names, Names]:
    true, predicted = _names(y_true), _names(y_pred)
    if len(true) != len(predicted):
        raise InputError(
            f"{len(predicted)} predictions were given for {len(true)} images; give one an image"
        )
    if len(true) == 0:
        raise InputError("no images were given; give at least one to score")
    return true, predicted


def _is_unseen(true: Names, seen: ArrayLike, unseen: ArrayLike) -> NDArray[np.bool_]:
    """Tell whether each image is of an unseen class; `InputError` where that is not clear."""
    seen_names, unseen_names = _names(seen), _names(unseen)
    both = np.intersect1d(seen_names, unseen_names)
    if both.size:
        raise InputError(f"{_listed(both)} cannot be both seen and unseen; name it once")
    neither = np.setdiff1d(true, np.concatenate([seen_names, unseen_names]))
    if neither.size:
        raise InputError(f"{_listed(neither)} is neither a seen nor an unseen class; leave it out")
    return np.isin(true, unseen_names)


def _check_side(predictions: Names, classes: ArrayLike, kind: str) -> None:
    strange = np.setdiff1d(predictions, _names(classes))
    if strange.size:
        raise InputError(
            f"{_listed(strange)} among {kind}_predictions is no {kind} class; give the best {kind} "
            "class of every image"
        )


def _listed(names: Sequence[Any] | Names) -> str:
    shown = ", ".join(repr(str(name)) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _rows(labels: Names, names: Names, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the position of each label in `names`, which `order` sorts."""
    unknown = np.setdiff1d(labels, names)
    if unknown.size:
        raise InputError(f"{_listed(unknown)} is not among the {len(names)} classes; add it")
    rows: NDArray[np.intp] = order[np.searchsorted(names, labels, sorter=order)]
    return rows


def _novelty_scores(novelty_score: ArrayLike, n_images: int) -> NDArray[np.float64]:
    novelty = np.asarray(novelty_score, dtype=np.float64)
    if novelty.shape != (n_images,):
        raise InputError(
            f"novelty scores of shape {novelty.shape} were given for {n_images} images; give one "
            "an image"
        )
    if not np.isfinite(novelty).all():
        raise InputError(
            f"{np.count_nonzero(~np.isfinite(novelty))} of {n_images} novelty scores are NaN or "
            "infinite; give finite ones"
        )
    return novelty


def _shares(true: Names, is_unseen: NDArray[np.bool_], average: str) -> NDArray[np.float64]:
    """Return how much each image, if right, adds to the accuracy on its kind."""
    whole = np.where(is_unseen, is_unseen.sum(), (~is_unseen).sum())
    if average == "macro":
        _, group = np.unique(true, return_inverse=True)
        n_unseen, n_seen = len(np.unique(true[is_unseen])), len(np.unique(true[~is_unseen]))
        whole = np.bincount(group)[group] * np.where(is_unseen, n_unseen, n_seen)
    shares: NDArray[np.float64] = 1.0 / whole
    return shares
