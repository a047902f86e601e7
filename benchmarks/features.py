"""The feature encoder beside the literal rendering and beside the bare product it cannot beat."""

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness import Contender, Measured, compare
from wordsight import PatchFeatures
from wordsight.compute import in_order, scratch

__all__ = ["encoding"]

_REFERENCE = Path(__file__).resolve().parents[1] / "tests" / "features" / "reference.py"
_QUADRANTS = (14 * 14, 14 * 13, 13 * 14, 13 * 13)


def encoding(*, quick: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Compare three ways with the paper's constants on 32 × 32 images.

    - `PatchFeatures.transform`, float32;
    - the literal rendering that the tests hold it to: NumPy, double precision, patch by patch;
    - the product of all patches with all atoms alone, float32 (729 × 108 by 108 × 1,600 an image,
      quadrant by quadrant): no thresholds, no sums, no patches to cut. Each core has its own
      images, as in the encoder: one product on all cores is slower, and would flatter us.

    Parameters
    ----------
    quick : bool
        Fewer images and rounds.

    Returns
    -------
    list of Measured
        Seconds for one image.
    dict
        ``largest_difference``: of our features to the literal ones, which have unit variance.
    """
    n_images, n_literal, n_rounds = (16, 1, 2) if quick else (128, 4, 7)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 200, (n_images, 8, 8, 3)).repeat(4, axis=1).repeat(4, axis=2)
    images = (coarse + rng.integers(0, 56, coarse.shape)).astype(np.uint8)
    model = PatchFeatures(dictionary="random", n_patches=20_000, random_state=0).fit(images)
    literal = _literal_rendering(model)
    quadrants = [torch.rand(n_patches, 108) for n_patches in _QUADRANTS]
    filters = torch.rand(108, 1600)

    def multiply(_image: int) -> None:
        for patches in quadrants:
            torch.mm(patches, filters, out=scratch("bare", (len(patches), 1600), patches))

    def multiply_all() -> None:
        for _ in in_order(multiply, range(n_images)):
            pass

    ours, slow, bare = compare(
        [
            Contender("PatchFeatures.transform", lambda: model.transform(images), n_images),
            Contender(
                "literal rendering (NumPy, float64)",
                lambda: np.stack([literal(image) for image in images[:n_literal]]),
                n_literal,
            ),
            Contender(
                "bare product (torch, float32)",
                multiply_all,
                n_images,
            ),
        ],
        n_rounds,
    )
    assert ours.output is not None
    assert slow.output is not None
    difference = float(np.abs(ours.output[:n_literal] - slow.output).max())
    return [ours, slow, bare], {"largest_difference": difference, "n_images": n_images}


def _literal_rendering(
    model: PatchFeatures,
) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    """Return the features of one image as the reference of the tests computes them."""
    spec = spec_from_file_location("reference", _REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    reference = module_from_spec(spec)
    spec.loader.exec_module(reference)
    atoms = model.dictionary_.astype(np.float64)

    def features(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        pooled: NDArray[np.float64] = reference.pooled_features(
            image, atoms, model.patch_mean_, model.whitener_
        )
        return (pooled - model.mean_) / model.scale_

    return features
