"""A newcomer's way from a clone to a folder classified, by the commands of the README."""

import csv
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pages import ROOT, blocks
from wordsight.data.scenes import write_scenes

NAMES = {"red circle": "dog", "green star": "horse", "blue cross": "ship"}
ASIDE = {"gold heart": "anything"}
"""Pictures unlike those of the training, among the new ones."""


def quick_path() -> list[str]:
    """The commands of the README's first block."""
    first = blocks(ROOT / "README.md")[0]
    assert first.language == "sh"
    return first.text.strip().splitlines()


def test_it_takes_five_commands_and_names_a_class() -> None:
    commands = quick_path()
    assert len(commands) <= 5
    assert commands[0].startswith("git clone REPOSITORY ")
    assert "predict" in commands[-1]
    assert "--also" in commands[-1]
    assert not any(token in command for command in commands for token in (";", "&&", "|"))


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this copy is no repository to be cloned")
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_five_commands_run(tmp_path: Path) -> None:
    write_scenes(tmp_path / "drawn", 60, 5, [*NAMES, *ASIDE])
    for scene, name in {**NAMES, **ASIDE}.items():
        if scene in NAMES:
            shutil.copytree(tmp_path / "drawn" / "train" / scene, tmp_path / "photos" / name)
        shutil.copytree(tmp_path / "drawn" / "test" / scene, tmp_path / "new_photos" / name)
    commands = [command.replace("REPOSITORY", str(ROOT)) for command in quick_path()]
    # what make is told about an environment that exists is not what a newcomer has
    env = {name: value for name, value in os.environ.items() if name not in {"VENV", "PYTHONPATH"}}
    env["PIP_NO_COMPILE"] = "1"  # of what is installed, little is imported
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "wordsight" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * (len(NAMES) + len(ASIDE))
    assert all(row["error"] == "" for row in rows)
    asked = {*NAMES.values(), "zebra", "polar bear"}
    assert {row["label"] for row in rows} <= asked
    new = {row["label"] for row in rows if row["is_novel"] == "true"}
    assert new <= {"zebra", "polar bear"}
    seen = [row for row in rows if Path(row["path"]).parent.name in NAMES.values()]
    right = [row for row in seen if row["label"] == Path(row["path"]).parent.name]
    assert len(right) >= 9  # of 15; guessing among five classes would get three
