"""Descriptions of classes: their files, and the vectors made of them."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wordsight.exceptions import DataError, InputError, WordsightError
from wordsight.words.descriptions import describe, read_descriptions

yaml = pytest.importorskip("yaml")


class Letters:
    """A stand-in: how often a text has each letter."""

    name = "letters"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array(
            [[text.count(letter) for letter in "abc"] for text in texts], dtype=np.float32
        )


def test_several_texts_are_averaged_by_direction() -> None:
    found = describe({"one": "aab", "two": ["aaaa", "b"]}, Letters())
    np.testing.assert_allclose(found.vector_for("one"), np.array([2, 1, 0]) / math.sqrt(5))
    np.testing.assert_allclose(found.vector_for("two"), np.array([1, 1, 0]) / math.sqrt(2))
    assert found.source == "descriptions by letters"


YAML = """
segway: a two-wheeled self-balancing electric vehicle,
  on which one stands
okapi:
  - a striped animal
  - "a relative of the giraffe: dark"
zebra: {description: a horse with stripes}
"""


def test_a_file_of_either_kind(tmp_path: Path) -> None:
    place = tmp_path / "classes.yaml"
    place.write_text(YAML, encoding="utf-8")
    found = read_descriptions(place)
    assert found == {
        "segway": ("a two-wheeled self-balancing electric vehicle, on which one stands",),
        "okapi": ("a striped animal", "a relative of the giraffe: dark"),
        "zebra": ("a horse with stripes",),
    }
    other = tmp_path / "classes.json"
    other.write_text(json.dumps({**found, "zebra": {"description": ["a horse with stripes"]}}))
    assert read_descriptions(other) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {colour: red}", "a has the unknown key colour"),
        ("a: {description: x, size: 3}", "a has the unknown key size"),
        ("a: {}", "a has the unknown key none"),
        ("a: ''", "a is described by '', which is no text"),
        ("a: [x, ' ']", "a is described by ' '"),
        ("a: []", "a has no description"),
        ("a:", "a has no description"),
        ("a: 3", "a has no description"),
        ("a: [3]", "a is described by 3"),
        ("a: {description: }", "a has no description"),
        ("3: x", "3 is no class name"),
        ("a: x\nb: y\na: z", "names 'a' twice"),
        ("- a\n- b", "describes no class"),
        ("", "describes no class"),
        ("just a text", "describes no class"),
        ("a: [x", "no YAML"),
        ("a: !!python/object/apply:os.getcwd []", "no YAML"),
        ("a: &x [*x]", "the alias *x; write the text out"),
        ("a: &x text\nb: *x", "the alias *x; write the text out"),
        ("a: !!int ''", "no YAML"),
        ("a: !!float ''", "no YAML"),
        ("a: !!bool x", "no YAML"),
        ("a: !!timestamp x", "no YAML"),
        ('a: "\\UFFFFFFFF"', "no YAML"),
        ('a: "\\ud800"', "which is no text"),
        ("? [a, b]\n: x", "no YAML"),
    ],
)
def test_what_a_yaml_file_may_not_hold(tmp_path: Path, text: str, said: str) -> None:
    place = tmp_path / "classes.yml"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_descriptions(place)
    assert said in str(error.value)
    assert str(place) in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": "x", "a": "y"}', "names 'a' twice"),
        (b'{"a": ', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a": "\xff"}', "cannot be read: it is not UTF-8"),
        (b'{"a": {"b": "x"}}', "unknown key b"),
        (b'{"a": "\\udfff"}', "which is no text"),
        (b'{"\\ud800": "x"}', "no class name"),
    ],
)
def test_what_a_json_file_may_not_hold(tmp_path: Path, content: bytes, said: str) -> None:
    place = tmp_path / "classes.json"
    place.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_descriptions(place)
    assert said in str(error.value)


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_files_that_stand_for_more_than_they_hold(kind: str, tmp_path: Path) -> None:
    place = tmp_path / f"classes.{kind}"
    if kind == "yaml":  # ten lines for ten thousand million texts
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 10)]
        place.write_text("\n".join(lines), encoding="utf-8")
        with pytest.raises(DataError, match="the alias"):
            read_descriptions(place)
        return
    place.write_text(json.dumps({f"class {k}": "x" for k in range(100_000)}), encoding="utf-8")
    assert (
        len(read_descriptions(place)) == 100_000
    )  # looking for twins takes no longer than reading


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"give a .yaml, .yml or .json file"):
        read_descriptions(tmp_path / "classes.txt")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_descriptions(tmp_path / "classes.json")
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 10_000_001)
    with pytest.raises(DataError, match="more than 10,000,000 bytes"):
        read_descriptions(large)
    place = tmp_path / "classes.yaml"
    place.write_text("a: x")
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(WordsightError, match=r"pip install 'wordsight\[text\]', or give a .json"):
        read_descriptions(place)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (np.ones((1, 3)), r"an array of shape \(1, 3\) for 2 texts"),
        (np.ones(2), r"shape \(2,\)"),
        (np.full((2, 3), np.nan), "one finite vector for each"),
        (np.zeros((2, 3)), "a vector of zeros"),
    ],
)
def test_an_encoder_that_returns_something_else(made: Any, said: str) -> None:
    class Wrong(Letters):
        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return np.asarray(made)

    with pytest.raises(WordsightError, match=said):
        describe({"a": "x", "b": "y"}, Wrong())


def test_descriptions_that_say_nothing() -> None:
    class Opposed(Letters):
        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return np.array([[1.0, 0.0], [-1.0, 0.0]], dtype=np.float32)

    with pytest.raises(InputError, match="the descriptions of a cancel out"):
        describe({"a": ["x", "y"]}, Opposed())
    with pytest.raises(InputError, match="no class is described"):
        describe({}, Letters())
