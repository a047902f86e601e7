"""Images as they are shown, and the few that are remembered."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wordsight.app.pictures import LARGEST_SIDE, SMALLEST_WIDTH, PictureCache, png


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def shown(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(png(pixels)))
    assert image.format == "PNG"
    return np.asarray(image)


def test_small_images_are_enlarged_pixel_by_pixel() -> None:
    pixels = noise(5, 7)
    factor = 14  # the first multiple of 7 pixels that reaches 96
    expected = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(shown(pixels), expected)


def test_images_that_can_be_seen_are_as_they_are() -> None:
    pixels = noise(200, SMALLEST_WIDTH)
    np.testing.assert_array_equal(shown(pixels), pixels)


def test_large_images_are_reduced_in_shape() -> None:
    assert shown(noise(1024, 2048)).shape == (256, LARGEST_SIDE, 3)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3000, 1), (1, 3000), (3000, 3000)])
def test_no_shape_makes_a_huge_file(height: int, width: int) -> None:
    assert max(shown(noise(height, width)).shape) <= LARGEST_SIDE


def test_a_picture_is_made_once_until_it_is_dropped() -> None:
    made: list[int] = []

    def make(number: int) -> bytes:
        made.append(number)
        return bytes([number]) * 10

    cache = PictureCache(make, most_bytes=30)
    for number in (1, 2, 3, 1):
        assert cache.get(number)[0] == bytes([number]) * 10
    assert made == [1, 2, 3]
    cache.get(4)  # there is room for three: 2 was asked for longest ago
    cache.get(1)
    assert made == [1, 2, 3, 4]
    cache.get(2)
    assert made == [1, 2, 3, 4, 2]
    assert cache.get(1)[1] != cache.get(2)[1]


def test_a_picture_larger_than_the_room_is_shown() -> None:
    cache = PictureCache(lambda number: b"x" * 100, most_bytes=10)
    assert cache.get(0)[0] == cache.get(1)[0] == b"x" * 100
