"""The standard benchmark of generalised zero-shot learning, on features and splits as published.

Every method learns from the same features of the training images and the same vector for each
class, and is scored once on the two test parts; all settings are defaults, and no test image is
looked at before that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.baselines.attributes import DirectAttributePrediction
from wordsight.baselines.base import ZeroShotPeer
from wordsight.baselines.conse import ConSE
from wordsight.baselines.devise import DeViSE
from wordsight.baselines.eszsl import ESZSL
from wordsight.baselines.nearest_word import NearestWord
from wordsight.baselines.sae import SAE
from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.classifiers.word_directions import WordDirections
from wordsight.data.gzsl import StandardSplit
from wordsight.exceptions import InputError
from wordsight.geometry import directions
from wordsight.mapping.two_layer import TwoLayerMap
from wordsight.metrics import harmonic_mean, macro_accuracy, seen_unseen_curve

__all__ = ["METHODS", "PUBLISHED", "StandardScores", "score_methods"]

PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    "CMT": {
        "zsl": {"SUN": 39.9, "CUB": 34.6, "AWA1": 39.5, "AWA2": 37.9, "aPY": 28.0},
    },
    "CMT*": {
        "harmonic_mean": {"SUN": 13.3, "CUB": 8.7, "AWA1": 15.3, "AWA2": 15.9, "aPY": 19.0},
    },
    "ESZSL": {
        "harmonic_mean": {"SUN": 15.8, "CUB": 21.0, "AWA1": 12.1, "AWA2": 11.0, "aPY": 4.6},
    },
}
"""Percentages of Xian et al. 2018, by method, score and data set."""

Words = Mapping[str, NDArray[np.float64]]
Model = CrossModalClassifier | ZeroShotPeer
Maker = Callable[[Words, Sequence[str], int], Model]

METHODS: dict[str, Maker] = {
    "Wordsight": lambda words, unseen, seed: CrossModalClassifier(words, unseen, random_state=seed),
    "Wordsight tuned": lambda words, unseen, seed: CrossModalClassifier(
        words,
        unseen,
        seen_classifier=SoftmaxClassifier(temperature="auto", random_state=seed),
        unseen_classifier=WordDirections(),
        random_state=seed,
    ),
    "CMT": lambda words, unseen, seed: NearestWord(
        words, unseen, mapping=TwoLayerMap(random_state=seed), metric="euclidean"
    ),
    "CMT*": lambda words, unseen, seed: CrossModalClassifier(
        words, unseen, mapping=TwoLayerMap(random_state=seed), random_state=seed
    ),
    "nearest word": lambda words, unseen, seed: NearestWord(words, unseen, random_state=seed),
    "ConSE": lambda words, unseen, _seed: ConSE(words, unseen),
    "DeViSE": lambda words, unseen, seed: DeViSE(words, unseen, random_state=seed),
    "ESZSL": lambda words, unseen, _seed: ESZSL(words, unseen),
    "SAE": lambda words, unseen, _seed: SAE(words, unseen),
    "DAP": lambda words, unseen, _seed: DirectAttributePrediction(words, unseen),
}
"""What is compared: Wordsight's own model; the same with ridge term, gate and threshold chosen on
seen classes held out, and centred cosines for unseen classes; the paper's method as the benchmark
names it (CMT: two-layer map and nearest word; CMT*: with novelty gate and softmax); the peers."""


TUNED = {"Wordsight tuned"}
"""Those that are tuned as they are fitted, for the best harmonic mean."""


@dataclass(frozen=True)
class StandardScores:
    """What a method scored, every accuracy a mean over classes, as a fraction.

    Attributes
    ----------
    method : str
    zsl : float
        T1: images of unseen classes, told apart among these alone.
    unseen, seen : float
        U and S: images of unseen and of seen classes, told apart among all.
    harmonic_mean : float
        H, of these two.
    ausuc : float
        Area under the seen–unseen curve.
    seconds : float
        Learning and recognising.
    """

    method: str
    zsl: float
    unseen: float
    seen: float
    harmonic_mean: float
    ausuc: float
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return the scores as JSON values."""
        return asdict(self)


def score_methods(
    split: StandardSplit, methods: Sequence[str] = tuple(METHODS), *, random_state: int = 0
) -> list[StandardScores]:
    """Train and score methods on one data set.

    Class vectors are brought to length 1, as the benchmark does.

    Parameters
    ----------
    split : StandardSplit
    methods : sequence of str
        Of `METHODS`.
    random_state : int

    Returns
    -------
    list of StandardScores
        In the order of `methods`.

    Raises
    ------
    InputError
        A method that is unknown.
    """
    strange = [name for name in methods if name not in METHODS]
    if strange or not methods:
        raise InputError(
            f"{', '.join(strange) or 'no method'} was asked for; expected some of: "
            f"{', '.join(METHODS)}"
        )
    unit = dict(zip(split.classes.tolist(), directions(split.attributes), strict=True))
    return [_score(split, unit, name, random_state) for name in methods]


def _score(split: StandardSplit, words: Words, name: str, seed: int) -> StandardScores:
    start = perf_counter()
    seen, unseen = split.seen, split.unseen
    model = METHODS[name](words, unseen, seed)
    X, y = split.features[split.train], split.labels[split.train]
    if isinstance(model, CrossModalClassifier):
        model.fit(X, y, tune=name in TUNED)
    else:
        model.fit(X, y)
    tested = np.concatenate([split.test_seen, split.test_unseen])
    y = split.labels[tested]
    X = split.features[tested]
    label, as_seen, as_unseen, novelty = _answers(model, X, seen, unseen)
    seconds = perf_counter() - start
    is_unseen = np.isin(y, unseen)
    accuracy = {
        "zsl": macro_accuracy(y[is_unseen], as_unseen[is_unseen]),
        "unseen": macro_accuracy(y[is_unseen], label[is_unseen]),
        "seen": macro_accuracy(y[~is_unseen], label[~is_unseen]),
    }
    found = {kind: float(value or 0.0) for kind, value in accuracy.items()}
    curve = seen_unseen_curve(y, as_seen, as_unseen, novelty, seen=seen, unseen=unseen)
    return StandardScores(
        method=name,
        harmonic_mean=harmonic_mean(found["seen"], found["unseen"]),
        ausuc=float(curve.area),
        seconds=seconds,
        **found,
    )


def _answers(
    model: Model, X: NDArray[np.float32], seen: Sequence[str], unseen: Sequence[str]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Return the best class of all, of the seen and of the unseen ones, and how novel each is."""
    if isinstance(model, CrossModalClassifier):
        found = model.recognise(X)
        return found.label, found.among(seen), found.among(unseen), found.novelty_score
    scores = model.class_scores(X)
    n_seen = len(seen)
    classes = model.classes_
    return (
        classes[scores.argmax(1)],
        classes[:n_seen][scores[:, :n_seen].argmax(1)],
        classes[n_seen:][scores[:, n_seen:].argmax(1)],
        scores[:, n_seen:].max(1) - scores[:, :n_seen].max(1),
    )
