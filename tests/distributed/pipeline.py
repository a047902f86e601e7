"""A small job of all four kinds, by this process or on a cluster, as a driver that may be killed.

Pictures of 8 × 8 in shards of 64: what is killed here is the work of many machines, not a long one.
"""

import json
import sys
import time
from itertools import chain
from pathlib import Path

import numpy as np

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.data.open import open_dataset
from wordsight.data.scenes import make_scenes
from wordsight.distributed import features as cluster_features
from wordsight.distributed.cluster import Cluster, connect
from wordsight.distributed.evaluation import looking_on
from wordsight.distributed.feature_rows import feature_rows_on
from wordsight.distributed.features import ClusterFeatures
from wordsight.distributed.job import Job
from wordsight.distributed.parts import PartFolder
from wordsight.distributed.prediction import predict_on
from wordsight.evaluation import observe, score
from wordsight.feature_files import about_features, write_features
from wordsight.features.patch_features import PatchFeatures
from wordsight.persistence import load_model, save_model
from wordsight.prediction_files import write_predictions
from wordsight.progress import listening
from wordsight.storage import atomic_path
from wordsight.words.vectors import WordVectors

KINDS = ("fit", "predict", "evaluate", "features")
OUTPUTS = ("model", "predictions.csv", "scores.json", "features.parquet")
SHARD = 64
DONE = "done"
COLOURS, SHAPES = ("red", "blue", "gold"), ("circle", "star", "heart")
UNSEEN = ("gold star", "red heart")


def write_data(path: Path, n_per_class: int) -> int:
    """Write labelled pictures of seen and unseen classes; return how many."""
    names = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
    images, labels = make_scenes(n_per_class, names, (8, 8))
    order = np.random.default_rng(0).permutation(len(images))
    np.savez(path, images=images[order], labels=labels[order])
    return len(images)


def work(cluster: Cluster, data: Path, folder: Path) -> None:
    """Fit a model, and predict, score and write features with it; what is done already stays so."""

    def job(kind: str) -> Job:
        return Job(PartFolder(folder / f"run-{kind}"), SHARD, multiple_of=SHARD)

    # on data this small it would never be worth while
    setattr(cluster_features, "where_to_sum", lambda *_: (False, "to be killed"))  # noqa: B010
    images = open_dataset(data)
    words = [*COLOURS, *SHAPES]
    model = CrossModalClassifier(
        words=WordVectors(words, np.random.default_rng(1).normal(size=(len(words), 8))),
        unseen=UNSEEN,
        # sums of 200 kB: what is larger than 100 lies in the store of the machine that made it
        features=PatchFeatures(n_atoms=40, n_patches=500, patch_size=3, random_state=0),
        seen_classifier=SoftmaxClassifier(alpha=1.0, tol=0.03),
        random_state=0,
    )
    kept = ClusterFeatures(cluster, job("fit"), {"of": "the test"})
    model.fit(images.without_classes(UNSEEN), cache=kept)
    save_model(model, folder / "model", overwrite=True)

    model = load_model(folder / "model")
    rows = predict_on(cluster, job("predict"), model, [images], {})
    write_predictions(chain.from_iterable(rows), folder / "predictions.csv")

    observed = observe(model, images, by=looking_on(cluster, job("evaluate"), model, {}))
    scores = score(observed, time.perf_counter())
    with atomic_path(folder / "scores.json") as path:
        path.write_text(json.dumps({**scores, "seconds": 0}))

    write_features(
        model,
        images,
        folder / "features.parquet",
        about=about_features(model, folder / "model"),
        overwrite=True,
        rows=feature_rows_on(cluster, job("features"), model, images, {}),
    )


def main(address: str, data: str, folder: str) -> None:
    """Do the work on a cluster; each step of it is a line on the standard output."""

    def tick(stage: str, done: int, total: int) -> None:
        sys.stdout.write(f"{stage}\n")
        sys.stdout.flush()

    with listening(tick), connect(address) as cluster:
        work(cluster, Path(data), Path(folder))
    sys.stdout.write(f"{DONE}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
