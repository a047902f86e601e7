"""Broken files of word vectors: one sentence each, that says where, and the right exit code."""

import gzip
import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from wordsight.exceptions import DataError, InputError
from wordsight.words.formats import read_table
from wordsight.words.safetensors_format import word_tensors

_GOOD = b"2 3\ncat 1 2 3\ndog 4 5 6\n"
_ROW = struct.pack("<3f", 1, 2, 3)
_NAN_ROW = struct.pack("<3f", 1, np.nan, 3)


def _tensors(**changes: object) -> bytes:
    """Return a sound file of two words, but for the changes (None leaves a tensor out)."""
    metadata = {"wordsight.word_vectors": str(changes.pop("facts", '{"version": 1}'))}
    tensors: dict[str, object] = {"vectors": np.ones((2, 3), np.float32)}
    tensors |= word_tensors(["cat", "dog"])
    tensors |= changes
    present = {name: value for name, value in tensors.items() if isinstance(value, np.ndarray)}
    return save(present, metadata=metadata)


_BROKEN = {
    "empty": (b"", "it is empty"),
    "prose": (b"Word vectors are here.\nReally.\n", "none of the formats"),
    "image": (b"\x89PNG\r\n\x1a\n" + bytes(100), "none of the formats"),
    "zip": (b"PK\x03\x04" + bytes(100), "zip archive; unpack it"),
    "header alone": (b"2 3\n", "promises 2 words, and it holds 0"),
    "header of nothing": (b"0 3\n", "it holds no words"),
    "header of no numbers": (b"2 0\ncat\ndog\n", "line 1|first lines"),
    "header promises more": (b"3 3\ncat 1 2 3\ndog 4 5 6\n", "promises 3 words, and it holds 2"),
    "header promises fewer": (b"1 3\ncat 1 2 3\ndog 4 5 6\n", "promises 1 words, and it holds 2"),
    "header promises billions": (b"4000000000 3\ncat 1 2 3\n", "4000000000 words, and it holds 1"),
    "header of long rows": (b"2 400000000\ncat 1 2 3\n", "line 2 has 3 numbers instead of 4000"),
    "header of shorter rows": (b"2 2\ncat 1 2 3\ndog 4 5 6\n", "line 2 has 3 numbers instead of 2"),
    "row too short": (b"2 3\ncat 1 2 3\ndog 4 5\n", "line 3 has 2 numbers instead of 3"),
    "row too long": (b"2 3\ncat 1 2 3\ndog 4 5 6 7\n", "line 3 has 4 numbers instead of 3"),
    "row cut": (b"2 3\ncat 1 2 3\ndog", "line 3 has 0 numbers instead of 3"),
    "glove row too short": (
        b"cat 1 2 3\ndog 4 5\nfox 7 8 9\n",
        "line 2 has 2 numbers instead of 3",
    ),
    "glove row too long": (b"cat 1 2 3\ndog 4 5 6 7\nfox 7 8 9\n", "line 2 has 4 numbers"),
    "no word": (b"2 3\ncat 1 2 3\n 4 5 6\n", "line 3 has no word|line 3 has 2 numbers"),
    "nan": (b"2 3\ncat 1 2 3\ndog 4 nan 6\n", r"line 3 \('dog'\) .* not finite"),
    "inf": (b"cat 1 -inf 3\ndog 4 5 6\n", r"line 1 \('cat'\) .* not finite"),
    "beyond float32": (b"2 3\ncat 1 2 3\ndog 4 1e39 6\n", r"line 3 \('dog'\) .* not finite"),
    "letters": (b"2 3\ncat 1 2 3\ndog 4 five 6\n", "line 3 has 'five' where a number"),
    "decimal comma": (b"2 3\ncat 1 2 3\ndog 4 5,0 6\n", "line 3 has '5,0' where a number"),
    "two points": (b"2 3\ncat 1 2 3\ndog 4 1.5.3 6\n", "line 3 has '1.5.3' where a number"),
    "hexadecimal": (b"2 3\ncat 1 2 3\ndog 4 0x1F 6\n", "line 3 has '0x1F' where a number"),
    "arabic digits": ("2 3\ncat 1 2 3\ndog 4 ٣ 6\n".encode(), "line 3 has '٣' where a number"),
    "blank line within": (b"2 3\ncat 1 2 3\n\ndog 4 5 6\n", "line 3 is blank, and line 4 is not"),
    "endless line": (b"2 3\ncat 1 2 3\n" + b"x" * 6_000_000, "line 3 is too long"),
    "gzip cut": (gzip.compress(_GOOD * 50)[:-20], "compressed data end too early"),
    "gzip damaged": (gzip.compress(_GOOD)[:-8] + bytes(8), "compressed data are damaged"),
    "binary cut": (b"2 3\ncat " + _ROW + b"dog " + _ROW[:-1], "promises 2 words.*ends in word 2"),
    "binary cut in a word": (b"2 3\ncat " + _ROW + b"do", "promises 2 words.*ends in word 2"),
    "binary promises billions": (b"9000000000 3\ncat " + _ROW, "9000000000 words.*ends in word 2"),
    "binary of huge rows": (
        b"2 900000000\ncat " + _ROW + bytes(99),
        "vectors of 900000000 numbers",
    ),
    "binary goes on": (b"1 3\ncat " + _ROW + b"dog " + _ROW, "promises 1 words, and it goes on"),
    "binary nan": (b"2 3\ncat " + _ROW + b"dog " + _NAN_ROW, r"word 2 \('dog'\) .* not finite"),
    "binary without a word": (b"2 3\ncat " + _ROW + b" " + _ROW, "word 2 has no word before"),
    "safetensors of another kind": (save({"w": np.ones(3)}), "not one of word vectors"),
    "safetensors of tomorrow": (_tensors(facts='{"version": 2}'), "is of version 2.*upgrade"),
    "safetensors metadata": (_tensors(facts="{"), "metadata are damaged"),
    "safetensors cut": (_tensors()[:-1], "damaged safetensors file"),
    "safetensors gzip": (gzip.compress(_tensors()), "safetensors inside gzip; unpack"),
    "safetensors without words": (_tensors(word_bytes=None), "lacks the tensor 'word_bytes'"),
    "safetensors without scales": (
        _tensors(vectors=np.ones((2, 3), np.int8)),
        "lacks the tensor 'scales'",
    ),
    "safetensors of whole numbers": (
        _tensors(vectors=np.ones((2, 3), np.int64)),
        "'vectors' is I64",
    ),
    "safetensors flat": (_tensors(vectors=np.ones(2, np.float32)), "'vectors' is F32 of shape"),
    "safetensors of more rows": (
        _tensors(vectors=np.ones((3, 3), np.float32)),
        "unlike numbers of words and vectors",
    ),
    "safetensors word lengths": (
        _tensors(word_lengths=np.array([3, 4], np.uint32)),
        "lengths of its words do not add up",
    ),
    "safetensors nan": (
        _tensors(vectors=np.array([[1, 2], [np.nan, 0]], np.float32)),
        r"word 2 \('dog'\) .* not finite",
    ),
    "safetensors empty word": (
        _tensors(word_lengths=np.array([6, 0], np.uint32)),
        "word 2 has no word",
    ),
    "safetensors header": (
        struct.pack("<Q", 40) + json.dumps({"vectors": [1, 2]}).ljust(40).encode(),
        "damaged safetensors file",
    ),
}


@pytest.mark.parametrize("case", list(_BROKEN))
def test_a_broken_file_is_one_sentence(case: str, tmp_path: Path) -> None:
    content, expected = _BROKEN[case]
    path = tmp_path / "broken"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match=expected) as caught:
        read_table(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert caught.value.exit_code == 1
    # what a header promises is never allocated
    assert peak < 40e6


def test_only_does_not_hide_a_header_that_promises_more(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_bytes(b"3 3\ncat 1 2 3\ndog 4 5 6\n")
    with pytest.raises(DataError, match="promises 3 words, and it holds 2"):
        read_table(path, only=["cat", "not there"])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("word2vec-text", "line 1 is no word2vec header"),
        ("word2vec-binary", "line 1 is no word2vec header"),
        ("safetensors", "damaged safetensors"),
    ],
)
def test_a_file_that_is_not_in_the_format_asked_for(
    kind: str, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "glove.txt"
    path.write_bytes(b"cat 1 2 3\ndog 4 5 6\n")
    with pytest.raises(DataError, match=expected):
        read_table(path, format=kind)


def test_glove_asked_for_where_there_is_a_header(tmp_path: Path) -> None:
    path = tmp_path / "header.txt"
    path.write_bytes(_GOOD)
    with pytest.raises(DataError, match="line 1 has 1 numbers instead of 3"):
        read_table(path, format="glove")


def test_misuse_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file") as caught:
        read_table(tmp_path / "absent.txt")
    assert caught.value.exit_code == 2
    with pytest.raises(InputError, match="there is no file"):
        read_table(tmp_path / "absent.safetensors", format="safetensors")
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path)
    (tmp_path / "good.txt").write_bytes(_GOOD)
    with pytest.raises(InputError, match="format='csv' is unknown"):
        read_table(tmp_path / "good.txt", format="csv")
