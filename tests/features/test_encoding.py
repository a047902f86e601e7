"""The ways of encoding agree: in the cache by torch or compiled, and many images together."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference
import torch
from numpy.typing import NDArray

from wordsight.features.encoding import Encoder, load_kernels, soft_threshold
from wordsight.features.places import patch_places

N_ATOMS = 37


def learned(
    patch_size: int,
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Draw a dictionary, a mean patch and a whitener."""
    rng = np.random.default_rng(0)
    size = 3 * patch_size**2
    return (
        rng.normal(size=(N_ATOMS, size)).astype(np.float32) / np.sqrt(size),
        rng.normal(size=size) * 0.1,
        np.eye(size) + 0.1 * rng.normal(size=(size, size)),
    )


def encoder(kind: Any, patch_size: int, stride: int) -> Encoder:
    return Encoder.fold(
        *learned(patch_size),
        kind=kind,
        patch_size=patch_size,
        stride=stride,
        contrast_constant=10.0,
        threshold=0.25,
        device=torch.device("cpu"),
    )


def pictures(height: int, width: int) -> torch.Tensor:
    rng = np.random.default_rng(1)
    images: NDArray[np.uint8] = rng.integers(0, 256, (3, height, width, 3), dtype=np.uint8)
    images[1] = 77  # flat: no contrast to normalise
    return torch.from_numpy(images)


def assert_alike(
    found: torch.Tensor, expected: torch.Tensor, images: torch.Tensor, by: Encoder
) -> None:
    """Compare features of `pictures` that single precision came to in two ways."""
    dictionary, mean, whitener = learned(by.patch_size)
    atoms = dictionary.astype(np.float64)
    rounding = np.array(
        [
            reference.pooled_rounding(
                image,
                atoms,
                mean,
                whitener,
                patch_size=by.patch_size,
                stride=by.stride,
                encoder=by.kind,
            )
            for image in images.numpy()
        ]
    )
    values = expected.numpy()
    places = patch_places(*images.shape[1:3], by.patch_size, by.stride)
    sqrt_n = np.sqrt(max(cut.stop - cut.start for cut in places.quadrants))
    rounding += sqrt_n * reference.UNIT * values  # of the sums themselves
    rounding[1] *= sqrt_n  # a flat image is one patch n times, each off by the same
    np.testing.assert_array_less(np.abs(found.numpy() - values), 2 * rounding + 1e-6)
    assert rounding.mean() < 1e-3 * values.mean()


SHAPES = [(32, 32, 6, 1), (9, 16, 6, 1), (17, 10, 5, 2), (7, 7, 6, 1), (64, 64, 6, 1)]


@pytest.mark.parametrize("kind", ["soft_threshold", "triangle"])
@pytest.mark.parametrize(("height", "width", "patch_size", "stride"), SHAPES)
def test_many_images_together_as_on_a_gpu(
    kind: Any, height: int, width: int, patch_size: int, stride: int
) -> None:
    alone = encoder(kind, patch_size, stride)
    images = pictures(height, width)
    places = patch_places(height, width, patch_size, stride)
    together = alone._encode_together(images, places, places.index).flatten(1)
    assert_alike(together, alone.encode(images), images, alone)


@pytest.mark.parametrize(("height", "width", "patch_size", "stride"), SHAPES)
def test_compiled_loops_do_what_torch_does(
    height: int, width: int, patch_size: int, stride: int
) -> None:
    pytest.importorskip("numba")
    plain = encoder("soft_threshold", patch_size, stride)
    compiled = plain.compiled()
    assert plain.kernels is None
    assert compiled.kernels is not None
    images = pictures(height, width)
    assert_alike(compiled.encode(images), plain.encode(images), images, plain)


@pytest.mark.parametrize("n", [1, 900, 2_700])
def test_sums_of_values_just_above_the_threshold_are_exact(n: int) -> None:
    """As a flat image has them: taking n α from the sum of n values would leave rounding."""
    z = torch.linspace(-0.26, 0.26, N_ATOMS).repeat(n, 1)
    exact = n * z[0].double().numpy()
    expected = [np.maximum(0, exact - 0.25 * n), np.maximum(0, -exact - 0.25 * n)]
    # n values of one sign, one after another: at most n roundings of the sum
    np.testing.assert_allclose(
        soft_threshold(z, 0.25).numpy(), expected, rtol=n * reference.UNIT + 1e-7, atol=0
    )


def test_compiled_sums_are_the_soft_threshold() -> None:
    kernels = load_kernels()
    if kernels is None:
        pytest.skip("numba is not installed")
    for n in (1, 3, 4, 7, 64):
        z = np.random.default_rng(n).normal(size=(n, 10)).astype(np.float32)
        sums = np.ones((2, 10), dtype=np.float32)
        kernels.add_thresholded(z, np.float32(0.25), sums)
        exact = z.astype(np.float64)
        expected = [np.maximum(0, exact - 0.25).sum(0), np.maximum(0, -exact - 0.25).sum(0)]
        np.testing.assert_allclose(sums - 1, expected, rtol=1e-5, atol=1e-5)


def test_compiled_patches_are_those_of_the_reference() -> None:
    kernels = load_kernels()
    if kernels is None:
        pytest.skip("numba is not installed")
    image = pictures(9, 8)[0].numpy()
    places = patch_places(9, 8, 3, 2)
    out = np.empty((len(places.corners), 27), dtype=np.float32)
    mean = np.arange(27, dtype=np.float32) / 27
    kernels.cut_patches(image.ravel(), places.corners, places.within, mean, np.float32(10.0), out)
    found = {tuple(np.round(patch, 3)) for patch in out + mean}
    rows = reference.patches_of(image, 3, 2)
    expected = [reference.normalise_contrast(patch, 10.0) for row in rows for patch in row]
    assert len(out) == len(expected)
    for patch in expected:
        assert any(np.allclose(patch, one, atol=2e-3) for one in found)


def test_places_stand_quadrant_by_quadrant() -> None:
    places = patch_places(10, 9, 4, 1)  # 7 × 6 patches: rows 4 + 3, columns 3 + 3
    assert [cut.stop - cut.start for cut in places.quadrants] == [12, 12, 9, 9]
    image = np.arange(10 * 9 * 3).reshape(10, 9, 3)
    values = image.ravel()[places.index.numpy()]
    corners = {tuple(image[r, c]) for r in range(4) for c in range(3)}
    assert {tuple(patch[[0, 16, 32]]) for patch in values[places.quadrants[0]]} == corners


def test_without_numba_torch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    plain = encoder("soft_threshold", 6, 1)
    assert plain.compiled() == replace(plain, kernels=None)
