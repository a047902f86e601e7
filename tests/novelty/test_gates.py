"""The simpler gates, by hand and against other libraries."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import log_softmax
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from wordsight.exceptions import InputError
from wordsight.novelty.confidence import SoftmaxNovelty
from wordsight.novelty.length import LengthNovelty
from wordsight.novelty.mahalanobis import FeatureMahalanobisNovelty, MahalanobisNovelty
from wordsight.novelty.neighbour_distance import FeatureNeighbourDistance, NeighbourDistance
from wordsight.novelty.shares import ShareNovelty
from wordsight.novelty.stacking import StackingNovelty

CENTERS = {"cat": [0.0, 2.0], "dog": [3.0, 4.0]}


def test_stacking_by_hand() -> None:
    S = np.array([[0.0, 1.0], [3.0, 4.0], [0.0, 3.0]])
    y = np.array(["cat", "dog", "cat"])
    gate = StackingNovelty("cosine").fit(S, y, centers=CENTERS)
    np.testing.assert_allclose(gate.score_samples(S), 1.0)
    gate.set_unseen([[1.0, 0.0]])
    np.testing.assert_allclose(gate.score_samples(S), [1.0, 1.0 - 0.6, 1.0])
    near = StackingNovelty("euclidean").fit(S, y, centers=CENTERS)
    np.testing.assert_allclose(near.score_samples([[3.0, 0.0]]), [-np.sqrt(9 + 4)])
    near.set_unseen([[6.0, 0.0], [0.0, -9.0]])
    np.testing.assert_allclose(near.score_samples([[3.0, 0.0]]), [3.0 - np.sqrt(13)])


def test_stacking_about_the_mean_of_the_seen_words_by_hand() -> None:
    S = np.array([[0.0, 1.0], [3.0, 4.0]])
    y = np.array(["cat", "dog"])
    gate = StackingNovelty("cosine", centre=True).fit(S, y, centers=CENTERS)
    gate.set_unseen([[1.5, 0.0]])
    # about (1.5, 3): the words lie at (∓1.5, ∓1) and (0, −3)
    point = [[1.5 - 2.0, 3.0]]
    to_cat = 1.5 / np.sqrt(1.5**2 + 1)
    np.testing.assert_allclose(gate.score_samples(point), [to_cat - 0.0], atol=1e-12)
    seen = StackingNovelty("cosine", centre=True, side="seen").fit(S, y, centers=CENTERS)
    unseen = StackingNovelty("cosine", centre=True, side="unseen").fit(S, y, centers=CENTERS)
    assert not seen.compares_words
    assert unseen.compares_words
    np.testing.assert_array_equal(unseen.score_samples(S), [0.0, 0.0])  # nothing to compare with
    for one in (seen, unseen):
        one.set_unseen([[1.5, 0.0], [9.0, 9.0]])
    gate.set_unseen([[1.5, 0.0], [9.0, 9.0]])
    both = seen.score_samples(S) + unseen.score_samples(S)
    np.testing.assert_allclose(both, gate.score_samples(S))
    with pytest.raises(InputError, match="side='left' is unknown"):
        StackingNovelty(side="left").fit(S, y)  # type: ignore[arg-type]


def test_shares_by_hand() -> None:
    # words in two dimensions: 0.6 · (0, 2) + 0.3 · (3, 4) + 0.1 · (1, 0)
    words = {"cat": [0.0, 2.0], "dog": [3.0, 4.0], "eel": [1.0, 0.0]}
    point = np.array([[1.0, 2.4]])
    y = np.array(["cat", "dog", "eel"])
    S = np.array([words[name] for name in y])
    largest = ShareNovelty("largest").fit(S, y, centers=words)
    margin = ShareNovelty("margin").fit(S, y, centers=words)
    entropy = ShareNovelty("entropy", temperature=0.5).fit(S, y, centers=words)
    np.testing.assert_allclose(largest.score_samples(point), [0.6])
    np.testing.assert_allclose(margin.score_samples(point), [0.3])
    log_p = log_softmax(np.array([1.2, 0.6, 0.2]))
    np.testing.assert_allclose(entropy.score_samples(point), [(np.exp(log_p) * log_p).sum()])
    np.testing.assert_allclose(largest.score_samples(S), 1.0)
    with pytest.raises(InputError, match="rule='least' is unknown"):
        ShareNovelty("least").fit(S, y)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="temperature=0"):
        ShareNovelty("entropy", temperature=0).fit(S, y)


def test_length_by_hand() -> None:
    S = np.array([[0.0, 1.0], [3.0, 4.0]])
    gate = LengthNovelty().fit(S, ["cat", "dog"], centers=CENTERS)
    np.testing.assert_allclose(gate.score_samples([[1.5, 3.0], [4.5, 7.0]]), [0.0, 5.0])


def test_stacking_knows_its_words() -> None:
    gate = StackingNovelty().fit([[0.0, 1.0], [3.0, 4.0]], ["cat", "dog"], centers=CENTERS)
    with pytest.raises(InputError, match=r"\(1, 3\) were given for unseen classes; .* 2\)"):
        gate.set_unseen([[1.0, 2.0, 3.0]])
    with pytest.raises(InputError, match="'cosine' or 'euclidean'"):
        StackingNovelty("taxicab").fit([[0.0, 1.0]])  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [MahalanobisNovelty, FeatureMahalanobisNovelty])
def test_mahalanobis_is_scipys_with_scikit_learns_covariance(
    kind: type[MahalanobisNovelty],
) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=60)
    S = rng.normal(size=(3, 5))[y] * 5 + rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    new = rng.normal(size=(20, 5)) * 6
    gate = kind().fit(S, y)
    means = np.stack([S[y == c].mean(0) for c in range(3)])
    covariance = LedoitWolf(assume_centered=True).fit(S - means[y]).covariance_
    expected = cdist(new, means, "mahalanobis", VI=np.linalg.inv(covariance)).min(1) ** 2
    np.testing.assert_allclose(gate.score_samples(new), -expected, rtol=1e-8)


@pytest.mark.parametrize("kind", [NeighbourDistance, FeatureNeighbourDistance])
def test_neighbour_distance_is_scikit_learns(kind: type[NeighbourDistance]) -> None:
    rng = np.random.default_rng(0)
    S, new = rng.normal(size=(200, 5)), rng.normal(size=(30, 5)) * 2
    gate = kind(7, false_novel_rate=0.3).fit(S)
    found = NearestNeighbors(n_neighbors=7).fit(S)
    np.testing.assert_allclose(gate.score_samples(new), -found.kneighbors(new)[0][:, -1])
    own = -found.kneighbors()[0][:, -1]  # none its own neighbour
    assert gate.offset_ == pytest.approx(np.quantile(own, 0.3))
    with pytest.raises(InputError, match="needs at least 8 training points"):
        kind(7).fit(S[:7])


def test_softmax_scores_by_hand() -> None:
    z = np.array([[2.0, 0.0, -1.0], [0.1, 0.0, 0.2], [300.0, -900.0, 0.0]])
    log_p = log_softmax(z, axis=1)
    p = np.exp(log_p)
    by_rule = {
        "confidence": log_p.max(1),
        "energy": np.log(np.exp(z - z.max(1, keepdims=True)).sum(1)) + z.max(1),
        "entropy": (p * log_p).sum(1),
    }
    for rule, expected in by_rule.items():
        gate = SoftmaxNovelty(rule).fit(z)  # type: ignore[arg-type]
        np.testing.assert_allclose(gate.score_samples(z), expected, atol=1e-12)
    warm = SoftmaxNovelty("confidence", temperature=2.0).fit(z)
    np.testing.assert_allclose(warm.score_samples(z), log_softmax(z / 2, axis=1).max(1), atol=1e-12)
    with pytest.raises(InputError, match="choose one of confidence, energy, entropy"):
        SoftmaxNovelty("doubt").fit(z)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="temperature=0"):
        SoftmaxNovelty(temperature=0).fit(z)
