"""The Gaussian detector against scipy's densities and hand-computed points."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from wordsight.exceptions import InputError
from wordsight.novelty.gaussian import GaussianNovelty, log_density, mixture_log_density


def three_classes(
    n: int = 300, d: int = 5, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(3, d)) * 3
    y = rng.choice(3, size=n, p=[0.5, 0.3, 0.2])
    S = centers[y] + rng.normal(size=(n, d)) * np.array([0.4, 1.0, 1.6])[y, None]
    return S, np.array(["cat", "dog", "ship"])[y], centers


@given(
    n=st.integers(1, 8), classes=st.integers(1, 4), d=st.integers(1, 6), seed=st.integers(0, 9999)
)
def test_densities_are_scipys(n: int, classes: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    S, centers = rng.normal(size=(n, d)), rng.normal(size=(classes, d))
    variances = rng.uniform(0.05, 4.0, size=classes)
    priors = rng.dirichlet(np.ones(classes))
    expected = np.stack(
        [
            np.atleast_1d(multivariate_normal(center, v * np.eye(d)).logpdf(S))
            for center, v in zip(centers, variances, strict=True)
        ],
        axis=1,
    )
    np.testing.assert_allclose(log_density(S, centers, variances), expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(
        mixture_log_density(S, centers, variances, priors),
        logsumexp(expected, b=priors, axis=1),
        rtol=1e-10,
        atol=1e-10,
    )


def test_hand_computed_densities() -> None:
    # at the mean of a unit-variance Gaussian in two dimensions the density is 1/(2π)
    assert log_density([[0.0, 0.0]], [[0.0, 0.0]], [1.0])[0, 0] == pytest.approx(
        -math.log(2 * math.pi)
    )
    # one dimension, variance 4, two standard deviations out: 1/(2 sqrt(2π)) · exp(−2)
    assert math.exp(log_density([[5.0]], [[1.0]], [4.0])[0, 0]) == pytest.approx(
        math.exp(-2) / (2 * math.sqrt(2 * math.pi))
    )


def test_densities_too_small_for_a_double_stay_apart() -> None:
    centers, variances, priors = np.zeros((2, 50)), np.ones(2), np.array([0.5, 0.5])
    S = np.zeros((2, 50))
    S[:, 0] = [1000.0, 1001.0]
    near, far = mixture_log_density(S, centers, variances, priors)
    # equal components: the mixture is N itself; the difference is (1001² − 1000²)/2
    assert near - far == pytest.approx(1000.5, rel=1e-12)
    assert np.exp(near) == 0.0


def test_a_large_offset_costs_no_precision() -> None:
    S, _, centers = three_classes()
    shift = 2.0**20
    variances = np.array([0.3, 1.0, 2.0])
    # rounding the shifted coordinates themselves to doubles costs 2^20 · 1e-16 ≈ 1e-10
    np.testing.assert_allclose(
        log_density(S + shift, centers + shift, variances),
        log_density(S, centers, variances),
        rtol=1e-7,
    )


def test_what_fit_learns_is_the_definition() -> None:
    S, y, centers = three_classes()
    detector = GaussianNovelty().fit(S, y, centers=centers)
    assert detector.classes_.tolist() == ["cat", "dog", "ship"]
    for c, name in enumerate(["cat", "dog", "ship"]):
        of_class = S[y == name]
        total = sum(float(np.sum((s - centers[c]) ** 2)) for s in of_class)
        assert detector.variances_[c] == pytest.approx(total / (len(of_class) * S.shape[1]))
        assert detector.priors_[c] == len(of_class) / len(S)
    np.testing.assert_array_equal(detector.centers_, centers)
    np.testing.assert_allclose(
        detector.score_samples(S),
        mixture_log_density(S, centers, detector.variances_, detector.priors_),
    )


def test_means_stay_at_the_word_vectors() -> None:
    """Points far from their word vector make the class wide; they do not move it."""
    S = np.full((20, 2), 3.0)
    detector = GaussianNovelty().fit(S, ["cat"] * 20, centers=[[0.0, 0.0]])
    assert detector.variances_.tolist() == [9.0]
    assert detector.score_samples([[0.0, 0.0]]) > detector.score_samples([[3.0, 3.0]])


def test_centers_by_name_by_order_and_by_default() -> None:
    S, y, centers = three_classes()
    by_order = GaussianNovelty().fit(S, y, centers=centers)
    named = dict(zip(["ship", "dog", "cat", "truck"], [*centers[::-1], np.ones(5)], strict=True))
    by_name = GaussianNovelty().fit(S, y, centers=named)
    np.testing.assert_array_equal(by_name.score_samples(S), by_order.score_samples(S))
    default = GaussianNovelty().fit(S, y)
    means = [S[y == name].mean(axis=0) for name in default.classes_]
    np.testing.assert_allclose(default.centers_, means)
    without_labels = GaussianNovelty().fit(S)
    np.testing.assert_allclose(without_labels.centers_, [S.mean(axis=0)])


def test_per_class_rule_is_under_every_threshold() -> None:
    """NIPS version, literally: novel iff N(f | w_y) < T_y for every seen class y."""
    S, y, centers = three_classes()
    detector = GaussianNovelty(rule="per_class", false_novel_rate=0.2).fit(S, y, centers=centers)
    queries = np.random.default_rng(5).normal(size=(500, 5)) * 3
    seen = np.zeros(500, dtype=bool)
    for c, name in enumerate(detector.classes_):
        own = S[y == name]
        gaussian = multivariate_normal(
            centers[c], np.mean((own - centers[c]) ** 2) * np.eye(S.shape[1])
        )
        densities = gaussian.logpdf(own)
        assert np.mean(densities >= detector.log_thresholds_[c]) == pytest.approx(
            0.8, abs=1 / len(own)
        )
        seen |= gaussian.logpdf(queries) >= detector.log_thresholds_[c]
    assert 0 < np.count_nonzero(seen) < 500
    np.testing.assert_array_equal(detector.predict(queries), np.where(seen, 1, -1))
    assert detector.offset_ == 0.0


def test_novelty_proba_is_the_constant_density_against_the_mixture() -> None:
    S, y, centers = three_classes()
    detector = GaussianNovelty().fit(S, y, centers=centers)
    T = math.exp(detector.offset_)
    p = np.exp(detector.score_samples(S))
    np.testing.assert_allclose(detector.novelty_proba(S), T / (T + p), rtol=1e-10)
    detector.set_threshold(float(detector.score_samples(S[:1])[0]))
    assert detector.novelty_proba(S[:1]).tolist() == [0.5]


@pytest.mark.parametrize("rule", ["mixture", "per_class"])
def test_block_size_does_not_matter(rule: str) -> None:
    S, y, centers = three_classes(101)
    whole = GaussianNovelty(rule).fit(S, y, centers=centers)
    blocks = GaussianNovelty(rule, block_size=7).fit(S, y, centers=centers)
    np.testing.assert_allclose(blocks.score_samples(S), whole.score_samples(S), rtol=1e-13)


def test_label_names_do_not_matter() -> None:
    S, y, centers = three_classes()
    renamed = np.array([{"cat": "z", "dog": "y", "ship": "x"}[name] for name in y])
    before = GaussianNovelty().fit(S, y, centers=centers)
    after = GaussianNovelty().fit(S, renamed, centers=centers[::-1])
    np.testing.assert_allclose(after.score_samples(S), before.score_samples(S), rtol=1e-12)


@pytest.mark.parametrize("rule", ["mixture", "per_class"])
def test_a_class_of_one_point_has_a_finite_density(rule: str) -> None:
    rng = np.random.default_rng(0)
    S = np.concatenate([rng.normal(size=(50, 3)), [[9.0, 9.0, 9.0]]])
    detector = GaussianNovelty(rule).fit(S, ["cat"] * 50 + ["dog"])
    assert detector.variances_[1] == pytest.approx(1e-6 * np.mean([detector.variances_[0], 0.0]))
    assert np.isfinite(detector.score_samples(S)).all()
    assert detector.predict([[9.0, 9.0, 9.0]]).tolist() == [1]


@pytest.mark.parametrize("rule", ["mixture", "per_class"])
def test_points_without_any_spread_are_defined(rule: str) -> None:
    S = np.ones((10, 3))
    detector = GaussianNovelty(rule).fit(S, ["cat"] * 5 + ["dog"] * 5)
    assert detector.predict([[1.0, 1.0, 1.0], [1.0, 1.0, 2.0]]).tolist() == [1, -1]
    assert np.isfinite(detector.score_samples([[1.0, 1.0, 1.0], [9.0, 9.0, 9.0]])).all()


def test_bad_parameters_are_refused() -> None:
    S, y, _ = three_classes()
    with pytest.raises(InputError, match="'mixture' or 'per_class'"):
        GaussianNovelty(rule="either").fit(S, y)
    with pytest.raises(InputError, match="block_size=0"):
        GaussianNovelty(block_size=0).fit(S, y)


def test_bad_centers_are_refused() -> None:
    S, y, centers = three_classes()
    with pytest.raises(InputError, match="no word vector for dog, ship;"):
        GaussianNovelty().fit(S, y, centers={"cat": centers[0]})
    with pytest.raises(InputError, match=r"\(2, 5\) were given; 3 classes in 5 dimensions need"):
        GaussianNovelty().fit(S, y, centers=centers[:2])
    with pytest.raises(InputError, match=r"\(3, 4\) were given"):
        GaussianNovelty().fit(S, y, centers=centers[:, :4])
    with pytest.raises(InputError, match="not a table of 3 word vectors of 5 numbers"):
        GaussianNovelty().fit(
            S, y, centers={"cat": centers[0], "dog": centers[1], "ship": np.ones(4)}
        )
    with pytest.raises(InputError, match="NaN or infinity"):
        GaussianNovelty().fit(S, y, centers=centers * np.nan)
