"""Contenders in processes of their own, where the peak of the memory is theirs alone."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.benchmark import Failed
from benchmarks.harness import Measured, Run, in_rounds

__all__ = ["Command", "Side", "compare_apart", "wordsight"]

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Side:
    """Work that a module of `benchmarks.sides` prepares and does.

    Attributes
    ----------
    name : str
    side : str
        The module. Its ``prepare(**arguments)`` returns a function of nothing that does the work
        and returns arrays by their names.
    arguments : dict
        JSON values.
    units : int
        As of `Contender`.
    """

    name: str
    side: str
    arguments: dict[str, Any] = field(default_factory=dict)
    units: int = 1

    def order(self) -> dict[str, Any]:
        """Return what the child is told."""
        return {"side": self.side, "arguments": self.arguments}


@dataclass(frozen=True)
class Command:
    """A whole command.

    Attributes
    ----------
    name : str
    command : tuple of str
    units : int
        As of `Contender`.
    before : callable
        Called before each run, outside of its time: removes the last one's output, say.
    """

    name: str
    command: tuple[str, ...]
    units: int = 1
    before: Callable[[], object] = lambda: None

    def order(self) -> dict[str, Any]:
        """Return what the child is told."""
        return {"command": list(self.command)}


def wordsight(*arguments: str | Path) -> tuple[str, ...]:
    """Return a command line of this environment's ``wordsight``."""
    script = Path(sys.executable).with_name("wordsight")
    start = (str(script),) if script.exists() else (sys.executable, "-m", "wordsight")
    return (*start, *map(str, arguments))


def compare_apart(
    contenders: Sequence[Side | Command], n_rounds: int, *, warm_up: bool = False
) -> list[Measured]:
    """Run contenders in turn, each run in a new process; see `compare`.

    The output of a `Side` is a dict of arrays, that of a `Command` None.

    Raises
    ------
    Failed
        A process ended badly; with the last line that it wrote.
    """

    def run(contender: Side | Command) -> Callable[[], Run]:
        return lambda: run_apart(contender)

    results = in_rounds(
        [each.name for each in contenders],
        [run(each) for each in contenders],
        [each.units for each in contenders],
        n_rounds,
        warm_up=warm_up,
    )
    for result in results:
        result.memory_of = "process"
    return results


def run_apart(contender: Side | Command) -> Run:
    """Run a contender once, in a process of its own."""
    if isinstance(contender, Command):
        contender.before()
    with tempfile.TemporaryDirectory(prefix="wordsight-benchmark-") as name:
        folder = Path(name)
        (folder / "order.json").write_text(json.dumps(contender.order()), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.child", str(folder)],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Failed(f"{contender.name} failed: {_last_line(done.stderr)}")
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        if report.get("exit_code"):
            errors = (folder / "errors.txt").read_text(encoding="utf-8", errors="replace")
            raise Failed(
                f"{contender.name} ended with exit code {report['exit_code']}: {_last_line(errors)}"
            )
        return Run(report["seconds"], report["peak_megabytes"], _load(folder / "output.npz"))


def _load(place: Path) -> dict[str, Any] | None:
    if not place.exists():
        return None
    with np.load(place, allow_pickle=False) as arrays:
        return dict(arrays)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if any(c.isalnum() for c in line)]
    return lines[-1] if lines else "it said nothing"
