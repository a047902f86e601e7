"""The linear map from features on disk, beside scikit-learn's ridge regression in memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.apart import Side, compare_apart
from benchmarks.benchmark import Benchmark, Outcome, Setting, Target
from benchmarks.harness import Measured
from benchmarks.material import features_on_disk, room

__all__ = ["BENCHMARK"]

ALPHA = 0.01
"""Of features with unit variance: about what is chosen on CIFAR-10."""

Solution = dict[str, NDArray[Any]]


def run(setting: Setting) -> Outcome:
    """Solve the same problem on either side, each run in a process of its own."""
    n, n_features, n_rounds = (4000, 1600, 1) if setting.quick else (40_000, 12_800, 3)
    with room(1.2 * 4e-9 * n * n_features) as folder:
        places = features_on_disk(setting, folder, n, n_features, 8)
        measured = compare_apart(
            [
                Side("LinearMap, features on disk", "linear_map", {**places, "alpha": ALPHA}),
                Side("Ridge(solver='cholesky')", "ridge", {**places, "alpha": ALPHA}),
            ],
            n_rounds,
        )
        exactly = Side("double", "ridge", {**places, "alpha": ALPHA, "dtype": "float64"})
        (exact,) = compare_apart([exactly], 1)
        rows = np.load(places["X"], mmap_mode="r")[:: max(n // 1000, 1)].astype(np.float64)
    ours, theirs = measured
    reached = {"faster": theirs.ratio, "agreement": _difference(ours, exact, rows)}
    if ours.peak_megabytes and theirs.peak_megabytes:
        reached["memory"] = ours.peak_megabytes / theirs.peak_megabytes
    return Outcome(
        measured,
        reached,
        unit="map",
        operations=float(n * n_features**2 + n_features**3 / 3),
        bytes=2 * 4.0 * n * n_features,
        facts={
            "n_images": n,
            "n_features": n_features,
            "file_megabytes": 4e-6 * n * n_features,
            "mapped_points_to_double_precision": {
                each.name: _difference(each, exact, rows) for each in measured
            },
            "coefficients_to_double_precision": {
                each.name: _relative(each.output["coef"], exact.output["coef"]) for each in measured
            },
            "coefficients_to_one_another": _relative(ours.output["coef"], theirs.output["coef"]),
            "seconds_in_double_precision": exact.median,
            "megabytes_in_double_precision": exact.peak_megabytes,
        },
    )


def _difference(one: Measured, other: Measured, rows: NDArray[np.float64]) -> float:
    """Return the largest difference of mapped points, relative to the largest of them."""
    points = [
        each.output["coef"] @ rows.T + each.output["intercept"][:, None] for each in (one, other)
    ]
    return _relative(*points)


def _relative(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.abs(one - other).max() / np.abs(other).max())


BENCHMARK = Benchmark(
    name="linear-map",
    title="Linear map",
    about="Ridge regression of 50-d word vectors on 12,800 features of 40,000 images; the "
    "features lie in a .npy file of 2 GB; with --data they are those of CIFAR-10, and otherwise "
    "made up with a spectrum like theirs. "
    "Ours reads the file within its time; scikit-learn's is given them loaded. Memory is that of "
    "the whole process.",
    targets=(
        Target(
            "faster",
            'linear map from 40,000 × 12,800 features, against `Ridge(solver="cholesky")`',
            2.0,
            "×",
            at_least=True,
        ),
        Target("memory", "… its peak memory, as a share of the other's", 0.5),
        Target(
            "agreement",
            "largest difference of mapped points to Ridge in double precision, relative",
            1e-4,
            agreement=True,
        ),
    ),
    run=run,
)
