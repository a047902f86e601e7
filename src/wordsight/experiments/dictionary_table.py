"""What the table of dictionaries is made of: dictionaries, features, and one classifier for all.

All dictionaries share the laboratory's whitening, one draw of patches and one set of images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import RidgeFactor, blocks, partial
from wordsight.experiments.setting import CLASSES
from wordsight.features.dictionary import DictionaryKind, learn_dictionary
from wordsight.features.encoder_bank import EncoderBank, PooledBank
from wordsight.features.encoding import Encoder, EncoderKind
from wordsight.features.images import Images
from wordsight.features.patch_features import PatchFeatures
from wordsight.features.patches import normalise_contrast, sample_patches
from wordsight.few_rows import FewRows, ThinFactor, are_few
from wordsight.mapping.linear import ridge
from wordsight.metrics import accuracy
from wordsight.progress import report

if TYPE_CHECKING:
    from wordsight.data.dataset import Dataset
    from wordsight.experiments.lab import Lab

__all__ = [
    "DICTIONARIES",
    "ENCODERS",
    "IN_WORDS",
    "MAX_ITER",
    "PATCHES_AN_ATOM",
    "VERSION",
    "Table",
    "fold",
    "ridge_labels",
    "standardise",
    "whitened_patches",
]

Names = NDArray[np.str_]
Matrix = NDArray[np.float32]

DICTIONARIES: tuple[DictionaryKind, ...] = ("omp1", "kmeans", "random")
ENCODERS: tuple[EncoderKind, ...] = ("soft_threshold", "triangle")
IN_WORDS = {
    "omp1": "OMP-1",
    "kmeans": "k-means",
    "random": "random patches",
    "soft_threshold": "soft threshold",
    "triangle": "triangle",
}

PATCHES_AN_ATOM = 250
"""As many as the paper's 400,000 patches for 1,600 atoms; a smaller dictionary needs fewer."""

MAX_ITER = 10
"""Passes over the patches: of the objective, little is left to gain after ten."""

VERSION = 1
"""Raised when what is kept of the table changes."""


# --- dictionaries -------------------------------------------------------------------------------


def whitened_patches(
    images: Images,
    n_patches: int,
    features: PatchFeatures,
    random_state: np.random.RandomState,
) -> torch.Tensor:
    """Draw patches, normalise their contrast and whiten them with the whitening of `features`.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3), or Dataset
    n_patches : int
    features : PatchFeatures
        Fitted.
    random_state : RandomState

    Returns
    -------
    Tensor of float32, shape (n_patches, p)
        In random order: the first of them are as good a draw as all.
    """
    drawn = sample_patches(
        images,
        n_patches,
        patch_size=features.patch_size,
        stride=features.stride,
        image_size=features.image_size_,
        random_state=random_state,
    )
    # they come image by image, and images class by class
    shuffled = torch.from_numpy(drawn[random_state.permutation(len(drawn))])
    patches = normalise_contrast(shuffled, features.contrast_constant)
    patches -= torch.from_numpy(features.patch_mean_).to(patches)
    return patches @ torch.from_numpy(features.whitener_).to(patches)


def fold(features: PatchFeatures, atoms: Matrix) -> Encoder:
    """Fold a dictionary with the whitening and the constants of fitted `features`."""
    return Encoder.fold(
        atoms,
        features.patch_mean_,
        features.whitener_,
        kind="soft_threshold",
        patch_size=features.patch_size,
        stride=features.stride,
        contrast_constant=features.contrast_constant,
        threshold=features.threshold,
        device=torch.device("cpu"),
    )


# --- the classifier -----------------------------------------------------------------------------


def standardise(train: Matrix, test: Matrix, constant: float) -> tuple[Matrix, Matrix]:
    """Subtract the training mean and divide by ``sqrt(training variance + constant)``.

    Parameters
    ----------
    train, test : ndarray of float32, shapes (n, F) and (n_test, F)
        Are overwritten.
    constant : float
        Added to a feature's variance.

    Returns
    -------
    train, test : ndarray of float32
    """
    mean = train.mean(0, dtype=np.float64)
    variance = np.zeros_like(mean)
    for cut in blocks(len(train), 256):
        variance += ((train[cut] - mean) ** 2).sum(0)
    offset = mean.astype(np.float32)
    scale = np.sqrt(variance / len(train) + constant).astype(np.float32)
    for rows in (train, test):
        for cut in blocks(len(rows), 256):
            rows[cut] -= offset
            rows[cut] /= scale
    return train, test


def ridge_labels(
    train: Matrix, labels: Names, test: Matrix, alpha: float, classes: Sequence[str]
) -> Names:
    """Tell classes apart by ridge regression on one-hot targets: the largest score is the class.

    Parameters
    ----------
    train : ndarray of float32, shape (n, F)
    labels : ndarray of str, shape (n,)
        Each is one of `classes`.
    test : ndarray of float32, shape (n_test, F)
    alpha : float
        Ridge term, as a share of the mean variance of a feature.
    classes : sequence of str

    Returns
    -------
    ndarray of str, shape (n_test,)
    """
    names = np.asarray(classes, dtype=np.str_)
    targets = (labels[:, None] == names).astype(np.float32)
    shift = train.mean(0, dtype=np.float64)
    stage = "telling classes apart"
    if are_few(*train.shape):
        few = FewRows.take(train, targets, np.arange(len(train)), shift, torch.device("cpu"))
        coef, intercept = ridge(few, ThinFactor(few, alpha * few.mean_variance()))
    else:
        done = 0

        def count(n_rows: int) -> None:
            nonlocal done
            done += n_rows
            report(stage, done, len(train))

        moments = partial(train, targets, shift=shift, on_block=count)
        # in single precision: of scores only the largest counts, and 12,800 features are many
        factor = RidgeFactor(moments, alpha * moments.mean_variance(), torch.float32)
        coef, intercept = ridge(moments, factor)
    scores = test @ coef.T.astype(np.float32) + intercept
    chosen: Names = names[scores.argmax(1)]
    return chosen


# --- the table ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pixels:
    """Decoded images and their classes.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)
    labels : ndarray of str, shape (n,)
    """

    images: NDArray[np.uint8]
    labels: Names


class Table:
    """What all dictionaries of the table share, each made when it is first asked for.

    Parameters
    ----------
    lab : Lab
    """

    def __init__(self, lab: "Lab") -> None:
        self._lab = lab
        self._setting = lab.setting
        self.sizes = tuple(sorted(set(lab.setting.table_atoms)))

    @cached_property
    def features(self) -> PatchFeatures:
        """The laboratory's own encoder, whose whitening and constants all dictionaries use."""
        return self._lab.encoder()

    @cached_property
    def train(self) -> Pixels:
        """Some training images of each class, drawn by the seed."""
        data = self._lab.images["train"]
        labels = np.asarray(data.labels).astype(np.str_)
        random_state = self._lab.random_state("images of the table of dictionaries")
        chosen = []
        for name in CLASSES:
            rows = np.flatnonzero(labels == name)
            chosen.append(np.sort(random_state.permutation(rows)[: self._per_class]))
        return self._decode(data.select(np.concatenate(chosen)))

    @cached_property
    def test(self) -> Pixels:
        """All test images."""
        return self._decode(self._lab.images["test"])

    @cached_property
    def patches(self) -> torch.Tensor:
        """Whitened patches of all training images, drawn once for all dictionaries."""
        return whitened_patches(
            self._lab.images["train"],
            min(self._setting.n_patches, PATCHES_AN_ATOM * self.sizes[-1]),
            self.features,
            self._lab.random_state("patches of the table of dictionaries"),
        )

    @property
    def _per_class(self) -> int | None:
        return self._setting.table_train_per_class

    def _decode(self, data: "Dataset") -> Pixels:
        images = data.images(self.features.image_size_).images
        return Pixels(images, np.asarray(data.labels).astype(np.str_))

    def dictionaries(self, kind: DictionaryKind) -> list[tuple[int, ...]]:
        """Return the dictionaries of a kind, as the sizes that each serves.

        The first of some random patches are random patches too: one dictionary serves all sizes.
        """
        return [self.sizes] if kind == "random" else [(size,) for size in self.sizes]

    def atoms(self, kind: DictionaryKind, n_atoms: int) -> Matrix:
        """Learn a dictionary; the laboratory's own is taken where it is the one asked for."""
        if kind == "omp1" and n_atoms == self._setting.n_atoms:
            return np.asarray(self.features.dictionary_)
        learned = learn_dictionary(
            self.patches[: PATCHES_AN_ATOM * n_atoms],
            n_atoms,
            kind,
            max_iter=min(MAX_ITER, self._setting.max_iter),
            tol=self.features.tol,
            random_state=self._lab.random_state(f"{kind}, {n_atoms} atoms"),
        )
        return learned.numpy()

    def accuracies(self, kind: DictionaryKind, sizes: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the accuracy with one dictionary, shape (n_sizes, n_encoders); kept."""
        parts = {
            "version": VERSION,
            "kind": kind,
            "sizes": list(sizes),
            "train_per_class": self._per_class,
            "n_patches": self._setting.n_patches,
            "largest": self.sizes[-1],  # as many patches are drawn as it needs
            "alpha": self._setting.alpha,
        }
        name = f"dictionary-{kind}-{sizes[-1]}"
        kept = self._lab.kept(name, parts, lambda: {"accuracy": self._measure(kind, sizes)})
        return np.asarray(kept["accuracy"], dtype=np.float64)

    def _measure(self, kind: DictionaryKind, sizes: tuple[int, ...]) -> NDArray[np.float64]:
        bank = EncoderBank(fold(self.features, self.atoms(kind, sizes[-1])), sizes)
        train, test = self._pool(bank, kind)
        found = np.empty((len(sizes), len(ENCODERS)))
        for row, size in enumerate(sizes):  # the largest, whose features are no copies, is last
            for column, encoder in enumerate(ENCODERS):
                X, X_test = (pooled.features(encoder, size) for pooled in (train, test))
                found[row, column] = self._score(X, X_test)
        return found

    def _pool(self, bank: EncoderBank, kind: DictionaryKind) -> tuple[PooledBank, PooledBank]:
        """Encode training and test images, saying how far it is."""
        stage = f"encoding images ({IN_WORDS[kind]}, {bank.sizes[-1]:,} atoms)"
        done, total = 0, len(self.train.images) + len(self.test.images)

        def count(n_images: int) -> None:
            nonlocal done
            done += n_images
            report(stage, done, total)

        return bank.pool(self.train.images, count), bank.pool(self.test.images, count)

    def _score(self, train: Matrix, test: Matrix) -> float:
        """Return the accuracy on the test images; the features are overwritten."""
        X, X_test = standardise(train, test, self.features.standardise_constant)
        said = ridge_labels(X, self.train.labels, X_test, self._setting.alpha, CLASSES)
        return accuracy(self.test.labels, said)
