"""``wordsight demo``: the whole system on synthetic pictures, offline."""

from pathlib import Path
from typing import Annotated

import typer

from wordsight.cli import console
from wordsight.cli.options import Debug, Overwrite, Quiet

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="The folder to make.")] = Path("demo"),
    random_state: Annotated[
        int, typer.Option("--seed", "--random-state", help="Draws everything that is random.")
    ] = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Fit, predict and score on synthetic pictures; needs no download."""
    from wordsight.demo import run_demo  # noqa: PLC0415 - imports torch

    with console.progress():
        run_demo(out, random_state=random_state, overwrite=overwrite, say=console.print_line)
