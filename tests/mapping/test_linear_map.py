"""`LinearMap` against algebra, ridge regression elsewhere, and scikit-learn's contract."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight.exceptions import InputError
from wordsight.mapping.base import fit_held_out
from wordsight.mapping.linear import DEFAULT_ALPHA, LinearMap


@parametrize_with_checks([LinearMap(), LinearMap(alpha=0.1)])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def problem(
    n: int = 200, F: int = 15, d: int = 4, *, n_classes: int = 6, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Make features that carry the word vectors of their classes, and noise."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(n_classes, d))
    codes = np.arange(n) % n_classes
    X = W[codes] @ rng.normal(size=(d, F)) + rng.normal(size=(n, F)) + rng.normal(size=F) * 3
    return X, W[codes], codes


def oracle(X: NDArray[Any], Y: NDArray[Any], alpha: float) -> Ridge:
    """Solve the same objective: scikit-learn penalises the sum over rows, not the mean."""
    return Ridge(alpha=alpha * len(X), solver="svd").fit(X.astype(float), Y.astype(float))


@pytest.mark.parametrize("alpha", [1e-6, 0.01, 1.0, 1e4])
@pytest.mark.parametrize(("n", "F"), [(200, 15), (12, 40), (3, 3)])
def test_equals_ridge_regression(alpha: float, n: int, F: int) -> None:
    X, Y, _codes = problem(n, F, n_classes=3)
    ours, theirs = LinearMap(alpha=alpha).fit(X, Y), oracle(X, Y, alpha)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_single_precision_stays_close_and_stays_single(offset: float) -> None:
    X, Y, _codes = problem(1000, 60)
    X32, Y32 = (X + offset).astype(np.float32), Y.astype(np.float32)
    ours, theirs = LinearMap(alpha=0.1).fit(X32, Y32), oracle(X32, Y32, 0.1)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-4)
    assert ours.coef_.dtype == ours.predict(X32).dtype == np.float32
    assert LinearMap(alpha=0.1).fit(X, Y).predict(X).dtype == np.float64


def test_normal_equations_hold() -> None:
    X, Y, _codes = problem()
    model = LinearMap(alpha=0.3).fit(X, Y)
    residual = Y - X @ model.coef_.T - model.intercept_
    slope = -2.0 / len(X) * residual.T @ X + 2 * 0.3 * model.coef_
    np.testing.assert_allclose(slope, 0.0, atol=1e-9)
    np.testing.assert_allclose(residual.mean(0), 0.0, atol=1e-9)  # the bias is not penalised


def test_no_other_map_has_a_lower_objective() -> None:
    X, Y, _codes = problem()
    model = LinearMap(alpha=1e-12).fit(X, Y)

    def objective(theta: NDArray[Any], bias: NDArray[Any]) -> float:
        return float(((Y - X @ theta.T - bias) ** 2).sum())  # Eq. 1

    best = objective(model.coef_, model.intercept_)
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-1):
        for _ in range(50):
            moved = model.coef_ + size * rng.normal(size=model.coef_.shape)
            shifted = model.intercept_ + size * rng.normal(size=model.intercept_.shape)
            assert objective(moved, shifted) > best


def test_order_of_rows_and_blocks_do_not_matter() -> None:
    X, Y, _codes = problem(5000, 10)  # more than one block
    order = np.random.default_rng(0).permutation(len(X))
    one, other = LinearMap(alpha=0.1).fit(X, Y), LinearMap(alpha=0.1).fit(X[order], Y[order])
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-10, atol=1e-12)


def test_one_target_may_have_one_dimension() -> None:
    X, Y, _codes = problem()
    flat = LinearMap(alpha=0.1).fit(X, Y[:, 0])
    assert flat.predict(X).shape == (len(X),)
    assert flat.transform(X).shape == (len(X), 1)
    np.testing.assert_allclose(
        flat.predict(X), LinearMap(alpha=0.1).fit(X, Y).predict(X)[:, 0], rtol=1e-10
    )


def test_constant_features_get_no_weight() -> None:
    X, Y, _codes = problem()
    X[:, 3] = 7.0
    model = LinearMap(alpha=0.01).fit(X, Y)
    np.testing.assert_allclose(model.coef_[:, 3], 0.0, atol=1e-10)
    everything = LinearMap().fit(np.full((20, 3), 2.5), Y[:20])
    np.testing.assert_allclose(everything.predict([[2.5] * 3])[0], Y[:20].mean(0), rtol=1e-9)


def test_memory_mapped_features(tmp_path: Path) -> None:
    X, Y, _codes = problem()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        LinearMap(random_state=0).fit(mapped, Y).coef_, LinearMap(random_state=0).fit(X, Y).coef_
    )


def test_output_names() -> None:
    X, Y, _codes = problem()
    model = LinearMap(alpha=0.1).fit(X, Y)
    assert list(model.get_feature_names_out()) == [f"linearmap{k}" for k in range(4)]
    np.testing.assert_array_equal(
        model.set_output(transform="default").transform(X), model.predict(X)
    )


# The ridge term that chooses itself


def test_chosen_alpha_is_decided_by_rows_and_seed_alone() -> None:
    X, Y, _codes = problem()
    chosen = LinearMap(random_state=3).fit(X, Y)
    np.random.default_rng().random()  # other randomness plays no part
    again = LinearMap(random_state=3).fit(X.copy(), Y.copy())
    assert again.alpha_ == chosen.alpha_
    assert again.alpha_scores_ == chosen.alpha_scores_
    np.testing.assert_array_equal(again.coef_, chosen.coef_)
    assert chosen.alpha_scores_[chosen.alpha_] == max(chosen.alpha_scores_.values())
    np.testing.assert_allclose(
        chosen.coef_, oracle(X, Y, chosen.alpha_).coef_, rtol=1e-7, atol=1e-9
    )


def test_chosen_alpha_scales_with_the_features() -> None:
    X, Y, _codes = problem()
    one, other = LinearMap(random_state=0).fit(X, Y), LinearMap(random_state=0).fit(100 * X, Y)
    assert other.alpha_ == pytest.approx(1e4 * one.alpha_)
    np.testing.assert_allclose(other.predict(100 * X), one.predict(X), rtol=1e-6, atol=1e-9)


def test_where_classes_are_easy_the_squared_error_decides() -> None:
    rng = np.random.default_rng(0)
    W = rng.normal(size=(6, 4))
    codes = np.arange(300) % 6
    X = W[codes] @ rng.normal(size=(4, 8)) + 0.1 * rng.normal(size=(300, 8))
    model = LinearMap(random_state=0).fit(X, W[codes])
    # a ridge term of a thousand variances tells these classes apart as well, and maps each image
    # to the same point but for a thousandth
    spread = model.predict(X).std(0) / W[codes].std(0)
    assert spread.min() > 0.9


def test_much_noise_asks_for_more_ridge() -> None:
    rng = np.random.default_rng(0)
    W = rng.normal(size=(6, 5))
    codes = np.arange(120) % 6
    signal = W[codes] @ rng.normal(size=(5, 60))
    little = LinearMap(random_state=0).fit(signal + 0.01 * rng.normal(size=signal.shape), W[codes])
    much = LinearMap(random_state=0).fit(signal + 6.0 * rng.normal(size=signal.shape), W[codes])
    # with hardly any noise nothing is lost by a smooth map, so scores decide, not the size alone
    assert max(little.alpha_scores_.values()) > max(much.alpha_scores_.values())
    assert much.alpha_ > min(much.alpha_scores_)


def test_one_row_a_class() -> None:
    X, Y, _codes = problem(6, 4, n_classes=6)
    model = LinearMap(random_state=0).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()
    # there are no classes to tell apart: the squared error of the one row held out decides
    assert max(model.alpha_scores_.values()) < 0.0


def test_nothing_held_out_leaves_a_fixed_share_of_the_variance() -> None:
    X, Y, _codes = problem()
    model = LinearMap()
    found = model.fit_held_out(X, Y, np.zeros(len(X), dtype=bool))
    assert model.alpha_ == pytest.approx(DEFAULT_ALPHA * X.var(0).mean())
    assert len(found.held_out) == 0
    np.testing.assert_array_equal(found.rest, model.predict(X))


# Held-out rows


@pytest.mark.parametrize("alpha", [0.05, "auto"])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_held_out_rows_are_mapped_by_the_map_of_all_others(alpha: Any, offset: float) -> None:
    X, Y, _codes = problem(60)
    X += offset
    held_out = np.arange(len(X)) % 5 == 0
    model = LinearMap(alpha=alpha, random_state=0)
    found = model.fit_held_out(X, Y, held_out)
    for point, row in zip(found.held_out, np.flatnonzero(held_out), strict=True):
        others = np.arange(len(X)) != row
        # the penalty on the sum of squares stays that of all rows
        part = Ridge(alpha=model.alpha_ * len(X), solver="svd").fit(X[others], Y[others])
        np.testing.assert_allclose(point, part.predict(X[row : row + 1])[0], rtol=1e-7, atol=1e-8)
    whole = oracle(X, Y, model.alpha_)
    np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.rest, model.predict(X)[~held_out], rtol=1e-12)
    assert found.factor is not None


def test_more_features_than_rows_are_left_out_as_well() -> None:
    X, Y, _codes = problem(30, 80)  # every row is nearly its own: leverages near 1
    held_out = np.arange(len(X)) % 3 == 0
    found = LinearMap(alpha=1e-3).fit_held_out(X, Y, held_out)
    row = 3
    others = np.arange(len(X)) != row
    part = Ridge(alpha=1e-3 * len(X), solver="svd").fit(X[others], Y[others])
    np.testing.assert_allclose(found.held_out[1], part.predict(X[row : row + 1])[0], rtol=1e-5)


def test_the_target_of_a_held_out_row_does_not_move_its_point() -> None:
    X, Y, _codes = problem()
    held_out = np.arange(len(X)) == 7
    false = Y.copy()
    false[7] = 100.0
    one = LinearMap(alpha=0.1).fit_held_out(X, Y, held_out)
    other = LinearMap(alpha=0.1).fit_held_out(X, false, held_out)
    np.testing.assert_allclose(one.held_out, other.held_out, rtol=1e-8, atol=1e-8)


def test_a_map_from_elsewhere_is_trained_without_the_held_out_rows() -> None:
    X, Y, _codes = problem()
    held_out = np.arange(len(X)) % 4 == 0
    theirs = Ridge(alpha=30.0)
    found = fit_held_out(theirs, X, Y, held_out)
    part = Ridge(alpha=30.0).fit(X[~held_out], Y[~held_out])
    np.testing.assert_array_equal(found.held_out, part.predict(X[held_out]))
    np.testing.assert_array_equal(found.rest, part.predict(X[~held_out]))
    np.testing.assert_array_equal(theirs.predict(X), part.predict(X))
    assert found.factor is None


# Refusals


@pytest.mark.parametrize("alpha", [0.0, -1.0, np.nan, np.inf, "ten", None])
def test_alpha_out_of_range_is_refused(alpha: Any) -> None:
    X, Y, _codes = problem()
    with pytest.raises(InputError, match=r"alpha=.* was given; expected 'auto' or a number above"):
        LinearMap(alpha=alpha).fit(X, Y)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_features_and_targets_that_are_not_finite_are_refused(wrong: float) -> None:
    X, Y, _codes = problem()
    broken = X.copy()
    broken[5, 2] = wrong
    for fit in (
        lambda: LinearMap().fit(broken, Y),
        lambda: LinearMap(alpha=1.0).fit(X, Y).predict(broken),
    ):
        with pytest.raises(InputError, match=r"^Input X contains (NaN|infinity)") as caught:
            fit()
        assert "\n" not in str(caught.value)
    bad_targets = Y.copy()
    bad_targets[0, 0] = wrong
    with pytest.raises(InputError, match=r"contains (NaN|infinity)"):
        LinearMap().fit(X, bad_targets)


def test_shapes_that_do_not_fit_are_refused() -> None:
    X, Y, _codes = problem()
    with pytest.raises(InputError, match="inconsistent numbers of samples"):
        LinearMap().fit(X, Y[:-1])
    with pytest.raises(InputError, match="X has 14 features, but LinearMap is expecting 15"):
        LinearMap(alpha=1.0).fit(X, Y).predict(X[:, 1:])
    with pytest.raises(InputError, match=r"features of shape \(15,\) were given.*Reshape"):
        LinearMap(alpha=1.0).fit(X, Y).predict(X[0])
    with pytest.raises(InputError, match="0 sample"):
        LinearMap().fit(X[:0], Y[:0])
    masks: list[Any] = [np.ones(len(X), bool), np.zeros(3, bool), np.zeros(len(X))]
    for held_out in masks:
        with pytest.raises(InputError, match="one bool for each"):
            LinearMap(alpha=1.0).fit_held_out(X, Y, held_out)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("held_out_fraction", 0.0), ("held_out_fraction", 1.0), ("n_class_folds", 0)],
)
def test_other_parameters_out_of_range_are_refused(parameter: str, value: float) -> None:
    X, Y, _codes = problem()
    with pytest.raises(InputError, match=parameter):
        LinearMap().set_params(**{parameter: value}).fit(X, Y)
