"""What benchmarks work on: pictures, patches, features, models; made up, or of CIFAR-10."""

import io
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.benchmark import Failed, Setting
from wordsight import CrossModalClassifier, PatchFeatures, open_dataset, save_model
from wordsight.data.dataset import Dataset
from wordsight.data.scenes import SCENE_CLASSES, SEEN, make_scenes
from wordsight.features.patches import normalise_contrast, sample_patches
from wordsight.features.whitening import zca

__all__ = [
    "cifar",
    "correlated",
    "features_on_disk",
    "mosaics",
    "pictures",
    "room",
    "small_model",
    "whitened_patches",
    "write_parquet",
    "write_pngs",
]

_BLOCK = 2000
_NOISE = 0.07


@contextmanager
def room(gigabytes: float = 0.0) -> Iterator[Path]:
    """Yield a folder for temporary files, or say that the disk has not the room for them."""
    with TemporaryDirectory(prefix="wordsight-benchmark-") as name:
        free = shutil.disk_usage(name).free / 1e9
        if free < gigabytes:
            raise Failed(
                f"{gigabytes:.1f} GB are needed for temporary files, and {Path(name).parent} has "
                f"{free:.1f}; name another folder in TMPDIR"
            )
        yield Path(name)


def cifar(setting: Setting) -> Path | None:
    """Return the folder of CIFAR-10, where one was named."""
    return None if setting.data is None else setting.data / "cifar10"


def pictures(setting: Setting, n: int) -> NDArray[np.uint8]:
    """Return pictures of 32 × 32: training images of CIFAR-10, or drawn scenes, all different."""
    folder = cifar(setting)
    if folder is None:
        return make_scenes(-(-n // len(SCENE_CLASSES)))[0][:n]
    return pictures_of(open_dataset(folder, split="train"), n)


def pictures_of(images: Dataset, n: int) -> NDArray[np.uint8]:
    """Return some images of a data set, drawn at random."""
    chosen = np.random.default_rng(0).permutation(len(images))[:n]
    return images.select(np.sort(chosen)).images((32, 32)).images


def mosaics(n: int, n_classes: int = 10) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pictures of coloured squares with noise, and classes that differ in their colour."""
    rng = np.random.default_rng(0)
    codes = np.arange(n) % n_classes
    colours = rng.integers(0, 60, (n_classes, 1, 1, 3))
    images = np.empty((n, 32, 32, 3), dtype=np.uint8)
    for start in range(0, n, _BLOCK):
        some = codes[start : start + _BLOCK]
        coarse = rng.integers(0, 140, (len(some), 8, 8, 3)) + colours[some]
        fine = rng.integers(0, 56, (len(some), 32, 32, 3))
        images[start : start + _BLOCK] = coarse.repeat(4, axis=1).repeat(4, axis=2) + fine
    return images, codes


def whitened_patches(images: NDArray[np.uint8], n: int) -> torch.Tensor:
    """Return n random patches as a dictionary is learned from, (n, 108), float32."""
    drawn = sample_patches(
        images,
        n,
        patch_size=6,
        stride=1,
        image_size=None,
        random_state=np.random.RandomState(0),
    )
    settings = PatchFeatures()
    patches = normalise_contrast(torch.from_numpy(drawn), settings.contrast_constant).double()
    mean = patches.mean(0)
    centred = patches - mean
    covariance = (centred.T @ centred / (len(centred) - 1)).numpy()
    _mean, whitener = zca(mean.numpy(), covariance, settings.whitening_constant)
    return (centred @ torch.from_numpy(whitener)).float()


def correlated(n: int, n_features: int, codes: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """Yield blocks of features of unit variance with a spectrum like that of encoded images.

    Of 3,000 images of CIFAR-10, each with 12,800 features, the eigenvalues of the covariance fall
    as 1907, 954 (the third), 270 (10th), 28.7 (50th), 8.7 (100th), 0.82 (400th) and 0.057 (1600th).
    Classes differ a little in all directions, about as much as nearest means tell 83 % of eight
    classes right.
    """
    generator = torch.Generator().manual_seed(0)
    rank = min(n_features // 2, 1600)
    k = torch.arange(1, rank + 1)
    strength = torch.sqrt(1.0 / (k * (1.0 + k / 25.0)))
    directions = torch.randn(rank, n_features, generator=generator) * strength[:, None]
    directions /= directions.square().sum(0).sqrt()
    n_classes = int(codes.max()) + 1
    centers = torch.randn(n_classes, rank, generator=generator) * math.sqrt(4.5 / rank)
    for start in range(0, n, _BLOCK):
        some = torch.from_numpy(codes[start : start + _BLOCK])
        latent = centers[some] + torch.randn(len(some), rank, generator=generator)
        noise = _NOISE * torch.randn(len(some), n_features, generator=generator)
        yield (latent @ directions + noise).numpy()


def _encoded(
    folder: Path, n: int, n_features: int, codes: NDArray[np.int64]
) -> Iterator[NDArray[np.float32]]:
    """Yield blocks of the features of training images of CIFAR-10, class after class."""
    images = open_dataset(folder, split="train")
    names, labels = np.unique(np.asarray(images.labels), return_inverse=True)
    counts = np.bincount(codes, minlength=len(names))
    rows = [np.flatnonzero(labels == code)[:count] for code, count in enumerate(counts)]
    features = PatchFeatures(n_features // 8, n_patches=50_000, max_iter=5, random_state=0)
    features.fit(pictures_of(images, 2000))
    for _rows, block in features.stream(images.select(np.concatenate(rows)[:n])):
        yield block


def features_on_disk(
    setting: Setting, folder: Path, n: int, n_features: int, n_classes: int
) -> dict[str, str]:
    """Write features, the class of each row (sorted) and word vectors; return where they are.

    The words are 50-d; the files are float32, int64 and float32 as `numpy.save` writes them. The
    features are of CIFAR-10 where it was named, and made up otherwise.
    """
    codes = np.sort(np.arange(n) % n_classes)
    words = np.random.default_rng(1).normal(size=(n_classes, 50)).astype(np.float32)
    X = np.lib.format.open_memmap(
        folder / "X.npy", mode="w+", dtype=np.float32, shape=(n, n_features)
    )
    source = cifar(setting)
    blocks = _encoded(source, n, n_features, codes) if source else correlated(n, n_features, codes)
    done = 0
    for block in blocks:
        X[done : done + len(block)] = block
        done += len(block)
    if done != n:
        raise Failed(f"{n} images were needed and {done} are there")
    X.flush()
    np.save(folder / "codes.npy", codes)
    np.save(folder / "words.npy", words)
    return {name: str(folder / f"{name}.npy") for name in ("X", "codes", "words")}


def small_model(out: Path, *, n_atoms: int) -> None:
    """Save a model whose parts have their full size, learned from few scenes in few passes."""
    images, labels = make_scenes(12, classes=SEEN)
    features = PatchFeatures(n_atoms, n_patches=max(20_000, n_atoms), max_iter=2)
    features.set_params(random_state=0, image_size=32)
    model = CrossModalClassifier(None, ("red circle",), features=features, random_state=0)
    save_model(model.fit(images, labels), out)


def write_pngs(folder: Path, n: int) -> None:
    """Write n scenes of 32 × 32 pixels as PNG files."""
    folder.mkdir(parents=True)
    for row, image in enumerate(make_scenes(-(-n // len(SCENE_CLASSES)), split="test")[0][:n]):
        Image.fromarray(image).save(folder / f"{row:05d}.png")


def write_parquet(path: Path, setting: Setting, n: int) -> None:
    """Write n labelled images in a parquet file: the first ones of CIFAR-10, or mosaics."""
    folder = cifar(setting)
    if folder is not None:
        (source,) = sorted(folder.glob("train*.parquet"))
        pq.write_table(pq.read_table(source).slice(0, n), path)
        return
    images, codes = mosaics(n)
    cells = [{"bytes": _png(image), "path": None} for image in images]
    column = pa.array(cells, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    names = pa.array([SEEN[code] for code in codes])
    pq.write_table(pa.table({"img": column, "label": names}), path)


def _png(image: NDArray[np.uint8]) -> bytes:
    written = io.BytesIO()
    Image.fromarray(image).save(written, format="PNG", compress_level=1)
    return written.getvalue()
