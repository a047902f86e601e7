"""Scoring on a cluster: workers look at shards, and what is kept of each image is joined."""

import io
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.data.dataset import Dataset, OnBroken
from wordsight.data.sharding import Shard
from wordsight.data.source import BrokenImage
from wordsight.distributed.cluster import Cluster
from wordsight.distributed.job import Job
from wordsight.distributed.parts import Part
from wordsight.distributed.run import FailedShard
from wordsight.distributed.worker import placed
from wordsight.evaluation import Look, Looked, look

__all__ = ["looking_on"]

_ARRAYS = [one.name for one in fields(Looked) if one.name != "broken"]


def looking_on(
    cluster: Cluster,
    job: Job,
    model: CrossModalClassifier,
    settings: Mapping[str, str],
    *,
    on_broken: OnBroken = "error",
) -> Look:
    """Return what looks at images on a cluster, for `observe`.

    Parameters
    ----------
    cluster : Cluster
    job : Job
    model : CrossModalClassifier
    settings : mapping of str to str
        All that the answers depend on beside the images.
    on_broken : {"error", "skip"}
        With "error", a shard with a broken image fails.

    Returns
    -------
    callable
    """

    def by(dataset: Dataset, wanted: NDArray[np.bool_]) -> Looked:
        points = np.flatnonzero(wanted)
        # which points are kept is drawn from all images: a part depends on it
        about = {**settings, "broken images": on_broken, "points kept": f"{len(points)}"}
        run = job.run("evaluate", about, job.cut(dataset))
        run.begin()
        run.complete(
            cluster, _look_at, model, points, on_broken, doing="looking at images on the cluster"
        )
        parts = [_read(dataset, shard, part) for shard, part in run.parts()]
        return Looked.together(parts)

    return by


def _look_at(
    shard: Shard, model: CrossModalClassifier, points: NDArray[np.int64], on_broken: OnBroken
) -> tuple[bytes, dict[str, Any]]:
    inside = points[(points >= shard.first_row) & (points < shard.first_row + shard.n_images)]
    wanted = np.zeros(shard.n_images, dtype=np.bool_)
    wanted[inside - shard.first_row] = True
    found = look(placed(model), shard.open(), wanted, on_broken=on_broken)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{name: getattr(found, name) for name in _ARRAYS})
    return file.getvalue(), {"broken": [asdict(one) for one in found.broken]}


def _read(dataset: Dataset, shard: Shard, part: Part | FailedShard) -> Looked:
    if isinstance(part, FailedShard):
        lost = (
            BrokenImage(row, dataset.name(row), part.reason)
            for row in range(shard.first_row, shard.first_row + shard.n_images)
        )
        none, names = np.empty(0), np.empty(0, dtype=np.str_)
        return Looked(none.astype(np.int64), names, names, names, none, none, none, tuple(lost))
    with np.load(io.BytesIO(part.content), allow_pickle=False) as arrays:
        found = Looked(**{name: arrays[name] for name in _ARRAYS})
    broken = [BrokenImage(**one) for one in part.facts["broken"]]
    return replace(
        found,
        rows=found.rows + shard.first_row,
        broken=tuple(replace(one, row=one.row + shard.first_row) for one in broken),
    )
