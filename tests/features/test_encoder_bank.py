"""The bank of encoders equals `PatchFeatures`, for every dictionary, encoder and size."""

from typing import Any

import numpy as np
import pytest
import reference
import torch
from numpy.typing import NDArray

from wordsight import PatchFeatures
from wordsight.features import encoder_bank
from wordsight.features.encoder_bank import EncoderBank
from wordsight.features.encoding import Encoder

SIZES = (4, 9, 15)


def pictures(n: int, height: int, width: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 200, (n, -(-height // 4), -(-width // 4), 3))
    full = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    return (full + rng.integers(0, 56, full.shape)).astype(np.uint8)


def fitted(images: NDArray[np.uint8], dictionary: Any, **options: Any) -> PatchFeatures:
    return PatchFeatures(
        SIZES[-1], dictionary=dictionary, n_patches=400, max_iter=3, random_state=0, **options
    ).fit_dictionary(images)


def bank_of(model: PatchFeatures, sizes: tuple[int, ...] = SIZES) -> EncoderBank:
    return EncoderBank(
        Encoder.fold(
            model.dictionary_,
            model.patch_mean_,
            model.whitener_,
            kind="soft_threshold",
            patch_size=model.patch_size,
            stride=model.stride,
            contrast_constant=model.contrast_constant,
            threshold=model.threshold,
            device=torch.device("cpu"),
        ),
        sizes,
    )


def alone(
    model: PatchFeatures, images: NDArray[np.uint8], kind: Any, size: int
) -> NDArray[np.float32]:
    """Pooled features of the first atoms by `PatchFeatures`."""
    one = PatchFeatures(**{**model.get_params(), "encoder": kind, "n_atoms": size})
    one.patch_mean_, one.whitener_ = model.patch_mean_, model.whitener_
    one.image_size_, one.dictionary_ = model.image_size_, model.dictionary_[:size]
    one.mean_ = np.zeros(one.n_features_out_, dtype=np.float32)
    one.scale_ = np.ones(one.n_features_out_, dtype=np.float32)
    return one.transform(images)


def assert_alike(
    found: NDArray[np.float32],
    expected: NDArray[np.float32],
    model: PatchFeatures,
    images: NDArray[np.uint8],
    kind: Any,
) -> None:
    """Compare pooled features that single precision came to in two ways."""
    size = found.shape[1] // (8 if kind == "soft_threshold" else 4)
    rounding = [
        reference.pooled_rounding(
            image,
            model.dictionary_[:size].astype(np.float64),
            model.patch_mean_,
            model.whitener_,
            patch_size=model.patch_size,
            stride=model.stride,
            contrast_constant=model.contrast_constant,
            encoder=kind,
            threshold=model.threshold,
        )
        for image in images
    ]
    assert found.shape == expected.shape
    # k-means makes a group of one patch an atom: its distance from that patch is all rounding
    allowed = 2 * np.array(rounding) + 2e-6 * expected + 1e-6
    np.testing.assert_array_less(np.abs(found - expected), allowed)
    assert np.median(allowed) < 1e-3


@pytest.mark.parametrize("dictionary", ["omp1", "kmeans", "random"])
@pytest.mark.parametrize(
    ("height", "width", "options"),
    [
        (12, 12, {}),  # 7 × 7 patches: 4 + 3
        (9, 16, {"threshold": 0.7, "contrast_constant": 3.0}),
        (14, 15, {"patch_size": 4, "stride": 3}),
        (7, 7, {}),  # the smallest: one patch a quadrant
    ],
)
def test_every_size_and_encoder_equals_the_features_of_its_own(
    dictionary: Any, height: int, width: int, options: dict[str, Any]
) -> None:
    images = pictures(5, height, width)
    model = fitted(images, dictionary, **options)
    pooled = bank_of(model).pool(images)
    for size in SIZES:
        for kind in ("soft_threshold", "triangle"):
            found, expected = pooled.features(kind, size), alone(model, images, kind, size)
            assert_alike(found, expected, model, images, kind)
            assert expected.std() > 0


@pytest.mark.parametrize("values", [1, 40, 100_000])
def test_it_does_not_matter_how_many_products_are_held(
    values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = pictures(3, 13, 11)
    model = fitted(images, "kmeans")
    bank = bank_of(model)
    expected = bank.pool(images)
    monkeypatch.setattr(encoder_bank, "VALUES", values)
    found = bank.pool(images)
    for size in SIZES:
        for kind in ("soft_threshold", "triangle"):
            one, other = found.features(kind, size), expected.features(kind, size)
            assert_alike(one, other, model, images, kind)


def test_a_patch_that_is_an_atom_has_distance_zero() -> None:
    """Flat images give one patch over and over; rounding must not make its distance a NaN."""
    images = pictures(4, 12, 12)
    model = fitted(images, "kmeans")
    flat = np.full((2, 12, 12, 3), 90, dtype=np.uint8)
    atom = -(model.patch_mean_ @ model.whitener_)  # contrast normalised, a flat patch is zero
    model.dictionary_ = np.vstack([atom, model.dictionary_[1:]]).astype(np.float32)
    found = bank_of(model, (15,)).pool(flat).triangles[15]
    mean = np.linalg.norm(model.dictionary_ - model.dictionary_[0], axis=1).mean()
    # every patch is as far from the atom as nothing, so it gets the mean distance: 16, 12, 12, 9
    off = reference.triangle_rounding(atom, model.dictionary_.astype(np.float64))[0]
    assert off < 1e-3 * mean
    np.testing.assert_allclose(found[0, :, 0], mean * np.array([16, 12, 12, 9]), rtol=off / mean)


def test_images_are_counted_and_in_order() -> None:
    images = pictures(150, 7, 7)  # three batches
    bank = bank_of(fitted(images, "random"))
    counts: list[int] = []
    pooled = bank.pool(images, counts.append)
    assert sum(counts) == 150
    backwards = bank.pool(images[::-1])
    np.testing.assert_array_equal(pooled.soft, backwards.soft[::-1])
    np.testing.assert_array_equal(pooled.triangles[9], backwards.triangles[9][::-1])
