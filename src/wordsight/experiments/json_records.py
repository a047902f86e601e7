"""Frozen records as JSON and back: every value checked on its way in and out."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from wordsight.exceptions import InputError

__all__ = ["decode", "json_value", "layout", "parse", "plain_fields"]


def json_value(value: Any, where: str) -> Any:
    """Return a value as JSON gives it back; tuples become lists.

    Parameters
    ----------
    value : object
    where : str
        Its name in errors.

    Raises
    ------
    InputError
        It is not a JSON value, or not finite.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {str(key): json_value(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item, f"{where}[{row}]") for row, item in enumerate(value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{where} is {value}; results hold finite numbers, leave it out")
        return float(value)
    for kind in (int, str):
        if isinstance(value, kind):
            return kind(value)
    raise InputError(
        f"{where} is a {type(value).__name__}; give numbers, texts, lists or dictionaries"
    )


def plain_fields(value: Any) -> Any:
    """Return a record, or a tuple of records, as dicts of its fields, in order."""
    if is_dataclass(value):
        return {field.name: plain_fields(getattr(value, field.name)) for field in fields(value)}
    return [plain_fields(item) for item in value] if isinstance(value, tuple) else value


def layout(value: Any, indent: str = "") -> str:
    """Write JSON with a line for each entry, but for lists of plain values, which share one."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(key)}: {layout(value[key], inner)}" for key in value]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[\n" + ",\n".join(inner + layout(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)


def parse(text: bytes) -> Any:
    """Return what JSON says.

    Raises
    ------
    ValueError
        It is broken, or holds NaN or infinity.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no number")


def decode(kind: Any, value: Any, where: str) -> Any:
    """Return a JSON value as the annotated type.

    Parameters
    ----------
    kind : type
        A dataclass of these kinds, int, str, bool, a finite float, any of them or None, a tuple
        of many of one kind, a Mapping from str, Any.
    value : object
        What JSON gave.
    where : str
        Its name in errors.

    Raises
    ------
    ValueError
        It is of another kind, or a field is missing or not known.
    """
    if get_origin(kind) in {Union, UnionType}:  # all of ours are "this or None"
        (wanted,) = (option for option in get_args(kind) if option is not type(None))
        return None if value is None else decode(wanted, value, where)
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(kind, value, where)
    origin = get_origin(kind)
    if origin is tuple and isinstance(value, list):
        (item, _ellipsis) = get_args(kind)
        return tuple(decode(item, each, f"{where}[{row}]") for row, each in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        (_key, item) = get_args(kind)
        return {key: decode(item, each, f"{where}.{key}") for key, each in value.items()}
    if kind is float and type(value) in {int, float} and math.isfinite(value):
        return float(value)
    if kind is Any or (kind in {int, str, bool} and type(value) is kind):
        return value
    raise ValueError(f"{where} has a value of another kind than expected")


def _record(kind: type[Any], value: Any, where: str) -> Any:
    """Return a JSON object as a dataclass, every field of which must be there."""
    hints = get_type_hints(kind)
    prefix = f"{where}." if where else ""
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not an object")
    for name in hints:
        if name not in value:
            raise ValueError(f"{prefix}{name} is missing")
    for name in value:
        if name not in hints:
            raise ValueError(f"{prefix}{name} is not known")
    return kind(**{name: decode(hint, value[name], prefix + name) for name, hint in hints.items()})
