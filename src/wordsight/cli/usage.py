"""Wrong usage of the command line, told as every other error: given, expected, what to do.

Typer finds that an option, a value or a command is wrong; its words for it differ from version to
version, and speak of types of Python. The sentences here are made from what the command declares.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

__all__ = ["GIVEN", "UsageError", "remembering", "sentence", "unknown_command"]

# Typer exports this one kind of wrong usage; all the others have its base in common
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

_CLOSE = 0.7
"""How like (1: the same) an option has to be to be what was meant."""

GIVEN = "wordsight.given"
"""Under which a context holds the words that were given to its command."""


@contextmanager
def remembering(ctx: Any, given: list[str]) -> Iterator[None]:
    """Keep the words given to a command, and the command that an error inside is about."""
    ctx.meta[GIVEN] = list(given)
    try:
        yield
    except UsageError as error:
        vars(error)["ctx"] = vars(error).get("ctx") or ctx
        raise


def sentence(error: Any) -> str:
    """Say in one sentence what is wrong with the usage, and what to do.

    Parameters
    ----------
    error : UsageError
        As Typer raised it.
    """
    ctx = error.ctx
    if ctx is None:
        return str(error.format_message())
    told = _SENTENCES.get(type(error).__name__, _of_message)
    return told(ctx, error)


def unknown_command(ctx: Any, given: str) -> str:
    """Say that a group has no such command, and which are near: its own, or those elsewhere."""
    every = dict(_commands(ctx.find_root().command, ""))
    group = ctx.command_path.partition(" ")[2]
    own = [name for name in every if name.rpartition(" ")[0] == group]
    near = _near(own, given) or _near(list(every), given)
    meant = f"did you mean: {', '.join(near)}" if near else _see(ctx)
    return f"{ctx.command_path} has no command {given!r}; {meant}"


def _near(names: list[str], given: str) -> list[str]:
    """Return the full names of commands whose last word is like `given`."""
    close = get_close_matches(given, {name.split()[-1] for name in names}, cutoff=_CLOSE)
    return [name for name in names if name.split()[-1] in close]


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in getattr(group, "commands", {}).items():
        full = f"{path} {name}".strip()
        yield full, command
        yield from _commands(command, full)


def _see(ctx: Any) -> str:
    return f"see: {ctx.command_path} --help"


def _of_unknown_option(ctx: Any, error: Any) -> str:
    options = [option for one in ctx.command.params for option in one.opts if option[:1] == "-"]
    starting = [option for option in options if option.startswith(error.option_name)]
    near = starting or get_close_matches(error.option_name, options, n=2, cutoff=_CLOSE)
    meant = f"did you mean: {', '.join(near)}" if near else _see(ctx)
    return f"{ctx.command_path} has no option {error.option_name}; {meant}"


def _of_option(ctx: Any, error: Any) -> str:
    """Return the sentence on an option without a value, or a flag with one."""
    found = [one for one in ctx.command.params if error.option_name in one.opts]
    if not found or "requires" not in str(error.message):
        return f"{error.option_name} takes no value; give it alone"
    return f"{error.option_name} was given no value; expected {_expected(found[0], ctx)}"


def _of_missing(ctx: Any, error: Any) -> str:
    expected = _expected(error.param, ctx)
    return f"{ctx.command_path} was given no {_called(error.param)}; expected {expected}"


def _of_message(ctx: Any, error: Any) -> str:
    """Return the sentence on what has no kind of its own: by Typer's words."""
    message = str(error.message).rstrip(".")
    if "unexpected extra argument" in message:
        return (
            f"{ctx.command_path} was given more than it takes{_rest(message)}; leave it out, put "
            f"a name that holds spaces in quotes, or {_see(ctx)}"
        )
    return message if ";" in message else f"{message[:1].lower()}{message[1:]}; {_see(ctx)}"


def _of_value(ctx: Any, error: Any) -> str:
    given = _value(ctx, error)
    if given is None:  # Typer's words have the value in them
        return f"{_called(error.param)}: {error.message}; expected {_expected(error.param, ctx)}"
    return f"{_called(error.param)} {given} was given; expected {_expected(error.param, ctx)}"


def _value(ctx: Any, error: Any) -> str | None:
    """Return what was given for an option, or for an argument if Typer quotes it."""
    parameter = error.param
    given: list[str] = ctx.meta.get(GIVEN, [])
    if parameter.param_type_name == "argument":
        quoted = re.search(r"'(.*?)' is not", str(error.message))
        return quoted[1] if quoted else None
    for place, text in enumerate(given):
        name, equals, value = text.partition("=")
        if name in parameter.opts and name.startswith("-"):
            if equals:
                return value
            if place + 1 < len(given):
                return given[place + 1]
        elif text[:2] in parameter.opts and len(text) > 2 and text[:2] != "--":
            return text[2:]
    return None


def _called(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return str(parameter.opts[0])
    return str(parameter.metavar or parameter.name).upper()


def _expected(parameter: Any, ctx: Any) -> str:
    """Say what a parameter takes, by the annotation of the function behind the command."""
    declared = inspect.signature(ctx.command.callback).parameters.get(parameter.name)
    kind: Any = str if declared is None else declared.annotation
    info: Any = None
    if get_origin(kind) is Annotated:
        kind, info = get_args(kind)[:2]
    if get_origin(kind) in (Union, UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    about = str(getattr(info, "help", None) or "").rstrip(".")
    if get_origin(kind) is Literal:
        return _or([str(one) for one in get_args(kind)])
    if kind in (int, float):
        return _range("a whole number" if kind is int else "a number", info)
    if kind is Path and parameter.param_type_name == "option" and about:
        return f"a path ({about[:1].lower()}{about[1:]})"
    return f"{about[:1].lower()}{about[1:]}" if about else "a value"


def _range(noun: str, info: Any) -> str:
    """Add the least and the most that a number may be."""
    least, most = getattr(info, "min", None), getattr(info, "max", None)
    if least is None and most is None:
        return noun
    if most is None:
        return f"{noun} of at least {least}"
    return f"{noun} of at most {most}" if least is None else f"{noun} from {least} to {most}"


def _or(choices: list[str]) -> str:
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if choices[1:] else choices)


def _rest(message: str) -> str:
    """Return what Typer puts in brackets: the arguments that are too many."""
    _, bracket, extra = message.rpartition(" (")
    return f": {extra.rstrip(')')}" if bracket else ""


_SENTENCES: dict[str, Callable[[Any, Any], str]] = {
    "NoSuchOption": _of_unknown_option,
    "BadOptionUsage": _of_option,
    "MissingParameter": _of_missing,
    "BadParameter": _of_value,
}
