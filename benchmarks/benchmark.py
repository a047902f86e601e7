"""What a benchmark is: a stage, what is asked of it, and how both are measured."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.harness import Measured

__all__ = ["Benchmark", "Failed", "Outcome", "Setting", "Skipped", "Target", "is_installed"]


class Skipped(Exception):  # noqa: N818 - no error: the run goes on and ends well
    """A benchmark cannot run here; says why in one sentence."""


class Failed(Exception):  # noqa: N818 - reported like Skipped
    """A benchmark went wrong; says how in one sentence."""


@dataclass(frozen=True)
class Setting:
    """How benchmarks are to run.

    Attributes
    ----------
    quick : bool
        Smaller work and fewer rounds: seconds, and numbers that say little.
    threads : int
        Cores for either side.
    data : Path or None
        A folder with ``cifar10/`` and ``word_vectors/``; without it pictures are made up.
    """

    quick: bool = False
    threads: int = 1
    data: Path | None = None


@dataclass(frozen=True)
class Target:
    """A number that is asked of a stage.

    Attributes
    ----------
    key : str
        Under which a benchmark gives the number it reached.
    what : str
        In words.
    asked : float
    unit : str
        Written after the number.
    at_least : bool
        Whether more is better.
    agreement : bool
        Whether it is about being right, not about being fast.
    """

    key: str
    what: str
    asked: float
    unit: str = ""
    at_least: bool = False
    agreement: bool = False

    def is_reached(self, value: float) -> bool:
        """Tell whether a number is as good as asked for."""
        return value >= self.asked if self.at_least else value <= self.asked


@dataclass
class Outcome:
    """What a benchmark found.

    Attributes
    ----------
    measured : list of Measured
        Side by side; the first is what the others are compared with.
    reached : dict of str to float
        By the keys of the targets; one that could not be measured is missing.
    unit : str
        What one time is the time for: "image", "fit".
    operations, bytes : float or None
        Multiplications and additions that the first contender cannot do without, and bytes that it
        has to read or write, for one unit.
    facts : dict
        Further numbers, as JSON values.
    notes : list of str
        Sentences: what was left out, and why.
    """

    measured: list[Measured] = field(default_factory=list)
    reached: dict[str, float] = field(default_factory=dict)
    unit: str = "run"
    operations: float | None = None
    bytes: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Benchmark:
    """A stage and how it is measured.

    Attributes
    ----------
    name : str
        On the command line and in records.
    title : str
    about : str
        What the numbers are.
    targets : tuple of Target
    run : callable
        Raises `Skipped` where it cannot run, `Failed` where it goes wrong.
    """

    name: str
    title: str
    about: str
    targets: tuple[Target, ...]
    run: Callable[[Setting], Outcome]


def is_installed(package: str) -> bool:
    """Tell whether a peer can be imported, without importing it."""
    return find_spec(package) is not None
