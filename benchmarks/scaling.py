"""How the cost of a stage grows with images, atoms, classes and the dimension of the words."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Benchmark, Outcome, Setting
from benchmarks.harness import Contender, compare
from benchmarks.material import correlated, mosaics
from wordsight import LinearMap, PatchFeatures, SoftmaxClassifier, WordGaussians, WordVectors

__all__ = ["BENCHMARK"]

Work = Callable[[int], Callable[[], object]]
"""Of a size: prepares, and returns what is timed."""

N_IMAGES, N_FEATURES, N_CLASSES, DIMENSION = 4000, 1600, 10, 50
"""What stays as it is while another grows."""


def run(setting: Setting) -> Outcome:
    """Time each stage over a small grid of sizes, the others being fixed."""
    series = [
        _series(stage, against, sizes[:2] if setting.quick else sizes, work, setting)
        for stage, against, sizes, work in _GRID
    ]
    return Outcome(facts={"series": series})


def _series(
    stage: str, against: str, sizes: Sequence[int], work: Work, setting: Setting
) -> dict[str, Any]:
    n_rounds = 1 if setting.quick else 5
    measured = compare([Contender(str(size), work(size)) for size in sizes], n_rounds)
    return {
        "stage": stage,
        "against": against,
        "sizes": list(sizes),
        "seconds": [each.median for each in measured],
        "least": [min(each.seconds) for each in measured],
        "most": [max(each.seconds) for each in measured],
    }


def _encode(n_images: int, n_atoms: int) -> Callable[[], object]:
    images, _codes = mosaics(n_images)
    features = PatchFeatures(n_atoms, dictionary="random", n_patches=4000, random_state=0)
    features.fit(images[:16])
    return lambda: features.transform(images)


def _table(n: int, n_features: int, n_classes: int) -> tuple[NDArray[np.float32], NDArray[Any]]:
    codes = np.arange(n) % n_classes
    return np.concatenate(list(correlated(n, n_features, codes))), codes


def _map(n: int, n_features: int, dimension: int) -> Callable[[], object]:
    X, codes = _table(n, n_features, N_CLASSES)
    words = np.random.default_rng(0).normal(size=(N_CLASSES, dimension)).astype(np.float32)
    Y = words[codes]
    return lambda: LinearMap(0.01).fit(X, Y)


def _softmax(n: int, n_features: int, n_classes: int) -> Callable[[], object]:
    X, codes = _table(n, n_features, n_classes)
    y = codes.astype(str)
    return lambda: SoftmaxClassifier().fit(X, y)


def _gaussians(n_classes: int, dimension: int) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    points, words = rng.normal(size=(N_IMAGES, dimension)), rng.normal(size=(n_classes, dimension))
    model = WordGaussians().fit(words, np.arange(n_classes))
    return lambda: model.predict_proba(points)


def _nearest(n_words: int, dimension: int) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    table = WordVectors([f"w{i}" for i in range(n_words)], rng.normal(size=(n_words, dimension)))
    points = rng.normal(size=(N_IMAGES, dimension))
    return lambda: table.nearest(points, 5)


_IMAGES = (1000, 2000, 4000, 8000, 16_000)
_FEATURES = (400, 800, 1600, 3200, 6400)
_CLASSES = (2, 10, 50, 250)
_DIMENSIONS = (25, 50, 100, 200, 400)
_GRID: Iterable[tuple[str, str, Sequence[int], Work]] = (
    ("features", "images", (16, 32, 64, 128, 256), lambda n: _encode(n, 1600)),
    ("features", "atoms", (100, 200, 400, 800, 1600, 3200), lambda n: _encode(32, n)),
    ("map", "images", _IMAGES, lambda n: _map(n, N_FEATURES, DIMENSION)),
    ("map", "features", _FEATURES, lambda n: _map(N_IMAGES, n, DIMENSION)),
    ("map", "dimension", _DIMENSIONS, lambda n: _map(N_IMAGES, N_FEATURES, n)),
    ("softmax", "images", _IMAGES, lambda n: _softmax(n, N_FEATURES, N_CLASSES)),
    ("softmax", "features", _FEATURES, lambda n: _softmax(N_IMAGES, n, N_CLASSES)),
    ("softmax", "classes", _CLASSES, lambda n: _softmax(N_IMAGES, N_FEATURES, n)),
    ("unseen classes", "classes", _CLASSES, lambda n: _gaussians(n, DIMENSION)),
    ("unseen classes", "dimension", _DIMENSIONS, lambda n: _gaussians(N_CLASSES, n)),
    ("nearest words", "words", (5000, 10_000, 20_000, 40_000), lambda n: _nearest(n, DIMENSION)),
    ("nearest words", "dimension", _DIMENSIONS, lambda n: _nearest(10_000, n)),
)

BENCHMARK = Benchmark(
    name="scaling",
    title="How cost grows",
    about=f"Seconds of one call while one size grows; the others are {N_IMAGES:,} images, "
    f"{N_FEATURES:,} features, {N_CLASSES} classes and {DIMENSION} dimensions (features: 32 images "
    "of 32 × 32, 1,600 atoms; nearest words: 10,000 words). Medians of five rounds.",
    targets=(),
    run=run,
)
