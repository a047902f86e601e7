"""The mosaic of a word, where algebra says what it has to be."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from exploration.colour_world import WORDS, fitted
from wordsight import (
    CrossModalClassifier,
    LinearMap,
    PatchFeatures,
    TwoLayerMap,
    VisualMap,
    WordVectors,
)
from wordsight.classifiers.class_words import ClassWords
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.exceptions import InputError, MissingWordError
from wordsight.exploration.gallery import Gallery
from wordsight.exploration.prototype import prototype
from wordsight.features.mosaic import patch_mosaic, patches_of_features

SIDE, TILES = 2, 3
N_ATOMS = 5
QUADRANT = TILES * SIDE


def by_hand(encoder: Any = "soft_threshold") -> PatchFeatures:
    """Features whose whitening and atoms are known; P is symmetric and mixes all values."""
    rng = np.random.default_rng(0)
    features = PatchFeatures(N_ATOMS, patch_size=SIDE, encoder=encoder)
    root = rng.normal(size=(12, 12))
    features.whitener_ = root @ root.T + np.eye(12)
    features.patch_mean_ = rng.normal(size=12)
    features.dictionary_ = rng.normal(size=(N_ATOMS, 12)).astype(np.float32)
    features.image_size_ = (6, 6)
    features.mean_ = np.zeros(features.n_features_out_, dtype=np.float32)
    features.scale_ = np.ones(features.n_features_out_, dtype=np.float32)
    return features


def patch_of(features: PatchFeatures, atom: int, sign: float = 1.0) -> NDArray[np.float64]:
    """The patch that whitening takes to an atom, in pixels, by the inverse of P."""
    values = sign * features.dictionary_[atom] @ np.linalg.inv(features.whitener_)
    patch: NDArray[np.float64] = values.reshape(3, SIDE, SIDE).transpose(1, 2, 0)
    largest: float = np.abs(patch).max()
    return patch / largest


def feature(quadrant: int, sign: int, atom: int) -> int:
    """Quadrant by quadrant; within it all positive values, then all negative ones."""
    return (quadrant * 2 + sign) * N_ATOMS + atom


def corner(quadrant: int) -> tuple[int, int]:
    row, column = divmod(quadrant, 2)
    return row * (QUADRANT + 1), column * (QUADRANT + 1)


@pytest.mark.parametrize("quadrant", range(4))
@pytest.mark.parametrize("sign", [0, 1])
def test_all_the_weight_in_one_quadrant_gives_that_patch_there(quadrant: int, sign: int) -> None:
    features = by_hand()
    weights = np.zeros(features.n_features_out_)
    weights[feature(quadrant, sign, 3)] = 0.7
    drawn = patch_mosaic(features, weights, tiles=TILES)
    assert drawn.shape == (2 * QUADRANT + 1, 2 * QUADRANT + 1, 3)
    expected = np.full((2 * QUADRANT + 1, 2 * QUADRANT + 1, 3), 128)
    expected[QUADRANT] = expected[:, QUADRANT] = 255
    top, left = corner(quadrant)
    patch = patch_of(features, 3, -1.0 if sign else 1.0)
    expected[top : top + SIDE, left : left + SIDE] = np.rint(128 + 127 * patch)
    np.testing.assert_array_equal(drawn, expected)


def test_patches_stand_in_the_order_of_weight_and_fade_with_it() -> None:
    features = by_hand()
    weights = np.full(features.n_features_out_, -1.0)
    weights[feature(2, 0, 4)] = 2.0
    weights[feature(2, 0, 1)] = 1.0
    weights[feature(2, 1, 0)] = 0.5
    drawn = patch_mosaic(features, weights, tiles=TILES).astype(int)
    top, left = corner(2)
    first = [(4, 1.0, 1.0), (1, 1.0, 0.5), (0, -1.0, 0.25)]
    for place, (atom, sign, contrast) in enumerate(first):
        tile = drawn[top : top + SIDE, left + place * SIDE : left + (place + 1) * SIDE]
        expected = np.rint(128 + 127 * contrast * patch_of(features, atom, sign))
        np.testing.assert_array_equal(tile, expected)
    assert (drawn[top + SIDE : top + QUADRANT, left : left + QUADRANT] == 128).all()
    assert (drawn[:QUADRANT, :QUADRANT] == 128).all()


def test_whitening_a_patch_gives_its_atom() -> None:
    features = by_hand()
    patches = patches_of_features(features)
    assert patches.shape == (2 * N_ATOMS, SIDE, SIDE, 3)
    values = patches.transpose(0, 3, 1, 2).reshape(2 * N_ATOMS, 12) @ features.whitener_
    atoms = np.concatenate([features.dictionary_, -features.dictionary_])
    cosines = (
        (values * atoms).sum(1) / np.linalg.norm(values, axis=1) / np.linalg.norm(atoms, axis=1)
    )
    np.testing.assert_allclose(cosines, 1.0, rtol=1e-6)
    assert patches_of_features(by_hand("triangle")).shape == (N_ATOMS, SIDE, SIDE, 3)


def striped() -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Images with stripes in their upper left quadrant, down or across, the rest being noise."""
    rng = np.random.default_rng(0)
    names = np.array(["down", "across"] * 60)
    images = rng.integers(100, 156, (120, 16, 16, 3), dtype=np.uint8)
    wave = np.tile([0, 0, 255, 255], 2).astype(np.uint8)
    images[0::2, :8, :8] = wave[None, :, None]
    images[1::2, :8, :8] = wave[:, None, None]
    return images, names


STRIPES = {"down": [1.0, 0.2], "across": [0.2, 1.0], "oblique": [0.7, 0.7]}


@pytest.fixture(scope="module")
def striped_models() -> dict[str, CrossModalClassifier]:
    images, names = striped()
    features = PatchFeatures(12, patch_size=4, n_patches=2000, random_state=0)
    return {
        kind: CrossModalClassifier(
            STRIPES, ["oblique"], features=features, mapping=mapping, random_state=0
        ).fit(images, names)
        for kind, mapping in (("linear", LinearMap(1.0)), ("visual", VisualMap(1.0)))
    }


@pytest.mark.parametrize("kind", ["linear", "visual"])
@pytest.mark.parametrize(("word", "varies", "stays"), [("down", 1, 0), ("across", 0, 1)])
def test_stripes_look_like_stripes_where_they_are(
    striped_models: dict[str, CrossModalClassifier], kind: str, word: str, varies: int, stays: int
) -> None:
    model = striped_models[kind]
    assert model.can_draw
    drawn = model.prototype(word, tiles=2).astype(float)
    first = drawn[:4, :4].mean(axis=2)
    across, along = (
        np.abs(np.diff(first, axis=varies)).mean(),
        np.abs(np.diff(first, axis=stays)).mean(),
    )
    assert across > 3 * along
    contrast = [np.abs(part - 128).max() for part in (drawn[:8, :8], drawn[9:, 9:])]
    assert contrast[0] == 127  # the greatest weight is where the classes differ
    assert contrast[1] < 60


def test_pull_is_counted_from_the_mean_of_the_seen_words() -> None:
    features = by_hand()
    model = CrossModalClassifier({"x": [3.0, 1.0], "y": [1.0, 1.0], "z": [2.0, 5.0]}, ["z"])
    theta = np.zeros((2, features.n_features_out_))
    theta[0, feature(0, 0, 1)] = 1.0
    theta[1, feature(3, 0, 2)] = 1.0
    words = WordVectors.coerce(model.words)
    model.features_, model.mapping_, model.on_missing = features, LinearMap(), "error"
    model.mapping_.coef_, model.seen_classifier_ = theta, None
    model._class_words = ClassWords.look_up(words, np.array(["x", "y"]), ["z"], on_missing="error")
    # w − w̄ is (1, 0) for x, (−1, 0) for y and (0, 4) for z
    for word, drawn in (("x", {0}), ("y", set()), ("z", {3})):
        picture = model.prototype(word, tiles=TILES)
        for quadrant in range(4):
            top, left = corner(quadrant)
            part = picture[top : top + QUADRANT, left : left + QUADRANT]
            assert (part != 128).any() == (quadrant in drawn), (word, quadrant)


def test_a_model_that_cannot_draw_shows_its_nearest_images(gallery: Gallery) -> None:
    model = fitted()
    assert not model.can_draw
    with pytest.raises(InputError, match="EncodedFeatures and LinearMap; it takes PatchFeatures"):
        prototype(model, "purple")
    shown = prototype(model, "purple", gallery)
    indices, _ = gallery.nearest(WORDS.vector_for("purple"), 9)
    assert shown[70, 70].tolist() == gallery.image(int(indices[0]))[0, 0].tolist()


def test_what_is_refused(striped_models: dict[str, CrossModalClassifier]) -> None:
    model = striped_models["linear"]
    with pytest.raises(MissingWordError, match="near: down"):
        model.prototype("donw")
    with pytest.raises(InputError, match="tiles=0"):
        model.prototype("down", tiles=0)
    with pytest.raises(InputError, match="one for each of 40 features"):
        patch_mosaic(by_hand(), np.zeros(5))
    images, names = striped()
    two_layer = CrossModalClassifier(
        STRIPES, features=model.features, mapping=TwoLayerMap(3, max_iter=2), random_state=0
    ).fit(images, names)
    with pytest.raises(InputError, match="TwoLayerMap"):
        two_layer.prototype("down")


def test_with_a_gallery_a_model_that_draws_still_draws(
    striped_models: dict[str, CrossModalClassifier],
) -> None:
    model = striped_models["linear"]
    images, names = striped()
    gallery = Gallery.of(model, Dataset(ArraySource(images[:20], names[:20])))
    np.testing.assert_array_equal(prototype(model, "down", gallery), model.prototype("down"))
