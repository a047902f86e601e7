"""Ridge maps with classes left out, against each solved alone."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from wordsight.compute import Moments, RidgeFactor, partial
from wordsight.exceptions import InputError, WordsightError
from wordsight.mapping import left_out
from wordsight.mapping.left_out import ridge_leaving_out

ALPHA = 0.3
SPLITS = [(), (0, 1), (2, 4), (3,), (1, 2, 3)]


def _data(seed: int = 0) -> tuple[NDArray[Any], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, 300)
    X = rng.normal(size=(5, 40))[codes] + rng.normal(size=(300, 40)) + 3.0
    return X, codes


def _whole(X: NDArray[Any]) -> tuple[Moments, RidgeFactor]:
    moments = partial(X, np.zeros((len(X), 1), X.dtype), shift=X.mean(0))
    return moments, RidgeFactor(moments, ALPHA, moments.shift.dtype)


def _alone(
    X: NDArray[Any], codes: NDArray[np.int64], out: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what scikit-learn finds from the rows that are left."""
    left = ~np.isin(codes, out)
    kept = [code for code in range(5) if code not in out]
    one_hot = (codes[left, None] == kept).astype(float)
    # its penalty is not divided by the number of rows
    model = Ridge(alpha=ALPHA * left.sum()).fit(X[left].astype(float), one_hot)
    return model.coef_.T, model.intercept_


def test_each_split_is_what_scikit_learn_finds_for_it_alone() -> None:
    X, codes = _data()
    found = ridge_leaving_out(X, codes, SPLITS, *_whole(X), tol=1e-9)
    for out, scorer in zip(SPLITS, found, strict=True):
        coef, intercept = _alone(X, codes, out)
        assert scorer.classes.tolist() == [code for code in range(5) if code not in out]
        np.testing.assert_allclose(scorer.coef, coef, atol=1e-8)
        np.testing.assert_allclose(scorer.intercept, intercept, atol=1e-7)


def test_rows_left_out_by_all_splits_are_not_learned_from() -> None:
    X, codes = _data()
    rows = np.arange(0, 300, 7)
    moments, factor = _whole(X)
    found = ridge_leaving_out(X, codes, [(), (0, 1)], moments, factor, rows_left_out=rows, tol=1e-9)
    rest = np.delete(np.arange(300), rows)
    for out, scorer in zip([(), (0, 1)], found, strict=True):
        coef, _intercept = _alone(X[rest], codes[rest], out)
        np.testing.assert_allclose(scorer.coef, coef, atol=1e-8)


def test_scores_of_all_classes_sum_to_one() -> None:
    X, codes = _data()
    scorer = ridge_leaving_out(X, codes, [(2, 4)], *_whole(X), tol=1e-9)[0]
    np.testing.assert_allclose((X @ scorer.coef + scorer.intercept).sum(1), 1.0, atol=1e-8)


def test_single_precision_comes_near_to_double() -> None:
    X, codes = _data()
    exact = ridge_leaving_out(X, codes, SPLITS, *_whole(X), tol=1e-9)
    single = X.astype(np.float32)
    for one, other in zip(
        ridge_leaving_out(single, codes, SPLITS, *_whole(single)), exact, strict=True
    ):
        assert one.coef.dtype == np.float32
        np.testing.assert_allclose(one.coef, other.coef, atol=1e-2 * np.abs(other.coef).max())


def test_a_small_residual_is_reached_from_single_precision_too() -> None:
    X, codes = _data()
    single = X.astype(np.float32)
    moments, factor = _whole(single)
    double = single.astype(float)
    exact = ridge_leaving_out(double, codes, SPLITS, *_whole(double), tol=1e-9)
    found = ridge_leaving_out(single, codes, SPLITS, moments, factor, tol=1e-9)
    for one, other in zip(found, exact, strict=True):
        # what is left is that the moments are sums in single precision
        np.testing.assert_allclose(one.coef, other.coef, atol=1e-5 * np.abs(other.coef).max())


def test_the_order_of_rows_and_splits_does_not_matter() -> None:
    X, codes = _data()
    forth = ridge_leaving_out(X, codes, SPLITS, *_whole(X), tol=1e-9)
    turn = np.random.default_rng(1).permutation(len(X))
    back = ridge_leaving_out(X[turn], codes[turn], SPLITS[::-1], *_whole(X[turn]), tol=1e-9)
    for one, other in zip(forth, back[::-1], strict=True):
        np.testing.assert_allclose(one.coef, other.coef, atol=1e-8)


def test_leaving_out_nearly_all_classes_is_refused() -> None:
    X, codes = _data()
    with pytest.raises(InputError, match=r"leaves 1 to learn from"):
        ridge_leaving_out(X, codes, [(0, 1, 2, 3)], *_whole(X))


def test_what_does_not_converge_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    X, codes = _data()
    monkeypatch.setattr(left_out, "MAX_STEPS", 1)
    with pytest.raises(WordsightError, match="use a larger alpha"):
        ridge_leaving_out(X, codes, SPLITS, *_whole(X), tol=1e-9)
