"""What a model says of images, image by image: one row for every input, in the order of the inputs.

An image that cannot be read has a row, too, with the reason. Memory holds a few images at a time.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.recognition import Recognition
from wordsight.data.arrays import is_array_file
from wordsight.data.dataset import Dataset
from wordsight.data.files import find_images, shown
from wordsight.data.folder import FilesSource
from wordsight.data.open import open_dataset
from wordsight.data.skipping import SkipBroken
from wordsight.data.source import Item, Source
from wordsight.exceptions import BrokenImageError, DataError, InputError

__all__ = ["Prediction", "open_inputs", "predict_all"]

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


def open_inputs(inputs: Sequence[str | os.PathLike[str]]) -> list[Dataset]:
    """Open images, folders of images and whatever else `open_dataset` opens, in this order.

    Parameters
    ----------
    inputs : sequence of path-like
        A folder stands for all images in and below it; class folders mean nothing here.

    Returns
    -------
    list of Dataset
        A path that is not there, a folder without images and a data file that cannot be opened
        are one broken image each, so that no input is lost silently.

    Raises
    ------
    InputError
        No input holds anything that could be an image.
    """
    if not inputs:
        raise InputError("no images were named; give files or folders")
    lacking = [reason for path in inputs if (reason := _lacks_images(Path(path))) is not None]
    if len(lacking) == len(inputs):
        more = f" (and {len(lacking) - 1} more inputs without images)" if lacking[1:] else ""
        raise InputError(f"{lacking[0]}{more}; name image files or folders of them")
    return [
        dataset
        for is_data, group in groupby(map(Path, inputs), key=_is_data)
        for dataset in (map(_open_data, group) if is_data else [Dataset(FilesSource(list(group)))])
    ]


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
    if n_nearest < 0:
        raise InputError(f"n_nearest={n_nearest} words were asked for; ask for 0 or more")
    if among is not None:
        _check_among(model, among)
    for dataset in datasets:
        yield from _predict_one(model, dataset, among, n_nearest)


def _predict_one(
    model: CrossModalClassifier, dataset: Dataset, among: Sequence[str] | None, n_nearest: int
) -> Iterator[Prediction]:
    images = SkipBroken(dataset)
    at = 0  # the first image that has no row yet
    recognised = (
        (rows.tolist(), list(_predictions(model, found, among, n_nearest)))
        for rows, found in model.stream(images)
    )
    for rows, made in _on_one_thread(recognised):
        for row, (label, probability, novel, proba, near) in zip(rows, made, strict=True):
            yield from _broken(images, at, row)
            yield Prediction(dataset.name(row), label, probability, novel, proba, near)
            at = row + 1
    yield from _broken(images, at, len(dataset))


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


def _broken(images: SkipBroken, start: int, stop: int) -> Iterator[Prediction]:
    """Yield the rows of the images from `start` up to `stop`, none of which can be read."""
    for one in images.broken:
        if start <= one.row < stop:
            yield Prediction(one.name, error=one.reason)


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


def _lacks_images(path: Path) -> str | None:
    """Say why an input holds nothing that could be an image, or return None."""
    if not path.exists():
        return f"there is no file or folder {shown(path)}"
    if path.is_dir() and not _is_data(path) and not find_images(path, first_only=True)[0]:
        return f"the folder {shown(path)} holds no images"
    return None


def _is_data(path: Path) -> bool:
    """Tell whether a path is a data set in files of its own kind, not image files."""
    # imported here because pyarrow takes long to start
    from wordsight.data import cifar, parquet  # noqa: PLC0415

    if not path.exists():
        return False
    return (
        (path.is_file() and is_array_file(path)) or parquet.is_parquet(path) or cifar.is_cifar(path)
    )


def _open_data(path: Path) -> Dataset:
    try:
        return open_dataset(path)
    except (InputError, DataError) as error:
        return Dataset(_Unopened(shown(path), str(error)))


class _Unopened(Source):
    """A data file that cannot be opened, as one image that cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        self.labels = None
        self.class_names = ()
        self._name = name
        self._reason = reason

    def __len__(self) -> int:
        return 1

    def name(self, row: int) -> str:
        return self._name

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        for _row in rows:
            yield BrokenImageError(self._name, self._reason)
