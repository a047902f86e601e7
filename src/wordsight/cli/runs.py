"""``wordsight runs``: look at what a cluster has done of a run."""

from typing import Annotated

import typer

from wordsight.cli import console
from wordsight.cli.options import Json

__all__ = ["app", "show"]

app = typer.Typer(help="Look at runs on a cluster.", no_args_is_help=True, rich_markup_mode=None)

SHOWN = 20
"""Shards that are named; of the others only their number is said."""


@app.callback()
def runs() -> None:
    """Look at runs on a cluster."""


@app.command()
def show(
    run: Annotated[
        str, typer.Argument(metavar="DIR", help="The folder, or its address, given as --run.")
    ],
    json_: Json = False,
) -> None:
    """Print what is done of a run, what failed and what is left; every part is checked.

    Examples
    --------
    wordsight runs show run/
    wordsight runs show run/ --json
    """
    from wordsight.distributed import run as runs_  # noqa: PLC0415 - imports numpy

    with console.progress():
        found = runs_.show(run)
    counts = found.counts()
    if json_:
        console.print_json(
            {
                "run": run,
                "kind": found.kind,
                "settings": found.settings,
                "shards": {state: n_shards for state, (n_shards, _images) in counts.items()},
                "images": {state: n_images for state, (_shards, n_images) in counts.items()},
                "bytes": found.n_bytes,
                "worker_peak_bytes": found.worker_peak,
                "cpu_seconds": found.cpu_seconds,
                "bytes_read": found.n_read,
                "failed": [
                    {"shard": one.number, "first_row": one.first_row, "reason": one.reason}
                    for one in found.shards
                    if one.state == "failed"
                ],
            }
        )
        return
    console.print_table(
        f"{found.kind}: {len(found.shards)} shards, {found.n_bytes / 1e6:.1f} MB, in "
        f"{console.duration(found.cpu_seconds)} of the workers' processors, which had at most "
        f"{found.worker_peak / 1e9:.2f} GB each",
        ["state", "shards", "images"],
        [(state, str(shards), str(images)) for state, (shards, images) in counts.items()],
        right=2,
    )
    wanting = [one for one in found.shards if one.state in ("failed", "damaged")]
    if wanting:
        console.print_table(
            None,
            ["shard", "images", "state", "reason"],
            [
                (
                    str(one.number),
                    f"{one.first_row} to {one.first_row + one.n_images - 1}",
                    one.state,
                    one.reason or "",
                )
                for one in wanting[:SHOWN]
            ],
        )
    if wanting[SHOWN:]:
        console.say(f"and {len(wanting) - SHOWN} more; --json names all")
