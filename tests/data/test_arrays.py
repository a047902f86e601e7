"""Arrays in memory and in NumPy files, with their labels."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wordsight.data.arrays import ArraySource, open_array_file
from wordsight.exceptions import DataError, InputError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
NUMBERS = np.array([2, 0, 10, 0, 2, 10])


def pixels(source: ArraySource) -> NDArray[np.uint8]:
    return np.stack([np.asarray(item) for item in source.read(np.arange(len(source)))])


def test_images_and_names_of_rows() -> None:
    source = ArraySource(IMAGES, name="a.npy")
    assert len(source) == 6
    assert np.array_equal(pixels(source), IMAGES)
    assert source.name(4) == "a.npy#4"
    assert source.labels is None
    assert np.array_equal(pixels(ArraySource(IMAGES[..., 0])), IMAGES[..., :1].repeat(3, axis=3))


def test_rows_may_come_in_any_order() -> None:
    items = [np.asarray(item) for item in ArraySource(IMAGES).read(np.array([5, 0, 5]))]
    assert np.array_equal(items, IMAGES[[5, 0, 5]])


def test_numbers_become_names() -> None:
    source = ArraySource(IMAGES, NUMBERS)
    assert source.labels is not None
    assert source.labels.tolist() == ["2", "0", "10", "0", "2", "10"]
    assert source.class_names == ("0", "2", "10")  # by value, not by spelling


def test_numbers_index_class_names() -> None:
    source = ArraySource(IMAGES, [[1], [0], [1], [0], [0], [1]], ["dog", "cat", "emu"])
    assert source.labels is not None
    assert source.labels.tolist() == ["cat", "dog", "cat", "dog", "dog", "cat"]
    assert source.class_names == ("dog", "cat", "emu")


@pytest.mark.parametrize("dtype", ["U3", "S3", object])
def test_words_are_names(dtype: Any) -> None:
    source = ArraySource(IMAGES, np.array(["emu", "cat"] * 3, dtype=dtype))
    assert source.labels is not None
    assert source.labels.tolist() == ["emu", "cat"] * 3
    assert source.class_names == ("cat", "emu")


@pytest.mark.parametrize(
    ("labels", "class_names", "said"),
    [
        (NUMBERS[:5], None, r"shape \(5,\) for 6 images"),
        (NUMBERS, ["a", "b"], "from 0 to 10, but 2 class_names"),
        (-NUMBERS, ["a"] * 1, "from -10 to 0"),
        (NUMBERS / 2, None, "labels are float64"),
        (NUMBERS > 1, None, "labels are bool"),
        (["a"] * 6, ["b"], "'a' is not among class_names"),
        (["a", 1, None] * 2, None, "labels are object"),
        ([b"\xff"] * 6, None, "not valid UTF-8"),
        (NUMBERS, ["a", "a"], "twice"),
        (NUMBERS, "cat", "a list of strings"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Any, class_names: Any, said: str) -> None:
    given = np.array(labels, dtype=object) if "object" in said else labels
    with pytest.raises(InputError, match=said):
        ArraySource(IMAGES, given, class_names)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((6, 3, 8, 9), np.uint8), r"channels come first.*transpose\(0, 2, 3, 1\)"),
        (IMAGES[0, 0], "shape"),
        (IMAGES / 255, "float64 numbers; give uint8"),
        (IMAGES.astype(object), "object numbers"),
    ],
)
def test_arrays_that_are_no_images_are_refused(images: NDArray[Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ArraySource(images)


def test_npy_is_mapped_and_finds_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "digits.npy"
    np.save(path, IMAGES)
    assert open_array_file(path).labels is None
    np.save(tmp_path / "digits_labels.npy", np.array(["a", "b"] * 3))
    source = open_array_file(path)
    assert isinstance(source._images, np.memmap)
    assert np.array_equal(pixels(source), IMAGES)
    assert source.class_names == ("a", "b")
    assert open_array_file(path, NUMBERS).class_names == ("0", "2", "10")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("keys", [("images", "labels"), ("x", "y"), ("X", "y"), ("data", "labels")])
def test_npz(tmp_path: Path, keys: tuple[str, str], compressed: bool) -> None:
    path = tmp_path / "set.npz"
    arrays: dict[str, Any] = {keys[1]: NUMBERS, "other": np.zeros(2), keys[0]: IMAGES}
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    source = open_array_file(path)
    assert isinstance(source._images, np.memmap) is not compressed
    assert np.array_equal(pixels(source), IMAGES)
    assert source.labels is not None
    assert source.labels.tolist() == [str(number) for number in NUMBERS]


def test_fortran_order_and_byte_order_survive(tmp_path: Path) -> None:
    other = ">" if sys.byteorder == "little" else "<"
    wide = (IMAGES.astype(np.uint16) * 257).astype(f"{other}u2")
    np.savez(tmp_path / "a.npz", images=np.asfortranarray(wide))
    assert np.array_equal(pixels(open_array_file(tmp_path / "a.npz")), IMAGES)
    np.save(tmp_path / "b.npy", np.asfortranarray(wide))
    assert np.array_equal(pixels(open_array_file(tmp_path / "b.npy")), IMAGES)


class Explosive:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("something was unpickled",))


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_objects_are_refused_and_never_unpickled(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    bad = np.array([Explosive()], dtype=object)
    if ending == "npy":
        np.save(path, bad, allow_pickle=True)
    else:
        np.savez(path, images=IMAGES, labels=bad)
    with pytest.raises(InputError, match="Python objects, which are not read"):
        open_array_file(path)


def test_an_archive_without_images_says_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=NUMBERS)
    with pytest.raises(InputError, match="holds weights; the images must be named images, x"):
        open_array_file(tmp_path / "a.npz")


@pytest.mark.parametrize("kind", ["npy", "npz", "compressed"])
def test_a_file_cut_anywhere_is_one_clear_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("a.npy" if kind == "npy" else "a.npz")
    if kind == "npy":
        np.save(path, IMAGES)
    else:
        (np.savez if kind == "npz" else np.savez_compressed)(path, images=IMAGES)
    data = path.read_bytes()
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        with pytest.raises(DataError, match="truncated, corrupt or not a NumPy file"):
            open_array_file(path)


def test_what_is_not_numpy_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"no array")
    with pytest.raises(DataError, match="not a NumPy file"):
        open_array_file(path)
    with pytest.raises(InputError, match="there is no file"):
        open_array_file(tmp_path / "absent.npy")


@pytest.mark.parametrize("header", [b"(((", b"{'descr'(", b"\xff\xfe", b"0" * 40])
def test_a_header_that_is_none(tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "x.npy"
    np.save(file, np.zeros((2, 3, 3, 3), np.uint8))
    content = bytearray(file.read_bytes())
    content[10 : 10 + len(header)] = header
    file.write_bytes(content)
    with pytest.raises(DataError, match="truncated, corrupt or not a NumPy file") as caught:
        open_array_file(file)
    assert len(str(caught.value).splitlines()) == 1
