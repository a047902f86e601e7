"""Synthetic pictures with names of two words: a data set that needs no download.

Every picture shows one coloured shape ("red circle") among clutter. The pictures are drawn, not
photographed: they show that zero-shot recognition works on a machine at hand, and say nothing
about how well it works on photographs.

The task is compositional. A class vector is the mean of the vectors of its two words, and every
colour and every shape of an unseen class occurs in seen classes, never together.

How it was made, since that decides how hard it is. The words are common, plainly different to the
eye, and chosen for the geometry of their vectors in the default vocabulary: gold and violet stand
for yellow and purple, whose vectors almost coincide (cosine 0.92), and there is no triangle beside
the circle (0.77). Red and blue (0.89) are the nearest pair that was kept. The amounts of clutter,
tilt and noise, and the dark pen round each shape, were settled by leaving out one handful of
classes after another, before the default split was drawn up; no score on that split entered. A
list of words chosen blindly would be harder.
"""

import io
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from operator import index as as_integer
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.data.drawing import COLOURS, OUTLINES, paint
from wordsight.data.webdataset_writing import write_archives
from wordsight.exceptions import InputError
from wordsight.storage import atomic_directory

__all__ = [
    "SCENE_CLASSES",
    "SEEN",
    "UNSEEN",
    "Scene",
    "Split",
    "draw_scene",
    "make_scenes",
    "write_scenes",
]

Split = Literal["train", "test"]
"""Which of two sets of pictures that share no random number."""

SCENE_CLASSES: tuple[str, ...] = tuple(
    f"{colour} {shape}" for colour in COLOURS for shape in OUTLINES
)
"""All class names: every colour with every shape."""

UNSEEN: tuple[str, ...] = (
    "red circle",
    "red heart",
    "gold star",
    "gold heart",
    "violet circle",
    "violet star",
)
"""The classes to leave out of training by default.

Three colours and three shapes, each twice: the colour alone, or the shape alone, tells half of the
pictures right at best.
"""

SEEN: tuple[str, ...] = tuple(name for name in SCENE_CLASSES if name not in UNSEEN)
"""The classes to train on by default: all the others."""

_MIN_SIDE = 8  # below this not even a person can tell the shapes apart
_MAX_SIDE = 2048  # the canvas is four times as wide; beyond this the request is a slip


@dataclass(frozen=True)
class Scene:
    """One synthetic picture, and where its shape stands.

    Attributes
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        Red, green and blue, 0 to 255.
    mask : ndarray of float32, shape (height, width)
        The part of each pixel, 0 to 1, that the shape covers, strokes drawn over it included.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.float32]


def draw_scene(
    name: str,
    index: int = 0,
    *,
    split: Split = "train",
    image_size: tuple[int, int] = (32, 32),
    random_state: int = 0,
) -> Scene:
    """Draw one synthetic picture of a class.

    Parameters
    ----------
    name : str
        One of `SCENE_CLASSES`.
    index : int, default 0
        Which picture of the class, from 0.
    split : {"train", "test"}, default "train"
        Pictures of the two splits have no random number in common, whatever the seeds.
    image_size : tuple of int, default (32, 32)
        Height and width in pixels. The same picture at another size with the same ratio of height
        to width has the same layout.
    random_state : int, default 0
        The seed. The picture follows from it, `name`, `split` and `index` alone.

    Returns
    -------
    Scene
        The picture and the mask of its shape.

    Raises
    ------
    InputError
        An argument is unknown or out of range.
    """
    _check_classes((name,))
    size = _check_size(image_size)
    seed = _check_count(random_state, "random_state", 0)
    return _draw(name, _check_count(index, "index", 0), _check_split(split), size, seed)


def make_scenes(
    n_per_class: int = 100,
    classes: Sequence[str] = SCENE_CLASSES,
    image_size: tuple[int, int] = (32, 32),
    random_state: int = 0,
    *,
    split: Split = "train",
) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Draw a synthetic data set.

    Each picture follows from the seed, its class, its split and its number within the class. So
    asking for more pictures, for fewer classes or in another order changes none of them. The same
    versions of NumPy and Pillow draw the same bytes; other versions may differ slightly.

    Parameters
    ----------
    n_per_class : int, default 100
        How many pictures of each class, at least 1.
    classes : sequence of str, default `SCENE_CLASSES`
        Which classes, each once.
    image_size : tuple of int, default (32, 32)
        Height and width in pixels, 8 to 2048 each.
    random_state : int, default 0
        The seed, not negative.
    split : {"train", "test"}, default "train"
        Pictures of the two splits have no random number in common, whatever the seeds.

    Returns
    -------
    images : ndarray of uint8, shape (n, height, width, 3)
        Class after class, in the order of `classes`, where n = n_per_class · len(classes).
    labels : ndarray of str, shape (n,)
        The class name of each picture.

    Raises
    ------
    InputError
        An argument is unknown or out of range.

    Examples
    --------
    >>> images, labels = make_scenes(2, classes=("red circle", "gold star"))
    >>> images.shape
    (4, 32, 32, 3)
    >>> labels.tolist()
    ['red circle', 'red circle', 'gold star', 'gold star']
    """
    n_images = _check_count(n_per_class, "n_per_class", 1)
    names = _check_classes(classes)
    size = _check_size(image_size)
    drawn = _draw_all(names, n_images, _check_split(split), size, random_state)
    images = np.empty((len(names) * n_images, *size, 3), dtype=np.uint8)
    for row, (_, _, image) in enumerate(drawn):
        images[row] = image
    return images, np.repeat(np.array(names, dtype=np.str_), n_images)


def write_scenes(
    folder: str | os.PathLike[str],
    n_train_per_class: int = 100,
    n_test_per_class: int = 20,
    classes: Sequence[str] = SCENE_CLASSES,
    *,
    image_size: tuple[int, int] = (32, 32),
    random_state: int = 0,
    overwrite: bool = False,
    per_archive: int | None = None,
) -> dict[Split, int]:
    """Write a synthetic data set as PNG files, ``folder/train/red circle/00000.png`` and so on.

    The files hold exactly the pictures that `make_scenes` returns for the two splits. The folder
    appears when it is complete, or not at all.

    Parameters
    ----------
    folder : path-like
        The folder to be made.
    n_train_per_class, n_test_per_class : int, default 100 and 20
        How many pictures of each class under ``train/`` and ``test/``, at least 1.
    classes : sequence of str, default `SCENE_CLASSES`
        Which classes, each once.
    image_size : tuple of int, default (32, 32)
        Height and width in pixels, 8 to 2048 each.
    random_state : int, default 0
        The seed, not negative.
    overwrite : bool, default False
        Replace `folder` where it exists; otherwise an existing one is refused.
    per_archive : int, optional
        Write tar archives of so many pictures in place of folders, ``folder/train-000000.tar`` and
        so on, in WebDataset's layout.

    Returns
    -------
    dict
        How many pictures were written under ``"train"`` and under ``"test"``.

    Raises
    ------
    InputError
        An argument is unknown or out of range, or `folder` exists.
    WordsightError
        The folder cannot be written.
    """
    per_class: dict[Split, int] = {
        "train": _check_count(n_train_per_class, "n_train_per_class", 1),
        "test": _check_count(n_test_per_class, "n_test_per_class", 1),
    }
    names = _check_classes(classes)
    size = _check_size(image_size)
    n_together = None if per_archive is None else _check_count(per_archive, "per_archive", 1)
    with atomic_directory(folder, overwrite=overwrite) as root:
        for split, n_images in per_class.items():
            pictures = _draw_all(names, n_images, split, size, random_state)
            if n_together is not None:
                write_archives(root, split, map(_packed, pictures), n_together)
                continue
            for name in names:
                (root / split / name).mkdir(parents=True)
            for name, number, image in pictures:
                Image.fromarray(image).save(root / split / name / f"{number:05d}.png")
    return {split: n_images * len(names) for split, n_images in per_class.items()}


def _packed(picture: tuple[str, int, NDArray[np.uint8]]) -> tuple[str, str, str, bytes]:
    name, number, image = picture
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return f"{name}/{number:05d}", "png", name, stream.getvalue()


def _draw_all(
    names: tuple[str, ...], n_images: int, split: Split, size: tuple[int, int], random_state: int
) -> Iterator[tuple[str, int, NDArray[np.uint8]]]:
    """Yield class, number and pixels, class after class, one picture in memory at a time."""
    seed = _check_count(random_state, "random_state", 0)
    return (
        (name, number, _draw(name, number, split, size, seed).image)
        for name in names
        for number in range(n_images)
    )


def _draw(name: str, number: int, split: Split, size: tuple[int, int], seed: int) -> Scene:
    # the class enters by its name, not by its place in a list, so that lists may change
    key = (zlib.crc32(name.encode()), get_args(Split).index(split), number)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    colour, shape = name.split()
    return Scene(*paint(rng, COLOURS[colour], OUTLINES[shape], size))


def _check_count(value: int, what: str, least: int) -> int:
    try:
        number = as_integer(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise InputError(f"{what} is {value!r}; give a whole number of at least {least}")
    return number


def _check_split(split: Split) -> Split:
    if split not in get_args(Split):
        raise InputError(f"split is {split!r}; give 'train' or 'test'")
    return split


def _check_size(image_size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (as_integer(side) for side in image_size)
    except (TypeError, ValueError):
        height = width = 0
    if not all(_MIN_SIDE <= side <= _MAX_SIDE for side in (height, width)):
        raise InputError(
            f"image_size is {image_size!r}; give height and width in pixels, two whole numbers "
            f"from {_MIN_SIDE} to {_MAX_SIDE}, such as (32, 32)"
        )
    return height, width


def _check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    if isinstance(classes, str):
        raise InputError(f"classes is the text {classes!r}; give a list of names: [{classes!r}]")
    names = tuple(classes)
    if not names:
        raise InputError(
            "classes is empty; name at least one of wordsight.data.scenes.SCENE_CLASSES"
        )
    for name in names:
        if name not in SCENE_CLASSES:
            near = get_close_matches(str(name), SCENE_CLASSES) or SCENE_CLASSES[:3]
            raise InputError(
                f"no synthetic class {name!r}; near: {', '.join(near)} (all: a colour of "
                f"{', '.join(COLOURS)} and a shape of {', '.join(OUTLINES)})"
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the class {twice!r} is named twice in classes; name each class once")
    return names
