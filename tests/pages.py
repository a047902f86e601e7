"""The blocks of code in the pages, and a reader who types them in, one after the other.

What is to be known of a block stands in a comment before it:

- ``<!-- not run: REASON -->``: it cannot be run in a test, and why;
- ``<!-- file: NAME -->``: the reader writes it into this file;
- ``<!-- output -->``: the block before it prints this, with numbers like these; ``…`` stands for
  lines that are left out.
"""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wordsight.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

RUN = ("sh", "python")
SHOWN = ("text", "yaml", "json", "math")
"""Languages of blocks that are only looked at."""

FEW = {
    "fit": (("--atoms", "30"), ("--patches", "3000")),
    "fit conv": (("--width", "4"), ("--epochs", "2")),
    "fit encoder": (),
    "reproduce": (("--quick", None), ("--only", "unseen-pairs")),
}
"""Options that a command is given where it does not name them: enough to see that it runs."""

SERVED = {"explore"}
"""Commands that go on until they are stopped: their own tests start them."""

BLOCK = re.compile(r"^(?:<!-- ([^\n]*) -->\n\n?)?```(\S*)\n(.*?)^```$", re.M | re.S)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")


@dataclass(frozen=True)
class Block:
    """One block of code: its language, what the comment before it says, and its text."""

    language: str
    mark: str
    text: str

    @property
    def is_run(self) -> bool:
        return self.language in RUN and not self.mark

    @property
    def is_output(self) -> bool:
        return self.mark == "output"


def blocks(page: Path) -> list[Block]:
    found = BLOCK.findall(page.read_text("utf-8"))
    return [Block(language, mark, text) for mark, language, text in found]


class Reader:
    """Runs blocks in the current folder, in order; Python's names live on in later blocks."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._names: dict[str, Any] = {}
        self._capsys = capsys
        self._printed = ""

    def take(self, block: Block) -> None:
        """Do with a block what a reader would."""
        kind, _colon, name = block.mark.partition(": ")
        if kind == "file":
            Path(name).write_text(block.text, "utf-8")
        elif block.is_output:
            check_output(block.text, self._printed)
        elif block.is_run:
            self._capsys.readouterr()
            self._run(block)
            self._printed = self._capsys.readouterr().out

    def _run(self, block: Block) -> None:
        if block.language == "python":
            exec(block.text, self._names)
            return
        for line in block.text.replace("\\\n", " ").splitlines():
            if " | " in line:
                run_in_shell(line)
                continue
            program, *arguments = shlex.split(line, comments=True) or [""]
            if program == "make":
                check_target(arguments[0])
            elif program == "pip":
                check_extra(arguments[-1])
            elif program:
                assert program == "wordsight", f"only wordsight is run in a test: {line}"
            if program == "wordsight" and arguments[0] not in SERVED:
                code = main(with_little_work(arguments))
                assert code == 0, f"{line}\n{self._capsys.readouterr().err}"


def run_in_shell(line: str) -> None:
    """Run a line of several programs, with the command of this environment."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": places}
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"


def with_little_work(arguments: list[str]) -> list[str]:
    """Add what makes a command quick, where it leaves that open."""
    kind = arguments[0]
    if "--features" in arguments:  # these have no atoms
        kind += " conv" if "conv" in arguments else " encoder"
    added: list[str] = []
    for option, value in FEW.get(kind, ()):
        if option not in arguments:
            added += [option] if value is None else [option, value]
    return [*arguments, *added]


def check_target(name: str) -> None:
    """Check that make knows a target, which other tests or the continuous integration run."""
    known = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert name in known, f"make has no target {name}"


def check_extra(requirement: str) -> None:
    """Check that what is to be installed is this package, with an extra that it has."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.fullmatch(r"wordsight\[([\w,]+)\]", requirement)
    assert named, f"{requirement} is not this package with an extra"
    assert set(named[1].split(",")) <= set(extras["optional-dependencies"]), requirement


def check_output(shown: str, printed: str) -> None:
    """Check that the lines shown were printed, in this order, with numbers like these."""
    left = iter(printed.splitlines())
    for line in shown.splitlines():
        if line.strip() != "…":
            assert any(alike(line, other) for other in left), f"not printed: {line}\n{printed}"


def alike(shown: str, printed: str) -> bool:
    """Say whether two lines have the same words and whole numbers, and fractions to within 0.1."""
    words = [NUMBER.sub("#", " ".join(line.split())) for line in (shown, printed)]
    pairs = zip(*(NUMBER.findall(line) for line in (shown, printed)), strict=False)
    return words[0] == words[1] and all(
        one == other or ("." in one and abs(float(one) - float(other)) <= 0.1)
        for one, other in pairs
    )
