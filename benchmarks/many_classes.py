"""Very many unseen classes: time and memory of predicting, and what an index saves and misses."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.apart import Side, compare_apart
from benchmarks.benchmark import Benchmark, Outcome, Setting, Skipped, Target, is_installed
from benchmarks.harness import Contender, compare
from wordsight import WordGaussians

__all__ = ["CLASS_INDEX", "MANY_CLASSES"]

DIMENSION = 50
VARIANCE = 0.25
"""Of the points about their words, which lie at 1 from the middle of their group."""


def run(setting: Setting) -> Outcome:
    """Predict the same number of images among few and very many unseen classes."""
    sizes, n_images = ((10, 5000), 50) if setting.quick else ((10, 10_000, 100_000), 1000)
    sides = [
        Side(
            f"{n:,} unseen classes",
            "many_classes",
            {"n_classes": n, "n_images": n_images, "dimension": DIMENSION},
            n_images,
        )
        for n in reversed(sizes)
    ]
    measured = compare_apart(sides, 1 if setting.quick else 3)
    most, fewest = measured[0], measured[-1]
    reached = {"rate": 1.0 / most.median}
    if most.peak_megabytes and fewest.peak_megabytes:
        # the words themselves: as they are, and in the classifier
        held = sizes[-1] * DIMENSION * (4 + 8) / 1e6
        reached["memory"] = most.peak_megabytes - fewest.peak_megabytes - held
    return Outcome(
        measured,
        reached,
        unit="image",
        operations=2 * 2.0 * DIMENSION * sizes[-1],
        facts={"n_images": n_images, "dimension": DIMENSION},
    )


def run_index(setting: Setting) -> Outcome:
    """Find the nearest of very many words: the whole table, in blocks, by an index."""
    if not is_installed("faiss"):
        raise Skipped("it needs faiss: pip install 'wordsight[index]'")
    from wordsight.classifiers.class_index import ClassIndex  # noqa: PLC0415 - faiss

    sizes = [(6000, 20)] if setting.quick else [(10_000, 50), (100_000, 50), (100_000, 300)]
    n_points, facts = (50 if setting.quick else 200), {}
    measured: list[Any] = []
    reached = {}
    for n, d in sizes:
        words, points = _material(n, d, n_points)
        part = WordGaussians(VARIANCE).fit(words, np.arange(n))
        start = time.perf_counter()
        index = ClassIndex(part)
        built = time.perf_counter() - start
        few = points[: max(1, n_points // 10)]
        contenders = [
            Contender("in blocks, exact", lambda p=part, s=points: p.top_k(s, 10), n_points),  # type: ignore[misc]
            Contender("by the index", lambda i=index, s=points: i.top_k(s, 10), n_points),  # type: ignore[misc]
        ]
        if n <= 100_000:
            contenders.append(
                Contender("the whole table", lambda p=part, s=few: p.predict_proba(s), len(few))  # type: ignore[misc]
            )
        found = compare(contenders, 2 if setting.quick else 3)
        exact, near = found[0].output, found[1].output
        what = f"{n:,} words of {d} dimensions"
        facts[what] = {
            "in blocks, ms an image": 1e3 * found[0].median,
            "by the index, ms an image": 1e3 * found[1].median,
            **({"the whole table, ms an image": 1e3 * found[2].median} if len(found) > 2 else {}),
            "building the index, s": built,
            "recall of the nearest": float((near.columns[:, 0] == exact.columns[:, 0]).mean()),
            "recall of the nearest 10": _recall(near.columns, exact.columns),
        }
        if (n, d) == sizes[min(1, len(sizes) - 1)]:
            measured = found
            reached["recall"] = _recall(near.columns, exact.columns)
            reached["against"] = found[2].ratio
            reached["agreement"] = _disagreement(words, few, exact.columns[: len(few)])
    return Outcome(measured, reached, unit="image", facts=facts)


def _material(n: int, d: int, n_points: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return words in groups, as words lie, and points about some of them."""
    draw = np.random.default_rng(0)
    middles = draw.normal(size=(max(10, n // 50), d))
    words = middles[draw.integers(len(middles), size=n)] + 0.5 * draw.normal(size=(n, d))
    chosen = words[draw.integers(n, size=n_points)]
    return words, chosen + VARIANCE**0.5 * draw.normal(size=chosen.shape)


def _recall(found: NDArray[np.int64], true: NDArray[np.int64]) -> float:
    pairs = zip(found.tolist(), true.tolist(), strict=True)
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in pairs]))


def _disagreement(
    words: NDArray[np.float64], points: NDArray[np.float64], found: NDArray[np.int64]
) -> float:
    """Return how many of the nearest words are others than SciPy finds."""
    from scipy.spatial.distance import cdist  # noqa: PLC0415

    distances = cdist(points, words, "sqeuclidean")
    k = found.shape[1]
    return float((np.argsort(distances, axis=1, kind="stable")[:, :k] != found).sum())


MANY_CLASSES = Benchmark(
    name="many-classes",
    title="Very many classes",
    about="`top_k` and `predict` of 1,000 images, given as features, among 10, 10,000 and 100,000 "
    "unseen classes with words of 50 dimensions, each in a process of its own. A table of these "
    "images and 100,000 classes alone would take 800 MB.",
    targets=(
        Target(
            "rate",
            "`top_k` and `predict` among 100,000 unseen classes",
            100.0,
            "images/s",
            at_least=True,
        ),
        Target("memory", "… memory added, beside that of the words themselves", 150.0, "MB"),
    ),
    run=run,
)

CLASS_INDEX = Benchmark(
    name="class-index",
    title="An index of classes",
    about="The ten most probable of very many classes for a mapped point: in blocks and exactly, "
    "by an index (an inverted file, one list in twenty looked through, one thread), and as a table "
    "of all probabilities. The times side by side are of 100,000 words of 50 dimensions.",
    targets=(
        Target("recall", "share of the nearest 10 found by the index", 0.95, at_least=True),
        Target("against", "100,000 classes in blocks, against the whole table", 5.0, "×", True),
        Target(
            "agreement",
            "of the nearest 10 words, those that SciPy orders otherwise",
            0.0,
            agreement=True,
        ),
    ),
    run=run_index,
)
