"""What encoders of images have in common: features that stream, standardised on training images."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from wordsight.exceptions import InputError
from wordsight.rows import READ, SpreadRows, StoredRows, column_mean

__all__ = ["StandardisedFeatures"]


class StandardisedFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """Features of images by some encoder, standardised on training images.

    Attributes
    ----------
    mean_, scale_ : ndarray of float32, shape (F,)
        Standardised is ``(encoded − mean_) / scale_``.
    n_features_out_ : int
        F.
    """

    mean_: NDArray[np.float32]
    scale_: NDArray[np.float32]

    @abstractmethod
    def _encoded(self, images: Any) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows and features, not standardised, a few images at a time."""

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the features of images, shape (n, F)."""
        parts = [part for _rows, part in self.stream(X)]
        return np.concatenate([np.empty((0, self.n_features_out_), dtype=np.float32), *parts])

    def stream(self, images: Any) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows and features, a few images at a time; a set may skip rows."""
        check_is_fitted(self)
        for rows, part in self._encoded(images):
            if part.shape[1] != len(self.mean_):
                raise InputError(
                    f"the encoder returned {part.shape[1]} features an image, and "
                    f"{len(self.mean_)} when it was fitted; give the same encoder"
                )
            yield rows, (part - self.mean_) / self.scale_

    def _learn_standardisation(
        self, found: NDArray[np.float32] | StoredRows, *, standardise: bool
    ) -> None:
        """Learn mean and scale of features (n, F) of training images."""
        self.mean_ = np.zeros(found.shape[1], dtype=np.float32)
        self.scale_ = np.ones(found.shape[1], dtype=np.float32)
        if standardise:
            mean, spread = _mean_and_spread(found)
            self.mean_ = mean.astype(np.float32)
            # a feature that is the same everywhere says nothing, and stays so
            self.scale_ = np.where(spread > 1e-6 * spread.max(initial=0), spread, 1.0).astype(
                np.float32
            )

    @property
    def n_features_out_(self) -> int:
        """Number of features, F."""
        return len(self.mean_)

    @property
    def _n_features_out(self) -> int:
        # the name under which scikit-learn's set_output looks for it
        return self.n_features_out_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


def _mean_and_spread(
    found: NDArray[np.float32] | StoredRows,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each column."""
    if not isinstance(found, SpreadRows):
        rows = found[:]
        return rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    mean = column_mean(found)
    squares = found.fold(partial(_squares_about, mean), np.add, small=True)
    return mean, np.sqrt(squares / len(found))


def _squares_about(mean: NDArray[np.float64], X: StoredRows) -> NDArray[np.float64]:
    total = np.zeros_like(mean)
    for start in range(0, len(X), READ):
        total += ((X[start : start + READ] - mean) ** 2).sum(0)
    return total
