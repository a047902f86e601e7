"""A laboratory of made-up arrays, with what four experiments ask of a real one."""

from collections.abc import Sequence
from typing import cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from wordsight.experiments.lab import Features, Lab, MapKind, SeenScores, Split
from wordsight.experiments.setting import CLASSES, UNSEEN, Setting
from wordsight.words.vectors import WordVectors

Names = NDArray[np.str_]

N_TRAIN, N_TEST, WIDTH = 40, 30, 24


class SmallLab:
    """Images of a class lie about a point of its own; maps are least squares on the seen ones."""

    def __init__(self, seed: int = 0, n_draws: int = 60) -> None:
        self.seed = seed
        self.setting = Setting(n_draws=n_draws)
        default = WordVectors.default()
        names = [*CLASSES, "rabbit", "bus", "train", "mouse", "road", "tank", "lion", "whale"]
        self.words = WordVectors(names, default.vectors_for(names)[1])
        W = self.word_vectors(CLASSES)
        rng = np.random.RandomState(seed)
        # images know something of words, so that maps to words can work
        places = W @ rng.normal(size=(W.shape[1], WIDTH)) * 0.2
        self._labels = {n: np.repeat(np.array(CLASSES), n) for n in (N_TRAIN, N_TEST)}
        self._images = {
            n: (np.repeat(places, n, axis=0) + rng.normal(size=(10 * n, WIDTH))).astype(np.float32)
            for n in (N_TRAIN, N_TEST)
        }

    def features(self) -> Features:
        return Features(
            self._images[N_TRAIN],
            self._labels[N_TRAIN],
            self._images[N_TEST],
            self._labels[N_TEST],
        )

    def seen_scores(self, unseen: Sequence[str]) -> SeenScores:
        return self._scores(unseen, held_out=False)

    def held_out_scores(self, unseen: Sequence[str]) -> SeenScores:
        return self._scores(unseen, held_out=True)

    def split(self, kind: MapKind = "linear") -> Split:
        scores, held_out = self.seen_scores(UNSEEN), self.held_out_scores(UNSEEN)
        W = self.word_vectors(scores.seen)
        bend = np.tanh if kind == "two_layer" else np.asarray
        rest, out, test = (
            np.asarray(bend(table @ W), dtype=np.float32)
            for table in (scores.train, held_out.train, scores.test)
        )
        proba = np.full((len(test), len(scores.seen)), 1 / len(scores.seen))
        labels = (scores.train_labels, held_out.train_labels, scores.test_labels)
        return Split(UNSEEN, scores.seen, rest, labels[0], out, labels[1], test, labels[2], proba)

    def word_vectors(self, names: Sequence[str]) -> NDArray[np.float64]:
        return np.asarray(self.words.vectors_for(names)[1], dtype=np.float64)

    def random_state(self, purpose: str) -> np.random.RandomState:
        return np.random.RandomState([self.seed, crc32(purpose.encode())])

    def _scores(self, unseen: Sequence[str], *, held_out: bool) -> SeenScores:
        seen = tuple(name for name in CLASSES if name not in unseen)
        out = tuple(name for name in CLASSES if name in unseen)
        data = self.features()
        of_seen = np.flatnonzero(np.isin(data.train_labels, seen))
        left_out = of_seen[::4]
        learned = np.setdiff1d(of_seen, left_out) if held_out else of_seen
        onehot = data.train_labels[learned, np.newaxis] == np.array(seen)
        coef = np.linalg.lstsq(_with_one(data.train[learned]), onehot.astype(float), rcond=None)[0]
        shown = left_out if held_out else of_seen
        train, test = (
            (_with_one(X) @ coef).astype(np.float32) for X in (data.train[shown], data.test)
        )
        return SeenScores(out, seen, train, data.train_labels[shown], test, data.test_labels)


def small_lab(seed: int = 0, n_draws: int = 60) -> Lab:
    """Return it as the laboratory that experiments are typed for."""
    return cast(Lab, SmallLab(seed, n_draws))


def _with_one(X: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.column_stack([X, np.ones(len(X))]).astype(np.float64)
