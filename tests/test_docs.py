"""The documentation keeps its word: links lead somewhere, names exist, commands run."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wordsight.data.scenes import write_scenes

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_test_that_the_equations_name_exists() -> None:
    page = (ROOT / "docs" / "equations.md").read_text("utf-8")
    sources = "\n".join(place.read_text("utf-8") for place in ROOT.glob("tests/**/test_*.py"))
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) > 20
    missing = [name for name in named if f"def {name}(" not in sources]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_pages_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        assert ast.parse(block).body


def test_the_python_about_hubs_runs() -> None:
    (block,) = blocks(ROOT / "docs" / "hubness.md", "python")
    here: dict[str, Any] = {}
    exec(block, here)
    assert set(here["model"].recognise(here["X"]).unseen_label) <= {"truck", "boat"}


def test_the_python_about_choosing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks(ROOT / "docs" / "choosing.md", "python")
    here: dict[str, Any] = {}
    exec(block, here)
    assert here["model"].selection_.goal.value == 0.05
    assert "Candidate(" in capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as the README says: photos/dog, photos/horse, new_photos/."""
    here = tmp_path_factory.mktemp("user")
    names = {"red circle": "dog", "green star": "horse", "blue cross": "ship"}
    write_scenes(here / "scenes", 60, 2, list(names))
    for scene, name in names.items():
        shutil.copytree(here / "scenes" / "train" / scene, here / "photos" / name)
        shutil.copytree(here / "scenes" / "test" / scene, here / "new_photos" / name)
    return here


@pytest.mark.slow
def test_the_commands_of_the_readme_run(folder: Path) -> None:
    page = ROOT / "README.md"
    text = page.read_text("utf-8")
    section = text[text.index("## Your own images") : text.index("Or in Python")]
    commands = [line for line in section.splitlines() if line.startswith("wordsight ")]
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command, comments=True)
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (folder / "predictions.csv").read_text("utf-8").count("\n") == 1 + 6


@pytest.mark.slow
def test_the_python_of_the_readme_runs(folder: Path) -> None:
    (block,) = blocks(ROOT / "README.md", "python")
    code = block.replace('save_model(model, "model")', 'save_model(model, "model_of_python")')
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "model_of_python" / "README.md").exists()


@pytest.mark.slow
def test_the_python_of_the_first_page_runs(real_data: Path, tmp_path: Path) -> None:
    code, _parts = blocks(ROOT / "docs" / "index.md", "python")
    # the same lines with fewer atoms and images, and the data where they are
    code = code.replace("../shared/data", str(real_data))
    code = code.replace('split="train")', 'split="train").select(range(0, 50000, 25))')
    code = code.replace('split="test")', 'split="test").select(range(0, 10000, 50))')
    code = code.replace("random_state=0)", "random_state=0, features=PatchFeatures(50))")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model" / "config.json").exists()
