"""Few rows, many features: the same solutions as with the whole covariance, much cheaper."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from wordsight import LinearMap, SoftmaxClassifier
from wordsight.compute import RidgeFactor, partial
from wordsight.few_rows import FewRows, ThinFactor, are_few
from wordsight.mapping import sums

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 160)) * RNG.uniform(0.1, 3.0, 160) + 5.0
Y = RNG.normal(size=(30, 4))
CPU = torch.device("cpu")


def rows(chosen: slice) -> FewRows:
    return FewRows.take(X, Y, np.arange(30)[chosen], X.mean(0), CPU)


def test_a_quarter_is_few() -> None:
    assert are_few(40, 160)
    assert not are_few(41, 160)


@pytest.mark.parametrize("alpha", [1e-4, 0.1, 100.0])
def test_the_factor_is_that_of_the_covariance(alpha: float) -> None:
    factor = ThinFactor(rows(slice(None)), alpha)
    system = np.cov(X.T, bias=True) + alpha * np.eye(160)
    B = RNG.normal(size=(160, 3))
    tensor = torch.from_numpy(B)
    np.testing.assert_allclose(
        factor.solve(tensor), np.linalg.solve(system, B), rtol=1e-6, atol=1e-7
    )
    # whiten is the inverse of a root of the system: Lᵀ⁻¹ L⁻¹ = system⁻¹, and its own transpose
    inside = factor.whiten(torch.from_numpy(system)).numpy()
    np.testing.assert_allclose(inside @ inside.T, system, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(factor.mean_x, X.mean(0))
    np.testing.assert_allclose(
        factor.solve(tensor), RidgeFactor(partial(X, Y), alpha).solve(tensor), rtol=1e-6, atol=1e-7
    )


def test_statistics_are_those_of_the_sums() -> None:
    few, sums = rows(slice(None)), partial(X, Y, shift=X.mean(0))
    assert few.n == sums.n == 30
    for name in ("sum_x", "sum_y", "cross"):
        np.testing.assert_allclose(getattr(few, name), getattr(sums, name), atol=1e-10)
    assert few.mean_variance() == pytest.approx(sums.mean_variance())
    assert few.mean_variance() == pytest.approx(X.var(0).mean())


def test_merging_and_leaving_out_are_inverse() -> None:
    part, rest = rows(slice(0, 12)), rows(slice(12, 30))
    total = part.merge(rest)
    assert total.n == 30
    left = total.without(part)
    np.testing.assert_array_equal(left.ids, rest.ids)
    np.testing.assert_array_equal(left.X, rest.X)
    np.testing.assert_array_equal(left.Y, rest.Y)


def test_the_map_is_ridge_regression() -> None:
    model = LinearMap(alpha=0.05).fit(X, Y)
    peer = Ridge(alpha=0.05 * len(X), solver="svd").fit(X, Y)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, rtol=1e-8)


@pytest.mark.parametrize("alpha", [0.05, "auto"])
def test_few_and_many_give_one_result(monkeypatch: pytest.MonkeyPatch, alpha: float) -> None:
    words = RNG.normal(size=(5, 4))
    targets = words[np.arange(30) % 5]
    held_out = np.arange(30) >= 25
    few = LinearMap(alpha, random_state=0)
    found = few.fit_held_out(X, targets, held_out)
    monkeypatch.setattr(sums, "are_few", lambda _n, _F: False)
    many = LinearMap(alpha, random_state=0)
    expected = many.fit_held_out(X, targets, held_out)
    assert few.alpha_ == pytest.approx(many.alpha_)
    np.testing.assert_allclose(few.coef_, many.coef_, rtol=1e-6, atol=1e-10)
    # leverages are near 1 here, and what is left of 1 magnifies the rounding
    np.testing.assert_allclose(found.held_out, expected.held_out, rtol=1e-4)


def test_the_softmax_is_logistic_regression() -> None:
    y = np.arange(30) % 3
    model = SoftmaxClassifier(alpha=0.1, tol=1e-9).fit(X, y)
    peer = LogisticRegression(C=1 / (0.1 * 30), tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=1e-5)


def test_rows_that_do_not_vary() -> None:
    same = np.ones((5, 40))
    model = LinearMap(alpha=0.1).fit(same, np.arange(5.0))
    np.testing.assert_allclose(model.predict(same), 2.0)
