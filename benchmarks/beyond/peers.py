"""Ours, the paper's method and its peers on one set of features, words and images.

Small features (a dictionary of 200 atoms), learned without the pair: with the paper's 12,800, some
of the peers would take hours.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.beyond.class_scores import Images, Pair
from wordsight.data.gzsl import StandardSplit
from wordsight.experiments.setting import CLASSES
from wordsight.features.patch_features import PatchFeatures
from wordsight.standard_benchmark import METHODS, score_methods
from wordsight.words.vectors import WordVectors

__all__ = ["score_peers"]

ATOMS = 200


def score_peers(
    images: Images, words: WordVectors, pair: Pair, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Train and score all methods of the standard benchmark with a pair of classes unseen.

    Parameters
    ----------
    images : Images
    words : WordVectors
    pair : pair of str
    seed : int

    Returns
    -------
    list of dict
        A `StandardScores` for each method.
    """
    seen = images.train.without_classes(list(pair))
    encoder = PatchFeatures(ATOMS, random_state=seed)
    train = encoder.fit_transform(seen)
    test = encoder.transform(images.test)
    labels = np.concatenate([np.asarray(seen.labels), np.asarray(images.test.labels)])
    is_unseen = np.isin(np.asarray(images.test.labels), list(pair))
    rows = np.arange(len(test)) + len(train)
    names, vectors = words.vectors_for(list(CLASSES))
    split = StandardSplit(
        name="CIFAR-10",
        features=np.concatenate([train, test]),
        labels=labels.astype(np.str_),
        classes=np.array(names),
        attributes=np.asarray(vectors, dtype=np.float64),
        train=np.arange(len(train)),
        test_seen=rows[~is_unseen],
        test_unseen=rows[is_unseen],
        digest="",
    )
    return [asdict(one) for one in score_methods(split, tuple(METHODS), random_state=seed)]
