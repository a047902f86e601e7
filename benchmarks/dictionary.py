"""Learning the dictionary, beside plain iterations and beside mini-batch k-means."""

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans

from benchmarks.benchmark import Benchmark, Outcome, Setting, Target
from benchmarks.harness import Contender, compare
from benchmarks.material import pictures, whitened_patches
from wordsight import PatchFeatures
from wordsight.features.dictionary import kmeans, omp1

__all__ = ["BENCHMARK"]

_BLOCK = 4096
_PLAIN_ITERATIONS = 50


def run(setting: Setting) -> Outcome:
    """Learn OMP-1 twice and k-means twice from the same patches, and compare the objectives."""
    n_patches, n_atoms, n_images = (8_000, 100, 200) if setting.quick else (400_000, 1600, 5000)
    patches = whitened_patches(pictures(setting, n_images), n_patches)
    stop = PatchFeatures()
    measured = compare(
        [
            Contender(
                "omp1",
                lambda: omp1(
                    patches,
                    n_atoms,
                    max_iter=stop.max_iter,
                    tol=stop.tol,
                    random_state=np.random.RandomState(0),
                ),
            ),
            Contender(
                f"plain OMP-1, {_PLAIN_ITERATIONS} iterations (torch)",
                lambda: plain_omp1(patches, n_atoms, np.random.RandomState(0)),
            ),
            Contender(
                "kmeans",
                lambda: kmeans(
                    patches,
                    n_atoms,
                    max_iter=stop.max_iter,
                    tol=stop.tol,
                    random_state=np.random.RandomState(0),
                ),
            ),
            Contender(
                "MiniBatchKMeans (scikit-learn)",
                lambda: torch.from_numpy(
                    MiniBatchKMeans(n_atoms, n_init=1, batch_size=4096, random_state=0)
                    .fit(patches.numpy())
                    .cluster_centers_
                ),
            ),
        ],
        n_rounds=1,
        warm_up=setting.quick,
    )
    ours, plain, lloyd, mini = measured
    omp1_objectives = [omp1_objective(patches, each.output) for each in (ours, plain)]
    kmeans_objectives = [kmeans_objective(patches, each.output) for each in (lloyd, mini)]
    return Outcome(
        measured,
        {"seconds": ours.median, "objective": omp1_objectives[0] / omp1_objectives[1] - 1.0},
        unit="dictionary",
        facts={
            "n_patches": n_patches,
            "n_atoms": n_atoms,
            "omp1_objective": dict(zip(("omp1", "plain"), omp1_objectives, strict=True)),
            "kmeans_objective": dict(
                zip(("kmeans", "MiniBatchKMeans"), kmeans_objectives, strict=True)
            ),
            "kmeans_faster_than_mini_batches": mini.median / lloyd.median,
        },
    )


def plain_omp1(
    patches: torch.Tensor, n_atoms: int, random_state: np.random.RandomState
) -> torch.Tensor:
    """Learn OMP-1 as its authors iterate it, a fixed number of times, in the plainest blocks."""
    atoms = torch.from_numpy(random_state.standard_normal((n_atoms, patches.shape[1]))).float()
    atoms = torch.nn.functional.normalize(atoms, dim=1)
    for _ in range(_PLAIN_ITERATIONS):
        sums = torch.zeros_like(atoms)
        for some in torch.split(patches, _BLOCK):
            products = some @ atoms.T
            best = products.abs().argmax(1, keepdim=True)
            sums.index_add_(0, best[:, 0], products.gather(1, best) * some)
        empty = torch.nonzero(sums.square().sum(1) == 0).flatten()
        if len(empty):
            sums[empty] = patches[torch.from_numpy(random_state.choice(len(patches), len(empty)))]
        atoms = torch.nn.functional.normalize(sums, dim=1)
    return atoms


def omp1_objective(patches: torch.Tensor, atoms: torch.Tensor) -> float:
    """Return ``Σ ‖p − s d‖²``, each patch with its best atom and the best s for it."""
    total = 0.0
    for some in torch.split(patches, _BLOCK):
        best = (some @ atoms.T).abs().amax(1)
        total += float((some.square().sum(1) - best.square()).sum(dtype=torch.float64))
    return total


def kmeans_objective(patches: torch.Tensor, centroids: torch.Tensor) -> float:
    """Return the sum of squared distances to the nearest centroid."""
    total = 0.0
    for some in torch.split(patches, _BLOCK):
        total += float(torch.cdist(some, centroids).amin(1).square().sum(dtype=torch.float64))
    return total


BENCHMARK = Benchmark(
    name="dictionary",
    title="Dictionary",
    about="Learning 1,600 atoms from 400,000 whitened patches of 6 × 6 × 3. OMP-1 is compared by "
    "its objective with 50 plain iterations from the same start, k-means by its own with "
    "scikit-learn's mini-batches. One run each.",
    targets=(
        Target("seconds", "dictionary (400,000 patches, 1,600 atoms)", 60.0, "s"),
        Target(
            "objective",
            "objective of the dictionary above that of 50 plain iterations",
            0.005,
            agreement=True,
        ),
    ),
    run=run,
)
