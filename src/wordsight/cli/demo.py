"""``wordsight demo``: the whole system on synthetic pictures, offline."""

from pathlib import Path
from typing import Annotated

import typer

from wordsight.cli import console
from wordsight.cli.options import Json, Overwrite

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="The folder to make.")] = Path("demo"),
    random_state: Annotated[
        int, typer.Option("--seed", "--random-state", help="Draws everything that is random.")
    ] = 0,
    overwrite: Overwrite = False,
    json_: Json = False,
) -> None:
    """Fit, predict and score on synthetic pictures; needs no download.

    Examples
    --------
    wordsight demo
    wordsight demo --out shapes --seed 1
    """
    from wordsight.demo import run_demo  # noqa: PLC0415 - imports torch

    with console.progress():
        say = console.say if json_ else console.print_line
        found = run_demo(out, random_state=random_state, overwrite=overwrite, say=say)
    if json_:
        console.print_json(found)
