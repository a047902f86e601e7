"""What is printed, and where: results on stdout; progress, logs and errors on stderr."""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from wordsight.exceptions import MissingWordError, WordsightError
from wordsight.progress import listening

__all__ = [
    "command_line",
    "debug",
    "error",
    "print_json",
    "print_line",
    "print_table",
    "progress",
    "reset",
    "resumable",
    "say",
    "say_broken",
    "say_table",
    "set_debug",
    "set_quiet",
    "set_resumable",
    "silence_stdout",
    "warn",
]

SHOWN_BROKEN = 10
_WIDTH_OF_A_PIPE = 160


@dataclass
class _State:
    """What the options of one run of the program have set."""

    arguments: list[str] = field(default_factory=list)
    quiet: bool = False
    debug: bool = False
    resumable: bool = False


_state = _State()


def reset(arguments: Sequence[str]) -> None:
    """Forget the options of an earlier run in this process."""
    vars(_state).update(vars(_State(arguments=list(arguments))))
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a name that the terminal cannot show must not end the work
            reconfigure(errors="backslashreplace")


def set_quiet(value: bool) -> bool:
    """Be quiet from now on, if asked."""
    _state.quiet |= value
    return value


def set_debug(value: bool) -> bool:
    """Show tracebacks from now on, if asked."""
    _state.debug |= value
    return value


def set_resumable() -> None:
    """Note that the work can be gone on with after an interrupt."""
    _state.resumable = True


def debug() -> bool:
    """Say whether tracebacks are wanted, also where the options were never parsed."""
    return _state.debug or os.environ.get("WORDSIGHT_DEBUG", "") not in ("", "0")


def resumable() -> bool:
    """Say whether the work can be gone on with after an interrupt."""
    return _state.resumable


def say(text: str) -> None:
    """Print a line on stderr, unless quiet."""
    if not _state.quiet:
        _write_stderr(text)


def warn(text: str) -> None:
    """Print a warning on stderr, even if quiet."""
    _write_stderr(f"wordsight: warning: {_one_line(text)}")


def error(text: str) -> None:
    """Print an error on stderr."""
    _write_stderr(f"wordsight: error: {_as_options(_one_line(text))}")


def _write_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _as_options(text: str) -> str:
    """Turn the advice of the library into that of the command line, where the option is there."""
    if "fit" not in _state.arguments:
        text = re.sub(r"\(use on_missing=[^)]*\)", f"({MissingWordError.advice})", text)
    for name, option in (("on_missing", "--on-missing"), ("on_broken", "--on-broken")):
        head, found, tail = text.partition(f"{name}='")
        if found and "'" in tail:
            advice, closing, rest = tail.partition(")")
            text = f"{head}{option} {advice.replace(chr(39), '')}{closing}{rest}"
    return text


def print_line(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(f"{text}\n")


def print_json(value: Any) -> None:
    """Print one JSON value as the result."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


def print_table(
    title: str | None, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0
) -> None:
    """Print a table as the result.

    Parameters
    ----------
    title : str or None
    columns : sequence of str
    rows : sequence of sequence of str
        Names may hold anything, brackets too: nothing in them is taken for markup.
    right : int
        How many columns, counted from the last, are numbers and lean right.
    """
    _draw_table(sys.stdout, title, columns, rows, right)


def say_table(
    title: str | None, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0
) -> None:
    """Print a table on stderr, unless quiet; the parameters are those of `print_table`."""
    if not _state.quiet:
        _draw_table(sys.stderr, title, columns, rows, right)


def _draw_table(
    stream: TextIO,
    title: str | None,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: int,
) -> None:
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    width = None if stream.isatty() else _WIDTH_OF_A_PIPE
    screen = Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for place, column in enumerate(columns):
        leans_right = place >= len(columns) - right
        table.add_column(
            column, justify="right" if leans_right else "left", overflow="fold", no_wrap=False
        )
    for row in rows:
        table.add_row(*row)
    screen.print(table)


def say_broken(broken: Sequence[tuple[str, str]]) -> None:
    """Name the images that were left out because they cannot be read."""
    if not broken:
        return
    warn(f"{len(broken)} images cannot be read and were left out:")
    for name, reason in broken[:SHOWN_BROKEN]:
        _write_stderr(f"  {name}: {reason}")
    if len(broken) > SHOWN_BROKEN:
        _write_stderr(f"  and {len(broken) - SHOWN_BROKEN} more")


def command_line() -> str:
    """Return the command as given, with the names of files in place of where they are."""

    def named(argument: str) -> str:
        option, equals, value = argument.partition("=")
        if equals and option.startswith("--"):
            return f"{option}={named(value)}"
        path = Path(argument)
        try:
            is_place = os.sep in argument and (path.is_absolute() or path.exists())
        except OSError:  # longer than any path
            return argument
        return path.name if is_place else argument

    return shlex.join(["wordsight", *map(named, _state.arguments)])


def silence_stdout() -> None:
    """Send what is still to be written nowhere, after the reader of the output has gone."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError) as problem:
        raise WordsightError("the output can be written nowhere") from problem


@contextmanager
def progress(unit: str = "") -> Iterator[None]:
    """Show how far the work inside has come, where stderr is a terminal and nobody asked for quiet.

    Parameters
    ----------
    unit : {"", "bytes"}
        What is counted.
    """
    if _state.quiet or not sys.stderr.isatty():
        yield
        return
    from rich import progress as bars  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    done = bars.DownloadColumn() if unit == "bytes" else bars.MofNCompleteColumn()
    shown = bars.Progress(
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        done,
        bars.TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    stage: dict[str, bars.TaskID] = {}

    def listen(name: str, n_done: int, n_all: int) -> None:
        if name not in stage:
            for task in stage.values():
                shown.remove_task(task)
            stage.clear()
            stage[name] = shown.add_task(name, total=n_all or None)
        shown.update(stage[name], completed=n_done, total=n_all or None)

    with shown, listening(listen):
        yield
