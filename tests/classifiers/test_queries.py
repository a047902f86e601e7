"""Words as questions to a model, models branched off, thresholds moved, images judged again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wordsight import (
    CombinedNovelty,
    ConformalNovelty,
    CrossModalClassifier,
    EncodedFeatures,
    GaussianNovelty,
    LinearMap,
    MahalanobisNovelty,
    NeighbourDistance,
    SoftmaxNovelty,
    StackingNovelty,
    VisualMap,
    WordDirections,
    WordVectors,
    load_model,
    save_model,
)
from wordsight.classifiers.queries import nearest_of
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.exceptions import InputError
from wordsight.mapping.base import moved_words

NAMES = ["car", "dog", "ship", "deer", "truck", "cat", "bird", "zebra", "pickup"]
WORDS = WordVectors(NAMES, np.random.default_rng(0).normal(size=(len(NAMES), 5)))
SEEN = NAMES[:4]


def features(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    y = np.array([SEEN[k % 4] for k in range(n)])
    W = np.stack([WORDS.vector_for(name) for name in y])
    return W @ np.random.default_rng(7).normal(size=(5, 8)) + 0.5 * rng.normal(size=(n, 8)), y


NEW = features(30, seed=4)[0]


def fitted(**options: Any) -> CrossModalClassifier:
    settings: dict[str, Any] = {"mapping": LinearMap(0.01), "false_novel_rate": 0.2, **options}
    model = CrossModalClassifier(WORDS, ["truck"], random_state=0, **settings)
    return model.fit(*features(120, seed=1))


def assert_same(one: Any, other: Any) -> None:
    assert one.classes.tolist() == other.classes.tolist()
    for name in ("mapped", "seen_proba", "unseen_proba", "novelty_score", "novelty_proba", "proba"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-12, err_msg=name
        )


MODELS: dict[str, dict[str, Any]] = {
    "gaussian": {},
    "per class": {"novelty": GaussianNovelty("per_class")},
    "compares words": {"novelty": StackingNovelty()},
    "combined": {"novelty": CombinedNovelty()},
    "conformal": {"novelty": ConformalNovelty()},
    "features": {"novelty": MahalanobisNovelty()},
    "features' neighbours": {"novelty": NeighbourDistance()},
    "logits": {"novelty": SoftmaxNovelty()},
    "weighs": {"gate": "probability"},
    "moves words": {"mapping": VisualMap(0.01)},
    "looks at points": {"unseen_classifier": WordDirections(correction="csls")},
}


@pytest.fixture(scope="module")
def models() -> dict[str, CrossModalClassifier]:
    return {name: fitted(**options) for name, options in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
def test_what_was_recognised_is_judged_again_without_features(
    models: dict[str, CrossModalClassifier], name: str
) -> None:
    model = models[name]
    before = model.recognise(NEW)
    assert_same(model.recognise_again(before), before)
    changed = model.branch().add_classes(["cat", "bird"]).remove_classes(["truck"])
    assert_same(changed.recognise_again(before), changed.recognise(NEW))
    moved = changed.branch().move_threshold(0.3)
    assert_same(moved.recognise_again(before), moved.recognise(NEW))
    emptied = changed.remove_classes(["cat", "bird"])
    assert_same(emptied.recognise_again(before), emptied.recognise(NEW))
    assert_same(model.recognise(NEW), before)  # all of it on branches


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("by", [-0.4, 0.0, 0.25])
def test_a_moved_threshold_is_where_it_was_put(
    models: dict[str, CrossModalClassifier], name: str, by: float
) -> None:
    before = models[name].recognise(NEW)
    after = models[name].branch().move_threshold(by).recognise(NEW)
    assert after.is_novel.tolist() == (before.novelty_score > by).tolist()
    np.testing.assert_allclose(after.novelty_score, before.novelty_score - by, atol=1e-9)
    np.testing.assert_allclose(
        after.threshold - after.novelty_score, before.threshold - before.novelty_score, atol=1e-9
    )
    assert ((after.novelty_proba >= 0) & (after.novelty_proba <= 1)).all()


def test_a_moved_threshold_is_saved(
    tmp_path: Path, models: dict[str, CrossModalClassifier]
) -> None:
    moved = models["gaussian"].branch().move_threshold(-1.5)
    save_model(moved, tmp_path / "model")
    np.testing.assert_array_equal(
        load_model(tmp_path / "model").recognise(NEW).novelty_score,
        moved.recognise(NEW).novelty_score,
    )
    with pytest.raises(InputError, match="finite"):
        moved.move_threshold(float("nan"))


def test_images_of_another_model_are_refused(models: dict[str, CrossModalClassifier]) -> None:
    X, y = features(120, seed=1)
    other = CrossModalClassifier(WORDS, mapping=LinearMap(0.01), false_novel_rate=0.2)
    other.fit(X[y != "car"], y[y != "car"])
    with pytest.raises(InputError, match="4 seen classes were given to one of 3"):
        other.recognise_again(models["gaussian"].recognise(NEW))


def by_hand(points: NDArray[Any], vector: NDArray[Any]) -> NDArray[np.float64]:
    cosines: NDArray[np.float64] = (
        points @ vector / np.linalg.norm(points, axis=1) / np.linalg.norm(vector)
    )
    return cosines


@pytest.mark.parametrize("name", ["gaussian", "moves words"])
@pytest.mark.parametrize("word", ["dog", "zebra", "pickup truck"])
def test_the_nearest_images_have_the_highest_cosine(
    models: dict[str, CrossModalClassifier], name: str, word: str
) -> None:
    model = models[name]
    vector = WORDS.vector_for(word, on_missing="compose")
    if name == "moves words":
        vector = moved_words(model.mapping_, vector[None])[0]
    cosines = by_hand(model.map(NEW), vector)
    rows, similarities = model.nearest_images(word, NEW, 6)
    assert rows.tolist() == np.argsort(-cosines)[:6].tolist()
    np.testing.assert_allclose(similarities, np.sort(cosines)[::-1][:6])
    assert len(model.nearest_images(word, NEW, 100)[0]) == 30


def test_images_are_asked_as_a_data_set_or_as_an_array() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (120, 6, 6, 3), dtype=np.uint8)
    encoder = EncodedFeatures(lambda some: some.mean(axis=(1, 2)), batch_size=7)
    model = CrossModalClassifier(
        WORDS, features=encoder, mapping=LinearMap(0.01), false_novel_rate=0.2, random_state=0
    ).fit(images, np.array(SEEN * 30))
    cosines = by_hand(model.map(images), WORDS.vector_for("dog"))
    for X in (images, Dataset(ArraySource(images))):
        rows, _ = model.nearest_images("dog", X, 5)
        assert rows.tolist() == np.argsort(-cosines)[:5].tolist()
        assert model.nearest_words(X, 3) == model.nearest_words(model.map(images), 3)


def test_words_come_with_their_cosines(models: dict[str, CrossModalClassifier]) -> None:
    for name in ("gaussian", "moves words"):
        model = models[name]
        S = model.map(NEW)
        pairs = model.word_similarities(S, 4)
        assert [[word for word, _ in near] for near in pairs] == model.nearest_words(S, 4)
        word, similarity = pairs[5][0]
        vector = model.query(word).vector
        assert similarity == pytest.approx(by_hand(S[[5]], vector)[0])


def test_equally_near_images_come_in_their_order() -> None:
    points = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [3.0, 0.0]])
    blocks = [(np.array([0, 1]), points[:2]), (np.array([2, 3, 4]), points[2:])]
    rows, similarities = nearest_of(blocks, np.array([5.0, 0.0]), 4)
    assert rows.tolist() == [0, 2, 4, 1]
    assert similarities.tolist() == [1.0, 1.0, 1.0, 0.0]
    with pytest.raises(InputError, match="k=0"):
        nearest_of(blocks, np.array([5.0, 0.0]), 0)


def test_what_a_word_is_composed_of(models: dict[str, CrossModalClassifier]) -> None:
    model = models["gaussian"].branch()
    assert model.query("dog").parts == ()
    assert model.query("pickup truck").parts == ("pickup", "truck")
    model.add_classes(["pickup truck"])
    assert model.query("pickup truck").parts == ("pickup", "truck")
    model.add_classes({"cat bird": [1.0, 2.0, 3.0, 4.0, 5.0]})  # by hand: of no parts
    assert model.query("cat bird").parts == ()
    assert model.query("cat bird").word_vector.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    number: Any = 3
    with pytest.raises(InputError, match="expected one word"):
        model.query(number)
