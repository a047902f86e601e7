"""Our softmax, given the factor of the map that was learned from the same features."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.sides.stored import stored
from wordsight import LinearMap, SoftmaxClassifier


def prepare(
    X: str, codes: str, words: str, alpha: float, map_alpha: float, tol: float = 1e-4
) -> Callable[[], dict[str, Any]]:
    """Learn the map, which takes no part of the time; its factor stays in memory."""
    features, classes = stored(X), np.load(codes)
    held_out = np.zeros(len(classes), dtype=bool)
    held_out[0] = True  # one image: the factor comes with what the map says of images left out
    targets = np.load(words)[classes]
    factor = LinearMap(map_alpha).fit_held_out(features, targets, held_out).factor

    def work() -> dict[str, Any]:
        model = SoftmaxClassifier(alpha, tol=tol).fit(features, classes.astype(str), factor=factor)
        order = np.argsort(model.classes_.astype(int))
        return {
            "coef": model.coef_[order],
            "intercept": model.intercept_[order],
            "passes": np.array(model.n_iter_),
        }

    return work
