"""Every command and every line of Python in the guides runs, in order, as a reader would run it."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from wordsight.data.scenes import write_scenes

DOCS = Path(__file__).resolve().parents[1] / "docs"
GUIDES = ("tutorial", "your-own-images", "word-vectors", "asking")
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return language and text of each block that is to run."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the guides take as given: photos/ and new_photos/."""
    names = {"red circle": "dog", "green star": "horse", "blue cross": "ship"}
    write_scenes(tmp_path / "drawn", 60, 4, list(names))
    for scene, name in names.items():
        for split in ("train", "test"):
            shutil.copytree(tmp_path / "drawn" / split / scene, tmp_path / "photos" / split / name)
        shutil.copytree(tmp_path / "drawn" / "test" / scene, tmp_path / "new_photos" / name)
    shutil.rmtree(tmp_path / "drawn")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_runs_from_its_first_line_to_its_last(
    guide: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    here: dict[str, Any] = {}
    run = blocks(DOCS / f"{guide}.md")
    assert run
    for language, text in run:
        if language == "python":
            exec(text, here)
            continue
        for command in text.replace("\\\n", " ").strip().splitlines():
            done = subprocess.run(
                [sys.executable, "-m", *shlex.split(command, comments=True)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    assert all(not cell.get("outputs") for cell in content.cells)  # made by running, never kept
    NotebookClient(content, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 2
