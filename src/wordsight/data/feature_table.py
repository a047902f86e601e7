"""Ready features in a column of parquet files: what another encoder made of images."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wordsight.data.parquet import opened_parquet
from wordsight.data.parquet_columns import label_column
from wordsight.data.parquet_files import files_by_split
from wordsight.exceptions import DataError, InputError

__all__ = ["METADATA", "FeatureTable", "read_features"]

METADATA = b"wordsight"
"""Under which name a file that Wordsight made says where its features come from."""


@dataclass(frozen=True)
class FeatureTable:
    """Features of images, and their classes.

    Attributes
    ----------
    features : ndarray, shape (n, F)
        float32, or float64 where the files hold that.
    labels : ndarray of str, shape (n,), or None
        None where the files have no column of labels.
    column : str
        The column that the features come from.
    about : dict or None
        What the files say of the model that made them (`wordsight.feature_files.about_features`);
        None where they say nothing.
    """

    features: NDArray[Any]
    labels: NDArray[np.str_] | None
    column: str
    about: dict[str, Any] | None = None


def read_features(
    path: str | os.PathLike[str],
    *,
    column: str | None = None,
    label: str | None = None,
    split: str | None = None,
) -> FeatureTable:
    """Read features and labels, for `CrossModalClassifier.fit` and `predict`.

    Parameters
    ----------
    path : path-like
        A parquet file, or a folder of them.
    column : str, optional
        The column of features: lists of numbers, all of one length. By default the only one.
    label : str, optional
        The column of classes; by default as for images.
    split : str, optional
        Of a folder with several; by default all files.

    Returns
    -------
    FeatureTable
        Rows in the order of the files.

    Raises
    ------
    InputError
        There is no such file, split or column, or several columns could be meant.
    DataError
        A file is broken, a row has no features or another number of them, or NaN or infinity; or
        the files were made by several models.

    Examples
    --------
    >>> import tempfile, pyarrow as pa, pyarrow.parquet as pq
    >>> rows = pa.table({"clip": [[0.1, 0.9], [0.8, 0.2]], "label": ["cat", "ship"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pq.write_table(rows, f"{folder}/train.parquet")
    ...     table = read_features(folder)
    >>> table.features.shape, table.labels.tolist()
    ((2, 2), ['cat', 'ship'])
    """
    files = [file for name, file in files_by_split(Path(path)) if split is None or name == split]
    if not files:
        known = sorted({name for name, _file in files_by_split(Path(path)) if name})
        raise InputError(
            f"{path} has no split {split!r}; expected one of {', '.join(known) or 'none'}"
        )
    chosen = column
    parts: list[NDArray[Any]] = []
    labels: list[NDArray[np.str_]] = []
    about: list[dict[str, Any] | None] = []
    for file in files:
        with opened_parquet(file) as parquet:
            schema = parquet.schema_arrow
            about.append(_about(schema))
            chosen = _feature_column(schema, chosen, file)
            named = _label_column(schema, label, chosen, file)
            wanted = [chosen] if named is None else [chosen, named[0]]
            table = parquet.read(columns=wanted, use_threads=False)
        if about[-1] != about[0]:
            raise DataError(
                f"{file} was made by another model than {files[0]}; keep encoders in files of "
                "their own"
            )
        parts.append(_rows(table.column(chosen), file, chosen))
        if len({part.shape[1] for part in parts}) > 1:
            raise DataError(
                f"{file} has {parts[-1].shape[1]} features a row in {chosen!r}, and {files[0]} "
                f"{parts[0].shape[1]}; keep encoders in files of their own"
            )
        if named is not None:
            labels.append(_classes(table.column(named[0]), named[1], file))
    if labels and len(labels) < len(parts):
        raise DataError(f"some files of {path} have labels and some have none; give all or none")
    assert chosen is not None  # there is a file
    classes = np.concatenate(labels) if labels else None
    return FeatureTable(np.concatenate(parts), classes, chosen, about[0])


def _about(schema: pa.Schema) -> dict[str, Any] | None:
    """Return what a file says of the model that made it; what cannot be read says nothing."""
    try:
        said = json.loads((schema.metadata or {}).get(METADATA, b""))
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _feature_column(schema: pa.Schema, wanted: str | None, file: Path) -> str:
    able = [field.name for field in schema if _holds_features(field.type)]
    listed = ", ".join(able) or "none"
    if wanted is not None:
        if wanted not in able:
            raise InputError(
                f"{file} has no column {wanted!r} of lists of numbers; expected one of: {listed}"
            )
        return wanted
    if len(able) != 1:
        raise InputError(
            f"{file} has {len(able)} columns of lists of numbers ({listed}); expected one: name it "
            "with column="
        )
    return able[0]


def _label_column(
    schema: pa.Schema, wanted: str | None, column: str, file: Path
) -> tuple[str, tuple[str, ...] | None] | None:
    if wanted is not None and wanted not in schema.names:
        raise InputError(
            f"{file} has no column {wanted!r}; expected one of: {', '.join(schema.names)}"
        )
    return label_column(schema, column, file, wanted=wanted)


def _holds_features(kind: pa.DataType) -> bool:
    is_list = isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType)
    value_type = getattr(kind, "value_type", None)
    return is_list and value_type is not None and pa.types.is_floating(value_type)


def _rows(column: "pa.ChunkedArray[Any]", file: Path, name: str) -> NDArray[Any]:
    """Return lists of one length as the rows of an array."""
    if column.null_count:
        raise DataError(
            f"{file} has {column.null_count} rows without features in {name!r}; leave them out"
        )
    lists: Any = column.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):  # of no chunk at all
        raise DataError(f"{file} has no row; expected at least one")
    lengths = np.unique(lists.value_lengths().to_numpy(zero_copy_only=False))
    if len(lengths) != 1 or not lengths[0]:
        raise DataError(
            f"{file} has rows of {', '.join(map(str, lengths[:5].tolist())) or 'no'} features in "
            f"{name!r}; expected one length above 0"
        )
    values = lists.flatten().to_numpy(zero_copy_only=False)
    found = values if values.dtype == np.float64 else values.astype(np.float32)
    rows: NDArray[Any] = found.reshape(-1, int(lengths[0]))
    wrong = ~np.isfinite(rows).all(axis=1)
    if wrong.any():
        raise DataError(
            f"{file} has NaN or infinity in {name!r}, first in row {int(wrong.argmax())}; leave "
            "such rows out"
        )
    return rows


def _classes(
    column: "pa.ChunkedArray[Any]", names: tuple[str, ...] | None, file: Path
) -> NDArray[np.str_]:
    if column.null_count:
        raise DataError(f"{file} has rows without a label; leave them out")
    values: list[Any] = column.to_pylist()
    if names is None:
        return np.array([str(value) for value in values], dtype=np.str_)
    beyond = [value for value in values if not 0 <= value < len(names)]
    if beyond:
        raise DataError(
            f"{file} has a label {beyond[0]}, and names for 0 to {len(names) - 1} alone; mend it"
        )
    return np.array([names[value] for value in values], dtype=np.str_)
