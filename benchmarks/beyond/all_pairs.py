"""All 45 pairs: two unseen classes told apart by their words, in several ways.

On the features of `wordsight reproduce`, which were learned from images of all ten classes without
any label: what is compared is told apart on the same points.
"""

from itertools import combinations

import numpy as np

from wordsight.classifiers.word_directions import WordDirections
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.experiments.lab import Lab
from wordsight.experiments.setting import CLASSES

__all__ = ["told_apart"]

N_REFERENCE = 1000
KINDS: dict[str, WordGaussians | WordDirections] = {
    "nearest": WordGaussians(),
    "cosine": WordDirections(centre=False),
    "centred": WordDirections(),
    "csls": WordDirections(correction="csls"),
    "inverted_softmax": WordDirections(correction="inverted_softmax"),
}


def told_apart(lab: Lab) -> dict[str, dict[str, float]]:
    """Return mean and least accuracy over all pairs, by kind of classifier."""
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for pair in combinations(CLASSES, 2):
        scores, held_out = lab.seen_scores(pair), lab.held_out_scores(pair)
        seen, unseen = lab.word_vectors(scores.seen), lab.word_vectors(scores.unseen)
        of_pair = np.isin(scores.test_labels, scores.unseen)
        S = scores.test[of_pair].astype(np.float64) @ seen
        codes = np.array([scores.unseen.index(name) for name in scores.test_labels[of_pair]])
        rows = lab.random_state("reference").permutation(len(held_out.train))[:N_REFERENCE]
        reference = {
            "seen_words": seen,
            "points": held_out.train[rows].astype(np.float64) @ seen,
            "labels": np.array([scores.seen.index(n) for n in held_out.train_labels[rows]]),
        }
        for kind, classifier in KINDS.items():
            extra = {} if isinstance(classifier, WordGaussians) else reference
            said = classifier.fit(unseen, np.arange(2), **extra).predict(S)
            found[kind].append(float((said == codes).mean()))
    return {
        kind: {"mean": float(np.mean(values)), "worst": min(values)}
        for kind, values in found.items()
    }
