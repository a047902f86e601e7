"""Features that another program made, in columns of parquet files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wordsight import CrossModalClassifier
from wordsight.data.feature_table import read_features
from wordsight.exceptions import DataError, InputError

WORDS = {"cat": [0.0, 1.0], "dog": [0.3, 1.0], "car": [1.0, 0.0], "truck": [1.0, 0.4]}
X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
LABELS = ["dog", "car", "dog", "car", "car", "dog"]


def written(path: Path, columns: dict[str, Any], names: list[str] | None = None) -> Path:
    table = pa.table(columns)
    if names:
        features = {"label": {"_type": "ClassLabel", "names": names}}
        text = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": text})
    pq.write_table(table, path, row_group_size=2)
    return path


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 3)])
def test_rows_come_as_they_were_written(tmp_path: Path, kind: pa.DataType) -> None:
    columns = {"name": list("abcdef"), "clip": pa.array(X.tolist(), kind), "label": LABELS}
    found = read_features(written(tmp_path / "train.parquet", columns))
    np.testing.assert_array_equal(found.features, X)
    assert found.features.dtype == np.float32
    assert found.column == "clip"
    assert found.labels is not None
    assert found.labels.tolist() == LABELS


def test_double_precision_stays(tmp_path: Path) -> None:
    columns = {"f": pa.array(X.astype(float).tolist())}
    found = read_features(written(tmp_path / "f.parquet", columns))
    assert found.features.dtype == np.float64
    assert found.labels is None


def test_numbers_of_classes_become_their_names(tmp_path: Path) -> None:
    columns = {"f": X.tolist(), "label": [1, 0, 1, 0, 0, 1]}
    found = read_features(written(tmp_path / "f.parquet", columns, ["car", "dog"]))
    assert found.labels is not None
    assert found.labels.tolist() == LABELS


def test_shards_and_splits(tmp_path: Path) -> None:
    for number, cut in enumerate([slice(0, 2), slice(2, 6)]):
        columns = {"f": X[cut].tolist(), "g": X[cut, :2].tolist(), "kind": LABELS[cut]}
        written(tmp_path / f"train-{number:05}-of-00002.parquet", columns)
    written(tmp_path / "test-00000-of-00001.parquet", {**columns, "kind": ["car"] * 4})
    found = read_features(tmp_path, column="g", label="kind", split="train")
    np.testing.assert_array_equal(found.features.astype(np.float32), X[:, :2])
    assert found.labels is not None
    assert found.labels.tolist() == LABELS
    with pytest.raises(InputError, match="2 columns of lists of numbers \\(f, g\\)"):
        read_features(tmp_path)
    with pytest.raises(InputError, match="no column 'h'"):
        read_features(tmp_path, column="h")
    with pytest.raises(InputError, match="no column 'classes'"):
        read_features(tmp_path, column="g", label="classes")
    with pytest.raises(InputError, match="no split 'val'; expected one of test, train"):
        read_features(tmp_path, column="g", split="val")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"f": [[1.0], [1.0, 2.0]]}, "rows of 1, 2 features"),
        ({"f": [[1.0], None]}, "1 rows without features"),
        ({"f": [[1.0], [float("nan")]]}, "first in row 1"),
        ({"f": [[1.0], [2.0]], "label": ["cat", None]}, "without a label"),
    ],
)
def test_broken_rows(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_features(written(tmp_path / "f.parquet", columns))


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    path = written(tmp_path / "f.parquet", {"f": X.tolist()})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="truncated or corrupt"):
        read_features(path)


def test_a_model_learns_from_a_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    y = np.repeat(["dog", "car"], 60)
    points = np.array([WORDS[name] for name in y]) @ rng.normal(size=(2, 5))
    points += 0.1 * rng.normal(size=points.shape)
    table = read_features(written(tmp_path / "f.parquet", {"f": points.tolist(), "label": y}))
    model = CrossModalClassifier(WORDS, ["cat"], random_state=0).fit(table.features, table.labels)
    expected = CrossModalClassifier(WORDS, ["cat"], random_state=0).fit(points, y)
    np.testing.assert_array_equal(model.predict_proba(points), expected.predict_proba(points))
