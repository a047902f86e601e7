"""What a new class would take from others, seen before it is added."""

import numpy as np
import pytest
from numpy.typing import NDArray

from exploration.colour_world import WORDS, fitted, pictures
from wordsight import CrossModalClassifier, StackingNovelty, WordVectors
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.exceptions import InputError, MissingWordError
from wordsight.exploration.gallery import Gallery
from wordsight.exploration.teaching import preview


def test_a_preview_is_what_adding_the_class_does(
    model: CrossModalClassifier, data: Dataset, gallery: Gallery
) -> None:
    found = preview(model, gallery, "purple")
    added = fitted().add_classes(["purple"])
    before, after = model.predict(data), added.predict(data)
    taken = np.flatnonzero(after == "purple")
    assert found.n_taken == len(taken) >= 6  # of eight purple images, which were yellow or seen
    assert sum(found.taken_from.values()) == len(taken)
    for name, count in found.taken_from.items():
        assert count == (before[taken] == name).sum()
    assert list(found.taken_from.values()) == sorted(found.taken_from.values(), reverse=True)
    assert set(found.examples.tolist()) <= set(taken.tolist())
    assert (found.source, found.parts) == ("word", ())
    np.testing.assert_allclose(found.gallery.proba, added.predict_proba(data), atol=1e-12)


def test_the_model_stays_as_it_is(data: Dataset) -> None:
    # a gate that compares with unseen words is set anew by every change of them
    model = fitted(novelty=StackingNovelty())
    gallery = Gallery.of(model, data)
    before = model.recognise(data)
    found = preview(model, gallery, "purple")
    after = model.recognise(data)
    assert model.unseen_.tolist() == ["yellow"]
    np.testing.assert_array_equal(before.novelty_score, after.novelty_score)
    np.testing.assert_array_equal(before.proba, after.proba)
    assert found.model.unseen_.tolist() == ["yellow", "purple"]
    assert not np.array_equal(found.gallery.novelty_score, gallery.novelty_score)


def test_the_surest_examples_come_first(model: CrossModalClassifier, gallery: Gallery) -> None:
    found = preview(model, gallery, "purple", n_examples=3)
    sure: NDArray[np.float64] = found.gallery.recognition.probability[found.examples]
    assert len(found.examples) == 3
    assert (np.diff(sure) <= 0).all()


def test_where_the_vector_comes_from(model: CrossModalClassifier, gallery: Gallery) -> None:
    composed = preview(model, gallery, "dark purple")
    assert (composed.source, composed.parts) == ("composed", ("dark", "purple"))
    assert not {"dark", "purple"} & set(dict(composed.neighbours))
    given = preview(model, gallery, "gold", WORDS.vector_for("purple"))
    assert (given.source, given.neighbours[0][0]) == ("vector", "purple")
    table = WordVectors(WORDS.words, WORDS.vectors, source="descriptions by a text model")
    described = fitted().use_words(table)
    vector = WORDS.vector_for("purple")
    assert preview(described, gallery, "orchid", vector).source == "description"


def test_a_class_that_takes_nothing(model: CrossModalClassifier) -> None:
    lenient = model.branch().move_threshold(1e9)  # nothing is novel
    gallery = Gallery.of(lenient, Dataset(ArraySource(pictures(["purple"] * 6))))
    found = preview(lenient, gallery, "purple")
    assert (found.n_taken, found.taken_from, found.examples.tolist()) == (0, {}, [])


@pytest.mark.parametrize("name", ["red", "yellow", " "])
def test_what_is_there_or_empty_is_refused(
    model: CrossModalClassifier, gallery: Gallery, name: str
) -> None:
    with pytest.raises(InputError, match=r"class of the model already|an empty name"):
        preview(model, gallery, name)
    assert model.unseen_.tolist() == ["yellow"]


def test_a_name_without_a_vector_is_told_with_those_near_it(
    model: CrossModalClassifier, gallery: Gallery
) -> None:
    with pytest.raises(MissingWordError, match="near: purple"):
        preview(model, gallery, "pruple")
    with pytest.raises(InputError, match="3 dimensions"):
        preview(model, gallery, "gold", [1.0, 2.0])
