"""The program as such: start-up, help, global options, streams, exit codes."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.runs import Run, Runner, check_failed, command, spawn
from wordsight import __version__
from wordsight.cli import app

HEAVY = ("torch", "sklearn", "scipy", "pyarrow", "PIL", "numpy", "matplotlib", "rich")
DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"


def commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its full name; a group counts as one, for its own options."""
    yield name, group
    for part, inner in getattr(group, "commands", {}).items():
        yield from commands(inner, f"{name} {part}".strip())


ALL = dict(commands(typer.main.get_command(app)))


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from wordsight.cli import main; code = main(['--help']);"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), code, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == "[] 0\n"
    assert "fit" in done.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("fit", "--help")])
def test_help_is_there_at_once(arguments: tuple[str, ...]) -> None:
    # seconds of the processor, the best of several: other work on the machine does not count
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert spawn(*arguments).code == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.4


def test_the_commands_are_those_of_the_specification() -> None:
    leaves = {name for name, one in ALL.items() if not getattr(one, "commands", None)}
    assert leaves == {
        "fit",
        "evaluate",
        "predict",
        "features",
        "explore",
        "ask",
        "explain",
        "classes",
        "info",
        "plot",
        "demo",
        "reproduce",
        "doctor",
        "completion",
        "benchmark gzsl",
        "runs show",
        "data info",
        "data fetch",
        "data scenes",
        "words near",
        "words info",
        "words convert",
    }


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help(run: Runner, name: str) -> None:
    shown = run(*name.split(), "--help")
    assert (shown.code, shown.err) == (0, "")
    assert "Usage: wordsight" in shown.out


@pytest.mark.parametrize("name", ALL)
def test_every_option_is_documented(name: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    if name:
        assert f"## `wordsight {name}" in text
        start = text.index(f"## `wordsight {name}")
        section = text[start : text.find("\n## ", start)]
    else:
        section = text
    for parameter in ALL[name].params:
        if parameter.name in ("quiet", "verbose", "json_", "debug", "help"):
            section_of_all = text[: text.index("## `wordsight fit")]
            assert all(f"`{option}" in section_of_all for option in parameter.opts)
        elif parameter.param_type_name == "option":
            assert all(f"`{option}" in section for option in parameter.opts), parameter.opts


def test_version(run: Runner) -> None:
    assert run("--version") == Run(0, f"wordsight {__version__}\n", "")


def test_the_app_runs_under_typers_own_runner() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"wordsight {__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("fit",),
        ("fit", "data", "--out", "x", "--nonsense"),
        ("fit", "data", "--out", "x", "--gate", "open"),
        ("fit", "data", "--out", "x", "--atoms", "many"),
        ("predict",),
        ("words", "near", "cat", "-n", "0"),
        ("data", "fetch", "mnist"),
    ],
)
def test_wrong_usage_is_misuse(run: Runner, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Usage: wordsight" in done.err
    assert "Traceback" not in done.err


def test_debug_shows_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Runner) -> None:
    arguments = ("words", "info", tmp_path / "none.txt")
    assert "Traceback" not in run(*arguments).err
    for asked in (run(*arguments, "--debug"), run("--debug", *arguments)):
        assert "Traceback" in asked.err
        assert len(asked.errors) == 1
    monkeypatch.setenv("WORDSIGHT_DEBUG", "1")
    assert "Traceback" in run(*arguments).err
    monkeypatch.setenv("WORDSIGHT_DEBUG", "0")
    assert "Traceback" not in run(*arguments).err


def test_quiet_before_or_after_the_command(tmp_path: Path, class_words: Path, run: Runner) -> None:
    out = tmp_path / "words.bin"
    arguments = ("words", "convert", class_words, out, "--overwrite")
    assert "Wrote 7 words" in run(*arguments).err
    assert run(*arguments, "--quiet") == Run(0, f"{out}\n", "")
    assert run("-q", *arguments) == Run(0, f"{out}\n", "")
    assert "Wrote 7 words" in run(*arguments).err  # nothing is kept from run to run


def test_a_warning_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "twice.txt"
    path.write_text("cat 1 0\ndog 0 1\ncat 1 1\n", encoding="utf-8")
    done = spawn("words", "info", path)
    assert done.code == 0
    (line,) = done.err.splitlines()
    assert line.startswith("wordsight: warning: ")
    assert "'cat'" in line


def test_unexpected_faults_are_a_sentence(tmp_path: Path) -> None:
    # a program that lacks a part of itself
    script = (
        "import sys; import wordsight.cli as c; sys.modules['wordsight.words.vectors'] = None;"
        "sys.exit(c.main(['words', 'info']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    check_failed(Run(done.returncode, done.stdout, done.stderr), 1, "unexpected", "--debug")


def test_too_little_memory_is_a_sentence(scenes: Path, tmp_path: Path) -> None:
    # 10^15 patches of 108 float32 numbers are more than any machine has
    done = spawn(
        "fit", scenes, "--out", tmp_path / "model", "--image-size", "16", "--atoms", "20",
        "--false-novel-rate", "0.2", "--patches", str(10**15),
    )  # fmt: skip
    assert (done.code, done.out) == (1, "")
    assert "Traceback" not in done.err
    assert "not enough memory" in done.errors[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_who_reads_the_output_may_stop(options: tuple[str, ...]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        command("words", "near", "cat", *options),
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (1, "")


def test_names_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("żółw 1 0\nkot 0 1\n", encoding="utf-8")
    done = spawn("words", "near", "kot", "--words", path, PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert "\\u017c\\xf3\\u0142w" in done.out
