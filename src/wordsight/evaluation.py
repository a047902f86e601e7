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
from wordsight.data.source import BrokenImage
from wordsight.exceptions import InputError
from wordsight.features.cache import FeatureCache
from wordsight.metrics import Scores, scores
from wordsight.reliability import expected_calibration_error

__all__ = [
    "BrokenEntry",
    "Chance",
    "Evaluation",
    "Observed",
    "evaluate",
    "for_card",
    "observe",
    "score",
]


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


@dataclass(frozen=True)
class Observed:
    """What a model said of labelled images, an entry for each that could be read.

    Attributes
    ----------
    seen, unseen : ndarray of str
        The model's classes.
    true, predicted : ndarray of str, shape (n,)
        The class of each image, and what it was called among all classes.
    as_seen, as_unseen : ndarray of str, shape (n,)
        The best class of either kind, whatever the gate said; "" where there is no unseen class.
    novelty_score : ndarray of float64, shape (n,)
        Above 0: called novel.
    confidence : ndarray of float64, shape (n,)
        Probability of the class named.
    sample : ndarray of int64, shape (k,)
        Entries whose mapped points were kept.
    mapped : ndarray, shape (k, d)
        These points.
    skipped : dict of str to int
        Images of classes that the model does not know, by class.
    broken : tuple of BrokenImage
        Images that cannot be read.
    """

    seen: NDArray[np.str_]
    unseen: NDArray[np.str_]
    true: NDArray[np.str_]
    predicted: NDArray[np.str_]
    as_seen: NDArray[np.str_]
    as_unseen: NDArray[np.str_]
    novelty_score: NDArray[np.float64]
    confidence: NDArray[np.float64]
    sample: NDArray[np.int64]
    mapped: NDArray[Any]
    skipped: dict[str, int]
    broken: tuple[BrokenImage, ...]

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the class named is the true one, shape (n,)."""
        right: NDArray[np.bool_] = self.true == self.predicted
        return right


@dataclass
class _Columns:
    """What is kept of each image, gathered a few images at a time."""

    wanted: NDArray[np.bool_]
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    labels: list[NDArray[Any]] = field(default_factory=list)
    as_seen: list[NDArray[Any]] = field(default_factory=list)
    as_unseen: list[NDArray[Any]] = field(default_factory=list)
    novelty: list[NDArray[np.float64]] = field(default_factory=list)
    sure: list[NDArray[np.float64]] = field(default_factory=list)
    mapped: list[NDArray[Any]] = field(default_factory=list)

    def add(self, rows: NDArray[np.int64], found: Recognition) -> None:
        unseen = found.unseen_label
        self.rows.append(rows)
        self.labels.append(found.label)
        self.as_seen.append(found.seen_label)
        self.as_unseen.append(np.full(len(rows), "") if unseen is None else unseen)
        self.novelty.append(found.novelty_score)
        self.sure.append(found.probability)
        self.mapped.append(found.mapped[self.wanted[rows]])


def observe(
    model: CrossModalClassifier,
    dataset: Dataset,
    *,
    on_broken: OnBroken = "error",
    cache: FeatureCache | None = None,
    limit: int | None = None,
    n_mapped: int = 0,
    random_state: int = 0,
) -> Observed:
    """Let a model look at labelled images, each once; memory holds a few of them.

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
    limit : int, optional
        Look at no more images than this, drawn by chance.
    n_mapped : int, default 0
        Of how many images at most, drawn by chance, the mapped points are kept.
    random_state : int, default 0
        Draws both.

    Returns
    -------
    Observed

    Raises
    ------
    InputError
        The images have no labels, none is of a class that the model knows, or none can be read.
    BrokenImageError
        An image cannot be read, and `on_broken` is "error".
    """
    known, skipped = _known_only(model, dataset)
    draw = np.random.default_rng(random_state)
    if limit is not None and limit < len(known):
        known = known.select(np.sort(draw.choice(len(known), limit, replace=False)))
    wanted = np.zeros(len(known), dtype=np.bool_)
    wanted[draw.choice(len(known), min(n_mapped, len(known)), replace=False)] = True
    images = SkipBroken(known) if on_broken == "skip" else known
    columns = _Columns(wanted)
    for rows, found in model.stream(images, cache=cache):
        columns.add(rows, found)
    broken = tuple(images.broken) if isinstance(images, SkipBroken) else ()
    if not columns.rows:
        raise InputError(f"none of the {len(broken)} images can be read; give images that can")
    assert known.labels is not None
    rows = np.concatenate(columns.rows)
    return Observed(
        seen=model.seen_,
        unseen=model.unseen_,
        true=known.labels[rows],
        predicted=np.concatenate(columns.labels),
        as_seen=np.concatenate(columns.as_seen),
        as_unseen=np.concatenate(columns.as_unseen),
        novelty_score=np.concatenate(columns.novelty),
        confidence=np.concatenate(columns.sure),
        sample=np.flatnonzero(wanted[rows]),
        mapped=np.concatenate(columns.mapped),
        skipped=skipped,
        broken=broken,
    )


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
    model, dataset, on_broken, cache
        As for `observe`.

    Returns
    -------
    dict
        As `score` returns it.

    Raises
    ------
    InputError, BrokenImageError
        As for `observe`.
    """
    start = perf_counter()
    return score(observe(model, dataset, on_broken=on_broken, cache=cache), start)


def score(observed: Observed, start: float) -> Evaluation:
    """Score what a model said of labelled images.

    Parameters
    ----------
    observed : Observed
    start : float
        When the work began, by `time.perf_counter`.

    Returns
    -------
    dict
        All that `wordsight.metrics.scores` gives, over the images scored, `seen_called_novel` by
        the gate alone where there are no unseen classes; `n_skipped` and
        `skipped` (images of classes the model does not know, in all and by class); `n_broken` and
        `broken`; `chance`; `calibration_error`, the expected one of p(y | x) over the images
        scored; `seconds`, of wall-clock time.
    """
    found_scores = scores(
        observed.true,
        observed.predicted,
        observed.as_seen,
        observed.as_unseen,
        observed.novelty_score,
        seen=observed.seen,
        unseen=observed.unseen,
    )
    if not len(observed.unseen):
        # without a class to go to, a novel image keeps a seen label: the gate itself is asked
        novel = observed.novelty_score > 0
        found_scores["seen_called_novel"] = float(novel.mean())
    return Evaluation(
        **found_scores,
        n_skipped=sum(observed.skipped.values()),
        skipped=observed.skipped,
        n_broken=len(observed.broken),
        broken=[BrokenEntry(name=one.name, reason=one.reason) for one in observed.broken],
        calibration_error=expected_calibration_error(observed.is_right, observed.confidence),
        chance=_chance(len(observed.seen), len(observed.unseen)),
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
    known = set(classes)
    strange = {name: count for name, count in counts.items() if name not in known}
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
