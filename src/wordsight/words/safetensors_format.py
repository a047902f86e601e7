"""Word vectors in safetensors: the compact form of the default vocabulary, and of saved tables.

Tensors: ``vectors`` (n, d) in float16, float32 or float64, or in int8 beside ``scales`` (n,), row
i being ``vectors[i] * scales[i]``; ``word_bytes`` uint8, all words in UTF-8 without separators;
``word_lengths`` uint32 (n,), the bytes of each. Metadata: the one key ``wordsight.word_vectors``,
a JSON object of ``version``, ``source`` and whatever else the maker has to say; one key alone, for
safetensors writes several in random order, and the same table should give the same file. Nothing
in such a file is ever executed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from wordsight.exceptions import DataError
from wordsight.storage import save_tensors
from wordsight.words.byte_stream import broken_file, is_gzip, open_bytes
from wordsight.words.row_table import RowCollector, WordTable
from wordsight.words.selection import Selection

__all__ = ["read_safetensors", "word_tensors", "write_safetensors"]

_KEY = "wordsight.word_vectors"
_VERSION = 1
_BLOCK_ROWS = 65_536
_SHAPES = {"vectors": 2, "word_bytes": 1, "word_lengths": 1, "scales": 1}
_DTYPES = {
    "vectors": ("F16", "F32", "F64", "I8"),
    "word_bytes": ("U8",),
    "word_lengths": ("U32",),
    "scales": ("F16", "F32"),
}


class _Slice(Protocol):
    def get_dtype(self) -> str: ...
    def get_shape(self) -> list[int]: ...
    def __getitem__(self, rows: slice) -> NDArray[np.number]: ...


class _Handle(Protocol):
    def metadata(self) -> dict[str, str] | None: ...
    def keys(self) -> list[str]: ...
    def get_slice(self, name: str) -> _Slice: ...
    def get_tensor(self, name: str) -> NDArray[np.floating]: ...


def word_tensors(words: Iterable[str]) -> dict[str, NDArray[np.generic]]:
    """Return the two tensors that hold the words."""
    encoded = [word.encode("utf-8") for word in words]
    return {
        "word_bytes": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        "word_lengths": np.array([len(word) for word in encoded], dtype=np.uint32),
    }


def write_safetensors(
    path: Path,
    words: Sequence[str],
    vectors: NDArray[np.generic],
    *,
    source: str,
    scales: NDArray[np.floating] | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write word vectors to `path`, which is replaced.

    Parameters
    ----------
    path : pathlib.Path
        Where to; the caller sees to it that the file appears whole or not at all.
    words : sequence of str
        (n,).
    vectors : ndarray
        (n, d), floating, or int8 with `scales`.
    source : str
        Where the vectors come from, in a few words.
    scales : ndarray or None
        (n,), what to multiply each row of int8 by.
    facts : mapping of str to str or None
        More to say about them, such as a licence.
    """
    tensors = {"vectors": np.ascontiguousarray(vectors), **word_tensors(words)}
    if scales is not None:
        tensors["scales"] = scales
    stated = {"version": _VERSION, "source": source, **(facts or {})}
    save_tensors(path, tensors, {_KEY: json.dumps(stated, ensure_ascii=False)})


def read_safetensors(path: Path, *, selection: Selection | None) -> WordTable:
    """Read word vectors.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    selection : Selection or None
        Which words to keep.

    Returns
    -------
    WordTable
        Vectors in float32, or float64 where the file holds that.

    Raises
    ------
    DataError
        The file is damaged, or is no file of word vectors, or of a version unknown here.
    """
    with open_bytes(path):
        pass  # says in the house's words where the file is missing or may not be read
    if is_gzip(path):
        raise broken_file(path, "it is safetensors inside gzip; unpack it with gunzip")
    try:
        with safe_open(path, framework="numpy") as handle:
            return _read(cast(_Handle, handle), path, selection)
    except SafetensorError as error:
        raise broken_file(path, f"it is a damaged safetensors file: {error}") from error


def _read(handle: _Handle, path: Path, selection: Selection | None) -> WordTable:
    facts = _facts(handle, path)
    _check_layout(handle, path)
    vectors = handle.get_slice("vectors")
    scales = handle.get_tensor("scales") if vectors.get_dtype() == "I8" else None
    rows, dimension = vectors.get_shape()
    table = RowCollector(path, dimension, selection, "word")
    tokens = _tokens(handle.get_tensor("word_bytes"), handle.get_tensor("word_lengths"))
    for start in range(0, rows, _BLOCK_ROWS):
        stop = min(rows, start + _BLOCK_ROWS)
        kept = [at for at in range(start, stop) if table.wants(next(tokens), at + 1)]
        if kept:
            values = vectors[start:stop][np.array(kept) - start]
            scale = None if scales is None else scales[kept]
            table.add(_as_floats(values, scale), [at + 1 for at in kept])
        if table.complete:
            break
    read = table.finish()
    return WordTable(read.words, read.vectors, str(facts.get("source") or read.source))


def _facts(handle: _Handle, path: Path) -> dict[str, object]:
    """Return what the file says about itself, if it is of the kind and version known here."""
    try:
        facts = json.loads((handle.metadata() or {}).get(_KEY, "null"))
    except ValueError as error:
        raise broken_file(path, "its metadata are damaged") from error
    if not isinstance(facts, dict):
        raise DataError(
            f"{path} is a safetensors file, but not one of word vectors; name one that"
            " WordVectors.save wrote"
        )
    if facts.get("version") != _VERSION:
        raise DataError(
            f"{path} is of version {facts.get('version')}, and this program knows version"
            f" {_VERSION}; upgrade wordsight"
        )
    return facts


def _tokens(word_bytes: NDArray[np.generic], lengths: NDArray[np.generic]) -> Iterator[bytes]:
    text = word_bytes.tobytes()
    start = 0
    for stop in np.cumsum(lengths, dtype=np.int64).tolist():
        yield text[start:stop]
        start = stop


def _as_floats(
    values: NDArray[np.generic], scale: NDArray[np.floating] | None
) -> NDArray[np.floating]:
    if values.dtype == np.float64:
        return values.astype(np.float64)
    single = values.astype(np.float32)
    return single if scale is None else single * scale.astype(np.float32)[:, None]


def _check_layout(handle: _Handle, path: Path) -> None:
    """Refuse tensors that are missing, of a wrong type or shape, or at odds with each other."""
    present = set(handle.keys())
    needed = {"vectors", "word_bytes", "word_lengths"}
    if "vectors" in present and handle.get_slice("vectors").get_dtype() == "I8":
        needed.add("scales")
    if missing := needed - present:
        raise broken_file(path, f"it lacks the tensor {min(missing)!r}")
    shapes = {}
    for name in needed:
        tensor = handle.get_slice(name)
        shapes[name] = tensor.get_shape()
        if tensor.get_dtype() not in _DTYPES[name] or len(shapes[name]) != _SHAPES[name]:
            raise broken_file(
                path, f"its tensor {name!r} is {tensor.get_dtype()} of shape {shapes[name]}"
            )
    rows = shapes["vectors"][0]
    if any(shapes[name][0] != rows for name in needed - {"vectors", "word_bytes"}):
        raise broken_file(path, "it holds unlike numbers of words and vectors")
    total = int(handle.get_tensor("word_lengths").sum(dtype=np.int64))
    if total != shapes["word_bytes"][0]:
        raise broken_file(path, "the lengths of its words do not add up")
