"""`PatchFeatures` equals the literal rendering in double precision, but for rounding."""

from typing import Any

import numpy as np
import pytest
import reference
import torch
from numpy.typing import NDArray

from wordsight import PatchFeatures
from wordsight.features.patches import normalise_contrast, sample_patches
from wordsight.features.places import halves, patch_places, quadrants
from wordsight.features.whitening import zca


def pictures(n: int, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Coarse shapes under fine noise, so that neighbouring pixels are alike as in photographs."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (n, -(-height // 4), -(-width // 4), 3))
    full = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    return (full + rng.integers(0, 56, full.shape)).astype(np.uint8)


def literal(
    model: PatchFeatures, images: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pooled features by the reference, from the model's dictionary and whitening.

    And how far single precision may take each of them.
    """
    ways = (reference.pooled_features, reference.pooled_rounding)
    pooled, rounding = (
        np.array(
            [
                way(
                    image,
                    model.dictionary_.astype(np.float64),
                    model.patch_mean_,
                    model.whitener_,
                    patch_size=model.patch_size,
                    stride=model.stride,
                    contrast_constant=model.contrast_constant,
                    encoder=model.encoder,
                    threshold=model.threshold,
                )
                for image in images
            ]
        )
        for way in ways
    )
    return pooled, rounding


def assert_equal_to_literal(model: PatchFeatures, images: NDArray[np.uint8]) -> None:
    """Compare the features of a fitted model, learned from `images`, with the reference."""
    pooled, rounding = literal(model, images)
    # sums of few patches, and numbers near 1, are rounded too
    off = rounding.max(0) + 1e-6 * pooled.max(0) + 1e-6
    mean, scale = pooled.mean(0), np.sqrt(pooled.var(0) + model.standardise_constant)
    # where no value is off by more than `off`, nor is their mean, nor their deviation
    np.testing.assert_array_less(np.abs(model.mean_ - mean), off)
    np.testing.assert_array_less(np.abs(model.scale_ - scale), off)
    expected = reference.standardise(pooled, mean, pooled.var(0), model.standardise_constant)
    # the value is off, the mean, and times the value the scale
    allowed = off * (2 + np.abs(expected)) / scale
    np.testing.assert_array_less(np.abs(model.transform(images) - expected), allowed)
    assert np.median(allowed) < 5e-3  # of features of unit variance: what is wrong is seen


@pytest.mark.parametrize("encoder", ["soft_threshold", "triangle"])
@pytest.mark.parametrize(
    ("height", "width", "patch_size", "stride"),
    [
        (12, 12, 6, 1),  # 7 × 7 patches: 4 + 3
        (13, 13, 6, 1),  # 8 × 8: 4 + 4
        (9, 16, 6, 1),
        (17, 10, 5, 2),
        (14, 15, 4, 3),
        (7, 7, 6, 1),  # the smallest: one patch a quadrant
        (6, 5, 1, 1),  # pixels alone
        (20, 21, 8, 4),
    ],
)
def test_equals_the_literal_rendering(
    encoder: str, height: int, width: int, patch_size: int, stride: int
) -> None:
    images = pictures(6, height, width)
    options: dict[str, Any] = {"encoder": encoder, "patch_size": patch_size, "stride": stride}
    model = PatchFeatures(n_atoms=11, n_patches=300, max_iter=3, random_state=0, **options)
    assert_equal_to_literal(model.fit(images), images)


@pytest.mark.parametrize("dictionary", ["omp1", "kmeans", "random"])
@pytest.mark.parametrize("encoder", ["soft_threshold", "triangle"])
def test_equals_the_literal_rendering_with_other_constants(dictionary: Any, encoder: Any) -> None:
    images = pictures(6, 12, 11, seed=1)
    model = PatchFeatures(
        n_atoms=9,
        dictionary=dictionary,
        encoder=encoder,
        threshold=0.7,
        patch_size=3,
        n_patches=400,
        contrast_constant=2.5,
        whitening_constant=0.03,
        standardise_constant=0.2,
        random_state=3,
    )
    assert_equal_to_literal(model.fit(images), images)


@pytest.mark.parametrize(
    ("encoder", "n_features"), [("soft_threshold", 12_800), ("triangle", 6_400)]
)
def test_the_papers_constants_give_its_dimensions(encoder: Any, n_features: int) -> None:
    images = pictures(3, 32, 32, seed=2)
    model = PatchFeatures(dictionary="random", encoder=encoder, n_patches=2000, random_state=0).fit(
        images
    )
    assert model.dictionary_.shape == (1600, 108)
    assert model.transform(images).shape == (3, n_features)
    assert model.n_features_out_ == n_features
    assert_equal_to_literal(model, images)


def test_the_defaults_are_the_papers_constants() -> None:
    defaults = PatchFeatures().get_params()
    paper = {
        "n_atoms": 1600,
        "dictionary": "omp1",
        "encoder": "soft_threshold",
        "threshold": 0.25,
        "patch_size": 6,
        "stride": 1,
        "n_patches": 400_000,
        "contrast_constant": 10.0,
        "whitening_constant": 0.1,
        "standardise_constant": 0.01,
    }
    assert {name: defaults[name] for name in paper} == paper


def test_27_places_are_cut_into_14_and_13() -> None:
    assert halves(27) == (slice(0, 14), slice(14, 27))
    assert halves(2) == (slice(0, 1), slice(1, 2))


@pytest.mark.parametrize(("n_rows", "n_columns"), [(2, 2), (5, 4), (27, 27), (3, 10)])
def test_quadrants_cover_every_place_once(n_rows: int, n_columns: int) -> None:
    covered = np.zeros((n_rows, n_columns), dtype=int)
    for rows, columns in quadrants(n_rows, n_columns):
        covered[rows, columns] += 1
    assert (covered == 1).all()


def test_whitening_equals_the_reference_and_makes_patches_white() -> None:
    rng = np.random.default_rng(0)
    patches = rng.normal(size=(500, 12)) @ rng.normal(size=(12, 12)) + rng.normal(size=12)
    mean, whitener = zca(patches.mean(0), np.cov(patches, rowvar=False), 0.1)
    expected_mean, expected = reference.zca(patches, 0.1)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-12)
    np.testing.assert_allclose(whitener, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(whitener, whitener.T, atol=1e-12)
    _, exact = zca(patches.mean(0), np.cov(patches, rowvar=False), 1e-12)
    white = (patches - mean) @ exact
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(12), atol=1e-6)


def test_contrast_normalisation_equals_the_reference() -> None:
    raw = np.random.default_rng(0).integers(0, 256, (40, 108)).astype(np.float64)
    raw[0] = 200.0  # flat
    raw[1] = 0.0
    expected = [reference.normalise_contrast(patch, 10.0) for patch in raw]
    ours = normalise_contrast(torch.tensor(raw), 10.0)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_learned_whitening_is_that_of_the_patches_drawn() -> None:
    images = pictures(5, 16, 16)
    model = PatchFeatures(n_atoms=8, n_patches=700, patch_size=4, random_state=5).fit(images)
    drawn = sample_patches(
        images,
        700,
        patch_size=4,
        stride=1,
        image_size=None,
        random_state=np.random.RandomState(5),
    )
    normalised = np.array(
        [reference.normalise_contrast(patch, 10.0) for patch in drawn.astype(np.float64)]
    )
    mean, whitener = reference.zca(normalised, 0.1)
    np.testing.assert_allclose(model.patch_mean_, mean, atol=1e-6)
    np.testing.assert_allclose(model.whitener_, whitener, rtol=1e-4, atol=1e-5)


def test_patches_are_cut_colour_by_colour_and_drawn_from_everywhere() -> None:
    image = pictures(1, 7, 9)[0]
    rows = reference.patches_of(image, 3, 2)
    places = patch_places(7, 9, 3, 2)
    row_by_row = places.index.numpy()[np.argsort(places.corners)]
    assert len(row_by_row) == len(rows) * len(rows[0])
    np.testing.assert_array_equal(image.ravel()[row_by_row], np.concatenate(rows))
    drawn = sample_patches(
        image[None],
        2000,
        patch_size=3,
        stride=1,
        image_size=None,
        random_state=np.random.RandomState(0),
    )
    every = {patch.tobytes() for row in reference.patches_of(image, 3, 1) for patch in row}
    assert {patch.astype(np.float64).tobytes() for patch in drawn} == every


def test_patches_are_drawn_evenly_over_images() -> None:
    images = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((8, 8, 3), np.uint8)
    drawn = sample_patches(
        images,
        20_000,
        patch_size=6,
        stride=1,
        image_size=None,
        random_state=np.random.RandomState(0),
        batch_size=7,
    )
    counts = np.bincount(drawn[:, 0].astype(int), minlength=20)
    # each is binomial with mean 1000 and a deviation of 31
    assert counts.sum() == 20_000
    assert (np.abs(counts - 1000) < 5 * 31).all()
