"""Dictionaries: each step against the literal one, what must hold of the whole, empty atoms."""

from typing import Any

import numpy as np
import pytest
import reference
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans

import wordsight.features.dictionary
from wordsight.exceptions import InputError
from wordsight.features.dictionary import kmeans, learn_dictionary, omp1, random_atoms

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(5, 8)) * 3.0
PATCHES = CENTRES[RNG.integers(5, size=400)] + RNG.normal(size=(400, 8))


def seed(value: int = 0) -> np.random.RandomState:
    return np.random.RandomState(value)


def first_atoms(n_atoms: int, random_state: np.random.RandomState) -> NDArray[np.float64]:
    """The atoms that OMP-1 starts from: directions drawn at random."""
    atoms = random_state.standard_normal((n_atoms, PATCHES.shape[1]))
    result: NDArray[np.float64] = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    return result


@pytest.mark.parametrize("n_steps", [1, 2, 5])
def test_omp1_steps_equal_the_reference(n_steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordsight.features.dictionary, "BLOCK", 37)  # several, the last one short
    ours = omp1(torch.tensor(PATCHES), 7, max_iter=n_steps, tol=0.0, random_state=seed())
    expected = first_atoms(7, seed())
    for _ in range(n_steps):
        expected, counts = reference.omp1_step(PATCHES, expected)
        assert min(counts) > 0
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_steps", [1, 2, 5])
def test_kmeans_steps_equal_the_reference_and_scikit_learn(
    n_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordsight.features.dictionary, "BLOCK", 37)
    ours = kmeans(torch.tensor(PATCHES), 7, max_iter=n_steps, tol=0.0, random_state=seed())
    start = PATCHES[seed().choice(len(PATCHES), 7, replace=False)]
    expected = start
    for _ in range(n_steps):
        expected, counts = reference.kmeans_step(PATCHES, expected)
        assert min(counts) > 0
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-9, atol=1e-12)
    oracle = KMeans(7, init=start, n_init=1, max_iter=200, tol=0.0).fit(PATCHES)
    converged = kmeans(torch.tensor(PATCHES), 7, max_iter=200, tol=0.0, random_state=seed())
    np.testing.assert_allclose(converged.numpy(), oracle.cluster_centers_, rtol=1e-6, atol=1e-6)


def test_the_objective_of_omp1_never_rises() -> None:
    patches = torch.tensor(PATCHES)
    atoms = [omp1(patches, 12, max_iter=n, tol=0.0, random_state=seed(4)) for n in range(1, 12)]
    objective = [reference.omp1_objective(PATCHES, each.numpy()) for each in atoms]
    assert (np.diff(objective) <= 1e-9 * objective[0]).all()
    assert objective[-1] < 0.95 * objective[0]


def test_omp1_finds_the_directions_that_made_the_patches() -> None:
    directions = np.linalg.qr(RNG.normal(size=(8, 8)))[0][:4]
    gains = RNG.normal(size=(600, 1)) * 5.0  # of both signs: a direction and its opposite are one
    patches = gains * directions[RNG.integers(4, size=600)]
    best = max(
        (
            omp1(torch.tensor(patches), 4, max_iter=50, tol=0.0, random_state=seed(n)).numpy()
            for n in range(10)
        ),
        key=lambda atoms: -reference.omp1_objective(patches, atoms),
    )
    found = np.abs(best @ directions.T)
    np.testing.assert_allclose(np.sort(found.max(1)), 1.0, rtol=1e-9)
    assert set(found.argmax(1).tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", ["omp1", "random"])
def test_atoms_have_unit_length(kind: Any) -> None:
    atoms = learn_dictionary(
        torch.tensor(PATCHES), 20, kind, max_iter=4, tol=0.0, random_state=seed()
    )
    np.testing.assert_allclose(np.linalg.norm(atoms.numpy(), axis=1), 1.0, rtol=1e-12)


def test_random_atoms_are_different_patches() -> None:
    atoms = random_atoms(torch.tensor(PATCHES), len(PATCHES), seed()).numpy()
    unit = PATCHES / np.linalg.norm(PATCHES, axis=1, keepdims=True)
    np.testing.assert_allclose(np.sort(atoms, axis=0), np.sort(unit, axis=0))
    assert len(np.unique(atoms, axis=0)) == len(PATCHES)


@pytest.mark.parametrize("learn", [omp1, kmeans])
def test_empty_atoms_are_redrawn_from_the_patches(learn: Any) -> None:
    # three places for eight atoms: with one pass at least five atoms have no patch
    patches = np.eye(6)[:3][RNG.integers(3, size=60)] * 2.0
    atoms = learn(torch.tensor(patches), 8, max_iter=1, tol=0.0, random_state=seed()).numpy()
    assert np.isfinite(atoms).all()
    lengths = np.linalg.norm(atoms, axis=1)
    assert (lengths > 0.5).all()  # none was left at zero
    closest = np.abs(atoms @ patches.T / (2.0 * lengths[:, None])).max(1)
    assert (closest > 0.5).all()


def test_learning_goes_on_after_atoms_were_redrawn() -> None:
    # nearly one atom a patch: empty ones are sure, and the error must still go down to nothing
    patches = RNG.normal(size=(30, 4))
    few = omp1(torch.tensor(patches), 25, max_iter=1, tol=0.0, random_state=seed()).numpy()
    many = omp1(torch.tensor(patches), 25, max_iter=40, tol=0.0, random_state=seed()).numpy()
    assert reference.omp1_objective(patches, many) < reference.omp1_objective(patches, few)


def test_learning_stops_when_the_objective_stands_still() -> None:
    patches = torch.tensor(PATCHES)
    early = kmeans(patches, 5, max_iter=500, tol=1e-4, random_state=seed())
    late = kmeans(patches, 5, max_iter=5000, tol=1e-4, random_state=seed())
    np.testing.assert_array_equal(early.numpy(), late.numpy())


@pytest.mark.parametrize("kind", ["omp1", "kmeans", "random"])
def test_same_seed_same_bytes_whatever_the_threads(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    patches = torch.tensor(PATCHES, dtype=torch.float32)

    def learned(threads: int, random_state: int) -> bytes:
        monkeypatch.setattr("wordsight.compute.n_threads", lambda: threads)
        atoms = learn_dictionary(
            patches, 10, kind, max_iter=6, tol=0.0, random_state=seed(random_state)
        )
        return atoms.numpy().tobytes()

    assert learned(1, 0) == learned(3, 0)
    assert learned(1, 0) != learned(1, 1)


def test_fewer_patches_than_atoms() -> None:
    with pytest.raises(InputError, match="400 patches were given for 401 atoms"):
        learn_dictionary(
            torch.tensor(PATCHES), 401, "omp1", max_iter=1, tol=0.0, random_state=seed()
        )
