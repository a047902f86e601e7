"""Solutions from a factor in single precision, against the factor in double precision."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from wordsight.compute import Moments, RidgeFactor, partial
from wordsight.few_rows import FewRows, ThinFactor
from wordsight.mapping import linear, refined
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.refined import solve
from wordsight.mapping.sums import ridge

N, F = 1500, 300


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred features are many here, and lie in three tiles."""
    monkeypatch.setattr("wordsight.compute.TILE", 128)
    monkeypatch.setattr(refined, "SMALL", 100)
    monkeypatch.setattr(linear, "SMALL", 100)


def problem(steepest: float, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make features whose variances along some directions fall from 1 to `steepest`."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(F, F)))[0]
    spread = np.geomspace(1.0, steepest, F) ** 0.5
    X = (rng.normal(size=(N, F)) * spread) @ turn.T + 3.0
    Y = X @ rng.normal(size=(F, 4)) + rng.normal(size=(N, 4))
    return X.astype(np.float32), Y.astype(np.float32)


def moments_of(X: NDArray[np.float32], Y: NDArray[np.float32]) -> Moments:
    return partial(X, Y, shift=X.mean(0))


def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 1.0])
def test_the_solution_is_that_of_a_factor_in_double_precision(alpha: float) -> None:
    moments = moments_of(*problem(1e-8))
    (coef, intercept), factor = solve(moments, alpha, np.float64)
    exact, bias = ridge(moments, RidgeFactor(moments, alpha))
    assert difference(coef, exact) < 1e-7
    np.testing.assert_allclose(intercept, bias, rtol=1e-5, atol=1e-6)
    assert factor.solve(torch.ones(F, 1, dtype=torch.float64)).dtype == torch.float32
    if alpha < 1e-5:  # a condition of a million: what the factor alone would have given
        assert difference(ridge(moments, factor)[0], exact) > 1e-4


def test_what_is_singular_in_single_precision_is_solved_in_double() -> None:
    X, Y = problem(1e-8)
    X[:, 1] = X[:, 0]
    moments = moments_of(X, Y)
    (coef, _intercept), factor = solve(moments, 1e-11, np.float64)
    assert factor.solve(torch.ones(F, 1)).dtype == torch.float64
    assert difference(coef, ridge(moments, RidgeFactor(moments, 1e-11))[0]) < 1e-6


def test_targets_of_any_size_and_none() -> None:
    X, Y = problem(1e-4)
    Y = Y * np.array([1e-12, 0.0, 1.0, 1e12], dtype=np.float32)
    moments = moments_of(X, Y)
    (coef, intercept), _factor = solve(moments, 1e-3, np.float64)
    exact, _bias = ridge(moments, RidgeFactor(moments, 1e-3))
    for k in (0, 2, 3):
        assert difference(coef[k], exact[k]) < 1e-7
    assert not coef[1].any()
    assert intercept[1] == 0.0


def test_double_precision_and_few_rows_have_their_own_factors() -> None:
    X, Y = problem(1e-4)
    wide = partial(X.astype(np.float64), Y.astype(np.float64))
    (coef, _intercept), factor = solve(wide, 0.1, np.float64)
    assert factor.solve(torch.ones(F, 1)).dtype == torch.float64
    peer = Ridge(alpha=0.1 * N, solver="svd").fit(X.astype(np.float64), Y)
    np.testing.assert_allclose(coef, peer.coef_, rtol=1e-6, atol=1e-9)
    few = FewRows.take(X, Y, np.arange(20), X.mean(0), torch.device("cpu"))
    assert isinstance(solve(few, 0.1, np.float64)[1], ThinFactor)


@pytest.mark.parametrize("alpha", [1e-4, 1e-2])
def test_held_out_rows_are_mapped_by_the_map_of_all_others(alpha: float) -> None:
    X, Y = problem(1e-6)
    held_out = np.arange(N) % 150 == 7
    model = LinearMap(alpha=alpha)
    found = model.fit_held_out(X, Y, held_out)
    assert found.factor is not None
    assert found.factor.solve(torch.ones(F, 1)).dtype == torch.float32
    x, y = X.astype(np.float64), Y.astype(np.float64)
    for point, row in zip(found.held_out, np.flatnonzero(held_out), strict=True):
        others = np.arange(N) != row
        part = Ridge(alpha=alpha * N, solver="svd").fit(x[others], y[others])
        np.testing.assert_allclose(point, part.predict(x[row : row + 1])[0], rtol=1e-3, atol=1e-3)


def test_the_ridge_term_chosen_is_that_of_double_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, _Y = problem(1e-4)
    words = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)
    codes = np.argmax(X[:, :8] + 0.3 * X[:, 8:16], 1)
    single = LinearMap(random_state=0).fit(X, words[codes])
    monkeypatch.setattr(refined, "SMALL", 1000)
    monkeypatch.setattr(linear, "SMALL", 1000)
    double = LinearMap(random_state=0).fit(X, words[codes])
    assert single.alpha_ == pytest.approx(double.alpha_)
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-4, atol=1e-6)
