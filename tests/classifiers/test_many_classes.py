"""Very many unseen classes: what passes by in blocks is what the whole table says."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

import wordsight as ws
from wordsight import leading as leading_module
from wordsight.classifiers import cross_modal
from wordsight.classifiers.many_classes import ManyClasses
from wordsight.classifiers.recognition import Recognition
from wordsight.exceptions import InputError
from wordsight.novelty import stacking

D = 6
SEEN = ["bird", "car", "dog"]
UNSEEN = [f"class {number}" for number in range(40)]


def small_blocks(patch: pytest.MonkeyPatch) -> None:
    """Make blocks so small that a few points and classes are several."""
    patch.setattr(leading_module, "_POINTS", 3)
    patch.setattr(leading_module, "_CLASSES", 4)


def best_of(table: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Return the k largest of each row, the first of equal ones first: written plainly."""
    rows = []
    for row in table.tolist():
        rows.append(sorted(range(len(row)), key=lambda column: (-row[column], column))[:k])
    return np.array(rows)


def drawn(seed: int, n: int, d: int, *, whole: bool) -> NDArray[np.float64]:
    draw = np.random.default_rng(seed)
    # halves: many classes are equally near, to the last bit
    return draw.integers(-2, 3, (n, d)) / 2 if whole else draw.normal(size=(n, d))


# the classifiers alone


@given(
    seed=st.integers(0, 2**32 - 2),
    n=st.integers(1, 8),
    n_classes=st.integers(1, 30),
    k=st.integers(1, 35),
    d=st.integers(1, 5),
    whole=st.booleans(),
    variance=st.sampled_from([1e-3, 0.3, 50.0]),
)
@settings(max_examples=60, deadline=None)
def test_gaussians_in_blocks_are_those_of_the_table(
    seed: int, n: int, n_classes: int, k: int, d: int, whole: bool, variance: float
) -> None:
    W, S = drawn(seed, n_classes, d, whole=whole), drawn(seed + 1, n, d, whole=whole)
    part = ws.WordGaussians(variance).fit(W, np.arange(n_classes))
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch)
        found = part.top_k(S, k)
    expected = best_of(-cdist(S, W, "sqeuclidean"), k)
    np.testing.assert_array_equal(found.columns, expected)
    proba = np.take_along_axis(part.predict_proba(S), expected, axis=1)
    np.testing.assert_allclose(found.proba, proba, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("correction", [None, "csls", "inverted_softmax"])
@pytest.mark.parametrize("seed", range(5))
def test_directions_in_blocks_are_those_of_the_table(
    seed: int, correction: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    W, S = drawn(seed, 23, 4, whole=False), drawn(seed + 50, 10, 4, whole=False)
    part = ws.WordDirections(correction=correction, n_neighbors=3, temperature=0.1)
    part.fit(W, np.arange(23), points=drawn(seed + 99, 30, 4, whole=False))
    table = part.predict_proba(S)
    found = part.top_k(S, 6)
    expected = best_of(table, 6)
    np.testing.assert_array_equal(found.columns, expected)
    np.testing.assert_allclose(found.proba, np.take_along_axis(table, expected, 1), rtol=1e-10)


def test_hubs_of_very_many_words_are_found_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    W, points = drawn(0, 23, 4, whole=False), drawn(1, 30, 4, whole=False)
    whole = ws.WordDirections(correction="csls").fit(W, np.arange(23), points=points)
    monkeypatch.setattr("wordsight.classifiers.word_directions.MANY", 5)
    parts = ws.WordDirections(correction="csls").fit(W, np.arange(23), points=points)
    np.testing.assert_allclose(parts.hubness_, whole.hubness_, rtol=1e-12)
    S = drawn(2, 9, 4, whole=False)
    np.testing.assert_array_equal(parts.predict(S), whole.predict(S))


def test_some_classes_alone_in_the_order_asked() -> None:
    W = np.array([[0.0], [1.0], [1.0], [3.0]])
    part = ws.WordGaussians(0.5).fit(W, np.arange(4))
    found = part.top_k([[1.0]], 3, among=np.array([3, 2, 1]))
    assert found.columns.tolist() == [[2, 1, 3]]  # equally near ones as they were asked
    far = np.exp(-4.0)  # |1 - 3|² / (2 · 0.5)
    np.testing.assert_allclose(found.proba, [[1 / (2 + far), 1 / (2 + far), far / (2 + far)]])


def test_far_from_everything_by_the_arithmetic_of_the_table() -> None:
    # |s|² / σ² is 1e16: a product has no digits left to tell the words apart by
    W = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    S = np.array([[1e8, 1.0], [1.0, 1e8], [0.2, 0.1]])
    part = ws.WordGaussians(1.0).fit(W, np.arange(3))
    found = part.top_k(S, 3)
    np.testing.assert_array_equal(found.columns[:, 0], [1, 2, 0])
    table = part.predict_proba(S)
    np.testing.assert_allclose(found.proba, np.take_along_axis(table, found.columns, 1), rtol=1e-12)


def test_equal_words_by_the_thousand_take_bounded_room() -> None:
    W = np.zeros((9000, 3))
    found = ws.WordGaussians().fit(W, np.arange(9000)).top_k(np.ones((70, 3)), 2)
    assert (found.columns == [0, 1]).all()
    np.testing.assert_allclose(found.proba, 1 / 9000)


@pytest.mark.parametrize("k", [0, -1])
def test_no_class_is_refused(k: int) -> None:
    with pytest.raises(InputError, match="ask for 1 or more"):
        ws.WordGaussians().fit([[0.0], [1.0]], ["a", "b"]).top_k([[0.0]], k)


# the whole model


def data() -> tuple[NDArray[np.float64], NDArray[np.str_], dict[str, NDArray[np.float64]]]:
    draw = np.random.default_rng(0)
    words = {name: draw.normal(size=D) for name in [*SEEN, *UNSEEN]}
    y = np.repeat(SEEN, 40)
    X = np.array([words[name] for name in y]) + 0.2 * draw.normal(size=(len(y), D))
    new = np.array([words[name] for name in UNSEEN]) + 0.2 * draw.normal(size=(len(UNSEEN), D))
    return X, y, {**words, "X_new": np.vstack([X[::6], new])}


def dense_and_blocked(
    patch: pytest.MonkeyPatch, **options: Any
) -> tuple[ws.CrossModalClassifier, Recognition, Recognition]:
    X, y, words = data()
    new = words.pop("X_new")
    model = ws.CrossModalClassifier(words, UNSEEN, random_state=0, **options).fit(X, y)
    dense = model.recognise(new)
    small_blocks(patch)
    patch.setattr(cross_modal, "MANY", 5)
    blocked = model.recognise(new)
    assert isinstance(blocked, ManyClasses)
    assert not isinstance(dense, ManyClasses)
    return model, dense, blocked


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gate": "probability"},
        {"unseen_classifier": ws.WordDirections(correction="csls")},
        {"gate": "probability", "novelty": ws.StackingNovelty(centre=True)},
    ],
    ids=["hard", "probability", "csls", "stacking"],
)
def test_a_model_of_many_classes_says_what_it_says_of_few(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacking, "MANY", 7)
    model, dense, blocked = dense_and_blocked(monkeypatch, **options)
    assert dense.is_novel.any()
    assert not dense.is_novel.all()
    for name in ("label", "column", "seen_label", "unseen_label", "unseen_column", "is_novel"):
        np.testing.assert_array_equal(getattr(blocked, name), getattr(dense, name), err_msg=name)
    for name in ("probability", "proba", "unseen_proba", "novelty_proba"):
        np.testing.assert_allclose(getattr(blocked, name), getattr(dense, name), rtol=1e-9)
    X_new = data()[2]["X_new"]
    np.testing.assert_array_equal(model.predict(X_new), dense.label)
    np.testing.assert_allclose(model.predict_proba(X_new), dense.proba, rtol=1e-9)


AMONG: list[list[str] | None] = [
    None,
    SEEN[:2],
    UNSEEN[:9],
    ["class 30", "dog", "class 3", "bird", "class 7", "class 8", "class 9"],
]


@pytest.mark.parametrize("gate", ["hard", "probability"])
@pytest.mark.parametrize("among", AMONG)
@pytest.mark.parametrize("k", [1, 4, 100])
def test_top_k_is_the_same_from_table_and_blocks(
    gate: Any, among: list[str] | None, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # wide Gaussians: where all that is asked is less likely than 1e-308 the table has no digits
    wide = ws.WordGaussians(0.5)
    model, dense, blocked = dense_and_blocked(monkeypatch, gate=gate, unseen_classifier=wide)
    expected, found = dense.top_k(k, among), blocked.top_k(k, among)
    sure = expected.proba > 1e-12  # of less, a table that takes 1 - p has no digits either
    np.testing.assert_array_equal(found.columns[sure], expected.columns[sure])
    np.testing.assert_allclose(found.proba, expected.proba, rtol=1e-9, atol=1e-14)
    if among is not None:
        np.testing.assert_array_equal(blocked.among(among), dense.among(among))
        np.testing.assert_allclose(blocked.among_proba(among), dense.among_proba(among), rtol=1e-9)
        X_new = data()[2]["X_new"]
        np.testing.assert_array_equal(model.predict_among(X_new, among), dense.among(among))


def test_top_k_of_the_table_is_sorted_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    model, dense, _blocked = dense_and_blocked(monkeypatch, gate="probability")
    names, proba = model.top_k(data()[2]["X_new"], 5)
    expected = best_of(dense.proba, 5)
    np.testing.assert_array_equal(names, dense.classes[expected])
    np.testing.assert_allclose(proba, np.take_along_axis(dense.proba, expected, 1), rtol=1e-9)
    np.testing.assert_array_equal(names[:, 0], dense.label)


def test_some_rows_and_parts_of_a_blocked_recognition(monkeypatch: pytest.MonkeyPatch) -> None:
    model, dense, blocked = dense_and_blocked(monkeypatch)
    rows = [3, 40, 1]
    np.testing.assert_array_equal(blocked.rows(rows).label, dense.label[rows])
    halves = [blocked.rows(slice(0, 11)), blocked.rows(slice(11, None))]
    whole = type(blocked).together(halves)
    assert isinstance(whole, ManyClasses)
    np.testing.assert_array_equal(whole.label, dense.label)
    np.testing.assert_array_equal(model.recognise_again(blocked).label, dense.label)
    assert "images" in repr(blocked)  # and not a table of them
    misspelt = "lable"
    with pytest.raises(AttributeError, match="no attribute 'lable'"):
        getattr(blocked, misspelt)
    nothing = blocked.rows([])
    assert nothing.label.shape == nothing.probability.shape == (0,)
    assert nothing.top_k(3).columns.shape == (0, 3)


def test_no_table_is_made_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _model, _dense, blocked = dense_and_blocked(monkeypatch)

    def refused(*_given: Any) -> None:
        raise AssertionError("a table of images and classes was made")

    monkeypatch.setattr(ws.WordGaussians, "predict_proba", refused)
    _ = blocked.label, blocked.probability, blocked.unseen_label, blocked.top_k(3)
    _ = blocked.among(UNSEEN), blocked.top_k(2, [*SEEN, *UNSEEN]), repr(blocked)
    with pytest.raises(AssertionError):
        _ = blocked.proba


# 100,000 classes


def many_words(n: int, d: int) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(size=(n, d))


@pytest.mark.slow
@pytest.mark.parametrize("variance", [0.05, 2.0])
def test_hundred_thousand_classes_against_scipy(variance: float) -> None:
    W = many_words(100_000, 50)
    S = W[::5000] + 0.9 * np.random.default_rng(2).normal(size=(20, 50))
    part = ws.WordGaussians(variance).fit(W, np.arange(len(W)))
    found = part.top_k(S, 10)
    logits = -cdist(S, W, "sqeuclidean") / (2 * variance)
    expected = np.argsort(-logits, axis=1)[:, :10]
    np.testing.assert_array_equal(found.columns, expected)
    log_proba = logits - logsumexp(logits, axis=1, keepdims=True)
    proba = np.exp(np.take_along_axis(log_proba, expected, 1))
    np.testing.assert_allclose(found.proba, proba, rtol=1e-9)
    np.testing.assert_array_equal(part.predict(S), expected[:, 0])


WORK = """
import re, sys
from pathlib import Path
import numpy as np
import wordsight as ws

n_classes, n_images = map(int, sys.argv[1:3])
draw = np.random.default_rng(0)
words = {name: draw.normal(size=50) for name in ("bird", "car", "dog", "cat")}
y = np.repeat(list(words), 50)
X = (np.array([words[name] for name in y]) + 0.3 * draw.normal(size=(200, 50))).astype(np.float32)
model = ws.CrossModalClassifier(words, gate="probability", random_state=0).fit(X, y)
names = [f"class {number}" for number in range(n_classes)]
model.add_classes(dict(zip(names, draw.normal(size=(n_classes, 50)), strict=True)))
new = draw.normal(size=(n_images, 50)).astype(np.float32)

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

model.predict(new[:2])
before = peak()
model.predict(new), model.top_k(new, 5), model.predict_among(new[:200], names)
for rows, found in model.stream(new):
    found.label, found.unseen_label, found.probability
print(peak() - before)
"""


def megabytes_added(n_classes: int, n_images: int) -> float:
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(n_classes), str(n_images)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return float(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read memory from")
def test_memory_does_not_grow_with_images_times_classes() -> None:
    # tables of 500 images and 100,000 classes would be 400 MB each
    assert megabytes_added(100_000, 500) < 150


@pytest.mark.slow
def test_adding_saving_scoring_a_hundred_thousand(tmp_path: Path) -> None:
    X, y, words = data()
    words.pop("X_new")
    model = ws.CrossModalClassifier(words, random_state=0).fit(X, y)
    names = [f"thing {number}" for number in range(100_000)]
    model.add_classes(dict(zip(names, many_words(len(names), D), strict=True)))
    ws.save_model(model, tmp_path / "model")
    again = ws.load_model(tmp_path / "model")
    assert len((tmp_path / "model" / "README.md").read_text().splitlines()) < 1100
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.top_k(X, 3)[1], model.top_k(X, 3)[1])
    near = again.words_near_each(names[:2], 3)
    assert near == [again.words_near(name, 3) for name in names[:2]]
    with pytest.raises(InputError) as told:
        again.predict_among(X, ["unheard of"])
    assert len(str(told.value)) < 1000
    again.remove_classes(names[:99_999])
    assert again.unseen_.tolist() == names[99_999:]


# scores


def shuffled(names: Sequence[str], seed: int) -> NDArray[np.str_]:
    return np.random.default_rng(seed).permutation(np.array(names))


def test_scores_of_many_classes_name_what_occurs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, unseen = ["a", "b"], [f"u{number}" for number in range(50)]
    true = np.array(["a", "a", "b", "u3", "u3", "u40"])
    called = np.array(["a", "u7", "b", "u3", "u40", "u40"])
    given = {"seen": seen, "unseen": unseen}
    as_seen, as_unseen = np.full(6, "a"), np.full(6, "u3")
    args = (true, called, as_seen, as_unseen, np.arange(6.0))
    whole = ws.metrics.scores(*args, **given)
    assert len(whole["confusion"]["classes"]) == len(whole["per_class"]) == 52
    monkeypatch.setattr(ws.metrics, "MANY_CLASSES", 10)
    short = ws.metrics.scores(*args, **given)
    assert short["confusion"]["classes"] == ["a", "b", "u3", "u7", "u40"]
    assert short["confusion"]["matrix"] == [
        [1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1],
    ]  # fmt: skip
    assert short["per_class"] == {"a": 0.5, "b": 1.0, "u3": 0.5, "u40": 1.0}
    same = {"confusion", "per_class"}
    assert {k: v for k, v in short.items() if k not in same} == {
        k: v for k, v in whole.items() if k not in same
    }


def test_confusion_of_more_classes_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws.metrics, "MANY_CLASSES", 2)
    names, matrix = ws.metrics.confusion_of_many(
        ["a", "b", "b", "c"], ["b", "b", "d", "b"], ["a", "b", "c", "d"]
    )
    assert names == ["a", "b"]  # b most often, then the first of equally frequent ones
    assert matrix.tolist() == [[0, 1], [0, 1]]
