"""Results of long work, kept on disk: whole or not at all, for one setting, under a checksum."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import DataError
from wordsight.storage import atomic_directory, save_array

__all__ = ["Kept", "Store"]

Arrays = dict[str, NDArray[Any]]

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Kept:
    """What a piece of work made.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Memory-mapped, read-only.
    value : JSON value
    seconds : float
        What the work took when it was done, without other kept work inside it.
    """

    arrays: Arrays
    value: Any = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Made:
    """What a piece of work hands to the store.

    Attributes
    ----------
    arrays : dict of str to ndarray
    value : JSON value
    """

    arrays: Arrays = field(default_factory=dict)
    value: Any = None


class Store:
    """A folder of finished work.

    Each piece lies in a folder of its own, named by what it is and by a digest of all that it
    depends on: with another setting another folder is looked for, so nothing stale is used. A
    manifest holds the digest of every file; a piece that does not agree with it is made again.

    Parameters
    ----------
    directory : path-like
        Is made where it is missing.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self._inner: list[float] = []  # seconds of kept work inside the work under way

    def kept(self, name: str, parts: Mapping[str, Any], make: Callable[[], Made]) -> Kept:
        """Return a piece of work, doing it where it has not been done.

        Parameters
        ----------
        name : str
            What it is.
        parts : mapping
            All that it depends on, as JSON values.
        make : callable
            Does the work.

        Returns
        -------
        Kept
        """
        start = perf_counter()
        found = self.find(name, parts)
        if found is None:
            found = self._make(name, parts, make)
        if self._inner:
            self._inner[-1] += perf_counter() - start
        return found

    def find(self, name: str, parts: Mapping[str, Any]) -> Kept | None:
        """Return a piece of work if it has been done and is whole."""
        place = self.place(name, parts)
        if not place.exists():
            return None
        try:
            return _read(place)
        except DataError as error:
            warnings.warn(f"{error}; it is made again", stacklevel=2)
            return None

    def place(self, name: str, parts: Mapping[str, Any]) -> Path:
        """Return the folder that a piece of work is kept in."""
        text = json.dumps(dict(parts), sort_keys=True, allow_nan=False)
        return self.directory / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def _make(self, name: str, parts: Mapping[str, Any], make: Callable[[], Made]) -> Kept:
        self._inner.append(0.0)
        start = perf_counter()
        try:
            made = make()
        finally:
            inner = self._inner.pop()
        seconds = perf_counter() - start - inner
        place = self.place(name, parts)
        with atomic_directory(place, overwrite=True) as folder:
            for key, array in made.arrays.items():
                save_array(folder / f"{key}.npy", array)
            content = {"parts": dict(parts), "value": made.value, "seconds": seconds}
            files = {f"{key}.npy": _digest(folder / f"{key}.npy") for key in made.arrays}
            manifest = {**content, "files": files, "digest": _digest_of(content)}
            text = json.dumps(manifest, indent=1, allow_nan=False)
            (folder / _MANIFEST).write_text(text, encoding="utf-8")
        # what was just written is used like what was found: the same arrays, memory-mapped
        arrays = {key: _map(place / f"{key}.npy") for key in made.arrays}
        return Kept(arrays, made.value, seconds)


def _read(place: Path) -> Kept:
    """Read a piece of work and compare it with its digests."""
    try:
        manifest = json.loads((place / _MANIFEST).read_text(encoding="utf-8"))
        content = {key: manifest[key] for key in ("parts", "value", "seconds")}
        whole = manifest["digest"] == _digest_of(content) and all(
            _digest(place / name) == digest for name, digest in manifest["files"].items()
        )
        if whole:
            arrays = {Path(name).stem: _map(place / name) for name in manifest["files"]}
            return Kept(arrays, content["value"], float(content["seconds"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{place} is damaged ({error}); remove it to compute it again") from error
    raise DataError(f"{place} is damaged (its checksum differs); remove it to compute it again")


def _map(place: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(place, mmap_mode="r", allow_pickle=False)
    return array


def _digest(place: Path) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _digest_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
