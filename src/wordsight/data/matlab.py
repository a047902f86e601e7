"""Numbers and names out of ``.mat`` files: MATLAB 5 to 7.2 by `read_mat5`, 7.3 by h5py."""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.data.matlab5 import read_mat5
from wordsight.exceptions import DataError, WordsightError

__all__ = ["LARGEST", "read_mat"]

LARGEST = 1 << 31
"""Numbers in one variable above which a file is not believed: 17 GB."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_AT = 512
"""Where MATLAB puts what HDF5 files begin with: after a header of its own."""

# RuntimeError: what h5py makes of most faults that HDF5 finds
_BROKEN = (
    OSError, ValueError, TypeError, KeyError, EOFError, IndexError, RuntimeError, zlib.error,
    MemoryError,
)  # fmt: skip


def read_mat(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read some variables of a ``.mat`` file.

    Parameters
    ----------
    path : path-like
    names : sequence of str

    Returns
    -------
    dict of str to ndarray
        Numbers as they lie in MATLAB, in two dimensions; a cell array of texts as one row of
        texts. Variables that the file lacks are left out.

    Raises
    ------
    DataError
        The file is not there, is no ``.mat`` file, is truncated, or claims an absurd size.
    WordsightError
        A file of version 7.3, and h5py is not installed.
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            start = file.read(_HDF5_AT + len(_HDF5))
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror}; make it readable") from error
    try:
        if start.startswith(_HDF5) or start.endswith(_HDF5):
            return _read_73(place, names)
        return read_mat5(place, names, _check_size)
    except _BROKEN as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{place} is no .mat file, or is truncated or damaged ({reason}); fetch it again"
        ) from error


def _check_size(place: Path, name: str, shape: Sequence[int]) -> None:
    size = 1
    for side in shape:
        size *= int(side)
    if size > LARGEST:
        raise DataError(
            f"{place} says that {name} has {size:,} numbers, more than {LARGEST:,}; no feature "
            "file is so large: fetch it again"
        )


def _read_73(place: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    try:
        import h5py  # noqa: PLC0415 - optional
    except ImportError as error:
        raise WordsightError(
            f"{place} is a .mat file of version 7.3, and reading these needs h5py: pip install "
            "'wordsight[gzsl]'"
        ) from error
    found = {}
    with h5py.File(place, "r") as file:
        for name in names:
            if name not in file:
                continue
            variable = file[name]
            if not isinstance(variable, h5py.Dataset):
                raise ValueError(f"{name} is no array")
            _check_size(place, name, variable.shape)
            values = np.asarray(variable[()])
            if variable.dtype == object:  # references to the texts of a cell array
                texts = [bytes(file[at][()].astype(np.uint8)).decode() for at in values.reshape(-1)]
                found[name] = np.array(texts)
            else:
                found[name] = values.T  # HDF5 keeps the dimensions the other way round
    return found
