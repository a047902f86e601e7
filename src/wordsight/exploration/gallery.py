"""`Gallery`: the images of a data set as a model sees them, computed once and asked many times."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.utils import check_random_state

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.recognition import Recognition
from wordsight.data.dataset import Dataset
from wordsight.data.open import open_dataset
from wordsight.data.skipping import SkipBroken
from wordsight.data.source import Batch, BrokenImage
from wordsight.exceptions import DataError, InputError
from wordsight.exploration.colours import average_colours
from wordsight.features.cache import FeatureCache
from wordsight.words.similarity import nearest_rows

__all__ = ["Gallery", "resized"]


@dataclass(frozen=True)
class Gallery:
    """The images of a data set as a model sees them.

    Of each image it keeps a mapped point, probabilities and an average colour, with C classes and
    points of d dimensions at most 8 (d + 2 C + 4) bytes, and neither pixels nor features: pixels
    are read again when they are to be shown.

    Attributes
    ----------
    data : Dataset
        The whole data set.
    rows : ndarray of int64, shape (n,)
        The rows of `data` that are in the gallery: those that could be read.
    recognition : Recognition
        What the model says of them.
    colours : ndarray of uint8, shape (n, 3)
        The average colour of each image as the model sees it; see `average_colours`.
    broken : tuple of BrokenImage
        Images that could not be read, with their rows in `data`.
    """

    data: Dataset
    rows: NDArray[np.int64]
    recognition: Recognition
    colours: NDArray[np.uint8]
    broken: tuple[BrokenImage, ...] = ()

    @classmethod
    def of(
        cls,
        model: CrossModalClassifier,
        data: Any,
        *,
        cache: FeatureCache | None = None,
        limit: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> Self:
        """Look at every image once.

        Parameters
        ----------
        model : CrossModalClassifier
            Trained on images.
        data : Dataset, or what `open_dataset` opens
            Images that cannot be read are left out, and noted.
        cache : FeatureCache, optional
            Where features of `PatchFeatures` are kept and found again.
        limit : int, optional
            Look at so many images at most, drawn by chance.
        random_state : int, RandomState or None, default 0
            Draws them.

        Returns
        -------
        Gallery

        Raises
        ------
        InputError
            There are no images; the model was trained on ready features.
        DataError
            None of the images can be read.
        """
        data = data if isinstance(data, Dataset) else open_dataset(data)
        if not len(data):
            raise InputError("a data set without images was given; give one with at least one")
        chosen = _drawn(len(data), limit, random_state)
        images = _Watched(data.select(chosen))
        rows, parts = [], []
        for some, found in model.stream(images, cache=cache):
            rows.append(some)
            parts.append(found)
        broken = tuple(replace(one, row=int(chosen[one.row])) for one in images.broken)
        if not rows:
            raise DataError(
                f"none of the {len(chosen)} images can be read; the first is {broken[0].name}: "
                f"{broken[0].reason}; give images that can"
            )
        seen = np.concatenate(rows)
        return cls(data, chosen[seen], Recognition.together(parts), images.colours[seen], broken)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> NDArray[np.str_] | None:
        """Class names of the images, shape (n,), where the data set has any."""
        labels = self.data.class_labels
        return None if labels is None else labels.take(self.rows).text()

    @property
    def mapped(self) -> NDArray[Any]:
        """Mapped points S, shape (n, m)."""
        return self.recognition.mapped

    @property
    def seen_proba(self) -> NDArray[np.float64]:
        """p(y | V = s, x), shape (n, n_seen)."""
        return self.recognition.seen_proba

    @property
    def unseen_proba(self) -> NDArray[np.float64]:
        """p(y | V = u, x), shape (n, n_unseen)."""
        return self.recognition.unseen_proba

    @property
    def novelty_score(self) -> NDArray[np.float64]:
        """Above 0: novel, shape (n,)."""
        return self.recognition.novelty_score

    @property
    def novelty_proba(self) -> NDArray[np.float64]:
        """P(V = u | x), shape (n,)."""
        return self.recognition.novelty_proba

    @property
    def proba(self) -> NDArray[np.float64]:
        """p(y | x), shape (n, n_seen + n_unseen)."""
        return self.recognition.proba

    def name(self, i: int) -> str:
        """Name image i as a person would find it."""
        return self.data.name(int(self.rows[i]))

    def updated(self, model: CrossModalClassifier) -> "Gallery":
        """Return what the model makes of the same images now; none of them is looked at again.

        Parameters
        ----------
        model : CrossModalClassifier
            The same, or one branched off it, after `add_classes`, `remove_classes` or
            `move_threshold`.
        """
        return replace(self, recognition=model.recognise_again(self.recognition))

    def image(self, i: int, size: int | None = None) -> NDArray[np.uint8]:
        """Read image i, shape (height, width, 3).

        Parameters
        ----------
        i : int
            From 0 to n − 1.
        size : int, optional
            Bring the longer side to so many pixels: see `resized`. As it is stored, by default.

        Raises
        ------
        BrokenImageError
            It could be read once, and cannot any more.
        """
        if not 0 <= i < len(self):
            raise InputError(f"image {i} was asked for; expected 0 to {len(self) - 1}")
        (pixels,) = self.data.select(self.rows[[i]]).images(None, n_threads=1).images
        return pixels if size is None else resized(pixels, size)

    def nearest(
        self, vector: ArrayLike, k: int, *, exclude: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the images that are mapped nearest to a vector, by the cosine.

        Parameters
        ----------
        vector : array-like, shape (m,)
            A mapped point, or a word as `CrossModalClassifier.query` places it.
        k : int
            How many, as far as there are so many.
        exclude : int, optional
            An image to leave out: the one that is asked about.

        Returns
        -------
        indices : ndarray of int64, shape (k,)
            Of images of the gallery, the nearest first.
        similarities : ndarray of float64, shape (k,)
        """
        point = np.asarray(vector)
        if point.shape != self.mapped.shape[1:]:
            raise InputError(
                f"a vector of shape {point.shape} was given; expected one of the "
                f"{self.mapped.shape[1]} dimensions that images are mapped to"
            )
        if k < 1:
            raise InputError(f"k={k} images were asked for; ask for 1 or more")
        more = 0 if exclude is None else 1
        rows, similarities = nearest_rows(self.mapped, point[None], k + more, metric="cosine")
        kept = rows[0] != (-1 if exclude is None else exclude)
        return rows[0][kept][:k].astype(np.int64), similarities[0][kept][:k]


class _Watched(SkipBroken):
    """Images whose average colours are noted as they pass."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        self.colours = np.zeros((len(dataset), 3), dtype=np.uint8)

    def batches(self, image_size: tuple[int, int] | None, *, size: int = 256) -> Iterator[Batch]:
        for batch in super().batches(image_size, size=size):
            self.colours[batch.rows] = average_colours(batch.images)
            yield batch


def _drawn(n: int, limit: int | None, random_state: Any) -> NDArray[np.int64]:
    if limit is not None and limit < 1:
        raise InputError(f"limit={limit} was given; expected 1 image or more")
    if limit is None or limit >= n:
        return np.arange(n)
    drawn: NDArray[np.int64] = check_random_state(random_state).permutation(n)[:limit]
    return np.sort(drawn)


def resized(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bring the longer side of an image to `size` pixels, and the other with it.

    A large image is made smaller smoothly. A small one is made larger pixel by pixel, so that what
    is seen is what there is.
    """
    if size < 1:
        raise InputError(f"size={size} was given; expected 1 pixel or more")
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(pixels).resize(shape, way))
