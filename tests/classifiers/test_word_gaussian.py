"""`WordGaussians` against Bayes' rule by hand and scipy's normal distribution."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.exceptions import InputError


@parametrize_with_checks([WordGaussians()])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def words_and_points(
    C: int = 5, d: int = 7, n: int = 200
) -> tuple[NDArray[np.float64], list[str], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(C, d)), [f"word{k}" for k in range(C)], rng.normal(size=(n, d))


@pytest.mark.parametrize("variance", [1e-3, 1.0, 42.0])
def test_log_density_is_the_isometric_normal(variance: float) -> None:
    W, names, S = words_and_points()
    model = WordGaussians(variance).fit(W, names)
    expected = np.column_stack([multivariate_normal(w, variance * np.eye(7)).logpdf(S) for w in W])
    np.testing.assert_allclose(model.log_density(S), expected, rtol=1e-10)


@pytest.mark.parametrize("variance", [0.3, 5.0])
def test_probabilities_follow_from_bayes_rule(variance: float) -> None:
    W, names, S = words_and_points()
    model = WordGaussians(variance).fit(W, names)
    likelihood = np.column_stack([multivariate_normal(w, variance * np.eye(7)).pdf(S) for w in W])
    expected = likelihood / likelihood.sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(S), expected, rtol=1e-9)


def test_by_hand() -> None:
    model = WordGaussians(variance=2.0).fit([[0.0, 0.0], [2.0, 0.0]], ["cat", "truck"])
    # squared distances 1 and 5: the odds are exp((5 - 1) / (2 · 2)) = e
    proba = model.predict_proba([[0.0, 1.0]])
    np.testing.assert_allclose(proba, [[np.e / (1 + np.e), 1 / (1 + np.e)]])
    np.testing.assert_allclose(model.predict_proba([[1.0, 9.0]]), [[0.5, 0.5]])


@pytest.mark.parametrize("variance", [1e-9, 1.0, 1e9])
def test_nearest_word_wins_whatever_the_variance(variance: float) -> None:
    W, names, S = words_and_points()
    model = WordGaussians(variance).fit(W, names)
    nearest = np.array(names)[cdist(S, W).argmin(1)]
    np.testing.assert_array_equal(model.predict(S), nearest)
    proba = model.predict_proba(1e3 * S)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(1), 1.0)


def test_one_class_is_certain_and_several_vectors_are_averaged() -> None:
    one = WordGaussians().fit([[1.0, 2.0]], ["cat"])
    assert one.predict_proba([[7.0, 7.0]]).tolist() == [[1.0]]
    two = WordGaussians().fit([[0.0, 0.0], [2.0, 4.0], [9.0, 9.0]], ["cat", "cat", "dog"])
    np.testing.assert_array_equal(two.word_vectors_, [[1.0, 2.0], [9.0, 9.0]])


def test_refusals() -> None:
    W, names, S = words_and_points()
    for variance in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="variance="):
            WordGaussians(variance).fit(W, names)
    with pytest.raises(InputError, match="contains NaN"):
        WordGaussians().fit(W, names).predict(np.full((1, 7), np.nan))
    with pytest.raises(InputError, match="X has 6 features"):
        WordGaussians().fit(W, names).predict(S[:, 1:])
    with pytest.raises(InputError, match="inconsistent numbers of samples"):
        WordGaussians().fit(W, names[1:])
