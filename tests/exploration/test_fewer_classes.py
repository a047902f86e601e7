"""Very many unseen classes before a page that has room for few."""

import numpy as np
import pytest

from wordsight import CrossModalClassifier
from wordsight.app.session import Limits, Session
from wordsight.cli.explore import _with_room
from wordsight.exploration.fewer_classes import with_fewer_classes
from wordsight.exploration.gallery import Gallery


@pytest.fixture(scope="module")
def crowded(model: CrossModalClassifier) -> CrossModalClassifier:
    """The model, and beside its unseen classes many that no image is near to."""
    draw = np.random.default_rng(0)
    d = model.word_vectors_.shape[1]
    far = {f"far {number}": 100 + draw.normal(size=d) for number in range(5000)}
    return model.branch().add_classes(far)


def test_what_images_are_nearest_to_stays(
    model: CrossModalClassifier, crowded: CrossModalClassifier, gallery: Gallery
) -> None:
    many = gallery.updated(crowded)
    room = len(model.classes_) + 2
    fewer, seen = with_fewer_classes(crowded, many, room)
    assert len(fewer.classes_) == room
    assert set(model.classes_) <= set(fewer.classes_)
    assert seen is not None
    np.testing.assert_array_equal(seen.recognition.label, many.recognition.label)
    assert len(crowded.classes_) == len(model.classes_) + 5000  # as it was


def test_without_images_the_first_stay(
    model: CrossModalClassifier, crowded: CrossModalClassifier
) -> None:
    fewer, seen = with_fewer_classes(crowded, None, len(model.classes_) + 1)
    assert seen is None
    assert fewer.classes_.tolist() == [*model.classes_, "far 0"]


def test_seen_classes_stay_whatever_the_room(crowded: CrossModalClassifier) -> None:
    fewer, _seen = with_fewer_classes(crowded, None, 1)
    np.testing.assert_array_equal(fewer.classes_, crowded.seen_)


def test_few_classes_are_left_alone(model: CrossModalClassifier, gallery: Gallery) -> None:
    assert with_fewer_classes(model, gallery, 1000) == (model, gallery)


def test_the_explorer_has_room_for_its_limit_and_says_so(
    crowded: CrossModalClassifier, gallery: Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    given = Session(crowded, "model", gallery.updated(crowded), limits=Limits(classes=50))
    session = _with_room(given)
    assert len(session.state.classes) == 50
    assert "has room for 50" in capsys.readouterr().err
    small = Session(session.model, "model", session.gallery, limits=Limits(classes=50))
    assert _with_room(small) is small
