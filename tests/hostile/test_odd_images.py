"""Odd images come out as their makers meant them, or are refused; mutants of them as well."""

import io
from pathlib import Path

import numpy as np
import pytest
from corpus import RGB, encoded, odd_images, turned
from fuzzing import try_in_child
from PIL import Image, ImageFile

from wordsight.data.decoding import decode
from wordsight.data.folder import FolderSource
from wordsight.exceptions import BrokenImageError

ODD = odd_images()


@pytest.mark.parametrize("name", ODD)
def test_an_odd_image_shows_what_it_should_or_is_refused(name: str) -> None:
    odd = ODD[name]
    if odd.shows is None:
        with pytest.raises(BrokenImageError, match="cannot read the image photo: ") as caught:
            decode(odd.data, None, "photo")
        assert len(str(caught.value).splitlines()) == 1
        return
    shown = decode(odd.data, None, "photo")
    assert shown.shape == odd.shows.shape
    assert np.abs(shown.astype(int) - odd.shows).max() <= odd.within


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_is_scaled_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    size = turned(RGB, orientation).shape[:2]
    shown = decode(encoded(Image.fromarray(RGB), "PNG", exif=exif), size, "x")
    assert np.array_equal(shown, turned(RGB, orientation))  # it has that size when upright


@pytest.mark.parametrize("ending", [".jpg", ".png", ".gif", ".tif", ".ppm"])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_the_ending_of_a_name_says_nothing(kind: str, ending: str, tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / f"a{ending}").write_bytes(encoded(Image.fromarray(RGB), kind))
    (item,) = FolderSource(tmp_path).read(np.array([0]))
    assert isinstance(item, bytes)
    assert np.array_equal(decode(item, None, "x"), RGB)


def test_a_cut_file_is_refused_where_pillow_would_fill_it_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encoded(Image.fromarray(np.tile(RGB, (8, 8, 1))), "JPEG")
    cut = data[: len(data) // 2]
    with pytest.raises(BrokenImageError):
        decode(cut, None, "x")
    # what the setting would do, and that it is not the setting alone which refuses
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with Image.open(io.BytesIO(cut)) as image:
        image.load()
    with pytest.raises(BrokenImageError, match="no JPEG end marker"):
        decode(cut, None, "x")


def _check_mutants(count: int, folder: Path) -> None:
    tally = try_in_child({"images": count}, folder)["images"]
    assert not tally["faults"]
    assert tally["tried"] == count
    # neither is everything refused, nor everything read
    assert 0.05 * count < tally["read"] < 0.5 * count


def test_mutated_images(tmp_path: Path) -> None:
    _check_mutants(500, tmp_path)


@pytest.mark.slow
def test_very_many_mutated_images(tmp_path: Path) -> None:
    _check_mutants(60_000, tmp_path)
