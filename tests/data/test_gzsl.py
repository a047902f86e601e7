"""The standard benchmark's files, made here in both versions of the format."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from wordsight.data import matlab
from wordsight.data.gzsl import FEATURES_FILE, SPLITS_FILE, open_gzsl
from wordsight.exceptions import DataError, InputError, WordsightError

NAMES = ["antelope", "grizzly+bear", "ox"]


def contents() -> tuple[dict[str, Any], dict[str, Any]]:
    """Six images of three classes, counted from 1; the ox is unseen."""
    features = np.arange(24.0).reshape(4, 6)
    labels = np.array([[1], [2], [3], [1], [2], [3]], dtype=float)
    split = {
        "att": np.array([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]),
        "allclasses_names": NAMES,
        "trainval_loc": np.array([[2], [1]], dtype=float),
        "test_seen_loc": np.array([[4], [5]], dtype=float),
        "test_unseen_loc": np.array([[3], [6]], dtype=float),
    }
    return {"features": features, "labels": labels}, split


def write_5(path: Path, values: dict[str, Any]) -> None:
    cells = {
        name: np.array(value, dtype=object)[:, None] if isinstance(value, list) else value
        for name, value in values.items()
    }
    savemat(path, cells, do_compression=True)


def write_73(path: Path, values: dict[str, Any]) -> None:
    """As MATLAB does: dimensions turned over, a cell array as references to arrays of codes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in values.items():
            if not isinstance(value, list):
                file[name] = np.asarray(value).T
                continue
            references = np.empty((1, len(value)), dtype=h5py.ref_dtype)
            for place, text in enumerate(value):
                codes = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint16)
                file[f"#refs#/{place}"] = codes[:, None]
                references[0, place] = file[f"#refs#/{place}"].ref
            file[name] = references
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(512, b"\0"))


WRITERS = {"5": write_5, "7.3": write_73}


@pytest.fixture(params=list(WRITERS))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(folder: Path, version: str, first: dict[str, Any] | None = None, **change: Any) -> Path:
    features, split = contents()
    WRITERS[version](folder / FEATURES_FILE, {**features, **(first or {})})
    WRITERS[version](folder / SPLITS_FILE, {**split, **change})
    return folder


def test_both_versions_by_hand(tmp_path: Path, version: str) -> None:
    found = open_gzsl(write(tmp_path, version))
    assert found.name == tmp_path.name
    assert found.classes.tolist() == NAMES
    assert found.labels.tolist() == [NAMES[k] for k in (0, 1, 2, 0, 1, 2)]
    np.testing.assert_array_equal(found.features, np.arange(24).reshape(4, 6).T)
    assert found.features.dtype == np.float32
    np.testing.assert_array_equal(found.words["grizzly+bear"], [0.2, 2.0])
    assert found.train.tolist() == [0, 1]
    assert (found.test_seen.tolist(), found.test_unseen.tolist()) == ([3, 4], [2, 5])
    assert (found.seen, found.unseen) == (["antelope", "grizzly+bear"], ["ox"])


def test_the_digest_is_of_the_split_alone(tmp_path: Path) -> None:
    digests = []
    for number, (version, scale, extra) in enumerate(
        [("5", 1.0, {}), ("7.3", 2.0, {}), ("5", 1.0, {"test_seen_loc": np.array([[5.0]])})]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        features = {"features": contents()[0]["features"] * scale}
        digests.append(open_gzsl(write(folder, version, features, **extra)).digest)
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]
    assert len(digests[0]) == 64


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no res101.mat in .*; give the folder of one data set"):
        open_gzsl(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("trainval_loc", np.array([[7.0]]), "counts from 7 to 7, and there are 6"),
        ("trainval_loc", np.array([[0.0]]), "counts from 0 to 0"),
        ("trainval_loc", np.array([[1.5]]), "no list of whole numbers"),
        ("trainval_loc", np.array([[np.nan]]), "no list of whole numbers"),
        ("trainval_loc", np.array([[1.0], [1.0]]), "an image twice"),
        ("trainval_loc", np.array([[1.0], [3.0]]), "an image twice"),
        ("trainval_loc", np.array([[1.0]]), "tests grizzly.bear as seen without"),
        ("test_unseen_loc", np.array([[4.0]]), "an image twice"),
        ("test_seen_loc", np.array([[6.0], [4.0]]), "an image twice"),
        ("att", np.zeros((3, 2)), r"att has shape \(3, 2\), and there are 3 classes"),
        ("att", np.array([[0.1, np.inf, 0.3]]), "1 numbers of att are NaN or infinite"),
        ("allclasses_names", ["ox", "ox", "cat"], "names a class twice"),
    ],
)
def test_a_split_that_does_not_fit(tmp_path: Path, name: str, value: Any, match: str) -> None:
    with pytest.raises(DataError, match=match):
        open_gzsl(write(tmp_path, "5", **{name: value}))


def test_unseen_classes_among_the_training_images(tmp_path: Path, version: str) -> None:
    with pytest.raises(DataError, match="learns from images of ox, which are to be unseen"):
        open_gzsl(
            write(
                tmp_path,
                version,
                trainval_loc=np.array([[1.0], [2.0], [3.0]]),
                test_unseen_loc=np.array([[6.0]]),
            )
        )


@pytest.mark.parametrize(
    ("features", "match"),
    [
        (np.zeros((6, 4)), r"shape \(6, 4\).* it is turned over"),
        (np.zeros((4, 5)), "labels of 6 images; expected one column an image$"),
        (np.full((4, 6), np.nan), "24 numbers of features are NaN"),
    ],
)
def test_features_that_do_not_fit(
    tmp_path: Path, features: NDArray[Any], match: str, version: str
) -> None:
    with pytest.raises(DataError, match=match):
        open_gzsl(write(tmp_path, version, {"features": features}))


def test_a_variable_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "5")
    write_5(tmp_path / SPLITS_FILE, {"att": np.ones((2, 3))})
    with pytest.raises(DataError, match="has no allclasses_names, trainval_loc, test_seen_loc"):
        open_gzsl(tmp_path)


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, version: str) -> None:
    write(tmp_path, version)
    place = tmp_path / FEATURES_FILE
    whole = place.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        place.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"fetch it again|has no"):
            open_gzsl(tmp_path)


def test_absurd_sizes_are_refused_before_they_are_read(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matlab, "LARGEST", 20)
    with pytest.raises(DataError, match="features has 24 numbers, more than 20"):
        open_gzsl(write(tmp_path, version))


def test_without_h5py_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "7.3")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(WordsightError, match=r"pip install 'wordsight\[gzsl\]'"):
        open_gzsl(tmp_path)
