"""Ridge scores of classes for many pairs of unseen classes, on features that none of them touched.

Features that leave out a block of five classes serve all ten pairs inside it: nothing of a pair's
classes, neither pixels nor labels, went into the dictionary, the whitening or the standardisation.
Six blocks hold all 45 pairs, and the first two the five pairs that the paper publishes.

Ridge regression is linear in its targets: the map to any words is a product with these scores.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import RidgeFactor, blocks, partial
from wordsight.data.dataset import Dataset
from wordsight.experiments.setting import CLASSES
from wordsight.features.patch_features import PatchFeatures
from wordsight.mapping.left_out import ClassScorer, ridge_leaving_out
from wordsight.rows import draw_held_out

__all__ = ["ALPHAS", "BLOCKS", "Images", "block_of", "make_scores"]

BLOCKS: tuple[tuple[str, ...], ...] = (
    ("airplane", "automobile", "bird", "deer", "ship"),
    ("airplane", "automobile", "cat", "dog", "truck"),
    ("airplane", "automobile", "bird", "frog", "horse"),
    ("bird", "cat", "deer", "dog", "truck"),
    ("cat", "deer", "frog", "horse", "ship"),
    ("dog", "frog", "horse", "ship", "truck"),
)
"""Classes that features leave out together; every pair of classes lies in one of them."""

ALPHAS = (0.003, 0.01)
"""Ridge terms to choose from, in units of a standardised feature's variance."""

HELD_OUT = 0.1

Pair = tuple[str, str]


def block_of(pair: Pair) -> tuple[str, ...]:
    """Return the first block that holds a pair."""
    return next(block for block in BLOCKS if set(pair) <= set(block))


@dataclass(frozen=True)
class Images:
    """All images, sorted by class in the order of `CLASSES`."""

    train: Dataset
    test: Dataset

    def codes(self, name: str) -> NDArray[np.int64]:
        """Return the class of each image, an index into `CLASSES`."""
        place = {label: code for code, label in enumerate(CLASSES)}
        labels: NDArray[np.str_] = np.asarray(getattr(self, name).labels)
        return np.array([place[str(label)] for label in labels])


def make_scores(
    images: Images,
    block: Iterable[str],
    pairs: Iterable[Pair],
    *,
    seed: int,
    mirror: bool,
    work: Path,
    n_atoms: int = 1600,
    n_patches: int = 400_000,
    alphas: Iterable[float] = ALPHAS,
) -> dict[str, NDArray[Any]]:
    """Learn features without a block of classes, and score classes with each pair left out.

    Parameters
    ----------
    images : Images
    block : iterable of str
        Classes that the features have not seen.
    pairs : iterable of pairs of str
        Unseen classes, inside the block.
    seed : int
    mirror : bool
        Of `PatchFeatures`.
    work : Path
        Where features lie while they are needed.
    n_atoms, n_patches : int
        Of `PatchFeatures`.
    alphas : iterable of float

    Returns
    -------
    dict of str to ndarray
        Scores of ridge regressions on the images of seen classes: ``{alpha}/{pair}/test``
        (n_test, 8) of one on all of them; ``{alpha}/{pair}/train`` (n, 8) of one without a tenth;
        ``{alpha}/{pair and class}/train`` (n, 7) of one without the tenth and a further class.
        Columns are in the order of `CLASSES`, rows as in `images`; ``held_out`` (n,) says which
        rows are the tenth.
    """
    out = [_codes_of(pair) for pair in pairs]
    trials = sorted({tuple(sorted({*p, c})) for p in out for c in range(10) if c not in p})
    codes = images.codes("train")
    held_out = draw_held_out(codes, HELD_OUT, np.random.RandomState(seed))
    rows = np.flatnonzero(held_out)
    seen = ~np.isin(codes, _codes_of(block))
    train, test = _features(images, seen, seed, mirror, work, n_atoms, n_patches)
    shift = train.mean(0, dtype=np.float64)
    moments = partial(train, np.zeros((len(train), 1), np.float32), shift=shift)
    found: dict[str, NDArray[Any]] = {"held_out": held_out}
    for alpha in alphas:
        factor = RidgeFactor(moments, alpha, torch.float32)
        whole = ridge_leaving_out(train, codes, out, moments, factor)
        less = ridge_leaving_out(train, codes, [*out, *trials], moments, factor, rows_left_out=rows)
        keys = ["-".join(CLASSES[code] for code in some) for some in [*out, *trials]]
        for part, values in zip(keys, _scores(test, whole), strict=False):
            found[f"{alpha:g}/{part}/test"] = values
        for part, values in zip(keys, _scores(train, less), strict=True):
            found[f"{alpha:g}/{part}/train"] = values
    return found


def _codes_of(names: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted(CLASSES.index(name) for name in names))


def _features(
    images: Images,
    seen: NDArray[np.bool_],
    seed: int,
    mirror: bool,
    work: Path,
    n_atoms: int,
    n_patches: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the features of all images, on disk; the encoder learns from seen ones alone."""
    encoder = PatchFeatures(n_atoms, n_patches=n_patches, mirror=mirror, random_state=seed)
    encoder.fit(images.train.select(np.flatnonzero(seen)))
    tables = []
    for name in ("train", "test"):
        data: Dataset = getattr(images, name)
        shape = (len(data), encoder.n_features_out_)
        table = np.lib.format.open_memmap(
            work / f"{name}.npy", mode="w+", dtype=np.float32, shape=shape
        )
        for part, features in encoder.stream(data):
            table[part] = features
        tables.append(table)
    return tables[0], tables[1]


def _scores(X: NDArray[np.float32], scorers: list[ClassScorer]) -> list[NDArray[np.float32]]:
    """Return the scores that all regressions give each row, in one pass over the rows."""
    coef = np.concatenate([one.coef for one in scorers], axis=1)
    intercept = np.concatenate([one.intercept for one in scorers])
    table = np.empty((len(X), coef.shape[1]), dtype=np.float32)
    for cut in blocks(len(X), 2048):
        table[cut] = X[cut] @ coef + intercept
    ends = np.cumsum([len(one.classes) for one in scorers])[:-1]
    return np.split(table, ends, axis=1)
