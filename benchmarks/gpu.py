"""The same work on a GPU."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.benchmark import Benchmark, Outcome, Setting, Skipped, Target
from benchmarks.features import N_ATOMS, N_PATCHES, N_VALUES
from benchmarks.harness import Contender, compare
from benchmarks.material import correlated, mosaics
from wordsight import LinearMap, PatchFeatures, SoftmaxClassifier

__all__ = ["BENCHMARK"]


def run(setting: Setting) -> Outcome:
    """Encode images, then learn map and softmax from features; compare with the processor."""
    if not torch.cuda.is_available():
        raise Skipped("torch finds no GPU")
    n, n_images, n_features = (2000, 500, 1600) if setting.quick else (40_000, 60_000, 12_800)
    images, _codes = mosaics(n_images)
    model = PatchFeatures(N_ATOMS, dictionary="random", n_patches=20_000, random_state=0)
    on_processor = model.fit(images[:500]).transform(images[:64])
    model.set_params(device="cuda")
    codes = np.arange(n) % 8
    X = np.concatenate(list(correlated(n, n_features, codes)))
    words = np.random.default_rng(1).normal(size=(8, 50)).astype(np.float32)
    measured = compare(
        [
            Contender("features", _waiting(lambda: model.transform(images))),
            Contender("map and softmax", _waiting(lambda: _learn(X, codes, words))),
        ],
        2 if setting.quick else 5,
    )
    encoded, learned = measured
    ceiling = _ceiling(1024 if setting.quick else 8192)
    operations = 2.0 * n_images * N_PATCHES * N_VALUES * N_ATOMS
    tflops = 1e-12 * operations / encoded.median
    gap = float(np.abs(encoded.output[:64] - on_processor).max())
    return Outcome(
        measured,
        {"features": encoded.median, "learning": learned.median, "agreement": gap},
        unit="run",
        operations=operations,
        facts={
            "device": torch.cuda.get_device_name(),
            "features_tflops": tflops,
            "product_tflops": ceiling,
            "share_of_the_product": tflops / ceiling,
        },
    )


def _learn(X: NDArray[Any], codes: NDArray[Any], words: NDArray[Any]) -> object:
    held_out = np.zeros(len(X), dtype=bool)
    held_out[0] = True
    found = LinearMap(0.01, device="cuda").fit_held_out(X, words[codes], held_out)
    return SoftmaxClassifier(device="cuda").fit(X, codes.astype(str), factor=found.factor)


def _waiting(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        found = work()
        torch.cuda.synchronize()
        return found

    return run


def _ceiling(size: int) -> float:
    """Return the TFLOP/s of a large float32 product, the best of ten."""
    a = torch.rand(size, size, device="cuda")
    out = torch.empty_like(a)
    seconds = []
    for _ in range(10):
        torch.cuda.synchronize()
        start = perf_counter()
        torch.mm(a, a, out=out)
        torch.cuda.synchronize()
        seconds.append(perf_counter() - start)
    return 2e-12 * size**3 / min(seconds)


BENCHMARK = Benchmark(
    name="gpu",
    title="GPU",
    about="60,000 images of 32 × 32 in memory to 12,800 features each in memory; and map and "
    "softmax from 40,000 × 12,800 features in memory. The ceiling is a float32 product of "
    "8192 × 8192.",
    targets=(
        Target("features", "one GPU: 60,000 images to features", 1.5, "s"),
        Target("learning", "… map and softmax from features", 3.0, "s"),
        Target(
            "agreement", "largest difference of a feature to the processor's", 1e-4, agreement=True
        ),
    ),
    run=run,
)
