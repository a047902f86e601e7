"""Predict images among very many classes: `many_classes.prepare`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from wordsight import CrossModalClassifier

SEEN = ("bird", "car", "dog", "ship")


def prepare(n_classes: int, n_images: int, dimension: int) -> Callable[[], dict[str, Any]]:
    """Fit a model on made-up features, add unseen classes; the work is to predict and rank.

    Parameters
    ----------
    n_classes : int
        Unseen ones.
    n_images : int
        To predict; by the gate's probability, so that none is spared the unseen classes.
    dimension : int
        Of the word vectors.
    """
    draw = np.random.default_rng(0)
    words = {name: draw.normal(size=dimension) for name in SEEN}
    y = np.repeat(list(words), 50)
    X = np.array([words[name] for name in y]) + 0.5 * draw.normal(size=(len(y), dimension))
    model = CrossModalClassifier(words, gate="probability", random_state=0)
    model.fit(X.astype(np.float32), y)
    names = [f"class {number}" for number in range(n_classes)]
    vectors = draw.normal(size=(n_classes, dimension))
    model.add_classes(dict(zip(names, vectors, strict=True)))
    del words, names
    chosen = vectors[draw.integers(n_classes, size=n_images)]
    new = (chosen + 0.5 * draw.normal(size=chosen.shape)).astype(np.float32)

    def work() -> dict[str, Any]:
        _names, proba = model.top_k(new, 5)
        return {"labels": model.predict(new).astype(np.str_), "proba": proba}

    return work
