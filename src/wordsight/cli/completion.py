"""``wordsight completion``: what a shell needs to complete commands, options and names."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from wordsight.cli import console
from wordsight.cli.options import Json

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
        from typer.completion import completion_init  # noqa: PLC0415 - takes time

        completion_init()


def model_classes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a list, separated by commas, of classes of the model named before."""
    model = ctx.params.get("model")
    if model is None:
        return []
    try:
        config: Any = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
        known = [*config["seen"], *config["unseen"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # whatever is wrong with it is told when it is used
    return _of_list(known, incomplete)


def data_classes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a list, separated by commas, of classes of the folder of images named before."""
    data = ctx.params.get("data")
    if data is None or not Path(data).is_dir():
        return []
    places = [Path(data) / "train"] if (Path(data) / "train").is_dir() else [Path(data)]
    try:
        known = [one.name for place in places for one in place.iterdir() if one.is_dir()]
    except OSError:
        return []
    return _of_list(sorted(known), incomplete)


def _of_list(known: list[str], incomplete: str) -> list[str]:
    before, comma, _last = incomplete.rpartition(",")
    named = before.split(",")
    return [f"{before}{comma}{name}" for name in known if name not in named]


def _typers(shell: str) -> str:
    from typer.completion import get_completion_script  # noqa: PLC0415 - takes time

    return get_completion_script(prog_name="wordsight", complete_var=_VARIABLE, shell=shell)
