"""Explain what a model says of one image: every factor of Eq. 2, and what lies near."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.recognition import Recognition
from wordsight.data.decoding import decode_item
from wordsight.exceptions import BrokenImageError, InputError
from wordsight.exploration.evidence import Evidence, evidence_between
from wordsight.exploration.gallery import Gallery

__all__ = ["ClassShare", "Explanation", "NearImage", "explain"]

LISTED = 1000
"""Classes in an explanation at most."""


@dataclass(frozen=True)
class ClassShare:
    """One class, and its share in a decision.

    Attributes
    ----------
    name : str
    kind : {"seen", "unseen"}
    given_kind : float
        p(y | V, x): its probability if the image is of a class of its kind.
    probability : float
        p(y | x).
    """

    name: str
    kind: Literal["seen", "unseen"]
    given_kind: float
    probability: float


@dataclass(frozen=True)
class NearImage:
    """An image that is mapped near another one.

    Attributes
    ----------
    index : int
        In the gallery.
    name : str
    label : str or None
    similarity : float
        Cosine of the two mapped points.
    """

    index: int
    name: str
    label: str | None
    similarity: float


@dataclass(frozen=True)
class Explanation:
    """Why an image is what a model says it is.

    Attributes
    ----------
    recognition : Recognition
        Of one row.
    gate : {"hard", "probability"}
        Whether P(V = u | x) in Eq. 2 is the detector's verdict or its probability.
    detector : str
        The kind of the novelty detector.
    classes : tuple of ClassShare
        All classes, at most 1,000, the most probable first; among equally probable ones, by
        `given_kind`.
    nearest_words : tuple of (str, float)
        Words nearest to the mapped point, and their cosines.
    nearest_images : tuple of NearImage
        Images of a gallery mapped nearest to it; empty without a gallery.
    evidence : Evidence or None
        Which quadrants speak for the most probable class and against the next one of its kind;
        None where no linear function of patches decides between them, and for an image given by
        its index in a gallery, which keeps no features.
    """

    recognition: Recognition
    gate: Literal["hard", "probability"]
    detector: str
    classes: tuple[ClassShare, ...]
    nearest_words: tuple[tuple[str, float], ...]
    nearest_images: tuple[NearImage, ...]
    evidence: Evidence | None = None

    @property
    def label(self) -> str:
        """The most probable class."""
        return str(self.recognition.label[0])

    @property
    def probability(self) -> float:
        """Its probability."""
        return float(self.recognition.probability[0])

    @property
    def is_novel(self) -> bool:
        """Whether the detector takes the image for one of no seen class."""
        return bool(self.recognition.is_novel[0])

    @property
    def novelty_score(self) -> float:
        """Above 0: novel."""
        return float(self.recognition.novelty_score[0])

    @property
    def novelty_proba(self) -> float:
        """P(V = u | x), as the detector estimates it."""
        return float(self.recognition.novelty_proba[0])

    @property
    def score(self) -> float:
        """The detector's own score: high is ordinary."""
        return self.threshold - self.novelty_score

    @property
    def threshold(self) -> float:
        """The detector's own score below which an image is novel."""
        return self.recognition.threshold

    @property
    def verdict(self) -> str:
        """What the gate decided and what came of it, in a sentence or two."""
        return _verdict(self)


def explain(
    model: CrossModalClassifier,
    image: int | str | Path | bytes | NDArray[np.uint8],
    gallery: Gallery | None = None,
    *,
    k: int = 10,
) -> Explanation:
    """Say why an image is what a model says it is.

    Parameters
    ----------
    model : CrossModalClassifier
        Trained on images.
    image : path-like, bytes, ndarray of uint8 (height, width, 3), or int
        A file, its content, or pixels of any size; or the index of an image of the gallery.
    gallery : Gallery, optional
        Of this model: images to look for near ones among, such as those it was trained on.
    k : int, default 10
        How many near words and images to name.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        The model was trained on ready features; an index without a gallery, or outside of it.
    BrokenImageError
        The image cannot be read.
    """
    if k < 1:
        raise InputError(f"k={k} words and images were asked for; ask for 1 or more")
    index = int(image) if isinstance(image, int | np.integer) else None
    evidence = None
    if index is not None:
        found = _stored(gallery, index)
    else:
        X = _features(model, image)
        found = model.recognise(X)
        evidence = evidence_between(model, X[0], found)
    near: tuple[NearImage, ...] = ()
    if gallery is not None:
        rows, similarities = gallery.nearest(found.mapped[0], k, exclude=index)
        labels = gallery.labels
        near = tuple(
            NearImage(row, gallery.name(row), None if labels is None else str(labels[row]), value)
            for row, value in zip(rows.tolist(), similarities.tolist(), strict=True)
        )
    return Explanation(
        recognition=found,
        gate=model.gate,
        detector=type(model.novelty_).__name__,
        classes=_shares(found),
        nearest_words=tuple(model.word_similarities(found.mapped, k)[0]),
        nearest_images=near,
        evidence=evidence,
    )


def _stored(gallery: Gallery | None, index: int) -> Recognition:
    if gallery is None or not 0 <= index < len(gallery):
        held = "no gallery was given" if gallery is None else f"the gallery holds {len(gallery)}"
        raise InputError(
            f"image {index} of a gallery was asked for, and {held}; give another image"
        )
    return gallery.recognition.rows([index])


def _features(model: CrossModalClassifier, image: Any) -> NDArray[Any]:
    """Return the features of one image, shape (1, F)."""
    if model.features_ is None:
        raise InputError(
            "the model was trained on ready features and cannot see images; give features to "
            "model.recognise"
        )
    name = "the image"
    if isinstance(image, str | Path):
        path = Path(image)
        name = path.name
        try:
            image = path.read_bytes()
        except OSError as error:
            raise BrokenImageError(name, error.strerror or str(error)) from error
    pixels = decode_item(image, model.features_.image_size_, name)
    return np.asarray(model.features_.transform(pixels[None]))


def _shares(found: Recognition) -> tuple[ClassShare, ...]:
    given = np.hstack([found.seen_proba, found.unseen_proba])[0]  # of one image
    order = np.lexsort((-given, -found.proba[0]))[:LISTED]
    return tuple(
        ClassShare(
            name=str(found.classes[column]),
            kind="seen" if column < found.n_seen else "unseen",
            given_kind=float(given[column]),
            probability=float(found.proba[0, column]),
        )
        for column in order.tolist()
    )


def _verdict(about: Explanation) -> str:
    side, than, whose = ("below", "less", "a seen class")
    if about.is_novel:
        side, than, whose = ("above", "more", "no seen class")
    gate = (
        f"The novelty score, {about.novelty_score:.3g}, is {side} 0: the image is {than} unusual "
        f"than the gate lets images of seen classes be, and is taken for one of {whose}"
    )
    if about.recognition.unseen_column is None:
        return f"{gate}; but the model knows seen classes alone, which share all probability."
    if about.gate == "hard":
        return f"{gate}; only {'unseen' if about.is_novel else 'seen'} classes are considered."
    return f"{gate}; p(unseen | image) = {about.novelty_proba:.2f} weighs the two kinds of classes."
