"""How the stages of long work are shown: bars with the time that remains, and a log of times."""

import time
from collections.abc import Callable
from typing import Self

from rich import progress
from rich.console import Console
from rich.text import Text

__all__ = ["Bars", "Stages"]


class Bars:
    """One bar on stderr, for the stage that the work is in.

    Parameters
    ----------
    unit : {"", "bytes"}
        What is counted.
    coloured : bool
    """

    def __init__(self, unit: str, coloured: bool) -> None:
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.DownloadColumn() if unit == "bytes" else progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True, no_color=not coloured),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._stage = ""
        self._task: progress.TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def listen(self, name: str, n_done: int, n_all: int) -> None:
        """Take a report of progress."""
        if self._task is None or name != self._stage:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._stage, self._task = name, self._bars.add_task(name, total=n_all or None)
        self._bars.update(self._task, completed=n_done, total=n_all or None)

    def print(self, text: str) -> None:
        """Write a line above the bar, which would else be written through it."""
        self._bars.console.print(Text.from_ansi(text), soft_wrap=True)


class Stages:
    """A log of the stages of work: each as it begins, and what each took at the end.

    A report comes after a step. So the time since the report before counts for the stage that
    the later report names; what passes before the end, after the last report, is of no stage.

    Parameters
    ----------
    log : callable
        Takes the lines.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._seconds: dict[str, float] = {}
        self._start = self._last = time.perf_counter()

    def listen(self, name: str, n_done: int, n_all: int) -> None:
        """Take a report of progress."""
        now = time.perf_counter()
        if name not in self._seconds:
            steps = f" ({n_all:,} steps)" if n_all > 1 else ""
            self._log(f"{name}{steps}")
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._last
        self._last = now

    def end(self) -> None:
        """Tell what each stage took."""
        if not self._seconds:
            return
        rest = time.perf_counter() - self._start - sum(self._seconds.values())
        told = [f"{name} {seconds:.2f} s" for name, seconds in self._seconds.items()]
        self._log("took: " + ", ".join([*told, f"the rest {rest:.2f} s"]))
