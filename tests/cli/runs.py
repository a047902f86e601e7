"""Running the command line, in this process or as one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ERROR = "wordsight: error: "
SEEN = ("blue circle", "blue star", "gold circle", "red star")
UNSEEN = ("red circle", "gold star")
SMALL = ("--atoms", "20", "--patches", "2000", "--image-size", "16", "--false-novel-rate", "0.2")


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith(ERROR)]


Runner = Callable[..., Run]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "wordsight", *map(str, arguments)]


def spawn(
    *arguments: object,
    preexec: Callable[[], object] | None = None,
    timeout: float = 120.0,
    **env: str,
) -> Run:
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**os.environ, **env},
        preexec_fn=preexec,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def check_failed(run: Run, code: int, *said: str) -> None:
    """The contract of every failure: the code, one sentence on stderr, nothing on stdout."""
    assert run.code == code, run.err
    assert run.out == ""
    assert len(run.errors) == 1, run.err
    assert "Traceback" not in run.err
    for words in said:
        assert words in run.errors[0]


def contents(folder: Path) -> set[str]:
    """Everything below a folder, hidden files too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
