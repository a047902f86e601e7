"""A model's features of images on a cluster, as rows for a file."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.data.dataset import Dataset
from wordsight.data.sharding import Shard
from wordsight.distributed.cluster import Cluster
from wordsight.distributed.features import as_npy
from wordsight.distributed.job import Job
from wordsight.distributed.parts import Content, Part
from wordsight.distributed.run import FailedShard
from wordsight.distributed.worker import placed
from wordsight.feature_files import FeatureRow, feature_rows

__all__ = ["feature_rows_on"]


def feature_rows_on(
    cluster: Cluster,
    job: Job,
    model: CrossModalClassifier,
    dataset: Dataset,
    settings: Mapping[str, str],
) -> Iterator[list[FeatureRow]]:
    """Yield the rows that `feature_rows` yields, shard by shard, computed on a cluster.

    Parameters
    ----------
    cluster : Cluster
    job : Job
    model : CrossModalClassifier
        Trained on images.
    dataset : Dataset
        In files that each worker sees.
    settings : mapping of str to str
        All that rows depend on beside the images.

    Yields
    ------
    list of FeatureRow
        A row for each image of a shard; those of a shard that failed have the reason as error.
    """
    run = job.run("features", settings, job.cut(dataset))
    run.begin()
    run.complete(cluster, _rows_of_shard, model, doing="computing features on the cluster")
    for shard, part in run.parts():
        yield list(_rows(dataset, shard, part))


def _rows_of_shard(shard: Shard, model: CrossModalClassifier) -> tuple[Content, dict[str, Any]]:
    made: NDArray[np.float32] | None = None
    n_rows, errors = 0, {}
    rows = (row for batch in feature_rows(placed(model), shard.open()) for row in batch)
    for number, row in enumerate(rows):
        if row.features is None:
            errors[str(number)] = row.error
            continue
        if made is None:
            made = np.empty((shard.n_images, len(row.features)), dtype=np.float32)
        made[n_rows] = row.features
        n_rows += 1
    return as_npy(np.empty((0, 0)) if made is None else made[:n_rows]), {"errors": errors}


def _rows(dataset: Dataset, shard: Shard, part: Part | FailedShard) -> Iterator[FeatureRow]:
    features: Iterator[NDArray[np.float32]] = iter(())
    if isinstance(part, FailedShard):
        errors = dict.fromkeys(range(shard.n_images), part.reason)
    else:
        errors = {int(number): reason for number, reason in part.facts["errors"].items()}
        features = iter(np.load(io.BytesIO(part.content), allow_pickle=False))
    for number in range(shard.n_images):
        row = shard.first_row + number
        name = dataset.name(row)
        error = errors.get(number)
        yield FeatureRow(
            name, dataset.label(row), None if error is not None else next(features), error
        )
