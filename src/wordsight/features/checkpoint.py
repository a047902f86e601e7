"""Unfinished work of `PatchFeatures`, kept on disk so that an interrupted fit goes on.

A work folder holds what was expensive: the dictionary, and the features of the images encoded so
far in files of 4,096 rows. Each file appears whole or not at all, so whatever is there is good;
the manifest names the settings and the images that it belongs to.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from wordsight.exceptions import DataError, InputError
from wordsight.features.images import walk
from wordsight.storage import atomic_path

__all__ = ["ROWS", "Checkpoint", "fingerprint", "remove_work"]

ROWS = 4096
"""Rows a file: 210 MB with 12,800 features, some ten seconds of work."""

_SAMPLED = 64


def fingerprint(images: Any, image_size: tuple[int, int] | None) -> str:
    """Return a digest that tells one set of images from another.

    Their number and the pixels of 64 of them, evenly spaced, are digested, not all of them: it is
    to catch the wrong folder, not a forger.
    """
    digest = hashlib.sha256(str(len(images)).encode())
    rows = np.unique(np.linspace(0, len(images) - 1, _SAMPLED).astype(np.int64))
    part = images[rows] if isinstance(images, np.ndarray) else images.select(rows)
    for _rows, pixels in walk(part, image_size, _SAMPLED):
        digest.update(str(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def remove_work(directory: str | os.PathLike[str]) -> None:
    """Remove a work folder that has served its purpose, and nothing else that lies in it."""
    folder = Path(directory)
    for pattern in ("features-*.npy", "dictionary.safetensors", "manifest.json"):
        for place in folder.glob(pattern):
            place.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


class Checkpoint:
    """The work folder of one fit.

    Parameters
    ----------
    directory : path-like
        Is made where it is missing.
    manifest : mapping
        What the work belongs to: settings and images, as JSON values.

    Raises
    ------
    InputError
        The folder holds the work of another fit, or other files.
    """

    def __init__(self, directory: str | os.PathLike[str], manifest: Mapping[str, Any]) -> None:
        self._directory = Path(directory)
        text = json.dumps(dict(manifest), indent=2, sort_keys=True)
        place = self._directory / "manifest.json"
        if place.exists():
            if place.read_text(encoding="utf-8") != text:
                raise InputError(
                    f"{directory} holds the work of another fit (other settings or images); name "
                    "another folder, or remove it"
                )
        elif self._directory.exists() and any(self._directory.iterdir()):
            raise InputError(f"{directory} holds other files; name a new folder for the work")
        else:
            with atomic_path(place) as temporary:
                temporary.write_text(text, encoding="utf-8")

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        settings: Mapping[str, Any],
        images: Any,
        image_size: tuple[int, int] | None,
    ) -> Self:
        """Open the work folder for some settings and images."""
        plain = {
            name: value if isinstance(value, str | int | float | None) else str(value)
            for name, value in settings.items()
            if name != "device"
        }
        return cls(
            directory, {"settings": plain, "images": fingerprint(images, image_size), "version": 1}
        )

    def load_dictionary(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that were saved, or nothing."""
        place = self._directory / "dictionary.safetensors"
        if not place.exists():
            return {}
        try:
            return load_file(place)
        except (SafetensorError, OSError, ValueError) as error:
            raise self._broken(place) from error

    def save_dictionary(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Keep the dictionary and what belongs to it."""
        with atomic_path(self._directory / "dictionary.safetensors") as temporary:
            try:
                save_file(arrays, temporary)
            except SafetensorError as error:
                # a full disk comes as one of these, and whoever writes files expects an OSError
                raise OSError(str(error)) from error

    def blocks(self, n_features: int) -> Iterator[NDArray[np.float32]]:
        """Yield the features that were saved, from the first image on."""
        for number in range(10**9):
            place = self._block(number)
            if not place.exists():
                return
            try:
                block = np.load(place, allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise self._broken(place) from error
            if block.shape != (ROWS, n_features) or block.dtype != np.float32:
                raise self._broken(place)
            yield block

    def save_block(self, number: int, features: NDArray[np.float32]) -> None:
        """Keep the features of images ``ROWS · number`` and following."""
        with atomic_path(self._block(number)) as temporary:
            np.save(temporary, features, allow_pickle=False)

    def _block(self, number: int) -> Path:
        return self._directory / f"features-{number:06d}.npy"

    def _broken(self, place: Path) -> DataError:
        return DataError(f"{place} is damaged; remove it, and its images are computed again")
