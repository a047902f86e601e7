"""Our linear map, from features that stay on disk."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.sides.stored import stored
from wordsight import LinearMap


def prepare(X: str, codes: str, words: str, alpha: float) -> Callable[[], dict[str, Any]]:
    """Open the features without loading them."""
    features = stored(X)
    targets = np.load(words)[np.load(codes)]

    def work() -> dict[str, Any]:
        model = LinearMap(alpha).fit(features, targets)
        return {"coef": model.coef_, "intercept": model.intercept_}

    return work
