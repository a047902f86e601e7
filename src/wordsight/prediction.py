"""What a model says of images, image by image: one row for every input, in the order of the inputs.

An image that cannot be read has a row, too, with the reason. Memory holds a few images at a time.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

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
    """

    path: str
    label: str | None = None
    probability: float | None = None
    is_novel: bool | None = None
    novelty_proba: float | None = None
    nearest_words: tuple[str, ...] = ()
    error: str | None = None


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

    Yields
    ------
    Prediction
        One for every image, also for those that cannot be read.

    Raises
    ------
    InputError
        A class of `among` is not one of the model's.
    """
    for batch in predict_batches(model, datasets, among=among, n_nearest=n_nearest):
        yield from batch


def predict_batches(
    model: CrossModalClassifier,
    datasets: Sequence[Dataset],
    *,
    among: Sequence[str] | None = None,
    n_nearest: int = 5,
    start: int = 0,
) -> Iterator[list[Prediction]]:
    """Yield the predictions of `predict_all` as they are computed, some images at a time.

    Parameters
    ----------
    model, datasets, among, n_nearest
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
    if n_nearest < 0:
        raise InputError(f"n_nearest={n_nearest} words were asked for; ask for 0 or more")
    if among is not None:
        _check_among(model, among)
    for dataset in datasets:
        if start < len(dataset):
            yield from _predict_one(model, dataset, among, n_nearest, start)
        start = max(0, start - len(dataset))


def _predict_one(
    model: CrossModalClassifier,
    dataset: Dataset,
    among: Sequence[str] | None,
    n_nearest: int,
    start: int,
) -> Iterator[list[Prediction]]:
    images = SkipBroken(dataset, start)
    recognised = (
        (rows, list(_predictions(model, found, among, n_nearest)))
        for rows, found in model.stream(images)
    )
    for batch in images.with_broken(_on_one_thread(recognised)):
        yield [
            Prediction(one.name, error=one.reason)
            if isinstance(one, BrokenImage)
            else Prediction(dataset.name(one[0]), *one[1])
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
) -> Iterator[tuple[str, float, bool, float, tuple[str, ...]]]:
    labels: NDArray[np.generic] = found.label
    probability = found.probability
    if among is not None:
        labels, probability = found.among(among), found.among_proba(among).max(1)
    near: list[list[str]] = [[] for _ in labels]
    if n_nearest:
        near = model.nearest_words(found.mapped, n_nearest)
    for row, label in enumerate(labels):
        yield (
            str(label),
            float(probability[row]),
            bool(found.is_novel[row]),
            float(found.novelty_proba[row]),
            tuple(near[row]),
        )


def _check_among(model: CrossModalClassifier, among: Sequence[str]) -> None:
    known = [str(name) for name in model.classes_]
    unknown = [name for name in among if name not in known]
    if unknown or not among:
        raise InputError(
            f"{', '.join(unknown) or 'no class'} was asked for; expected some of the model's "
            f"classes: {', '.join(known)}"
        )
