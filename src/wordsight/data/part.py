"""What another process needs to know in order to read some rows of a source again."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.data.class_labels import LabelRuns

__all__ = [
    "Part",
    "part_of_file",
    "rows_of_runs",
    "runs_of_rows",
]

Runs = tuple[tuple[int, int], ...]
"""Rows as pairs of a first row and how many follow it, itself included."""


@dataclass(frozen=True)
class Part:
    """Some rows of a source, and the files that hold them.

    Attributes
    ----------
    kind : str
        Which reader opens the files.
    root : str
        What the paths below begin with, absolute.
    given_root : str
        The same as it was given, for the names of images.
    paths : tuple of str
        The files, without that beginning.
    n_stored : int
        Rows that the reader finds when it has opened them.
    rows : tuple of (int, int)
        Which of those are meant, in order: a first row, and how many rows from there.
    labels : tuple of (str, int) or None
        Where the files do not tell them: a label, and how many times it stands in a row.
    details : dict
        What the reader needs besides; JSON can write it.
    """

    kind: str
    root: str
    given_root: str
    paths: tuple[str, ...]
    n_stored: int
    rows: Runs
    labels: LabelRuns | None
    details: dict[str, Any]

    @property
    def files(self) -> list[str]:
        """The absolute path of each file."""
        if self.given_root:
            return [self.root + path for path in self.paths]
        # paths with nothing in common may be absolute themselves
        return [os.path.join(self.root, path) for path in self.paths]  # noqa: PTH118

    @property
    def names(self) -> list[str]:
        """The path of each file as it was given."""
        return [self.given_root + path for path in self.paths]


def part_of_file(
    kind: str,
    path: str | os.PathLike[str],
    n_stored: int,
    rows: NDArray[np.int64],
    *,
    labels: LabelRuns | None = None,
    **details: Any,
) -> Part:
    """Describe rows of a source that is one file.

    Parameters
    ----------
    kind, n_stored, labels
        As in `Part`.
    path : path-like
        The file, as it was given.
    rows : ndarray of int64
        The rows.
    **details
        As in `Part`.

    Returns
    -------
    Part
    """
    root, (name,) = common_root([os.fspath(path)])
    runs = runs_of_rows(rows)
    return Part(kind, absolute_root(root), root, (name,), n_stored, runs, labels, details)


def common_root(paths: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Split the folder that all paths begin with from them; each joins to what it was."""
    root = os.path.commonprefix(paths)  # noqa: RUF071 - its last, partial name is cut off here
    root = root[: root.rfind(os.sep) + 1]
    return root, tuple(path[len(root) :] for path in paths)


def absolute_root(root: str) -> str:
    """Make a beginning of paths absolute; parts like ``..`` stay, since a link may precede them."""
    return os.path.join(os.getcwd(), root)  # noqa: PTH109, PTH118


def runs_of_rows(rows: NDArray[np.int64]) -> Runs:
    """Write rows as runs of consecutive ones."""
    starts = np.flatnonzero(np.diff(rows, prepend=rows[:1] - 2) != 1)
    ends = [*starts.tolist(), len(rows)]
    firsts = rows[starts].tolist()
    return tuple(
        (first, stop - start) for first, (start, stop) in zip(firsts, pairwise(ends), strict=True)
    )


def rows_of_runs(runs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the rows that runs stand for."""
    pieces = [np.arange(first, first + count, dtype=np.int64) for first, count in runs]
    return np.concatenate([np.empty(0, np.int64), *pieces])
