"""The conformal gate: p-values, and the guarantee they come with."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.exceptions import InputError
from wordsight.mapping.linear import LinearMap
from wordsight.novelty.base import NoveltyDetector
from wordsight.novelty.conformal import ConformalNovelty, p_values
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.novelty.stacking import StackingNovelty


def test_p_values_by_hand() -> None:
    np.testing.assert_allclose(
        p_values([3.0, 1.0, 2.0], [0.5, 1.0, 2.5, 9.0]), [1 / 4, 2 / 4, 3 / 4, 1.0]
    )


def _draw(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Draw two classes, of which the second is rare and spreads far from its word."""
    y = np.where(rng.uniform(size=n) < 0.85, "common", "rare")
    centers = np.where((y == "common")[:, None], [0.0, 0.0], [4.0, 0.0])
    return centers + rng.standard_t(3, size=(n, 2)) * np.where(y == "common", 0.5, 2.0)[:, None], y


@pytest.mark.parametrize("rate", [0.05, 0.2])
@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("detector", [GaussianNovelty(), StackingNovelty("euclidean")])
def test_no_more_ordinary_images_are_novel_than_asked(
    rate: float, per_class: bool, detector: NoveltyDetector
) -> None:
    """P(p ≤ ε) ≤ ε, over 200 drawings of calibration images; k/(n + 1) of them where n is one."""
    rng = np.random.default_rng(0)
    S, y = _draw(rng, 300)
    gate = ConformalNovelty(detector, per_class=per_class).fit(S, y)
    shares: list[list[float]] = []
    for _ in range(200):
        S, y = _draw(rng, 600)
        new, label = _draw(rng, 400)
        gate.calibrate(S, rate, y=y)
        novel = gate.predict(new) == -1
        shares.append([novel.mean(), *(novel[label == name].mean() for name in ("common", "rare"))])
    mean = np.mean(shares, axis=0)
    error = np.std(shares, axis=0) / np.sqrt(200)
    if per_class:
        assert (mean <= rate + 3 * error).all()
    else:
        exact = np.floor(rate * 601) / 601
        assert abs(mean[0] - exact) <= 3 * error[0]


def test_without_classes_a_difficult_class_is_called_novel_more_often() -> None:
    """What the guarantee within classes is for: the test above could not fail otherwise."""
    rng = np.random.default_rng(0)
    gate = ConformalNovelty(StackingNovelty("euclidean")).fit(*_draw(rng, 300))
    S, y = _draw(rng, 2000)
    gate.calibrate(S, 0.1)
    new, label = _draw(rng, 4000)
    assert (gate.predict(new)[label == "rare"] == -1).mean() > 0.25
    gate = ConformalNovelty(StackingNovelty("euclidean"), per_class=True)
    gate.fit(*_draw(rng, 300)).calibrate(S, 0.1, y=y)
    assert (gate.predict(new)[label == "rare"] == -1).mean() < 0.13


def test_the_verdict_is_that_of_the_detectors_own_calibration() -> None:
    rng = np.random.default_rng(1)
    (S, y), (held_out, _), (new, _) = _draw(rng, 200), _draw(rng, 137), _draw(rng, 500)
    for rate in (0.01, 0.1, 0.31):
        plain = GaussianNovelty().fit(S, y).calibrate(held_out, rate)
        gate = ConformalNovelty().fit(S, y).calibrate(held_out, rate)
        np.testing.assert_array_equal(gate.predict(new), plain.predict(new))


def test_the_sign_and_the_probability_are_those_of_every_detector() -> None:
    rng = np.random.default_rng(3)
    gate = ConformalNovelty().fit(*_draw(rng, 200)).calibrate(_draw(rng, 99)[0], 0.1)
    new, _ = _draw(rng, 500)
    p = gate.score_samples(new)
    np.testing.assert_array_equal(gate.predict(new) == -1, p <= 0.1 + 1e-12)
    score, proba = gate.score_and_proba(new)
    np.testing.assert_array_equal(score < 0, proba > 0.5)
    assert np.all(np.diff(proba[np.argsort(p)]) <= 0.0)
    assert gate.score_samples([[1e6, 1e6]]) == 1 / 100


def test_too_few_images_of_a_class_are_refused_before_any_work() -> None:
    words = {"common": [0.0, 1.0], "rare": [4.0, 0.0]}
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.repeat(["common", "rare"], [50, 10])

    class Slow(LinearMap):
        def fit_held_out(self, X: Any, Y: Any, held_out: Any) -> Any:
            pytest.fail("the map was learned")

    model = CrossModalClassifier(
        words,
        mapping=Slow(),
        novelty=ConformalNovelty(per_class=True),
        calibration_fraction=0.2,
        random_state=0,
    )
    with pytest.raises(InputError, match=r"too small for 2 held-out .* 1/3 "):
        model.fit(X, y)


def test_refusals() -> None:
    rng = np.random.default_rng(2)
    S, y = _draw(rng, 100)
    gate = ConformalNovelty(per_class=True).fit(S, y)
    with pytest.raises(InputError, match=r"calibrate\(S, y=labels\)"):
        gate.calibrate(S)
    rare = int((y == "rare").sum())
    with pytest.raises(InputError, match=rf"the smallest they support is 1/{rare + 1} "):
        gate.calibrate(S, 0.01, y=y)
    with pytest.raises(InputError, match=r"labels of shape \(99,\)"):
        gate.calibrate(S, 0.2, y=y[:-1])
