"""What every detector promises: scikit-learn's checks, one sign, and clear refusals."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight.exceptions import InputError
from wordsight.novelty.base import NoveltyDetector
from wordsight.novelty.confidence import SoftmaxNovelty
from wordsight.novelty.conformal import ConformalNovelty
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.novelty.length import LengthNovelty
from wordsight.novelty.loop import LocalOutlierProbability
from wordsight.novelty.mahalanobis import MahalanobisNovelty
from wordsight.novelty.neighbour_distance import NeighbourDistance
from wordsight.novelty.shares import ShareNovelty
from wordsight.novelty.stacking import StackingNovelty

DETECTORS = [
    GaussianNovelty(),
    GaussianNovelty(rule="per_class"),
    LocalOutlierProbability(n_neighbors=8),
    LocalOutlierProbability(n_neighbors=8, sqrt2=False),
    StackingNovelty("euclidean"),
    StackingNovelty("cosine", centre=True, side="seen"),
    LengthNovelty(),
    ShareNovelty("largest"),
    ShareNovelty("entropy"),
    MahalanobisNovelty(),
    NeighbourDistance(n_neighbors=8),
]


@pytest.fixture(params=DETECTORS, ids=repr)
def detector(request: pytest.FixtureRequest) -> NoveltyDetector:
    chosen: NoveltyDetector = request.param
    return clone(chosen)


def seen_points(n: int = 300, d: int = 6) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    rng = np.random.default_rng(0)
    names = np.array(["cat", "dog", "ship"])
    y = rng.integers(3, size=n)
    centers = rng.normal(size=(3, d)) * 4
    return centers[y] + rng.normal(size=(n, d)) * np.array([0.5, 1.0, 1.5])[y, None], names[y]


def fitted(detector: NoveltyDetector) -> tuple[NoveltyDetector, NDArray[np.float64]]:
    S, y = seen_points()
    queries = np.random.default_rng(1).normal(size=(80, S.shape[1])) * 6
    return detector.fit(S, y), queries


def needs_two_classes(estimator: Any) -> dict[str, str]:
    """Name the checks that give points of one class: all of them are made of it alone."""
    if not isinstance(estimator, ShareNovelty):
        return {}
    return dict.fromkeys(
        ["check_outliers_train", "check_outliers_fit_predict"], "one class has no shares"
    )


# scikit-learn's checks fit on as few as ten points, too few for 20 neighbours, and want fit_predict
# to find an outlier in a few blobs, where with 3 neighbours each point's finding itself hides them
@parametrize_with_checks(
    [
        GaussianNovelty(),
        GaussianNovelty(rule="per_class"),
        LocalOutlierProbability(n_neighbors=8),
        StackingNovelty("cosine"),
        StackingNovelty("euclidean"),
        ShareNovelty("largest"),
        ShareNovelty("margin"),
        ShareNovelty("entropy"),
        MahalanobisNovelty(),
        NeighbourDistance(n_neighbors=8),
        SoftmaxNovelty("confidence"),
        SoftmaxNovelty("energy"),
        ConformalNovelty(),
    ],
    expected_failed_checks=needs_two_classes,
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_sign_is_the_same_everywhere(detector: NoveltyDetector) -> None:
    detector, queries = fitted(detector)
    scores = detector.score_samples(queries)
    np.testing.assert_array_equal(detector.decision_function(queries), scores - detector.offset_)
    both = detector.score_and_proba(queries)
    np.testing.assert_array_equal(both[0], detector.decision_function(queries))
    np.testing.assert_array_equal(both[1], detector.novelty_proba(queries))
    np.testing.assert_array_equal(
        detector.predict(queries), np.where(scores < detector.offset_, -1, 1)
    )
    proba = detector.novelty_proba(queries)
    assert proba.min() >= 0.0
    assert proba.max() <= 1.0
    assert np.all(np.diff(proba[np.argsort(scores)]) <= 0.0)


def test_far_points_are_novel_and_dense_ones_are_not(detector: NoveltyDetector) -> None:
    if isinstance(detector, LengthNovelty | ShareNovelty):
        pytest.skip("looks at where a point lies from the middle, not at how far it is from others")
    S, y = seen_points()
    detector = detector.fit(S, y)
    middle = np.stack([np.median(S[y == name], axis=0) for name in np.unique(y)])
    assert detector.predict(middle).tolist() == [1, 1, 1]
    assert detector.predict(middle + 100.0).tolist() == [-1, -1, -1]
    assert detector.novelty_proba(middle + 100.0).min() > 0.99


def test_only_a_score_strictly_below_the_threshold_is_novel(detector: NoveltyDetector) -> None:
    detector, queries = fitted(detector)
    scores = np.sort(detector.score_samples(queries))
    detector.set_threshold(scores[10])
    assert np.count_nonzero(detector.predict(queries) == -1) == 10
    detector.set_threshold(np.nextafter(scores[10], np.inf))
    assert np.count_nonzero(detector.predict(queries) == -1) == 11


def test_calibration_bounds_the_fraction_of_held_out_points(detector: NoveltyDetector) -> None:
    S, y = seen_points(400)
    detector = detector.fit(S[:200], y[:200]).calibrate(S[200:], 0.25)
    # k = floor(0.25 * 201) = 50, and the k-th smallest score itself is not novel
    assert np.count_nonzero(detector.predict(S[200:]) == -1) == 49
    with pytest.raises(InputError, match=r"smallest they support is 1/201"):
        detector.calibrate(S[200:], 0.001)


def test_training_threshold_leaves_the_given_fraction_out(detector: NoveltyDetector) -> None:
    S, y = seen_points()
    detector = detector.set_params(false_novel_rate=0.2).fit(S, y)
    novel = np.mean(detector.predict(S) == -1)
    # LoOP and the per-class rule call fewer novel: there each point now finds itself, or is
    # ordinary for another class
    assert novel <= 0.2
    if isinstance(detector, GaussianNovelty) and detector.rule == "mixture":
        assert novel == 0.2


def test_scores_do_not_depend_on_order_or_company(detector: NoveltyDetector) -> None:
    detector, queries = fitted(detector)
    scores = detector.score_samples(queries)
    np.testing.assert_allclose(detector.score_samples(queries[::-1])[::-1], scores, rtol=1e-12)
    alone = np.concatenate([detector.score_samples(row[np.newaxis]) for row in queries])
    np.testing.assert_allclose(alone, scores, rtol=1e-12)
    S, y = seen_points()
    order = np.random.default_rng(3).permutation(len(S))
    again = detector.fit(S[order], y[order]).score_samples(queries)
    np.testing.assert_allclose(again, scores, rtol=1e-9)


def test_probabilities_do_not_depend_on_the_unit_or_the_origin(detector: NoveltyDetector) -> None:
    S, y = seen_points()
    queries = S[:50] + 1.0
    proba = detector.fit(S, y).novelty_proba(queries)
    moved = detector.fit(S * 1000.0 + 7.0, y).novelty_proba(queries * 1000.0 + 7.0)
    np.testing.assert_allclose(moved, proba, rtol=1e-6, atol=1e-12)


def test_float32_points_are_scored_in_double(detector: NoveltyDetector) -> None:
    S, y = seen_points()
    single = S.astype(np.float32)
    from_single = detector.fit(single, y).score_samples(single)
    from_double = detector.fit(single.astype(np.float64), y).score_samples(single)
    assert from_single.dtype == np.float64
    np.testing.assert_array_equal(from_single, from_double)


def test_what_was_learned_does_not_change_with_the_callers_array(detector: NoveltyDetector) -> None:
    S, y = seen_points()
    queries = S[:20].copy()
    before = detector.fit(S, y).score_samples(queries)
    S[:] = 0.0
    np.testing.assert_array_equal(detector.score_samples(queries), before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_points_that_have_no_distance_are_refused(detector: NoveltyDetector, bad: float) -> None:
    S, y = seen_points()
    wrong = S.copy()
    wrong[7, 2] = bad
    expected = "too far for distances" if np.isfinite(bad) else r"1 of 300 points .* in row 7;"
    with pytest.raises(InputError, match=expected):
        detector.fit(wrong, y)
    detector.fit(S, y)
    with pytest.raises(InputError, match=expected):
        detector.score_samples(wrong)


def test_wrong_shapes_are_refused(detector: NoveltyDetector) -> None:
    S, y = seen_points()
    with pytest.raises(InputError, match=r"labels of shape \(299,\) were given for 300 points"):
        detector.fit(S, y[:-1])
    with pytest.raises(InputError, match=r"labels of shape \(300, 1\)"):
        detector.fit(S, y[:, np.newaxis])
    with pytest.raises(InputError, match=r"shape \(300,\)"):
        detector.fit(S[:, 0], y)
    with pytest.raises(InputError, match=r"0 sample"):
        detector.fit(S[:0], y[:0])
    with pytest.raises(InputError, match=r"could not convert string to float"):
        detector.fit(np.array([["a", "b"]] * 10))
    detector.fit(S, y)
    with pytest.raises(InputError, match=r"has 5 features, but .* is expecting 6"):
        detector.score_samples(S[:, :5])


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan"), None])
def test_a_rate_that_is_no_fraction_is_refused(detector: NoveltyDetector, rate: float) -> None:
    S, y = seen_points()
    with pytest.raises(InputError, match=r"above 0 and below 1"):
        detector.set_params(false_novel_rate=rate).fit(S, y)


def test_a_threshold_that_is_no_score_is_refused(detector: NoveltyDetector) -> None:
    detector, _ = fitted(detector)
    with pytest.raises(InputError, match="finite"):
        detector.set_threshold(float("nan"))
