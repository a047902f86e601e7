"""The model in the box: small, whole, from nowhere in particular, and as good as it says."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wordsight import load_model, open_dataset
from wordsight.box import BOX, about_box, box_models, is_model_directory, model_directory
from wordsight.evaluation import evaluate
from wordsight.exceptions import InputError

HERE = model_directory(BOX)
CONFIG: dict[str, Any] = json.loads((HERE / "config.json").read_text("utf-8"))
LIMIT = 3_000_000
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any, **_options: Any) -> Any:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def test_it_is_small_and_complete() -> None:
    assert box_models() == [BOX]
    files = {path.name: path.stat().st_size for path in HERE.iterdir()}
    assert set(files) == {"config.json", "model.safetensors", "README.md"}
    assert sum(files.values()) <= LIMIT
    assert CONFIG["precision"] == "float16"


def test_it_knows_the_ten_classes_and_takes_the_words_of_the_package(offline: None) -> None:
    model = load_model(BOX)
    assert tuple(model.seen_) == CLASSES
    assert CONFIG["words"]["kept"] == "default"
    model.add_classes(["zebra", "bicycle"])
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    found = model.recognise(images)
    assert found.proba.shape == (3, 12)
    np.testing.assert_allclose(found.proba.sum(1), 1.0)


def test_it_tells_nothing_of_the_machine_it_was_made_on() -> None:
    for name in ("config.json", "README.md"):
        text = (HERE / name).read_text("utf-8")
        assert not re.search(r"(?<![\w.:/])/(work|home|root|tmp|Users|mnt|data)\b", text)


def test_the_card_and_the_sentence_tell_its_numbers() -> None:
    scores = CONFIG["about"]["scores"]
    card = (HERE / "README.md").read_text("utf-8")
    assert f"| overall accuracy | {scores['overall_accuracy']:.3f} |" in card
    assert f"On {scores['n_images']} test images" in card
    said = about_box()
    for part in ("32 × 32", "50000", "airplane", f"{scores['overall_accuracy']:.0%} of 10000"):
        assert part in said


@pytest.mark.slow
def test_it_is_as_accurate_as_its_card_says(real_data: Path) -> None:
    scores = CONFIG["about"]["scores"]
    found = evaluate(load_model(BOX), open_dataset(real_data / "cifar10", split="test"))
    for name in ("overall_accuracy", "seen_called_novel"):
        assert found[name] == pytest.approx(scores[name], abs=0.005), name


def test_names(tmp_path: Path) -> None:
    assert model_directory(tmp_path / "model") == tmp_path / "model"
    assert model_directory("model") == Path("model")
    for name in ("box:", "box:imagenet", "box:../cifar10"):
        with pytest.raises(InputError, match=f"no model '{name}'.*expected {BOX}"):
            model_directory(name)
    assert is_model_directory(HERE)
    assert not is_model_directory(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    assert not is_model_directory(tmp_path)
    (tmp_path / "config.json").write_text('{"format": "wordsight-model"}')
    assert is_model_directory(tmp_path)
