"""Options of the commands that run on a cluster as well."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli import console
from wordsight.exceptions import InputError

if TYPE_CHECKING:
    from wordsight.distributed.cluster import RayCluster
    from wordsight.distributed.job import Job

__all__ = [
    "Address",
    "Cluster",
    "MaxFailed",
    "Run",
    "ShardImages",
    "WorkerGpus",
    "WorkerMemory",
    "chosen",
    "joined",
    "say_failed",
]

_PANEL = "On a cluster"

Address = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Do the work on this Ray cluster (10.0.0.1:6379), or on all cores of this machine "
        "(auto); needs --run.",
        rich_help_panel=_PANEL,
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="DIR",
        help="Keep finished shards in this folder, which every machine sees (s3://… where s3fs is "
        "installed): the same command goes on there.",
        rich_help_panel=_PANEL,
    ),
]
MaxFailed = Annotated[
    int,
    typer.Option(
        help="How many shards may fail, after having been tried again, before the run does.",
        min=0,
        rich_help_panel=_PANEL,
    ),
]
ShardImages = Annotated[
    int, typer.Option(help="Images of a shard at most.", min=2048, rich_help_panel=_PANEL)
]
WorkerMemory = Annotated[
    float | None,
    typer.Option(
        help="Gigabytes that are set aside for each worker.",
        min=0.1,
        show_default="what the work needs",
        rich_help_panel=_PANEL,
    ),
]
WorkerGpus = Annotated[
    float | None,
    typer.Option(
        help="GPUs of each worker, such as 0.25 where four share one.",
        min=0.0,
        show_default="0.25 where the cluster has any",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True)
class Cluster:
    """What was asked for.

    Attributes
    ----------
    address : str
    run : str
    max_failed, shard_images : int
    worker_memory, worker_gpus : float or None
    """

    address: str
    run: str
    max_failed: int
    shard_images: int
    worker_memory: float | None
    worker_gpus: float | None


def chosen(
    address: str | None,
    run: str | None,
    max_failed: int,
    shard_images: int,
    worker_memory: float | None,
    worker_gpus: float | None,
) -> Cluster | None:
    """Return what was asked for, or None where no cluster was."""
    if address is None:
        if run is not None:
            raise InputError(
                f"--run {run} was given without --cluster; give both, or neither to work on this "
                "machine alone"
            )
        return None
    if run is None:
        raise InputError(
            "--cluster was given, and no folder to keep finished shards in; name one that every "
            "machine sees (--run)"
        )
    return Cluster(address, run, max_failed, shard_images, worker_memory, worker_gpus)


@contextmanager
def joined(asked: Cluster, needs: Callable[[], int]) -> "Iterator[tuple[RayCluster, Job]]":
    """Join the cluster, and say how many workers it has room for.

    Parameters
    ----------
    asked : Cluster
    needs : callable
        Returns the bytes that a worker needs.
    """
    from wordsight.distributed.cluster import WorkerSettings, connect  # noqa: PLC0415 - torch
    from wordsight.distributed.job import Job  # noqa: PLC0415
    from wordsight.distributed.parts import PartFolder  # noqa: PLC0415

    folder = PartFolder(asked.run)
    memory = needs() if asked.worker_memory is None else round(asked.worker_memory * 1e9)
    settings = WorkerSettings(gpus=asked.worker_gpus, memory=memory)
    console.set_resumable()
    with connect(asked.address, settings) as cluster:
        console.say(
            f"Working on {cluster.describe()}; each worker takes up to {memory / 1e9:.1f} GB. "
            f"Finished shards are kept in {asked.run}."
        )
        yield cluster, Job(folder, asked.shard_images, asked.max_failed)


def say_failed(job: "Job") -> None:
    """Name the shards that failed, where that was allowed."""
    run = job.last
    if run is None:
        return
    if run.n_kept:
        console.say(f"{run.n_kept} of {len(run.pieces)} shards were done already.")
    for one in run.failed:
        last = one.first_row + one.n_images - 1
        console.warn(
            f"shard {one.number} (images {one.first_row} to {last}) failed {one.attempts} times: "
            f"{one.reason}"
        )
