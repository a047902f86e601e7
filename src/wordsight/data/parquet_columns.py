"""Which column of a parquet file holds the images, which the labels, and what the classes are."""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from wordsight.exceptions import DataError

__all__ = ["Columns", "choose_columns", "label_column"]

_IMAGE_NAMES = ("image", "img")
_LABEL_NAMES = (
    "fine_label", "label", "labels", "class", "class_name", "category", "target", "y",
)  # fmt: skip
# A lone column of numbers or words is taken for the label, unless its name says what else it is.
_NEVER_LABELS = {
    "__index_level_0__", "caption", "file", "file_name", "filename", "height", "id", "idx",
    "image_id", "index", "name", "path", "text", "url", "width",
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """What is read from a parquet file.

    Attributes
    ----------
    image : str
        The column of struct<bytes, path>.
    label : str or None
        The column of labels, where there is one.
    numbered : bool
        Whether labels are integers; otherwise they are strings.
    class_names : tuple of str or None
        The names of classes 0, 1, 2, ..., where the file tells them.
    """

    image: str
    label: str | None
    numbered: bool
    class_names: tuple[str, ...] | None


def choose_columns(schema: pa.Schema, path: Path) -> Columns:
    """Choose the columns of a file by its ``huggingface`` metadata, else by their shape and name.

    Parameters
    ----------
    schema : pyarrow.Schema
        The schema of the file, with its metadata.
    path : pathlib.Path
        The file, named in errors.

    Returns
    -------
    Columns
        The columns to read.

    Raises
    ------
    DataError
        No column or several columns may hold the images, or class names appear twice.
    """
    if len(set(schema.names)) < len(schema.names):
        raise DataError(
            f"{path} has several columns of one name, expected each name once; write the file anew"
        )
    features = _features(schema)
    image = _image_column(schema, features, path)
    label = _label_column(schema, features, image)
    if label is None:
        return Columns(image, None, False, None)
    names = _class_names(features.get(label, {}), path)
    return Columns(image, label, _is_integer(schema.field(label).type), names)


def label_column(
    schema: pa.Schema, taken: str, path: Path, *, wanted: str | None = None
) -> tuple[str, tuple[str, ...] | None] | None:
    """Choose the column of labels beside another column.

    Parameters
    ----------
    schema : pyarrow.Schema
    taken : str
        The column that holds something else.
    path : pathlib.Path
        The file, named in errors.
    wanted : str, optional
        The column to take; by default that of the metadata, or the one that looks like it.

    Returns
    -------
    (str, tuple of str or None) or None
        The column, and the names of classes 0, 1, 2, ... where the file tells them; None where
        there is no such column.
    """
    features = _features(schema)
    label = _label_column(schema, features, taken) if wanted is None else wanted
    if label is None:
        return None
    names = None
    if _is_integer(schema.field(label).type):
        names = _class_names(features.get(label, {}), path)
    return label, names


def _features(schema: pa.Schema) -> dict[str, dict[str, object]]:
    """Read `info.features` of the ``huggingface`` metadata, without what has another shape."""
    try:
        found: object = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except (ValueError, RecursionError):
        return {}
    for key in ("info", "features"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return {}
    return {column: feature for column, feature in found.items() if isinstance(feature, dict)}


def _image_column(schema: pa.Schema, features: dict[str, dict[str, object]], path: Path) -> str:
    shaped = [field.name for field in schema if _holds_images(field.type)]
    declared = [name for name in shaped if features.get(name, {}).get("_type") == "Image"]
    # the same struct holds sound: a column that the metadata calls something else is not guessed at
    candidates = declared or [name for name in shaped if "_type" not in features.get(name, {})]
    chosen = _preferred(_IMAGE_NAMES, candidates)
    if chosen is not None:
        return chosen
    if not candidates:
        raise DataError(
            f"{path} has no column of images, expected one of struct<bytes: binary, path: string>; "
            f"it has {_listed(schema.names)}"
        )
    if len(candidates) > 1:
        raise DataError(
            f"{path} has several columns of images ({_listed(candidates)}), expected one; "
            "name the one that is meant 'image'"
        )
    return candidates[0]


def _label_column(
    schema: pa.Schema, features: dict[str, dict[str, object]], image: str
) -> str | None:
    able = [f.name for f in schema if _is_integer(f.type) or _is_text(f.type)]
    declared = [name for name in able if features.get(name, {}).get("_type") == "ClassLabel"]
    if declared:
        return _preferred(_LABEL_NAMES, declared) or declared[0]
    named = _preferred(_LABEL_NAMES, able)
    if named is not None:
        return named
    unnamed = [name for name in able if name != image and name.lower() not in _NEVER_LABELS]
    return unnamed[0] if len(unnamed) == 1 else None


def _class_names(feature: dict[str, object], path: Path) -> tuple[str, ...] | None:
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    names = [unicodedata.normalize("NFC", name) for name in names]
    if len(set(names)) < len(names):
        raise DataError(
            f"{path} names a class twice in its metadata, expected each name once; "
            "write the file anew"
        )
    return tuple(names) or None


def _preferred(wanted: Iterable[str], present: Iterable[str]) -> str | None:
    """Return the first of `wanted` among `present`, whatever its capitals."""
    by_lower = {name.lower(): name for name in present}
    return next((by_lower[name] for name in wanted if name in by_lower), None)


def _listed(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(repr(name) for name in names[:most]) or "no column at all") + more


def _holds_images(kind: pa.DataType) -> bool:
    if not isinstance(kind, pa.StructType):
        return False
    where = kind.get_field_index("bytes")  # -1 where there is none, or several
    return where >= 0 and (
        pa.types.is_binary(kind.field(where).type)
        or pa.types.is_large_binary(kind.field(where).type)
    )


def _is_integer(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind)


def _is_text(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
