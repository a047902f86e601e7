"""What every command has without saying so: shared options, help in groups, examples at its end.

`equip` goes over an application once all its commands are registered. A command brings its own
options and a docstring; an ``Examples`` section in it becomes the end of its help.
"""

import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from wordsight.cli.options import EVERY_COMMAND, Debug, Quiet, Verbose
from wordsight.cli.usage import remembering, unknown_command

__all__ = ["Command", "Group", "equip", "examples_of"]

_EXAMPLES = re.compile(r"\n+Examples\n-+\n")
_CHOICES = re.compile(r"<?\[?([\w-]+(?:\|[\w-]+)+)\]?>?$")
_DEFAULT = re.compile(r"\[default: \((.*)\)([;\]])")
_WIDEST = 60
_SHARED = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
    for name, annotation in (("quiet", Quiet), ("verbose", Verbose), ("debug", Debug))
]


class Command(TyperCommand):
    """A command whose options are shown in groups, and whose help ends with examples."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and keep what was given for the sentence on what is wrong with it."""
        with remembering(ctx, args):
            return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options under the name of their panel; plain, so fast."""
        _write_groups(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples as they are, one in a line."""
        if not self.epilog:
            return
        with formatter.section("Examples"):
            for line in self.epilog.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class Group(TyperGroup):
    """A group of commands that knows what was meant by a slip."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as a command does."""
        with remembering(ctx, args):
            return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write options as a command does, and then the commands."""
        _write_groups(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; of an unknown one say which are near, also in other groups."""
        name = args[0]
        if self.get_command(ctx, name) is None and not (
            ctx.resilient_parsing or name.startswith("-")
        ):
            ctx.fail(unknown_command(ctx, name))
        return super().resolve_command(ctx, args)


def equip(app: typer.Typer) -> None:
    """Give all commands of an application, also those in groups, what every command has.

    Parameters
    ----------
    app : typer.Typer
        Complete: a command registered later is left out.
    """
    app.info.cls = Group
    for command in app.registered_commands:
        assert command.callback is not None
        text, examples = _split(inspect.getdoc(command.callback) or "")
        command.cls = Command
        command.help = text
        # given, it is not cut off in the list of commands
        command.short_help = " ".join(text.partition("\n\n")[0].split())
        command.epilog = examples
        command.callback = _with_shared_options(command.callback)
    for group in app.registered_groups:
        assert group.typer_instance is not None
        equip(group.typer_instance)


def examples_of(command: Any) -> list[str]:
    r"""Return the examples of a command, those of several lines (``\`` at the end) joined."""
    return re.sub(r"\s*\\\n\s*", " ", command.epilog or "").splitlines()


def _split(docstring: str) -> tuple[str, str]:
    text, *rest = _EXAMPLES.split(docstring, maxsplit=1)
    return text, rest[0].rstrip() if rest else ""


def _with_shared_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every command takes; their callbacks see to them."""
    signature = inspect.signature(function)
    added = [one for one in _SHARED if one.name not in signature.parameters]

    @wraps(function)
    def command(**given: Any) -> None:
        for one in added:
            given.pop(one.name, None)
        function(**given)

    parameters = [*signature.parameters.values(), *added]
    vars(command)["__signature__"] = signature.replace(parameters=parameters)
    command.__annotations__ = {
        **function.__annotations__,
        **{one.name: one.annotation for one in added},
    }
    return command


def _readable(record: tuple[str, str] | None) -> tuple[str, str] | None:
    """Move a long list of choices into the text, and take a default's brackets away."""
    if record is None:
        return None
    name, text = record
    choices = _CHOICES.search(name)
    if choices and len(name) > _WIDEST:
        listed = choices[1].replace("|", ", ")
        name = name[: choices.start()] + "<choice>"
        text = text.replace(".  [", f": {listed}.  [", 1)
    return name, _DEFAULT.sub(r"[default: \1\2", text)


def _write_groups(command: Any, ctx: Any, formatter: Any) -> None:
    groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    last: list[tuple[str, str]] = []
    for parameter in command.get_params(ctx):
        record = _readable(parameter.get_help_record(ctx))
        if record is None:
            continue
        panel = getattr(parameter, "rich_help_panel", None)
        if parameter.param_type_name == "argument":
            groups["Arguments"].append(record)
        elif panel == EVERY_COMMAND or parameter.name == "help":
            last.append(record)
        else:
            groups.setdefault(panel or "Options", []).append(record)
    groups[EVERY_COMMAND] = last
    for name, records in groups.items():
        if records:
            with formatter.section(name):
                formatter.write_dl(records)
