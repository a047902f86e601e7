"""All pairs of classes left out of the linear map, beside one pair."""

import numpy as np

from benchmarks.apart import Side, compare_apart
from benchmarks.benchmark import Benchmark, Outcome, Setting, Target
from benchmarks.linear_map import ALPHA
from benchmarks.material import features_on_disk, room

__all__ = ["BENCHMARK"]


def run(setting: Setting) -> Outcome:
    """Learn the map without one pair, and without each of the 45; compare that one pair's."""
    n, n_features, n_rounds = (4000, 800, 1) if setting.quick else (50_000, 12_800, 2)
    with room(1.2 * 4e-9 * n * n_features) as folder:
        places = features_on_disk(setting, folder, n, n_features, 10)
        arguments = {**places, "alpha": ALPHA}
        measured = compare_apart(
            [
                Side("45 pairs, ridge_leaving_out", "all_pairs", arguments),
                Side("one pair, LinearMap", "one_pair", arguments),
            ],
            n_rounds,
        )
        rows = np.load(places["X"], mmap_mode="r")[:: max(n // 1000, 1)]
    every, one = measured
    mapped = [rows @ each.output["coef"].T + each.output["intercept"] for each in measured]
    gap = float(np.abs(mapped[0] - mapped[1]).max() / np.abs(mapped[1]).max())
    return Outcome(
        measured,
        {"times_one": 1.0 / one.ratio, "agreement": gap},
        unit="set of pairs",
        facts={
            "n_images": n,
            "n_features": n_features,
            "n_pairs": int(every.output["pairs"]),
        },
    )


BENCHMARK = Benchmark(
    name="pairs",
    title="Pairs of classes left out",
    about="The linear map of 50,000 × 12,800 features in 10 classes, once without two classes, and "
    "45 times, without each two in turn, to a residual of 1e-6; features given, on disk.",
    targets=(
        Target("times_one", "45 pairs against one pair (linear map, features given)", 8.0, "×"),
        Target(
            "agreement",
            "largest difference of mapped points for the one pair, relative",
            1e-4,
            agreement=True,
        ),
    ),
    run=run,
)
