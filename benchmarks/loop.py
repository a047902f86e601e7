"""Local outlier probabilities, beside PyNomaly."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.apart import Side, compare_apart
from benchmarks.benchmark import Benchmark, Outcome, Setting, Target, is_installed
from benchmarks.harness import Contender, Measured, compare
from wordsight import LocalOutlierProbability

__all__ = ["BENCHMARK"]

DIMENSION = 50
N_NEIGHBORS = 20
_WHY_NOT_PYOD = "PyOD is no peer: it has LOF, and not these probabilities."


def run(setting: Setting) -> Outcome:
    """Score the same points on either side; then many points on ours, for the memory."""
    n, n_many, n_rounds = (1000, 5000, 2) if setting.quick else (5000, 200_000, 5)
    points = np.random.default_rng(0).normal(size=(n, DIMENSION))
    contenders = [
        Contender(
            "LocalOutlierProbability",
            lambda: LocalOutlierProbability(N_NEIGHBORS).fit(points).training_novelty_proba_,
        )
    ]
    notes = [_WHY_NOT_PYOD]
    if not is_installed("PyNomaly"):
        notes.append("PyNomaly is not installed (pip install 'wordsight[bench]'): left out.")
    else:
        contenders.append(
            Contender("PyNomaly, SciPy distances", lambda: peer(points, 1, numba=False))
        )
    if not is_installed("numba"):
        notes.append("numba is not installed (pip install 'wordsight[bench]'): left out.")
    elif is_installed("PyNomaly"):
        jobs = setting.threads
        contenders.append(Contender("PyNomaly, numba on", lambda: peer(points, jobs, numba=True)))
    measured = compare(contenders, n_rounds)
    arguments = {"n": n_many, "dimension": DIMENSION, "n_neighbors": N_NEIGHBORS}
    (many,) = compare_apart([Side(f"{n_many:,} points", "loop", arguments)], 1)
    return Outcome(
        measured,
        _reached(measured, many),
        unit="fit",
        operations=2.0 * n**2 * DIMENSION,
        facts={
            "n_points": n,
            "n_many_points": n_many,
            "seconds_for_many": many.median,
            "megabytes_for_many": many.peak_megabytes,
        },
        notes=notes,
    )


def peer(points: NDArray[np.float64], n_jobs: int, *, numba: bool) -> NDArray[np.float64]:
    """Return PyNomaly's probabilities."""
    from PyNomaly import LocalOutlierProbability as Peer  # noqa: PLC0415 - may not be installed

    options: dict[str, Any] = {"use_numba": numba, "n_jobs": n_jobs, "progress_bar": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numba, about its own future
        found = Peer(points, extent=3, n_neighbors=N_NEIGHBORS, **options).fit()
    return found.local_outlier_probabilities.astype(np.float64)


def _reached(measured: list[Measured], many: Measured) -> dict[str, float]:
    reached = {}
    ours, *others = measured
    if others:
        gaps = [np.abs(ours.output - each.output).max() for each in others]
        reached["agreement"] = float(max(gaps))
    if others and others[-1].name.endswith("numba on"):
        reached["faster"] = others[-1].ratio
    if many.peak_megabytes is not None:
        reached["memory"] = many.peak_megabytes / 1e3
    return reached


BENCHMARK = Benchmark(
    name="loop",
    title="LoOP",
    about="Local outlier probabilities of 5,000 normal points in 50 dimensions against each other, "
    "20 neighbours. numba compiles in the round that does not count. The memory of 200,000 points "
    "is that of the whole process.",
    targets=(
        Target(
            "faster",
            "LoOP, n = 5,000, d = 50, k = 20, against PyNomaly 0.4 with numba",
            50.0,
            "×",
            at_least=True,
        ),
        Target("memory", "… peak memory with n = 200,000", 2.0, "GB"),
        Target("agreement", "largest difference to PyNomaly", 1e-6, agreement=True),
    ),
    run=run,
)
