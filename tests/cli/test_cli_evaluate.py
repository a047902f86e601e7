"""``wordsight evaluate``: the numbers against those computed by hand from the predictions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score

from cli.runs import SEEN, UNSEEN, Runner, check_failed
from wordsight import load_model
from wordsight.data.scenes import make_scenes

REQUIRED = {
    "seen_only_accuracy", "unseen_only_accuracy", "seen_accuracy", "unseen_accuracy",
    "harmonic_mean", "overall_accuracy", "ausuc", "unseen_at_70_seen", "novelty_auroc",
    "per_class", "n_images", "seconds",
}  # fmt: skip


def test_json_is_one_object_with_the_right_numbers(
    scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    out = tmp_path / "scores.json"
    done = run("evaluate", model, scenes, "--json", "--out", out, "--device", "cpu")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert json.loads(out.read_text(encoding="utf-8")) == found
    assert found.keys() >= REQUIRED
    assert found["n_images"] == 30
    assert (found["n_skipped"], found["n_broken"]) == (0, 0)
    assert found["seconds"] > 0

    # the same pictures from memory, scored by scikit-learn
    images, y = make_scenes(5, [*SEEN, *UNSEEN], image_size=(16, 16), split="test")
    said = load_model(model).recognise(images)
    seen, unseen = np.isin(y, SEEN), np.isin(y, UNSEEN)
    predicted = said.proba.argmax(1)
    names = np.array([*SEEN, *UNSEEN])
    per_class = [np.mean(names[predicted][y == name] == name) for name in names]
    assert list(found["per_class"]) == names.tolist()
    assert list(found["per_class"].values()) == pytest.approx(per_class)
    assert found["overall_accuracy"] == pytest.approx(np.mean(per_class))
    assert found["seen_accuracy"] == pytest.approx(np.mean(per_class[:4]))
    assert found["unseen_accuracy"] == pytest.approx(np.mean(per_class[4:]))
    assert found["seen_only_accuracy"] == pytest.approx(
        balanced_accuracy_score(y[seen], np.array(SEEN)[said.seen_proba[seen].argmax(1)])
    )
    assert found["unseen_only_accuracy"] == pytest.approx(
        balanced_accuracy_score(y[unseen], np.array(UNSEEN)[said.unseen_proba[unseen].argmax(1)])
    )
    assert found["novelty_auroc"] == pytest.approx(roc_auc_score(unseen, said.novelty_score))
    assert (
        found["confusion"]["matrix"] == confusion_matrix(y, names[predicted], labels=names).tolist()
    )
    assert found["chance"] == {"seen_only": 1 / 4, "unseen_only": 1 / 2, "all": 1 / 6}


def test_a_table_with_chance_beside(scenes: Path, model: Path, run: Runner) -> None:
    done = run("evaluate", model, scenes, "--split", "test")
    assert (done.code, done.err) == (0, "")
    for said in ("30 images", "chance", "0.250", "0.500", "0.167", "red circle", "AUSUC"):
        assert said in done.out


def test_what_is_undefined_is_null(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    for name in ("blue star", "gold circle"):
        shutil.copytree(scenes / "test" / name, tmp_path / "seen" / name)
    done = run("evaluate", model, tmp_path / "seen", "--json")
    assert done.code == 0
    assert "no test split" in done.err
    found = json.loads(done.out)
    assert found["seen_only_accuracy"] is not None
    for name in ("unseen_accuracy", "unseen_only_accuracy", "ausuc", "novelty_auroc"):
        assert found[name] is None
    assert found["per_class"]["red circle"] is None
    assert "–" in run("evaluate", model, tmp_path / "seen").out


def test_strange_classes_and_broken_images_are_counted(
    scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    data = tmp_path / "data"
    shutil.copytree(scenes / "test", data)
    (data / "red star").rename(data / "green [bold]square")
    (data / "blue star" / "00002.png").write_bytes(b"")
    check_failed(run("evaluate", model, data), 1, "00002.png", "--on-broken skip")
    done = run("evaluate", model, data, "--on-broken", "skip", "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["n_images"] == 30 - 5 - 1
    assert (found["n_skipped"], found["skipped"]) == (5, {"green [bold]square": 5})
    assert found["n_broken"] == 1
    assert found["broken"][0]["name"].endswith("blue star/00002.png")
    assert "green [bold]square (5)" in done.err
    assert "1 images cannot be read" in done.err
    assert run("evaluate", model, data, "--on-broken", "skip", "--json", "-q").code == 0


def test_nothing_to_score(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    shutil.copytree(scenes / "test" / "red star", tmp_path / "strange" / "green square")
    check_failed(run("evaluate", model, tmp_path / "strange"), 2, "green square", "blue circle")
    check_failed(run("evaluate", model, scenes / "test" / "red star"), 2, "no labels")
    for path in (tmp_path / "strange").rglob("*.png"):
        path.write_bytes(b"")
    (tmp_path / "strange" / "green square").rename(tmp_path / "strange" / "red star")
    done = run("evaluate", model, tmp_path / "strange", "--on-broken", "skip")
    check_failed(done, 2, "none of the 5 images")


def test_scores_on_the_card(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    before = (copy / "model.safetensors").read_bytes()
    done = run("evaluate", copy, scenes, "--json", "--update-card")
    assert done.code == 0
    found = json.loads(done.out)
    assert (copy / "model.safetensors").read_bytes() == before
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    assert config["about"]["scores"]["novelty_auroc"] == found["novelty_auroc"]
    assert config["about"]["data"] == "scenes"
    card = (copy / "README.md").read_text(encoding="utf-8")
    assert "On 30 test images (scenes, test split)" in card
    assert f"{found['novelty_auroc']:.3f}" in card
    assert f"{found['novelty_auroc']:.3f}" in run("info", copy).out


def test_an_output_that_exists(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "scores.json"
    out.write_text("mine", encoding="utf-8")
    check_failed(run("evaluate", model, scenes, "--out", out), 2, "exists already")
    assert out.read_text(encoding="utf-8") == "mine"
    assert run("evaluate", model, scenes, "--out", out, "--overwrite").code == 0
    assert json.loads(out.read_text(encoding="utf-8"))["n_images"] == 30
