"""The gate that weighs others: what it learns, and from what."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight.exceptions import InputError
from wordsight.novelty.combined import CombinedNovelty, Trial
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.novelty.mahalanobis import MahalanobisNovelty
from wordsight.novelty.stacking import StackingNovelty
from wordsight.reliability import expected_calibration_error

WORDS = np.random.default_rng(5).normal(size=(12, 4)) * 3


@parametrize_with_checks([CombinedNovelty(), CombinedNovelty([MahalanobisNovelty()])])  # type: ignore[untyped-decorator,unused-ignore]
def test_scikit_learn_contract(estimator: object, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def _images(
    rng: np.random.Generator, classes: list[int], n: int, spread: float = 1.5
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    codes = rng.choice(classes, size=n)
    return WORDS[codes] + spread * rng.normal(size=(n, 4)), codes.astype(str)


def _trial(rng: np.random.Generator, out: list[int], n: int = 400) -> Trial:
    kept = [code for code in range(10) if code not in out]
    return Trial(
        *_images(rng, kept, n),
        *_images(rng, kept, n),
        *_images(rng, out, n),
        {str(code): WORDS[code] for code in kept},
        {str(code): WORDS[code] for code in out},
    )


def _fitted(gate: CombinedNovelty, rng: np.random.Generator) -> CombinedNovelty:
    S, y = _images(rng, list(range(10)), 1000)
    gate.fit(S, y, centers={str(code): WORDS[code] for code in range(10)})
    return gate.set_unseen(WORDS[10:])


TRIALS = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_the_gate_that_helps_gets_the_weight() -> None:
    rng = np.random.default_rng(0)
    gate = _fitted(CombinedNovelty([StackingNovelty("euclidean"), GaussianNovelty()]), rng)
    gate.learn_weights([_trial(rng, out) for out in TRIALS])
    assert gate.coef_[0] > 3 * abs(gate.coef_[1])
    assert gate.coef_[0] > 0  # ordinary lowers the odds of being novel


def test_truly_unseen_classes_are_told_better_than_by_either_alone() -> None:
    rng = np.random.default_rng(1)
    members = [StackingNovelty("cosine"), StackingNovelty("euclidean")]
    gate = _fitted(CombinedNovelty(members), rng)
    gate.learn_weights([_trial(rng, out) for out in TRIALS])
    held_out = _images(rng, list(range(10)), 1000)[0]
    gate.calibrate(held_out, 0.1)
    new, novel = _images(rng, list(range(10)), 3000)[0], _images(rng, [10, 11], 3000)[0]
    assert (gate.predict(new) == -1).mean() == pytest.approx(0.1, abs=0.03)

    def power(detector: object) -> float:
        detector.calibrate(held_out, 0.1)  # type: ignore[attr-defined]
        return float((detector.predict(novel) == -1).mean())  # type: ignore[attr-defined]

    alone = [power(each) for each in gate.detectors_]
    assert power(gate) > max(alone) - 0.01


def test_its_probability_means_what_it_says() -> None:
    rng = np.random.default_rng(2)
    gate = _fitted(CombinedNovelty(), rng)
    gate.learn_weights([_trial(rng, out) for out in TRIALS])
    gate.calibrate(_images(rng, list(range(10)), 2000)[0], 0.05)
    ordinary, novel = _images(rng, list(range(10)), 3000)[0], _images(rng, [10, 11], 3000)[0]
    proba = gate.novelty_proba(np.concatenate([ordinary, novel]))
    is_novel = np.repeat([False, True], 3000)
    sure = np.maximum(proba, 1 - proba)
    assert expected_calibration_error((proba > 0.5) == is_novel, sure) < 0.12
    assert ((proba > 0.5) == is_novel).mean() > 0.7
    score = gate.score_samples(ordinary)
    np.testing.assert_allclose(gate.novelty_proba(ordinary), 1 / (1 + np.exp(score)), rtol=1e-9)


def test_one_detector_alone_is_platts_scaling_of_it() -> None:
    """With one score nothing is weighed: the order of images is that detector's."""
    rng = np.random.default_rng(3)
    gate = _fitted(CombinedNovelty([StackingNovelty("euclidean")]), rng)
    gate.learn_weights([_trial(rng, out) for out in TRIALS])
    held_out = _images(rng, list(range(10)), 500)[0]
    gate.calibrate(held_out, 0.1)
    raw = gate.detectors_[0].score_samples(held_out)
    line = (raw - raw.mean()) / raw.std() * gate.coef_[0] - gate.intercept_
    np.testing.assert_allclose(-logit(gate.novelty_proba(held_out)), line, rtol=1e-6)


def test_weights_do_not_depend_on_the_order_of_trials() -> None:
    rng = np.random.default_rng(4)
    trials = [_trial(rng, out, 100) for out in TRIALS]
    gate = _fitted(CombinedNovelty(), rng)
    forth = clone(gate).fit(trials[0].rest, trials[0].rest_labels).learn_weights(trials)
    back = clone(gate).fit(trials[0].rest, trials[0].rest_labels).learn_weights(trials[::-1])
    np.testing.assert_allclose(forth.coef_, back.coef_, rtol=1e-4, atol=1e-4)


def test_refusals() -> None:
    rng = np.random.default_rng(6)
    S, y = _images(rng, [0, 1, 2], 50)
    with pytest.raises(InputError, match="no detector was given"):
        CombinedNovelty([]).fit(S, y)
    with pytest.raises(InputError, match="alpha=0"):
        CombinedNovelty(alpha=0).fit(S, y)
    gate = CombinedNovelty().fit(S, y)
    for wrong in ([], [Trial(S, y, S, y, S[:0], y[:0], {}, {"0": WORDS[0]})]):
        with pytest.raises(InputError, match="weights are learned from trials"):
            gate.learn_weights(wrong)
