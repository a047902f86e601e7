"""Our LoOP on normal points."""

from collections.abc import Callable
from typing import Any

import numpy as np

from wordsight import LocalOutlierProbability


def prepare(n: int, dimension: int, n_neighbors: int) -> Callable[[], dict[str, Any]]:
    """Draw the points."""
    points = np.random.default_rng(0).normal(size=(n, dimension))

    def work() -> dict[str, Any]:
        model = LocalOutlierProbability(n_neighbors).fit(points)
        return {"proba": model.training_novelty_proba_}

    return work
