"""A cache of features on disk: every block of images is encoded once, and found again by content.

A folder holds what is expensive: dictionaries, and the pooled features of images in shards of 4,096
rows. Names are digests of all that the content depends on (the pixels of the images; the settings
or the encoder), so whoever asks for the same gets the same, and nothing stale is ever used. Files
appear whole or not at all and end in a checksum: a damaged one is noticed and made again. Several
processes may share a folder; at worst they make the same file twice.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from wordsight.exceptions import DataError, InputError
from wordsight.features.images import walk
from wordsight.progress import report
from wordsight.rows import READ, StoredRows
from wordsight.storage import atomic_path, check_writable, save_array

__all__ = [
    "BLOCK_ROWS", "CachedFeatures", "FeatureCache", "FeatureMaker", "ImageBlock", "Precision",
    "digest_of",
]  # fmt: skip

Precision = Literal["float32", "float16"]
"""How features are stored. float16 takes half the room; it rounds each pooled feature by at most
1 part in 2,048 of itself."""

BLOCK_ROWS = 4096
"""Images a shard: 210 MB with 12,800 features in single precision."""

_BATCH = 256
_CHECKSUM = 32


@dataclass(frozen=True)
class ImageBlock:
    """Some images, known by their content.

    Attributes
    ----------
    rows : ndarray of int64, shape (b,)
        Where they stand in their set.
    digest : str
        Of their pixels.
    """

    rows: NDArray[np.int64]
    digest: str


def digest_of(*parts: Any) -> str:
    """Digest arrays, and whatever JSON can write, into 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
    return digest.hexdigest()


def blocks_of(images: Any, image_size: tuple[int, int] | None) -> list[ImageBlock]:
    """Digest the pixels of images, block by block, reading each image once.

    Images that a set skips as broken are in no block.
    """
    found: list[ImageBlock] = []
    rows: list[NDArray[np.int64]] = []
    digest = hashlib.blake2b(digest_size=16)
    n_rows = 0

    def close() -> None:
        nonlocal rows, digest, n_rows
        if n_rows:
            found.append(ImageBlock(np.concatenate(rows), digest.hexdigest()))
        rows, digest, n_rows = [], hashlib.blake2b(digest_size=16), 0

    for some, pixels in walk(images, image_size, _BATCH):
        start = 0
        while start < len(some):
            stop = min(len(some), start + BLOCK_ROWS - n_rows)
            part = np.ascontiguousarray(pixels[start:stop])
            digest.update(str(part.shape[1:]).encode() + part.data)
            rows.append(some[start:stop])
            n_rows += stop - start
            start = stop
            if n_rows == BLOCK_ROWS:
                close()
        report("looking for features in the cache", int(some[-1]) + 1, len(images))
    close()
    return found


class CachedFeatures(StoredRows):
    """Features of images in the shards of a cache, standardised as they are read.

    Parameters
    ----------
    shards : sequence of path
        In the order of the images.
    counts : sequence of int
        Rows of each shard.
    n_features : int
    rows : ndarray of int64, shape (n,)
        Where the images stand in their set.
    """

    def __init__(
        self,
        shards: Sequence[os.PathLike[str]],
        counts: Sequence[int],
        n_features: int,
        rows: NDArray[np.int64],
    ) -> None:
        self.rows = rows
        self._shards = list(shards)
        self._ends = np.cumsum([0, *counts])
        self._n_features = n_features
        self._standardise: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Images and features."""
        return int(self._ends[-1]), self._n_features

    def standardised(
        self, mean: NDArray[np.float32], scale: NDArray[np.float32]
    ) -> "CachedFeatures":
        """Return the same features, read as ``(pooled − mean) / scale``."""
        counts = np.diff(self._ends).tolist()
        made = CachedFeatures(self._shards, counts, self._n_features, self.rows)
        made._standardise = (mean, scale)
        return made

    def __getitem__(self, rows: slice | NDArray[Any]) -> NDArray[np.float32]:
        if isinstance(rows, slice):
            chosen = np.arange(len(self))[rows]
        else:
            chosen = np.asarray(rows)
            chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        out = np.empty((len(chosen), self._n_features), dtype=np.float32)
        shard_of = np.searchsorted(self._ends, chosen, side="right") - 1
        for number in np.unique(shard_of):
            here = np.flatnonzero(shard_of == number)
            # mapped for this read alone: pages that stay mapped count as memory in use
            place = os.fspath(self._shards[number])
            stored = np.load(place, mmap_mode="r", allow_pickle=False)
            inside = chosen[here] - self._ends[number]
            first, last = int(inside[0]), int(inside[-1])
            whole = last - first + 1 == len(inside) and bool((np.diff(inside) == 1).all())
            target: slice | NDArray[np.intp] = here
            if len(here) == len(out):
                target = slice(None)
            out[target] = stored[first : last + 1] if whole else stored[inside]
        if self._standardise is not None:
            mean, scale = self._standardise
            out -= mean
            out /= scale
        return out

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield where images stand, and their features, a few at a time and in order."""
        for start in range(0, len(self), READ):
            yield self.rows[start : start + READ], self[start : start + READ]


@runtime_checkable
class FeatureMaker(Protocol):
    """Fits features and makes those of all training images, wherever that is done."""

    def fit_features(self, features: Any, images: Any) -> StoredRows:
        """Fit `features`, and return what they are of `images`, shape (n, F), standardised."""


class FeatureCache:
    """A folder of dictionaries and features.

    Parameters
    ----------
    directory : path-like
        Is made where it is missing.
    precision : {"float32", "float16"}, default "float32"
        How features are stored. With float32, results are those without a cache, to the bit.

    Raises
    ------
    InputError
        The folder is a file, or the precision has another name.
    WordsightError
        Nothing can be written there.
    """

    def __init__(self, directory: str | os.PathLike[str], precision: Precision = "float32") -> None:
        if precision not in ("float32", "float16"):
            raise InputError(f"precision={precision!r} was given; expected float32 or float16")
        self.directory = Path(directory)
        if self.directory.exists() and not self.directory.is_dir():
            raise InputError(f"{directory} is a file; name a folder for the cache")
        check_writable(self.directory / "features")
        self.precision: Precision = precision

    def load_dictionary(self, key: str) -> dict[str, NDArray[Any]]:
        """Return the arrays that were saved under a key, or nothing."""
        place = self._dictionary(key)
        content = _checked_bytes(place)
        if content is None:
            return {}
        try:
            return load_tensors(content)
        except (SafetensorError, ValueError) as error:
            _warn(place, error)
            return {}

    def save_dictionary(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep a dictionary and what belongs to it."""
        content = save_tensors(dict(arrays))
        with atomic_path(self._dictionary(key)) as temporary:
            temporary.write_bytes(content + hashlib.blake2b(content, digest_size=32).digest())

    def _dictionary(self, key: str) -> Path:
        return self.directory / "dictionaries" / f"{key}.safetensors"

    def shard(self, encoder: str, block: ImageBlock) -> Path:
        """Return where the features of a block of images lie, or will."""
        folder = f"{encoder}-{self.precision}"
        return self.directory / "features" / folder / f"{block.digest}.npy"

    def has_shard(self, place: Path, n_rows: int, n_features: int) -> bool:
        """Say whether a shard is there and whole; of a damaged one a warning is given."""
        if not place.exists():
            return False
        try:
            stored = np.load(place, mmap_mode="r", allow_pickle=False)
            if stored.shape != (n_rows, n_features) or stored.dtype != np.dtype(self.precision):
                raise DataError("it has another shape or type")
            del stored
            if not _is_whole(place):
                raise DataError("its checksum differs")
        # NumPy reads the header as Python, and damage makes that raise nearly anything
        except Exception as error:
            _warn(place, error)
            return False
        return True

    def save_shard(self, place: Path, pooled: NDArray[np.float32]) -> None:
        """Keep the pooled features of a block of images, shape (b, F)."""
        with np.errstate(over="ignore"):
            stored = pooled.astype(self.precision, copy=False)
        if self.precision == "float16" and not np.isfinite(stored).all():
            raise InputError(
                "a feature is too large for float16 (above 65,504); keep this cache in float32"
            )
        with atomic_path(place) as temporary:
            save_array(temporary, stored)
            checksum = _file_digest(temporary, temporary.stat().st_size)
            with temporary.open("ab") as file:
                file.write(checksum)


def _file_digest(place: Path, size: int) -> bytes:
    """Digest the first bytes of a file, a megabyte at a time."""
    digest = hashlib.blake2b(digest_size=_CHECKSUM)
    with place.open("rb") as file:
        while size > 0 and (part := file.read(min(size, 1 << 20))):
            digest.update(part)
            size -= len(part)
    return digest.digest()


def _is_whole(place: Path) -> bool:
    size = place.stat().st_size - _CHECKSUM
    if size <= 0:
        return False
    with place.open("rb") as file:
        file.seek(size)
        return file.read() == _file_digest(place, size)


def _checked_bytes(place: Path) -> bytes | None:
    """Return the content of a file that ends in its checksum, or None."""
    try:
        content = place.read_bytes()
    except FileNotFoundError:
        return None
    body, checksum = content[:-_CHECKSUM], content[-_CHECKSUM:]
    if hashlib.blake2b(body, digest_size=_CHECKSUM).digest() != checksum:
        _warn(place, "its checksum differs")
        return None
    return body


def _warn(place: Path, reason: object) -> None:
    said = " ".join(str(reason).split())
    warnings.warn(f"{place} is damaged ({said}); it is made again", stacklevel=3)
