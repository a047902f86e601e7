"""Our linear map with each pair of classes left out in turn, as the experiments learn it."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import torch

from wordsight.compute import RidgeFactor, partial
from wordsight.mapping.left_out import ridge_leaving_out


def prepare(X: str, codes: str, words: str, alpha: float) -> Callable[[], dict[str, Any]]:
    """Open the features."""
    features, classes, vectors = np.load(X, mmap_mode="r"), np.load(codes), np.load(words)

    def work() -> dict[str, Any]:
        n_classes = int(classes.max()) + 1
        one_hot = np.eye(n_classes, dtype=np.float32)[classes]
        moments = partial(features, one_hot, shift=features.mean(0, dtype=np.float64))
        factor = RidgeFactor(moments, alpha, torch.float32)
        pairs = list(combinations(range(n_classes), 2))
        scorers = ridge_leaving_out(features, classes, pairs, moments, factor, tol=1e-6)
        last = scorers[-1]  # without the last two classes
        W = vectors[last.classes]
        return {
            "coef": W.T @ last.coef.T,
            "intercept": last.intercept @ W,
            "pairs": np.array(len(scorers)),
        }

    return work
