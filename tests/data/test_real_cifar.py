"""CIFAR-10 as parquet: its published counts, and its labels by an independent read."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from wordsight.data.parquet import ParquetSource, splits

pytestmark = pytest.mark.slow

# https://www.cs.toronto.edu/~kriz/cifar.html
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.mark.parametrize(("split", "each"), [("train", 5000), ("test", 1000)])
def test_counts_and_labels(real_data: Path, split: str, each: int) -> None:
    folder = real_data / "cifar10"
    assert splits(folder) == ("train", "test")
    source = ParquetSource(folder, split)
    assert len(source) == 10 * each
    assert source.class_names == tuple(NAMES)
    assert source.labels is not None
    names, counts = np.unique(source.labels, return_counts=True)
    assert names.tolist() == sorted(NAMES)
    assert counts.tolist() == [each] * 10
    (file,) = folder.glob(f"{split}-*.parquet")
    numbers = pq.read_table(file, columns=["label"])["label"].to_numpy()
    assert source.labels.tolist() == [NAMES[number] for number in numbers]


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_in_any_order(real_data: Path, split: str) -> None:
    (file,) = (real_data / "cifar10").glob(f"{split}-*.parquet")
    stored = [dict(row)["bytes"] for row in pq.read_table(file)["img"].to_pylist() if row]
    source = ParquetSource(real_data / "cifar10", split)
    assert list(source.read(np.arange(len(source)))) == stored
    rows = np.random.default_rng(0).permutation(len(source))
    assert list(source.read(rows)) == [stored[row] for row in rows]
