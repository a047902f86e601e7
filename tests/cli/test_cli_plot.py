"""``wordsight plot``: files and their places, what is refused before the work, cards."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from cli.runs import Runner, check_failed, contents

KINDS = ["filters", "words", "map", "curve", "confusion", "reliability"]


def test_all_pictures_go_into_a_folder(
    scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    done = run("plot", model, scenes, "--out", tmp_path / "new", "--layout", "pca", "--dpi", "60")
    assert (done.code, done.err) == (0, "")
    expected = {f"{kind}.png" for kind in KINDS}
    assert contents(tmp_path / "new") == expected
    assert {Path(line).name for line in done.out.splitlines()} == expected
    for path in (tmp_path / "new").iterdir():
        with Image.open(path) as image:
            assert image.width == int(16 / 2.54 * 60)


def test_a_file_by_its_ending(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "deep" / "curve.SVG"
    done = run("plot", model, scenes, "--what", "curve", "--out", out, "--title", "My <own> title")
    assert (done.code, done.out) == (0, f"{out}\n")
    assert "My <own> title" in "".join(ElementTree.parse(out).getroot().itertext())
    pdf = tmp_path / "words.pdf"
    done = run("plot", model, "--what", "words", "--out", pdf, "--width", "9", "--json")
    (found,) = json.loads(done.out)
    assert (found["what"], found["path"]) == ("words", str(pdf))
    assert found["numbers"]["n_classes"] == 6
    assert pdf.read_bytes().startswith(b"%PDF")


def test_the_same_command_writes_the_same_bytes(
    scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    for name in ("one", "two"):
        arguments = ("--what", "map,confusion", "--format", "svg", "--limit", "20", "--seed", "3")
        assert run("plot", model, scenes, *arguments, "--out", tmp_path / name).code == 0
    for name in ("map.svg", "confusion.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_shows_the_model_alone_needs_no_data(model: Path, tmp_path: Path, run: Runner) -> None:
    assert run("plot", model, "--out", tmp_path / "new", "--dpi", "50").code == 0
    assert contents(tmp_path / "new") == {"filters.png", "words.png"}


def test_pictures_that_exist_are_kept_or_replaced(model: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "new"
    out.mkdir()
    (out / "words.png").write_text("mine")
    (out / "notes.txt").write_text("mine")
    arguments = ("plot", model, "--what", "filters,words", "--out", out, "--dpi", "50")
    check_failed(run(*arguments), 2, "words.png exists already")
    assert contents(out) == {"words.png", "notes.txt"}
    assert run(*arguments, "--overwrite").code == 0
    assert contents(out) == {"words.png", "filters.png", "notes.txt"}
    assert (out / "notes.txt").read_text() == "mine"
    with Image.open(out / "words.png") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--what", "hearts"), "--what hearts was given; expected one of: map, curve"),
        (("--what", "curve"), "no data were given; name them after the model"),
        (("--what", "words", "--out", "words.jpg"), "expected a name that ends in .png, .svg"),
        (("--out", "both.png"), "one file for 2 pictures (filters, words)"),
        (("--title", "Mine"), "--title was given for 2 pictures"),
        (("--width", "100", "--dpi", "1200"), "are 47,244 pixels; give less, 12,000 at most"),
    ],
)
def test_what_is_refused_before_the_work(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    run: Runner,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    check_failed(run("plot", "no-model", *arguments), 2, said)
    assert not list(tmp_path.iterdir())


def test_data_that_do_not_do(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    out = ("--out", tmp_path / "new.png")
    flat = scenes / "test" / "red star"
    check_failed(run("plot", model, flat, "--what", "map", *out), 2, "no labels")
    for name in ("blue star", "gold circle"):
        shutil.copytree(scenes / "test" / name, tmp_path / "seen" / name)
    done = run("plot", model, tmp_path / "seen", "--what", "curve", *out)
    check_failed(done, 2, "none of the images is of an unseen class")
    assert not (tmp_path / "new.png").exists()
    # where all are asked for, the one that cannot be is left out, and said to be
    done = run("plot", model, tmp_path / "seen", "--out", tmp_path / "all", "--dpi", "50")
    assert done.code == 0
    assert "Left out curve: " in done.err
    assert len(contents(tmp_path / "all")) == 5


def test_broken_images_are_named(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    data = tmp_path / "data"
    shutil.copytree(scenes / "test", data)
    (data / "blue star" / "00002.png").write_bytes(b"")
    arguments = ("plot", model, data, "--what", "confusion", "--out", tmp_path / "c.png")
    check_failed(run(*arguments), 1, "00002.png", "--on-broken skip")
    done = run(*arguments, "--on-broken", "skip", "--cache", tmp_path / "cache")
    assert done.code == 0
    assert "1 images cannot be read" in done.err
    assert (tmp_path / "cache").is_dir()


def test_a_card_with_pictures(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    assert run("evaluate", copy, scenes, "--update-card").code == 0
    four = {f"{kind}.png" for kind in ("curve", "confusion", "map", "reliability")}
    assert contents(copy / "pictures") == four
    assert "![" in (copy / "README.md").read_text(encoding="utf-8")
    assert "confusion, curve, map, reliability" in run("info", copy).out
    assert "pictures" not in run("info", model).out
    first = {path.name: path.read_bytes() for path in (copy / "pictures").iterdir()}
    assert run("evaluate", copy, scenes, "--update-card").code == 0  # it may be replaced again
    assert {path.name: path.read_bytes() for path in (copy / "pictures").iterdir()} == first
