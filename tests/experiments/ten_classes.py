"""A tiny stand-in for CIFAR-10: the ten classes, each of a colour and a pattern of its own."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight import open_dataset
from wordsight.data.dataset import Dataset
from wordsight.experiments.lab import Lab
from wordsight.experiments.setting import CLASSES, Setting
from wordsight.experiments.store import Store
from wordsight.words.vectors import WordVectors

SIDE = 12
TINY = Setting(
    n_atoms=6,
    n_patches=400,
    max_iter=3,
    n_hidden=8,
    table_atoms=(3, 6),
    table_train_per_class=10,
    n_draws=40,
)
N_TRAIN, N_TEST = 30, 12


def pictures(n: int, seed: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Return n pictures of each class, the classes mixed, and their names."""
    rng = np.random.default_rng(seed)
    looks = np.random.default_rng(0).integers(40, 216, size=(len(CLASSES), 3, 3, 3))
    codes = rng.permutation(np.repeat(np.arange(len(CLASSES)), n))
    whole = looks[codes].repeat(SIDE // 3, axis=1).repeat(SIDE // 3, axis=2)
    noisy = whole + rng.normal(scale=40.0, size=whole.shape)
    return noisy.clip(0, 255).astype(np.uint8), [CLASSES[code] for code in codes]


def dataset(n: int, seed: int) -> Dataset:
    images, names = pictures(n, seed)
    return open_dataset(images, labels=names)


def write_pictures(folder: Path, classes: tuple[str, ...] = CLASSES) -> Path:
    """Write them as class folders, in train and test."""
    for split, n, seed in (("train", N_TRAIN, 1), ("test", N_TEST, 2)):
        images, names = pictures(n, seed)
        for row, (image, name) in enumerate(zip(images, names, strict=True)):
            if name in classes:
                place = folder / split / name / f"{row:04d}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(place)
    return folder


def tiny_lab(cache: Path, *, seed: int = 0, setting: Setting = TINY) -> Lab:
    return Lab(
        dataset(N_TRAIN, 1), dataset(N_TEST, 2), WordVectors.default(), setting, seed, Store(cache)
    )
