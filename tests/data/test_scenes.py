"""The synthetic pictures: what they promise, held against geometry and against people's words."""

import colorsys
import gzip
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.spatial import ConvexHull

from wordsight.data.drawing import COLOURS, OUTLINES
from wordsight.data.open import open_dataset
from wordsight.data.scenes import (
    SCENE_CLASSES,
    SEEN,
    UNSEEN,
    Split,
    draw_scene,
    make_scenes,
    write_scenes,
)
from wordsight.exceptions import InputError, WordsightError

Floats = NDArray[np.float64]


# --- contract -----------------------------------------------------------------------------------


def test_shapes_types_and_order() -> None:
    images, labels = make_scenes(3, classes=("gold star", "red circle"), image_size=(20, 28))
    assert images.shape == (6, 20, 28, 3)
    assert images.dtype == np.uint8
    assert labels.tolist() == ["gold star"] * 3 + ["red circle"] * 3
    assert labels.dtype.kind == "U"


def test_default_is_every_class() -> None:
    _, labels = make_scenes(1, image_size=(8, 8))
    assert tuple(labels) == SCENE_CLASSES


@pytest.mark.parametrize("side", [8, 9, 13, 16, 31, 32, 48, 64, 96, 128])
def test_every_size_is_drawn(side: int) -> None:
    images, _ = make_scenes(1, classes=UNSEEN, image_size=(side, side))
    assert images.shape == (6, side, side, 3)
    assert all(np.ptp(image) > 50 for image in images)


@pytest.mark.parametrize("size", [(8, 40), (40, 8), (17, 64)])
def test_oblong_pictures_hold_the_whole_shape(size: tuple[int, int]) -> None:
    for index in range(10):
        mask = draw_scene("green square", index, image_size=size).mask
        assert mask.shape == size
        # a square of circumradius r has the area 2 r²; none is smaller than r = 0.3 sides
        assert mask.sum() > 0.9 * 2 * (0.3 * min(size)) ** 2


def test_sizes_may_be_numpy_integers() -> None:
    one, side, seed = (np.int64(number) for number in (1, 16, 3))
    numbers: dict[str, Any] = {"n_per_class": one, "image_size": (side, side), "random_state": seed}
    images, _ = make_scenes(classes=["red heart"], **numbers)
    np.testing.assert_array_equal(images, make_scenes(1, ["red heart"], (16, 16), 3)[0])


# --- determinism --------------------------------------------------------------------------------


def test_same_seed_same_bytes() -> None:
    first, again = make_scenes(2, random_state=5), make_scenes(2, random_state=5)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_asking_for_more_changes_nothing() -> None:
    few, _ = make_scenes(2, classes=SEEN[:3])
    many, labels = make_scenes(5, classes=SEEN[:3])
    for place, name in enumerate(SEEN[:3]):
        np.testing.assert_array_equal(many[labels == name][:2], few[2 * place : 2 * place + 2])


def test_order_and_company_of_classes_change_nothing() -> None:
    every, labels = make_scenes(2)
    chosen = ("violet star", "red cross", "blue heart")
    some, some_labels = make_scenes(2, classes=chosen)
    for name in chosen:
        np.testing.assert_array_equal(some[some_labels == name], every[labels == name])


def test_one_scene_is_the_one_of_the_set() -> None:
    images, _ = make_scenes(3, ["pink cross"], (24, 24), 7, split="test")
    scene = draw_scene("pink cross", 2, split="test", image_size=(24, 24), random_state=7)
    np.testing.assert_array_equal(images[2], scene.image)


def test_no_two_pictures_are_alike_over_seeds_splits_and_classes() -> None:
    drawn = [
        make_scenes(3, random_state=seed, split=split)[0]
        for seed in (0, 1)
        for split in get_args(Split)
    ]
    seen = {image.tobytes() for images in drawn for image in images}
    assert len(seen) == 4 * 3 * len(SCENE_CLASSES)


def test_layout_does_not_depend_on_the_class() -> None:
    # were chance shared between classes, the squares of all colours would stand at one place
    masks = {draw_scene(f"{colour} square").mask.tobytes() for colour in COLOURS}
    assert len(masks) == len(COLOURS)


def test_layout_is_the_same_at_every_size() -> None:
    for name in UNSEEN:
        small = draw_scene(name, image_size=(32, 32)).mask
        large = draw_scene(name, image_size=(128, 128)).mask
        shrunk = large.reshape(32, 4, 32, 4).mean(axis=(1, 3))
        assert np.abs(shrunk - small).mean() < 0.01


# --- the split ----------------------------------------------------------------------------------


def test_seen_and_unseen_part_the_classes() -> None:
    assert set(SEEN) | set(UNSEEN) == set(SCENE_CLASSES)
    assert len(SEEN) + len(UNSEEN) == len(SCENE_CLASSES) == len(COLOURS) * len(OUTLINES)


def test_every_word_of_an_unseen_class_is_seen() -> None:
    seen_words = {word for name in SEEN for word in name.split()}
    assert {word for name in UNSEEN for word in name.split()} <= seen_words


def test_one_word_alone_tells_half_of_the_unseen_classes_at_best() -> None:
    for place in (0, 1):
        assert set(Counter(name.split()[place] for name in UNSEEN).values()) == {2}


def test_unseen_class_vectors_are_reached_from_the_seen_ones() -> None:
    """For any word vectors, an unseen mean is an affine combination of seen means.

    That is the algebra behind the task: red circle = red square - green square + green circle.
    """
    rng = np.random.default_rng(0)
    vector = {word: rng.normal(size=50) for word in (*COLOURS, *OUTLINES)}
    mean = {
        name: np.mean([vector[word] for word in name.split()], axis=0) for name in SCENE_CLASSES
    }
    seen = np.array([np.append(mean[name], 1) for name in SEEN])
    for name in UNSEEN:
        target = np.append(mean[name], 1)
        weights = np.linalg.lstsq(seen.T, target, rcond=None)[0]
        np.testing.assert_allclose(seen.T @ weights, target, atol=1e-10)


# --- independent oracles ------------------------------------------------------------------------


def _hue(red: float, green: float, blue: float) -> float:
    return 360 * colorsys.rgb_to_hsv(red, green, blue)[0]


def test_colours_are_what_people_call_them() -> None:
    """The nearest hue among the colours of the xkcd survey, where people named colours."""
    named = {colour: _hue(*to_rgb(f"xkcd:{colour}")) for colour in COLOURS}
    right: list[bool] = []
    for name in SCENE_CLASSES:
        for index in range(8):
            scene = draw_scene(name, index, image_size=(64, 64))
            core = binary_erosion(scene.mask > 0.99, iterations=3)
            hue = _hue(*np.median(scene.image[core], axis=0) / 255)
            nearest = min(named, key=lambda word: abs((hue - named[word] + 180) % 360 - 180))
            right.append(nearest == name.split()[0])
    assert np.mean(right) > 0.99


def _greens(corners: Floats) -> tuple[float, float]:
    """Moment ratio and solidity of a polygon centred anywhere, by Green's theorem."""
    x, y = corners.T
    u, v = np.roll(corners, -1, axis=0).T
    cross = x * v - u * y
    area = cross.sum() / 2
    centre = np.array([((x + u) * cross).sum(), ((y + v) * cross).sum()]) / (6 * area)
    polar = (cross * (x * x + x * u + u * u + y * y + y * v + v * v)).sum() / 12
    moment = polar - area * (centre**2).sum()
    return float(abs(moment) / area**2), float(abs(area) / ConvexHull(corners).volume)


def _known_shapes() -> dict[str, tuple[float, float]]:
    """Polar moment over squared area, and area over that of the convex hull."""
    inner, tenth = 0.45, np.pi / 5
    star_area = 5 * inner * np.sin(tenth)
    star_moment = star_area / 6 * (1 + inner**2 + inner * np.cos(tenth))
    t = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    heart_y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return {
        "circle": (1 / (2 * np.pi), 1.0),
        "square": (1 / 6, 1.0),
        "cross": ((5 / 6 + 4) / 25, 5 / 7),  # five unit squares, four of them one away
        "star": (star_moment / star_area**2, star_area / (2.5 * np.sin(2 * tenth))),
        "heart": _greens(np.column_stack([16 * np.sin(t) ** 3, heart_y])),
    }


def _measure(mask: NDArray[np.float32]) -> tuple[float, float]:
    weight = mask.astype(np.float64)
    y, x = np.indices(mask.shape)
    area = weight.sum()
    moment = sum((weight * (axis - (weight * axis).sum() / area) ** 2).sum() for axis in (x, y))
    inside = np.argwhere(mask > 0.5)
    shifts = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    corners = (inside[:, None] + shifts).reshape(-1, 2)
    return float(moment / area**2), float(area / ConvexHull(corners).volume)


@pytest.mark.parametrize("shape", list(OUTLINES))
def test_masks_have_the_geometry_of_their_name(shape: str) -> None:
    moment, solidity = _known_shapes()[shape]
    for index in range(6):
        mask = draw_scene(f"blue {shape}", index, image_size=(128, 128)).mask
        found_moment, found_solidity = _measure(mask)
        assert found_moment == pytest.approx(moment, rel=0.015)
        assert found_solidity == pytest.approx(solidity, abs=0.05)  # the hull has steps


@pytest.mark.parametrize("shape", list(OUTLINES))
def test_outlines_fill_the_unit_circle(shape: str) -> None:
    distance = np.linalg.norm(OUTLINES[shape], axis=1)
    assert distance.max() == pytest.approx(1.0)


def test_clutter_is_muted() -> None:
    """Only the shape is vivid: the surroundings must not give a class away."""
    for name in SCENE_CLASSES[::3]:
        scene = draw_scene(name, 1, image_size=(96, 96))
        pixels = scene.image.astype(np.float64)
        # averaging 5 × 5 pixels takes out the noise, which is colourful but carries nothing
        smooth = np.array(Image.fromarray(scene.image).resize((19, 19), Image.Resampling.BOX))
        around = np.array(
            Image.fromarray(binary_dilation(scene.mask > 0, iterations=8)).resize((19, 19))
        )
        chroma = np.ptp(smooth.astype(np.float64), axis=2)
        inside = np.ptp(np.median(pixels[scene.mask > 0.99], axis=0))
        assert np.median(chroma[~around]) < 0.6 * inside


@pytest.mark.slow
def test_word_geometry_is_as_described(real_data: Path) -> None:
    vectors: dict[str, Floats] = {}
    with gzip.open(real_data / "word_vectors" / "wiki50.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            word, *numbers = line.split()
            if word in {*COLOURS, *OUTLINES, "yellow", "purple", "triangle"}:
                vector = np.array(numbers, dtype=np.float64)
                vectors[word] = vector / np.linalg.norm(vector)
    assert {*COLOURS, *OUTLINES} <= set(vectors)
    assert vectors["yellow"] @ vectors["purple"] == pytest.approx(0.92, abs=0.005)
    assert vectors["triangle"] @ vectors["circle"] == pytest.approx(0.77, abs=0.005)
    cosine = {
        (one, other): vectors[one] @ vectors[other]
        for words in (list(COLOURS), list(OUTLINES))
        for one in words
        for other in words
        if one < other
    }
    assert max(cosine, key=lambda pair: cosine[pair]) == ("blue", "red")
    assert max(cosine.values()) == pytest.approx(0.89, abs=0.005)


# --- files --------------------------------------------------------------------------------------


def test_written_files_are_the_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "scenes"
    names = ("red circle", "gold star")
    counts = write_scenes(folder, 3, 2, names, image_size=(16, 20), random_state=4)
    assert counts == {"train": 6, "test": 4}
    assert sorted(path.name for path in folder.iterdir()) == ["test", "train"]
    expected: dict[Split, int] = {"train": 3, "test": 2}
    for split, n_images in expected.items():
        images, labels = make_scenes(n_images, names, (16, 20), 4, split=split)
        for name in names:
            files = sorted((folder / split / name).iterdir())
            stored = []
            for file in files:
                with Image.open(file) as picture:
                    assert (picture.format, picture.mode) == ("PNG", "RGB")
                    stored.append(np.asarray(picture))
            np.testing.assert_array_equal(stored, images[labels == name])
    assert [path.name for path in folder.parent.iterdir()] == ["scenes"]


def test_written_archives_are_the_pictures(tmp_path: Path) -> None:
    names = ("red circle", "gold star")
    for folder in (tmp_path / "a", tmp_path / "b"):
        counts = write_scenes(folder, 3, 2, names, image_size=(16, 20), per_archive=4)
        assert counts == {"train": 6, "test": 4}
    made = [f"{split}-00000{k}.tar" for split, k in (("test", 0), ("train", 0), ("train", 1))]
    assert sorted(path.name for path in folder.iterdir()) == made
    for name in made:  # the same twice
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    expected: dict[Split, int] = {"train": 3, "test": 2}
    for split, n_images in expected.items():
        images, labels = make_scenes(n_images, names, (16, 20), split=split)
        batch = open_dataset(folder, split=split).images(None)
        np.testing.assert_array_equal(batch.images, images)
        np.testing.assert_array_equal(batch.labels, labels)
    with pytest.raises(InputError, match="per_archive"):
        write_scenes(tmp_path / "c", 1, 1, names, per_archive=0)


def test_existing_folder_is_kept_unless_told(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        write_scenes(folder, 1, 1, ["red circle"])
    assert (folder / "mine.txt").read_text() == "mine"
    write_scenes(folder, 1, 1, ["red circle"], overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == ["test", "train"]


def test_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WordsightError, match="cannot write"):
        write_scenes(tmp_path / "file" / "scenes", 1, 1, ["red circle"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_train_per_class": 0},
        {"n_test_per_class": 0},
        {"classes": ["red dog"]},
        {"image_size": (4, 4)},
        {"random_state": -1},
    ],
)
def test_bad_input_writes_nothing(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        write_scenes(tmp_path / "scenes", **wrong)
    assert list(tmp_path.iterdir()) == []


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_per_class": 0}, "n_per_class is 0; give a whole number of at least 1"),
        ({"n_per_class": -3}, "n_per_class is -3"),
        ({"n_per_class": 2.5}, "n_per_class is 2.5"),
        ({"n_per_class": True}, "n_per_class is True"),
        ({"classes": ["red circel"]}, "no synthetic class 'red circel'; near: red circle"),
        ({"classes": ["aeroplane"]}, "a colour of red, green"),
        ({"classes": ["Red Circle"]}, "no synthetic class 'Red Circle'"),
        ({"classes": [3]}, "no synthetic class 3"),
        ({"classes": "red circle"}, "give a list of names"),
        ({"classes": []}, "classes is empty"),
        ({"classes": ["red circle", "red circle"]}, "'red circle' is named twice"),
        ({"image_size": (7, 32)}, "give height and width in pixels"),
        ({"image_size": (32, 5000)}, "from 8 to 2048"),
        ({"image_size": 32}, "image_size is 32"),
        ({"image_size": (32, 32, 3)}, "two whole numbers"),
        ({"image_size": (32.0, 32.0)}, "two whole numbers"),
        ({"random_state": -1}, "random_state is -1; give a whole number of at least 0"),
        ({"random_state": None}, "random_state is None"),
        ({"split": "valid"}, "split is 'valid'; give 'train' or 'test'"),
    ],
)
def test_bad_input_is_one_sentence(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make_scenes(**{"n_per_class": 1, "image_size": (8, 8), **wrong})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "red"}, "no synthetic class 'red'"),
        ({"name": "red circle", "index": -1}, "index is -1"),
        ({"name": "red circle", "split": "x"}, "split is 'x'"),
        ({"name": "red circle", "random_state": 0.5}, "random_state is 0.5"),
    ],
)
def test_bad_input_to_one_scene(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw_scene(**wrong)
