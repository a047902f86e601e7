"""The readers of other files as targets: a sound object, or one sentence of Wordsight's own."""

import gzip
import hashlib
import io
import json
import tarfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fuzzing import FaultError, Target
from safetensors.numpy import save as save_tensors

from wordsight.data.arrays import open_array_file
from wordsight.data.cifar import CifarSource
from wordsight.data.dataset import Dataset
from wordsight.data.parquet import ParquetSource
from wordsight.data.sharding import cut
from wordsight.data.webdataset import WebDatasetSource
from wordsight.exceptions import BrokenImageError, DataError, WordsightError
from wordsight.features.cache import FeatureCache
from wordsight.prediction import Prediction
from wordsight.prediction_state import open_state
from wordsight.unfinished import state_path
from wordsight.words.descriptions import read_descriptions
from wordsight.words.formats import read_table, write_table

Read = Callable[[Path], None]


def put(data: bytes, path: Path) -> None:
    # some file systems wait for the disk where a file is cut to nothing and written again
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def attempt(data: bytes, path: Path, read: Read, errors: type[WordsightError] = DataError) -> bool:
    """Write a file and read it: one sentence that names it, or an object that `read` accepts."""
    put(data, path)
    try:
        read(path)
    except WordsightError as error:
        said = str(error)
        if len(said.splitlines()) != 1 or len(said) > error.longest or path.parent.name not in said:
            raise FaultError(f"this is no sentence: {said!r}") from error
        if not isinstance(error, errors):
            raise FaultError(f"a broken file is no {type(error).__name__}: {said}") from error
        return False
    return True


def check(holds: object, what: str) -> None:
    if not holds:
        raise FaultError(what)


def _checked_table(path: Path) -> None:
    table = read_table(path)
    vectors = table.vectors
    check(vectors.shape[0] == len(table.words) and vectors.shape[1] > 0, "words without vectors")
    check(np.isfinite(vectors).all(), "vectors that are not finite")
    check(vectors.dtype in (np.float32, np.float64), f"vectors of {vectors.dtype}")
    check(all(word and word.encode() for word in table.words), "a word that is none")


def _words(kind: str, folder: Path, *, packed: bool = False) -> Target:
    rng = np.random.default_rng(1)
    seeds = []
    for number, words in enumerate((["cat", "hot dog" if "safe" in kind else "dog", "é"], ["a"])):
        path = folder / f"seed{number}{'.gz' if packed else ''}"
        write_table(path, words, rng.normal(size=(len(words), 4)), format=kind)
        seeds.append(path.read_bytes())
    read = partial(attempt, path=folder / "table", read=_checked_table)
    if not packed:
        return Target(seeds, read)
    return Target(seeds, read, unpack=gzip.decompress, pack=partial(gzip.compress, mtime=0))


def _descriptions(ending: str, folder: Path) -> Target:
    given = {"okapi": ["a striped animal", "dark"], "zebra": {"description": "a horse – striped"}}
    seeds = [json.dumps(given, ensure_ascii=False, indent=1).encode()]
    if ending == "yaml":
        seeds = [
            b"okapi:\n  - a striped animal\n  - 'dark: brown'\nzebra: {description: horse}\n",
            b'a: >-\n  text\nb: |\n  two\n  lines\nc: !!str 3\n? d\n: "\\u00e9"\n# end\n',
        ]

    def read(path: Path) -> None:
        for name, texts in read_descriptions(path).items():
            check(name.strip() and name.encode(), "a name that is none")
            check(texts and all(text.strip() and text.encode() for text in texts), "no text")

    return Target(seeds, partial(attempt, path=folder / f"classes.{ending}", read=read))


def _parquet(folder: Path) -> Target:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    seeds = []
    kinds: list[tuple[list[Any], Any, Any]] = [
        ([0, 1, 0], metadata, "snappy"),
        (["a", "b", "a"], None, "none"),
        ([0, 1, 0], metadata, "zstd"),
    ]
    for labels, kept, packing in kinds:
        columns: dict[str, Any] = {
            "img": pa.array([{"bytes": bytes(9), "path": "x"}] * 3, image),
            "label": pa.array(labels),
        }
        table = pa.table(columns).replace_schema_metadata(kept)
        stream = io.BytesIO()
        pq.write_table(table, stream, compression=packing, row_group_size=2)
        seeds.append(stream.getvalue())

    def read(path: Path) -> None:
        source = ParquetSource(path)
        check(source.labels is None or len(source.labels) == len(source), "rows without a label")
        check(len(source) < 1e6, "more rows than bytes")
        for item in source.read(np.arange(len(source))):
            check(isinstance(item, bytes | BrokenImageError), f"an item of {type(item)}")

    return Target(seeds, partial(attempt, path=folder / "x.parquet", read=read))


def _tar() -> bytes:
    names = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]
    files = {name: bytes([k]) + bytes(3072) for k, name in enumerate(names)}
    files["batches.meta.txt"] = "\n".join(f"class {k}" for k in range(10)).encode()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def mend_tar(data: bytes) -> bytes:
    """Make the checksums of the headers right, as long as one follows the other."""
    fixed, at = bytearray(data), 0
    while at + 512 <= len(fixed) and any(fixed[at : at + 512]):
        fixed[at + 148 : at + 156] = b" " * 8
        total = sum(fixed[at : at + 512])
        fixed[at + 148 : at + 156] = b"%06o\0 " % total
        size = fixed[at + 124 : at + 135].strip(b" \0")
        if not size or not all(digit in b"01234567" for digit in size):
            break
        at += 512 + -(-int(size, 8) // 512) * 512
    return bytes(fixed)


def _cifar(ending: str, folder: Path) -> Target:
    def read(path: Path) -> None:
        source = CifarSource(path)
        check(source.labels is not None and len(source.labels) == len(source), "no labels")
        for item in source.read(np.arange(len(source))):
            check(isinstance(item, np.ndarray) and item.shape == (32, 32, 3), "no picture")

    tar = _tar()
    reads = partial(attempt, path=folder / f"cifar{ending}", read=read)
    if ending == ".tar":
        return Target([tar], reads, mend=mend_tar)
    packed = partial(gzip.compress, compresslevel=1, mtime=0)
    return Target([packed(tar)], reads, mend=None, unpack=gzip.decompress, pack=packed)


def _archive_of_images(kind: int, labelled: bool) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as tar:
        for key in ("cat/1", "dog/2", f"{'long' * 24}/dog/3"):
            for ending, content in (("jpg", bytes(700)), ("cls", b"1"), ("json", b'{"label": 2}')):
                if ending == "jpg" or labelled:
                    member = tarfile.TarInfo(f"{key}.{ending}")
                    member.size = len(content)
                    member.mtime = 1.5 if kind == tarfile.PAX_FORMAT else 1
                    tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _webdataset(folder: Path) -> Target:
    def read(path: Path) -> None:
        source = WebDatasetSource(path)
        check(source.labels is None or len(source.labels) == len(source), "rows without a label")
        check(len(source) <= len(path.read_bytes()) // 512, "more images than headers")
        rows = np.arange(len(source))
        for row, item in enumerate(source.read(rows)):
            check(isinstance(item, bytes | BrokenImageError), f"an item of {type(item)}")
            check(source.name(row).startswith("x.tar/"), "a name from elsewhere")
        for shard in cut(Dataset(source), 1, multiple_of=1):
            part = shard.open()
            check(part.names == [source.name(shard.first_row)], "another name in a shard")

    kinds = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    seeds = [_archive_of_images(kind, labelled) for kind in kinds for labelled in (True, False)]
    reads = partial(attempt, path=folder / "x.tar", read=read)
    return Target(seeds, reads, mend=mend_tar)


def _arrays(ending: str, folder: Path) -> Target:
    images = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
    stream = io.BytesIO()
    if ending == "npy":
        np.save(stream, images)
    else:
        np.savez(stream, images=images, labels=np.array(["a", "b", "a"]))

    def read(path: Path) -> None:
        source = open_array_file(path)
        check(source.labels is None or len(source.labels) == len(source), "rows without a label")
        for item in source.read(np.arange(min(len(source), 1000))):
            check(isinstance(item, np.ndarray) and item.dtype == np.uint8, "no picture")

    # an array that is there, but of another shape or type, is misuse
    reads = partial(attempt, path=folder / f"x.{ending}", read=read, errors=WordsightError)
    return Target([stream.getvalue()], reads)


def _cache(kind: str, folder: Path) -> Target:
    cache = FeatureCache(folder / "cache")
    place = cache._dictionary("a") if kind == "dictionary" else folder / "shard.npy"
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    if kind == "dictionary":
        cache.save_dictionary("a", {"atoms": table})
    else:
        cache.save_shard(place, table)
    seed = place.read_bytes()

    def reads(data: bytes) -> bool:
        put(data, place)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if kind == "dictionary":
                found = cache.load_dictionary("a")
                taken = bool(found) or not caught
            else:
                taken = cache.has_shard(place, 3, 4)
        said = [str(warning.message) for warning in caught]
        check(taken or (len(said) == 1 and "is damaged" in said[0]), f"what was said is {said}")
        check("\n" not in "".join(said), f"this is no sentence: {said}")
        if taken and kind == "shard":
            stored = np.load(place, allow_pickle=False)
            check(stored.shape == (3, 4) and stored.dtype == np.float32, "another shard")
        return taken

    def mend(data: bytes) -> bytes:
        return data[:-32] + hashlib.blake2b(data[:-32], digest_size=32).digest()

    return Target([seed], reads, mend=mend)


def _state(folder: Path) -> Target:
    out, key = folder / "out.csv", {"model": "one"}
    place = state_path(out)
    rows = [Prediction(f"{k}.png", "cat", 0.5, False, 0.25, ("a", "b")) for k in range(6)]
    with open_state(out, key) as state:
        state.append(rows[:4])
        state.commit()
        state.append(rows[4:])
        state.commit()
    seed = place.read_bytes()

    def read(_path: Path) -> None:
        with open_state(out, key) as state:
            found = list(state.rows())
            check(len(found) == state.n_rows, f"{len(found)} rows of {state.n_rows}")
            # a digest guards each chunk: what is believed is what was written
            check(found == rows[: len(found)] and len(found) in (0, 4, 6), f"rows {found}")

    def reads(data: bytes) -> bool:
        put(data, place)
        try:
            read(place)
        except WordsightError as error:
            check("of another model" in str(error), f"this is no sentence: {error}")
            return False
        return True

    return Target([seed], reads)


def _model(name: str, folder: Path) -> Target:
    # imported here: the other targets do without torch
    from wordsight import CrossModalClassifier, load_model, save_model  # noqa: PLC0415
    from wordsight.mapping.linear import LinearMap  # noqa: PLC0415
    from wordsight.words.vectors import WordVectors  # noqa: PLC0415

    rng = np.random.default_rng(0)
    words = WordVectors(["car", "dog", "cat"], rng.normal(size=(3, 4)).astype(np.float32))
    X, labels = rng.normal(size=(160, 5)), np.array(["car", "dog"] * 80)
    X[1::2] += 3
    model = CrossModalClassifier(words, unseen=["cat"], mapping=LinearMap(0.1), random_state=0)
    directory = save_model(model.fit(X, labels), folder / "model")
    seed = (directory / name).read_bytes()

    def read(path: Path) -> None:
        model = load_model(path.parent)
        try:
            proba = model.predict_proba(X[:2])
        except WordsightError:  # numbers of 1e200 can be computed with, but not squared
            return
        check(np.isfinite(proba).all(), "probabilities that are not finite")
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)

    return Target([seed], partial(attempt, path=directory / name, read=read))


def _tensors_of_words(folder: Path) -> Target:
    base = _words("safetensors", folder)
    quantised = save_tensors(
        {
            "vectors": np.ones((2, 3), np.int8),
            "scales": np.ones(2, np.float32),
            "word_bytes": np.frombuffer(b"catdog", np.uint8),
            "word_lengths": np.array([3, 3], np.uint32),
        },
        metadata={"wordsight.word_vectors": '{"version": 1, "source": "x"}'},
    )
    return Target([*base.seeds, quantised], base.attempt)


TARGETS: dict[str, Callable[[Path], Target]] = {
    "text": partial(_words, "word2vec-text"),
    "binary": partial(_words, "word2vec-binary"),
    "glove": partial(_words, "glove"),
    "safetensors": _tensors_of_words,
    "text.gz": partial(_words, "word2vec-text", packed=True),
    "binary.gz": partial(_words, "word2vec-binary", packed=True),
    "json": partial(_descriptions, "json"),
    "yaml": partial(_descriptions, "yaml"),
    "parquet": _parquet,
    "tar": partial(_cifar, ".tar"),
    "tar.gz": partial(_cifar, ".tar.gz"),
    "webdataset": _webdataset,
    "npy": partial(_arrays, "npy"),
    "npz": partial(_arrays, "npz"),
    "shard": partial(_cache, "shard"),
    "dictionary": partial(_cache, "dictionary"),
    "state": _state,
    "config": partial(_model, "config.json"),
    "tensors": partial(_model, "model.safetensors"),
}
