"""LoOP against PyNomaly, a literal rendering of its definition, and hand-computed points."""

import math

import numpy as np
import PyNomaly
import pytest
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.novelty.loop import LocalOutlierProbability

Points = NDArray[np.float64]


def clusters(n: int, d: int, seed: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(6, d)) * 3
    which = rng.integers(6, size=n)
    return centers[which] + rng.normal(size=(n, d)) * np.linspace(0.3, 2.0, 6)[which, None]


def pynomaly(S: Points, k: int, extent: int = 3) -> Points:
    oracle = PyNomaly.LocalOutlierProbability(
        S, extent=extent, n_neighbors=k, use_numba=False, progress_bar=False
    )
    return oracle.fit().local_outlier_probabilities.astype(float)


def literal_loop(S: Points, queries: Points, k: int, extent: float, root: float) -> list[float]:
    """Kriegel et al., word for word, one point at a time."""

    def nearest(f: Points, leave_out: int | None) -> list[int]:
        order = sorted(range(len(S)), key=lambda i: float(np.sum((S[i] - f) ** 2)))
        return [i for i in order if i != leave_out][:k]

    def pdist(f: Points, context: list[int]) -> float:
        return extent * math.sqrt(sum(float(np.sum((S[q] - f) ** 2)) for q in context) / k)

    context = [nearest(s, i) for i, s in enumerate(S)]
    pdists = [pdist(s, c) for s, c in zip(S, context, strict=True)]

    def lof(p: float, c: list[int]) -> float:
        return p / (sum(pdists[q] for q in c) / k) - 1

    lofs = [lof(p, c) for p, c in zip(pdists, context, strict=True)]
    Z = extent * math.sqrt(sum(value**2 for value in lofs) / len(S))
    result = []
    for f in queries:
        c = nearest(f, None)
        result.append(max(0.0, math.erf(lof(pdist(f, c), c) / (Z * root))))
    return result


@pytest.mark.parametrize(
    ("n", "d", "k", "extent"), [(600, 50, 20, 3), (600, 2, 20, 2), (90, 5, 1, 3), (40, 3, 39, 1)]
)
def test_training_points_against_each_other_equal_pynomaly(
    n: int, d: int, k: int, extent: int
) -> None:
    S = clusters(n, d)
    detector = LocalOutlierProbability(k, extent=extent).fit(S)
    oracle = pynomaly(S, k, extent)
    assert oracle.max() > 0.05
    np.testing.assert_allclose(detector.training_novelty_proba_, oracle, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("offset", "scale"), [(1e5, 1.0), (0.0, 1e-4), (-3e4, 1e3)])
def test_agreement_survives_offset_and_scale(offset: float, scale: float) -> None:
    S = clusters(500, 10) * scale + offset
    detector = LocalOutlierProbability(20).fit(S)
    np.testing.assert_allclose(detector.training_novelty_proba_, pynomaly(S, 20), rtol=0, atol=1e-6)


def test_duplicates_are_scored_as_pynomaly_scores_them() -> None:
    rng = np.random.default_rng(2)
    S = np.concatenate([clusters(300, 4), np.tile([[5.0, 5.0, 5.0, 5.0]], (30, 1))])
    # pairs of duplicates, and one group larger than k that is nobody else's neighbourhood
    S[:100:2] = S[1:100:2]
    S[300:] += 40.0
    S = S[rng.permutation(len(S))]
    detector = LocalOutlierProbability(20).fit(S)
    np.testing.assert_allclose(detector.training_novelty_proba_, pynomaly(S, 20), rtol=0, atol=1e-6)
    assert np.count_nonzero(detector.training_pdist_ == 0.0) == 30
    assert np.isfinite(detector.score_samples(S)).all()


def test_a_point_beside_duplicates_alone_is_an_outlier() -> None:
    S = np.concatenate([np.zeros((30, 2)), [[1.0, 1.0]], clusters(100, 2) + 50.0])
    detector = LocalOutlierProbability(20).fit(S)
    np.testing.assert_allclose(detector.training_novelty_proba_, pynomaly(S, 20), rtol=0, atol=1e-6)
    assert detector.training_novelty_proba_.argmax() == 30
    assert detector.predict([[0.0, 0.0], [1.0, 1.0]]).tolist() == [1, -1]


def test_nothing_but_duplicates_is_defined() -> None:
    S = np.full((25, 3), 2.0)
    detector = LocalOutlierProbability(20).fit(S)
    np.testing.assert_array_equal(detector.training_novelty_proba_, pynomaly(S, 20))
    queries = np.array([[2.0, 2.0, 2.0], [2.0, 2.0, 3.0]])
    assert detector.novelty_proba(queries).tolist() == [0.0, 1.0]
    assert detector.predict(queries).tolist() == [1, -1]
    assert np.isfinite(detector.score_samples(queries)).all()


def test_equal_spacing_has_no_outlier() -> None:
    """On a regular polygon all lof are 0 up to rounding, which must not be blown up by Z → 0."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    S = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    detector = LocalOutlierProbability(2).fit(S)
    assert detector.training_novelty_proba_.max() < 1e-2
    assert detector.novelty_proba([[9.0, 9.0]]).tolist() == [1.0]


@pytest.mark.parametrize(("sqrt2", "root"), [(True, math.sqrt(2)), (False, 1.0)])
def test_new_points_follow_the_definition(sqrt2: bool, root: float) -> None:
    S = clusters(120, 4)
    queries = np.concatenate([clusters(30, 4, seed=1), S[:5]])
    detector = LocalOutlierProbability(7, extent=2.5, sqrt2=sqrt2).fit(S)
    expected = literal_loop(S, queries, 7, 2.5, root)
    assert 0 < np.count_nonzero(expected) < len(expected)
    np.testing.assert_allclose(detector.novelty_proba(queries), expected, rtol=0, atol=1e-10)


def test_a_hand_computed_line() -> None:
    """Training points 0, 1, 3 on a line, k = 1, λ = 3.

    Nearest: 0→1, 1→0, 3→1 at distances 1, 1, 2, so pdist = 3, 3, 6 and lof = 0, 0, 6/3 − 1 = 1.
    Z = 3 sqrt(1/3) = sqrt 3. A new point at 7 has its neighbour 3 at distance 4: pdist = 12,
    lof = 12/6 − 1 = 1. One at 1 keeps the training point there: pdist 0, lof −1.
    """
    detector = LocalOutlierProbability(1).fit([[0.0], [1.0], [3.0]])
    expected = math.erf(1 / (math.sqrt(3) * math.sqrt(2)))
    np.testing.assert_allclose(detector.training_novelty_proba_, [0.0, 0.0, expected], atol=1e-15)
    np.testing.assert_allclose(detector.training_pdist_, [3.0, 3.0, 6.0])
    assert detector.spread_ == pytest.approx(math.sqrt(3))
    np.testing.assert_allclose(detector.score_samples([[7.0], [1.0]]), [-1.0, 1.0])
    np.testing.assert_allclose(detector.novelty_proba([[7.0], [1.0]]), [expected, 0.0])
    nips = LocalOutlierProbability(1, sqrt2=False).fit([[0.0], [1.0], [3.0]])
    assert nips.training_novelty_proba_[2] == pytest.approx(math.erf(1 / math.sqrt(3)))


def test_scores_tell_points_apart_where_the_probability_is_zero() -> None:
    S = clusters(300, 5)
    detector = LocalOutlierProbability(20).fit(S)
    ordinary = detector.novelty_proba(S) == 0.0
    assert np.count_nonzero(ordinary) > 100
    assert len(np.unique(detector.score_samples(S)[ordinary])) == np.count_nonzero(ordinary)


def test_the_default_threshold_is_that_of_points_without_themselves() -> None:
    S = clusters(400, 5)
    detector = LocalOutlierProbability(20, false_novel_rate=0.05).fit(S)
    # −lof is monotone in LoOP, so the same 20 of 400 points are the most outlying
    at_threshold = np.sort(detector.training_novelty_proba_)[::-1]
    threshold_proba = math.erf(-detector.offset_ / (detector.spread_ * math.sqrt(2)))
    assert at_threshold[20] <= threshold_proba <= at_threshold[19]


def test_labels_and_centers_change_nothing() -> None:
    S = clusters(100, 3)
    plain = LocalOutlierProbability(10).fit(S).score_samples(S)
    given = LocalOutlierProbability(10).fit(S, ["cat"] * 100, centers={"cat": np.zeros(3)})
    np.testing.assert_array_equal(given.score_samples(S), plain)


def test_too_few_points_are_refused_with_both_numbers() -> None:
    with pytest.raises(InputError, match=r"n_neighbors=20 needs at least 21 .* n_samples=20 were"):
        LocalOutlierProbability().fit(clusters(20, 3))
    assert LocalOutlierProbability().fit(clusters(21, 3)).novelty_proba(np.zeros((1, 3))).size == 1


@pytest.mark.parametrize("k", [0, -1, 2.5, "many"])
def test_a_wrong_number_of_neighbours_is_refused(k: int) -> None:
    with pytest.raises(InputError, match=r"whole number of 1 or more"):
        LocalOutlierProbability(k).fit(clusters(50, 3))


@pytest.mark.parametrize("extent", [0.0, -3.0, float("nan"), float("inf"), "wide"])
def test_a_wrong_extent_is_refused(extent: float) -> None:
    with pytest.raises(InputError, match=r"number above 0"):
        LocalOutlierProbability(extent=extent).fit(clusters(50, 3))


@pytest.mark.slow
def test_five_thousand_points_equal_pynomaly() -> None:
    S = clusters(5000, 50)
    detector = LocalOutlierProbability(20).fit(S)
    np.testing.assert_allclose(detector.training_novelty_proba_, pynomaly(S, 20), rtol=0, atol=1e-9)
