"""Readers of ``.mat`` files as targets: numbers and texts, or one sentence of Wordsight's own."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from fuzzing import Target
from hostile_readers import attempt, check
from scipy.io import savemat

from wordsight.data.matlab import read_mat


def _of_mat(change: Callable[[bytes], bytes], data: bytes) -> bytes:
    """Change each variable of a file of version 5, as far as one follows the other."""
    made, at = data[:128], 128
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        made += change(data[at:end])
        at = end
    return made + data[at:]


def _unpack_variable(variable: bytes) -> bytes:
    return zlib.decompress(variable[8:]) if variable[0] == 15 else variable


def _pack_variable(variable: bytes) -> bytes:
    content = zlib.compress(variable, 1)
    return struct.pack("<II", 15, len(content)) + content


def _read_mat(path: Path) -> None:
    size = len(path.read_bytes())
    for values in read_mat(path, ["features", "labels", "names", "text"]).values():
        check(values.dtype.kind in "fiuU", f"values of {values.dtype}")
        check(values.size <= size * 1032, "more values than the file can hold")
        check(values.dtype.kind != "U" or values.ndim == 1, "texts in no row")


def _mat5(folder: Path) -> Target:
    given = {
        "features": np.arange(24.0).reshape(4, 6),
        "labels": np.array([[1], [2], [3]], np.uint8),
        "others": {"a": np.ones(3), "b": "text"},
        "names": np.array(["antelope", "grizzly+bear", "é"], dtype=object)[:, None],
        "text": np.array(["cat", "ox "]),
    }
    seeds = []
    for packed in (False, True):
        savemat(folder / "seed.mat", given, do_compression=packed)
        seeds.append((folder / "seed.mat").read_bytes())
    return Target(
        seeds,
        partial(attempt, path=folder / "x.mat", read=_read_mat),
        unpack=partial(_of_mat, _unpack_variable),
        pack=partial(_of_mat, _pack_variable),
    )


def _mat73(folder: Path) -> Target:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["features"] = np.arange(24.0).reshape(4, 6)
        file["labels"] = np.array([[1.0], [2.0]])
        names = np.empty((1, 2), dtype=h5py.ref_dtype)
        for place, text in enumerate(("antelope", "ox")):
            file[f"#refs#/{place}"] = np.frombuffer(text.encode("utf-16-le"), np.uint16)[:, None]
            names[0, place] = file[f"#refs#/{place}"].ref
        file["names"] = names
    return Target([stream.getvalue()], partial(attempt, path=folder / "x.mat", read=_read_mat))


TARGETS: dict[str, Callable[[Path], Target]] = {"mat5": _mat5, "mat7.3": _mat73}
