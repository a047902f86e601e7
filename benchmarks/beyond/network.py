"""A network trained on seen classes alone in place of the paper's features: ours and the paper's.

``python -m benchmarks.beyond.network --data DIR --words FILE --out FILE --device cuda`` trains a
`ConvFeatures` without the unseen classes and without the images that thresholds are set on, then
fits and scores each method on its features, and writes the numbers. ``… network FILE…`` puts such
files into ``docs/beyond.json`` and fills the table of ``docs/beyond-the-paper.md``.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.beyond.__main__ import NUMBERS, write
from wordsight import (
    CombinedNovelty,
    ConvFeatures,
    CrossModalClassifier,
    GaussianNovelty,
    Goal,
    LinearMap,
    ShareClassifier,
    SoftmaxClassifier,
    SoftmaxNovelty,
    StackingNovelty,
    WordDirections,
    WordVectors,
    metrics,
    open_dataset,
)
from wordsight.data.dataset import Dataset
from wordsight.novelty.base import NoveltyDetector
from wordsight.novelty.mahalanobis import FeatureMahalanobisNovelty, MahalanobisNovelty
from wordsight.novelty.neighbour_distance import FeatureNeighbourDistance
from wordsight.novelty.shares import ShareNovelty
from wordsight.rows import draw_held_out
from wordsight.storage import atomic_path

__all__ = ["GATES", "main", "score_gates", "train_network"]

HELD_OUT = 0.1
PAPER_ALPHA = 0.01

GATES: dict[str, Callable[[], NoveltyDetector]] = {
    "gaussian": GaussianNovelty,
    "stacking": StackingNovelty,
    "stacking-centred": lambda: StackingNovelty(centre=True),
    "stacking-euclidean": lambda: StackingNovelty("euclidean"),
    "shares": ShareNovelty,
    "mahalanobis": MahalanobisNovelty,
    "confidence": lambda: SoftmaxNovelty("confidence"),
    "energy": SoftmaxNovelty,
    "feature-mahalanobis": FeatureMahalanobisNovelty,
    "feature-neighbours": FeatureNeighbourDistance,
    "combined": CombinedNovelty,
}
"""All with seen classes told apart by a softmax, unseen ones by centred cosines."""


def train_network(
    data: Dataset, *, seed: int, device: str | None, width: int, n_blocks: int, n_epochs: int
) -> tuple[ConvFeatures, NDArray[np.float32], float]:
    """Train on all but the held-out images.

    Parameters
    ----------
    data : Dataset
        Images of seen classes.
    seed : int
    device : str or None
    width, n_blocks, n_epochs : int
        Of `ConvFeatures`.

    Returns
    -------
    features : ConvFeatures
    X : ndarray, shape (n, F)
        Of all images.
    seconds : float
    """
    labels = np.asarray(data.labels).astype(np.str_)
    # the images that `CrossModalClassifier` with the same seed sets its threshold on
    codes = np.unique(labels, return_inverse=True)[1]
    held_out = draw_held_out(codes, HELD_OUT, np.random.RandomState(seed))
    start = perf_counter()
    features = ConvFeatures(
        width, n_blocks=n_blocks, n_epochs=n_epochs, device=device, image_size=32, random_state=seed
    )
    X = features.fit_transform(data, labels, held_out=held_out)
    return features, X, perf_counter() - start


def score_gates(
    words: WordVectors,
    pair: Sequence[str],
    train: tuple[NDArray[Any], NDArray[np.str_]],
    test: tuple[NDArray[Any], NDArray[np.str_]],
    *,
    seed: int,
    gates: Sequence[str] = tuple(GATES),
) -> dict[str, dict[str, float]]:
    """Fit and score the paper's method, each gate, and the tuned one.

    Parameters
    ----------
    words : WordVectors
    pair : sequence of str
        Unseen classes.
    train, test : (ndarray, ndarray of str)
        Features and labels; no image of an unseen class among the first.
    seed : int
    gates : sequence of str
        Of `GATES`.

    Returns
    -------
    dict
        By method, and by the name of the number.
    """
    paper = CrossModalClassifier(
        words, pair, mapping=LinearMap(PAPER_ALPHA), seen_classifier=_softmax(), random_state=seed
    )
    found = {"paper": _scores(paper.fit(*train), test)}
    for name in gates:
        model = CrossModalClassifier(
            words,
            pair,
            novelty=GATES[name](),
            seen_classifier=_softmax(),
            unseen_classifier=WordDirections(),
            random_state=seed,
        )
        found[name] = _scores(model.fit(*train), test)
    ours = CrossModalClassifier(
        words,
        pair,
        novelty=CombinedNovelty(),
        seen_classifier=ShareClassifier(),
        unseen_classifier=WordDirections(),
        random_state=seed,
    )
    found["ours"] = _scores(ours.fit(*train, tune=Goal()), test)
    return found


def _softmax() -> SoftmaxClassifier:
    return SoftmaxClassifier(temperature="auto")


def _scores(
    model: CrossModalClassifier, test: tuple[NDArray[Any], NDArray[np.str_]]
) -> dict[str, float]:
    X, labels = test
    found = model.recognise(X)
    assert found.unseen_label is not None  # there are unseen classes
    numbers = metrics.scores(
        labels,
        found.label,
        found.seen_label,
        found.unseen_label,
        found.novelty_score,
        seen=model.seen_,
        unseen=model.unseen_,
    )
    names = (
        "seen_only_accuracy", "unseen_only_accuracy", "seen_accuracy", "unseen_accuracy",
        "harmonic_mean", "best_harmonic_mean", "ausuc", "novelty_auroc", "unseen_at_70_seen",
    )  # fmt: skip
    kept: dict[str, Any] = {name: numbers.get(name) for name in names}
    seen = np.isin(labels, model.seen_)
    true = found.seen_label[seen] == labels[seen]
    kept["calibration_error_seen_alone"] = metrics.expected_calibration_error(
        true, found.seen_proba[seen].max(axis=1)
    )
    return {name: float(value) for name, value in kept.items() if value is not None}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, score, and write the numbers of one seed."""
    options = _parser().parse_args(arguments)
    if options.files:
        record = json.loads(NUMBERS.read_text("utf-8"))
        record["network"] = [json.loads(file.read_text("utf-8")) for file in options.files]
        write(record)
        return 0
    pair = [name.strip() for name in options.unseen.split(",")]
    beside = [name.strip() for name in options.without.split(",") if name.strip()]
    words = WordVectors.load(options.words)
    train = open_dataset(options.data, split="train")
    judged = open_dataset(options.data, split="test")
    if beside:  # for development: unseen classes are those of the training images, no test is met
        judged, train = _development(train, pair, beside, options.seed)
    seen = train.without_classes(pair)  # those of beside are gone already
    features, X, seconds = train_network(
        seen,
        seed=options.seed,
        device=options.device,
        width=options.width,
        n_blocks=options.blocks,
        n_epochs=options.epochs,
    )
    if options.weights is not None:
        np.save(options.weights, features.weights_.astype(np.float16), allow_pickle=False)
    labels = tuple(np.asarray(each.labels).astype(np.str_) for each in (seen, judged))
    found = score_gates(
        words, pair, (X, labels[0]), (features.transform(judged), labels[1]), seed=options.seed
    )
    record = {
        "seed": options.seed,
        "unseen": pair,
        "without": beside,
        "network": {"width": options.width, "n_blocks": options.blocks, "n_epochs": options.epochs},
        "loss": features.loss_,
        "seconds_of_training": round(seconds, 1),
        "methods": found,
    }
    with atomic_path(options.out) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return 0


def _development(
    train: Dataset, pair: Sequence[str], beside: Sequence[str], seed: int
) -> tuple[Dataset, Dataset]:
    """Return images to judge, a fifth of the training images, and the rest to train on."""
    train = train.without_classes(beside)
    order = np.random.default_rng(seed).permutation(len(train))
    judged, rest = np.sort(order[: len(train) // 5]), np.sort(order[len(train) // 5 :])
    return train.select(judged), train.select(rest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beyond.network")
    parser.add_argument("files", nargs="*", type=Path, help="to be put into the page")
    parser.add_argument("--data", help="CIFAR-10")
    parser.add_argument("--words", help="word vectors")
    parser.add_argument("--out", type=Path, help="where the numbers go, as JSON")
    parser.add_argument("--unseen", default="cat,truck")
    parser.add_argument("--without", default="", help="more classes that nothing is to meet")
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=None)
    parser.add_argument("--weights", type=Path, default=None, help="where to put them, rounded")
    return parser


if __name__ == "__main__":
    sys.exit(main())
