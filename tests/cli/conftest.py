from pathlib import Path

import pytest

from cli.runs import SEEN, SMALL, UNSEEN, Run, Runner
from wordsight.cli import main
from wordsight.data.scenes import write_scenes


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours, whatever the environment of the tests asks for."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Runner:
    """The command line in this process."""

    def runner(*arguments: object) -> Run:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return runner


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six classes, 20 training and 5 test pictures each. Never written to."""
    folder = tmp_path_factory.mktemp("data") / "scenes"
    write_scenes(folder, 20, 5, [*SEEN, *UNSEEN], image_size=(16, 16))
    return folder


@pytest.fixture(scope="session")
def model(scenes: Path) -> Path:
    """A model of the scenes. Never written to."""
    path = scenes.parent / "model"
    unseen = ",".join(UNSEEN)
    assert main(["fit", str(scenes), "--unseen", unseen, "--out", str(path), *SMALL]) == 0
    return path


@pytest.fixture
def class_words(tmp_path: Path) -> Path:
    """A small file of word vectors: three dimensions, no name of two words."""
    path = tmp_path / "words.txt"
    lines = ["7 3", "red 1 0 0", "blue 0 1 0", "gold 0 0 1", "circle 1 1 0", "star 0 1 1"]
    path.write_text("\n".join([*lines, "zebra 1 0 1", "truck 1 1 1"]) + "\n", encoding="utf-8")
    return path
