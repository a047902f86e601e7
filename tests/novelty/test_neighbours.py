"""The search for neighbours against a sort of all distances, and scikit-learn."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from wordsight.novelty import neighbours
from wordsight.novelty.neighbours import Neighbourhood
from wordsight.progress import listening

Points = NDArray[np.float64]


def sorted_distances(
    S: Points, queries: Points, k: int, *, own: bool
) -> tuple[Points, NDArray[np.intp]]:
    """Every distance by differences, in double precision; of equal ones the first row."""
    distances = np.stack([np.linalg.norm(S - query, axis=1) for query in queries])
    if own:
        np.fill_diagonal(distances, np.inf)
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, rows, axis=1), rows


def check(S: Points, queries: Points | None, k: int) -> None:
    distances, rows = Neighbourhood(S).nearest(queries, k, stage="testing")
    asked = S if queries is None else queries
    expected, expected_rows = sorted_distances(S, asked, k, own=queries is None)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(distances, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "d", "k"), [(2, 1, 1), (40, 3, 39), (513, 50, 20), (1200, 7, 1), (2049, 2, 3)]
)
def test_neighbours_are_those_of_a_full_sort(n: int, d: int, k: int) -> None:
    rng = np.random.default_rng(n)
    S = rng.normal(size=(n, d))
    check(S, None, k)
    check(S, rng.normal(size=(70, d)), k)


def test_neighbours_are_those_of_scikit_learn() -> None:
    S = np.random.default_rng(0).normal(size=(3000, 30))
    distances, rows = Neighbourhood(S).nearest(None, 20, stage="testing")
    expected = NearestNeighbors(n_neighbors=20, algorithm="brute").fit(S).kneighbors()
    np.testing.assert_array_equal(rows, expected[1])
    np.testing.assert_allclose(distances, expected[0], rtol=1e-12)


def test_differences_too_small_for_single_precision_decide() -> None:
    """Clusters so tight that single precision sees one point, and an outlier far from all."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(12, 4))
    S = centers[rng.integers(12, size=1500)] + 1e-7 * rng.normal(size=(1500, 4))
    S[700] = 1e3
    check(S, None, 5)
    check(S, centers + 1e-7, 5)


def test_of_equally_near_points_the_first_are_taken() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(11.0)] * 3), axis=-1).reshape(-1, 3)
    S = grid[np.random.default_rng(0).permutation(len(grid))]
    check(S, None, 8)
    check(np.repeat(S, 4, axis=0), None, 9)
    check(np.zeros((700, 2)), None, 3)


@pytest.mark.parametrize(("scale", "offset"), [(1e-120, 0), (1e120, 0), (1, 1e7), (1e-3, 1e3)])
def test_neighbours_at_any_scale(scale: float, offset: float) -> None:
    rng = np.random.default_rng(0)
    S = rng.normal(size=(900, 6)) * scale + offset
    check(S, None, 4)
    check(S, rng.normal(size=(20, 6)) * scale + offset, 4)


@pytest.mark.parametrize("far", [1e3, 1e10, 1e140])
def test_neighbours_of_points_far_away(far: float) -> None:
    S = np.random.default_rng(0).normal(size=(900, 3))
    queries = np.array([[far, 0, 0], [0, -far, far], [0.1, 0.2, 0.3]])
    distances, _rows = Neighbourhood(S).nearest(queries, 4, stage="testing")
    # rows are of no consequence where rounding makes all distances one
    expected, _ = sorted_distances(S, queries, 4, own=False)
    np.testing.assert_allclose(distances, expected, rtol=1e-12)


def test_neighbours_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    S = np.random.default_rng(0).normal(size=(1500, 10))
    at_once = Neighbourhood(S).nearest(None, 6, stage="testing")
    monkeypatch.setattr(neighbours, "_BLOCK", 7)
    for found, expected in zip(
        Neighbourhood(S).nearest(None, 6, stage="testing"), at_once, strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_progress_is_reported_to_the_end() -> None:
    heard: list[tuple[str, int, int]] = []
    with listening(lambda *said: heard.append(said)):
        Neighbourhood(np.random.default_rng(0).normal(size=(1100, 3))).nearest(None, 2, stage="x")
    assert heard == [("x", 512, 1100), ("x", 1024, 1100), ("x", 1100, 1100)]
