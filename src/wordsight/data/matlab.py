"""Numbers and names out of ``.mat`` files: MATLAB 5 to 7.2 by SciPy, 7.3 by h5py."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError

from wordsight.exceptions import DataError, WordsightError

__all__ = ["LARGEST", "read_mat"]

LARGEST = 1 << 31
"""Numbers in one variable above which a file is not believed: 17 GB."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_AT = 512
"""Where MATLAB puts what HDF5 files begin with: after a header of its own."""

_BROKEN = (OSError, ValueError, TypeError, KeyError, EOFError, IndexError, MatReadError)


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
    read = _read_73 if start.startswith(_HDF5) or start.endswith(_HDF5) else _read_5
    try:
        return read(place, names)
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


def _read_5(place: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    for name, shape, _kind in whosmat(place):
        if name in names:
            _check_size(place, name, shape)
    found = loadmat(place, variable_names=list(names))
    return {
        name: _texts(found[name]) if found[name].dtype == object else found[name]
        for name in names
        if name in found
    }


def _texts(cell: NDArray[Any]) -> NDArray[Any]:
    """Return a cell array of texts as one row of them."""
    return np.array([str(np.asarray(text).reshape(-1)[0]) for text in cell.reshape(-1)])


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
            _check_size(place, name, variable.shape)
            values = variable[()]
            if variable.dtype == object:  # references to the texts of a cell array
                texts = [bytes(file[at][()].astype(np.uint8)).decode() for at in values.reshape(-1)]
                found[name] = np.array(texts)
            else:
                found[name] = values.T  # HDF5 keeps the dimensions the other way round
    return found
