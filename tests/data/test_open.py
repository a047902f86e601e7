"""The opener tells kinds of data apart and picks splits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wordsight.data.dataset import Dataset
from wordsight.data.open import DataLike, available_splits, open_dataset
from wordsight.exceptions import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)


def put(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(IMAGES[number]).save(path)
    return path


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    put(tmp_path / "data" / "cat" / "a.png", 0)
    put(tmp_path / "data" / "dog" / "b.png", 1)
    return tmp_path / "data"


@pytest.fixture
def split_classes(tmp_path: Path) -> Path:
    for number, part in enumerate(("train", "test", "val")):
        put(tmp_path / "split" / part / "cat" / "a.png", number)
    return tmp_path / "split"


def test_arrays() -> None:
    dataset = open_dataset(IMAGES, labels=[1, 0, 1, 0], class_names=["cat", "dog"])
    assert np.array_equal(dataset.images(None).images, IMAGES)
    assert dataset.class_counts() == {"cat": 2, "dog": 2}


def test_array_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IMAGES)
    np.savez(tmp_path / "b.npz", images=IMAGES, labels=[0, 1, 1, 1])
    for name in ("a.npy", "b.npz"):
        assert np.array_equal(open_dataset(tmp_path / name).images(None).images, IMAGES)
    assert open_dataset(tmp_path / "b.npz").class_counts() == {"0": 1, "1": 3}
    named = open_dataset(str(tmp_path / "a.npy"), labels=[0, 0, 1, 1], class_names=["x", "y"])
    assert named.class_counts() == {"x": 2, "y": 2}


def test_class_folders(classes: Path) -> None:
    for given in (classes, str(classes)):
        dataset = open_dataset(given)
        assert dataset.class_counts() == {"cat": 1, "dog": 1}
        assert np.array_equal(dataset.images(None).images, IMAGES[:2])
    assert available_splits(classes) == ()


def test_a_source_without_splits_is_all_train(classes: Path) -> None:
    assert len(open_dataset(classes, split="train")) == 2
    for split in ("test", "val"):
        with pytest.raises(InputError, match=f"is not split, so it has no '{split}' images"):
            open_dataset(classes, split=split)
    with pytest.raises(InputError, match="not split"):
        open_dataset(IMAGES, split="test")


def test_splits_of_folders(split_classes: Path) -> None:
    assert available_splits(split_classes) == ("train", "validation", "test")
    for split, number in (("train", 0), ("test", 1), ("val", 2), ("validation", 2)):
        images = open_dataset(split_classes, split=split).images(None).images
        assert np.array_equal(images, IMAGES[[number]])
    assert len(open_dataset(split_classes)) == 3
    with pytest.raises(InputError, match="no split 'extra'; its splits are: train, validation"):
        open_dataset(split_classes, split="extra")


def test_flat_folders_and_lists_have_no_labels(tmp_path: Path) -> None:
    paths = [put(tmp_path / f"{i}.png", i) for i in range(3)]
    sources: list[DataLike] = [tmp_path, list(paths), tuple(map(str, paths))]
    for source in sources:
        dataset = open_dataset(source)
        assert dataset.labels is None
        assert np.array_equal(dataset.images(None).images, IMAGES[:3])
    assert len(open_dataset(paths[1])) == 1


def test_data_sets_and_sources_pass(classes: Path) -> None:
    dataset = open_dataset(classes)
    assert open_dataset(dataset) is dataset
    assert open_dataset(dataset.source).names == dataset.names
    assert isinstance(open_dataset(dataset.source), Dataset)


def test_what_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    for name in ("absent", "absent.npy", "absent.npz", "absent.parquet", "absent.tar.gz", "a.png"):
        for call in (open_dataset, available_splits):
            with pytest.raises(InputError, match=r"there is no file or folder .*; check the path"):
                call(tmp_path / name)


def test_no_images_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    sources: list[DataLike] = [tmp_path, [], IMAGES[:0]]
    for source in sources:
        with pytest.raises(InputError, match="holds no images"):
            open_dataset(source)


def test_unknown_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="not a kind of data that is known"):
        open_dataset(tmp_path / "notes.txt")
    wrong: list[Any] = [17, None, [1, 2]]
    for source in wrong:
        with pytest.raises(InputError, match="give a path, a list of paths or an array"):
            open_dataset(source)


def test_labels_belong_to_arrays(classes: Path) -> None:
    with pytest.raises(InputError, match="go with an array"):
        open_dataset(classes, labels=["cat", "dog"])


@pytest.mark.slow
def test_real_parquet(real_data: Path) -> None:
    folder = real_data / "cifar10"
    assert available_splits(folder) == ("train", "test")
    test = open_dataset(folder, split="test")
    assert len(test) == 10_000
    assert set(test.class_counts().values()) == {1000}
    batch = next(iter(test.batches((32, 32), size=64)))
    assert batch.images.shape == (64, 32, 32, 3)
