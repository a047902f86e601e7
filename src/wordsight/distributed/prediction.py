"""Predictions on a cluster: a shard's rows are computed by a worker, and read back in order."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.data.dataset import Dataset
from wordsight.data.sharding import Shard
from wordsight.distributed.cluster import Cluster
from wordsight.distributed.job import Job
from wordsight.distributed.parts import Part
from wordsight.distributed.run import FailedShard
from wordsight.distributed.worker import placed
from wordsight.prediction import Prediction, predict_batches
from wordsight.prediction_state import PREDICTIONS

__all__ = ["predict_on"]


def predict_on(
    cluster: Cluster,
    job: Job,
    model: CrossModalClassifier,
    datasets: Sequence[Dataset],
    settings: Mapping[str, str],
    *,
    among: Sequence[str] | None = None,
    n_nearest: int = 5,
    n_top: int = 0,
) -> Iterator[list[Prediction]]:
    """Yield the rows that `predict_batches` yields, shard by shard, computed on a cluster.

    Parameters
    ----------
    cluster : Cluster
    job : Job
        Where the run is kept, and what may fail.
    model : CrossModalClassifier
    datasets : sequence of Dataset
        In files that each worker sees.
    settings : mapping of str to str
        All that rows depend on beside the images.
    among, n_nearest, n_top
        As for `predict_batches`.

    Yields
    ------
    list of Prediction
        A row for each image of a shard; those of a shard that failed have the reason as error.

    Raises
    ------
    WordsightError
        More shards failed than may.
    """
    pieces = [(dataset, piece) for dataset in datasets for piece in job.cut(dataset)]
    run = job.run("predict", settings, [piece for _, piece in pieces])
    run.begin()
    run.complete(
        cluster,
        _predict_shard,
        model,
        among,
        (n_nearest, n_top),
        doing="predicting on the cluster",
    )
    for (dataset, _), (shard, part) in zip(pieces, run.parts(), strict=True):
        yield list(_rows(dataset, shard, part))


def _predict_shard(
    shard: Shard,
    model: CrossModalClassifier,
    among: Sequence[str] | None,
    counts: tuple[int, int],
) -> tuple[bytes, dict[str, Any]]:
    n_nearest, n_top = counts
    batches = predict_batches(
        placed(model), [shard.open()], among=among, n_nearest=n_nearest, n_top=n_top
    )
    rows = [row for batch in batches for row in batch]
    lines = [json.dumps(PREDICTIONS.encode(row), allow_nan=False) for row in rows]
    return "\n".join(lines).encode(), {"n_failed": sum(row.error is not None for row in rows)}


def _rows(dataset: Dataset, shard: Shard, part: Part | FailedShard) -> Iterator[Prediction]:
    if isinstance(part, FailedShard):
        for row in range(shard.first_row, shard.first_row + shard.n_images):
            yield Prediction(dataset.name(row), error=part.reason)
        return
    for line in part.content.decode().split("\n"):
        yield PREDICTIONS.decode(json.loads(line))
