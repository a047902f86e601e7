"""Small pictures in files, and clusters in this process, for the tests of this folder."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from wordsight import CrossModalClassifier, EncodedFeatures, LinearMap, PatchFeatures
from wordsight.distributed.cluster import Here
from wordsight.distributed.job import Job
from wordsight.distributed.parts import PartFolder

OF_SHARD = 2048
"""Images of a shard: blocks of encoding, of reading and of sums all fall as on one machine."""

N = 2 * OF_SHARD + 300
SIDE = 8
SEEN = ("ant", "bee", "cat", "dog")
_VECTORS = np.random.default_rng(5).normal(size=(5, 6)).astype(np.float32)
WORDS = dict(zip((*SEEN, "eel"), _VECTORS, strict=True))


class Workers(Here):
    """This process, which says that it is several workers."""

    def __init__(self, count: int) -> None:
        self._count = count

    @property
    def n_workers(self) -> int:
        return self._count


def colours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean and spread of each colour."""
    pixels = images.reshape(len(images), -1, 3).astype(np.float64)
    return np.hstack([pixels.mean(axis=1), pixels.std(axis=1)])


def pictures(n: int = N) -> tuple[NDArray[np.uint8], list[str]]:
    """Noise around a colour of each class."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, len(SEEN), n)
    base = rng.integers(60, 190, (len(SEEN), SIDE, SIDE, 3))
    images = np.clip(base[codes] + rng.normal(0, 40, (n, SIDE, SIDE, 3)), 0, 255)
    return images.astype(np.uint8), [SEEN[code] for code in codes]


def write_arrays(place: Path, n: int = N) -> Path:
    """Write pictures to an .npz file: nothing is to be decoded."""
    images, labels = pictures(n)
    np.savez(place, images=images, labels=labels)
    return place


def write_parquet(place: Path, n: int = N, broken: tuple[int, ...] = ()) -> Path:
    """Write pictures, and some that cannot be decoded, to a parquet file."""
    images, labels = pictures(n)
    encoded = []
    for row, image in enumerate(images):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG", compress_level=1)
        encoded.append(b"no picture" if row in broken else file.getvalue())
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = pa.array([{"bytes": one, "path": None} for one in encoded], kind)
    pq.write_table(pa.table({"image": column, "label": labels}), place, row_group_size=1000)
    return place


def patches(**changes: Any) -> PatchFeatures:
    settings: dict[str, Any] = {"n_atoms": 5, "n_patches": 800, "max_iter": 3, "random_state": 0}
    return PatchFeatures(**{**settings, **changes})


def model(features: Any = None, **changes: Any) -> CrossModalClassifier:
    settings: dict[str, Any] = {
        "features": patches() if features is None else features,
        "mapping": LinearMap("auto", random_state=0),
        "random_state": 0,
        "false_novel_rate": 0.2,
    }
    return CrossModalClassifier(WORDS, ["eel"], **{**settings, **changes})


def encoded() -> EncodedFeatures:
    return EncodedFeatures(colours)


def job(folder: Path, **changes: Any) -> Job:
    return Job(PartFolder(folder), **{"shard_images": OF_SHARD, "multiple_of": OF_SHARD, **changes})
