"""Teach a model a new class by its name: what it would change, before it is done."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.exceptions import InputError
from wordsight.exploration.gallery import Gallery

__all__ = ["Preview", "preview"]


@dataclass(frozen=True)
class Preview:
    """What a new class would be to a model, and which images it would take from others.

    Attributes
    ----------
    name : str
    source : {"word", "composed", "description", "vector"}
        Where its vector comes from: a word's own, the mean of parts, a description, or given.
    parts : tuple of str
        What it is composed of.
    neighbours : tuple of (str, float)
        Words nearest to it, and their cosines.
    n_taken : int
        Images that would be said to be of it.
    taken_from : dict of str to int
        What they are said to be now, the most frequent first.
    examples : ndarray of int64
        Some of these images, the surest first.
    model : CrossModalClassifier
        One branched off that has the class: the one to go on with if it is wanted.
    gallery : Gallery
        The images as that model sees them.
    """

    name: str
    source: Literal["word", "composed", "description", "vector"]
    parts: tuple[str, ...]
    neighbours: tuple[tuple[str, float], ...]
    n_taken: int
    taken_from: dict[str, int]
    examples: NDArray[np.int64]
    model: CrossModalClassifier
    gallery: Gallery


def preview(
    model: CrossModalClassifier,
    gallery: Gallery,
    name: str,
    vector: ArrayLike | None = None,
    *,
    n_examples: int = 12,
    n_words: int = 10,
) -> Preview:
    """Say what would change if a model knew one more class. The model stays as it is.

    Parameters
    ----------
    model : CrossModalClassifier
    gallery : Gallery
        Of this model.
    name : str
        Of the class to be.
    vector : array-like, shape (d,), optional
        Its vector, such as that of a description; by default it is looked up, or composed.
    n_examples, n_words : int, default 12 and 10
        How many images and words to name.

    Returns
    -------
    Preview

    Raises
    ------
    InputError
        The class is there already, the name is empty, or a vector does not fit.
    MissingWordError
        The name has no vector; spellings near it are named.
    """
    if not name.strip():
        raise InputError("an empty name was given; expected the name of a class, such as zebra")
    taught = model.branch()
    if vector is None:
        taught.add_classes(_looked_up(taught, name))
    else:
        taught.add_classes({name: np.asarray(vector)})
    query = taught.query(name)
    after = gallery.updated(taught)
    before = gallery.recognition.label
    taken = np.flatnonzero(after.recognition.label == name)
    names, counts = np.unique(before[taken].astype(np.str_), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    surest = taken[np.argsort(-after.recognition.probability[taken], kind="stable")]
    return Preview(
        name=name,
        source=_source(model, query.parts, given=vector is not None),
        parts=query.parts,
        neighbours=tuple(taught.words_near(name, n_words)),
        n_taken=len(taken),
        taken_from={str(names[row]): int(counts[row]) for row in order},
        examples=surest[:n_examples],
        model=taught,
        gallery=after,
    )


def _looked_up(model: CrossModalClassifier, name: str) -> Any:
    """Return what `add_classes` takes: a name typed by hand is meant, whole or composed."""
    known = set(map(str, model.classes_))
    if name in known or model.words_.is_described:
        return [name]  # which has its own words for a class that is there, or not described
    return {name: model.words_.vector_for(name, on_missing="compose")}


def _source(
    model: CrossModalClassifier, parts: tuple[str, ...], *, given: bool
) -> Literal["word", "composed", "description", "vector"]:
    if model.words_.is_described:
        return "description"
    if given:
        return "vector"
    return "composed" if parts else "word"
