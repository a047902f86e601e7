"""The laboratory: what all experiments share, computed once for a seed and kept.

The protocol that makes results comparable is here and nowhere else: which images, in which order;
one set of features, learned without any label; the splits; what a map, a gate and a classifier
may learn from. Experiments ask for what they need and score it.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.compute import Moments, RidgeFactor, blocks, partial, resolve_device
from wordsight.data.dataset import Dataset
from wordsight.exceptions import InputError
from wordsight.experiments.setting import CLASSES, UNSEEN, Setting
from wordsight.experiments.store import Kept, Made, Store
from wordsight.features.cache import FeatureCache
from wordsight.features.images import fingerprint
from wordsight.features.patch_features import PatchFeatures
from wordsight.mapping.base import fit_held_out
from wordsight.mapping.left_out import ridge_leaving_out
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.two_layer import TwoLayerMap
from wordsight.rows import draw_held_out
from wordsight.words.vectors import WordVectors

__all__ = ["Features", "Lab", "MapKind", "SeenScores", "Split", "choose_images"]

MapKind = Literal["linear", "two_layer"]
Names = NDArray[np.str_]

HELD_OUT = 0.1
"""Share of each class's training images that a map has not learned from, for thresholds."""


@dataclass(frozen=True)
class Features:
    """Features of all images, sorted by class in the order of `CLASSES`.

    Attributes
    ----------
    train, test : ndarray of float32, shape (n, F)
    train_labels, test_labels : ndarray of str, shape (n,)
    """

    train: NDArray[np.float32]
    train_labels: Names
    test: NDArray[np.float32]
    test_labels: Names


@dataclass(frozen=True)
class SeenScores:
    """The linear map of a split before words: ridge regression on one-hot targets.

    Ridge regression is linear in its targets, so the map to any word vectors W of the seen classes
    is a product: ``S = scores @ W``.

    Attributes
    ----------
    unseen, seen : tuple of str
        In the order of `CLASSES`.
    train : ndarray of float32, shape (n, n_seen)
        Training images of the seen classes.
    train_labels : ndarray of str, shape (n,)
    test : ndarray of float32, shape (n_test, n_seen)
        Test images of all ten classes.
    test_labels : ndarray of str, shape (n_test,)
    """

    unseen: tuple[str, ...]
    seen: tuple[str, ...]
    train: NDArray[np.float32]
    train_labels: Names
    test: NDArray[np.float32]
    test_labels: Names


@dataclass(frozen=True)
class Split:
    """All that a gate and Eq. 2 need, with the paper's two classes left out.

    Attributes
    ----------
    unseen, seen : tuple of str
    rest, held_out : ndarray of float32, shapes (n, d)
        Mapped training images of seen classes: those the map learned from, and, mapped by a map
        that did not learn from them, a tenth.
    rest_labels, held_out_labels : ndarray of str
    test : ndarray of float32, shape (n_test, d)
        Mapped test images of all ten classes.
    test_labels : ndarray of str, shape (n_test,)
    seen_proba : ndarray of float64, shape (n_test, n_seen)
        p(y | V = s, x) of the softmax, columns in the order of `seen`.
    """

    unseen: tuple[str, ...]
    seen: tuple[str, ...]
    rest: NDArray[np.float32]
    rest_labels: Names
    held_out: NDArray[np.float32]
    held_out_labels: Names
    test: NDArray[np.float32]
    test_labels: Names
    seen_proba: NDArray[np.float64]


def choose_images(data: Dataset, per_class: int | None, seed: int, name: str) -> Dataset:
    """Choose the images of the ten classes, sorted by class in the order of `CLASSES`.

    Parameters
    ----------
    data : Dataset
    per_class : int or None
        How many of each class, drawn by the seed; None is all of them.
    seed : int
    name : str
        Of the data, for errors.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        No labels, or one of the ten classes is missing.
    """
    if data.class_labels is None:
        raise InputError(f"the images of {name} have no labels; give CIFAR-10 with its labels")
    counts = data.class_counts()
    missing = [one for one in CLASSES if not counts.get(one)]
    if missing:
        raise InputError(
            f"{name} has no image of {', '.join(missing)}; expected the ten classes of CIFAR-10: "
            f"{', '.join(sorted(CLASSES))}"
        )
    random_state = np.random.RandomState(seed)
    chosen = []
    for one in CLASSES:
        rows = np.flatnonzero(data.class_labels.among([one]))
        if per_class is not None and per_class < len(rows):
            rows = np.sort(random_state.permutation(rows)[:per_class])
        chosen.append(rows)
    return data.select(np.concatenate(chosen))


class Lab:
    """The laboratory of one seed.

    Parameters
    ----------
    train, test : Dataset
        All images there are.
    words : WordVectors
        Of the class names.
    setting : Setting
    seed : int
        Draws images (where the setting takes some of them), patches, held-out images, and all
        that experiments draw.
    store : Store
        Where finished work is kept.
    device : str or None
        Where to compute.
    name : str
        Of the data, for errors.

    Attributes
    ----------
    images : dict of str to Dataset
        ``"train"`` and ``"test"``, chosen and sorted by class.
    """

    def __init__(
        self,
        train: Dataset,
        test: Dataset,
        words: WordVectors,
        setting: Setting,
        seed: int,
        store: Store,
        *,
        device: str | None = None,
        name: str = "the data",
    ) -> None:
        self.setting = setting
        self.seed = seed
        self.words = words
        self.store = store
        self.device = device
        self.images = {
            "train": choose_images(train, setting.train_per_class, seed, f"{name} (train)"),
            "test": choose_images(test, setting.test_per_class, seed, f"{name} (test)"),
        }
        self.stage_seconds: dict[str, float] = {}

    def random_state(self, purpose: str) -> np.random.RandomState:
        """Return the random numbers of one purpose: they depend on it and on the seed alone."""
        return np.random.RandomState([self.seed, crc32(purpose.encode())])

    def word_vectors(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the word vectors of some names, shape (n, d)."""
        _found, vectors = self.words.vectors_for(list(names))
        return np.asarray(vectors, dtype=np.float64)

    def kept(
        self,
        name: str,
        parts: Mapping[str, Any],
        make: Callable[[], dict[str, NDArray[Any]]],
    ) -> dict[str, NDArray[Any]]:
        """Return arrays that depend on this laboratory and on `parts`, making them once."""
        return self._stage(name, parts, lambda: Made(make())).arrays

    def kept_value(self, name: str, parts: Mapping[str, Any], make: Callable[[], Any]) -> Kept:
        """Return a JSON value that depends on this laboratory and on `parts`, making it once."""
        whole = {**self._facts, "setting": self.setting.as_dict(), **parts}
        return self.store.kept(f"{name}-seed{self.seed}", whole, lambda: Made(value=make()))

    def _stage(self, name: str, parts: Mapping[str, Any], make: Callable[[], Made]) -> Kept:
        whole = {**self._facts, **self._feature_setting, **parts}
        found = self.store.kept(f"{name}-seed{self.seed}", whole, make)
        self.stage_seconds[name] = found.seconds
        return found

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """What all kept work depends on: the seed and the images."""
        return {
            "seed": self.seed,
            "images": {name: fingerprint(data, None) for name, data in self.images.items()},
        }

    @property
    def _feature_setting(self) -> dict[str, Any]:
        names = ("n_atoms", "n_patches", "max_iter", "train_per_class", "test_per_class")
        return {name: getattr(self.setting, name) for name in names}

    # Features

    def features(self) -> Features:
        """Return the features of all images, learned from training images without their labels."""
        arrays = self._features
        labels = {
            name: np.asarray(data.labels).astype(np.str_) for name, data in self.images.items()
        }
        return Features(arrays["train"], labels["train"], arrays["test"], labels["test"])

    @cached_property
    def _features(self) -> dict[str, NDArray[Any]]:
        return self._stage("features", {}, self._make_features).arrays

    def _make_features(self) -> Made:
        encoder = self._new_encoder()
        place = self.store.place(
            f"features-seed{self.seed}", {**self._facts, **self._feature_setting}
        )
        work = Path(f"{place}.unfinished")
        train = encoder.fit_stored(self.images["train"], FeatureCache(work))[:]
        test = encoder.transform(self.images["test"])
        learned = {name: np.asarray(getattr(encoder, name)) for name in _LEARNED}
        shutil.rmtree(work)
        return Made({"train": train, "test": test, **learned})

    def _new_encoder(self) -> PatchFeatures:
        return PatchFeatures(
            self.setting.n_atoms,
            n_patches=self.setting.n_patches,
            max_iter=self.setting.max_iter,
            device=self.device,
            random_state=self.seed,
        )

    def encoder(self) -> PatchFeatures:
        """Return what made the features."""
        encoder = self._new_encoder()
        for name in _LEARNED:
            setattr(encoder, name, np.array(self._features[name]))
        height, width = encoder.image_size_
        encoder.image_size_ = (int(height), int(width))
        return encoder

    # The linear map of every split

    def seen_scores(self, unseen: Sequence[str]) -> SeenScores:
        """Return the linear map, before words, with two classes left out (or none)."""
        return self._scores_of(unseen, held_out=False)

    def held_out_scores(self, unseen: Sequence[str]) -> SeenScores:
        """Return the same of a map that has not learned from a tenth of the training images.

        `train` holds only these.
        """
        return self._scores_of(unseen, held_out=True)

    def _scores_of(self, unseen: Sequence[str], *, held_out: bool) -> SeenScores:
        kept = self._class_scores
        out = tuple(name for name in CLASSES if name in unseen)
        seen = tuple(name for name in CLASSES if name not in unseen)
        key = _key(out)
        if len(out) != len(set(unseen)) or f"{key}.test" not in kept:
            raise InputError(
                f"{', '.join(unseen)} was to be left out; expected none or two of the classes "
                f"{', '.join(CLASSES)}"
            )
        features = self.features()
        of_seen = np.isin(features.train_labels, seen)
        part = "held_out." if held_out else ""
        if held_out:
            of_seen &= self._held_out_rows
        return SeenScores(
            out,
            seen,
            kept[f"{key}.{part}train"],
            features.train_labels[of_seen],
            kept[f"{key}.{part}test"],
            features.test_labels,
        )

    @cached_property
    def _held_out_rows(self) -> NDArray[np.bool_]:
        codes = np.unique(self.features().train_labels, return_inverse=True)[1]
        return draw_held_out(codes, HELD_OUT, self.random_state("held out"))

    @cached_property
    def _class_scores(self) -> dict[str, NDArray[Any]]:
        return self._stage(
            "class-scores", {"alpha": self.setting.alpha}, lambda: Made(self._make_class_scores())
        ).arrays

    def _make_class_scores(self) -> dict[str, NDArray[Any]]:
        features = self.features()
        codes = _codes(features.train_labels)
        moments = _moments(features.train, self.device)
        factor = RidgeFactor(moments, self.setting.alpha * moments.mean_variance(), torch.float32)
        found: dict[str, NDArray[Any]] = {}
        for part, rows in (("", None), ("held_out.", np.flatnonzero(self._held_out_rows))):
            splits = [(), *combinations(range(len(CLASSES)), 2)]
            scorers = ridge_leaving_out(
                features.train, codes, splits, moments, factor, rows_left_out=rows
            )
            columns = np.cumsum([0] + [len(one.classes) for one in scorers])
            coef = np.concatenate([one.coef for one in scorers], axis=1)
            intercept = np.concatenate([one.intercept for one in scorers])
            chosen = np.arange(len(codes)) if rows is None else rows
            train = _scores(features.train, chosen, coef, intercept)
            test = _scores(features.test, np.arange(len(features.test)), coef, intercept)
            for split, start, stop in zip(splits, columns[:-1], columns[1:], strict=True):
                key = _key([CLASSES[code] for code in split])
                kept = ~np.isin(codes[chosen], split)
                found[f"{key}.{part}train"] = train[kept, start:stop]
                found[f"{key}.{part}test"] = test[:, start:stop]
        return found

    # The gate's split

    def split(self, kind: MapKind = "linear") -> Split:
        """Return all that a gate needs, with the paper's two classes left out.

        Parameters
        ----------
        kind : {"linear", "two_layer"}
            The map.
        """
        linear = self._linear_split
        arrays = linear if kind == "linear" else {**linear, **self._two_layer_split}
        features = self.features()
        n_seen = _count_seen(features)
        labels, held_out = features.train_labels[:n_seen], self._held_out_rows[:n_seen]
        return Split(
            UNSEEN,
            _seen_classes(),
            arrays["rest"],
            labels[~held_out],
            arrays["held_out"],
            labels[held_out],
            arrays["test"],
            features.test_labels,
            arrays["seen_proba"],
        )

    @cached_property
    def _linear_split(self) -> dict[str, NDArray[Any]]:
        parts = {"alpha": self.setting.alpha, "words": self._digest_of_words}
        return self._stage("linear-split", parts, lambda: Made(self._make_linear_split())).arrays

    @cached_property
    def _digest_of_words(self) -> str:
        vectors = np.ascontiguousarray(self.word_vectors(CLASSES))
        return f"{crc32(vectors.tobytes()):08x}"

    def _targets(self, labels: Names) -> NDArray[np.float32]:
        return self.word_vectors(CLASSES).astype(np.float32)[_codes(labels)]

    def _make_linear_split(self) -> dict[str, NDArray[Any]]:
        features = self.features()
        n_seen = _count_seen(features)
        X, labels = features.train[:n_seen], features.train_labels[:n_seen]
        # the ridge term is in units of the mean variance of a feature, which standardising makes 1
        mapping = LinearMap(self.setting.alpha, device=self.device, random_state=self.seed)
        found = mapping.fit_held_out(X, self._targets(labels), self._held_out_rows[:n_seen])
        softmax = SoftmaxClassifier(device=self.device).fit(X, labels, factor=found.factor)
        order = [softmax.classes_.tolist().index(name) for name in _seen_classes()]
        return {
            "rest": found.rest,
            "held_out": found.held_out,
            "test": mapping.predict(features.test),
            "seen_proba": softmax.predict_proba(features.test)[:, order],
        }

    @cached_property
    def _two_layer_split(self) -> dict[str, NDArray[Any]]:
        parts = {
            "alpha": self.setting.alpha,
            "n_hidden": self.setting.n_hidden,
            "words": self._digest_of_words,
        }
        return self._stage(
            "two-layer-split", parts, lambda: Made(self._make_two_layer_split())
        ).arrays

    def _make_two_layer_split(self) -> dict[str, NDArray[Any]]:
        features = self.features()
        n_seen = _count_seen(features)
        X, labels = features.train[:n_seen], features.train_labels[:n_seen]
        mapping = TwoLayerMap(self.setting.n_hidden, device=self.device, random_state=self.seed)
        found = fit_held_out(mapping, X, self._targets(labels), self._held_out_rows[:n_seen])
        return {
            "rest": found.rest,
            "held_out": found.held_out,
            "test": mapping.predict(features.test),
        }


_LEARNED = ("dictionary_", "patch_mean_", "whitener_", "mean_", "scale_", "image_size_")
"""What `PatchFeatures` has learned, by which it can be made again."""


def _seen_classes() -> tuple[str, ...]:
    return tuple(name for name in CLASSES if name not in UNSEEN)


def _count_seen(features: Features) -> int:
    """Count the training images of seen classes, which come first."""
    return int(np.isin(features.train_labels, _seen_classes()).sum())


def _codes(labels: Names) -> NDArray[np.int64]:
    place = {name: code for code, name in enumerate(CLASSES)}
    return np.array([place[str(name)] for name in labels], dtype=np.int64)


def _key(names: Sequence[str]) -> str:
    return "+".join(names) or "none"


def _moments(X: NDArray[np.float32], device: str | None) -> Moments:
    shift = X.mean(0, dtype=np.float64)
    return partial(X, np.zeros((len(X), 1), np.float32), shift=shift, device=resolve_device(device))


def _scores(
    X: NDArray[np.float32],
    rows: NDArray[np.int64],
    coef: NDArray[np.float32],
    intercept: NDArray[np.float32],
) -> NDArray[np.float32]:
    found = np.empty((len(rows), coef.shape[1]), dtype=np.float32)
    for cut in blocks(len(rows), 2048):
        found[cut] = X[rows[cut]] @ coef + intercept
    return found
