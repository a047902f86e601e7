"""``wordsight ask``, ``explain`` and ``classes``: questions to a model on the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.runs import SEEN, UNSEEN, Runner, check_failed, contents
from wordsight import load_model, open_dataset
from wordsight.exploration.asking import ask
from wordsight.exploration.gallery import Gallery


@pytest.fixture
def image(scenes: Path) -> Path:
    return scenes / "test" / "red circle" / "00000.png"


def test_ask_prints_what_the_library_answers(scenes: Path, model: Path, run: Runner) -> None:
    done = run("ask", model, scenes, "red", "-n", "7", "--nearest", "3", "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    loaded = load_model(model)
    gallery = Gallery.of(loaded, open_dataset(scenes, split="test"))
    answer = ask(loaded, gallery, "red", 7)
    assert [one["name"] for one in found["images"]] == [gallery.name(i) for i in answer.indices]
    assert gallery.labels is not None
    assert [one["label"] for one in found["images"]] == gallery.labels[answer.indices].tolist()
    assert tuple(found["average_colour"]) == answer.average_colour
    assert [one["word"] for one in found["nearest_words"]] == [
        word for word, _ in answer.nearest_words[:3]
    ]
    assert (found["n_images"], found["broken"], found["parts"]) == (30, [], [])


def test_ask_draws_a_contact_sheet_and_a_prototype(
    scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    sheet, drawn = tmp_path / "sheet.png", tmp_path / "word.png"
    arguments = ("ask", model, scenes, "red", "--images", 4, "--out", sheet, "--prototype", drawn)
    done = run(*arguments)
    assert done.code == 0, done.err
    assert "average colour" in done.out
    assert f"Wrote {sheet}." in done.err
    with Image.open(sheet) as picture:
        assert (picture.format, picture.width) == ("PNG", 4 * 134 + 6)
    expected = load_model(model).prototype("red")
    with Image.open(drawn) as picture:
        factor = picture.width // expected.shape[1]
        assert factor > 1
        np.testing.assert_array_equal(np.asarray(picture)[::factor, ::factor], expected)
    check_failed(run(*arguments), 2, "exists already")
    assert run(*arguments, "--overwrite").code == 0
    assert contents(tmp_path) == {"sheet.png", "word.png"}


def test_ask_of_a_composed_name(scenes: Path, model: Path, run: Runner) -> None:
    done = run("ask", model, scenes, "yellow star", "-n", "2", "--limit", "5")
    assert done.code == 0, done.err
    assert "'yellow star', the mean of yellow and star, of 5" in done.out


def test_ask_leaves_broken_images_out(
    scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    shutil.copytree(scenes / "test", tmp_path / "photos")
    broken = tmp_path / "photos" / "blue star" / "00001.png"
    broken.write_bytes(b"not an image")
    done = run("ask", model, tmp_path / "photos", "red", "--json")
    assert done.code == 0
    assert "1 images cannot be read" in done.err
    found = json.loads(done.out)
    assert found["n_images"] == 29
    assert [one["name"] for one in found["broken"]] == [str(broken)]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("crimsonn",), 2, "near: crimson"),
        (("red", "--out", "sheet.jpg"), 2, "ends in .png"),
        (("red", "--split", "val"), 2, "val"),
    ],
)
def test_what_ask_refuses(
    scenes: Path, model: Path, run: Runner, options: tuple[str, ...], code: int, said: str
) -> None:
    check_failed(run("ask", model, scenes, *options), code, said)


def test_explain_tells_every_factor(scenes: Path, model: Path, image: Path, run: Runner) -> None:
    done = run("explain", model, image, "--data", scenes, "--nearest", 4, "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    recognised = load_model(model).recognise(open_dataset([image]))
    shares = {one["name"]: one["probability"] for one in found["classes"]}
    for name, expected in zip(recognised.classes.tolist(), recognised.proba[0], strict=True):
        assert shares[name] == pytest.approx(expected, abs=1e-6)
    assert found["label"] == recognised.label[0]
    assert found["is_novel"] == (found["novelty_score"] > 0)
    assert found["score"] == pytest.approx(found["threshold"] - found["novelty_score"])
    assert len(found["nearest_words"]) == len(found["nearest_images"]) == 4
    near = {one["name"] for one in found["nearest_images"]}
    assert all("/train/" in name for name in near)


def test_explain_prints_tables_and_draws_a_picture(
    scenes: Path, model: Path, image: Path, tmp_path: Path, run: Runner
) -> None:
    out = tmp_path / "why.png"
    done = run("explain", model, image, "--data", scenes, "--out", out)
    assert done.code == 0, done.err
    for words in ("p(class | image)", "verdict", "novel below", "nearest words", "mapped nearest"):
        assert words in done.out
    with Image.open(out) as picture:
        assert picture.format == "PNG"
    alone = run("explain", model, image)
    assert alone.code == 0
    assert "mapped nearest" not in alone.out


def test_what_explain_refuses(model: Path, tmp_path: Path, run: Runner) -> None:
    broken = tmp_path / "torn.png"
    broken.write_bytes(b"%PDF-1.4")
    check_failed(run("explain", model, broken), 1, "torn.png")
    check_failed(run("explain", model, tmp_path / "none.png"), 1, "none.png")
    check_failed(run("explain", model, broken, "--out", tmp_path / "why.txt"), 2, "ends in .png")


def test_classes_are_listed(model: Path, run: Runner) -> None:
    found = json.loads(run("classes", model, "--nearest", 2, "--json").out)
    assert [(one["name"], one["kind"]) for one in found] == [
        *((name, "seen") for name in SEEN),
        *((name, "unseen") for name in UNSEEN),
    ]
    assert [one["training_images"] for one in found] == [20] * 4 + [0] * 2
    near = [[pair["word"] for pair in one["nearest_words"]] for one in found]
    assert all(len(words) == 2 for words in near)
    for name, words in zip([*SEEN, *UNSEEN], near, strict=True):
        assert not set(name.split()) & set(words)
    shown = run("classes", model)
    assert (shown.code, shown.err) == (0, "")
    assert "nearest words" in shown.out


def test_classes_are_added_and_removed_in_a_new_model(
    scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    out = tmp_path / "new"
    done = run(
        "classes", model, "--add", "zebra,yellow heart", "--remove", "gold star", "--out", out
    )
    assert done.code == 0, done.err
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    changed = load_model(out)
    assert changed.unseen_.tolist() == ["red circle", "zebra", "yellow heart"]
    expected = (
        load_model(model).remove_classes(["gold star"]).add_classes(["zebra", "yellow heart"])
    )
    images = open_dataset(scenes, split="test")
    np.testing.assert_array_equal(changed.predict_proba(images), expected.predict_proba(images))
    assert changed.about_["class_counts"] == expected.about_["class_counts"]
    check_failed(run("classes", model, "--add", "horse", "--out", out), 2, "exists already")
    assert run("classes", out, "--add", "horse", "--out", out, "--overwrite").code == 0
    assert load_model(out).unseen_.tolist()[-1] == "horse"


def test_scores_of_other_classes_are_not_kept(
    scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    scored = tmp_path / "scored"
    shutil.copytree(model, scored)
    assert run("evaluate", scored, scenes, "--update-card", "--json").code == 0
    assert "scores" in load_model(scored).about_
    assert run("classes", scored, "--add", "zebra", "--out", tmp_path / "new").code == 0
    about = load_model(tmp_path / "new").about_
    assert not {"scores", "scored_on"} & set(about)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--add", "zebra"), "--out"),
        (("--out", "new"), "--add"),
        (("--add", "red circle", "--out", "new"), "class of the model already"),
        (("--add", "zebrra", "--out", "new"), "near: zebra"),
        (("--remove", "blue star", "--out", "new"), "seen class"),
        (("--remove", "zebra", "--out", "new"), "not a class of the model"),
        (("--also-described", "about.yaml", "--out", "new"), "--text-model"),
    ],
)
def test_what_classes_refuses(
    model: Path,
    run: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    check_failed(run("classes", model, *options), 2, said)
    assert contents(tmp_path) == set()


def test_a_model_is_not_changed_in_place_unless_asked(model: Path, run: Runner) -> None:
    check_failed(run("classes", model, "--add", "zebra", "--out", model), 2, "--overwrite")
