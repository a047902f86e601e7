"""Why an image is what it is said to be: the factors of Eq. 2 fit together, however it is given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from exploration.colour_world import COLOURS, fitted, pictures
from wordsight import (
    CrossModalClassifier,
    LinearMap,
    PatchFeatures,
    ShareClassifier,
    SoftmaxClassifier,
    WordGaussians,
)
from wordsight.data.dataset import Dataset
from wordsight.exceptions import BrokenImageError, InputError
from wordsight.exploration.explained_picture import explained_picture
from wordsight.exploration.explaining import Explanation, explain
from wordsight.exploration.gallery import Gallery


def as_numbers(found: Explanation) -> Any:
    return [(one.name, pytest.approx(one.probability, abs=1e-6)) for one in found.classes]


def test_however_an_image_is_given(
    model: CrossModalClassifier, gallery: Gallery, tmp_path: Path
) -> None:
    pixels = gallery.image(3)
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    expected = as_numbers(explain(model, 3, gallery))
    for image in (pixels, path, str(path), path.read_bytes()):
        found = explain(model, image, gallery)
        assert [(one.name, one.probability) for one in found.classes] == expected
    np.testing.assert_allclose(explain(model, 3, gallery).recognition.proba, gallery.proba[[3]])


@pytest.mark.parametrize("gate", ["hard", "probability"])
def test_the_shares_are_those_of_equation_2(data: Dataset, gate: Any) -> None:
    model = fitted(("yellow", "purple"), gate=gate)
    gallery = Gallery.of(model, data)
    for i in range(10):
        found = explain(model, i, gallery)
        novel = found.novelty_proba if gate == "probability" else float(found.novelty_score > 0)
        for one in found.classes:
            of_kind = novel if one.kind == "unseen" else 1.0 - novel
            assert one.probability == pytest.approx(one.given_kind * of_kind)
        assert sum(one.probability for one in found.classes) == pytest.approx(1.0)
        for kind in ("seen", "unseen"):
            given = [one.given_kind for one in found.classes if one.kind == kind]
            assert sum(given) == pytest.approx(1.0)
        assert found.label == found.classes[0].name == gallery.recognition.label[i]
        assert found.probability == found.classes[0].probability
        own = model.novelty_.score_samples(gallery.mapped[[i]])[0]
        assert found.score == pytest.approx(own)
        assert found.threshold == model.novelty_.offset_
        assert found.is_novel == (own < found.threshold)


def test_what_lies_near(model: CrossModalClassifier, gallery: Gallery) -> None:
    found = explain(model, 7, gallery, k=4)
    assert [word for word, _ in found.nearest_words] == model.nearest_words(gallery.mapped[[7]], 4)[
        0
    ]
    assert 7 not in [one.index for one in found.nearest_images]
    assert {one.label for one in found.nearest_images} == {list(COLOURS)[7 % 5]}
    assert [one.name for one in found.nearest_images] == [
        gallery.name(one.index) for one in found.nearest_images
    ]
    assert explain(model, gallery.image(7)).nearest_images == ()


def test_the_verdict_says_what_the_gate_did(gallery: Gallery, data: Dataset) -> None:
    model = fitted()
    score = gallery.novelty_score[0]
    lenient, strict = (model.branch().move_threshold(score + by) for by in (1.0, -1.0))
    image = gallery.image(0)
    assert "below 0" in explain(lenient, image).verdict
    assert "only seen classes" in explain(lenient, image).verdict
    assert "above 0" in explain(strict, image).verdict
    assert "only unseen classes" in explain(strict, image).verdict
    assert "seen classes alone" in explain(strict.remove_classes(["yellow"]), image).verdict
    weighing = lenient.branch().set_params(gate="probability")
    assert (
        f"{explain(weighing, image).novelty_proba:.2f} weighs" in explain(weighing, image).verdict
    )


def quarters() -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Images that differ between classes in one quarter alone: stripes down or across."""
    rng = np.random.default_rng(0)
    names = np.array(["down", "across"] * 60)
    images = rng.integers(90, 166, (120, 16, 16, 3), dtype=np.uint8)
    wave = np.tile([0, 0, 255, 255], 2).astype(np.uint8)
    images[0::2, :8, :8] = wave[None, :, None]
    images[1::2, :8, :8] = wave[:, None, None]
    return images, names


@pytest.fixture(scope="module")
def striped() -> CrossModalClassifier:
    words = {"down": [1.0, 0.1], "across": [0.1, 1.0], "low": [0.9, 0.3], "wide": [0.2, 0.8]}
    features = PatchFeatures(10, patch_size=4, n_patches=2000, random_state=0)
    return CrossModalClassifier(
        words,
        ["low", "wide"],
        features=features,
        mapping=LinearMap(0.1),
        seen_classifier=SoftmaxClassifier(temperature="auto"),
        unseen_classifier=WordGaussians(0.5),
        random_state=0,
    ).fit(*quarters())


@pytest.mark.parametrize("kind", ["seen", "unseen"])
def test_the_evidence_of_the_quadrants_adds_up_to_the_log_odds(
    striped: CrossModalClassifier, kind: str
) -> None:
    by = 1e9 if kind == "seen" else -1e9
    model = striped.branch().move_threshold(by)
    for pixels in quarters()[0][:4]:
        found = explain(model, pixels)
        first, second = (one for one in found.classes if one.kind == kind)
        evidence = found.evidence
        assert evidence is not None
        assert (evidence.name, evidence.against) == (first.name, second.name)
        odds = np.log(first.given_kind / second.given_kind)
        assert evidence.log_odds == pytest.approx(odds, rel=1e-3, abs=1e-4)
        assert evidence.quadrants[0] == max(map(abs, evidence.quadrants))  # where they differ
        assert evidence.quadrants[0] > 2 * max(map(abs, evidence.quadrants[1:]))


def test_there_is_no_evidence_without_patches_or_another_class(
    model: CrossModalClassifier, gallery: Gallery, striped: CrossModalClassifier
) -> None:
    assert explain(model, gallery.image(0)).evidence is None
    alone = striped.branch().move_threshold(-1e9).remove_classes(["wide"])
    assert explain(alone, quarters()[0][0]).evidence is None
    shared = CrossModalClassifier(
        {"down": [1.0, 0.1], "across": [0.1, 1.0]},
        features=striped.features,
        seen_classifier=ShareClassifier(),
        random_state=0,
    ).fit(*quarters())
    assert explain(shared, quarters()[0][0]).evidence is None


def test_what_is_refused(model: CrossModalClassifier, gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no gallery was given"):
        explain(model, 3)
    with pytest.raises(InputError, match="the gallery holds 40"):
        explain(model, 40, gallery)
    with pytest.raises(InputError, match="k=0"):
        explain(model, 3, gallery, k=0)
    with pytest.raises(BrokenImageError, match=r"none\.png"):
        explain(model, tmp_path / "none.png")
    with pytest.raises(BrokenImageError, match="the image"):
        explain(model, b"%PDF-1.4")
    X = np.random.default_rng(0).normal(size=(120, 3))
    ready = CrossModalClassifier(model.words, random_state=0).fit(X, np.array(["red", "blue"] * 60))
    with pytest.raises(InputError, match="ready features"):
        explain(ready, pictures(["red"])[0])


def test_the_picture_shows_image_classes_and_neighbours(
    model: CrossModalClassifier, gallery: Gallery
) -> None:
    found = explain(model, 0, gallery)
    figure = explained_picture(gallery.image(0), found, gallery)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(shown) == 1 + 6
    for axes, one in zip(
        [axes for axes in figure.axes if axes.images][1:], found.nearest_images[:6], strict=True
    ):
        pixel = np.asarray(axes.images[0].get_array())[0, 0]
        assert pixel.tolist() == gallery.image(one.index)[0, 0].tolist()
    alone = explained_picture(gallery.image(0), found)
    assert len([axes for axes in alone.axes if axes.images]) == 1
