"""Scoring a model on labelled images, in one pass that holds no more than a few of them."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.recognition import Recognition
from wordsight.data.dataset import Dataset, OnBroken
from wordsight.data.skipping import SkipBroken
from wordsight.exceptions import InputError
from wordsight.features.cache import FeatureCache
from wordsight.metrics import Scores, scores
from wordsight.reliability import expected_calibration_error

__all__ = ["BrokenEntry", "Chance", "Evaluation", "evaluate", "for_card"]


class Chance(TypedDict):
    """The accuracy of guessing evenly among the classes of a kind; None where there are none."""

    seen_only: float | None
    unseen_only: float | None
    all: float | None


class BrokenEntry(TypedDict):
    """An image that cannot be read, and why."""

    name: str
    reason: str


class Evaluation(Scores):
    """What `evaluate` returns; ready for JSON."""

    n_skipped: int
    skipped: dict[str, int]
    n_broken: int
    broken: list[BrokenEntry]
    chance: Chance
    calibration_error: float
    seconds: float


@dataclass
class _Columns:
    """What scoring needs of each image, gathered a few images at a time."""

    rows: list[NDArray[np.int64]] = field(default_factory=list)
    labels: list[NDArray[Any]] = field(default_factory=list)
    as_seen: list[NDArray[Any]] = field(default_factory=list)
    as_unseen: list[NDArray[Any]] = field(default_factory=list)
    novelty: list[NDArray[np.float64]] = field(default_factory=list)
    sure: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, rows: NDArray[np.int64], found: Recognition) -> None:
        unseen = found.unseen_label
        self.rows.append(rows)
        self.labels.append(found.label)
        self.as_seen.append(found.seen_label)
        self.as_unseen.append(np.full(len(rows), "") if unseen is None else unseen)
        self.novelty.append(found.novelty_score)
        self.sure.append(found.proba.max(axis=1))


def evaluate(
    model: CrossModalClassifier,
    dataset: Dataset,
    *,
    on_broken: OnBroken = "error",
    cache: FeatureCache | None = None,
) -> Evaluation:
    """Score a model.

    Parameters
    ----------
    model : CrossModalClassifier
        Trained on images.
    dataset : Dataset
        Labelled images. Those of classes that the model does not know are left out and counted.
    on_broken : {"error", "skip"}, default "error"
        Whether an image that cannot be read ends the work, or is left out and counted.
    cache : FeatureCache, optional
        Where features are kept and found again.

    Returns
    -------
    dict
        All that `wordsight.metrics.scores` gives, over the images scored; `n_skipped` and
        `skipped` (images of classes the model does not know, in all and by class); `n_broken` and
        `broken`; `chance`; `calibration_error`, the expected one of p(y | x) over the images
        scored; `seconds`, of wall-clock time.

    Raises
    ------
    InputError
        The images have no labels, or none is of a class that the model knows.
    BrokenImageError
        An image cannot be read, and `on_broken` is "error".
    """
    start = perf_counter()
    known, skipped = _known_only(model, dataset)
    images = SkipBroken(known) if on_broken == "skip" else known
    columns = _Columns()
    for rows, found in model.stream(images, cache=cache):
        columns.add(rows, found)
    broken = images.broken if isinstance(images, SkipBroken) else []
    if not columns.rows:
        raise InputError(f"none of the {len(broken)} images can be read; give images that can")
    assert known.labels is not None
    true, said = known.labels[np.concatenate(columns.rows)], np.concatenate(columns.labels)
    found_scores = scores(
        true,
        said,
        np.concatenate(columns.as_seen),
        np.concatenate(columns.as_unseen),
        np.concatenate(columns.novelty),
        seen=model.seen_,
        unseen=model.unseen_,
    )
    return Evaluation(
        **found_scores,
        n_skipped=sum(skipped.values()),
        skipped=skipped,
        n_broken=len(broken),
        broken=[BrokenEntry(name=one.name, reason=one.reason) for one in broken],
        calibration_error=expected_calibration_error(true == said, np.concatenate(columns.sure)),
        chance=_chance(len(model.seen_), len(model.unseen_)),
        seconds=perf_counter() - start,
    )


def for_card(evaluation: Evaluation) -> dict[str, Any]:
    """Return what a model card says of an evaluation, without what concerns that run alone."""
    left_out = ("seconds", "confusion", "broken", "chance")
    return {name: value for name, value in evaluation.items() if name not in left_out}


def _known_only(model: CrossModalClassifier, dataset: Dataset) -> tuple[Dataset, dict[str, int]]:
    """Leave out the images of classes that the model does not know; count them by class."""
    if dataset.labels is None:
        raise InputError(
            "the images have no labels to score against; give labelled ones, or use: "
            "wordsight predict"
        )
    classes = [str(name) for name in model.classes_]
    counts = {name: count for name, count in dataset.class_counts().items() if count}
    strange = {name: count for name, count in counts.items() if name not in classes}
    if len(strange) == len(counts):
        raise InputError(
            f"no image is of a class that the model knows: the data have {_listed(counts)}, "
            f"and the model {_listed(classes)}; name the folders of the data as the model does"
        )
    return (dataset.without_classes(list(strange)) if strange else dataset), strange


def _listed(names: Any) -> str:
    shown = list(names)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")


def _chance(n_seen: int, n_unseen: int) -> Chance:
    return Chance(
        seen_only=1 / n_seen if n_seen else None,
        unseen_only=1 / n_unseen if n_unseen else None,
        all=1 / (n_seen + n_unseen),
    )
