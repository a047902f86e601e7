"""The Typer application, and how its errors and interrupts become sentences and exit codes."""

import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO

import typer

from wordsight import __version__
from wordsight.cli import benchmark, console, data, words
from wordsight.cli.ask import ask
from wordsight.cli.classes import classes
from wordsight.cli.common import equip
from wordsight.cli.completion import complete_if_asked, completion
from wordsight.cli.demo import demo
from wordsight.cli.doctor import doctor
from wordsight.cli.evaluate import evaluate
from wordsight.cli.explain import explain
from wordsight.cli.explore import explore
from wordsight.cli.features import features
from wordsight.cli.fit import fit
from wordsight.cli.info import info
from wordsight.cli.options import Debug, Json, Quiet, Verbose
from wordsight.cli.plot import plot
from wordsight.cli.predict import predict
from wordsight.cli.reproduce import reproduce
from wordsight.cli.usage import UsageError, sentence
from wordsight.exceptions import WordsightError

__all__ = ["app", "main"]

EXIT_FAILURE = 1
EXIT_MISUSE = 2
EXIT_SIGNAL = 128
"""Added to the number of the signal that ended the program, as shells do: Ctrl-C gives 130."""

# plain help: formatting it with rich would take a third of a second to import
app = typer.Typer(
    name="wordsight",
    help="Recognise image classes never seen in training, knowing only their names.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    fit, evaluate, predict, features, explore, plot, ask, explain, classes, info, demo, reproduce,
    doctor, completion,
):  # fmt: skip
    app.command()(_command)
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(data.app, name="data")
app.add_typer(words.app, name="words")


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"wordsight {__version__}\n")
        raise typer.Exit()


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_show_version, is_eager=True
    ),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    pass


equip(app)


class _StoppedError(BaseException):
    """A signal asked the program to end; no handler for ordinary errors may catch this."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit code: 0 success, 1 failure, 2 misuse, 130 interrupted, 143 terminated.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    console.reset(given)
    complete_if_asked()
    try:
        with _ending_on_signals(), _plain_warnings():
            code = _run(given)
            sys.stdout.flush()
            console.log_end()
            return code
    except _StoppedError as stopped:
        return _say_stopped(stopped.number)
    except KeyboardInterrupt:
        return _say_stopped(signal.SIGINT)
    except BrokenPipeError:  # whoever read the output has enough of it
        console.silence_stdout()
        return EXIT_FAILURE
    except Exception as error:
        return _say_failed(error)


def _run(arguments: list[str]) -> int:
    try:
        code = app(arguments, prog_name="wordsight", standalone_mode=False)
    except UsageError as error:
        return _say_misused(error)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILURE if end.code else 0
    return code if isinstance(code, int) else 0


def _say_misused(error: Any) -> int:
    """Say what is wrong with the usage, beside a line of usage."""
    if type(error).__name__ == "NoArgsIsHelpError":  # it is the help of a group, on stderr
        error.show()
        return EXIT_MISUSE
    if error.ctx is not None:
        console.say_always(error.ctx.get_usage())
    console.error(sentence(error))
    return EXIT_MISUSE


def _say_failed(error: Exception) -> int:
    if console.debug():
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, WordsightError):
        console.error(str(error))
        return error.exit_code
    if isinstance(error, MemoryError):
        console.error("there is not enough memory; use fewer images or fewer atoms (--atoms)")
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        console.error(f"the system refuses: {where}{error.strerror or error}")
    else:
        console.error(
            f"unexpected {type(error).__name__}: {error} (this is a fault of Wordsight; --debug "
            "shows where)"
        )
    return EXIT_FAILURE


def _say_stopped(number: int) -> int:
    how = "interrupted" if number == signal.SIGINT else "terminated"
    again = "; run the same command to go on" if console.resumable() else ""
    console.error(f"{how}; nothing half-written was left behind{again}")
    return EXIT_SIGNAL + number


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM unwind the program, so that temporary files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        # a second signal while the first is being obeyed must not leave half the work done
        for other in (signal.SIGINT, signal.SIGTERM):
            signal.signal(other, signal.SIG_IGN)
        raise _StoppedError(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # started in the background, or by nohup
                signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print warnings as one sentence, without the line of code that they come from."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        console.warn(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
