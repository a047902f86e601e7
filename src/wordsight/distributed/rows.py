"""`ClusterRows`: features in parts, to which sums over rows are sent."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wordsight.distributed.cluster import Cluster, Failed, Here
from wordsight.distributed.parts import PartFolder
from wordsight.exceptions import WordsightError
from wordsight.features.cache import CachedFeatures
from wordsight.rows import READ, ChosenRows, SpreadRows, StoredRows

__all__ = ["ClusterRows", "FeaturePart"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class FeaturePart:
    """Where the features of some images lie.

    Attributes
    ----------
    name : str
    n_rows : int
    """

    name: str
    n_rows: int


class _Fetched(os.PathLike[str]):
    """A part as a file, which is brought here when somebody opens it."""

    def __init__(self, folder: PartFolder, name: str) -> None:
        self._folder, self._name = folder, name

    def __fspath__(self) -> str:
        return os.fspath(self._folder.local_path(self._name))


@dataclass(frozen=True)
class _Table:
    """What is the same for all parts."""

    url: str
    n_features: int
    standardise: tuple[NDArray[np.float32], NDArray[np.float32]] | None

    def open(self, parts: Sequence[FeaturePart]) -> CachedFeatures:
        folder = PartFolder(self.url)
        shards = [_Fetched(folder, part.name) for part in parts]
        counts = [part.n_rows for part in parts]
        rows = np.arange(sum(counts))
        found = CachedFeatures(shards, counts, self.n_features, rows)
        return found if self.standardise is None else found.standardised(*self.standardise)


def _on_part(
    table: _Table,
    work: Callable[..., _T],
    part: FeaturePart,
    rows: NDArray[np.int64] | None,
    *along: NDArray[Any],
) -> _T:
    """Apply work to some rows of a part, where it lies."""
    stored: StoredRows = table.open([part])
    return work(stored if rows is None else ChosenRows(stored, rows), *along)


def _blocks_of_part(
    table: _Table,
    work: Callable[[NDArray[Any]], NDArray[Any]],
    part: FeaturePart,
    rows: NDArray[np.int64] | None,
) -> NDArray[Any]:
    """Apply work to a part a block at a time, as `by_blocks` does."""
    stored: StoredRows = table.open([part])
    chosen = stored if rows is None else ChosenRows(stored, rows)
    cuts = [slice(start, start + READ) for start in range(0, len(chosen), READ)]
    return np.concatenate([work(chosen[cut]) for cut in cuts])


class ClusterRows(SpreadRows):
    """Features of images in parts, each of which a worker can read.

    Parameters
    ----------
    cluster : Cluster
    folder : PartFolder
    parts : sequence of FeaturePart
        In the order of the images.
    n_features : int
    standardise : (ndarray, ndarray), optional
        What is subtracted from each row, and what it is then divided by, each of shape (F,).
    sums_here : bool, default False
        Whether small sums are made by this process. They are the same to the last bit.
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: PartFolder,
        parts: Sequence[FeaturePart],
        n_features: int,
        standardise: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
        *,
        sums_here: bool = False,
    ) -> None:
        self._cluster, self._parts = cluster, list(parts)
        self._folder = folder
        self._plain = _Table(folder.url, n_features, standardise)
        self._ends = np.cumsum([0, *(part.n_rows for part in parts)])
        self.sums_here = sums_here

    @property
    def shape(self) -> tuple[int, int]:
        """Images and features."""
        return int(self._ends[-1]), self._plain.n_features

    @property
    def n_parts(self) -> int:
        """Parts that the rows are in."""
        return len(self._parts)

    @cached_property
    def _shared(self) -> Any:
        return self._cluster.share(self._plain)

    @cached_property
    def _here(self) -> CachedFeatures:
        return self._plain.open(self._parts)

    def standardised(
        self, mean: NDArray[np.float32], scale: NDArray[np.float32]
    ) -> "ClusterRows":
        """Return the same features, read as ``(x − mean) / scale``."""
        return ClusterRows(
            self._cluster,
            self._folder,
            self._parts,
            self._plain.n_features,
            (mean, scale),
            sums_here=self.sums_here,
        )

    def __getitem__(self, rows: slice | NDArray[Any]) -> NDArray[np.float32]:
        """Read some rows here."""
        return self._here[rows]

    def _cut(
        self, rows: NDArray[np.int64] | None, along: Sequence[NDArray[Any]]
    ) -> list[tuple[FeaturePart, NDArray[np.int64] | None, tuple[NDArray[Any], ...]]]:
        """Return each part that has some of the rows, those rows, and what goes along."""
        found = []
        for part, start, stop in zip(self._parts, self._ends[:-1], self._ends[1:], strict=True):
            if rows is None:
                found.append((part, None, tuple(array[start:stop] for array in along)))
                continue
            first, last = np.searchsorted(rows, [start, stop])
            here = rows[first:last]
            if len(here):
                found.append((part, here - start, tuple(array[here] for array in along)))
        if not found:  # of no row at all
            none = np.empty(0, dtype=np.int64)
            found.append((self._parts[0], none, tuple(array[:0] for array in along)))
        return found

    def fold(
        self,
        work: Callable[..., _T],
        merge: Callable[[_T, _T], _T],
        *along: NDArray[Any],
        rows: NDArray[np.int64] | None = None,
        small: bool = False,
        on_part: Callable[[int], None] | None = None,
    ) -> _T:
        """Sum the parts where they lie, and merge the sums; small ones also here."""
        cut = self._cut(rows, along)
        sizes = [part.n_rows if chosen is None else len(chosen) for part, chosen, _ in cut]
        done = None if on_part is None else (lambda index: on_part(sizes[index]))
        where: Cluster = Here() if small and self.sums_here else self._cluster
        table, sent = self._plain, work
        if where is self._cluster:
            table, sent = self._shared, where.share(work)
        calls = [(table, sent, part, chosen, *arrays) for part, chosen, arrays in cut]
        return where.fold(_on_part, calls, merge, small=small, on_done=done)

    def each(
        self, work: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[np.int64] | None = None
    ) -> Iterator[NDArray[Any]]:
        """Apply work to the parts where they lie."""
        cut = self._cut(rows, ())
        sent = self._cluster.share(work)
        calls = [(self._shared, sent, part, chosen) for part, chosen, _ in cut]
        waiting: dict[int, NDArray[Any]] = {}
        at = 0
        for outcome in self._cluster.run(_blocks_of_part, calls):
            if isinstance(outcome.value, Failed):
                raise WordsightError(
                    f"{cut[outcome.index][0].name} cannot be read: {outcome.value.reason}"
                )
            waiting[outcome.index] = outcome.value
            while at in waiting:
                yield waiting.pop(at)
                at += 1
