"""`ClusterRows`: features in parts, to which sums over rows are sent."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
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

BLOCKS = 4096
"""A multiple of the rows of every block that is summed."""

GROUPS = 4
"""Sums asked of a worker, about: few, since one may be large, and enough to share them out."""


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


@dataclass(frozen=True)
class _Chosen:
    """Parts that follow one another, some of their rows, and what goes along with these."""

    parts: list[FeaturePart]
    rows: NDArray[np.int64] | None
    along: tuple[NDArray[Any], ...]
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


def _on_parts(
    table: _Table,
    work: Callable[..., _T],
    parts: Sequence[FeaturePart],
    rows: NDArray[np.int64] | None,
    *along: NDArray[Any],
) -> _T:
    """Apply work to some rows of parts that follow one another, where they lie."""
    stored: StoredRows = table.open(parts)
    return work(stored if rows is None else ChosenRows(stored, rows), *along)


def _blocks_of_part(
    table: _Table,
    work: Callable[[NDArray[Any]], NDArray[Any]],
    parts: Sequence[FeaturePart],
    rows: NDArray[np.int64] | None,
) -> NDArray[Any]:
    """Apply work to a part a block at a time, as `by_blocks` does."""
    stored: StoredRows = table.open(parts)
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

    def standardised(self, mean: NDArray[np.float32], scale: NDArray[np.float32]) -> "ClusterRows":
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
        self, rows: NDArray[np.int64] | None, along: Sequence[NDArray[Any]], n_groups: int
    ) -> list[_Chosen]:
        """Return parts that have some of the rows, in groups, with those rows and what goes along.

        Sums of whole blocks are exact: groups of parts that hold whole blocks change nothing but
        how many sums are sent about. Other parts stay by themselves, lest sums depend on groups.
        """
        found: list[_Chosen] = []
        n_groups = min(n_groups, self.n_parts)
        if (self._ends[:-1] % BLOCKS).any():
            n_groups = self.n_parts
        edges = np.linspace(0, self.n_parts, n_groups + 1).round().astype(int)
        for a, b in pairwise(edges.tolist()):
            parts, start, stop = self._parts[a:b], self._ends[a], self._ends[b]
            if rows is None:
                found.append(
                    _Chosen(parts, None, tuple(array[start:stop] for array in along), stop - start)
                )
                continue
            first, last = np.searchsorted(rows, [start, stop])
            here = rows[first:last]
            if len(here):
                arrays = tuple(array[here] for array in along)
                found.append(_Chosen(parts, here - start, arrays, len(here)))
        if not found:  # of no row at all
            none = np.empty(0, dtype=np.int64)
            found.append(_Chosen(self._parts[:1], none, tuple(array[:0] for array in along), 0))
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
        """Sum the parts where they lie, and merge the sums; small ones also here.

        The parameters are those of `SpreadRows.fold`.
        """
        where: Cluster = Here() if small and self.sums_here else self._cluster
        cut = self._cut(rows, along, GROUPS * max(1, where.n_workers))
        done = None if on_part is None else (lambda index: on_part(cut[index].n_rows))
        table, sent = self._plain, work
        if where is self._cluster:
            table, sent = self._shared, where.share(work)
        calls = [(table, sent, one.parts, one.rows, *one.along) for one in cut]
        found: _T = where.fold(_on_parts, calls, merge, small=small, on_done=done)
        return found

    def each(
        self, work: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[np.int64] | None = None
    ) -> Iterator[NDArray[Any]]:
        """Apply work to the parts where they lie."""
        cut = self._cut(rows, (), self.n_parts)
        sent = self._cluster.share(work)
        calls = [(self._shared, sent, one.parts, one.rows) for one in cut]
        waiting: dict[int, NDArray[Any]] = {}
        at = 0
        for outcome in self._cluster.run(_blocks_of_part, calls):
            if isinstance(outcome.value, Failed):
                raise WordsightError(
                    f"{cut[outcome.index].parts[0].name} cannot be read: "
                    f"{outcome.value.reason}; give the same command again"
                )
            waiting[outcome.index] = outcome.value
            while at in waiting:
                yield waiting.pop(at)
                at += 1
