"""Sentences to vectors, by a model from sentence-transformers that is on this machine."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError, WordsightError
from wordsight.storage import atomic_path, save_array

__all__ = ["SentenceEncoder"]


class SentenceEncoder:
    """A sentence-transformers model in a local folder (extra ``text``).

    Nothing is downloaded, no code of the model's is run, and weights are read from safetensors
    alone.

    Parameters
    ----------
    folder : path-like
        A model as `SentenceTransformer.save` writes it, or as a model hub holds it.
    cache : path-like, optional
        A folder where vectors of texts are kept and found again.
    device : str or None, default None
        Where to compute; None is ``"cpu"``.

    Raises
    ------
    InputError
        There is no such folder, or no model in it.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        cache: str | os.PathLike[str] | None = None,
        device: str | None = None,
    ) -> None:
        self._folder = Path(folder)
        if not (self._folder / "modules.json").is_file():
            raise InputError(
                f"there is no sentence-transformers model at {self._folder}; give the folder of "
                "one that is on this machine (it holds modules.json): nothing is downloaded"
            )
        self._cache = None if cache is None else Path(cache)
        self._device = device
        self._model: Any = None
        self._digest = _digest(self._folder)

    @property
    def name(self) -> str:
        """The folder's name and a digest of all its files."""
        return f"{self._folder.resolve().name} ({self._digest[:16]})"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vector of each text, (n, d), from the cache where it is there.

        Raises
        ------
        WordsightError
            sentence-transformers is not installed, or the model cannot be loaded.
        """
        kept = [self._kept(text) for text in texts]
        lacking = [number for number, vector in enumerate(kept) if vector is None]
        if lacking:
            made = self._encode([texts[number] for number in lacking])
            for number, vector in zip(lacking, made, strict=True):
                kept[number] = vector
                self._keep(texts[number], vector)
        return np.stack([vector for vector in kept if vector is not None])

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._model is None:
            self._model = _load(self._folder, self._device)
        found = self._model.encode(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)

    def _place(self, text: str) -> Path | None:
        if self._cache is None:
            return None
        key = hashlib.sha256(text.encode()).hexdigest()
        return self._cache / f"text-{self._digest[:16]}" / f"{key}.npy"

    def _kept(self, text: str) -> NDArray[np.float32] | None:
        place = self._place(text)
        if place is None or not place.is_file():
            return None
        try:
            vector = np.load(place, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None  # damaged: it is made again
        fits = vector.dtype == np.float32 and vector.ndim == 1 and np.isfinite(vector).all()
        return vector if fits else None

    def _keep(self, text: str, vector: NDArray[np.float32]) -> None:
        place = self._place(text)
        if place is None:
            return
        with atomic_path(place) as temporary:
            save_array(temporary, vector)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    files = sorted(place for place in folder.rglob("*") if place.is_file())
    for place in files:
        if place.name.startswith(".") or place.suffix == ".md":
            continue
        digest.update(place.relative_to(folder).as_posix().encode() + b"\0")
        with place.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _load(folder: Path, device: str | None) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - optional, slow
    except ImportError as error:
        raise WordsightError(
            "describing classes needs sentence-transformers: pip install 'wordsight[text]'"
        ) from error
    from transformers.utils import logging  # noqa: PLC0415 - comes with it

    quiet: Any = logging
    quiet.disable_progress_bar()  # loading takes a second, and has no place in logs
    try:
        return SentenceTransformer(
            str(folder),
            device=device or "cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # of whatever kind: it comes from files
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise WordsightError(
            f"the model at {folder} cannot be loaded ({reason}); give the folder of a "
            "sentence-transformers model with safetensors weights"
        ) from error
