"""From labelled images and names to a trained model: what will be done, what it costs, doing it.

`prepare` settles everything that can be settled without looking at the pixels, so that a mistake
is told before the work and not after it; `train` does the work.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from wordsight.classifiers.cross_modal import CrossModalClassifier, Gate
from wordsight.classifiers.selection import Goal, Selection
from wordsight.classifiers.shares import ShareClassifier
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.classifiers.word_directions import WordDirections
from wordsight.cost import RIDGE_TERMS_TRIED, estimate_seconds
from wordsight.data.dataset import Dataset, OnBroken
from wordsight.data.files import shown
from wordsight.data.open import available_splits, open_dataset
from wordsight.data.source import BrokenImage
from wordsight.exceptions import InputError
from wordsight.feature_choice import OWN_SIZE, FeatureChoice, Features, seconds_to_encode
from wordsight.features.cache import FeatureCache, FeatureMaker
from wordsight.features.conv_features import ConvFeatures
from wordsight.features.dictionary import DictionaryKind
from wordsight.features.encoded import EncodedFeatures
from wordsight.features.encoding import EncoderKind
from wordsight.features.images import asked_size
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.two_layer import TwoLayerMap
from wordsight.mapping.visual import VisualMap
from wordsight.novelty.base import NoveltyDetector
from wordsight.novelty.combined import CombinedNovelty, check_classes_suffice
from wordsight.novelty.confidence import SoftmaxNovelty
from wordsight.novelty.conformal import ConformalNovelty
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.novelty.loop import LocalOutlierProbability
from wordsight.novelty.mahalanobis import MahalanobisNovelty
from wordsight.novelty.neighbour_distance import NeighbourDistance
from wordsight.novelty.shares import ShareNovelty
from wordsight.novelty.stacking import StackingNovelty
from wordsight.words.spelling import lookup_order
from wordsight.words.vectors import WordVectors

__all__ = ["OnMissing", "Settings", "TrainingPlan", "open_split", "prepare", "train"]

OnMissing = Literal["error", "skip", "compose"]
"""What to do with a class name that has no word vector."""


NoveltyKind = Literal[
    "gaussian",
    "per-class",
    "loop",
    "stacking",
    "stacking-centred",
    "stacking-euclidean",
    "shares",
    "mahalanobis",
    "neighbours",
    "confidence",
    "energy",
    "conformal",
    "conformal-per-class",
    "combined",
]
"""Names of novelty detectors."""

DETECTORS: dict[NoveltyKind, Callable[[], NoveltyDetector]] = {
    "gaussian": GaussianNovelty,
    "per-class": lambda: GaussianNovelty("per_class"),
    "loop": LocalOutlierProbability,
    "stacking": StackingNovelty,
    "stacking-centred": lambda: StackingNovelty(centre=True),
    "stacking-euclidean": lambda: StackingNovelty("euclidean"),
    "shares": ShareNovelty,
    "mahalanobis": MahalanobisNovelty,
    "neighbours": NeighbourDistance,
    "confidence": lambda: SoftmaxNovelty("confidence"),
    "energy": SoftmaxNovelty,
    "conformal": ConformalNovelty,
    "conformal-per-class": lambda: ConformalNovelty(per_class=True),
    "combined": CombinedNovelty,
}

MapKind = Literal["linear", "two-layer", "visual"]
"""Names of maps."""

SeenKind = Literal["softmax", "shares"]
"""Names of classifiers of seen classes."""

UnseenKind = Literal["gaussian", "cosine", "centred", "csls", "inverted-softmax"]
"""Names of classifiers of unseen classes."""

UNSEEN_CLASSIFIERS: dict[UnseenKind, Callable[[], WordDirections | None]] = {
    "gaussian": lambda: None,  # `WordGaussians`, whose variance is known after the map
    "cosine": lambda: WordDirections(centre=False),
    "centred": WordDirections,
    "csls": lambda: WordDirections(correction="csls"),
    "inverted-softmax": lambda: WordDirections(correction="inverted_softmax"),
}


@dataclass(frozen=True)
class Settings:
    """The settings of a model that is trained on images, under the names of the estimators.

    Attributes
    ----------
    features : str
        ``"patches"``, ``"conv"``, or the name of an encoder: see `FeatureChoice`.
    image_size : int or None
        Height and width that images are brought to; None is that of the encoder, else 32.
    n_atoms, n_patches, dictionary, encoder, mirror
        Of `PatchFeatures`.
    width, n_blocks, n_epochs, checkpoint
        Of `ConvFeatures`.
    map : {"linear", "two-layer", "visual"}
        `LinearMap`, `TwoLayerMap` or `VisualMap`.
    alpha : float or "auto"
        Of `LinearMap` and `VisualMap`; `TwoLayerMap` starts from a linear map with this ridge term,
        and "auto" is its default.
    n_hidden, weight_decay
        Of `TwoLayerMap`.
    novelty : one of `DETECTORS` or None
        The novelty detector; None is "gaussian", or the one that `tune` chooses. ``"gaussian"``
        and ``"per-class"`` are the two rules of `GaussianNovelty`, ``"loop"`` is
        `LocalOutlierProbability`; the others stand beside these.
    unseen_classifier : one of `UNSEEN_CLASSIFIERS`
        What tells unseen classes apart: ``"gaussian"`` is `WordGaussians`; the others are
        `WordDirections`, ``"cosine"`` without its centre, ``"csls"`` and ``"inverted-softmax"``
        with these corrections.
    gate, false_novel_rate, calibration_fraction, random_state
        Of `CrossModalClassifier`.
    seen_classifier : {"softmax", "shares"}
        `SoftmaxClassifier` or `ShareClassifier`.
    softmax_alpha, temperature
        ``alpha`` and ``temperature`` of `SoftmaxClassifier`.
    tune : Goal or None
        What ridge term, gate and threshold are chosen for on seen classes held out, where they are
        left open (`CrossModalClassifier.fit`).
    device : str or None
        Where to compute.
    """

    features: str = "patches"
    image_size: int | None = None
    n_atoms: int = 1600
    n_patches: int = 400_000
    dictionary: DictionaryKind = "omp1"
    encoder: EncoderKind = "soft_threshold"
    mirror: bool = False
    width: int = 32
    n_blocks: int = 1
    n_epochs: int = 30
    checkpoint: Path | None = None
    map: MapKind = "linear"
    alpha: float | Literal["auto"] = "auto"
    n_hidden: int = 200
    weight_decay: float = 1e-4
    novelty: NoveltyKind | None = None
    unseen_classifier: UnseenKind = "gaussian"
    gate: Gate = "hard"
    false_novel_rate: float = 0.1
    calibration_fraction: float = 0.1
    seen_classifier: SeenKind = "softmax"
    softmax_alpha: float = 1e-3
    temperature: float | Literal["auto"] = 1.0
    tune: Goal | None = None
    random_state: int = 0
    device: str | None = None

    @property
    def feature_choice(self) -> FeatureChoice:
        """Those of the settings that say what features are made of images."""
        return FeatureChoice(
            self.features,
            image_size=self.image_size,
            n_atoms=self.n_atoms,
            n_patches=self.n_patches,
            dictionary=self.dictionary,
            encoder=self.encoder,
            mirror=self.mirror,
            width=self.width,
            n_blocks=self.n_blocks,
            n_epochs=self.n_epochs,
            checkpoint=self.checkpoint,
            random_state=self.random_state,
            device=self.device,
        )

    def model(
        self, words: WordVectors, unseen: Sequence[str], on_missing: OnMissing, features: Features
    ) -> CrossModalClassifier:
        """Return the model these settings describe, not trained.

        Parameters
        ----------
        words : WordVectors
        unseen : sequence of str
        on_missing : {"error", "skip", "compose"}
        features : PatchFeatures, ConvFeatures or EncodedFeatures
            Those of `feature_choice`, not fitted.

        Returns
        -------
        CrossModalClassifier
        """
        return CrossModalClassifier(
            words,
            tuple(unseen),
            features=features,
            mapping=self._mapping(),
            novelty=self._detector(),
            seen_classifier=self._seen_classifier(),
            unseen_classifier=UNSEEN_CLASSIFIERS[self.unseen_classifier](),
            gate=self.gate,
            false_novel_rate=self.false_novel_rate,
            calibration_fraction=self.calibration_fraction,
            # what was to be skipped is gone by now; names added later may well be composed
            on_missing="error" if on_missing == "error" else "compose",
            random_state=self.random_state,
        )

    def _mapping(self) -> LinearMap | TwoLayerMap | VisualMap:
        if self.map == "linear":
            return LinearMap(self.alpha, device=self.device, random_state=self.random_state)
        if self.map == "visual":
            return VisualMap(self.alpha, device=self.device, random_state=self.random_state)
        mapping = TwoLayerMap(
            self.n_hidden,
            weight_decay=self.weight_decay,
            alpha=None if self.alpha == "auto" else self.alpha,
            device=self.device,
            random_state=self.random_state,
        )
        mapping._check_parameters()  # now, and not after the features
        return mapping

    def _detector(self) -> NoveltyDetector | None:
        if self.novelty is None:
            return None
        return DETECTORS[self.novelty]().set_params(false_novel_rate=self.false_novel_rate)

    def _seen_classifier(self) -> ShareClassifier | SoftmaxClassifier:
        if self.seen_classifier == "shares":
            return ShareClassifier()
        return SoftmaxClassifier(
            self.softmax_alpha,
            temperature=self.temperature,
            device=self.device,
            random_state=self.random_state,
        )


@dataclass(frozen=True)
class TrainingPlan:
    """What `train` will do.

    Attributes
    ----------
    model : CrossModalClassifier
        Not trained yet.
    dataset : Dataset
        The images to learn from, all of them of seen classes.
    settings : Settings
    data_name : str
        The name of the file or folder, without the folders above it.
    split : str or None
        The split that was taken; None for all of the data.
    left_out : dict of str to int
        Unseen classes that are in the data, and how many images of each were left out.
    unseen : tuple of str
        Classes to be recognised by name alone.
    without_vector : tuple of str
        Classes left out because they have no word vector (``on_missing="skip"``).
    broken : tuple of BrokenImage
        Images left out because they cannot be read (``on_broken="skip"``).
    class_counts : dict of str to int
        Images of each class that are learned from.
    """

    model: CrossModalClassifier
    dataset: Dataset
    settings: Settings
    data_name: str
    split: str | None
    left_out: Mapping[str, int]
    unseen: tuple[str, ...]
    without_vector: tuple[str, ...] = ()
    broken: tuple[BrokenImage, ...] = ()
    class_counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width that images are brought to."""
        return asked_size(self.model.features.image_size) or (OWN_SIZE, OWN_SIZE)

    def estimate_seconds(self) -> float:
        """Estimate how long `train` takes on this machine; this measures for a fifth of a second.

        A rough estimate: other work on the machine counts, and so does how soon the dictionary and
        the search for a ridge term come to rest. Of features that are no patches a few seconds of
        real work are timed.
        """
        features, n_images = self.model.features, len(self.dataset)
        n_atoms, n_features, making = self.settings.n_atoms, None, 0.0
        if isinstance(features, ConvFeatures):
            n_atoms, n_features = 0, 8 * features.width
            making = features.estimate_seconds(n_images)
        elif isinstance(features, EncodedFeatures):
            making, n_features = seconds_to_encode(features.encode, n_images, self.image_size)
            n_atoms = 0
        return making + estimate_seconds(
            n_images=n_images,
            n_classes=len(self.class_counts),
            image_size=max(self.image_size),
            n_atoms=n_atoms,
            n_patches=self.settings.n_patches,
            values_per_atom=2 if self.settings.encoder == "soft_threshold" else 1,
            n_features=n_features,
            looks=2 if self.settings.mirror else 1,
            learns_dictionary=n_features is None and self.settings.dictionary != "random",
            tries_alpha=self.settings.tune is None and self._leaves_alpha_open(),
            ridge_terms_on_trials=self._ridge_terms_on_trials(),
            trains_softmax=self.settings.seen_classifier == "softmax",
            n_hidden=self.settings.n_hidden if self.settings.map == "two-layer" else 0,
            device=self.settings.device,
        )

    def _leaves_alpha_open(self) -> bool:
        return self.settings.map == "linear" and self.settings.alpha == "auto"

    def _ridge_terms_on_trials(self) -> int:
        """Return with how many ridge terms classes are held out, about."""
        if self.settings.map != "linear":
            return 0
        if self.settings.tune is not None:
            return RIDGE_TERMS_TRIED if self._leaves_alpha_open() else 1
        return int(self.settings.novelty == "combined")


def open_split(
    data: str | os.PathLike[str], split: str | None, default: str
) -> tuple[Dataset, str | None]:
    """Open a split: the one named, else the default one, else all of the data.

    Parameters
    ----------
    data : path-like
        As for `open_dataset`.
    split : str or None
        Must be there if it is named.
    default : str
        Is taken where the data have it and `split` is None.

    Returns
    -------
    Dataset
    str or None
        The split taken; None for all of the data.
    """
    if split is None and default in available_splits(data):
        split = default
    return open_dataset(data, split=split), split


def prepare(
    data: str | os.PathLike[str],
    words: WordVectors | str | os.PathLike[str] | None = None,
    *,
    unseen: Sequence[str] = (),
    split: str | None = None,
    on_missing: OnMissing = "compose",
    on_broken: OnBroken = "error",
    settings: Settings | None = None,
) -> TrainingPlan:
    """Settle what a model will be trained on.

    Parameters
    ----------
    data : path-like
        Labelled images, as for `open_dataset`.
    words : WordVectors, path-like or None, default None
        None is the vocabulary in the package.
    unseen : sequence of str, default ()
        Classes to be recognised by name alone: no image of theirs is used. They need not be in
        the data.
    split : str or None, default None
        None is the train split, or all of the data where there is none.
    on_missing : {"error", "skip", "compose"}, default "compose"
        What to do with a class that has no word vector: refuse it, leave it out, or take the mean
        of the vectors of its parts.
    on_broken : {"error", "skip"}, default "error"
        What to do with images that cannot be read. Leaving them out takes a pass over all images
        here; otherwise the first one ends the training.
    settings : Settings, optional

    Returns
    -------
    TrainingPlan

    Raises
    ------
    InputError
        Something is wrong that need not wait for the training to be found.
    DataError
        A file is broken.
    """
    settings = settings or Settings()
    _check_seed(settings.random_state)
    dataset, taken = open_split(data, split, "train")
    name = Path(data).resolve().name
    table = WordVectors.coerce(words)
    features = settings.feature_choice.make()
    counts = _counts(dataset, shown(data))
    asked = _checked_unseen(unseen, list(counts))
    left_out = {label: counts[label] for label in asked if label in counts}
    dataset = _without(dataset, list(left_out), f"every class of {name} is named unseen")
    seen = [label for label, count in dataset.class_counts().items() if count]
    kept, _vectors = table.vectors_for([*seen, *asked], on_missing=on_missing)
    lacking = [label for label in [*seen, *asked] if label not in set(kept)]
    no_vector = [label for label in lacking if label in seen]
    dataset = _without(dataset, no_vector, f"no class of {name} that is left has a word vector")
    broken: list[BrokenImage] = []
    if on_broken == "skip":
        dataset, broken = dataset.intact(asked_size(features.image_size))
    final = {label: count for label, count in dataset.class_counts().items() if count}
    _check_enough(final, broken, settings)
    names = tuple(label for label in asked if label not in lacking)
    return TrainingPlan(
        model=settings.model(table, names, on_missing, features),
        dataset=dataset,
        settings=settings,
        data_name=name,
        split=taken,
        left_out=left_out,
        unseen=names,
        without_vector=tuple(lacking),
        broken=tuple(broken),
        class_counts=final,
    )


def train(
    plan: TrainingPlan,
    *,
    command: str | None = None,
    cache: FeatureCache | FeatureMaker | None = None,
) -> CrossModalClassifier:
    """Train a model as planned.

    Parameters
    ----------
    plan : TrainingPlan
    command : str, optional
        What the model card says it was made by.
    cache : FeatureCache or FeatureMaker, optional
        Where features are kept and found again: the same call goes on after an interrupt. Or what
        makes them elsewhere, such as on a cluster.

    Returns
    -------
    CrossModalClassifier
        Its ``about_`` is what `save_model` takes as `about`.
    """
    start = perf_counter()
    model = plan.model.fit(plan.dataset, cache=cache, tune=plan.settings.tune or False)
    about: dict[str, Any] = {
        "data": plan.data_name,
        "split": plan.split,
        "n_images": len(plan.dataset),
        "class_counts": dict(plan.class_counts),
        "left_out": dict(plan.left_out),
        "seconds": round(perf_counter() - start, 2),
    }
    if command is not None:
        about["command"] = command
    if model.selection_ is not None:
        about["tuned"] = _tuned(model.selection_)
    model.about_ = about
    return model


def _tuned(selection: Selection) -> dict[str, Any]:
    """Return what a model card says of a choice."""
    best = selection.best
    return {
        "goal": selection.goal.kind,
        "value": selection.goal.value,
        "alpha": best.alpha,
        "gate": best.gate,
        "false_novel_rate": best.false_novel_rate,
        "n_candidates": len(selection.candidates),
        "seen_accuracy": round(best.seen_accuracy, 4),
        "unseen_accuracy": round(best.unseen_accuracy, 4),
        "harmonic_mean": round(best.harmonic_mean, 4),
    }


def _check_seed(random_state: int) -> None:
    if not 0 <= random_state < 2**32:
        raise InputError(
            f"random_state={random_state} was given; expected a whole number from 0 to {2**32 - 1}"
        )


def _counts(dataset: Dataset, name: str) -> dict[str, int]:
    """Count the images of the classes that have any."""
    if dataset.class_labels is None:
        raise InputError(
            f"the images of {name} have no labels to learn from; give a folder of class folders, "
            "or another kind of data that names the class of each image"
        )
    return {label: count for label, count in dataset.class_counts().items() if count}


def _checked_unseen(unseen: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Refuse unseen names that are there twice, or that are classes of the data spelled anew."""
    names = [str(name) for name in unseen]
    spelled = {_key(label): label for label in classes}
    for place, name in enumerate(names):
        if not name.strip():
            raise InputError("an unseen class has an empty name; give names such as: cat,truck")
        if name in names[:place]:
            raise InputError(f"{name} is named unseen twice; name each class once")
        same = spelled.get(_key(name))
        if name not in classes and same is not None:
            # its images would stay in the training, and two classes share one word vector
            raise InputError(
                f"{name!r} is named unseen, and the data have {same!r}; spell it as the data do"
            )
    return names


def _key(name: str) -> frozenset[str]:
    return frozenset(lookup_order(name.lower()))


def _without(dataset: Dataset, names: Sequence[str], emptied: str) -> Dataset:
    if not names:
        return dataset
    rest = dataset.without_classes(names)
    if len(rest) == 0:
        raise InputError(f"{emptied}; leave at least two classes to learn from")
    return rest


def _check_enough(
    counts: Mapping[str, int], broken: Sequence[BrokenImage], settings: Settings
) -> None:
    """Refuse what the fit would refuse after the longest part of its work."""
    if len(counts) < 2:
        left = f"only one class is left to learn from ({next(iter(counts))})" if counts else ""
        left = left or f"no image is left to learn from ({len(broken)} cannot be read)"
        raise InputError(f"{left}; expected images of at least two seen classes")
    fraction = settings.calibration_fraction
    if not 0 < fraction < 1:
        raise InputError(
            f"calibration_fraction={fraction:g} was given; expected a share of the images between "
            "0 and 1"
        )
    # as draw_held_out counts them
    held_out = np.array([min(round(fraction * count), count - 1) for count in counts.values()])
    n_held_out = int(held_out.sum())
    n_images = sum(counts.values())
    if n_held_out == 0:
        raise InputError(
            f"calibration_fraction={fraction:g} of {n_images} images in {len(counts)} classes "
            "holds out none to set the novelty threshold on; give more images or a larger fraction"
        )
    detector = settings._detector() or GaussianNovelty()
    if settings.tune is not None:
        check_classes_suffice(len(counts))
        if detector.sees != "mapped":
            raise InputError(
                f"the gate {settings.novelty} looks at {detector.sees}, and tuning tries gates on "
                "mapped points; name one of these, or none to have one chosen"
            )
    detector.check_enough(held_out, settings.false_novel_rate)
    if isinstance(detector, LocalOutlierProbability | NeighbourDistance):
        n_rest = n_images - n_held_out
        if n_rest <= detector.n_neighbors:
            raise InputError(
                f"{settings.novelty} compares an image with its {detector.n_neighbors} nearest "
                f"ones, but only {n_rest} training images are left beside the {n_held_out} held "
                "out; give more images, or another novelty detector: gaussian or per-class"
            )
