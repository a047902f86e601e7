"""The softmax, given the map's factor, beside logistic regression run to the same loss."""

from typing import Any

import numpy as np
import torch

from benchmarks.apart import Side, compare_apart
from benchmarks.benchmark import Benchmark, Failed, Outcome, Setting, Target
from benchmarks.harness import Measured
from benchmarks.linear_map import ALPHA as MAP_ALPHA
from benchmarks.material import features_on_disk, room
from benchmarks.sides.plain_lbfgs import penalised_loss

__all__ = ["BENCHMARK"]

ALPHA = 1e-3
N_CLASSES = 8
WITHIN = 1e-4
"""How near to the least loss, relatively, is near enough."""

TOL = 5e-5
"""Of ours: half the default, which stops within 2e-4 of the least loss."""

_MOST_ITERATIONS = 5000


def run(setting: Setting) -> Outcome:
    """Find the least loss and how many iterations the other takes to it; run both in turn."""
    n, n_features, n_rounds = (1500, 400, 1) if setting.quick else (40_000, 12_800, 1)
    with room(1.2 * 4e-9 * n * n_features) as folder:
        places = features_on_disk(setting, folder, n, n_features, N_CLASSES)
        words = places.pop("words")
        given = {**places, "words": words, "alpha": ALPHA, "map_alpha": MAP_ALPHA, "tol": TOL}
        ours = Side("SoftmaxClassifier, factor given", "softmax", given)
        longest = Side("to the end", "softmax", {**given, "tol": 1e-6})
        least = loss_of(compare_apart([longest], 1)[0], places)
        arguments = {
            **places,
            "alpha": ALPHA,
            "max_iter": _iterations(places, least * (1.0 + WITHIN)),
        }
        theirs = Side("LogisticRegression(solver='lbfgs')", "logistic_regression", arguments)
        measured = compare_apart([ours, theirs], n_rounds)
        losses = [loss_of(each, places) for each in measured]
    mine, other = measured
    passes = [int(each.output["passes"]) for each in measured]
    reached = {"faster": other.ratio, "agreement": losses[0] / least - 1.0}
    if mine.peak_megabytes and other.peak_megabytes:
        reached["memory"] = mine.peak_megabytes / other.peak_megabytes
    return Outcome(
        measured,
        reached,
        unit="fit",
        operations=4.0 * n * n_features * N_CLASSES * passes[0],
        bytes=4.0 * n * n_features * passes[0],
        facts={
            "n_images": n,
            "n_features": n_features,
            "n_classes": N_CLASSES,
            "least_loss": least,
            "losses": {each.name: loss for each, loss in zip(measured, losses, strict=True)},
            "iterations": {each.name: count for each, count in zip(measured, passes, strict=True)},
        },
    )


def _iterations(places: dict[str, str], aim: float) -> int:
    """Return how many iterations plain L-BFGS takes to a loss."""
    arguments = {**places, "alpha": ALPHA, "loss": aim, "max_iter": _MOST_ITERATIONS}
    (found,) = compare_apart([Side("plain L-BFGS", "plain_lbfgs", arguments)], 1)
    if float(found.output["loss"]) > aim:
        raise Failed(
            f"plain L-BFGS did not come to the loss {aim:.6g} in {_MOST_ITERATIONS} iterations"
        )
    return int(found.output["iterations"])


def loss_of(one: Measured, places: dict[str, str]) -> float:
    """Return the penalised loss of a side's solution, by a function that is neither's."""
    found: dict[str, Any] = one.output
    weights = np.hstack([found["coef"], found["intercept"][:, None]]).astype(np.float64)
    features = torch.from_numpy(np.load(places["X"]))
    classes = torch.from_numpy(np.load(places["codes"]))
    return penalised_loss(torch.from_numpy(weights), features, classes, ALPHA)[0]


BENCHMARK = Benchmark(
    name="softmax",
    title="Softmax",
    about="Softmax regression on 12,800 features of 40,000 images in 8 classes, penalty 0.001. "
    "Ours is given the factor that the linear map computed. scikit-learn's is stopped after as "
    "many iterations as plain L-BFGS needs to come within 1e-4 of the least loss, relatively. "
    "Memory is that of the whole process, features or factor included.",
    targets=(
        Target(
            "faster",
            "softmax at the same loss, the map's factor given, against `LogisticRegression(lbfgs)`",
            10.0,
            "×",
            at_least=True,
        ),
        Target("memory", "… its peak memory, as a share of the other's", 0.5),
        Target("agreement", "our loss above the least, relative", WITHIN, agreement=True),
    ),
    run=run,
)
