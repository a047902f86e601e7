"""A world of plain colours: words are colours, and an image is mapped to its own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight import CrossModalClassifier, EncodedFeatures, LinearMap, WordVectors
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset

COLOURS = {
    "red": (200, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 200),
    "yellow": (200, 200, 20),
    "purple": (200, 20, 200),
}
SEEN = ("red", "green", "blue")
WORDS = WordVectors(
    [*COLOURS, "dark", "light"],
    np.array([*COLOURS.values(), (13, 15, 13), (230, 204, 230)]) / 255.0,
)


def mean_colours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(images.mean(axis=(1, 2)) / 255.0)


def pictures(names: list[str], seed: int = 0) -> NDArray[np.uint8]:
    """One image of 8 × 8 pixels for each name: its colour, somewhat changed as a whole."""
    rng = np.random.default_rng(seed)
    base = np.array([COLOURS[name] for name in names])
    shift = rng.integers(-15, 16, size=base.shape)
    plain = np.clip(base + shift, 0, 255).astype(np.uint8)
    return np.broadcast_to(plain[:, None, None], (len(names), 8, 8, 3)).copy()


def fitted(unseen: tuple[str, ...] = ("yellow",), **options: Any) -> CrossModalClassifier:
    names = list(SEEN) * 30
    settings: dict[str, Any] = {"mapping": LinearMap(1e-4), "random_state": 0, **options}
    model = CrossModalClassifier(WORDS, unseen, features=EncodedFeatures(mean_colours), **settings)
    return model.fit(pictures(names), np.array(names))


def dataset(names: list[str], seed: int = 1) -> Dataset:
    return Dataset(ArraySource(pictures(names, seed), names))
