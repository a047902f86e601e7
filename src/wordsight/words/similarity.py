"""Which rows of a table lie nearest to given points: exact, in blocks, in double precision."""

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError

__all__ = ["METRICS", "nearest_rows"]

METRICS = ("cosine", "euclidean")
_BLOCK_ROWS = 65_536
# similarities held at a time: 32 MB
_BLOCK_CELLS = 1 << 22


def nearest_rows(
    table: NDArray[np.floating], points: NDArray[np.floating], k: int, *, metric: str
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the k rows nearest to each point.

    Parameters
    ----------
    table : ndarray
        (n, d), finite.
    points : ndarray
        (q, d), finite.
    k : int
        At least 1; at most n rows are returned.
    metric : {"cosine", "euclidean"}
        The cosine of the angle between point and row (0 where either is all zeros), or the
        negative Euclidean distance: a larger similarity is nearer in both.

    Returns
    -------
    rows : ndarray
        (q, min(k, n)), the nearest first.
    similarities : ndarray
        (q, min(k, n)).

    Raises
    ------
    InputError
        The metric is unknown, or k is less than 1.
    """
    if metric not in METRICS:
        raise InputError(f"metric={metric!r} is unknown; use one of {', '.join(METRICS)}")
    if k < 1:
        raise InputError(f"{k} nearest words are asked for; ask for 1 or more")
    k = min(k, len(table))
    rows = np.empty((len(points), k), dtype=np.intp)
    similarities = np.empty((len(points), k))
    height = max(1, _BLOCK_CELLS // max(1, min(_BLOCK_ROWS, len(table))))
    for start in range(0, len(points), height):
        block = points[start : start + height].astype(np.float64)
        found = _nearest_to_block(table, block, k, metric)
        rows[start : start + height], similarities[start : start + height] = found
    return rows, similarities


def _nearest_to_block(
    table: NDArray[np.floating], points: NDArray[np.float64], k: int, metric: str
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    rows = np.empty((len(points), 0), dtype=np.intp)
    best = np.empty((len(points), 0))
    for start in range(0, len(table), _BLOCK_ROWS):
        block = table[start : start + _BLOCK_ROWS].astype(np.float64)
        similar = _similarities(block, points, metric)
        cut = max(0, len(block) - k)
        top = np.argpartition(similar, cut, axis=1)[:, cut:]
        rows = np.hstack([rows, start + top])
        best = np.hstack([best, np.take_along_axis(similar, top, axis=1)])
        order = np.lexsort((rows, -best))[:, :k]
        rows = np.take_along_axis(rows, order, axis=1)
        best = np.take_along_axis(best, order, axis=1)
    if metric == "euclidean":
        # the expanded square loses digits for points that nearly coincide: once more, directly
        best = -np.linalg.norm(table[rows] - points[:, None, :], axis=2)
    return rows, best


def _similarities(
    block: NDArray[np.float64], points: NDArray[np.float64], metric: str
) -> NDArray[np.float64]:
    """Return the similarity of every point to every row of the block, (q, rows)."""
    if metric == "cosine":
        return _unit(points) @ _unit(block).T
    square = (points**2).sum(axis=1)[:, None] + (block**2).sum(axis=1) - 2 * points @ block.T
    distance: NDArray[np.float64] = np.sqrt(np.maximum(square, 0))
    return -distance


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)
