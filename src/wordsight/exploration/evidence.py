"""Which part of an image speaks for one class and against another.

Where two classes of a kind are told apart by a linear function of patch features, the log odds
between them are a sum over the quadrants of the image. For two seen classes that is the softmax;
for two unseen ones the linear map and Gaussians of one variance, with which
``log p₁/p₂ = (w₁ − w₂)ᵀ s / σ² + const``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.recognition import Recognition
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.features.patch_features import PatchFeatures
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.visual import VisualMap

__all__ = ["QUADRANTS", "Evidence", "evidence_between"]

QUADRANTS = ("upper left", "upper right", "lower left", "lower right")


@dataclass(frozen=True)
class Evidence:
    """Log odds of one class against another, by the quadrants of an image.

    Attributes
    ----------
    name, against : str
        Two classes of one kind: ``log p(name | V, x) / p(against | V, x)`` is what is split.
    quadrants : tuple of float
        What each of `QUADRANTS` adds, compared with that of the mean training image.
    anyway : float
        What the mean training image would say.
    """

    name: str
    against: str
    quadrants: tuple[float, float, float, float]
    anyway: float

    @property
    def log_odds(self) -> float:
        """Their sum: above 0 for the first class."""
        return sum(self.quadrants) + self.anyway


def evidence_between(
    model: CrossModalClassifier, x: NDArray[Any], found: Recognition
) -> Evidence | None:
    """Split the log odds of the most probable class against the next one of its kind.

    Parameters
    ----------
    model : CrossModalClassifier
    x : ndarray, shape (F,)
        Features of an image.
    found : Recognition
        Of this image, one row.

    Returns
    -------
    Evidence or None
        None where there is no other class of the kind, or no linear function of patch features.
    """
    if not isinstance(model.features_, PatchFeatures):
        return None
    label = int(found.column[0])
    seen = label < found.n_seen
    first = 0 if seen else found.n_seen
    of_kind = (found.seen_proba if seen else found.unseen_proba)[0]
    if len(of_kind) < 2:
        return None
    one = label - first
    other = int(np.where(np.arange(len(of_kind)) == one, -1.0, of_kind).argmax())
    weights = _seen_weights(model, one, other) if seen else _unseen_weights(model, one, other)
    if weights is None:
        return None
    by_feature, anyway = weights
    parts = (by_feature.astype(np.float64) * x).reshape(4, -1).sum(axis=1)
    upper_left, upper_right, lower_left, lower_right = parts.tolist()
    return Evidence(
        name=str(found.classes[label]),
        against=str(found.classes[first + other]),
        quadrants=(upper_left, upper_right, lower_left, lower_right),
        anyway=anyway,
    )


def _seen_weights(
    model: CrossModalClassifier, one: int, other: int
) -> tuple[NDArray[Any], float] | None:
    part = model.seen_classifier_
    if not isinstance(part, SoftmaxClassifier):
        return None
    weights = (part.coef_[one] - part.coef_[other]) / part.temperature_
    return weights, float(part.intercept_[one] - part.intercept_[other]) / part.temperature_


def _unseen_weights(
    model: CrossModalClassifier, one: int, other: int
) -> tuple[NDArray[Any], float] | None:
    mapping, part = model.mapping_, model.unseen_classifier_
    if not (isinstance(part, WordGaussians) and isinstance(mapping, LinearMap | VisualMap)):
        return None
    w, v = part.word_vectors_[one], part.word_vectors_[other]
    apart = (w - v) / part.variance
    anyway = apart @ mapping.intercept_ - (w @ w - v @ v) / (2.0 * part.variance)
    return apart @ mapping.coef_, float(anyway)
