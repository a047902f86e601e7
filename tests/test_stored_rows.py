"""Learning from rows that are stored: the same as from an array, a block at a time."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from wordsight import CrossModalClassifier, LinearMap, SoftmaxClassifier, TwoLayerMap
from wordsight.compute import partial
from wordsight.few_rows import FewRows
from wordsight.mapping.base import fit_held_out
from wordsight.mapping.sums import RowSums
from wordsight.rows import StoredRows

N, F = 5000, 24
LARGEST = 4096
"""No reader takes more rows at once."""

RNG = np.random.default_rng(0)
WORDS = RNG.normal(size=(6, 4)).astype(np.float32)
CODES = np.arange(N) % 6
X = (WORDS[CODES] @ RNG.normal(size=(4, F)) + RNG.normal(size=(N, F)) + 2.0).astype(np.float32)
Y = WORDS[CODES]
HELD_OUT = np.arange(N) % 5 == 0


class Kept(StoredRows):
    """An array that is read as if it were on disk, and knows the largest read."""

    def __init__(self, array: NDArray[np.float32]) -> None:
        self._array = array
        self.largest = 0

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._array), self._array.shape[1]

    def __getitem__(self, rows: slice | NDArray[Any]) -> NDArray[np.float32]:
        read = self._array[rows].copy()
        self.largest = max(self.largest, len(read))
        return read


@pytest.fixture
def stored() -> Kept:
    return Kept(X)


def test_sums_are_the_same_to_the_bit(stored: Kept) -> None:
    shift = X.mean(0)
    for rows in (None, np.flatnonzero(HELD_OUT)[::-1].copy()):
        ours = partial(stored, Y, shift=shift, rows=rows)
        theirs = partial(X, Y, shift=shift, rows=rows)
        assert ours.n == theirs.n
        for name in ("sum_x", "sum_y", "cross"):
            assert torch.equal(getattr(ours, name), getattr(theirs, name))
        assert torch.equal(ours.gram.tiles[0][0], theirs.gram.tiles[0][0])
    assert 0 < stored.largest <= LARGEST


def test_sums_of_chosen_rows_are_counted_from_the_mean(stored: Kept) -> None:
    rows = np.flatnonzero(~HELD_OUT)
    found = RowSums(stored, Y, torch.device("cpu")).over(rows)
    mean = X.mean(0, dtype=np.float64)
    np.testing.assert_allclose(found.sum_x, (X[rows] - mean).sum(0), rtol=1e-4, atol=1e-2)
    assert stored.largest <= LARGEST


def test_few_rows_are_taken_a_block_at_a_time(stored: Kept) -> None:
    rows, shift = np.arange(0, N, 2), X.mean(0)
    ours, theirs = (FewRows.take(each, Y, rows, shift, torch.device("cpu")) for each in (stored, X))
    assert torch.equal(ours.X, theirs.X)
    np.testing.assert_array_equal(ours.X, X[rows].astype(np.float64) - shift)
    assert stored.largest <= LARGEST


@pytest.mark.parametrize("alpha", [0.1, "auto"])
def test_the_linear_map(stored: Kept, alpha: Any) -> None:
    ours, theirs = LinearMap(alpha, random_state=0), LinearMap(alpha, random_state=0)
    found, expected = (
        model.fit_held_out(each, Y, HELD_OUT) for model, each in ((ours, stored), (theirs, X))
    )
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-6)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.held_out, expected.held_out, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.rest, expected.rest, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.fit(stored, Y).predict(stored), ours.predict(X), atol=1e-5)
    assert stored.largest <= LARGEST


def test_the_map_of_two_layers(stored: Kept) -> None:
    ours, theirs = (TwoLayerMap(8, max_iter=4, random_state=0).fit(each, Y) for each in (stored, X))
    np.testing.assert_allclose(ours.predict(stored), theirs.predict(X), rtol=1e-3, atol=1e-4)
    assert stored.largest <= LARGEST
    found = ours.fit_held_out(stored, Y, HELD_OUT)
    assert len(found.held_out) == HELD_OUT.sum()
    assert stored.largest <= LARGEST


def test_the_softmax(stored: Kept) -> None:
    names = np.array(list("abcdef"))[CODES]
    ours, theirs = (SoftmaxClassifier(0.01).fit(each, names) for each in (stored, X))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(stored), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(ours.predict(stored), ours.predict(X))
    assert stored.largest <= LARGEST


def test_the_whole_model(stored: Kept) -> None:
    names = [f"class {code}" for code in range(6)]
    words = dict(zip([*names, "unseen"], [*WORDS, -WORDS.sum(0)], strict=True))
    labels = np.array(names)[CODES]
    ours, theirs = (
        CrossModalClassifier(words, ["unseen"], random_state=0).fit(each, labels)
        for each in (stored, X)
    )
    found, expected = ours.recognise(stored), theirs.recognise(X)
    np.testing.assert_allclose(found.mapped, expected.mapped, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.seen_proba, expected.seen_proba, atol=1e-4)
    np.testing.assert_allclose(ours.map(stored), theirs.map(X), rtol=1e-3, atol=1e-4)
    assert (ours.predict(stored) == theirs.predict(X)).mean() > 0.999
    assert stored.largest <= LARGEST


def test_parts_from_elsewhere_are_given_an_array(stored: Kept) -> None:
    theirs = Ridge(alpha=3.0)
    found = fit_held_out(theirs, stored, Y, HELD_OUT)
    part = Ridge(alpha=3.0).fit(X[~HELD_OUT], Y[~HELD_OUT])
    np.testing.assert_array_equal(found.held_out, part.predict(X[HELD_OUT]))
    names = [f"class {code}" for code in range(6)]
    model = CrossModalClassifier(
        dict(zip(names, WORDS, strict=True)),
        mapping=Ridge(alpha=3.0),
        seen_classifier=LogisticRegression(max_iter=50, tol=0.1),
        random_state=0,
    ).fit(stored, np.array(names)[CODES])
    assert model.recognise(stored).proba.shape == (N, 6)
