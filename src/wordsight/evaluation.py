"""Scoring a model on labelled images, in one pass that holds no more than a few of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from time import perf_counter
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
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
    "Look",
    "Looked",
    "Observed",
    "evaluate",
    "for_card",
    "look",
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


@dataclass(frozen=True)
class Looked:
    """What a model said of some images, an entry for each that could be read.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Where the images stand in their set.
    label, as_seen, as_unseen : ndarray of str, shape (n,)
        What each was called, and the best class of either kind.
    novelty_score, confidence : ndarray of float64, shape (n,)
    mapped : ndarray, shape (k, d)
        Mapped points of those that were wanted.
    broken : tuple of BrokenImage
        The images left out.
    """

    rows: NDArray[np.int64]
    label: NDArray[np.str_]
    as_seen: NDArray[np.str_]
    as_unseen: NDArray[np.str_]
    novelty_score: NDArray[np.float64]
    confidence: NDArray[np.float64]
    mapped: NDArray[Any]
    broken: tuple[BrokenImage, ...] = ()

    @classmethod
    def together(cls, parts: Sequence["Looked"]) -> "Looked":
        """Join what was said of parts of a set of images, at least one."""
        some = [part for part in parts if len(part.rows)] or parts[:1]
        arrays = {
            one.name: np.concatenate([getattr(part, one.name) for part in some])
            for one in fields(cls)
            if one.name != "broken"
        }
        return cls(**arrays, broken=tuple(one for part in parts for one in part.broken))


Look = Callable[[Dataset, NDArray[np.bool_]], Looked]
"""Looks at images, and keeps the mapped points of those that are wanted."""


def look(
    model: CrossModalClassifier,
    dataset: Dataset,
    wanted: NDArray[np.bool_],
    *,
    on_broken: OnBroken = "error",
    cache: FeatureCache | None = None,
) -> Looked:
    """Let a model look at images, each once; memory holds a few of them.

    Parameters
    ----------
    model : CrossModalClassifier
    dataset : Dataset
    wanted : ndarray of bool, shape (n,)
        Of which images to keep the mapped points.
    on_broken : {"error", "skip"}, default "error"
    cache : FeatureCache, optional

    Returns
    -------
    Looked
    """
    images = SkipBroken(dataset) if on_broken == "skip" else dataset
    none, names = np.empty(0), np.empty(0, dtype=np.str_)
    parts = [Looked(none.astype(np.int64), names, names, names, none, none, none)]
    for rows, found in model.stream(images, cache=cache):
        unseen = found.unseen_label
        parts.append(
            Looked(
                rows,
                found.label,
                found.seen_label,
                np.full(len(rows), "") if unseen is None else unseen,
                found.novelty_score,
                found.probability,
                found.mapped[wanted[rows]],
            )
        )
    broken = tuple(images.broken) if isinstance(images, SkipBroken) else ()
    return replace(Looked.together(parts), broken=broken)


def observe(
    model: CrossModalClassifier,
    dataset: Dataset,
    *,
    on_broken: OnBroken = "error",
    cache: FeatureCache | None = None,
    limit: int | None = None,
    n_mapped: int = 0,
    random_state: int = 0,
    by: Look | None = None,
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
    by : callable, optional
        Looks at the images in place of `look`, such as on a cluster; `on_broken` and `cache` are
        then up to it.

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
    if by is None:
        found = look(model, known, wanted, on_broken=on_broken, cache=cache)
    else:
        found = by(known, wanted)
    if not len(found.rows):
        raise InputError(
            f"none of the {len(found.broken)} images can be read; give images that can"
        )
    assert known.class_labels is not None
    return Observed(
        seen=model.seen_,
        unseen=model.unseen_,
        true=known.class_labels.take(found.rows).text(),
        predicted=found.label,
        as_seen=found.as_seen,
        as_unseen=found.as_unseen,
        novelty_score=found.novelty_score,
        confidence=found.confidence,
        sample=np.flatnonzero(wanted[found.rows]),
        mapped=found.mapped,
        skipped=skipped,
        broken=found.broken,
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
    if dataset.class_labels is None:
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
