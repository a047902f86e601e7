"""Choosing the ridge term on held-out images of seen classes, and on seen classes held out.

A map is wanted that does well on two kinds of images it has not been trained on: new images of
its own classes, and images of classes it has never met. Both can be had from seen classes alone:
some images are held out, and in turn some classes are left out of training as if they were unseen.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "HeldOutClasses",
    "best_of",
    "climb",
    "group_rows",
    "score",
    "squared_error",
]

_Score = TypeVar("_Score", float, tuple[float, float])
"""A number, or two of which the second decides where the first are equal."""

GRID_STEP = math.sqrt(10.0)
GRID_START = -4
"""The search starts at 10⁻² of the features' mean variance and walks in steps of √10."""

GRID_LOW, GRID_HIGH = -10, 6


@dataclass(frozen=True)
class HeldOutClasses:
    """Which rows belong to which class, and which classes are left out together.

    Attributes
    ----------
    prototypes : ndarray, shape (C, d)
        The distinct rows of Y: the word vector of each class.
    codes : ndarray of int, shape (n,)
        Class of each row, an index into `prototypes`.
    fold_of_class : ndarray of int, shape (C,)
        Classes with the same number are left out together.
    n_folds : int
        One when no class is left out.
    """

    prototypes: NDArray[Any]
    codes: NDArray[np.int64]
    fold_of_class: NDArray[np.int64]
    n_folds: int


def group_rows(
    Y: NDArray[Any], n_folds: int, random_state: np.random.RandomState
) -> HeldOutClasses | None:
    """Find the classes behind the targets and deal them out to folds of two or more.

    Returns None where the targets are no class vectors: most of them differ from one another.
    """
    prototypes, codes = np.unique(Y, axis=0, return_inverse=True)
    n_classes = len(prototypes)
    if n_classes < 2 or n_classes > len(Y) // 2:
        return None
    # leaving out a pair needs two classes beside it, or there is nothing left to learn from
    usable = min(n_folds, n_classes // 2) if n_classes >= 4 else 1
    fold_of_class = np.arange(n_classes) % usable
    random_state.shuffle(fold_of_class)
    return HeldOutClasses(prototypes, codes.reshape(-1), fold_of_class, usable)


def score(
    mapped: NDArray[Any], codes: NDArray[np.int64], classes: HeldOutClasses, fold: int
) -> float:
    """Score a map that was trained without a fold's classes, on held-out images of all classes.

    Parameters
    ----------
    mapped : ndarray, shape (n, d)
        Held-out images, mapped.
    codes : ndarray of int, shape (n,)
        Their classes.
    classes : HeldOutClasses
    fold : int
        The classes that the map has not been trained on.

    Returns
    -------
    float
        Mean of two accuracies, each averaged over its classes: left-out classes told apart from
        one another, and the others from one another, by the nearest word vector.
    """
    left_out = classes.fold_of_class == fold
    if classes.n_folds == 1:  # nothing was left out
        left_out = np.zeros_like(left_out)
    accuracies = []
    for group in (np.flatnonzero(left_out), np.flatnonzero(~left_out)):
        rows = np.isin(codes, group)
        if len(group) < 2 or not rows.any():
            continue
        vectors = classes.prototypes[group]
        closeness = mapped[rows] @ vectors.T - 0.5 * (vectors**2).sum(1)
        right = group[closeness.argmax(1)] == codes[rows]
        accuracies.append(np.mean([right[codes[rows] == c].mean() for c in np.unique(codes[rows])]))
    return float(np.mean(accuracies)) if accuracies else 0.0


def squared_error(mapped: NDArray[Any], Y: NDArray[Any], left_out: NDArray[np.bool_]) -> float:
    """Return the mean squared error, a coordinate, over rows of classes that were not left out.

    It decides among ridge terms that tell classes apart equally well. Where classes are easy, all
    do, up to ones that map every image to nearly the same point.
    """
    kept = ~left_out
    return float(((mapped[kept] - Y[kept]) ** 2).mean()) if kept.any() else 0.0


def climb(evaluate: Callable[[float], _Score], unit: float) -> dict[float, _Score]:
    """Walk along a geometric grid for as long as the score rises.

    The score rises to one broad top and falls, so that three or four evaluations find it; each
    costs several factorisations.

    Parameters
    ----------
    evaluate : callable
        Score of a ridge term; higher is better.
    unit : float
        Mean variance of a feature.

    Returns
    -------
    dict of float to score
        Ridge terms tried and their scores.
    """
    scores: dict[int, _Score] = {}

    def at(step: int) -> _Score:
        if step not in scores:
            scores[step] = evaluate(unit * GRID_STEP**step)
        return scores[step]

    best = GRID_START
    while best < GRID_HIGH and at(best + 1) >= at(best):  # of equals, the smoother map
        best += 1
    if best == GRID_START:
        while best > GRID_LOW and at(best - 1) > at(best):
            best -= 1
    return {unit * GRID_STEP**step: value for step, value in scores.items()}


def best_of(scores: dict[float, _Score]) -> float:
    """Return the ridge term with the best score, the largest of those that share it."""
    top = max(scores.values())
    return max(alpha for alpha, value in scores.items() if value == top)
