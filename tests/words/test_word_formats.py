"""Round trips of every format, and the liberties that files of word vectors take."""

import gzip
import re
import struct
import subprocess
import sys
import tracemalloc
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.words.formats import FORMATS, detect_format, read_table, write_table
from wordsight.words.vectors import WordVectors

_ODD = "\u00a0\u3000\u2028\u2029\u0085\u200b\x0b\x0c\r\x1c\x1d\x1e\x00\ufeff\u0301é0123456789.-+e_"
_LETTERS = st.one_of(
    st.sampled_from(_ODD), st.characters(exclude_categories=["Cs"], exclude_characters="\n")
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


def _fits_text(word: str) -> bool:
    pieces = re.split("[ \t]+", word)
    return word.strip(" \t") == word and (len(pieces) == 1 or not _NUMBER.fullmatch(pieces[-1]))


def _fits_glove(word: str) -> bool:
    # a mark at the very beginning of a file is a byte order mark; "a nan 1" may be two numbers
    return _fits_text(word) and not word.startswith("\ufeff") and " " not in word


def _fits_binary(word: str) -> bool:
    return " " not in word


_FITS: dict[str, Callable[[str], bool]] = {
    "word2vec-text": _fits_text,
    "glove": _fits_glove,
    "word2vec-binary": _fits_binary,
    "safetensors": bool,
}


@st.composite
def _tables(draw: st.DrawFn, kind: str) -> tuple[list[str], NDArray[np.float32]]:
    word = st.text(_LETTERS, min_size=1, max_size=8).filter(_FITS[kind])
    words = draw(
        st.lists(
            word, min_size=1, max_size=6, unique_by=lambda text: unicodedata.normalize("NFC", text)
        )
    )
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    # one number a row says next to nothing to tell binary from text by; it has a test of its own
    dimension = draw(st.integers(2, 7))
    return words, draw(hnp.arrays(np.float32, (len(words), dimension), elements=finite))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", FORMATS)
@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_round_trip_gives_every_word_and_number_back(
    kind: str, packed: bool, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if kind == "safetensors" and packed:
        return
    words, vectors = data.draw(_tables(kind))
    # the ending says nothing: what the file holds decides
    path = tmp_path_factory.getbasetemp() / ("table.gz" if packed else "table.data")
    write_table(path, words, vectors, format=kind)
    assert path.read_bytes().startswith(b"\x1f\x8b") == packed
    # a handful of float32 numbers may by chance be bytes that are all letters
    guess = kind == "word2vec-binary" and re.fullmatch(rb"[\t\r\n -~]+", vectors[0].tobytes())
    for read in (read_table(path, format=kind if guess else "auto"), read_table(path, format=kind)):
        assert read.words == words
        np.testing.assert_array_equal(read.vectors, vectors)
        assert read.vectors.dtype == np.float32


@pytest.mark.parametrize("kind", FORMATS)
def test_one_number_to_a_row(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "one"
    write_table(path, ["3", "cat"], np.array([[5.0], [-0.5]]), format=kind)
    read = read_table(path)
    assert read.words == ["3", "cat"]
    np.testing.assert_array_equal(read.vectors, [[5.0], [-0.5]])


def test_a_vector_that_ends_like_text_is_binary(tmp_path: Path) -> None:
    path = tmp_path / "tiny"
    write_table(path, ["0"], np.array([[0, 2e-9]], dtype=np.float32), format="word2vec-binary")
    assert path.read_bytes().endswith(b"_p\t1\n")
    assert detect_format(path) == "word2vec-binary"


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"2 2\na 1 2\nb 3 4\n", "word2vec-text", ["a", "b"]),
        (b"2 2\r\na 1 2\r\nb 3 4\r\n", "word2vec-text", ["a", "b"]),
        (b"2 2\na 1 2 \nb 3 4 \n", "word2vec-text", ["a", "b"]),  # as the original program writes
        (b"2 2\na 1 2\nb 3 4", "word2vec-text", ["a", "b"]),
        (b"2 2\na 1 2\nb 3 4\n\n \r\n\n", "word2vec-text", ["a", "b"]),
        (b"2\t2\na\t1\t2\nb\t3\t4\n", "word2vec-text", ["a", "b"]),
        (b"2 2\na\t1 2\nb  3   4\n", "word2vec-text", ["a", "b"]),
        (b"\xef\xbb\xbf2 2\na 1 2\nb 3 4\n", "word2vec-text", ["a", "b"]),
        (b"a 1 2\nb 3 4\n", "glove", ["a", "b"]),
        (b"\xef\xbb\xbfa 1 2\nb 3 4\n", "glove", ["a", "b"]),
        (b"a 1e0 +2.\nb 3.0 .4e1\n", "glove", ["a", "b"]),
        (b". . . 1 2\nname@domain.com 3 4\n", "glove", [". . .", "name@domain.com"]),
        (b"2 2\nto be 1 2\nb 3 4\n", "word2vec-text", ["to be", "b"]),
        (b"7 1 2\n8 3 4\n", "glove", ["7", "8"]),
        (b"2 2\n\r 1 2\nb 3 4\n", "word2vec-text", ["\r", "b"]),
        (b"nan 1 2\ninf 3 4\n", "glove", ["nan", "inf"]),
        ("\u00a0 1 2\na\u3000b 3 4\n".encode(), "glove", ["\u00a0", "a\u3000b"]),
        ("a\u2028b 1 2\nc\x0cd 3 4\n".encode(), "glove", ["a\u2028b", "c\x0cd"]),
        (b"2 2\na " + struct.pack("<2f", 1, 2) + b"b " + struct.pack("<2f", 3, 4),
         "word2vec-binary", ["a", "b"]),
        (b"2 2\na " + struct.pack("<2f", 1, 2) + b"\nb " + struct.pack("<2f", 3, 4) + b"\n",
         "word2vec-binary", ["a", "b"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_liberties_that_files_take(
    content: bytes, kind: str, words: list[str], packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert detect_format(path) == kind
    read = read_table(path)
    assert read.words == words
    np.testing.assert_array_equal(read.vectors, [[1, 2], [3, 4]])


def test_glove_whose_first_word_and_only_value_look_like_a_header(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_bytes(b"400 50\n401 51\n")
    read = read_table(path)
    assert read.words == ["400", "401"]
    np.testing.assert_array_equal(read.vectors, [[50], [51]])


def test_of_a_repeated_word_the_first_row_wins_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "repeats.txt"
    # the last one is the same word with a combining accent
    text = "5 1\ncat 1\ncaf\u00e9 2\ncat 3\ncat 4\ncafe\u0301 5\n"
    path.write_bytes(text.encode())
    with pytest.warns(UserWarning, match=r"3 rows repeat.*'cat', line 4") as caught:
        read = read_table(path)
    assert len(caught) == 1
    assert read.words == ["cat", "caf\u00e9"]
    np.testing.assert_array_equal(read.vectors, [[1], [2]])


def test_invalid_utf8_is_replaced_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"3 1\ncaf\xe9 1\ncat 2\nn\xffx 3\n")
    with pytest.warns(UserWarning, match="2 words are not valid UTF-8.*line 2") as caught:
        read = read_table(path)
    assert len(caught) == 1
    assert read.words == ["caf\ufffd", "cat", "n\ufffdx"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("x.txt", "two\nlines"),
        ("x.txt", " cat"),
        ("x.txt", "cat\t"),
        ("x.txt", "route 66"),
        ("x.bin", "pickup truck"),
        ("x.bin.gz", "two\nlines"),
    ],
)
def test_a_word_that_the_format_cannot_hold_is_refused_and_nothing_is_left(
    name: str, word: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"save as \.safetensors"):
        write_table(tmp_path / name, [word], np.ones((1, 2)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.pkl", "x", "x.gz", "x.safetensors.gz"])
def test_an_unknown_ending_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(name)):
        write_table(tmp_path / name, ["cat"], np.ones((1, 2)))
    assert list(tmp_path.iterdir()) == []


def test_numbers_too_large_for_single_precision(tmp_path: Path) -> None:
    large = np.array([[1e300, 0.1]])
    with pytest.raises(InputError, match="too large for float32"):
        write_table(tmp_path / "x.txt", ["cat"], large)
    write_table(tmp_path / "x.safetensors", ["cat"], large)
    read = read_table(tmp_path / "x.safetensors")
    assert read.vectors.dtype == np.float64
    np.testing.assert_array_equal(read.vectors, large)


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("x.txt.gz", "x.bin.gz", "x.safetensors"):
        write_table(tmp_path / f"1{name}", ["cat"], np.ones((1, 2)))
        write_table(tmp_path / f"2{name}", ["cat"], np.ones((1, 2)))
        assert (tmp_path / f"1{name}").read_bytes() == (tmp_path / f"2{name}").read_bytes()
    assert (tmp_path / "1x.txt.gz").read_bytes()[4:8] == bytes(4)  # where gzip puts the time


def test_no_bytes_are_left_out_between_blocks(tmp_path: Path) -> None:
    # several megabytes, so that rows straddle the blocks in which files are read
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(70_000, 5)).astype(np.float32)
    words = [f"w{row}" for row in range(len(vectors))]
    for kind in FORMATS:
        path = tmp_path / kind
        write_table(path, words, vectors, format=kind)
        read = read_table(path)
        assert read.words == words
        np.testing.assert_array_equal(read.vectors, vectors)


@pytest.mark.parametrize("kind", FORMATS)
def test_only_gives_what_the_whole_file_gives(kind: str, tmp_path: Path) -> None:
    words = ["Zebra", "pickup", "CAT", "cat", "pickup_truck", "truck", "caf\u00e9", "New_York", "x"]
    words.append("other")
    path = tmp_path / "table"
    write_table(path, words, np.arange(1.0, 11.0)[:, None] * [1.0, -1.0], format=kind)
    names = ["zebra", "Cat", "pickup truck", "x-cat", "cafe\u0301", "new york", "NOT THERE"]
    whole = WordVectors.load(path)
    part = WordVectors.load(path, only=names)
    assert set(part.words) < set(words)
    kept, expected = whole.vectors_for(names[:-1], on_missing="compose")
    assert kept == names[:-1]
    np.testing.assert_array_equal(part.vectors_for(kept, on_missing="compose")[1], expected)
    assert "NOT THERE" not in part


@pytest.mark.parametrize("ending", ["nothing more", "dog not a number"])
def test_only_stops_when_all_names_were_met(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text(f"9 2\ncat 1 2\ntruck 3 4\n{ending}\n")
    read = read_table(path, only=["truck", "cat"])
    assert read.words == ["cat", "truck"]
    np.testing.assert_array_equal(read.vectors, [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="line 4"):
        read_table(path)


def test_only_takes_nothing_but_lists_of_words(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("1 2\ncat 1 2\n")
    with pytest.raises(InputError, match=r"only=\['cat'\]"):
        read_table(path, only="cat")
    with pytest.raises(InputError, match="3 is none"):
        read_table(path, only=cast(list[str], [3]))


@pytest.mark.parametrize("kind", ["word2vec-text", "word2vec-binary", "glove"])
def test_only_takes_little_memory(kind: str, tmp_path: Path) -> None:
    dimension, rows = 50, 120_000
    path = tmp_path / "large"
    with path.open("wb") as stream:
        if kind != "glove":
            stream.write(b"%d %d\n" % (rows, dimension))
        binary = struct.pack(f"<{dimension}f", *[0.25] * dimension) + b"\n"
        numbers = binary if kind == "word2vec-binary" else b" ".join([b"0.25"] * dimension) + b"\n"
        for row in range(rows):
            stream.write(b"w%d " % row + numbers)
    assert path.stat().st_size > 24e6
    tracemalloc.start()
    read = read_table(path, only=["w7", f"w{rows - 1}", "not there"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read.words == ["w7", f"w{rows - 1}"]
    assert peak < 8e6


@pytest.mark.parametrize("name", ["w.txt", "w.txt.gz", "w.bin", "w.safetensors"])
def test_a_disk_that_fills_leaves_the_old_file_as_it_was(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    code = (
        "import resource, sys, numpy as np\n"
        "from wordsight.exceptions import WordsightError\n"
        "from wordsight.words.formats import write_table\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "vectors = np.random.default_rng(0).normal(size=(50, 100))\n"
        "try: write_table(sys.argv[1], [f'w{i}' for i in range(50)], vectors)\n"
        "except WordsightError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith(f"cannot write {path}: ")
    assert run.stdout.count("\n") == 1
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
