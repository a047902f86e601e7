"""The types that a program sees which uses the library, under the strictest rules of mypy."""

import subprocess
import sys
from pathlib import Path

import pytest

import wordsight

PROGRAM = """
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import wordsight
from wordsight import (
    CrossModalClassifier,
    GaussianNovelty,
    LinearMap,
    PatchFeatures,
    WordVectors,
    load_model,
    metrics,
    open_dataset,
    save_model,
)

USED = (
    %s
)


def learn(folder: Path) -> CrossModalClassifier:
    data = open_dataset(folder, split="train")
    words = WordVectors(["cat", "dog"], np.eye(2))
    model = CrossModalClassifier(
        words,
        unseen=["zebra"],
        features=PatchFeatures(50, random_state=0),
        mapping=LinearMap(alpha=0.1),
        novelty=GaussianNovelty(),
        random_state=0,
    ).fit(data)
    model.add_classes(["polar bear"]).remove_classes(["zebra"])
    save_model(model, folder / "model")
    return load_model(folder / "model")


def judge(model: CrossModalClassifier, folder: Path) -> float:
    data = open_dataset(folder, split="test")
    found = model.recognise(data)
    proba: NDArray[np.float64] = found.proba
    assert proba.shape == (len(data), len(model.classes_))
    labels = data.labels
    assert labels is not None
    return metrics.accuracy(labels, found.label)
"""

WRONG = """
from wordsight import PatchFeatures, open_dataset, save_model

PatchFeatures(n_atoms="many")
open_dataset(17)
save_model("model", "place")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for both, and its cache with it: half a minute each otherwise."""
    return tmp_path_factory.mktemp("program")


def mypy(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Check a program that lies outside the repository, with none of the repository's stubs."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "program.py"],
        cwd=folder,
        env={"MYPYPATH": "", "PATH": "", "PYTHONPATH": str(Path(wordsight.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
def test_the_public_names_are_typed(folder: Path) -> None:
    used = ", ".join(f"wordsight.{name}" for name in wordsight.__all__)
    done = mypy(PROGRAM % used, folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_wrong_types_are_seen(folder: Path) -> None:
    said = mypy(WRONG, folder).stdout
    for line in (4, 5, 6):
        assert f"program.py:{line}: error" in said, said


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(wordsight.__file__).with_name("py.typed").is_file()
