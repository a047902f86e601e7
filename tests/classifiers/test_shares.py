"""The classifier of seen classes that needs no training, and temperatures."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight import (
    CrossModalClassifier,
    LinearMap,
    ShareClassifier,
    SoftmaxClassifier,
    SoftmaxNovelty,
)
from wordsight.classifiers.temperature import likeliest_temperature
from wordsight.exceptions import InputError
from wordsight.geometry import shares_of
from wordsight.reliability import expected_calibration_error

RNG = np.random.default_rng(0)
WORDS = dict(zip("abcdef", RNG.normal(size=(6, 8)), strict=True))
PLACES = dict(zip("abcdef", RNG.normal(size=(6, 12)), strict=True))


def images(names: str, n: int, noise: float, seed: int) -> tuple[NDArray[Any], NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    y = rng.choice(list(names), size=n)
    return np.array([PLACES[name] for name in y]) + noise * rng.normal(size=(n, 12)), y


@parametrize_with_checks([ShareClassifier(), ShareClassifier(temperature=0.5)])  # type: ignore[untyped-decorator,unused-ignore]
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def test_shares_are_what_a_point_is_made_of() -> None:
    words = RNG.normal(size=(5, 7))
    shares = RNG.dirichlet(np.ones(5), size=20)
    np.testing.assert_allclose(shares_of(shares @ words, words), shares, atol=1e-12)
    anything = shares_of(RNG.normal(size=(4, 7)), words)
    np.testing.assert_allclose(anything.sum(axis=1), 1.0)


def test_of_more_words_than_dimensions_the_shares_still_make_the_point() -> None:
    words = RNG.normal(size=(9, 3))
    points = RNG.normal(size=(6, 3))
    shares = shares_of(points, words)
    np.testing.assert_allclose(shares @ words, points, atol=1e-10)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_behind_a_linear_map_it_is_ridge_regression_on_classes() -> None:
    X, y = images("abcde", 300, 1.0, 1)
    new, _ = images("abcdef", 50, 1.0, 2)
    names = np.array(list("abcde"))
    mapping = LinearMap(0.2).fit(X, np.array([WORDS[name] for name in y]))
    classifier = ShareClassifier(1.0).fit(
        mapping.predict(X), y, centers={name: WORDS[name] for name in "abcde"}
    )
    one_hot = (y[:, None] == names).astype(float)
    ridge = Ridge(alpha=0.2 * len(X)).fit(X, one_hot)
    np.testing.assert_allclose(
        classifier.logits(mapping.predict(new)), ridge.predict(new), atol=1e-6
    )


def test_the_temperature_is_the_likeliest() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4000, 4)) * 3
    proba = np.exp(log_softmax(logits / 2.5, axis=1))
    codes = (proba.cumsum(1) < rng.random(4000)[:, None]).sum(1)
    found = likeliest_temperature(logits, codes)
    assert found == pytest.approx(2.5, rel=0.1)

    def loss(t: float) -> float:
        return -float(log_softmax(logits / t, axis=1)[np.arange(4000), codes].mean())

    assert found == pytest.approx(minimize_scalar(loss, bounds=(0.1, 50)).x, rel=1e-3)
    # logits in other units have another temperature, and the same probabilities
    assert likeliest_temperature(logits * 100 - 7, codes) == pytest.approx(100 * found, rel=1e-3)


def test_a_temperature_stays_finite_where_all_is_right_or_nothing_is_known() -> None:
    assert 0 < likeliest_temperature(np.eye(3) * 5, np.arange(3)) < 5
    assert likeliest_temperature(np.zeros((3, 2)), np.array([0, 1, 1])) == 1.0


@pytest.mark.parametrize("temperature", ["hot", 0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("kind", [ShareClassifier, SoftmaxClassifier])
def test_what_is_no_temperature_is_refused(kind: Any, temperature: Any) -> None:
    with pytest.raises(InputError, match="expected 'auto' or a number above 0"):
        kind(temperature=temperature).fit([[0.0], [1.0]], ["a", "b"])


def _overlapping(n: int, seed: int) -> tuple[NDArray[Any], NDArray[np.str_]]:
    """Few images of many features: a softmax remembers them, and is too sure of others."""
    rng = np.random.default_rng(seed)
    y = rng.choice(list("abc"), size=n)
    means = np.random.default_rng(9).normal(size=(3, 60)) * 0.25
    return means[np.searchsorted(list("abc"), y)] + rng.normal(size=(n, 60)), y


def test_a_softmax_with_a_temperature_is_as_sure_as_it_should_be() -> None:
    X, y = _overlapping(300, 0)
    new, true = _overlapping(3000, 1)
    plain = SoftmaxClassifier(1e-3, tol=1e-7).fit(X, y)
    warm = SoftmaxClassifier(1e-3, tol=1e-7, temperature="auto", random_state=0).fit(X, y)
    np.testing.assert_array_equal(plain.predict(new), warm.predict(new))
    assert warm.temperature_ > 1.5

    def error(model: SoftmaxClassifier) -> float:
        return expected_calibration_error(
            model.predict(new) == true, model.predict_proba(new).max(1)
        )

    assert error(warm) < 0.4 * error(plain)
    np.testing.assert_allclose(warm.predict_proba(new).sum(1), 1.0)


def test_held_out_rows_are_told_by_a_softmax_that_was_not_trained_on_them() -> None:
    X, y = _overlapping(300, 0)
    held_out = np.arange(300) % 5 == 0
    whole = SoftmaxClassifier(1e-2, tol=1e-8)
    logits = whole.fit_held_out(X, y, held_out)
    alone = SoftmaxClassifier(1e-2, tol=1e-8).fit(X[~held_out], y[~held_out])
    np.testing.assert_allclose(logits, alone.logits(X[held_out]), atol=1e-4)
    np.testing.assert_allclose(
        whole.coef_, SoftmaxClassifier(1e-2, tol=1e-8).fit(X, y).coef_, atol=1e-4
    )
    # whatever the labels of held-out rows are, it does not know them
    other = np.where(held_out, np.roll(y, 1), y)
    again = SoftmaxClassifier(1e-2, tol=1e-8).fit_held_out(X, other, held_out)
    np.testing.assert_allclose(again, logits, atol=1e-4)


def _model(**options: Any) -> CrossModalClassifier:
    options = {"mapping": LinearMap(0.3), "calibration_fraction": 0.3, **options}
    return CrossModalClassifier(WORDS, ["f"], random_state=0, **options)


def test_a_model_tells_seen_classes_by_shares() -> None:
    X, y = images("abcde", 600, 1.2, 4)
    new, true = images("abcde", 1500, 1.2, 5)
    model = _model(seen_classifier=ShareClassifier()).fit(X, y)
    proba = model.recognise(new).seen_proba
    right = model.seen_[proba.argmax(1)] == true
    softmax = _model().fit(X, y).recognise(new).seen_proba
    assert right.mean() > (model.seen_[softmax.argmax(1)] == true).mean() - 0.03
    assert expected_calibration_error(right, proba.max(1)) < 0.05
    np.testing.assert_allclose(model.predict_proba(new).sum(1), 1.0)


def test_gates_on_logits_look_at_the_shares() -> None:
    X, y = images("abcde", 600, 1.2, 4)
    model = _model(seen_classifier=ShareClassifier(), novelty=SoftmaxNovelty("confidence"))
    model.fit(X, y)
    new, _ = images("abcde", 1000, 1.2, 6)
    assert model.is_novel(new).mean() == pytest.approx(0.1, abs=0.06)
    S = model.map(new)
    np.testing.assert_allclose(
        model.recognise(new).novelty_score,
        -model.novelty_.decision_function(model.seen_classifier_.logits(S)),
    )


def test_beside_a_gate_on_logits_the_temperature_is_learned_on_held_out_images() -> None:
    """Features that know their training images are surer of these than of any others."""
    X, y = images("abcde", 600, 2.0, 4)
    model = _model(novelty=SoftmaxNovelty(), seen_classifier=SoftmaxClassifier(temperature="auto"))
    held_out = model._draw_held_out(np.unique(y, return_inverse=True)[1])
    own = np.array([PLACES[name] for name in y])
    known = np.where(held_out[:, None], X, own + 0.5 * (X - own))  # as a trained network's would be
    model.fit(known, y)
    softmax = model.seen_classifier_
    codes = np.searchsorted(model.seen_, y)

    def loss(temperature: float) -> float:
        z = log_softmax(softmax.logits(known[held_out]) / temperature, axis=1)
        return -float(z[np.arange(len(z)), codes[held_out]].mean())

    best = minimize_scalar(loss, bounds=(0.1, 100), method="bounded").x
    assert softmax.temperature_ == pytest.approx(best, rel=1e-2)
    assert softmax.temperature_ > 1.5
