"""The class of each image, held as numbers: a byte or two an image, however long the names."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ClassLabels"]

LabelRuns = tuple[tuple[str, int], ...]
"""Labels as pairs of a label and how many times it stands in a row."""


@dataclass(frozen=True, eq=False)
class ClassLabels:
    """The class names of n images.

    Attributes
    ----------
    names : ndarray of str, shape (k,)
        Each name once, in order.
    codes : ndarray of uint8, uint16 or uint32, shape (n,)
        For each image, which of `names` it bears.
    """

    names: NDArray[np.str_]
    codes: NDArray[np.unsignedinteger[Any]]

    @classmethod
    def of(cls, labels: ArrayLike) -> "ClassLabels":
        """Return the class names `labels`, shape (n,), in this form."""
        names, codes = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
        return cls(names, codes.astype(np.min_scalar_type(max(0, len(names) - 1))))

    @classmethod
    def coded(cls, names: Sequence[str], codes: ArrayLike) -> "ClassLabels":
        """Return labels that stand as numbers already.

        Parameters
        ----------
        names : sequence of str
            In any order; a name that stands twice is one class.
        codes : array-like of int, shape (n,)
            For each image, which of `names` it bears.
        """
        own = cls.of(list(names))
        return cls(own.names, own.codes[np.asarray(codes)])

    @classmethod
    def of_runs(cls, runs: LabelRuns) -> "ClassLabels":
        """Return the labels that `runs` tells of others."""
        own = cls.of([label for label, _ in runs])
        return cls(own.names, np.repeat(own.codes, [count for _, count in runs]))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return str(self.names[self.codes[row]])

    def take(self, rows: NDArray[np.int64]) -> "ClassLabels":
        """Return the labels of some images."""
        return ClassLabels(self.names, self.codes[rows])

    def text(self) -> NDArray[np.str_]:
        """Return the class name of each image, shape (n,): four bytes for each letter."""
        written: NDArray[np.str_] = self.names[self.codes]
        return written

    def among(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Tell of each image whether it bears one of `names`."""
        named: NDArray[np.bool_] = np.isin(self.names, list(names))[self.codes]
        return named

    def counts(self) -> dict[str, int]:
        """Count the images of each name, those without one among them."""
        n_images = np.bincount(self.codes, minlength=len(self.names))
        return dict(zip(self.names.tolist(), n_images.tolist(), strict=True))

    def runs(self) -> LabelRuns:
        """Write the labels as runs of equal ones."""
        starts = np.flatnonzero(np.diff(self.codes, prepend=self.codes[:1] + 1)).tolist()
        return tuple((self[start], stop - start) for start, stop in pairwise([*starts, len(self)]))
