"""The model in the box on the command line: used where none is named, and known by its name."""

import json
import re
import shlex
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.runs import Runner, check_failed
from wordsight.box import BOX, about_box, model_directory

HERE = model_directory(BOX)
CONFIG: dict[str, Any] = json.loads((HERE / "config.json").read_text("utf-8"))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any, **_options: Any) -> Any:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Larger than the model's images, and not square."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    path = tmp_path / "photo.jpg"
    Image.fromarray(pixels).save(path)
    return path


def test_a_photograph_right_after_installation(
    photo: Path, tmp_path: Path, run: Runner, offline: None
) -> None:
    done = run("predict", photo, "--also", "zebra,bicycle", "--json")
    assert done.code == 0, done.err
    (row,) = map(json.loads, done.out.splitlines())
    assert row["label"] in {*CONFIG["seen"], "zebra", "bicycle"}
    assert 0.0 < row["probability"] <= 1.0
    assert len(row["nearest_words"]) == 5
    assert done.err == f"Using {about_box()}.\n"
    assert run("predict", photo, "--quiet", "--json").err == ""
    # named, in any of the ways, it is the same one
    for arguments in ((BOX, photo), ("--model", BOX, photo), ("--model", HERE, photo),
                      (HERE, photo)):  # fmt: skip
        again = run("predict", *arguments, "--also", "zebra,bicycle", "--json")
        assert (again.code, again.out) == (0, done.out)


def test_folders_and_patterns_need_no_model_either(
    photo: Path, tmp_path: Path, run: Runner
) -> None:
    for given in (tmp_path, f"{tmp_path}/*.jpg"):
        done = run("predict", given, "--json")
        assert (done.code, json.loads(done.out)["path"]) == (0, str(photo))
        assert "model in the box" in done.err


def test_it_is_not_used_for_a_model_that_is_not_there(
    photo: Path, tmp_path: Path, run: Runner
) -> None:
    done = run("predict", tmp_path / "modle", photo)
    check_failed(done, 2, "there is no model at", "modle")
    (tmp_path / "empty").mkdir()
    check_failed(run("predict", tmp_path / "empty", photo), 1, "empty", "holds no Wordsight model")
    check_failed(run("predict", "box:other", photo), 2, "box:other", BOX)
    check_failed(run("predict", HERE), 2, "is a model", "no images were named")


def test_a_folder_that_is_a_model_and_images(photo: Path, tmp_path: Path, run: Runner) -> None:
    both = tmp_path / "both"
    both.mkdir()
    for name in ("config.json", "model.safetensors", "README.md"):
        (both / name).write_bytes((HERE / name).read_bytes())
    (both / "mine.jpg").write_bytes(photo.read_bytes())
    check_failed(run("predict", both, photo), 2, "a model and images (mine.jpg)", "--model")
    check_failed(run("predict", both), 2, "no images were named", "--model")
    assert run("predict", "--model", both, photo, "--json").code == 0
    done = run("predict", "--model", BOX, both, "--json")
    assert json.loads(done.out)["path"] == str(both / "mine.jpg")
    # pictures of its card are no images to predict
    (both / "README.md").write_text("![a curve](mine.jpg)")
    assert run("predict", both, photo, "--json").code == 0


def test_other_commands_know_its_name(photo: Path, tmp_path: Path, run: Runner) -> None:
    done = run("info", BOX)
    assert done.code == 0
    assert "float16" in done.out
    assert json.loads(run("info", BOX, "--json").out) == CONFIG
    done = run("evaluate", BOX, tmp_path, "--update-card")
    check_failed(done, 2, "comes with the package")


def test_the_commands_and_the_python_of_its_page_run(
    photo: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    page = (Path(__file__).parents[2] / "docs" / "box-model.md").read_text("utf-8")
    commands = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
        for line in block.splitlines()
        if not line.startswith("make ")  # takes hours
    ]
    assert len(commands) == 3
    for command in commands:
        done = run(*shlex.split(command)[1:])
        assert done.code == 0, done.err
    assert f"Using {about_box()}.\n" in page
    (python,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    here: dict[str, Any] = {}
    exec(python, here)
    assert here["model"].unseen_.tolist() == ["zebra", "bicycle"]
