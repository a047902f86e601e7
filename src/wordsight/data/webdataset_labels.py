"""The classes of images in WebDataset archives: what stands beside each image, made into names."""

import json
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from wordsight.data.class_labels import ClassLabels
from wordsight.data.files import shown
from wordsight.exceptions import DataError

__all__ = ["LABEL_ENDINGS", "LabelRule", "Labels", "find_class_names"]

LABEL_ENDINGS = ("cls", "label", "json", "txt")
"""Endings of members that may tell the class of an image; the first that does is believed."""

LabelRule = Literal["members", "text", "folders"]
"""Where the classes of all images stand: in members of their own or JSON, in ``.txt``, in names."""

_JSON_KEYS = ("label", "class")
_NUMBER = re.compile(r"-?\d{1,15}")
_LONGEST_CLASS_NAME = 200
_MOST_BYTES = 1 << 24
_NONE = -1


class Labels:
    """What is told of each image, in the order of the images.

    Parameters
    ----------
    rule : LabelRule or None, optional
        Where the classes are known to stand; otherwise `settle` finds out, which takes all images.
    known : bool, default False
        Whether `rule` is known.
    """

    def __init__(self, rule: LabelRule | None = None, *, known: bool = False) -> None:
        self.rule = rule
        self._known = known
        self._values: dict[int | str, int] = {}  # each label as stored, in the order of appearance
        self._codes: dict[LabelRule, array[int]] = {
            "members": array("i"), "text": array("i"), "folders": array("i"),
        }  # fmt: skip
        self._captions = False

    def add(self, key: str, read: Callable[[str], bytes | None], image: Callable[[], str]) -> None:
        """Note what is told of one image.

        Parameters
        ----------
        key : str
            Its name without an ending.
        read : callable (ending)
            Returns the content of the member of an ending, or None where there is none.
        image : callable
            Returns the name of the image, for errors.

        Raises
        ------
        DataError
            A label is no class name.
        """
        told = self._told(read, image) if self._wants("members") else None
        self._codes["members"].append(self._code(told))
        text = None
        if told is None and self._wants("text") and not self._captions:
            text = _as_label(read("txt"))
            self._captions = text is None  # one that is none: then all are taken for captions
        self._codes["text"].append(self._code(text))
        folder = key.split("/")[-2] if "/" in key and self._wants("folders") else None
        self._codes["folders"].append(self._code(_as_text(folder)))

    def settle(
        self, class_names: Sequence[str] | None, name: Callable[[int], str]
    ) -> tuple[ClassLabels | None, tuple[str, ...]]:
        """Make class names of what was told, by one rule for all images.

        Parameters
        ----------
        class_names : sequence of str or None
            The names of classes 0, 1, 2, ..., where they are known.
        name : callable (row)
            Names an image, for errors.

        Returns
        -------
        labels : ClassLabels or None
            None where nothing is told that could be a class.
        class_names : tuple of str
            All classes.

        Raises
        ------
        DataError
            An image has no label while others have, or a number stands for no class.
        """
        if not self._known:
            self.rule = self._find_rule()
        if self.rule is None:
            return None, ()
        codes = np.array(self._codes[self.rule], dtype=np.int64)
        if (codes == _NONE).any():
            row = int(np.argmax(codes == _NONE))
            raise DataError(f"{name(row)} has no label, while other images have; add it")
        used, firsts, codes = np.unique(codes, return_index=True, return_inverse=True)
        stored = list(self._values)
        values = [stored[code] for code in used.tolist()]
        if class_names and all(isinstance(value, int) for value in values):
            self.numbered = True
            rows = firsts.tolist()
            names = [
                _named(value, class_names, name, row)
                for value, row in zip(values, rows, strict=True)
            ]
            return ClassLabels.coded(names, codes), tuple(class_names)
        names = [str(value) for value in values]
        ordered = sorted(values, key=lambda v: (v, "") if isinstance(v, int) else (0, v))
        return ClassLabels.coded(names, codes), tuple(map(str, ordered))

    numbered = False
    """Whether `settle` used the names of classes."""

    def _wants(self, rule: LabelRule) -> bool:
        return not self._known or self.rule == rule

    def _find_rule(self) -> LabelRule | None:
        found = {rule: np.array(codes) for rule, codes in self._codes.items()}
        if (found["members"] != _NONE).any():
            return "members"
        if len(found["text"]) and (found["text"] != _NONE).all():
            return "text"
        # one folder around everything is no class
        several = len(np.unique(found["folders"])) > 1
        return "folders" if several and (found["folders"] != _NONE).all() else None

    def _code(self, value: int | str | None) -> int:
        return _NONE if value is None else self._values.setdefault(value, len(self._values))

    def _told(
        self, read: Callable[[str], bytes | None], image: Callable[[], str]
    ) -> int | str | None:
        for ending in ("cls", "label"):
            content = read(ending)
            if content is not None and content.strip():
                value = _as_label(content)
                if value is None:
                    raise DataError(
                        f"{image()} has the label {content[:40]!r}, expected a whole number or "
                        f"a class name of 1 to {_LONGEST_CLASS_NAME} characters; mend it"
                    )
                return value
        content = read("json")
        return None if content is None else _in_json(content)


def find_class_names(folders: Iterable[Path]) -> tuple[str, ...] | None:
    """Find the names of classes 0, 1, 2, ... beside archives.

    Parameters
    ----------
    folders : iterable of pathlib.Path
        Where to look: for ``classes.txt`` or ``classnames.txt``, with one name in each line, and
        for ``dataset_info.json``, with a feature of type ClassLabel.

    Returns
    -------
    tuple of str or None

    Raises
    ------
    DataError
        Such a file cannot be read, or names a class twice or in no way.
    """
    for folder in folders:
        for file, parse in _NAME_FILES.items():
            path = folder / file
            if path.is_file():
                names = parse(_content(path))
                if names is not None:
                    return _checked(names, path)
    return None


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {shown(path)}: {error}; mend it or move it away") from error


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.rstrip().splitlines()]


def _features(text: str) -> list[str] | None:
    """Return the names of the first class label among the features, if there is one."""
    try:
        features = json.loads(text)["features"].values()
        return next(
            [str(name) for name in feature["names"]]
            for feature in features
            if feature.get("_type") == "ClassLabel"
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, StopIteration):
        return None


_NAME_FILES: dict[str, Callable[[str], list[str] | None]] = {
    "classes.txt": _lines,
    "classnames.txt": _lines,
    "dataset_info.json": _features,
}


def _checked(names: list[str], path: Path) -> tuple[str, ...]:
    found = tuple(_as_text(name) or "" for name in names)
    if not all(found) or len(set(found)) < len(found):
        raise DataError(
            f"{shown(path)} does not hold different class names, one in each line, each of 1 to "
            f"{_LONGEST_CLASS_NAME} characters; mend it or move it away"
        )
    return found


def _as_text(text: str | None) -> str | None:
    """Return a class name, or None where it is none."""
    name = unicodedata.normalize("NFC", text.strip()) if text else ""
    fits = 0 < len(name) <= _LONGEST_CLASS_NAME and "\0" not in name
    return name if fits and len(name.splitlines()) == 1 else None


def _as_label(content: bytes | None) -> int | str | None:
    """Return a number or a class name, or None where it is neither."""
    if content is None or len(content) > 8 * _LONGEST_CLASS_NAME:
        return None
    try:
        text = _as_text(content.decode())
    except UnicodeDecodeError:
        return None
    return int(text) if text is not None and _NUMBER.fullmatch(text) else text


def _in_json(content: bytes) -> int | str | None:
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    for key in _JSON_KEYS:
        value = found.get(key)
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return _as_label(str(value).encode("utf-8", "replace"))
    return None


def _named(
    value: int | str, class_names: Sequence[str], name: Callable[[int], str], row: int
) -> str:
    if isinstance(value, int) and 0 <= value < len(class_names):
        return class_names[value]
    raise DataError(
        f"{name(row)} has the label {value}, expected 0 to "
        f"{len(class_names) - 1}, since {len(class_names)} classes are named beside the archives; "
        "mend the labels or the names"
    )
