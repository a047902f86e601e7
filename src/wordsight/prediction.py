"""What a model says of images, image by image: one row for every input, in the order of the inputs.

An image that cannot be read has a row, too, with the reason. Memory holds a few images at a time.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from wordsight.classifiers.class_words import listed
from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.recognition import Recognition
from wordsight.data.dataset import Dataset
from wordsight.data.skipping import SkipBroken
from wordsight.data.source import BrokenImage
from wordsight.exceptions import InputError

__all__ = ["Prediction", "Summary", "predict_all", "predict_batches"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Prediction:
    """One row: what a model says of an image, or why it can say nothing.

    Attributes
    ----------
    path : str
        The file, or the row of a table (``images.parquet#17``).
    label : str or None
        The most probable class; None, as all that follows, where the image cannot be read.
    probability : float or None
        p(label | image).
    is_novel : bool or None
        Whether the image is taken for one of no seen class.
    novelty_proba : float or None
        The probability of that.
    nearest_words : tuple of str
        The words nearest to where the image is mapped, the nearest first.
    error : str or None
        Why the image cannot be read.
    top_classes : tuple of (str, float)
        The most probable classes with their probabilities, as many as were asked for.
    """

    path: str
    label: str | None = None
    probability: float | None = None
    is_novel: bool | None = None
    novelty_proba: float | None = None
    nearest_words: tuple[str, ...] = ()
    error: str | None = None
    top_classes: tuple[tuple[str, float], ...] = ()


@dataclass
class Summary:
    """Counts of rows as they pass.

    Attributes
    ----------
    n_rows : int
        All rows.
    n_failed : int
        Those of images that cannot be read.
    n_novel : int
        Those judged to be of no seen class.
    labels : Counter of str
        Images of each predicted class.
    """

    n_rows: int = 0
    n_failed: int = 0
    n_novel: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def count(self, rows: Iterable[Prediction]) -> Iterator[Prediction]:
        """Count rows on their way to somewhere else."""
        for row in rows:
            self.n_rows += 1
            self.n_novel += bool(row.is_novel)
            if row.label is None:
                self.n_failed += 1
            else:
                self.labels[row.label] += 1
            yield row


def predict_all(
    model: CrossModalClassifier,
    datasets: Sequence[Dataset],
    *,
    among: Sequence[str] | None = None,
    n_nearest: int = 5,
    n_top: int = 0,
) -> Iterator[Prediction]:
    """Yield a prediction for every image, in order.

    Parameters
    ----------
    model : CrossModalClassifier
        Trained on images.
    datasets : sequence of Dataset
        Such as `open_inputs` returns.
    among : sequence of str, optional
        Choose among these classes alone; the probability is then p(y | image, y is one of them).
    n_nearest : int, default 5
        How many nearest words to name.
    n_top : int, default 0
        How many of the most probable classes to name, with their probabilities.

    Yields
    ------
    Prediction
        One for every image, also for those that cannot be read.

    Raises
    ------
    InputError
        A class of `among` is not one of the model's.
    """
    for batch in predict_batches(model, datasets, among=among, n_nearest=n_nearest, n_top=n_top):
        yield from batch


def predict_batches(
    model: CrossModalClassifier,
    datasets: Sequence[Dataset],
    *,
    among: Sequence[str] | None = None,
    n_nearest: int = 5,
    n_top: int = 0,
    start: int = 0,
) -> Iterator[list[Prediction]]:
    """Yield the predictions of `predict_all` as they are computed, some images at a time.

    Parameters
    ----------
    model, datasets, among, n_nearest, n_top
        As for `predict_all`.
    start : int, default 0
        How many rows there are already. Where they are whole batches, the others come out bit for
        bit as if all had been computed at once.

    Yields
    ------
    list of Prediction
        A batch: what is broken before an image that can be read belongs to its batch.

    Raises
    ------
    InputError
        As for `predict_all`.
    """
    for name, value, what in (("n_nearest", n_nearest, "words"), ("n_top", n_top, "classes")):
        if value < 0:
            raise InputError(f"{name}={value} {what} were asked for; ask for 0 or more")
    if among is not None:
        _check_among(model, among)
    for dataset in datasets:
        if start < len(dataset):
            yield from _predict_one(model, dataset, among, (n_nearest, n_top), start)
        start = max(0, start - len(dataset))


def _predict_one(
    model: CrossModalClassifier,
    dataset: Dataset,
    among: Sequence[str] | None,
    counts: tuple[int, int],
    start: int,
) -> Iterator[list[Prediction]]:
    images = SkipBroken(dataset, start)
    recognised = (
        (rows, list(_predictions(model, found, among, *counts)))
        for rows, found in model.stream(images)
    )
    for batch in images.with_broken(_on_one_thread(recognised)):
        yield [
            Prediction(one.name, error=one.reason)
            if isinstance(one, BrokenImage)
            else replace(one[1], path=dataset.name(one[0]))
            for one in batch
        ]


def _on_one_thread(work: Generator[_T]) -> Iterator[_T]:
    """Walk through work that does its linear algebra on this thread alone.

    The encoder keeps all cores busy meanwhile. A second thread for the small products that follow
    it would gain nothing, and between them it waits in a loop that takes a core from the encoder:
    with two cores that costs a fifth of the speed.
    """
    own = torch.get_num_threads()
    try:
        with closing(work):
            while True:
                torch.set_num_threads(1)
                with _libraries().limit(limits=1, user_api="blas"):
                    item = next(work, None)
                torch.set_num_threads(own)
                if item is None:
                    return
                yield item
    finally:  # last, since the work sets the number that it found, 1, when it is closed
        torch.set_num_threads(own)


@cache
def _libraries() -> ThreadpoolController:
    """Find the libraries that have threads, which takes some milliseconds."""
    return ThreadpoolController()


def _predictions(
    model: CrossModalClassifier,
    found: Recognition,
    among: Sequence[str] | None,
    n_nearest: int,
    n_top: int,
) -> Iterator[Prediction]:
    """Yield what is said of each image, which has no path yet."""
    labels: NDArray[np.generic]
    if among is None:
        labels, probability = found.label, found.probability
    else:
        first = found.top_k(1, among)
        labels, probability = found.classes[first.columns[:, 0]], first.proba[:, 0]
    near: list[list[str]] = [[] for _ in labels]
    if n_nearest:
        near = model.nearest_words(found.mapped, n_nearest)
    top: list[tuple[tuple[str, float], ...]] = [() for _ in labels]
    if n_top:
        top = _named(found, n_top, among)
    for row, label in enumerate(labels):
        yield Prediction(
            path="",
            label=str(label),
            probability=float(probability[row]),
            is_novel=bool(found.is_novel[row]),
            novelty_proba=float(found.novelty_proba[row]),
            nearest_words=tuple(near[row]),
            top_classes=top[row],
        )


def _named(
    found: Recognition, k: int, among: Sequence[str] | None
) -> list[tuple[tuple[str, float], ...]]:
    best = found.top_k(k, among)
    names = found.classes[best.columns].astype(np.str_).tolist()
    return [
        tuple(zip(each, proba, strict=True))
        for each, proba in zip(names, best.proba.tolist(), strict=True)
    ]


def _check_among(model: CrossModalClassifier, among: Sequence[str]) -> None:
    classes = [str(name) for name in model.classes_]
    known = set(classes)
    unknown = [name for name in among if name not in known]
    if unknown or not among:
        raise InputError(
            f"{listed(unknown) or 'no class'} was asked for; expected some of the model's "
            f"classes: {listed(classes)}"
        )
