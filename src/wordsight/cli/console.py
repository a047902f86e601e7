"""What is printed, and where: results on stdout; progress, logs and errors on stderr."""

import json
import logging
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from wordsight.exceptions import InputError, MissingWordError, WordsightError
from wordsight.progress import listening

__all__ = [
    "coloured",
    "command_line",
    "debug",
    "duration",
    "error",
    "log",
    "log_end",
    "print_json",
    "print_line",
    "print_table",
    "progress",
    "reset",
    "resumable",
    "say",
    "say_always",
    "say_broken",
    "say_estimate",
    "say_table",
    "set_debug",
    "set_json",
    "set_quiet",
    "set_resumable",
    "set_verbose",
    "silence_stdout",
    "warn",
]

SHOWN_BROKEN = 10
WORTH_SAYING = 60.0
"""Seconds from which on the time that the work will take is told beforehand."""

_WIDTH_OF_A_PIPE = 160
_RED, _YELLOW = "1;31", "1;33"


@dataclass
class _State:
    """What the options of one run of the program have set."""

    arguments: list[str] = field(default_factory=list)
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    json: bool = False
    resumable: bool = False
    started: float = field(default_factory=time.perf_counter)
    logged: set[str] = field(default_factory=set)
    print_above: Callable[[str], None] | None = None
    """Writes a line above the bars of progress, while there are any."""


_state = _State()
_library = logging.getLogger("wordsight")


class _Told(logging.Handler):
    """Shows what the library logs; the same words are shown once."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in _state.logged:
            _state.logged.add(text)
            log(text)


_handler = _Told()


def reset(arguments: Sequence[str]) -> None:
    """Forget the options of an earlier run in this process."""
    vars(_state).update(vars(_State(arguments=list(arguments))))
    _library.removeHandler(_handler)
    _library.setLevel(logging.NOTSET)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a name that the terminal cannot show must not end the work
            reconfigure(errors="backslashreplace")


def set_quiet(value: bool) -> bool:
    """Be quiet from now on, if asked."""
    _state.quiet |= value
    _check_loudness()
    return value


def set_verbose(value: bool) -> bool:
    """Tell from now on what is done, if asked: also what the library logs."""
    _state.verbose |= value
    _check_loudness()
    if value:
        _library.addHandler(_handler)  # once, however often it is asked for
        _library.setLevel(logging.INFO)
    return value


def _check_loudness() -> None:
    if _state.quiet and _state.verbose:
        raise InputError("--quiet and --verbose were given; give one of them")


def set_json(value: bool) -> bool:
    """Say whether JSON is asked for, by this option or by the same one before the command."""
    _state.json |= value
    return _state.json


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


def say_always(text: str) -> None:
    """Print a line on stderr, even if quiet."""
    _write_stderr(text)


def log(text: str) -> None:
    """Print what is done on stderr, with the seconds since the start, if asked for (--verbose)."""
    if _state.verbose:
        _write_stderr(f"[{time.perf_counter() - _state.started:6.1f} s] {text}")


def log_end() -> None:
    """Tell what the whole run took."""
    if not _state.verbose:
        return
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        log("done")
        return
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    log(f"done, with at most {most / (1e6 if sys.platform == 'darwin' else 1e3):.0f} MB of memory")


def warn(text: str) -> None:
    """Print a warning on stderr, even if quiet."""
    _write_stderr(f"wordsight: {_in_colour('warning:', _YELLOW)} {_one_line(text)}")


def error(text: str) -> None:
    """Print an error on stderr."""
    _write_stderr(f"wordsight: {_in_colour('error:', _RED)} {_as_options(_one_line(text))}")


def coloured(stream: TextIO) -> bool:
    """Say whether a stream takes colours.

    As Python's own interpreter decides: ``NO_COLOR`` (no-color.org) before ``FORCE_COLOR`` before
    ``TERM=dumb``, and else whether it is a terminal.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def _in_colour(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if coloured(sys.stderr) else text


def _write_stderr(text: str) -> None:
    if _state.print_above is not None:
        _state.print_above(text)
        return
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
    screen = Console(
        file=stream,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        # rich itself leaves bold type where there is to be no colour
        color_system="standard" if coloured(stream) else None,
        force_terminal=coloured(stream),
    )
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


def say_estimate(seconds: float) -> None:
    """Tell how long the work will take, where it is long."""
    if seconds > WORTH_SAYING:
        say(f"This will take about {duration(seconds)}.")


def duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds < WORTH_SAYING:
        return f"{seconds:.1f} seconds"
    minutes = round(seconds / 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


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
        raise WordsightError(
            "the output can be written nowhere; check where stdout of this command goes"
        ) from problem


@contextmanager
def progress(unit: str = "") -> Iterator[None]:
    """Show how far the work inside has come, where stderr is a terminal and nobody asked for quiet.

    With ``--verbose``, each stage is told as it begins, and what all of them took at the end.

    Parameters
    ----------
    unit : {"", "bytes"}
        What is counted.
    """
    shows_bars = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not _state.quiet
    if not (shows_bars or _state.verbose):
        yield
        return
    from wordsight.cli.stages import Bars, Stages  # noqa: PLC0415 - imports rich

    stages = Stages(log) if _state.verbose else None
    with ExitStack() as stack:
        bars = stack.enter_context(Bars(unit, coloured(sys.stderr))) if shows_bars else None
        _state.print_above = bars.print if bars else None

        def listen(name: str, n_done: int, n_all: int) -> None:
            if stages:
                stages.listen(name, n_done, n_all)
            if bars:
                bars.listen(name, n_done, n_all)

        stack.enter_context(listening(listen))
        try:
            yield
        finally:
            _state.print_above = None
    if stages:
        stages.end()
