"""Colours where somebody sees them, and bars of progress; plain text for pipes and files."""

import io
import os
import pty
import subprocess
from pathlib import Path

import pytest

from cli.runs import Runner, command
from wordsight.cli import console
from wordsight.cli.stages import Stages

RED = "\x1b[1;31merror:\x1b[0m"


class Terminal(io.StringIO):
    def __init__(self, is_one: bool) -> None:
        super().__init__()
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),  # no-color.org: where it is not empty
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (True, {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_when_there_are_colours(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert console.coloured(Terminal(terminal)) is coloured


def test_errors_and_tables_are_coloured_on_demand_alone(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = ("words", "near", "cat", "-n", "2")
    assert "\x1b" not in run("words", "info", "none.txt").err + run(*near).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert RED in run("words", "info", "none.txt").err
    coloured = run(*near).out
    assert "\x1b[" in coloured
    assert "\x1b" not in run(*near, "--json").out
    monkeypatch.setenv("NO_COLOR", "1")
    plain = run(*near).out
    assert "\x1b" not in plain
    assert len(plain) < len(coloured)


def on_a_terminal(*arguments: object, **environment: str) -> str:
    """Return what a run writes to stderr where that is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.stdout is not None
    process.stdout.read()
    process.wait()
    return said.decode()


def test_a_terminal_sees_colours_and_bars(scenes: Path, tmp_path: Path) -> None:
    assert RED in on_a_terminal("words", "info", tmp_path / "none.txt")
    said = on_a_terminal("data", "info", scenes)
    assert "reading the images" in said
    assert "/150" in said
    assert "0:00:0" in said  # the time that remains


@pytest.mark.slow
def test_a_dumb_terminal_sees_neither(scenes: Path, tmp_path: Path) -> None:
    said = on_a_terminal("words", "info", tmp_path / "none.txt", TERM="dumb")
    assert said.startswith("wordsight: error: ")
    assert on_a_terminal("data", "info", scenes, TERM="dumb") == ""


def test_stages_share_the_time_between_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 3.0, 3.5, 4.0])  # start, three reports, end
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    lines: list[str] = []
    stages = Stages(lines.append)
    stages.listen("one", 1, 2)
    stages.listen("two", 1, 1)
    stages.listen("one", 2, 2)
    stages.end()
    assert lines == ["one (2 steps)", "two", "took: one 1.50 s, two 2.00 s, the rest 0.50 s"]
