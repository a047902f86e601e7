"""``wordsight completion``: what a shell needs to complete commands, options and names."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from wordsight.cli import console
from wordsight.cli.options import Json
from wordsight.cli.usage import GIVEN

__all__ = ["complete_if_asked", "completion", "data_classes", "model_classes"]

_VARIABLE = "_WORDSIGHT_COMPLETE"
"""Where the shell's script says that the program is to complete, and how; Typer reads it."""

# Typer's own script leaves names of several words unquoted, and does not know --option=value,
# which bash cuts at the equals sign
_BASH = """\
_wordsight_completion() {
    local IFS=$'\\n' candidate word words=()
    for word in "${COMP_WORDS[@]:0:COMP_CWORD}"; do
        [[ $word == "=" ]] || words+=("$word")
    done
    word=${COMP_WORDS[COMP_CWORD]}
    [[ $word == "=" ]] && word=""
    COMPREPLY=()
    while read -r candidate; do
        [[ $candidate ]] || continue
        [[ $candidate == *" "* && $word != [\\"\\']* ]] && candidate=$(printf %q "$candidate")
        COMPREPLY+=("$candidate")
    done < <(env COMP_WORDS="${words[*]}"$'\\n'"$word" COMP_CWORD=${#words[@]} \\
                 _WORDSIGHT_COMPLETE=complete_bash "$1" 2>/dev/null)
}
complete -o default -F _wordsight_completion wordsight
"""
_WHERE = {
    "bash": "add to ~/.bashrc: source <(wordsight completion bash)",
    "zsh": "add to ~/.zshrc, after compinit: source <(wordsight completion zsh)",
    "fish": "wordsight completion fish > ~/.config/fish/completions/wordsight.fish",
}


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Your shell.")],
    json_: Json = False,
) -> None:
    """Print the script by which a shell completes commands, options, choices and class names.

    Examples
    --------
    wordsight completion bash > ~/.wordsight-completion
    wordsight completion fish > ~/.config/fish/completions/wordsight.fish
    """
    script = _BASH if shell == "bash" else _typers(shell)
    if json_:
        console.print_json({"shell": shell, "script": script})
        return
    console.print_line(script.strip())
    if sys.stdout.isatty():
        console.say(f"# to use it, {_WHERE[shell]}")


def complete_if_asked() -> None:
    """Get ready to answer a shell, where it is one that asks."""
    if _VARIABLE in os.environ:
        import_module("typer.completion").completion_init()


def model_classes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a list, separated by commas, of classes of the model named before."""
    model = _first_argument(ctx)
    if model is None:
        return []
    try:
        config: Any = json.loads((model / "config.json").read_text(encoding="utf-8"))
        known = [*config["seen"], *config["unseen"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # whatever is wrong with it is told when it is used
    return _of_list(known, incomplete)


def data_classes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a list, separated by commas, of classes of the folder of images named before."""
    data = _first_argument(ctx)
    if data is None:
        return []
    place = data / "train" if (data / "train").is_dir() else data
    try:
        known = sorted(one.name for one in place.iterdir() if one.is_dir())
    except OSError:
        return []
    return _of_list(known, incomplete)


def _first_argument(ctx: typer.Context) -> Path | None:
    """Return the first word that is no option; an option that lacks its value stops the parser."""
    words: list[str] = ctx.meta.get(GIVEN, [])
    return next((Path(word).expanduser() for word in words if not word.startswith("-")), None)


def _of_list(known: list[str], incomplete: str) -> list[str]:
    before, comma, _last = incomplete.rpartition(",")
    named = before.split(",")
    return [f"{before}{comma}{name}" for name in known if name not in named]


def _typers(shell: str) -> str:
    script: str = import_module("typer.completion").get_completion_script(
        prog_name="wordsight", complete_var=_VARIABLE, shell=shell
    )
    return script
