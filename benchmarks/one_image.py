"""One image at a time, the model being in memory and warm."""

import numpy as np

from benchmarks.benchmark import Benchmark, Outcome, Setting, Target
from benchmarks.features import N_ATOMS, N_PATCHES, N_VALUES
from benchmarks.harness import Contender, compare
from benchmarks.material import room, small_model
from wordsight import load_model
from wordsight.data.scenes import make_scenes

__all__ = ["BENCHMARK"]


def run(setting: Setting) -> Outcome:
    """Recognise single images in turn, and the same ones together to compare with."""
    n_images, n_atoms = (20, 50) if setting.quick else (500, N_ATOMS)
    with room() as folder:
        small_model(folder / "model", n_atoms=n_atoms)
        model = load_model(folder / "model")
    images = make_scenes(-(-n_images // 36), split="test")[0]
    order = iter(np.resize(np.arange(len(images)), 2 * n_images + 20))

    def one() -> object:
        place = next(order)
        return model.recognise(images[place : place + 1])

    (warm,) = compare([Contender("recognise, one image", one)], n_images)
    together = model.recognise(images).proba
    alone = np.concatenate([model.recognise(image[None]).proba for image in images])
    p50, p95 = np.percentile(warm.seconds, [50, 95]).tolist()
    return Outcome(
        [warm],
        {"p50": 1e3 * p50, "agreement": float(np.abs(together - alone).max())},
        unit="image",
        operations=2.0 * N_PATCHES * N_VALUES * n_atoms,
        facts={"p50_ms": 1e3 * p50, "p95_ms": 1e3 * p95, "n_images": n_images},
    )


BENCHMARK = Benchmark(
    name="one-image",
    title="One image",
    about="`model.recognise` on one image of 32 × 32 pixels, the model (1,600 atoms) being in "
    "memory and warm; the spread is over 500 images.",
    targets=(
        Target("p50", "one image, warm, p50", 10.0, "ms"),
        Target(
            "agreement",
            "largest difference of a probability to that of the image among others",
            1e-4,
            agreement=True,
        ),
    ),
    run=run,
)
