"""Options of the commands that run on a cluster as well."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordsight.cli import console
from wordsight.exceptions import InputError

if TYPE_CHECKING:
    from wordsight.classifiers.cross_modal import CrossModalClassifier
    from wordsight.distributed.cluster import RayCluster
    from wordsight.distributed.job import Job

__all__ = ["Asked", "bytes_to_recognise", "joined", "on_cluster", "say_failed"]

_PANEL = "On a cluster"

_Address = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Do the work on this Ray cluster (10.0.0.1:6379), or on all cores of this machine "
        "(auto); needs --run.",
        rich_help_panel=_PANEL,
    ),
]
_Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="DIR",
        help="Keep finished shards in this folder, which every machine sees (s3://… where s3fs is "
        "installed): the same command goes on there.",
        rich_help_panel=_PANEL,
    ),
]
_MaxFailed = Annotated[
    int,
    typer.Option(
        help="How many shards may fail, after having been tried again, before the run does.",
        min=0,
        rich_help_panel=_PANEL,
    ),
]
_ShardImages = Annotated[
    int, typer.Option(help="Images of a shard at most.", min=4096, rich_help_panel=_PANEL)
]
_WorkerMemory = Annotated[
    float | None,
    typer.Option(
        help="Gigabytes that are set aside for each worker.",
        min=0.1,
        show_default="what the work needs",
        rich_help_panel=_PANEL,
    ),
]
_WorkerGpus = Annotated[
    float | None,
    typer.Option(
        help="GPUs of each worker, such as 0.25 where four share one.",
        min=0.0,
        show_default="0.25 where the cluster has any",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True)
class Asked:
    """The cluster that was asked for, and how to work on it.

    Attributes
    ----------
    cluster : str
        ``"auto"``, or its address.
    run : str
    max_failed, shard_images : int
    worker_memory, worker_gpus : float or None
    """

    cluster: str
    run: str
    max_failed: int = 0
    shard_images: int = 4096
    worker_memory: float | None = None
    worker_gpus: float | None = None


_ANNOTATIONS: dict[str, Any] = {
    "cluster": _Address,
    "run": _Run,
    "max_failed": _MaxFailed,
    "shard_images": _ShardImages,
    "worker_memory": _WorkerMemory,
    "worker_gpus": _WorkerGpus,
}


def on_cluster(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of work on a cluster to a command, which takes them as one, `spread`."""
    signature = inspect.signature(command)
    defaults = {one.name: one.default for one in fields(Asked)} | {"cluster": None, "run": None}
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=annotation
        )
        for name, annotation in _ANNOTATIONS.items()
    ]

    @wraps(command)
    def spread(**given: Any) -> None:
        asked = _asked({name: given.pop(name) for name in _ANNOTATIONS})
        command(**given, spread=asked)

    own = [one for one in signature.parameters.values() if one.name != "spread"]
    vars(spread)["__signature__"] = signature.replace(parameters=[*own, *added])
    spread.__annotations__ = {**command.__annotations__, **_ANNOTATIONS}
    del spread.__annotations__["spread"]
    return spread


def _asked(given: dict[str, Any]) -> Asked | None:
    """Return what was asked for, or None where no cluster was."""
    cluster, run = given["cluster"], given["run"]
    if cluster is None:
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
    return Asked(**given)


@contextmanager
def joined(
    asked: Asked | None, needs: Callable[[], int]
) -> "Iterator[tuple[RayCluster, Job] | None]":
    """Join the cluster that was asked for, if any, and say how many workers it has room for.

    What failed, where that was allowed, is said at the end.

    Parameters
    ----------
    asked : Asked or None
    needs : callable
        Returns the bytes that a worker needs.
    """
    if asked is None:
        yield None
        return
    from wordsight.distributed.cluster import WorkerSettings, connect  # noqa: PLC0415 - torch
    from wordsight.distributed.job import Job  # noqa: PLC0415
    from wordsight.distributed.parts import PartFolder  # noqa: PLC0415

    folder = PartFolder(asked.run)
    memory = needs() if asked.worker_memory is None else round(asked.worker_memory * 1e9)
    settings = WorkerSettings(gpus=asked.worker_gpus, memory=memory)
    console.set_resumable()
    with connect(asked.cluster, settings) as cluster:
        console.say(
            f"Working on {cluster.describe()}; each worker takes up to {memory / 1e9:.1f} GB. "
            f"Finished shards are kept in {asked.run}."
        )
        job = Job(folder, asked.shard_images, asked.max_failed)
        yield cluster, job
    say_failed(job)


def bytes_to_recognise(model: "CrossModalClassifier", path: Path) -> int:
    """Return the bytes that a worker needs for a model that was loaded from a path."""
    from wordsight.distributed import memory  # noqa: PLC0415 - torch

    return memory.bytes_to_recognise(model, path)


def say_failed(job: "Job") -> None:
    """Say how many shards were there already, and name those that failed."""
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
