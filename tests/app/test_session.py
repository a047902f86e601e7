"""States that change as a whole: thresholds, undo, saving, and reading while something changes."""

import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.conftest import ADDRESS, SEEN, json_of, mean_colour, picture, solid, words
from wordsight import (
    CrossModalClassifier,
    EncodedFeatures,
    LinearMap,
    SoftmaxNovelty,
    StackingNovelty,
    load_model,
    open_dataset,
)
from wordsight.app.explorer import Explorer
from wordsight.app.layouts import Layouts
from wordsight.app.server import create_app
from wordsight.app.session import Limits, Session
from wordsight.app.views import gate_view, map_view, session_view
from wordsight.exceptions import InputError
from wordsight.exploration.gallery import Gallery
from wordsight.words.descriptions import describe


def test_the_model_that_was_given_is_never_changed(
    session: Session, model: CrossModalClassifier
) -> None:
    before = model.predict_proba(solid("cyan", 3, seed=1))
    offset = model.novelty_.offset_
    session.teach("cyan")
    session.set_threshold(5.0)
    session.forget("yellow")
    np.testing.assert_array_equal(model.predict_proba(solid("cyan", 3, seed=1)), before)
    assert model.novelty_.offset_ == offset
    assert model.unseen_.tolist() == ["yellow"]


def test_a_state_that_was_taken_stays(session: Session) -> None:
    taken = session.state
    session.teach("cyan")
    assert taken.classes == [*SEEN, "yellow"]
    assert session.state.classes == [*SEEN, "yellow", "cyan"]


def test_novel_is_what_scores_above_the_threshold(session: Session) -> None:
    own = session.state.scores
    for threshold in (-1e6, float(np.median(own)), 0.0, 1e6):
        state = session.set_threshold(threshold)
        assert state.gallery is not None
        np.testing.assert_allclose(state.scores, own, rtol=0, atol=1e-6 * (1 + abs(threshold)))
        np.testing.assert_array_equal(state.gallery.recognition.is_novel, own > threshold)


def test_a_gate_that_looks_at_logits(folder: Path) -> None:
    X = np.concatenate([solid(name, 30, seed, off=(0, 40)) for seed, name in enumerate(SEEN)])
    model = CrossModalClassifier(
        words(), ["yellow"], features=EncodedFeatures(mean_colour, standardise=False),
        mapping=LinearMap(alpha=1e-6), novelty=SoftmaxNovelty(), random_state=0,
    ).fit(X, np.repeat(SEEN, 30))  # fmt: skip
    session = Session(model, "logits", gallery=Gallery.of(model, open_dataset(folder)))
    own = session.state.scores
    threshold = float(np.sort(own)[10:12].mean())
    session.teach("cyan")
    state = session.set_threshold(threshold)
    assert state.gallery is not None
    np.testing.assert_allclose(state.scores, own, atol=1e-9)
    np.testing.assert_array_equal(state.gallery.recognition.is_novel, own > threshold)


def test_undo_keeps_the_threshold(session: Session) -> None:
    session.teach("cyan")
    session.set_threshold(3.0)
    session.teach("dark")
    state = session.undo()
    assert (state.classes, state.threshold) == ([*SEEN, "yellow", "cyan"], 3.0)
    state = session.undo()
    assert (state.classes, state.threshold) == ([*SEEN, "yellow"], 3.0)
    assert state.model.novelty_.offset_ == state.own.novelty_.offset_ - 3.0
    session.set_threshold(None)
    assert session.state.model is session.state.own


def test_a_refused_change_is_none(session: Session) -> None:
    before = session.state
    with pytest.raises(InputError):
        session.teach("mauve")
    with pytest.raises(InputError):
        session.forget("red")
    assert session.state is before
    assert not session.can_undo


def test_undo_goes_back_so_far(session: Session) -> None:
    few = replace(session, limits=Limits(undo=2))
    for name in ("cyan", "dark", "blue green"):
        few.teach(name)
    few.undo()
    few.undo()
    assert few.state.classes == [*SEEN, "yellow", "cyan"]
    with pytest.raises(InputError, match="none to undo"):
        few.undo()


def test_too_many_classes_are_refused(session: Session) -> None:
    full = replace(session, limits=Limits(classes=4))
    with pytest.raises(InputError, match="4 classes"):
        full.teach("cyan")


def test_a_gate_that_looks_at_the_words_of_unseen_classes(gallery: Gallery) -> None:
    # its threshold is set anew with every class, and the move counts from there
    X = np.concatenate([solid(name, 30, seed, off=(0, 40)) for seed, name in enumerate(SEEN)])
    colours = X.mean(axis=(1, 2)) / 255
    model = CrossModalClassifier(
        words(), ["yellow"], mapping=LinearMap(alpha=1e-6), novelty=StackingNovelty(),
        random_state=0,
    ).fit(colours, np.repeat(SEEN, 30))  # fmt: skip
    session = Session(model, "stacking")
    session.set_threshold(0.25)
    state = session.teach("cyan")
    expected = CrossModalClassifier.branch(model).add_classes(["cyan"]).novelty_.offset_
    assert state.own.novelty_.offset_ == expected != model.novelty_.offset_
    assert state.model.novelty_.offset_ == pytest.approx(expected - 0.25)


# descriptions


class Letters:
    """An encoder that knows three words."""

    name = "letters"

    def encode(self, texts: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
        known: dict[str, list[float]] = {
            "like blood": [1, 0, 0],
            "like grass": [0, 1, 0],
            "like the sky": [0, 0, 1],
            "like the sea": [0, 0.6, 0.8],
            "like the sun": [0.8, 0.6, 0],
        }
        return np.array([known[text] for text in texts], dtype=np.float32)


def test_a_class_is_taught_by_a_description() -> None:
    said = {"red": "like blood", "green": "like grass", "blue": "like the sky"}
    table = describe({**said, "yellow": "like the sun"}, Letters())
    X = np.concatenate([solid(name, 30, seed, off=(0, 40)) for seed, name in enumerate(SEEN)])
    model = CrossModalClassifier(table, ["yellow"], mapping=LinearMap(alpha=1e-6), random_state=0)
    model.fit(X.mean(axis=(1, 2)) / 255, np.repeat(SEEN, 30))
    session = Session(model, "described", encoder=Letters())
    told = session_view(session, session.state)["model"]
    assert (told["describes"], told["has_text_model"]) == (True, True)
    seen = Explorer(session).preview("cyan", "like the sea")
    assert (seen["source"], seen["parts"]) == ("description", [])
    # cosines with (0, 0.6, 0.8)
    blue, green = seen["neighbours"][:2]
    assert blue == {"word": "blue", "similarity": pytest.approx(0.8)}
    assert green == {"word": "green", "similarity": pytest.approx(0.6)}
    with pytest.raises(InputError, match="descri"):
        session.teach("cyan")
    state = session.teach("cyan", "like the sea")
    np.testing.assert_allclose(state.model.word_vectors_[-1], [0, 0.6, 0.8], rtol=1e-6)
    assert state.added == {"cyan"}


def test_a_description_means_nothing_beside_words(session: Session) -> None:
    with pytest.raises(InputError, match="letters"):
        replace(session, encoder=Letters()).teach("cyan", "like the sea")


# saving


@pytest.fixture
def on_features(tmp_path: Path) -> Session:
    """A model that can be saved, with scores on its card."""
    X = np.concatenate([solid(name, 30, seed, off=(0, 40)) for seed, name in enumerate(SEEN)])
    model = CrossModalClassifier(words(), ["yellow"], mapping=LinearMap(alpha=1e-6), random_state=0)
    model.fit(X.mean(axis=(1, 2)) / 255, np.repeat(SEEN, 30))
    model.about_ = {"data": "colours", "scores": {"n_images": 3}, "scored_on": "others"}
    folder = tmp_path / "models"
    folder.mkdir()
    return Session(model, "colours", save_to=folder)


def test_what_is_saved_is_what_was_seen(on_features: Session) -> None:
    on_features.teach("cyan")
    on_features.set_threshold(2.0)
    assert on_features.is_changed
    place = on_features.save("with cyan-2.0")
    assert place == on_features.save_to / "with cyan-2.0"
    assert not on_features.is_changed
    loaded = load_model(place)
    shown = on_features.state.model
    assert loaded.classes_.tolist() == [*SEEN, "yellow", "cyan"]
    points = np.random.default_rng(0).random((20, 3))
    np.testing.assert_array_equal(loaded.predict_proba(points), shown.predict_proba(points))
    assert loaded.about_ == {"data": "colours"}  # the scores are of another model


def test_scores_stay_with_a_model_that_is_the_same(on_features: Session) -> None:
    on_features.teach("cyan")
    on_features.undo()
    assert not on_features.is_changed
    assert load_model(on_features.save("same")).about_["scores"] == {"n_images": 3}


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../up", "a/b", "a\\b", "/etc/x", ".hidden", "a\0b", "x" * 101, "a ", "a.",
     " a", "~", "a\n", "con:", "-rf"],
)  # fmt: skip
def test_a_name_is_no_path(on_features: Session, name: str) -> None:
    with pytest.raises(InputError, match="no plain name"):
        on_features.save(name)
    assert list(on_features.save_to.iterdir()) == []
    assert [path.name for path in on_features.save_to.parent.iterdir()] == ["models"]


@pytest.mark.parametrize("name", ["a", "Zebra 2", "modèle-été", "v1.2_final", "模型"])
def test_plain_names(on_features: Session, name: str) -> None:
    assert on_features.save(name).name == name


def test_what_exists_is_refused(on_features: Session) -> None:
    on_features.save("once")
    with pytest.raises(InputError, match="exists already"):
        on_features.save("once")


def test_a_folder_that_is_gone_is_said_to_be(on_features: Session) -> None:
    shutil.rmtree(on_features.save_to)
    with pytest.raises(InputError, match="is gone"):
        on_features.save("late")
    assert not on_features.save_to.exists()
    assert on_features.teach("cyan").classes[-1] == "cyan"  # from memory, as before


def test_a_model_with_a_foreign_encoder_says_why_it_cannot_be_saved(client: TestClient) -> None:
    # that of the tests is a function, which no file can hold; the model is saved without it
    told = json_of(client.post("/api/save", json={"name": "new"}))
    assert told["path"].endswith("new")
    assert "exists already" in json_of(client.post("/api/save", json={"name": "new"}), 400)["error"]


def test_a_model_of_ready_features_cannot_see_pictures(on_features: Session) -> None:
    with TestClient(create_app(on_features), base_url=ADDRESS) as client:
        told = json_of(client.post("/api/classify", content=picture()), 400)
        assert "ready features" in told["error"]
        assert json_of(client.post("/api/teach", json={"name": "cyan"}))["can_undo"] is True


# reading while something changes


def test_who_reads_while_a_class_is_taught_sees_one_state_or_the_other(
    session: Session, gallery: Gallery
) -> None:
    layouts = Layouts.of(session.model, gallery, kind="pca")
    expected: dict[tuple[str, ...], Any] = {}

    def look() -> tuple[tuple[str, ...], Any]:
        state = session.state
        told: list[dict[str, object]] = [
            dict(map_view(state, layouts, session.model)),
            dict(gate_view(state)),
        ]
        for view in told:
            view.pop("revision")
        return tuple(state.classes), told

    for change in (lambda: None, lambda: session.teach("cyan"), session.undo):
        change()
        classes, told = look()
        expected[classes] = told

    seen, stop = [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(look())

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(20):
        session.teach("cyan")
        time.sleep(0.005)  # the readers' turn
        session.undo()
        time.sleep(0.005)
    stop.set()
    for reader in readers:
        reader.join()
    assert {classes for classes, _told in seen} == set(expected)
    for classes, told in seen:
        assert told == expected[classes]


def test_changes_at_once_all_happen(session: Session) -> None:
    names = ["cyan", "dark", "blue green", "red blue", "red green"]
    workers = [threading.Thread(target=session.teach, args=(name,)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(session.state.classes) == {*SEEN, "yellow", *names}
    assert session.state.revision == len(names)
