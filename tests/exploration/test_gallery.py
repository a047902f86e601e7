"""A gallery holds what the model says of each image, and looks at each image once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from exploration.colour_world import COLOURS, WORDS, mean_colours, pictures
from wordsight import CrossModalClassifier, PatchFeatures, open_dataset
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.data.source import Item
from wordsight.exceptions import BrokenImageError, DataError, InputError
from wordsight.exploration.colours import average_colours, mean_colour
from wordsight.exploration.gallery import Gallery, resized
from wordsight.features.cache import FeatureCache
from wordsight.features.encoded import EncodedFeatures
from wordsight.mapping.linear import LinearMap


class Flaky(ArraySource):
    """Images of which some are broken; counts what is read."""

    def __init__(self, names: list[str], broken: tuple[int, ...] = ()) -> None:
        super().__init__(pictures(names), names, name="flaky")
        self.broken, self.n_read = broken, 0

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        for row, item in zip(rows.tolist(), super().read(rows), strict=True):
            self.n_read += 1
            yield BrokenImageError(self.name(row), "torn") if row in self.broken else item


def test_it_holds_what_the_model_recognises(
    model: CrossModalClassifier, data: Dataset, gallery: Gallery
) -> None:
    found = model.recognise(data)
    assert gallery.rows.tolist() == list(range(40))
    assert gallery.labels is not None
    assert gallery.labels.tolist() == list(COLOURS) * 8
    for name in ("mapped", "seen_proba", "unseen_proba", "novelty_score", "novelty_proba", "proba"):
        np.testing.assert_allclose(getattr(gallery, name), getattr(found, name), err_msg=name)
    assert gallery.recognition.label.tolist() == found.label.tolist()
    assert gallery.broken == ()


def test_broken_images_are_left_out_and_named(model: CrossModalClassifier) -> None:
    names = list(COLOURS) * 4
    whole = Gallery.of(model, Dataset(Flaky(names)))
    some = Gallery.of(model, Dataset(Flaky(names, broken=(0, 7, 19))))
    kept = [row for row in range(20) if row not in (0, 7, 19)]
    assert some.rows.tolist() == kept
    assert [(one.row, one.name, one.reason) for one in some.broken] == [
        (0, "flaky#0", "torn"),
        (7, "flaky#7", "torn"),
        (19, "flaky#19", "torn"),
    ]
    np.testing.assert_allclose(some.mapped, whole.mapped[kept], rtol=1e-5)
    np.testing.assert_array_equal(some.colours, whole.colours[kept])
    assert some.labels is not None
    assert some.labels.tolist() == [names[row] for row in kept]
    assert some.name(0) == "flaky#1"
    np.testing.assert_array_equal(some.image(0), pictures(names)[1])


def test_some_are_drawn_by_chance_from_all(model: CrossModalClassifier, data: Dataset) -> None:
    one, same, other = (Gallery.of(model, data, limit=15, random_state=seed) for seed in (0, 0, 1))
    assert one.rows.tolist() == same.rows.tolist() != other.rows.tolist()
    assert len(set(one.rows.tolist())) == len(one) == 15
    assert len(one.data) == 40
    assert one.labels is not None
    assert data.labels is not None
    assert one.labels.tolist() == data.labels[one.rows].tolist()
    np.testing.assert_array_equal(one.image(3), data.images(None).images[one.rows[3]])
    assert len(Gallery.of(model, data, limit=99)) == 40


def test_broken_images_among_drawn_ones_keep_their_rows(model: CrossModalClassifier) -> None:
    source = Flaky(list(COLOURS) * 4, broken=tuple(range(0, 20, 2)))
    found = Gallery.of(model, Dataset(source), limit=10, random_state=3)
    rows = sorted([*found.rows.tolist(), *(one.row for one in found.broken)])
    assert len(rows) == 10
    assert all(row % 2 == 1 for row in found.rows)
    assert all(one.name == f"flaky#{one.row}" for one in found.broken)


def test_classes_change_without_a_look_at_the_images(model: CrossModalClassifier) -> None:
    source = Flaky(list(COLOURS) * 4)
    gallery = Gallery.of(model, Dataset(source))
    assert source.n_read == 20
    taught = model.branch().add_classes(["purple"])
    updated = gallery.updated(taught)
    assert source.n_read == 20
    np.testing.assert_allclose(updated.proba, taught.predict_proba(pictures(list(COLOURS) * 4)))
    assert gallery.proba.shape == (20, 4)
    assert updated.proba.shape == (20, 5)
    assert updated.colours is gallery.colours


def test_features_are_kept_in_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["red", "green", "blue"] * 40
    noise = np.random.default_rng(5).integers(0, 30, (120, 8, 8, 3))
    images = np.clip(pictures(names) + noise, 0, 255).astype(np.uint8)
    features = PatchFeatures(6, n_patches=300, patch_size=3, random_state=0)
    model = CrossModalClassifier(
        WORDS, ["yellow"], features=features, mapping=LinearMap(1.0), random_state=0
    ).fit(images, np.array(names))
    data = Dataset(ArraySource(images, names))
    plain = Gallery.of(model, data)
    stored = Gallery.of(model, data, cache=FeatureCache(tmp_path))
    monkeypatch.setattr(PatchFeatures, "_pooled", None)  # nothing is encoded from here on
    again = Gallery.of(model, data, cache=FeatureCache(tmp_path))
    for one in (stored, again):
        np.testing.assert_allclose(one.proba, plain.proba, rtol=1e-5, atol=1e-8)
        np.testing.assert_array_equal(one.colours, plain.colours)


def test_the_average_is_one_of_light() -> None:
    # half of the light of white is sRGB 1.055 · 0.5^(1/2.4) − 0.055 = 0.7354, 187.5 of 255
    half = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    half[:, :2] = 255
    assert average_colours(half).tolist() == [[188, 188, 188]]
    assert mean_colour(np.array([[0, 0, 255], [255, 0, 255]], dtype=np.uint8)) == (188, 0, 255)


def test_a_plain_colour_is_its_own_average() -> None:
    every = np.arange(256, dtype=np.uint8)
    plain = np.broadcast_to(every[:, None, None, None], (256, 2, 2, 3))
    np.testing.assert_array_equal(average_colours(plain), np.stack([every] * 3, axis=1))


def test_the_nearest_are_those_of_scikit_learn(gallery: Gallery) -> None:
    vector = np.array([0.4, 0.1, 0.3])
    indices, similarities = gallery.nearest(vector, 7)
    oracle = NearestNeighbors(n_neighbors=7, metric="cosine").fit(gallery.mapped)
    distances, rows = oracle.kneighbors(vector[None])
    assert indices.tolist() == rows[0].tolist()
    np.testing.assert_allclose(similarities, 1.0 - distances[0], atol=1e-6)


def test_an_image_is_left_out_of_those_near_it(gallery: Gallery) -> None:
    point = gallery.mapped[11]
    with_itself, _ = gallery.nearest(point, 5)
    without, _ = gallery.nearest(point, 4, exclude=11)
    assert with_itself[0] == 11
    assert without.tolist() == with_itself[1:].tolist()
    assert len(gallery.nearest(point, 1000, exclude=11)[0]) == 39


@pytest.mark.parametrize(
    ("shape", "expected"), [((4, 8, 3), (50, 100, 3)), ((300, 200, 3), (100, 67, 3))]
)
def test_the_longer_side_is_brought_to_a_size(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert resized(np.zeros(shape, dtype=np.uint8), 100).shape == expected


def test_small_images_are_enlarged_pixel_by_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resized(image, 12), image.repeat(3, axis=0).repeat(3, axis=1))


def test_images_of_several_sizes_come_from_a_folder(tmp_path: Path) -> None:
    sides: Any = {"red": (12, 8), "blue": (30, 40)}
    for name, (height, width) in sides.items():
        (tmp_path / name).mkdir()
        plain = np.full((height, width, 3), COLOURS[name], dtype=np.uint8)
        Image.fromarray(plain).save(tmp_path / name / "0.png")
    names = ["red", "green", "blue"] * 30
    features = EncodedFeatures(mean_colours, image_size=8)
    model = CrossModalClassifier(
        WORDS, features=features, mapping=LinearMap(1e-4), random_state=0
    ).fit(pictures(names), np.array(names))
    gallery = Gallery.of(model, open_dataset(tmp_path))
    assert gallery.labels is not None
    assert gallery.labels.tolist() == ["blue", "red"]
    assert gallery.colours.tolist() == [list(COLOURS["blue"]), list(COLOURS["red"])]
    assert gallery.image(0).shape == (30, 40, 3)


def test_what_is_refused(model: CrossModalClassifier, data: Dataset, gallery: Gallery) -> None:
    with pytest.raises(InputError, match="without images"):
        Gallery.of(model, data.select([]))
    with pytest.raises(DataError, match=r"none of the 3 images.*flaky#0: torn"):
        Gallery.of(model, Dataset(Flaky(["red"] * 3, broken=(0, 1, 2))))
    with pytest.raises(InputError, match="limit=0"):
        Gallery.of(model, data, limit=0)
    for i in (-1, 40):
        with pytest.raises(InputError, match="counted from 0"):
            gallery.image(i)
    with pytest.raises(InputError, match="3 dimensions"):
        gallery.nearest([1.0, 0.0], 3)
    with pytest.raises(InputError, match="k=0"):
        gallery.nearest([1.0, 0.0, 0.0], 0)
    with pytest.raises(InputError, match="size=0"):
        gallery.image(0, 0)
    X = np.random.default_rng(0).normal(size=(120, 4))
    ready = CrossModalClassifier(WORDS, random_state=0).fit(X, np.array(["red", "blue"] * 60))
    with pytest.raises(InputError, match="ready features"):
        Gallery.of(ready, data)
    with pytest.raises(InputError, match="3 seen classes"):
        gallery.updated(ready)
