"""`SoftmaxClassifier` against logistic regression elsewhere, and its gradient by differences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import check_grad
from scipy.special import log_softmax
from scipy.special import softmax as softmax_of
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight.classifiers import softmax
from wordsight.classifiers.softmax import BLOCK, SoftmaxClassifier, loss_and_gradient
from wordsight.compute import RidgeFactor, partial
from wordsight.exceptions import InputError


@parametrize_with_checks([SoftmaxClassifier()])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def problem(
    n: int = 300, F: int = 6, C: int = 4, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Make classes that overlap."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % C
    return rng.normal(size=(n, F)) + rng.normal(size=(C, F))[y], y


def plain_loss(
    coef: NDArray[Any], bias: NDArray[Any], X: NDArray[Any], y: NDArray[Any], alpha: float
) -> float:
    chosen = log_softmax(X @ coef.T + bias, axis=1)[np.arange(len(y)), y]
    return float(-chosen.mean() + alpha / 2 * (coef**2).sum())


def ours(
    flat: NDArray[Any], X: NDArray[Any], y: NDArray[Any], alpha: float, C: int = 4
) -> tuple[float, NDArray[Any]]:
    weights = flat.reshape(C, -1)
    loss, slope, bias_slope = loss_and_gradient(
        torch.tensor(weights[:, :-1]), torch.tensor(weights[:, -1]), X, torch.tensor(y), alpha
    )
    return loss, np.column_stack([slope.numpy(), bias_slope.numpy()]).ravel()


@pytest.fixture(params=[None, 1, 1000])
def in_cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a block all at once, as they are so narrow, and 8 or 20 at a time."""
    if request.param:
        monkeypatch.setattr(softmax, "IN_CACHE", request.param)


@pytest.mark.usefixtures("in_cache")
def test_loss_is_the_penalised_mean_log_loss() -> None:
    X, y = problem(2 * BLOCK + 7)
    rng = np.random.default_rng(1)
    coef, bias = rng.normal(size=(4, 6)), rng.normal(size=4)
    loss, _slope = ours(np.column_stack([coef, bias]).ravel(), X, y, 0.3)
    assert loss == pytest.approx(plain_loss(coef, bias, X, y, 0.3), rel=1e-12)


def test_loss_at_zero_is_the_log_of_the_number_of_classes() -> None:
    X, y = problem()
    assert ours(np.zeros(4 * 7), X, y, 1.0)[0] == pytest.approx(np.log(4))


@pytest.mark.usefixtures("in_cache")
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_gradient_equals_finite_differences(alpha: float) -> None:
    X, y = problem(BLOCK + 11)
    flat = np.random.default_rng(2).normal(size=4 * 7)

    def loss(u: NDArray[Any]) -> float:
        return ours(u, X, y, alpha)[0]

    def slope(u: NDArray[Any]) -> NDArray[Any]:
        return ours(u, X, y, alpha)[1]

    assert check_grad(loss, slope, flat) < 1e-6


def test_sums_do_not_depend_on_blocks() -> None:
    X, y = problem(3 * BLOCK)
    flat = np.random.default_rng(2).normal(size=4 * 7)
    whole_loss, whole = ours(flat, X, y, 0.1)
    parts = [ours(flat, X[rows], y[rows], 0.1) for rows in np.array_split(np.arange(len(X)), 7)]
    sizes = [len(rows) for rows in np.array_split(np.arange(len(X)), 7)]
    loss = sum(part[0] * size for part, size in zip(parts, sizes, strict=True)) / len(X)
    slope = sum(part[1] * size for part, size in zip(parts, sizes, strict=True)) / len(X)
    assert whole_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(whole, slope, rtol=1e-10, atol=1e-14)


def logistic(X: NDArray[Any], y: NDArray[Any], alpha: float) -> LogisticRegression:
    """Solve the same objective: C weighs the sum of the losses against half the squares."""
    return LogisticRegression(C=1.0 / (alpha * len(X)), tol=1e-10, max_iter=10_000).fit(X, y)


@pytest.mark.parametrize("C", [3, 6])
@pytest.mark.parametrize("alpha", [1e-3, 0.1, 10.0])
def test_equals_logistic_regression(C: int, alpha: float) -> None:
    X, y = problem(C=C)
    theirs = logistic(X, y, alpha)
    model = SoftmaxClassifier(alpha, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-4)
    assert model.loss_ == pytest.approx(
        plain_loss(theirs.coef_, theirs.intercept_, X, y, alpha), rel=1e-6
    )


def test_two_classes_are_two_rows_of_one_difference() -> None:
    X, y = problem(C=2)
    # two rows ±w/2 have half the squares of one row w
    theirs = logistic(X, y, 0.1 / 2)
    model = SoftmaxClassifier(0.1, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(model.coef_[1] - model.coef_[0], theirs.coef_[0], atol=1e-4)
    np.testing.assert_allclose(model.coef_.sum(0), 0.0, atol=1e-6)


def test_default_tolerance_is_good_enough() -> None:
    X, y = problem()
    model = SoftmaxClassifier().fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(X), logistic(X, y, 1e-3).predict_proba(X), atol=5e-3
    )
    assert model.n_iter_ < 30


@pytest.mark.parametrize("ridge", [1e-4, 1.0, 100.0])
def test_a_factor_given_changes_the_way_and_not_the_end(ridge: float) -> None:
    X, y = problem()
    factor = RidgeFactor(partial(X, np.eye(4)[y], shift=X.mean(0)), ridge)
    given = SoftmaxClassifier(0.01, tol=1e-8).fit(X, y, factor=factor)
    made = SoftmaxClassifier(0.01, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(given.predict_proba(X), made.predict_proba(X), atol=1e-6)


def test_badly_scaled_features_converge() -> None:
    X, y = problem(600)
    scaled = X * np.array([1e-3, 1.0, 1e3, 1.0, 30.0, 0.1]) + np.array([0, 5, 2e3, -7, 90, 0.0])
    model = SoftmaxClassifier(1e-6, tol=1e-7).fit(scaled, y)
    _loss, slope = ours(np.column_stack([model.coef_, model.intercept_]).ravel(), scaled, y, 1e-6)
    inside = slope.reshape(4, 7)[:, :-1] - np.outer(slope.reshape(4, 7)[:, -1], scaled.mean(0))
    assert np.abs(inside / scaled.std(0)).max() < 1e-5
    assert model.n_iter_ < 100


def test_single_precision_is_close_and_stays_single() -> None:
    X, y = problem(1000, 20)
    X32 = X.astype(np.float32)
    model = SoftmaxClassifier(0.1, tol=1e-6).fit(X32, y)
    assert model.coef_.dtype == model.decision_function(X32).dtype == np.float32
    assert model.predict_proba(X32).dtype == np.float64
    theirs = logistic(X, y, 0.1)
    least = plain_loss(theirs.coef_, theirs.intercept_, X, y, 0.1)
    coef, bias = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    # A minimum is flat: where single precision tells losses apart to eps, coefficients may differ
    # by √(2 eps loss / alpha), as the loss bends by alpha at least. So the loss is held to eps.
    eps = float(np.finfo(np.float32).eps)
    assert plain_loss(coef, bias, X, y, 0.1) == pytest.approx(least, rel=eps, abs=0.0)
    assert np.linalg.norm(coef - theirs.coef_) < np.sqrt(2 * eps * least / 0.1)
    # a sum of 20 rounded products is off by √20 + 3 half-eps of the lengths, here 10 and 1
    np.testing.assert_allclose(
        model.predict_proba(X32), softmax_of(X @ coef.T + bias, axis=1), rtol=0, atol=1e-5
    )


def test_memory_mapped_features(tmp_path: Path) -> None:
    X, y = problem()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")  # read-only, which torch has no notion of
    np.testing.assert_array_equal(
        SoftmaxClassifier().fit(mapped, y).coef_, SoftmaxClassifier().fit(X, y).coef_
    )


def test_order_of_rows_does_not_matter() -> None:
    X, y = problem()
    order = np.random.default_rng(3).permutation(len(X))
    one = SoftmaxClassifier(tol=1e-8).fit(X, y)
    other = SoftmaxClassifier(tol=1e-8).fit(X[order], y[order])
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-6)


def test_enormous_logits_are_stable() -> None:
    X, y = problem()
    model = SoftmaxClassifier().fit(X, y)
    proba = model.predict_proba(1e30 * X)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(1), 1.0)
    np.testing.assert_array_equal(proba.argmax(1), model.decision_function(1e30 * X).argmax(1))
    loss, slope = ours(1e6 * np.random.default_rng(0).normal(size=28), X, y, 0.0)
    assert np.isfinite(loss)
    assert np.isfinite(slope).all()


def test_separable_and_constant_features() -> None:
    X = np.array([[-1.0, 3.0], [-2.0, 3.0], [1.0, 3.0], [2.0, 3.0]])
    model = SoftmaxClassifier(tol=1e-8).fit(X, ["cat", "cat", "dog", "dog"])
    assert model.predict(X).tolist() == ["cat", "cat", "dog", "dog"]
    np.testing.assert_allclose(model.coef_[:, 1], 0.0, atol=1e-6)
    useless = SoftmaxClassifier().fit(np.ones((6, 2)), ["a", "a", "a", "a", "b", "b"])
    np.testing.assert_allclose(useless.predict_proba([[1.0, 1.0]]), [[2 / 3, 1 / 3]], atol=1e-3)


def test_more_features_than_rows() -> None:
    X, y = problem(20, 50)
    model = SoftmaxClassifier(0.1, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(X), logistic(X, y, 0.1).predict_proba(X), atol=1e-4
    )


def test_refusals() -> None:
    X, y = problem()
    with pytest.raises(InputError, match=r"only one class was given \(0\); expected at least two"):
        SoftmaxClassifier().fit(X, np.zeros(len(X), dtype=int))
    for alpha in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match=r"alpha=.* was given; expected a number above 0"):
            SoftmaxClassifier(alpha).fit(X, y)
    with pytest.raises(InputError, match="Input X contains NaN"):
        SoftmaxClassifier().fit(np.where(X > 2, np.nan, X), y)
    with pytest.raises(InputError, match="inconsistent numbers of samples"):
        SoftmaxClassifier().fit(X, y[1:])
    with pytest.raises(InputError, match="Unknown label type"):
        SoftmaxClassifier().fit(X, X[:, 0])
