"""``.mat`` files of version 5: as SciPy reads sound ones; what it cannot write, by hand."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from wordsight.data.matlab import read_mat
from wordsight.exceptions import DataError

DOUBLE, UINT8, CELL, TEXT, OPAQUE = 6, 9, 1, 4, 17
COMPLEX = 0x0800


def element(kind: int, content: bytes, order: str = "<") -> bytes:
    head = struct.pack(f"{order}II", kind, len(content))
    return head + content + bytes(-len(content) % 8)


def small(kind: int, content: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}I", len(content) << 16 | kind) + content.ljust(4, b"\0")


def variable(
    name: str, flags: int, shape: tuple[int, ...], *parts: bytes, order: str = "<"
) -> bytes:
    head = element(6, struct.pack(f"{order}II", flags, 0), order)
    head += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    return element(14, head + element(1, name.encode(), order) + b"".join(parts), order)


def written(path: Path, *variables: bytes, order: str = "<") -> Path:
    end = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + end + b"".join(variables))
    return path


def numbers(*values: float, order: str = "<") -> bytes:
    return element(9, struct.pack(f"{order}{len(values)}d", *values), order)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_numbers_are_those_that_scipy_reads(tmp_path: Path, kind: str, packed: bool) -> None:
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {
        "a": rng.integers(0, 100, (3, 5)).astype(kind),
        "between": {"a": 1, "text": "x"},
        "long_name_of_one": np.array([[3]], kind),
        "cube": rng.integers(0, 100, (2, 3, 4)).astype(kind),
        "none": np.zeros((0, 4), kind),
    }
    path = tmp_path / "a.mat"
    savemat(path, given, do_compression=packed)
    names = ["a", "long_name_of_one", "cube", "none", "not there"]
    found, expected = read_mat(path, names), loadmat(path)
    assert list(found) == names[:-1]
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name])
        assert values.dtype == expected[name].dtype


@pytest.mark.parametrize("packed", [False, True])
def test_texts_are_those_that_scipy_reads(tmp_path: Path, packed: bool) -> None:
    texts = ["antelope", "grizzly+bear", "é – ü", "ox"]
    path = tmp_path / "a.mat"
    given = {
        "cells": np.array(texts, dtype=object)[:, None],
        "rows": np.array(["cat  ", "horse"]),
        "text": "a zebra",
    }
    savemat(path, given, do_compression=packed)
    found, expected = read_mat(path, ["cells", "rows", "text"]), loadmat(path)
    assert found["cells"].tolist() == texts
    assert found["rows"].tolist() == expected["rows"].tolist() == ["cat  ", "horse"]
    assert found["text"].tolist() == expected["text"].tolist() == ["a zebra"]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_file_by_hand(tmp_path: Path, order: str) -> None:
    """Doubles stored as bytes and in a small element, texts of 16 bits, as MATLAB does."""
    letters = element(4, "a😀é".encode("utf-16-le" if order == "<" else "utf-16-be"), order)
    path = written(
        tmp_path / "a.mat",
        variable("x", DOUBLE, (2, 2), numbers(1.0, 2.0, 3.0, 4.0, order=order), order=order),
        variable("y", DOUBLE, (1, 3), small(2, b"\x07\x08\x09", order), order=order),
        variable(
            "names", CELL, (1, 1), variable("", TEXT, (1, 4), letters, order=order), order=order
        ),
        order=order,
    )
    found = read_mat(path, ["x", "y", "names"])
    assert found["x"].tolist() == [[1.0, 3.0], [2.0, 4.0]]  # column by column
    assert found["y"].tolist() == [[7, 8, 9]]
    assert found["names"].tolist() == ["a😀é"]


def test_what_is_not_asked_for_may_be_anything(tmp_path: Path) -> None:
    opaque = element(14, element(6, struct.pack("<II", OPAQUE, 0)) + element(1, b"handle"))
    path = written(
        tmp_path / "a.mat",
        opaque,
        variable("z", DOUBLE | COMPLEX, (1, 1), numbers(1.0), numbers(2.0)),
        variable("x", DOUBLE, (1, 1), numbers(5.0)),
    )
    assert read_mat(path, ["x"])["x"].tolist() == [[5.0]]
    with pytest.raises(DataError, match="z holds neither real numbers nor texts"):
        read_mat(path, ["x", "z"])


def packed(content: bytes, cut: int = 0) -> bytes:
    made = zlib.compress(content)
    made = made[: len(made) - cut]
    return struct.pack("<II", 15, len(made)) + made


GOOD = variable("x", DOUBLE, (1, 1), numbers(5.0))
_WRONG: dict[str, tuple[bytes, str]] = {
    "no variable": (element(9, bytes(8)), "an element of type 9"),
    "in a variable": (element(14, b""), "ends early"),
    "twice": (GOOD + GOOD, "x is there twice"),
    "fewer": (variable("x", DOUBLE, (3, 1), numbers(1.0, 2.0)), "more or fewer numbers"),
    "more": (variable("x", DOUBLE, (1, 1), numbers(1.0, 2.0)), "more or fewer numbers"),
    "imaginary left": (variable("x", DOUBLE, (1, 1), numbers(1.0), numbers(2.0)), "more or fewer"),
    "negative": (variable("x", DOUBLE, (-1, -1), numbers(1.0)), "impossible dimensions"),
    "a line": (variable("x", DOUBLE, (1,), numbers(1.0)), "impossible dimensions"),
    "many sides": (variable("x", DOUBLE, (1,) * 33, numbers(1.0)), "impossible dimensions"),
    "type": (variable("x", DOUBLE, (1, 1), element(8, bytes(8))), "neither real numbers"),
    "huge type": (variable("x", DOUBLE, (1, 1), element(0xFFFF, bytes(8))), "neither real"),
    "small": (variable("x", DOUBLE, (1, 1), struct.pack("<II", 5 << 16 | 2, 0)), "too large"),
    "cell of numbers": (variable("x", CELL, (1, 1), GOOD), "no text where"),
    "cell of cells": (
        variable("x", CELL, (1, 1), variable("", CELL, (1, 1), GOOD)), "no text where"
    ),
    "cell of nothing": (variable("x", CELL, (1, 1), element(14, b"")), "ends early"),
    "fewer cells": (variable("x", CELL, (2, 1)), "ends early"),
    "many cells": (variable("x", CELL, (1 << 30, 1)), "1,073,741,824 cells, more than 1,048,576"),
    "long text": (variable("x", TEXT, (1, 9), small(16, b"abc")), "another length"),
    "empty text": (variable("x", TEXT, (0, 0), small(16, b"")), "is empty, or of another"),
    "zeros": (variable("x", TEXT, (1, 2), small(16, b"a\0")), "is empty, or of another"),
    "no text": (variable("x", TEXT, (1, 1), small(16, b"\xff")), "codec can't decode"),
    "packed, more": (packed(GOOD + bytes(8)), "another size than it says"),
    "packed, fewer": (packed(GOOD[:-8]), "another size than it says"),
    "packed, its sum": (packed(GOOD)[:-4] + b"none", "incorrect data check"),
    "packed, cut": (packed(GOOD, 5), "another size than it says"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(_WRONG))
def test_what_is_wrong_is_refused_in_a_sentence(tmp_path: Path, case: str) -> None:
    content, match = _WRONG[case]
    with pytest.raises(DataError, match=f"{match}.*fetch it again") as caught:
        read_mat(written(tmp_path / "a.mat", content), ["x"])
    assert "\n" not in str(caught.value)


def test_the_cases_are_wrong_in_one_thing_alone(tmp_path: Path) -> None:
    assert read_mat(written(tmp_path / "a.mat", GOOD), ["x"])["x"].tolist() == [[5.0]]
    assert read_mat(written(tmp_path / "b.mat", packed(GOOD)), ["x"])["x"].tolist() == [[5.0]]


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"x": np.ones((2, 2))}, format="4")
    with pytest.raises(DataError, match=r"does not begin like version 5 to 7\.3"):
        read_mat(path, ["x"])
