"""Bad input as the command line sees it: one sentence, the right code, nothing half-written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cli.runs import SEEN, SMALL, UNSEEN, Run, Runner, check_failed, contents
from wordsight import CrossModalClassifier, load_model
from wordsight.exceptions import InputError

Fit = Callable[..., Run]


@pytest.fixture
def fit(tmp_path: Path, run: Runner) -> Fit:
    """A fit that must fail, and leave nothing."""

    def runner(*arguments: object) -> Run:
        before = contents(tmp_path)
        done = run("fit", *arguments, "--out", tmp_path / "model", *SMALL)
        assert contents(tmp_path) == before
        return done

    return runner


def write_pictures(folder: Path, counts: dict[str, int]) -> Path:
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        rng = np.random.default_rng(len(name))
        for number in range(count):
            pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_a_class_of_the_data_without_a_vector(tmp_path: Path, fit: Fit) -> None:
    data = write_pictures(tmp_path / "data", {"cat": 3, "dog": 3, "aeroplanne": 3})
    for way in (), ("--on-missing", "compose"), ("--on-missing", "error"):
        check_failed(fit(data, *way), 2, "'aeroplanne'", "near: aeroplane", "--on-missing skip")


def test_an_unseen_class_without_a_vector(scenes: Path, fit: Fit) -> None:
    check_failed(fit(scenes, "--unseen", "zebbra"), 2, "'zebbra'", "near: zebra")
    done = fit(scenes, "--unseen", "pickup truck", "--on-missing", "error")
    check_failed(done, 2, "'pickup truck'", "--on-missing")


def test_every_class_named_unseen(scenes: Path, fit: Fit) -> None:
    check_failed(fit(scenes, "--unseen", ",".join([*SEEN, *UNSEEN])), 2, "every class", "two")


def test_one_class_only(scenes: Path, fit: Fit) -> None:
    done = fit(scenes, "--unseen", ",".join([*SEEN[1:], *UNSEEN]))
    check_failed(done, 2, "only one class", SEEN[0], "at least two")


def test_no_images(tmp_path: Path, fit: Fit) -> None:
    check_failed(fit(tmp_path / "none"), 2, "there is no file or folder")
    (tmp_path / "empty").mkdir()
    check_failed(fit(tmp_path / "empty"), 2, "no images")
    data = write_pictures(tmp_path / "data", {"cat": 2, "dog": 2})
    for path in data.rglob("*.png"):
        path.write_bytes(b"")
    check_failed(fit(data, "--on-broken", "skip"), 2, "no image is left", "4 cannot be read")


def test_images_without_labels(scenes: Path, fit: Fit) -> None:
    check_failed(fit(scenes / "test" / "red star"), 2, "no labels")


def test_fewer_images_than_neighbours(tmp_path: Path, fit: Fit) -> None:
    data = write_pictures(tmp_path / "data", {"cat": 10, "dog": 10})
    arguments = (data, "--novelty", "loop", "--calibration-fraction", "0.3")
    check_failed(fit(*arguments), 2, "20 nearest", "14 training images")


def test_too_few_images_for_the_threshold(tmp_path: Path, fit: Fit) -> None:
    data = write_pictures(tmp_path / "data", {"cat": 10, "dog": 10})
    check_failed(fit(data), 2, "false_novel_rate=0.2", "1/3")
    data = write_pictures(tmp_path / "few", {"cat": 2, "dog": 2})
    check_failed(fit(data), 2, "holds out none")


@pytest.mark.parametrize(
    ("unseen", "said"),
    [
        ("Red_Circle", "'red circle'"),
        ("zebra,zebra", "twice"),
        ("zebra,,bear", "empty name"),
    ],
)
def test_unseen_names_that_are_slips(scenes: Path, fit: Fit, unseen: str, said: str) -> None:
    check_failed(fit(scenes, "--unseen", unseen), 2, said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--split", "holdout"), "no split 'holdout'"),
        (("--alpha", "-1"), "--alpha -1"),
        (("--alpha", "some"), "--alpha some"),
        (("--alpha", "nan"), "--alpha nan"),
        (("--map", "two-layer", "--hidden", "0"), "n_hidden=0"),
        (("--map", "two-layer", "--weight-decay", "-1"), "weight_decay=-1"),
        (("--image-size", "6"), "7 × 7"),
        (("--image-size", "0"), "0"),
        (("--atoms", "0"), "n_atoms=0"),
        (("--patches", "-1"), "n_patches=-1"),
        (("--patches", "10"), "10 patches"),
        (("--false-novel-rate", "0"), "false_novel_rate"),
        (("--false-novel-rate", "1.5"), "false_novel_rate"),
        (("--calibration-fraction", "1"), "calibration_fraction=1"),
        (("--softmax-alpha", "0"), "alpha"),
        (("--device", "abacus"), "'abacus'"),
        (("--device", "meta"), "'meta'"),
        (("--words", "none.txt"), "none.txt"),
        (("--seed", "-1"), "-1"),
    ],
)
def test_options_out_of_range(
    scenes: Path, tmp_path: Path, run: Runner, options: tuple[str, ...], said: str
) -> None:
    done = run("fit", scenes, "--out", tmp_path / "model", *SMALL, *options)
    check_failed_at_once(done, said)
    assert list(tmp_path.iterdir()) == []


def check_failed_at_once(run: Run, said: str) -> None:
    assert run.code == 2, run.err
    assert len(run.errors) == 1
    assert "Traceback" not in run.err
    assert said in run.errors[0]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((4, 16, 16, 3), dtype=np.float32), "float32"),
        (np.zeros((4, 3, 16, 16), dtype=np.uint8), "transpose"),
        (np.zeros((4, 16), dtype=np.uint8), "(4, 16)"),
        (np.zeros((4, 16, 16, 3), dtype=object), "objects"),
        (np.zeros((0, 16, 16, 3), dtype=np.uint8), "no images"),
    ],
)
def test_arrays_of_another_kind(
    model: Path, tmp_path: Path, run: Runner, images: NDArray[np.generic], said: str
) -> None:  # fmt: skip
    path = tmp_path / "images.npy"
    np.save(path, images)
    check_failed(run("data", "info", path), 2, said)
    done = run("fit", path, "--out", tmp_path / "model", *SMALL)
    check_failed(done, 2, said)
    done = run("predict", model, path, "--out", tmp_path / "out.csv")
    check_failed(done, 1, "none of the 1 images")
    assert said in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_features_that_are_not_finite() -> None:
    rng = np.random.default_rng(0)
    words = {"cat": rng.normal(size=4), "dog": rng.normal(size=4)}
    X, y = rng.normal(size=(60, 5)), np.repeat(["cat", "dog"], 30)
    fitted = CrossModalClassifier(words, random_state=0, false_novel_rate=0.2).fit(X, y)
    for value in (np.nan, np.inf):
        bad = X.copy()
        bad[3, 1] = value
        with pytest.raises(InputError, match=r"NaN|inf") as caught:
            CrossModalClassifier(words).fit(bad, y)
        assert "\n" not in str(caught.value)
        with pytest.raises(InputError, match=r"NaN|inf"):
            fitted.predict(bad)


def test_images_of_another_size_in_python(model: Path) -> None:
    with pytest.raises(InputError, match="16 × 16"):
        load_model(model).predict(np.zeros((2, 20, 20, 3), dtype=np.uint8))
    with pytest.raises(InputError, match="uint8"):
        load_model(model).predict(np.zeros((2, 16, 16, 3), dtype=np.float32))


def test_vectors_of_another_dimension(
    scenes: Path, model: Path, tmp_path: Path, class_words: Path, run: Runner
) -> None:
    out = tmp_path / "out.csv"
    arguments = ("--words", class_words, "--also", "zebra", "--out", out)
    done = run("predict", model, scenes / "test", *arguments)
    check_failed(done, 2, "3 dimensions", "50")
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("--also", "red star", "class of the model already"),
        ("--also", "zebbra", "zebra"),
        ("--among", "zebra", "blue circle"),
        ("--among", "", "blue circle"),
    ],
)
def test_classes_that_a_model_cannot_have(
    scenes: Path, model: Path, tmp_path: Path, run: Runner, option: str, name: str, said: str
) -> None:
    out = tmp_path / "out.csv"
    done = run("predict", model, scenes / "test", option, name, "--out", out)
    check_failed(done, 2, said)
    assert "missing" not in done.err  # an option that predict does not have
    assert not out.exists()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_to_nan(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-4:] = b"\x00\x00\xc0\x7f"
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated weights": lambda model: truncate(model / "model.safetensors"),
    "empty weights": lambda model: (model / "model.safetensors").write_bytes(b""),
    "no weights": lambda model: (model / "model.safetensors").unlink(),
    "weights that are no weights": lambda model: (model / "model.safetensors").write_bytes(
        b"GIF89a" * 50
    ),
    "truncated configuration": lambda model: truncate(model / "config.json"),
    "no configuration": lambda model: (model / "config.json").unlink(),
    "foreign configuration": lambda model: (model / "config.json").write_text(
        '{"model_type": "bert"}', encoding="utf-8"
    ),
    "another version": lambda model: edit(model, version=99),
    "another number of classes": lambda model: edit(model, seen=["red", "blue"]),
    "no parts": lambda model: edit(model, parts={}),
    "numbers of another kind": lambda model: edit(model, n_features="many"),
}


def edit(model: Path, **changes: object) -> None:
    path = model / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, **changes}), encoding="utf-8")


@pytest.mark.parametrize("damage", DAMAGE)
def test_model_directories_that_are_damaged_or_foreign(
    scenes: Path, model: Path, tmp_path: Path, run: Runner, damage: str
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    DAMAGE[damage](copy)
    out = tmp_path / "out.csv"
    check_failed(run("info", copy), 1, str(copy))
    check_failed(run("evaluate", copy, scenes, "--json"), 1, str(copy))
    check_failed(run("predict", copy, scenes, "--out", out), 1, str(copy))
    assert not out.exists()


def test_no_model_at_all(scenes: Path, tmp_path: Path, run: Runner) -> None:
    for path in (tmp_path / "none", scenes):
        done = run("predict", "--model", path, scenes)
        check_failed(done, 2 if path != scenes else 1, str(path), "wordsight fit")
    # without --model, what is there and is no model is taken for images: see test_cli_predict
    check_failed(run("predict", tmp_path / "none", scenes), 2, "none", "wordsight fit")


def test_an_output_in_a_file_is_refused_before_the_work(
    scenes: Path, tmp_path: Path, run: Runner
) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = run("fit", scenes, "--out", tmp_path / "file" / "model", *SMALL)
    check_failed(done, 1, "cannot write")
    assert "Learning" not in done.err
    check_failed(run("fit", scenes, "--out", tmp_path / "file", *SMALL), 2, "exists already")
    assert contents(tmp_path) == {"file"}


def test_a_cache_that_is_a_file(scenes: Path, tmp_path: Path, run: Runner) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    done = run("fit", scenes, "--out", tmp_path / "model", *SMALL, "--cache", tmp_path / "mine")
    check_failed(done, 2, "is a file; name a folder for the cache")
    assert contents(tmp_path) == {"mine"}
