"""The approximate index: what it finds is in the right order, and little is missed."""

import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import wordsight as ws
from wordsight.classifiers.class_index import ClassIndex
from wordsight.classifiers.many_classes import ManyClasses
from wordsight.exceptions import InputError, MissingDependencyError

N, DIMENSIONS = 20_000, 20


def faiss_is_there() -> bool:
    try:
        ClassIndex(ws.WordGaussians().fit([[0.0], [1.0]], [0, 1]))
    except MissingDependencyError:
        return False
    return True


needs_faiss = pytest.mark.skipif(not faiss_is_there(), reason="faiss is not installed")


@pytest.fixture(scope="module")
def words() -> NDArray[np.float64]:
    draw = np.random.default_rng(0)
    middles = draw.normal(size=(200, DIMENSIONS))
    return middles[draw.integers(200, size=N)] + 0.5 * draw.normal(size=(N, DIMENSIONS))


@pytest.fixture(scope="module")
def points(words: NDArray[np.float64]) -> NDArray[np.float64]:
    return words[::100] + 0.3 * np.random.default_rng(1).normal(size=(N // 100, DIMENSIONS))


def recall(found: NDArray[np.int64], true: NDArray[np.int64]) -> float:
    pairs = zip(found.tolist(), true.tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs]))


@needs_faiss
@pytest.mark.parametrize("part", [ws.WordGaussians(0.3), ws.WordDirections(temperature=0.05)])
def test_nearly_all_are_found_and_these_are_in_order(
    part: Any, words: NDArray[np.float64], points: NDArray[np.float64]
) -> None:
    part.fit(words, np.arange(N))
    index = ClassIndex(part)
    assert index.n_lists > 100
    exact, found = part.top_k(points, 10), index.top_k(points, 10)
    assert recall(found.columns, exact.columns) > 0.97
    assert (found.columns[:, 0] == exact.columns[:, 0]).mean() > 0.97
    assert (np.diff(found.proba, axis=1) <= 0).all()
    # of the classes found alone, so never below what it is among all
    same = found.columns == exact.columns
    assert (found.proba[same] >= exact.proba[same] * (1 - 1e-9)).all()
    np.testing.assert_array_equal(index.predict_proba(points[:2]), part.predict_proba(points[:2]))


@needs_faiss
def test_all_lists_and_all_candidates_are_exact(
    words: NDArray[np.float64], points: NDArray[np.float64]
) -> None:
    part = ws.WordGaussians(0.3).fit(words[:6000], np.arange(6000))
    index = ClassIndex(part, n_candidates=6000, n_probe=10_000)
    exact, found = part.top_k(points, 7), index.top_k(points, 7)
    np.testing.assert_array_equal(found.columns, exact.columns)
    np.testing.assert_allclose(found.proba, exact.proba, rtol=1e-9)


@needs_faiss
def test_lists_that_hold_too_few_are_made_up_for(
    words: NDArray[np.float64], points: NDArray[np.float64]
) -> None:
    part = ws.WordGaussians(0.3).fit(words, np.arange(N))
    found = ClassIndex(part, n_candidates=1, n_probe=1).top_k(points, 5000)
    np.testing.assert_array_equal(found.columns, part.top_k(points, 5000).columns)


@needs_faiss
def test_it_is_the_same_every_time(words: NDArray[np.float64], points: NDArray[np.float64]) -> None:
    part = ws.WordGaussians(0.3).fit(words, np.arange(N))
    first, second = (ClassIndex(part).top_k(points, 3) for _ in range(2))
    np.testing.assert_array_equal(first.columns, second.columns)
    np.testing.assert_array_equal(first.proba, second.proba)


TABLE = {
    name: np.random.default_rng(seed).normal(size=3)
    for seed, name in enumerate(("cat", "dog", "car", "ship", "zebra"))
}


def small_model(**options: Any) -> ws.CrossModalClassifier:
    draw = np.random.default_rng(0)
    y = np.repeat(["cat", "dog", "car"], 30)
    X = np.array([TABLE[name] for name in y]) + 0.1 * draw.normal(size=(90, 3))
    return ws.CrossModalClassifier(TABLE, ["ship"], random_state=0, **options).fit(X, y)


@needs_faiss
def test_a_model_with_an_index() -> None:
    model = small_model()
    noise = 0.05 * np.random.default_rng(2).normal(size=(30, 3))
    X = np.repeat([*TABLE.values()], 6, axis=0) + noise
    exact = model.predict(X)
    assert {"ship"} < {*exact}
    assert model.use_index() is model
    assert isinstance(model.recognise(X), ManyClasses)
    np.testing.assert_array_equal(model.predict(X), exact)  # one unseen class is never missed
    model.add_classes(["zebra"])  # the index is made anew
    with_zebra = model.predict(X)
    np.testing.assert_array_equal(model.use_index(None).predict(X), with_zebra)
    assert "zebra" in with_zebra
    assert model.class_index_ is None


@needs_faiss
def test_hubs_and_an_index_do_not_go_together() -> None:
    model = small_model(unseen_classifier=ws.WordDirections(correction="csls"))
    with pytest.raises(InputError, match="leave one of the two out"):
        model.use_index()
    assert model.class_index_ is None
    model.add_classes(["zebra"])  # as it was


@pytest.mark.parametrize("value", [0, -3, 1.5, True])
def test_candidates_are_counted(value: Any) -> None:
    with pytest.raises(InputError, match="whole number from 1"):
        small_model().use_index(value)


def test_without_faiss_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'wordsight\[index\]'"):
        small_model().use_index()
