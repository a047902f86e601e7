"""Arrays in half precision, where their numbers allow it.

A half-precision number (IEEE 754 binary16) has 11 significant bits: it is off by at most 1 part in
2,048 between 6.1e-5 and 65,504. Larger numbers have no such form, and smaller ones fewer bits.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Precision", "half_or_whole", "in_runs", "single"]

Precision = Literal["float32", "float16"]

LEAST = 1024
"""Numbers an array must have for it to be worth the loss."""

TOLERANCE = 2.0**-11
"""By how much of its length an array may be off as a whole."""

_RUN = re.compile(r"(?P<name>.+)\.run(?P<number>\d{4})")


def half_or_whole(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array in half precision, or as it is where that would lose more than 1 in 2,048.

    Parameters
    ----------
    values : ndarray
        Of any shape. One of few numbers, or with numbers too large for half precision, or with so
        many that are too small for it that the whole suffers, is returned as it is.

    Returns
    -------
    ndarray
        C-contiguous; of float16, or of the type given.
    """
    values = np.ascontiguousarray(values)
    if values.size < LEAST or values.dtype.kind != "f":
        return values
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        return values
    error = np.linalg.norm((half.astype(np.float64) - values).ravel())
    length = np.linalg.norm(values.astype(np.float64, copy=False).ravel())
    return half if error <= TOLERANCE * length else values


def in_runs(
    name: str, values: NDArray[Any], runs: Sequence[tuple[int, bool]]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Cut a row of numbers of several kinds, so that those which need it stay whole.

    Parameters
    ----------
    name : str
        Of the row; those of its runs follow from it, and `single` puts them together again.
    values : ndarray, shape (n,)
    runs : sequence of (int, bool)
        How many numbers follow one another, and whether they may be in half precision.

    Yields
    ------
    str, ndarray
        Name and numbers of each run.
    """
    start = 0
    for number, (length, may_be_half) in enumerate(runs):
        part = values[start : start + length]
        yield f"{name}.run{number:04}", half_or_whole(part) if may_be_half else part.copy()
        start += length


def single(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return stored arrays by name: halves in single precision again, runs in one row."""
    whole = {
        name: values.astype(np.float32) if values.dtype == np.float16 else values
        for name, values in tensors.items()
    }
    rows: dict[str, list[NDArray[Any]]] = {}
    for name in sorted(whole):
        if (run := _RUN.fullmatch(name)) is not None:
            rows.setdefault(run["name"], []).append(whole.pop(name))
    return {**whole, **{name: np.concatenate(parts) for name, parts in rows.items()}}
