"""Galleries kept on disk, so that an explorer that was open before opens at once.

What is kept bears the digest of all that it was made of: the stored bytes of every image, the files
of the model, and how many images were drawn by which seed. What is stale is never found.
"""

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from wordsight import __version__
from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.data.dataset import Dataset
from wordsight.data.source import BrokenImage
from wordsight.exceptions import WordsightError
from wordsight.exploration.gallery import Gallery
from wordsight.features.cache import FeatureCache
from wordsight.progress import report
from wordsight.storage import atomic_path, save_tensors

__all__ = ["kept_gallery"]

_ARRAYS = ("mapped", "seen_proba", "novelty_score", "novelty_proba")


def kept_gallery(
    folder: Path,
    model: CrossModalClassifier,
    model_folder: Path,
    data: Dataset,
    *,
    limit: int | None,
    random_state: int,
    features: FeatureCache | None = None,
) -> Gallery:
    """Return the gallery of a saved model: the one that is kept, or a new one, which is then kept.

    Parameters
    ----------
    folder : pathlib.Path
        Where galleries are kept. Where nothing can be written, none is.
    model : CrossModalClassifier
        As it was loaded.
    model_folder : pathlib.Path
        Where from.
    data : Dataset
    limit, random_state
        As for `Gallery.of`.
    features : FeatureCache, optional
        Where features are kept.

    Returns
    -------
    Gallery
    """
    settings = [__version__, limit, random_state, model.gate, str(model.classes_.dtype)]
    digest = hashlib.blake2b(json.dumps(settings).encode(), digest_size=16)
    for name in ("config.json", "model.safetensors"):
        digest.update((model_folder / name).read_bytes())
    _add_images(digest, data)
    place = folder / "galleries" / f"{digest.hexdigest()}.safetensors"
    found = _read(place, model, data)
    if found is not None:
        return found
    made = Gallery.of(model, data, cache=features, limit=limit, random_state=random_state)
    with contextlib.suppress(WordsightError):  # a full disk: it is made again the next time
        _write(place, made)
    return made


def _add_images(digest: Any, data: Dataset) -> None:
    """Digest the images as they are stored, which takes a fraction of decoding them."""
    for number, item in enumerate(data.source.read(data.source_rows)):
        if isinstance(item, bytes):
            digest.update(f"{len(item)} ".encode() + item)
        elif isinstance(item, np.ndarray):
            digest.update(str(item.shape).encode() + np.ascontiguousarray(item).tobytes())
        else:
            digest.update(str(item).encode())
        if number % 256 == 0:
            report("looking for the images in the cache", number, len(data))


def _write(place: Path, gallery: Gallery) -> None:
    found = gallery.recognition
    broken = json.dumps([asdict(one) for one in gallery.broken]).encode()
    arrays: dict[str, NDArray[Any]] = {name: getattr(found, name) for name in _ARRAYS}
    arrays |= {"rows": gallery.rows, "colours": gallery.colours}
    arrays["broken"] = np.frombuffer(broken, dtype=np.uint8)
    with atomic_path(place) as temporary:
        save_tensors(temporary, {name: np.ascontiguousarray(each) for name, each in arrays.items()})


def _read(place: Path, model: CrossModalClassifier, data: Dataset) -> Gallery | None:
    try:
        kept = load_file(place)
        broken = json.loads(kept["broken"].tobytes())
        recognition = model.recalled(**{name: kept[name] for name in _ARRAYS})
        return Gallery(
            data, kept["rows"], recognition, kept["colours"],
            tuple(BrokenImage(**one) for one in broken),
        )  # fmt: skip
    except (OSError, SafetensorError, LookupError, ValueError, TypeError):
        return None  # not there, or damaged: it is made again
