"""What gates and classifiers make of the scores of classes: the numbers of one pair."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from benchmarks.beyond.class_scores import Pair
from wordsight.classifiers.cross_modal import join
from wordsight.classifiers.selection import (
    GATES,
    Candidate,
    Goal,
    curves_of,
    judge,
    threshold_keeping,
)
from wordsight.classifiers.shares import ShareClassifier
from wordsight.classifiers.word_directions import WordDirections
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.experiments.setting import CLASSES
from wordsight.metrics import harmonic_mean, seen_unseen_accuracy, seen_unseen_curve
from wordsight.novelty.base import NoveltyDetector
from wordsight.novelty.combined import CombinedNovelty, Trial
from wordsight.reliability import expected_calibration_error

__all__ = ["PairScores", "measure"]

KEEP_SEEN = 0.70
RARE = 0.01
"""Share of unseen images that is expected where all images are seen ones."""

PAPER_ALPHA = 0.01
"""Ridge term of the paper's method, as everywhere in `wordsight reproduce`."""

SPARSE = 4
"""Of the training points, which say only how wide scores and Gaussians are, one in so many."""

Points = NDArray[np.float64]
Names = NDArray[np.str_]


@dataclass(frozen=True)
class PairScores:
    """Ridge scores with a pair left out, and the words that make mapped points of them.

    Attributes
    ----------
    unseen : pair of str
    words : dict of str to ndarray
        Of all ten classes.
    scores : mapping of str to ndarray
        From `make_scores`.
    train_labels, test_labels : ndarray of str
    """

    unseen: Pair
    words: dict[str, Points]
    scores: Mapping[str, NDArray[Any]]
    train_labels: Names
    test_labels: Names

    @property
    def seen(self) -> list[str]:
        """Return the other eight classes, sorted."""
        return sorted(set(CLASSES) - set(self.unseen))

    def vectors(self, names: Sequence[str]) -> Points:
        """Return the word vectors of some classes, (n, d)."""
        return np.stack([self.words[name] for name in names])

    def mapped(self, alpha: float, without: Sequence[str], part: str) -> Points:
        """Return all images of a part as the map without some classes maps them."""
        kept = [name for name in CLASSES if name not in without]
        out = "-".join(name for name in CLASSES if name in without)
        scores: Points = self.scores[f"{alpha:g}/{out}/{part}"].astype(np.float64)
        return scores @ self.vectors(kept)

    def rows(self, without: Sequence[str], *, held_out: bool) -> NDArray[np.bool_]:
        """Say which training images are of other classes, and held out or not."""
        kept = ~np.isin(self.train_labels, list(without))
        is_held_out = np.asarray(self.scores["held_out"], dtype=bool)
        found: NDArray[np.bool_] = kept & (is_held_out == held_out)
        return found

    def trials(self, alpha: float) -> list[Trial]:
        """Return each seen class held out in turn, as `ClassTrials` does."""
        found = []
        for name in self.seen:
            out = [*self.unseen, name]
            S = self.mapped(alpha, out, "train")
            rest, held_out = (self.rows(out, held_out=which) for which in (False, True))
            novel = self.train_labels == name
            found.append(
                Trial(
                    rest=S[rest][::SPARSE],
                    rest_labels=self.train_labels[rest][::SPARSE],
                    held_out=S[held_out],
                    held_out_labels=self.train_labels[held_out],
                    novel=S[novel],
                    novel_labels=self.train_labels[novel],
                    centers={one: self.words[one] for one in self.seen if one != name},
                    unseen_centers={name: self.words[name]},
                )
            )
        return found


def measure(pair: PairScores, alphas: Sequence[float]) -> dict[str, dict[str, float]]:
    """Return the numbers of each method for one pair.

    "paper" is the Gaussian gate and the nearest unseen word; the gates by name are with unseen
    words told apart by centred cosines; "ours" is the combined gate with ridge term and threshold
    chosen on classes held out, "chosen" with the gate chosen as well; "perfect" is with a gate that
    is never wrong. Seen classes are told by shares in all.

    Parameters
    ----------
    pair : PairScores
    alphas : sequence of float
        Ridge terms to choose from.

    Returns
    -------
    dict
        By method, and by the name of the number.
    """
    trials = {alpha: pair.trials(alpha) for alpha in alphas}
    curves = {
        (alpha, name): curves_of(gate, trials[alpha])
        for alpha in alphas
        for name, gate in GATES.items()
    }
    models: dict[tuple[float, str], _Model] = {}

    def model(alpha: float | None, gate: str) -> _Model:
        key = float(alpha or 0.0), gate
        if key not in models:
            models[key] = _Model(pair, key[0], GATES[gate], trials=trials[key[0]])
        return models[key]

    def best(goal: Goal, gates: Collection[str]) -> Candidate:
        judged = [judge(*key, of_key, goal) for key, of_key in curves.items() if key[1] in gates]
        return max(judged, key=lambda one: one.value)

    found = {"paper": _Model(pair, PAPER_ALPHA, GATES["gaussian"], centred=False).numbers()}
    for name, gates in {"ours": ["combined"], "chosen": list(GATES)}.items():
        at = best(Goal(), gates)
        keeping = best(Goal("keep_seen", KEEP_SEEN), gates)
        made = model(at.alpha, at.gate)
        found[name] = {
            **made.numbers(),
            **made.at_rate(at.false_novel_rate),
            **model(keeping.alpha, keeping.gate).keeping(KEEP_SEEN),
            "alpha": float(at.alpha or 0.0),
            "gate": float(list(GATES).index(at.gate)),
        }
    for name in GATES:
        made = model(best(Goal(), ["combined"]).alpha, name)
        found[name] = made.numbers()
    found["perfect"] = made.perfect()
    return found


class _Model:
    """The parts of `CrossModalClassifier` on scores that are there already."""

    def __init__(
        self,
        pair: PairScores,
        alpha: float,
        gate: NoveltyDetector,
        *,
        centred: bool = True,
        trials: list[Trial] | None = None,
    ) -> None:
        self.pair = pair
        unseen = sorted(pair.unseen)
        S = pair.mapped(alpha, pair.unseen, "train")
        rest, inside = (pair.rows(pair.unseen, held_out=which) for which in (False, True))
        self.held_out, self.held_out_labels = S[inside], pair.train_labels[inside]
        centers = {name: pair.words[name] for name in pair.seen}
        self.seen = ShareClassifier().fit(self.held_out, self.held_out_labels, centers=centers)
        some, labels = S[rest][::SPARSE], pair.train_labels[rest][::SPARSE]
        self.gate = clone(gate).fit(some, labels, centers=centers)
        self.gate.set_unseen(pair.vectors(unseen))
        if isinstance(self.gate, CombinedNovelty):
            self.gate.learn_weights(trials or pair.trials(alpha))
        self.gate.calibrate(self.held_out, 0.1)
        self.test = pair.mapped(alpha, pair.unseen, "test")
        self.unseen_proba = self._unseen_proba(unseen, centred=centred)
        self.seen_proba = self.seen.predict_proba(self.test)
        self.as_seen = np.array(pair.seen)[self.seen_proba.argmax(1)]
        self.as_unseen = np.array(unseen)[self.unseen_proba.argmax(1)]
        self.is_seen = np.isin(pair.test_labels, pair.seen)

    def _unseen_proba(self, unseen: list[str], *, centred: bool) -> Points:
        words = self.pair.vectors(unseen)
        if not centred:
            return WordGaussians().fit(words, np.arange(2)).predict_proba(self.test)
        return (
            WordDirections()
            .fit(words, np.arange(2), seen_words=self.pair.vectors(self.pair.seen))
            .predict_proba(self.test)
        )

    def _curve(self, novelty: Points) -> dict[str, float]:
        curve = seen_unseen_curve(
            self.pair.test_labels,
            self.as_seen,
            self.as_unseen,
            novelty,
            seen=self.pair.seen,
            unseen=sorted(self.pair.unseen),
        )
        return {"ausuc": curve.area, "best_harmonic_mean": curve.best_harmonic_mean}

    def numbers(self) -> dict[str, float]:
        """Return what does not depend on the threshold, and how unseen images are told apart."""
        right = self.as_unseen == self.pair.test_labels
        return {
            **self._curve(-self.gate.score_samples(self.test)),
            "unseen_told_apart": float(right[~self.is_seen].mean()),
        }

    def perfect(self) -> dict[str, float]:
        """Return the same of a gate that is never wrong."""
        return self._curve(1.0 - self.is_seen.astype(np.float64))

    def at_rate(self, false_novel_rate: float) -> dict[str, float]:
        """Return accuracies where a share of held-out images is called novel."""
        self.gate.calibrate(self.held_out, false_novel_rate)
        seen, unseen = self._accuracies()
        return {
            "seen_accuracy": seen,
            "unseen_accuracy": unseen,
            "harmonic_mean": harmonic_mean(seen, unseen),
            "false_novel_rate": false_novel_rate,
            "false_novel": float(self._is_novel()[self.is_seen].mean()),
            **self._calibration(),
        }

    def keeping(self, seen_accuracy: float) -> dict[str, float]:
        """Return accuracies where a seen accuracy is kept on held-out images."""
        right = self.seen.predict(self.held_out) == self.held_out_labels
        scores = self.gate.score_samples(self.held_out)
        threshold = threshold_keeping(seen_accuracy, scores, right, self.held_out_labels)
        self.gate.set_threshold(scores.min() if threshold is None else threshold)
        seen, unseen = self._accuracies()
        return {"kept_seen_accuracy": seen, "kept_unseen_accuracy": unseen}

    def _is_novel(self) -> NDArray[np.bool_]:
        return np.asarray(self.gate.predict(self.test) == -1)

    def _accuracies(self) -> tuple[float, float]:
        said = np.where(self._is_novel(), self.as_unseen, self.as_seen)
        found = seen_unseen_accuracy(
            self.pair.test_labels, said, seen=self.pair.seen, unseen=sorted(self.pair.unseen)
        )
        assert found[0] is not None
        assert found[1] is not None
        return found[0], found[1]

    def _calibration(self) -> dict[str, float]:
        """Return the calibration error on seen images, of p(y | s, x) and of p(y | x)."""
        true = self.pair.test_labels[self.is_seen]
        names = np.array([*self.pair.seen, *sorted(self.pair.unseen)])
        found = {}
        novel = {"seen_alone": np.zeros(len(self.test)), "joint": self._expecting(RARE)}
        for name, proba in novel.items():
            whole = join(self.seen_proba, self.unseen_proba, proba)[self.is_seen]
            said = names[whole.argmax(1)]
            found[f"calibration_error_{name}"] = expected_calibration_error(
                said == true, whole.max(1)
            )
        return found

    def _expecting(self, unseen_share: float) -> Points:
        """Return P(V = u | x) where a share of unseen images is expected, as far as it counts."""
        if isinstance(self.gate, CombinedNovelty):
            self.gate.set_params(unseen_share=unseen_share)
        return self.gate.novelty_proba(self.test)
