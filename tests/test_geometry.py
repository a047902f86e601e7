"""Distances against scipy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from wordsight.geometry import sq_dist

RNG = np.random.default_rng(0)


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 10), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_equals_scipy(n: int, n_words: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    S, W = rng.normal(size=(n, d)) * 10, rng.normal(size=(n_words, d))
    dist = sq_dist(S, W)
    assert dist.shape == (n, n_words)
    assert dist.dtype == np.float64
    np.testing.assert_allclose(dist, cdist(S, W, "sqeuclidean"), rtol=1e-12)


def test_by_hand() -> None:
    S, W = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(sq_dist(S, W), [[0, 9, 1], [25, 16, 18]])


def test_large_norms_do_not_cancel() -> None:
    W = RNG.normal(size=(4, 50))
    far = 1e7
    # expanding the square would lose the distance altogether: (1e7)² has steps of 0.016
    expected = cdist(W, W, "sqeuclidean")
    np.testing.assert_allclose(sq_dist(W + far, W + far), expected, rtol=1e-6, atol=1e-12)
    assert (np.diag(sq_dist(W + far, W + far)) == 0).all()


@pytest.mark.parametrize(("left", "right"), [("f4", "f4"), ("f4", "f8"), ("f8", "f4")])
def test_single_precision_in_double_out(left: Any, right: Any) -> None:
    S, W = RNG.normal(size=(20, 50)).astype(left), RNG.normal(size=(5, 50)).astype(right)
    dist = sq_dist(S, W)
    assert dist.dtype == np.float64
    expected = cdist(S.astype(float), W.astype(float), "sqeuclidean")
    np.testing.assert_allclose(dist, expected, rtol=1e-5)


def test_integers_and_views() -> None:
    S, W = RNG.integers(-9, 9, (7, 4)), RNG.integers(-9, 9, (3, 4))
    np.testing.assert_array_equal(sq_dist(S[::-1], W), cdist(S[::-1], W, "sqeuclidean"))
