"""`TwoLayerMap` against finite differences, torch's gradients, scikit-learn, and itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight import LinearMap, TwoLayerMap
from wordsight.compute import RidgeFactor, partial
from wordsight.exceptions import InputError
from wordsight.mapping.base import fit_held_out
from wordsight.mapping.layers import Layers, LayersProblem, loss_and_gradient, squared_error
from wordsight.mapping.warm_start import hidden_start, linear_start
from wordsight.progress import listening


@parametrize_with_checks([TwoLayerMap(10, max_iter=4)])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def layers(h: int = 4, F: int = 5, d: int = 3, seed: int = 0) -> Layers:
    rng = np.random.default_rng(seed)
    return Layers(*(torch.from_numpy(rng.normal(size=s)) for s in ((h, F), (h,), (d, h), (d,))))


def rows(n: int = 40, F: int = 5, d: int = 3, seed: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, F)), rng.normal(size=(n, d))


def problem(
    n: int = 600, F: int = 30, d: int = 4, *, n_classes: int = 6, noise: float = 1.0, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make features that carry the word vectors of their classes, bent, and noise."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(n_classes, d))
    codes = np.arange(n) % n_classes
    hidden = W[codes] + 0.3 * rng.normal(size=(n, d))
    X = np.tanh(hidden @ rng.normal(size=(d, F))) + noise * rng.normal(size=(n, F))
    return X, W[codes]


# The loss and its gradient


def test_the_loss_is_the_formula() -> None:
    X, Y = rows()
    here = layers()
    t1, b1, t2, b2 = (part.numpy() for part in here)
    error = np.mean(
        [((y - t2 @ np.tanh(t1 @ x + b1) - b2) ** 2).sum() for x, y in zip(X, Y, strict=True)]
    )
    assert squared_error(here, X, Y) == pytest.approx(error, rel=1e-12)
    loss, _slope = loss_and_gradient(here, X, Y, 0.3)
    assert loss == pytest.approx(error + 0.3 * ((t1**2).sum() + (t2**2).sum()), rel=1e-12)


def test_gradient_equals_finite_differences() -> None:
    X, Y = rows()
    here = layers()
    _loss, slope = loss_and_gradient(here, X, Y, 0.3)
    step = 1e-6
    for part, expected in zip(here, slope, strict=True):
        for place in np.ndindex(tuple(part.shape)):
            kept = float(part[place])
            losses = []
            for side in (step, -step):
                part[place] = kept + side
                losses.append(loss_and_gradient(here, X, Y, 0.3)[0])
            part[place] = kept
            rise = (losses[0] - losses[1]) / (2 * step)
            assert rise == pytest.approx(float(expected[place]), rel=1e-6, abs=1e-8)


def test_gradient_is_torchs_own() -> None:
    X, Y = rows()
    here = layers()
    leaves = Layers(*(part.clone().requires_grad_() for part in here))
    hidden = torch.tanh(torch.from_numpy(X) @ leaves.theta1.T + leaves.b1)
    residual = torch.from_numpy(Y) - hidden @ leaves.theta2.T - leaves.b2
    loss = residual.square().sum() / len(X)
    loss = loss + 0.3 * (leaves.theta1.square().sum() + leaves.theta2.square().sum())
    torch.autograd.backward(loss)
    found, slope = loss_and_gradient(here, X, Y, 0.3)
    assert found == pytest.approx(loss.item(), rel=1e-12)
    for ours, leaf in zip(slope, leaves, strict=True):
        assert leaf.grad is not None
        torch.testing.assert_close(ours, leaf.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("block_size", [1, 7, 40, 1000])
def test_blocks_rows_and_layout_do_not_matter(block_size: int) -> None:
    X, Y = rows()
    here = layers()
    loss, slope = loss_and_gradient(here, X, Y, 0.1)
    chosen = np.random.default_rng(0).permutation(40)
    twice = np.concatenate([X, np.full_like(X, np.nan)])  # rows not chosen are never looked at
    odd = np.asfortranarray(twice)
    odd.flags.writeable = False
    other, other_slope = loss_and_gradient(
        here, odd, np.concatenate([Y, Y]), 0.1, rows=chosen, block_size=block_size
    )
    assert other == pytest.approx(loss, rel=1e-12)
    for one, two in zip(slope, other_slope, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-11)


def test_single_precision_comes_near_to_double() -> None:
    X, Y = rows(3000)
    here = layers()
    loss, slope = loss_and_gradient(here, X, Y, 0.1)
    single, single_slope = loss_and_gradient(
        here, X.astype(np.float32), Y.astype(np.float32), 0.1, block_size=100
    )
    assert single == pytest.approx(loss, rel=1e-6)
    for one, two in zip(slope, single_slope, strict=True):
        assert two.dtype == torch.float64
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("whitened", [True, False])
def test_the_flat_problem_has_its_own_gradient(whitened: bool) -> None:
    X, Y = rows()
    X = X @ np.diag([1.0, 10.0, 0.1, 1.0, 3.0]) + 2.0
    factor = RidgeFactor(partial(X, Y), 0.01)
    flat_problem = LayersProblem(
        X, Y, np.arange(30), layers(), factor.mean_x, factor if whitened else None, 0.05
    )
    start = flat_problem.start()
    for expected, unpacked in zip(layers(), flat_problem.layers(start), strict=True):
        torch.testing.assert_close(unpacked, expected)
    place = start + 0.1 * np.random.default_rng(0).normal(size=len(start))
    loss, slope = flat_problem.loss_and_gradient(place)
    assert flat_problem.loss(place) == pytest.approx(loss, rel=1e-12)
    for k in range(len(place)):
        step = np.zeros_like(place)
        step[k] = 1e-6
        found = (flat_problem.loss(place + step) - flat_problem.loss(place - step)) / 2e-6
        assert found == pytest.approx(slope[k], rel=1e-5, abs=1e-7)


# The start


def test_the_linear_start_is_ridge_regression() -> None:
    X, Y = problem(300)
    some = np.arange(200)
    cpu = torch.device("cpu")
    expected = Ridge(alpha=0.2 * 200, solver="svd").fit(X[some], Y[some]).coef_
    coef, factor = linear_start(X, Y, some, cpu, 0.2)
    np.testing.assert_allclose(coef, expected, rtol=1e-8, atol=1e-10)
    again, same = linear_start(X, Y, some, cpu, None, factor)
    assert same is factor
    np.testing.assert_allclose(again, expected, rtol=1e-8, atol=1e-10)


def test_theta2_is_the_best_there_is_for_the_hidden_units_at_the_start() -> None:
    X, Y = problem(300)
    every, none = np.arange(len(X)), np.arange(0)
    coef, factor = linear_start(X, Y, every, torch.device("cpu"), None)
    mean = factor.mean_x.numpy()
    start = hidden_start(X, Y, every, none, coef, mean, 25, 0.01, np.random.RandomState(0))
    _loss, slope = loss_and_gradient(start, X, Y, 0.01)
    np.testing.assert_allclose(slope.theta2, 0.0, atol=1e-10)
    np.testing.assert_allclose(slope.b2, 0.0, atol=1e-10)
    into = X @ start.theta1.numpy().T
    assert np.isclose(into.std(0), [[1.0], [0.3], [0.1]]).all(1).any()  # one scale for all


@pytest.mark.parametrize("d", [3, 20])
def test_the_start_is_as_good_as_the_linear_map_where_that_is_right(d: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 40))
    Y = X @ rng.normal(size=(40, d)) / 6 + 0.3 * rng.normal(size=(1500, d))
    held_out = np.arange(1500) % 5 == 0
    linear = LinearMap(0.01).fit(X[~held_out], Y[~held_out])
    error = ((linear.predict(X[held_out]) - Y[held_out]) ** 2).sum(1).mean()
    model = TwoLayerMap(100, alpha=0.01, max_iter=2, random_state=0)
    model.fit(X, Y, held_out=held_out)
    assert model.held_out_errors_[0][0] == 0
    assert model.held_out_errors_[0][1] < 1.01 * error


def test_a_linear_map_and_a_factor_may_be_given() -> None:
    X, Y = problem()
    held_out = np.arange(len(X)) % 6 < 1
    alpha = 0.01 * X[~held_out].var(0).mean()
    make = TwoLayerMap(20, alpha=alpha, max_iter=6, random_state=0)
    alone = make.fit(X, Y, held_out=held_out).predict(X)
    factor = RidgeFactor(partial(X, Y, rows=np.flatnonzero(~held_out)), alpha)
    linear = LinearMap(alpha).fit(X[~held_out], Y[~held_out])
    for given in ({"factor": factor}, {"linear": linear}, {"linear": linear, "factor": factor}):
        again = make.fit(X, Y, held_out=held_out, **given).predict(X)
        np.testing.assert_allclose(again, alone, rtol=1e-6, atol=1e-7)


# Learning


def test_predict_is_the_formula() -> None:
    X, Y = problem()
    model = TwoLayerMap(15, max_iter=5, random_state=0).fit(X, Y)
    hidden = np.tanh(X @ model.coef_hidden_.T + model.intercept_hidden_)
    expected = hidden @ model.coef_.T + model.intercept_
    np.testing.assert_array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(model.transform(X), expected)
    assert model.coef_hidden_.shape == (15, 30)
    assert model.intercept_hidden_.shape == (15,)
    assert model.coef_.shape == (4, 15)
    assert model.intercept_.shape == (4,)
    assert list(model.get_feature_names_out()) == [f"twolayermap{k}" for k in range(4)]


def test_the_loss_told_is_that_of_the_parameters_kept() -> None:
    X, Y = problem()
    held_out = np.arange(len(X)) % 12 == 0
    for fraction, mask in ((0.0, None), (0.1, held_out)):
        model = TwoLayerMap(
            10, weight_decay=0.02, max_iter=9, held_out_fraction=fraction, random_state=0
        ).fit(X, Y, held_out=mask)
        kept = ~held_out if mask is not None else np.ones(len(X), dtype=bool)
        error = ((model.predict(X[kept]) - Y[kept]) ** 2).sum(1).mean()
        size = (model.coef_hidden_**2).sum() + (model.coef_**2).sum()
        assert model.loss_ == pytest.approx(error + 0.02 * size, rel=1e-9)


def test_a_linear_target_is_learned() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 10))
    Y = X @ rng.normal(size=(10, 3))
    model = TwoLayerMap(30, weight_decay=1e-7, alpha=1e-6, random_state=0).fit(X[:600], Y[:600])
    assert ((model.predict(X[600:]) - Y[600:]) ** 2).mean() < 1e-3 * Y.var()


def test_a_bent_target_is_learned_far_better_than_by_a_line() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 6))
    Y = np.tanh(2.0 * X @ rng.normal(size=(6, 4))) @ rng.normal(size=(4, 3))
    train, test = slice(0, 800), slice(800, None)
    line = ((LinearMap(1e-4).fit(X[train], Y[train]).predict(X[test]) - Y[test]) ** 2).mean()
    model = TwoLayerMap(20, max_iter=150, random_state=0).fit(X[train], Y[train])
    assert ((model.predict(X[test]) - Y[test]) ** 2).mean() < 0.2 * line
    # training bettered what it started from, on rows it was not trained on
    assert model.best_iter_ > 0
    errors = dict(model.held_out_errors_)
    assert errors[model.best_iter_] < 0.5 * errors[0]


def test_reaches_the_loss_that_scikit_learn_reaches() -> None:
    X, Y = problem(200, 8, 3)
    n, weight_decay = len(X), 0.01
    # scikit-learn's loss: half the mean over rows and targets, and alpha / (2 n) ‖θ‖²
    theirs = MLPRegressor(
        hidden_layer_sizes=(12,), activation="tanh", solver="lbfgs",
        alpha=weight_decay * n / Y.shape[1], max_iter=3000, max_fun=10**6, tol=1e-9,
        random_state=0,
    ).fit(X, Y)  # fmt: skip
    first, second = theirs.coefs_
    error = ((theirs.predict(X) - Y) ** 2).sum(1).mean()
    reached = error + weight_decay * ((first**2).sum() + (second**2).sum())
    assert theirs.loss_ == pytest.approx(reached / (2 * Y.shape[1]), rel=1e-6)  # the same loss
    ours = TwoLayerMap(
        12, weight_decay=weight_decay, held_out_fraction=0.0, tol=1e-10, max_iter=1500,
        random_state=0,
    ).fit(X, Y)  # fmt: skip
    assert ours.loss_ < 1.1 * reached  # neither is sure to find the lowest of all valleys
    # and it rests: no direction goes down
    here = (ours.coef_hidden_, ours.intercept_hidden_, ours.coef_, ours.intercept_)
    _loss, slope = loss_and_gradient(Layers(*map(torch.from_numpy, here)), X, Y, weight_decay)
    assert max(float(part.abs().max()) for part in slope) < 1e-3


def test_making_it_round_takes_fewer_steps() -> None:
    X, Y = problem(400, 20)
    X = X @ np.diag(np.geomspace(0.01, 10.0, 20))  # far from round
    losses = [
        TwoLayerMap(
            8, alpha=1e-6, weight_decay=1e-8, max_iter=25, held_out_fraction=0.0, tol=0.0,
            precondition=precondition, random_state=0,
        ).fit(X, Y).loss_
        for precondition in (True, False)
    ]  # fmt: skip
    assert losses[0] < losses[1]


def test_same_seed_same_answer_and_memory_maps(tmp_path: Path) -> None:
    X, Y = problem()
    X = X.astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    one = TwoLayerMap(10, max_iter=8, random_state=3).fit(X, Y)
    for other in (X.copy(), mapped, np.asfortranarray(X)):
        again = TwoLayerMap(10, max_iter=8, random_state=3).fit(other, Y)
        np.testing.assert_allclose(again.predict(X), one.predict(X), rtol=1e-4, atol=1e-4)
    again = TwoLayerMap(10, max_iter=8, random_state=3).fit(mapped, Y)
    np.testing.assert_array_equal(again.coef_hidden_, one.coef_hidden_)
    assert one.predict(X).dtype == one.coef_hidden_.dtype == np.float32
    different = TwoLayerMap(10, max_iter=8, random_state=4).fit(X, Y)
    assert not np.allclose(different.coef_hidden_, one.coef_hidden_)


def test_order_of_rows_does_not_matter_where_the_held_out_ones_are_the_same() -> None:
    X, Y = problem(300)
    held_out = np.arange(300) % 5 == 0
    order = np.random.default_rng(0).permutation(300)
    make = TwoLayerMap(10, max_iter=6, random_state=0)
    one = make.fit(X, Y, held_out=held_out).predict(X)
    other = make.fit(X[order], Y[order], held_out=held_out[order]).predict(X)
    np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


def test_few_images_and_many_features() -> None:
    X, Y = problem(40, 300)
    model = TwoLayerMap(10, max_iter=6, random_state=0).fit(X, Y)
    assert ((model.predict(X) - Y) ** 2).mean() < Y.var()


def test_one_target_may_have_one_dimension() -> None:
    X, Y = problem(200)
    flat = TwoLayerMap(10, max_iter=6, random_state=0).fit(X, Y[:, 0])
    assert flat.predict(X).shape == (len(X),)
    assert flat.transform(X).shape == (len(X), 1)


def test_constant_features_and_targets() -> None:
    same = TwoLayerMap(5, max_iter=5).fit(np.full((20, 3), 2.5), np.arange(20.0) % 2)
    np.testing.assert_allclose(same.predict([[2.5] * 3]), 0.5, atol=0.2)
    X, _Y = problem(50)
    still = TwoLayerMap(5, max_iter=5).fit(X, np.full((50, 2), 3.0))
    np.testing.assert_allclose(still.predict(X), 3.0, atol=1e-6)


# Stopping


def test_noise_stops_early_and_the_best_parameters_are_kept() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(300, 40)), rng.normal(size=(300, 3))
    held_out = np.arange(300) % 4 == 0
    model = TwoLayerMap(20, patience=3, max_iter=500, random_state=0)
    model.fit(X, Y, held_out=held_out)
    iterations, errors = zip(*model.held_out_errors_, strict=True)
    assert model.n_iter_ < 100
    assert iterations == tuple(range(0, model.n_iter_ + 1, 2))
    assert model.best_iter_ == iterations[int(np.argmin(errors))]
    assert iterations[-1] - model.best_iter_ >= 6  # three looks in vain
    found = ((model.predict(X[held_out]) - Y[held_out]) ** 2).sum(1).mean()
    assert found == pytest.approx(min(errors), rel=1e-9)
    assert errors[-1] > min(errors)


def test_without_held_out_rows_it_goes_on_to_the_end() -> None:
    X, Y = problem(200)
    model = TwoLayerMap(10, held_out_fraction=0.0, tol=0.0, max_iter=17, random_state=0).fit(X, Y)
    assert model.n_iter_ == model.best_iter_ == 17
    assert model.held_out_errors_ == []


def test_held_out_rows_are_drawn_from_each_class() -> None:
    X, Y = problem(120)
    model = TwoLayerMap(5, max_iter=2, held_out_fraction=0.1, random_state=0).fit(X, Y)
    drawn = model._draw(Y, np.random.RandomState(0))
    assert drawn.sum() == 12
    assert len(np.unique(Y[drawn], axis=0)) == 6


def test_rows_held_out_from_elsewhere_are_never_learned_from() -> None:
    X, Y = problem(240)
    held_out = np.arange(240) % 7 == 0
    broken = Y.copy()
    broken[held_out] = 1e6
    results = []
    for targets in (Y, broken):
        model = TwoLayerMap(10, max_iter=6, random_state=0)
        found = fit_held_out(model, X, targets, held_out)
        results.append(found.held_out)
        assert found.factor is not None
        np.testing.assert_array_equal(found.held_out, model.predict(X)[held_out])
        np.testing.assert_array_equal(found.rest, model.predict(X)[~held_out])
    np.testing.assert_array_equal(results[0], results[1])
    alone = TwoLayerMap(10, max_iter=6, random_state=0).fit(X[~held_out], Y[~held_out])
    np.testing.assert_allclose(alone.predict(X[held_out]), results[0], rtol=1e-6, atol=1e-7)


def test_progress_is_told() -> None:
    X, Y = problem(200)
    told: list[tuple[str, int, int]] = []
    with listening(lambda *what: told.append(what)):
        TwoLayerMap(5, max_iter=4, random_state=0).fit(X, Y)
    steps = [done for stage, done, total in told if stage == "training the two-layer map"]
    assert steps == [0, 1, 2, 3, 4]


# Refusals


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_hidden", 0),
        ("n_hidden", 2.5),
        ("n_hidden", True),
        ("weight_decay", -1e-4),
        ("weight_decay", np.inf),
        ("weight_decay", "small"),
        ("max_iter", 0),
        ("patience", 0),
        ("tol", -1.0),
        ("tol", np.nan),
        ("held_out_fraction", 1.0),
        ("held_out_fraction", -0.1),
        ("alpha", 0.0),
        ("alpha", "auto"),
        ("device", "tpu"),
    ],
)
def test_parameters_out_of_range_are_refused(parameter: str, value: Any) -> None:
    X, Y = problem(60)
    with pytest.raises(InputError, match=f"{parameter}=.* expected") as caught:
        TwoLayerMap().set_params(**{parameter: value}).fit(X, Y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(wrong: float) -> None:
    X, Y = problem(60)
    X[5, 2] = wrong
    with pytest.raises(InputError, match=r"^Input X contains (NaN|infinity)"):
        TwoLayerMap().fit(X, Y)


def test_what_does_not_fit_together_is_refused() -> None:
    X, Y = problem(60)
    linear = LinearMap(1.0).fit(X, Y)
    with pytest.raises(InputError, match="linear= was given without held_out="):
        TwoLayerMap().fit(X, Y, linear=linear)
    mask = np.arange(60) < 6
    with pytest.raises(InputError, match=r"matrix of shape \(4, 30\), and \(3, 30\) is expected"):
        TwoLayerMap().fit(X, Y[:, :3], linear=linear, held_out=mask)
    with pytest.raises(InputError, match="factor= is of 29 features, and X has 30"):
        TwoLayerMap().fit(X, Y, factor=RidgeFactor(partial(X[:, :29], Y), 1.0))
    masks: list[Any] = [np.ones(60, bool), np.zeros(3, bool), np.zeros(60)]
    for wrong in masks:
        with pytest.raises(InputError, match="one bool for each"):
            TwoLayerMap().fit(X, Y, held_out=wrong)
        with pytest.raises(InputError, match="one bool for each"):
            TwoLayerMap().fit_held_out(X, Y, wrong)
    with pytest.raises(InputError, match="X has 29 features, but TwoLayerMap is expecting 30"):
        TwoLayerMap(5, max_iter=2).fit(X, Y).predict(X[:, 1:])
