"""Choosing ridge term, gate and threshold without one image of an unseen class.

Seen classes are held out in turn, from the map on, as if they were unseen (`ClassTrials`). A ridge
term, a gate and a share of seen images that the gate may call novel are judged by what they come
to on these; the share then sets the threshold on held-out images of all seen classes, since a
score's scale changes from map to map and a share does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from wordsight.classifiers.trials import ClassTrials
from wordsight.exceptions import InputError
from wordsight.geometry import shares_of
from wordsight.mapping.alpha import climb
from wordsight.mapping.base import SemanticMap
from wordsight.mapping.linear import LinearMap
from wordsight.novelty.base import NoveltyDetector
from wordsight.novelty.combined import CombinedNovelty, ScoreTables, Trial
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.novelty.stacking import StackingNovelty
from wordsight.progress import report

__all__ = [
    "GATES",
    "Candidate",
    "Curve",
    "Goal",
    "Selection",
    "curves_of",
    "judge",
    "select",
    "threshold_keeping",
]

RATES = np.arange(1, 200) / 200.0
"""Shares of seen images called novel that are tried: half a percent apart."""

GATES: Mapping[str, NoveltyDetector] = {
    "gaussian": GaussianNovelty(),
    "stacking": StackingNovelty(),
    "stacking-centred": StackingNovelty(centre=True),
    "stacking-euclidean": StackingNovelty("euclidean"),
    "combined": CombinedNovelty(),
}
"""What `fit(tune=True)` chooses among where no gate is given: all of mapped points."""


@dataclass(frozen=True)
class Goal:
    """What to choose for.

    Attributes
    ----------
    kind : {"harmonic_mean", "keep_seen", "false_novel_rate"}
        The best harmonic mean of seen and unseen accuracy; the best unseen accuracy while a seen
        accuracy is kept; or the best harmonic mean while a share of seen images is called novel.
    value : float or None
        The seen accuracy to keep, or the share; None for the harmonic mean.

    Examples
    --------
    >>> from wordsight import Goal
    >>> Goal("keep_seen", 0.7).value
    0.7
    """

    kind: Literal["harmonic_mean", "keep_seen", "false_novel_rate"] = "harmonic_mean"
    value: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no goal."""
        if self.kind not in ("harmonic_mean", "keep_seen", "false_novel_rate"):
            raise InputError(
                f"a goal of kind {self.kind!r} was given; expected 'harmonic_mean', 'keep_seen' or "
                "'false_novel_rate'"
            )
        if self.kind == "harmonic_mean":
            if self.value is not None:
                raise InputError(
                    f"the best harmonic mean was asked for with {self.value!r}; it takes no "
                    "number: leave value out"
                )
        elif not isinstance(self.value, int | float) or not 0 < self.value < 1:
            raise InputError(
                f"{self.kind}={self.value!r} was given; expected a share between 0 and 1, such as "
                f"Goal({self.kind!r}, {0.7 if self.kind == 'keep_seen' else 0.1})"
            )


@dataclass(frozen=True)
class Candidate:
    """What a ridge term and a gate come to on classes held out, means over the trials.

    Attributes
    ----------
    alpha : float or None
        Ridge term; None where the map has none to choose.
    gate : str
    false_novel_rate : float
        Share of seen images called novel at the operating point that serves the goal best.
    seen_accuracy, unseen_accuracy, harmonic_mean : float
        There; images of a class held out count as right when they are called novel and its word is
        the nearest of those held out.
    value : float
        What the goal compares candidates by.
    """

    alpha: float | None
    gate: str
    false_novel_rate: float
    seen_accuracy: float
    unseen_accuracy: float
    harmonic_mean: float
    value: float


@dataclass(frozen=True)
class Selection:
    """What was chosen, and among what.

    Attributes
    ----------
    goal : Goal
    best : Candidate
    candidates : tuple of Candidate
        All, in the order tried.
    novelty : NoveltyDetector
        The gate chosen, not fitted.
    trials : list of Trial
        With the ridge term chosen.
    """

    goal: Goal
    best: Candidate
    candidates: tuple[Candidate, ...]
    novelty: NoveltyDetector
    trials: list[Trial]


def select(
    mapping: SemanticMap,
    trials: ClassTrials,
    goal: Goal,
    *,
    gates: Mapping[str, NoveltyDetector] = GATES,
) -> Selection:
    """Choose ridge term, gate and share of false alarms by classes held out.

    Parameters
    ----------
    mapping : SemanticMap
        Not fitted. The ridge term of a `LinearMap` with ``alpha="auto"`` is chosen, walking along a
        grid for as long as the goal is served better; of others nothing.
    trials : ClassTrials
        Of that map.
    goal : Goal
    gates : mapping of str to NoveltyDetector
        Gates that look at mapped points.

    Returns
    -------
    Selection
    """
    candidates: list[Candidate] = []
    best: tuple[Candidate, list[Trial]] | None = None

    def best_at(alpha: float | None) -> float:
        nonlocal best
        these = trials.at(alpha)
        found = [judge(alpha, name, curves_of(gate, these), goal) for name, gate in gates.items()]
        candidates.extend(found)
        here = max(found, key=lambda one: one.value)
        if best is None or here.value > best[0].value:
            best = here, these  # the points of the others are of no use any more
        return here.value

    if isinstance(mapping, LinearMap) and mapping.alpha == "auto":
        climb(best_at, trials.unit())
    else:
        best_at(float(mapping.alpha) if isinstance(mapping, LinearMap) else None)
    assert best is not None  # one ridge term was tried at least
    chosen, of_chosen = best
    return Selection(goal, chosen, tuple(candidates), clone(gates[chosen.gate]), of_chosen)


@dataclass(frozen=True)
class Curve:
    """What a gate comes to on a class held out, at each of the shares tried.

    Attributes
    ----------
    seen_accuracy, unseen_accuracy : ndarray of shape (n_rates,)
    n_images : int
        Ordinary images that thresholds were set on.
    """

    seen_accuracy: NDArray[np.float64]
    unseen_accuracy: NDArray[np.float64]
    n_images: int


def curves_of(gate: NoveltyDetector, trials: Sequence[Trial]) -> list[Curve]:
    """Return what a gate comes to on each trial.

    Parameters
    ----------
    gate : NoveltyDetector
        Is fitted on each trial anew; the weights of a `CombinedNovelty` are learned on the others.
    trials : sequence of Trial
    """
    scores = _scores_of(gate, trials)
    return [_curve(trial, *pair) for trial, pair in zip(trials, scores, strict=True)]


def judge(alpha: float | None, gate: str, curves: Sequence[Curve], goal: Goal) -> Candidate:
    """Return where a gate serves a goal best, and what it comes to there.

    Parameters
    ----------
    alpha : float or None
        Ridge term of the maps.
    gate : str
        Its name.
    curves : sequence of Curve
        Of the trials.
    goal : Goal
    """
    seen = np.mean([curve.seen_accuracy for curve in curves], axis=0)
    unseen = np.mean([curve.unseen_accuracy for curve in curves], axis=0)
    harmonic = np.mean(
        [_harmonic_mean(curve.seen_accuracy, curve.unseen_accuracy) for curve in curves], axis=0
    )
    # what so few images cannot support is out of the question
    fewest = min(curve.n_images for curve in curves)
    first = int(np.searchsorted(RATES, 1.0 / (fewest + 1.0)))
    asked = goal.value or 0.0
    if goal.kind == "harmonic_mean":
        at, value = first + int(harmonic[first:].argmax()), harmonic
    elif goal.kind == "keep_seen":
        # seen accuracy falls with the share called novel
        at, value = max(int((seen >= asked - 1e-9).sum()) - 1, first), unseen
    else:
        at, value = int(np.abs(RATES - asked).argmin()), harmonic
    return Candidate(
        alpha,
        gate,
        float(RATES[at]),
        float(seen[at]),
        float(unseen[at]),
        float(harmonic[at]),
        float(value[at]),
    )


def _scores_of(gate: NoveltyDetector, trials: Sequence[Trial]) -> list[ScoreTables]:
    """Return the scores of ordinary and of novel images in each trial, high = ordinary."""
    if isinstance(gate, CombinedNovelty):
        tables = []
        for number, trial in enumerate(trials):
            tables.append(gate.standardised_scores(trial))
            report(f"trying {type(gate).__name__}", number + 1, len(trials))
        found = []
        for number, pair in enumerate(tables):
            # its weights are learned on the other trials: on its own they would look too good
            others = tables[:number] + tables[number + 1 :]
            weighing = clone(gate).weigh(others)
            found.append((weighing.weighed(pair[0]), weighing.weighed(pair[1])))
        return found
    found = []
    for number, trial in enumerate(trials):
        alone = clone(gate).fit(trial.rest, trial.rest_labels, centers=trial.centers)
        alone.set_unseen(np.stack(list(trial.unseen_centers.values())))
        found.append((alone.score_samples(trial.held_out), alone.score_samples(trial.novel)))
        report(f"trying {type(gate).__name__}", number + 1, len(trials))
    return found


def _curve(trial: Trial, ordinary: NDArray[np.float64], novel: NDArray[np.float64]) -> Curve:
    """Return seen and unseen accuracy at each of `RATES`, means over classes."""
    thresholds = np.quantile(ordinary, RATES)
    seen_right = _right(trial.held_out, trial.held_out_labels, trial.centers, by_share=True)
    unseen_right = _right(trial.novel, trial.novel_labels, trial.unseen_centers, by_share=False)
    return Curve(
        _weighed_counts(ordinary, seen_right, thresholds, trial.held_out_labels, novel=False),
        _weighed_counts(novel, unseen_right, thresholds, trial.novel_labels, novel=True),
        len(ordinary),
    )


def _right(
    points: NDArray[Any],
    labels: NDArray[Any],
    centers: Mapping[Any, NDArray[Any]],
    *,
    by_share: bool,
) -> NDArray[np.bool_]:
    """Say which points are told right among some classes: by shares, or by the nearest word."""
    names = np.array(list(centers))
    words = np.stack(list(centers.values())).astype(np.float64)
    if by_share:
        likeness = shares_of(points, words)
    else:
        likeness = points @ words.T - 0.5 * (words**2).sum(axis=1)
    right: NDArray[np.bool_] = names[likeness.argmax(axis=1)] == labels
    return right


def _weighed_counts(
    scores: NDArray[np.float64],
    right: NDArray[np.bool_],
    thresholds: NDArray[np.float64],
    labels: NDArray[Any],
    *,
    novel: bool,
) -> NDArray[np.float64]:
    """Return the accuracy, averaged over classes, of images that are right on their side."""
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weight = right / counts[codes] / len(counts)
    order = np.argsort(scores, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    at = below[np.searchsorted(scores[order], thresholds, side="left")]
    found: NDArray[np.float64] = at if novel else below[-1] - at
    return found


def _harmonic_mean(seen: NDArray[np.float64], unseen: NDArray[np.float64]) -> NDArray[np.float64]:
    total = seen + unseen
    found: NDArray[np.float64] = 2.0 * seen * unseen / np.where(total > 0, total, 1.0)
    return found


def threshold_keeping(
    keep_seen: float, scores: NDArray[np.float64], right: NDArray[np.bool_], labels: NDArray[Any]
) -> float | None:
    """Return the highest threshold with which a seen accuracy is kept on held-out images.

    Parameters
    ----------
    keep_seen : float
        Accuracy over seen classes, averaged over classes: an image counts when its class is told
        right and its score is not below the threshold.
    scores : ndarray, shape (n,)
        High = ordinary.
    right : ndarray of bool, shape (n,)
        Whether the classifier of seen classes tells its class.
    labels : ndarray, shape (n,)

    Returns
    -------
    float or None
        None where not even all images together reach it.
    """
    thresholds = np.unique(scores)
    accuracy = _weighed_counts(scores, right, thresholds, labels, novel=False)
    enough = np.flatnonzero(accuracy >= keep_seen - 1e-9)  # sums of shares are rounded
    return float(thresholds[enough[-1]]) if len(enough) else None
