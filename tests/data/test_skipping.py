"""Broken images left out beforehand (`Dataset.intact`) or on the way (`SkipBroken`)."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.data.dataset import Dataset
from wordsight.data.open import open_dataset
from wordsight.data.skipping import SkipBroken
from wordsight.features.images import ImageSet
from wordsight.progress import listening

BROKEN = (0, 3, 4, 9)


@pytest.fixture
def images(tmp_path: Path) -> Dataset:
    for row in range(10):
        path = tmp_path / "ab"[row % 2] / f"{row}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (row, 0, 0)).save(path)
    paths = [tmp_path / "ab"[row % 2] / f"{row}.png" for row in range(10)]
    for row in BROKEN:
        paths[row].write_bytes(b"no picture")
    return open_dataset(paths)


def reds(batches: object) -> list[int]:
    assert isinstance(batches, SkipBroken | Dataset)
    return [int(image[0, 0, 0]) for batch in batches.batches((8, 8)) for image in batch.images]


def test_intact_are_the_others_in_order(images: Dataset) -> None:
    seen: list[tuple[str, int, int]] = []
    with listening(lambda stage, done, total: seen.append((stage, done, total))):
        rest, broken = images.intact((8, 8))
    assert [one.row for one in broken] == list(BROKEN)
    assert [one.name for one in broken] == [images.name(row) for row in BROKEN]
    assert all(one.reason for one in broken)
    assert reds(rest) == [1, 2, 5, 6, 7, 8]
    assert seen[-1] == ("checking the images", 10, 10)
    again, none = rest.intact((8, 8))
    assert again is rest
    assert none == []


def test_intact_keeps_labels(images: Dataset, tmp_path: Path) -> None:
    rest, broken = open_dataset(tmp_path).intact(None)
    assert len(broken) == len(BROKEN)
    assert rest.class_counts() == {"a": 3, "b": 3}


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_skipping_keeps_rows_and_notes_what_is_missing(images: Dataset, size: int) -> None:
    view = SkipBroken(images)
    assert isinstance(view, ImageSet)
    assert len(view) == 10
    for _ in range(2):  # each walk begins anew
        rows: list[int] = []
        for batch in view.batches((8, 8), size=size):
            rows += batch.rows.tolist()
            np.testing.assert_array_equal(batch.images[:, 0, 0, 0], batch.rows)
            noted = {one.row for one in view.broken}
            assert noted >= {row for row in BROKEN if row < rows[-1]}
        assert rows == [1, 2, 5, 6, 7, 8]
        assert [one.row for one in view.broken] == list(BROKEN)


def test_a_selection_skips_too(images: Dataset) -> None:
    assert reds(SkipBroken(images).select(np.array([3, 2, 1]))) == [2, 1]
