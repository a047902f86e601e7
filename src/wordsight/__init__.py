"""Wordsight: recognise image classes never seen in training, knowing only their names.

The public names live here and are loaded when first used, so that importing the package costs
next to nothing and torch is imported only when something needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordsight import metrics
    from wordsight.classifiers.cross_modal import CrossModalClassifier
    from wordsight.classifiers.selection import Goal
    from wordsight.classifiers.shares import ShareClassifier
    from wordsight.classifiers.softmax import SoftmaxClassifier
    from wordsight.classifiers.word_directions import WordDirections
    from wordsight.classifiers.word_gaussian import WordGaussians
    from wordsight.data.open import open_dataset
    from wordsight.features.conv_features import ConvFeatures
    from wordsight.features.encoded import EncodedFeatures
    from wordsight.features.patch_features import PatchFeatures
    from wordsight.mapping.linear import LinearMap
    from wordsight.mapping.two_layer import TwoLayerMap
    from wordsight.mapping.visual import VisualMap
    from wordsight.novelty.combined import CombinedNovelty
    from wordsight.novelty.confidence import SoftmaxNovelty
    from wordsight.novelty.conformal import ConformalNovelty
    from wordsight.novelty.gaussian import GaussianNovelty
    from wordsight.novelty.length import LengthNovelty
    from wordsight.novelty.loop import LocalOutlierProbability
    from wordsight.novelty.mahalanobis import MahalanobisNovelty
    from wordsight.novelty.neighbour_distance import NeighbourDistance
    from wordsight.novelty.shares import ShareNovelty
    from wordsight.novelty.stacking import StackingNovelty
    from wordsight.persistence import load_model, save_model
    from wordsight.words.vectors import WordVectors

__version__ = "0.1.0"

__all__ = [
    "CombinedNovelty",
    "ConformalNovelty",
    "ConvFeatures",
    "CrossModalClassifier",
    "EncodedFeatures",
    "GaussianNovelty",
    "Goal",
    "LengthNovelty",
    "LinearMap",
    "LocalOutlierProbability",
    "MahalanobisNovelty",
    "NeighbourDistance",
    "PatchFeatures",
    "ShareClassifier",
    "ShareNovelty",
    "SoftmaxClassifier",
    "SoftmaxNovelty",
    "StackingNovelty",
    "TwoLayerMap",
    "VisualMap",
    "WordDirections",
    "WordGaussians",
    "WordVectors",
    "load_model",
    "metrics",
    "open_dataset",
    "save_model",
]

_HOME = {
    "CombinedNovelty": "wordsight.novelty.combined",
    "ConformalNovelty": "wordsight.novelty.conformal",
    "ConvFeatures": "wordsight.features.conv_features",
    "CrossModalClassifier": "wordsight.classifiers.cross_modal",
    "EncodedFeatures": "wordsight.features.encoded",
    "GaussianNovelty": "wordsight.novelty.gaussian",
    "Goal": "wordsight.classifiers.selection",
    "LengthNovelty": "wordsight.novelty.length",
    "LinearMap": "wordsight.mapping.linear",
    "LocalOutlierProbability": "wordsight.novelty.loop",
    "MahalanobisNovelty": "wordsight.novelty.mahalanobis",
    "NeighbourDistance": "wordsight.novelty.neighbour_distance",
    "PatchFeatures": "wordsight.features.patch_features",
    "ShareClassifier": "wordsight.classifiers.shares",
    "ShareNovelty": "wordsight.novelty.shares",
    "SoftmaxClassifier": "wordsight.classifiers.softmax",
    "SoftmaxNovelty": "wordsight.novelty.confidence",
    "StackingNovelty": "wordsight.novelty.stacking",
    "TwoLayerMap": "wordsight.mapping.two_layer",
    "VisualMap": "wordsight.mapping.visual",
    "WordDirections": "wordsight.classifiers.word_directions",
    "WordGaussians": "wordsight.classifiers.word_gaussian",
    "WordVectors": "wordsight.words.vectors",
    "load_model": "wordsight.persistence",
    "open_dataset": "wordsight.data.open",
    "save_model": "wordsight.persistence",
}


def __getattr__(name: str) -> object:
    if name == "metrics":
        return import_module("wordsight.metrics")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'wordsight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
