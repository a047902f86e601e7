"""What of each part of a model is stored, and how stored values are checked as they are read."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from wordsight.classifiers.shares import ShareClassifier
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.classifiers.word_directions import WordDirections
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.exceptions import InputError
from wordsight.features.conv_features import ConvFeatures
from wordsight.features.encoded import EncodedFeatures
from wordsight.features.named_encoders import is_encoder_name
from wordsight.features.patch_features import PatchFeatures
from wordsight.features.patches import check_patch_fits
from wordsight.features.residual_network import ResidualNetwork, count_weights, kernel_runs
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.two_layer import TwoLayerMap
from wordsight.mapping.visual import VisualMap
from wordsight.novelty.base import LogisticNovelty
from wordsight.novelty.combined import CombinedNovelty
from wordsight.novelty.confidence import SoftmaxNovelty
from wordsight.novelty.conformal import ConformalNovelty
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.novelty.length import LengthNovelty
from wordsight.novelty.loop import LocalOutlierProbability
from wordsight.novelty.mahalanobis import FeatureMahalanobisNovelty, MahalanobisNovelty
from wordsight.novelty.neighbour_distance import FeatureNeighbourDistance, NeighbourDistance
from wordsight.novelty.shares import ShareNovelty
from wordsight.novelty.stacking import StackingNovelty

__all__ = [
    "PARTS",
    "SHARED_SIZES",
    "StoredPart",
    "check_part",
    "finite_number",
    "labels_of",
    "pack_unseen_classifier",
    "plain",
    "unpack_unseen_classifier",
    "whole_number",
]

_LONGEST_SIDE = 10_000

SHARED_SIZES = "FCudm"
"""F features, C seen and u unseen classes, d dimensions of the word vectors, m of the points that
images are mapped to: d but for a map that moves words."""


def finite_number(value: Any) -> float:
    """Return a stored number as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} stands where a number is expected")
    return float(value)


def whole_number(value: Any) -> int:
    """Return a stored number that counts something."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} stands where a whole number is expected")
    return value


def _text_or_none(value: Any) -> str | None:
    if not (value is None or isinstance(value, str)):
        raise ValueError(f"{value!r} stands where a text is expected")
    return value


def _encoder_or_none(value: Any) -> str | None:
    if not (value is None or (isinstance(value, str) and is_encoder_name(value))):
        raise ValueError(f"{value!r} stands where the name of an encoder is expected")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} stands where true or false is expected")
    return value


def _image_size(value: Any) -> tuple[int, int]:
    height, width = map(whole_number, value)
    if not (1 <= height <= _LONGEST_SIDE and 1 <= width <= _LONGEST_SIDE):
        raise ValueError(f"images of {height} × {width} pixels are no images")
    return height, width


def labels_of(values: Any) -> NDArray[Any]:
    """Return stored labels: sorted, all different, and of one kind."""
    if not isinstance(values, list) or len({type(value) for value in values}) != 1:
        raise ValueError("the classes are no list of names")
    labels = np.array(values)
    if labels.ndim != 1 or labels.dtype.kind not in "Uifb":
        raise ValueError("the classes are no list of names")
    if not np.array_equal(np.unique(labels), labels):
        raise ValueError("the classes are not sorted and different from one another")
    return labels


def plain(value: Any) -> Any:
    """Return a parameter as JSON knows it; a generator's state is not kept."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else None


@dataclass(frozen=True)
class StoredPart:
    """How a part is stored: its learned arrays with the names of their sizes, and its scalars.

    Sizes of one name in `SHARED_SIZES` must agree over the whole model; a name of another letter
    holds within its part.

    Attributes
    ----------
    make : callable
        Makes the estimator.
    arrays : dict of str to tuple of str
        Learned arrays and the names of their sizes.
    scalars : dict of str to callable
        Learned scalars and what reads them.
    later : dict of str to float
        Learned scalars that models lack which were saved before there were any, and what they are
        in these.
    members : str or None
        The parameter that holds the parts it is made of, one or several; the fitted ones are in
        the attribute of that name with a ``_``.
    given : tuple of str
        Parameters that are not stored: whoever loads the model gives them.
    halves : tuple of str
        Arrays that may be stored in half precision.
    runs : dict of str to callable
        Of those that are rows of numbers of several kinds: what says of the part which of these
        may (see `in_runs`).
    """

    make: Callable[..., BaseEstimator]
    arrays: Mapping[str, tuple[str, ...]]
    scalars: Mapping[str, Callable[[Any], Any]]
    later: Mapping[str, float] = field(default_factory=dict)
    members: str | None = None
    given: tuple[str, ...] = ()
    halves: tuple[str, ...] = ()
    runs: Mapping[str, Callable[[Any], Sequence[tuple[int, bool]]]] = field(default_factory=dict)

    def members_of(self, part: Any) -> list[Any]:
        """Return the fitted parts that a part is made of."""
        found: Any = getattr(part, f"{self.members}_") if self.members else []
        return found if isinstance(found, list) else [found]

    def put_members(self, part: Any, members: list[Any]) -> None:
        """Give a part the fitted parts that it is made of."""
        if not self.members:
            return
        several = self.members.endswith("s")
        if not members or (len(members) > 1 and not several):
            raise ValueError(f"{type(part).__name__} is made of {len(members)} parts")
        setattr(part, f"{self.members}_", members if several else members[0])
        unfitted = [clone(member) for member in members]
        part.set_params(**{self.members: unfitted if several else unfitted[0]})


def _runs_of_weights(part: ConvFeatures) -> list[tuple[int, bool]]:
    return kernel_runs(ResidualNetwork.empty(part.width, part.n_blocks))


_LOGISTIC: dict[str, Callable[[Any], Any]] = {"offset_": finite_number, "scale_": finite_number}


PARTS: dict[str, dict[str, StoredPart]] = {
    "features": {
        "PatchFeatures": StoredPart(
            PatchFeatures,
            {
                "dictionary_": ("k", "p"),
                "patch_mean_": ("p",),
                "whitener_": ("p", "p"),
                "mean_": ("F",),
                "scale_": ("F",),
            },
            {"image_size_": _image_size},
            halves=("dictionary_",),
        ),
        "ConvFeatures": StoredPart(
            ConvFeatures,
            {"weights_": ("w",), "mean_": ("F",), "scale_": ("F",)},
            {"image_size_": _image_size, "n_trained_": whole_number, "loss_": finite_number},
            given=("checkpoint",),
            halves=("weights_",),
            runs={"weights_": _runs_of_weights},
        ),
        "EncodedFeatures": StoredPart(
            EncodedFeatures,
            {"mean_": ("F",), "scale_": ("F",), "probe_": ("F",)},
            {
                "image_size_": _image_size,
                "encoder_name_": _text_or_none,
                "encoder_recipe_": _encoder_or_none,
            },
            given=("encoder",),
        ),
    },
    "mapping": {
        "LinearMap": StoredPart(
            LinearMap,
            {"coef_": ("m", "F"), "intercept_": ("m",)},
            {"alpha_": finite_number, "flat_": _flag},
            halves=("coef_",),
        ),
        "VisualMap": StoredPart(
            VisualMap,
            {
                "coef_": ("m", "F"),
                "intercept_": ("m",),
                "word_coef_": ("m", "d"),
                "word_mean_": ("d",),
            },
            {"alpha_": finite_number},
            halves=("coef_",),
        ),
        "TwoLayerMap": StoredPart(
            TwoLayerMap,
            {
                "coef_hidden_": ("h", "F"),
                "intercept_hidden_": ("h",),
                "coef_": ("m", "h"),
                "intercept_": ("m",),
            },
            {
                "flat_": _flag,
                "n_iter_": whole_number,
                "best_iter_": whole_number,
                "loss_": finite_number,
            },
            halves=("coef_hidden_", "coef_"),
        ),
    },
    "novelty": {
        "GaussianNovelty": StoredPart(
            GaussianNovelty,
            {
                "centers_": ("C", "m"),
                "variances_": ("C",),
                "priors_": ("C",),
                "log_thresholds_": ("C",),
            },
            {"offset_": finite_number},
        ),
        "LocalOutlierProbability": StoredPart(
            LocalOutlierProbability,
            {
                "training_points_": ("n", "m"),
                "training_pdist_": ("n",),
                "training_novelty_proba_": ("n",),
            },
            {"offset_": finite_number, "spread_": finite_number},
        ),
        "StackingNovelty": StoredPart(
            StackingNovelty, {"centers_": ("C", "m"), "unseen_centers_": ("u", "m")}, _LOGISTIC
        ),
        "LengthNovelty": StoredPart(LengthNovelty, {"centers_": ("C", "m")}, _LOGISTIC),
        "ShareNovelty": StoredPart(ShareNovelty, {"centers_": ("C", "m")}, _LOGISTIC),
        "MahalanobisNovelty": StoredPart(
            MahalanobisNovelty,
            {"means_": ("C", "m"), "whitener_": ("m", "m")},
            {**_LOGISTIC, "shrinkage_": finite_number},
        ),
        "FeatureMahalanobisNovelty": StoredPart(
            FeatureMahalanobisNovelty,
            {"means_": ("C", "F"), "whitener_": ("F", "F")},
            {**_LOGISTIC, "shrinkage_": finite_number},
        ),
        "NeighbourDistance": StoredPart(
            NeighbourDistance, {"training_points_": ("n", "m")}, _LOGISTIC
        ),
        "FeatureNeighbourDistance": StoredPart(
            FeatureNeighbourDistance, {"training_points_": ("n", "F")}, _LOGISTIC
        ),
        "SoftmaxNovelty": StoredPart(SoftmaxNovelty, {}, _LOGISTIC),
        "ConformalNovelty": StoredPart(
            ConformalNovelty,
            {"calibration_scores_": ("h",), "calibration_codes_": ("h",)},
            {"offset_": finite_number},
            members="detector",
        ),
        "CombinedNovelty": StoredPart(
            CombinedNovelty,
            {"coef_": ("g",), "means_": ("g",), "scales_": ("g",)},
            {"offset_": finite_number, "intercept_": finite_number},
            members="detectors",
        ),
    },
    "seen_classifier": {
        "SoftmaxClassifier": StoredPart(
            SoftmaxClassifier,
            {"coef_": ("C", "F"), "intercept_": ("C",)},
            {"n_iter_": whole_number, "loss_": finite_number, "temperature_": finite_number},
            later={"temperature_": 1.0},
            halves=("coef_",),
        ),
        "ShareClassifier": StoredPart(
            ShareClassifier, {"centers_": ("C", "m")}, {"temperature_": finite_number}
        ),
    },
}

UNSEEN_CLASSIFIERS: dict[str, Callable[..., Any]] = {
    "WordGaussians": WordGaussians,
    "WordDirections": WordDirections,
}
"""Classifiers of unseen classes: fitted anew as a model is read, so that parameters suffice."""


def pack_unseen_classifier(part: Any) -> dict[str, Any] | None:
    """Return what is stored of a classifier of unseen classes; None where the default is used."""
    if part is None:
        return None
    kind = type(part).__name__
    if type(part) is not UNSEEN_CLASSIFIERS.get(kind):
        raise InputError(
            f"unseen_classifier is a {kind}, which cannot be saved; use None or a "
            f"{' or a '.join(UNSEEN_CLASSIFIERS)}"
        )
    params = {name: plain(value) for name, value in part.get_params(deep=False).items()}
    return {"kind": kind, **params}


def unpack_unseen_classifier(entry: Mapping[str, Any] | None) -> Any:
    """Make the classifier that was stored; before there were several, its kind was not."""
    if entry is None:
        return None
    params = {name: value for name, value in entry.items() if name != "kind"}
    part = UNSEEN_CLASSIFIERS[entry.get("kind", "WordGaussians")](**params)
    if isinstance(part, WordDirections):
        part._check_parameters()
    return part


def check_part(part: Any) -> None:
    """Raise `ValueError` where the parameters and arrays of a part do not fit together."""
    if isinstance(part, PatchFeatures):
        part._check_parameters()
        check_patch_fits(part.image_size_, part.patch_size, part.stride)
        values = 3 * part.patch_size**2
        if part.dictionary_.shape[1] != values:
            raise ValueError(
                f"atoms of {part.dictionary_.shape[1]} values, and patches of {values}"
            )
        if part.n_features_out_ != part.mean_.shape[0]:
            raise ValueError(
                f"the encoder makes {part.n_features_out_} features, and the model has "
                f"{part.mean_.shape[0]}"
            )
        _check_scale(part)
    elif isinstance(part, ConvFeatures):
        _check_network(part)
    elif isinstance(part, EncodedFeatures):
        if part.batch_size < 1:
            raise ValueError("an encoder is given no image at a time")
        _check_scale(part)
    elif isinstance(part, TwoLayerMap):
        part._check_parameters()
        if part.n_hidden != len(part.coef_hidden_):
            raise ValueError(
                f"{len(part.coef_hidden_)} hidden units, and {part.n_hidden} are to be there"
            )
    else:
        _check_novelty(part)


def _check_scale(part: Any) -> None:
    if not (part.scale_ > 0).all():
        raise ValueError("a feature has no positive scale")


def _check_network(part: ConvFeatures) -> None:
    part._check_parameters()
    n_weights = count_weights(ResidualNetwork.empty(part.width, part.n_blocks))
    if len(part.weights_) != n_weights:
        raise ValueError(f"{len(part.weights_)} weights, and a network of {n_weights}")
    network = ResidualNetwork.restored(part.width, part.n_blocks, part.weights_)
    if part.n_features_out_ != network.n_features:
        raise ValueError(
            f"the network makes {network.n_features} features, and the model has "
            f"{part.n_features_out_}"
        )
    if not network.has_positive_scales():
        raise ValueError("a variance in the network is not positive")
    _check_scale(part)


def _check_novelty(part: Any) -> None:
    """Raise `ValueError` where the numbers of a novelty detector are none that `fit` makes."""
    if isinstance(part, GaussianNovelty):
        part._check_parameters()
        if not (part.variances_ > 0).all() or not (part.priors_ > 0).all():
            raise ValueError("a class has no positive variance and prior")
    elif isinstance(part, LogisticNovelty):
        if not part.scale_ > 0:
            raise ValueError("a score has no positive scale")
    elif isinstance(part, ConformalNovelty):
        if not len(part.calibration_scores_):
            raise ValueError("there are no scores of held-out images")
    elif isinstance(part, CombinedNovelty):
        if len(part.coef_) != len(part.detectors_) or not (part.scales_ > 0).all():
            raise ValueError("weights and detectors do not fit together")
    elif isinstance(part, LocalOutlierProbability):
        part._check_parameters(len(part.training_points_))
        if not part.spread_ > 0 or (part.training_pdist_ < 0).any():
            raise ValueError("distances are not positive")
