"""The feature encoder beside the product it cannot beat, and beside what one would write."""

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.image import extract_patches_2d

from benchmarks.benchmark import Benchmark, Outcome, Setting, Target
from benchmarks.harness import Contender, Measured, compare
from benchmarks.material import mosaics
from wordsight import PatchFeatures
from wordsight.compute import in_order, scratch

__all__ = ["BENCHMARK"]

_REFERENCE = Path(__file__).resolve().parents[1] / "tests" / "features" / "reference.py"
N_ATOMS = 1600
N_PATCHES = 27 * 27
N_VALUES = 108
_QUADRANTS = (14 * 14, 14 * 13, 13 * 14, 13 * 13)
_CONV_BATCH = 32

Pixels = NDArray[np.uint8]


def run(setting: Setting) -> Outcome:
    """Encode the same pictures in each way; agreement is to the literal rendering."""
    n_images, n_peers, n_literal, n_rounds = (16, 16, 1, 2) if setting.quick else (2048, 64, 4, 5)
    images, _codes = mosaics(n_images)
    model = PatchFeatures(N_ATOMS, dictionary="random", n_patches=20_000, random_state=0)
    model.fit(images)
    literal = _literal_rendering(model)
    convolve, pipeline = _conv2d_rendering(model), _pipeline_rendering(model)
    some, few = images[:n_peers], images[:n_literal]
    measured = compare(
        [
            Contender("PatchFeatures.transform", lambda: model.transform(images), n_images),
            Contender("bare product (torch, all threads)", _bare_product(n_images), n_images),
            Contender("bare products, an image a thread", _bare_product_a_core(n_images), n_images),
            Contender("torch conv2d", lambda: convolve(some), n_peers),
            Contender("scikit-learn patches, NumPy product", lambda: pipeline(some), n_peers),
            Contender(
                "literal rendering (NumPy, float64)",
                lambda: np.stack([literal(image) for image in few]),
                n_literal,
            ),
        ],
        n_rounds,
    )
    ours, bare, a_core, convolved, piped, slow = measured
    gaps = {each.name: _gap(each, slow) for each in (ours, convolved, piped)}
    return Outcome(
        measured,
        {"bare": bare.ratio, "literal": slow.ratio, "agreement": gaps[ours.name]},
        unit="image",
        operations=2.0 * N_PATCHES * N_VALUES * N_ATOMS,
        bytes=float(images[0].nbytes + 4 * model.n_features_out_),
        facts={
            "images_per_second": 1.0 / ours.median,
            "of_the_products_an_image_a_thread": a_core.ratio,
            "largest_difference": gaps,
            "n_images": n_images,
        },
    )


def _gap(one: Measured, literal: Measured) -> float:
    """Return the largest difference of features, which have unit variance."""
    return float(np.abs(one.output[: len(literal.output)] - literal.output).max())


def _bare_product(n_images: int) -> Callable[[], None]:
    patches, filters = torch.rand(N_PATCHES, N_VALUES), torch.rand(N_VALUES, N_ATOMS)
    products = torch.empty(N_PATCHES, N_ATOMS)

    def multiply() -> None:
        for _ in range(n_images):
            torch.mm(patches, filters, out=products)

    return multiply


def _bare_product_a_core(n_images: int) -> Callable[[], None]:
    """Lay the products out as in the encoder, where no core waits for another."""
    quadrants = [torch.rand(n_patches, N_VALUES) for n_patches in _QUADRANTS]
    filters = torch.rand(N_VALUES, N_ATOMS)

    def multiply(_image: int) -> None:
        for patches in quadrants:
            torch.mm(patches, filters, out=scratch("bare", (len(patches), N_ATOMS), patches))

    def multiply_all() -> None:
        for _ in in_order(multiply, range(n_images)):
            pass

    return multiply_all


def _literal_rendering(model: PatchFeatures) -> Callable[[Pixels], NDArray[np.float64]]:
    """Return the features of one image as the reference of the tests computes them."""
    spec = spec_from_file_location("reference", _REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    reference = module_from_spec(spec)
    spec.loader.exec_module(reference)
    atoms = model.dictionary_.astype(np.float64)

    def features(image: Pixels) -> NDArray[np.float64]:
        pooled: NDArray[np.float64] = reference.pooled_features(
            image, atoms, model.patch_mean_, model.whitener_
        )
        return (pooled - model.mean_) / model.scale_

    return features


def _conv2d_rendering(model: PatchFeatures) -> Callable[[Pixels], NDArray[np.float32]]:
    """Return the features as a user of torch would write them: convolutions, whole images."""
    size, constant = model.patch_size, model.contrast_constant
    filters = (model.whitener_ @ model.dictionary_.astype(np.float64).T).T
    offset = torch.from_numpy(-(filters @ model.patch_mean_)).float()
    # a patch's own mean goes where each filter's mean is taken away
    centred = filters - filters.mean(1, keepdims=True)
    weight = torch.from_numpy(centred).float().view(-1, 3, size, size)
    ones = torch.ones(1, 3, size, size)
    conv2d, relu = torch.nn.functional.conv2d, torch.relu

    def some_features(images: Pixels) -> torch.Tensor:
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() - 128.0
        total, sq_total = conv2d(x, ones), conv2d(x.square(), ones)
        variance = (sq_total - total.square() / N_VALUES) / (N_VALUES - 1)
        z = conv2d(x, weight) * torch.rsqrt(variance + constant) + offset[:, None, None]
        halves = torch.cat([relu(z - model.threshold), relu(-z - model.threshold)], 1)
        middle = (z.shape[2] + 1) // 2
        rows = halves[:, :, :middle], halves[:, :, middle:]
        parts = [part for row in rows for part in (row[..., :middle], row[..., middle:])]
        return torch.cat([part.sum((2, 3)) for part in parts], 1)

    def features(images: Pixels) -> NDArray[np.float32]:
        cuts = range(0, len(images), _CONV_BATCH)
        pooled = torch.cat([some_features(images[cut : cut + _CONV_BATCH]) for cut in cuts])
        found: NDArray[np.float32] = (pooled.numpy() - model.mean_) / model.scale_
        return found

    return features


def _pipeline_rendering(model: PatchFeatures) -> Callable[[Pixels], NDArray[np.float32]]:
    """Return the features from scikit-learn's patches and a product in NumPy, image by image."""
    size = model.patch_size
    filters = (model.whitener_ @ model.dictionary_.T).astype(np.float32)
    offset = (-(model.patch_mean_ @ filters)).astype(np.float32)

    def one(image: Pixels) -> NDArray[np.float32]:
        patches = extract_patches_2d(image, (size, size)).transpose(0, 3, 1, 2)
        x = patches.reshape(len(patches), -1).astype(np.float32)
        x -= x.mean(1, keepdims=True)
        x /= np.sqrt(x.var(1, ddof=1, keepdims=True) + model.contrast_constant)
        z = x @ filters + offset
        halves = np.maximum(0, np.hstack([z - model.threshold, -z - model.threshold]))
        grid = halves.reshape(27, 27, -1)
        rows = grid[:14], grid[14:]
        parts = [part for row in rows for part in (row[:, :14], row[:, 14:])]
        return np.concatenate([part.sum((0, 1)) for part in parts])

    def features(images: Pixels) -> NDArray[np.float32]:
        pooled: Any = np.stack([one(image) for image in images])
        found: NDArray[np.float32] = (pooled - model.mean_) / model.scale_
        return found

    return features


BENCHMARK = Benchmark(
    name="features",
    title="Features",
    about="Encoding 32 × 32 images with 1,600 atoms, 12,800 features; the time is for one image. "
    "The bare product is 729 × 108 by 108 × 1,600, float32: all patches of an image with all "
    "atoms, without cutting patches, thresholds or sums. The literal rendering is the one that "
    "the tests hold the library to.",
    targets=(
        Target(
            "bare",
            "features, images/s, against the bare float32 product of the same shape on the same "
            "threads",
            0.85,
            "×",
            at_least=True,
        ),
        Target("literal", "… against the literal NumPy rendering", 40.0, "×", at_least=True),
        Target(
            "agreement",
            "largest difference of a feature to the literal rendering",
            1e-4,
            agreement=True,
        ),
    ),
    run=run,
)
