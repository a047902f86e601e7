"""What is predicted: patterns, lists and data, each image once and in order."""

import os
from pathlib import Path

import numpy as np
import pytest

from wordsight.exceptions import InputError
from wordsight.prediction_inputs import Inputs, is_input, matches, names_in, open_inputs

TREE = (
    "a.png", "b.jpg", ".hidden.png", "notes.txt", "one/c.png", "one/deep/d.png", "two/e.png",
    "two/.secret/f.png", "x[1].png",
)  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "tree"
    for name in TREE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"nothing is decoded here")
    monkeypatch.chdir(root)
    return root


def names(*inputs: str | Path) -> list[str]:
    return [name for dataset in open_inputs(inputs) for name in dataset.names]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["a.png", "x[1].png"]),
        (".*.png", [".hidden.png"]),
        ("[ab].*", ["a.png", "b.jpg"]),
        ("?.png", ["a.png"]),
        ("**/*.png", ["a.png", "one/c.png", "one/deep/d.png", "two/e.png", "x[1].png"]),
        ("one/**/*.png", ["one/c.png", "one/deep/d.png"]),
        ("**/deep/*.png", ["one/deep/d.png"]),
        ("./*/c.png", ["one/c.png"]),
        # a folder stands for its images, and no image comes twice
        ("**", ["a.png", "b.jpg", "one/c.png", "one/deep/d.png", "two/e.png", "x[1].png"]),
        ("o*", ["one/c.png", "one/deep/d.png"]),
        ("**/*", [
            "a.png", "b.jpg", "notes.txt", "one/c.png", "one/deep/d.png", "two/e.png", "x[1].png",
        ]),
        ("nothing*", []),
        ("a.png/*", []),
    ],
)  # fmt: skip
def test_patterns(tree: Path, pattern: str, found: list[str]) -> None:
    shown = [os.path.normpath(path) for path in matches(pattern)]
    # by folder before file name
    assert shown == sorted(found, key=lambda name: name.replace("/", "\0"))
    whole = matches(str(tree / pattern))
    assert [os.path.relpath(path, tree) for path in whole] == shown


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tree: Path) -> None:
    assert names("x[1].png") == ["x[1].png"]


def test_a_pattern_that_nothing_matches_is_a_row_or_misuse(tree: Path) -> None:
    assert names("a.png", "*.gif") == ["a.png", "*.gif"]
    with pytest.raises(InputError, match=r"nothing matches the pattern \*.gif"):
        open_inputs(["*.gif"])


def test_links_in_a_circle_come_to_an_end(tree: Path) -> None:
    (tree / "one" / "loop").symlink_to(tree)
    assert "one/deep/d.png" in matches("**/*.png")
    assert len(matches("**/*.png")) == 5


def test_data_files_are_found_by_patterns_too(tree: Path) -> None:
    for number in range(2):
        np.save(tree / "two" / f"n{number}.npy", np.zeros((2, 4, 4, 3), dtype=np.uint8))
    assert names("two/*.npy") == ["two/n0.npy#0", "two/n0.npy#1", "two/n1.npy#0", "two/n1.npy#1"]


@pytest.mark.parametrize(
    ("text", "null", "expected"),
    [
        (b"a.png\nb c.png\n", False, ["a.png", "b c.png"]),
        (b"a.png\r\n\r\nb.png", False, ["a.png", "b.png"]),
        (b"a.png\0two\nlines.png\0", True, ["a.png", "two\nlines.png"]),
        ("naïve 猫.png\n".encode(), False, ["naïve 猫.png"]),
        (b"\xff.png\n", False, [os.fsdecode(b"\xff.png")]),
    ],
)
def test_lists_of_files(text: bytes, null: bool, expected: list[str]) -> None:
    assert names_in(text, null=null) == expected


@pytest.mark.parametrize(
    ("text", "null", "said"),
    [(b"", False, "is empty"), (b"\0\0", True, "is empty"), (b"a\0b", False, "--null")],
)
def test_lists_that_are_none(text: bytes, null: bool, said: str) -> None:
    with pytest.raises(InputError, match=said):
        names_in(text, null=null)


def test_the_digest_knows_names_order_and_contents(tree: Path) -> None:
    np.save(tree / "n.npy", np.zeros((2, 4, 4, 3), dtype=np.uint8))
    first = Inputs(["a.png", "n.npy", "one"]).digest
    assert Inputs(["a.png", "n.npy", "one"]).digest == first
    digests = {first, Inputs(["one", "n.npy", "a.png"]).digest, Inputs(["a.png", "one"]).digest}
    (tree / "one" / "c.png").write_bytes(b"changed")
    digests.add(Inputs(["a.png", "n.npy", "one"]).digest)
    np.save(tree / "n.npy", np.zeros((3, 4, 4, 3), dtype=np.uint8))
    digests.add(Inputs(["a.png", "n.npy", "one"]).digest)
    (tree / "one" / "new.png").write_bytes(b"")
    digests.add(Inputs(["a.png", "n.npy", "one"]).digest)
    assert len(digests) == 6


def test_rows_of_data_files_are_no_files(tree: Path) -> None:
    assert list(Inputs(["one", "a.png"]).files()) == ["one/c.png", "one/deep/d.png", "a.png"]
    np.save(tree / "n.npy", np.zeros((2, 4, 4, 3), dtype=np.uint8))
    with pytest.raises(InputError, match=r"n.npy is a data file"):
        list(Inputs(["a.png", "n.npy"]).files())


def test_what_could_be_an_input(tree: Path) -> None:
    (tree / "empty").mkdir()
    for path in (".", "one", "a.png", "notes.txt", "gone.jpg", "*.png", "gone.npz"):
        assert is_input(path), path
    for path in ("empty", "gone", "gone/model"):
        assert not is_input(path), path
