"""Classes come and go without training: what changes, what stays, and what is refused."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.exceptions import DataError, InputError, MissingWordError
from wordsight.mapping.linear import LinearMap
from wordsight.novelty.confidence import SoftmaxNovelty
from wordsight.novelty.mahalanobis import MahalanobisNovelty
from wordsight.novelty.stacking import StackingNovelty
from wordsight.words.vectors import WordVectors

NAMES = ["car", "dog", "ship", "truck", "cat", "bird", "pickup", "zebra"]
WORDS = WordVectors(NAMES, np.random.default_rng(0).normal(size=(len(NAMES), 5)).astype(np.float32))
SEEN = ["car", "dog", "ship"]


def images(n: int = 90, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    y = np.array([SEEN[k % 3] for k in range(n)])
    W = np.stack([WORDS.vector_for(name) for name in y])
    to_features = np.random.default_rng(7).normal(size=(5, 8))
    return W @ to_features + 0.5 * rng.normal(size=(n, 8)), y


@pytest.fixture
def model() -> CrossModalClassifier:
    made = CrossModalClassifier(WORDS, ["truck"], mapping=LinearMap(0.01), random_state=0)
    return made.fit(*images())


def seen_parameters(model: CrossModalClassifier) -> list[Any]:
    parts: tuple[Any, ...] = (model.mapping_, model.novelty_, model.seen_classifier_)
    found: list[Any] = [model.n_features_in_, model.variance_, model.n_calibration_]
    for part in parts:
        learned = {name: value for name, value in vars(part).items() if name.endswith("_")}
        found += [
            value.tobytes() if isinstance(value, np.ndarray) else value
            for _name, value in sorted(learned.items())
        ]
    return found


def state(model: CrossModalClassifier) -> list[Any]:
    X, _y = images(30, seed=4)
    return [
        *seen_parameters(model),
        model.classes_.tolist(),
        model.word_vectors_.tobytes(),
        model.predict_proba(X).tobytes(),
    ]


def test_adding_and_removing_are_inverse(model: CrossModalClassifier) -> None:
    before = state(model)
    model.add_classes(["cat", "bird"])
    assert model.classes_.tolist() == ["car", "dog", "ship", "truck", "cat", "bird"]
    assert model.unseen_.tolist() == ["truck", "cat", "bird"]
    assert state(model) != before
    assert seen_parameters(model) == before[: len(seen_parameters(model))]
    model.remove_classes(["bird", "cat"])
    assert state(model) == before


def test_classes_added_later_are_as_those_named_at_first(model: CrossModalClassifier) -> None:
    whole = CrossModalClassifier(
        WORDS, ["truck", "cat"], mapping=LinearMap(0.01), random_state=0
    ).fit(*images())
    X, _y = images(30, seed=4)
    model.add_classes(["cat"])
    np.testing.assert_allclose(model.predict_proba(X), whole.predict_proba(X), rtol=1e-9)


def test_probabilities_cover_all_classes_and_seen_ones_keep_theirs(
    model: CrossModalClassifier,
) -> None:
    X, _y = images(60, seed=4)
    before = model.recognise(X)
    after = model.add_classes(["cat", "zebra"]).recognise(X)
    np.testing.assert_array_equal(before.seen_proba, after.seen_proba)
    np.testing.assert_array_equal(before.novelty_score, after.novelty_score)
    assert after.proba.shape == (60, 6)
    np.testing.assert_allclose(after.proba.sum(1), 1.0)


def test_vectors_may_be_given(model: CrossModalClassifier) -> None:
    vector = np.arange(1.0, 6.0)
    model.add_classes({"quagga": vector, "okapi": [1, 0, 0, 0, 0]})
    np.testing.assert_array_equal(model.word_vectors_[-2], vector)
    assert model.word_vectors_.dtype == np.float32
    # an image mapped onto the word is of that class
    gaussians = model.unseen_classifier_
    assert isinstance(gaussians, WordGaussians)
    assert gaussians.predict([vector]).tolist() == [1]


def test_names_are_composed_as_in_fit(model: CrossModalClassifier) -> None:
    model.add_classes(["pickup truck"])
    expected = (WORDS.vector_for("pickup") + WORDS.vector_for("truck")) / 2
    np.testing.assert_allclose(model.word_vectors_[-1], expected, rtol=1e-6)
    strict = CrossModalClassifier(WORDS, on_missing="error").fit(*images())
    with pytest.raises(MissingWordError, match="pickup truck"):
        strict.add_classes(["pickup truck"])


def names() -> Iterator[str]:
    yield "cat"
    yield "bird"


def test_any_iterable_and_nothing_at_all(model: CrossModalClassifier) -> None:
    model.add_classes(names())
    assert model.unseen_.tolist() == ["truck", "cat", "bird"]
    model.remove_classes(names())
    before = state(model)
    model.add_classes([]).add_classes({}).remove_classes([])
    assert state(model) == before


def test_the_last_unseen_class_may_go(model: CrossModalClassifier) -> None:
    X, _y = images(60, seed=4)
    model.remove_classes("truck")
    assert model.classes_.tolist() == SEEN
    assert model.unseen_classifier_ is None
    found = model.recognise(X)
    np.testing.assert_array_equal(found.proba, found.seen_proba)
    assert found.unseen_label is None
    assert model.add_classes(["truck"]).classes_.tolist() == [*SEEN, "truck"]


def test_another_table_of_the_same_space(model: CrossModalClassifier) -> None:
    double = WordVectors(["gnu"], np.ones((1, 5)))  # float64
    model.use_words(double).add_classes(["gnu"])
    assert model.word_vectors_.dtype == np.float32
    with pytest.raises(MissingWordError, match="cat"):
        model.add_classes(["cat"])
    with pytest.raises(InputError, match=r"word vectors of 3 dimensions were given; .* have 5"):
        model.use_words(WordVectors(["gnu"], np.ones((1, 3))))


@pytest.mark.parametrize(
    ("added", "error", "message"),
    [
        (["cat", "truck"], InputError, "truck is a class of the model already"),
        (["cat", "dog"], InputError, "dog is a class of the model already"),
        (["cat", "cat"], InputError, "cat is a class of the model already"),
        (["cat", "catt", "brid"], MissingWordError, "'catt', near: cat.*'brid', near: bird"),
        ("cat", InputError, r"expected a list: \['cat'\]"),
        ({"gnu": np.ones(4)}, InputError, r"shape \(4,\) was given for gnu; .* 5 dimensions"),
        ({"gnu": np.ones((1, 5))}, InputError, r"shape \(1, 5\) was given for gnu"),
        ({"cat": np.ones(5), "gnu": np.zeros(5)}, InputError, "gnu is zero, NaN or infinite"),
        ({"gnu": [1, 2, np.nan, 4, 5]}, InputError, "gnu is zero, NaN or infinite"),
        ({"gnu": [1, 2, 1e300, 4, 5]}, InputError, "gnu is zero, NaN or infinite"),
        ({"gnu": ["a", "b", "c", "d", "e"]}, InputError, "gnu is no row of numbers"),
        ({"gnu": [[1], [2, 3]]}, InputError, "gnu is no row of numbers"),
        ({"gnu": np.ones(5) * 1j}, InputError, "gnu is no row of numbers"),
        ({"gnu": None}, InputError, "gnu"),
        ({"dog": np.ones(5)}, InputError, "dog is a class of the model already"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    model: CrossModalClassifier, added: Any, error: type[Exception], message: str
) -> None:
    before = state(model)
    with pytest.raises(error, match=message):
        model.add_classes(added)
    assert state(model) == before


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        (["truck", "dog"], "dog is a seen class"),
        (["truck", "gnu"], "gnu is not a class of the model; its unseen classes are: truck"),
    ],
)
def test_what_cannot_be_removed_changes_nothing(
    model: CrossModalClassifier, removed: list[str], message: str
) -> None:
    before = state(model)
    with pytest.raises(InputError, match=message):
        model.remove_classes(removed)
    assert state(model) == before


def test_a_vector_of_zeros_in_the_table_is_no_class(model: CrossModalClassifier) -> None:
    model.use_words(WordVectors(["void"], np.zeros((1, 5))))
    before = state(model)
    with pytest.raises(DataError, match="'void' is all zeros"):
        model.add_classes(["void"])
    assert state(model) == before


def test_an_unseen_classifier_that_fails_changes_nothing(model: CrossModalClassifier) -> None:
    before = state(model)
    model.unseen_classifier = WordGaussians(variance=-1.0)
    with pytest.raises(InputError, match="variance"):
        model.add_classes(["cat"])
    assert state(model) == before


def test_a_gate_that_compares_words_is_calibrated_anew_when_they_change() -> None:
    """The share of held-out seen images called novel stays as asked, whatever is unseen."""
    rng = np.random.default_rng(0)
    words = dict(zip("abcdefgh", rng.normal(size=(8, 5)), strict=True))
    y = np.repeat(list("abcd"), 100)
    X = np.array([words[name] for name in y]) @ rng.normal(size=(5, 12))
    X += 0.8 * rng.normal(size=X.shape)
    model = CrossModalClassifier(
        words, ["e"], novelty=StackingNovelty(), calibration_fraction=0.5, random_state=0
    ).fit(X, y)
    points = model.calibration_points_
    thresholds = []
    for change in (lambda: None, lambda: model.add_classes(["f", "g", "h"])):
        change()
        novel = (model.novelty_.predict(points) == -1).mean()
        assert novel == pytest.approx(0.1, abs=0.01)
        thresholds.append(model.novelty_.offset_)
    assert thresholds[0] != thresholds[1]
    model.remove_classes(["f", "g", "h"])
    assert model.novelty_.offset_ == thresholds[0]
    again = CrossModalClassifier(
        words, ["e", "f"], novelty=StackingNovelty(), calibration_fraction=0.5, random_state=0
    ).fit(X, y)
    np.testing.assert_array_equal(model.add_classes(["f"]).predict_proba(X), again.predict_proba(X))


@pytest.mark.parametrize("novelty", [SoftmaxNovelty(), MahalanobisNovelty()])
def test_a_gate_learns_from_images_that_nothing_was_trained_on(novelty: Any) -> None:
    """Also where features or logits decide: new images are called novel as often as asked."""
    rng = np.random.default_rng(1)
    words = dict(zip("abc", rng.normal(size=(3, 4)), strict=True))
    y = np.repeat(list("abc"), 300)
    turn = rng.normal(size=(4, 60))

    def images() -> Any:
        return np.array([words[name] for name in y]) @ turn + 3 * rng.normal(size=(len(y), 60))

    shares = [
        CrossModalClassifier(
            words, novelty=novelty, false_novel_rate=0.2, calibration_fraction=0.3, random_state=k
        )
        .fit(images(), y)
        .is_novel(images())
        .mean()
        for k in range(8)
    ]
    assert np.mean(shares) == pytest.approx(0.2, abs=0.03)
