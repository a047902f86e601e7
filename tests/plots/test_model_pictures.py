"""Pictures of a model, and those on its card."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from wordsight import CrossModalClassifier, load_model, save_model
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.data.scenes import make_scenes
from wordsight.evaluation import Observed, evaluate, observe
from wordsight.exceptions import InputError
from wordsight.features.conv_features import ConvFeatures
from wordsight.features.patch_features import PatchFeatures
from wordsight.metrics import scores
from wordsight.model_card import CARD_PICTURES
from wordsight.plots.model_pictures import (
    KINDS,
    ON_CARD,
    PictureSettings,
    card_pictures,
    draw,
)

SEEN, UNSEEN = ["blue circle", "blue star", "gold circle", "red star"], ["gold star", "red circle"]


def some_images(n: int, split: Any, classes: list[str]) -> Dataset:
    images, labels = make_scenes(n, classes, image_size=(16, 16), split=split)
    return Dataset(ArraySource(images, labels))


@pytest.fixture(scope="module")
def model() -> CrossModalClassifier:
    features = PatchFeatures(10, n_patches=1000, image_size=16, random_state=0)
    model = CrossModalClassifier(
        unseen=UNSEEN, features=features, false_novel_rate=0.2, random_state=0
    )
    return model.fit(some_images(20, "train", SEEN))


@pytest.fixture(scope="module")
def observed(model: CrossModalClassifier) -> Observed:
    return observe(model, some_images(8, "test", [*SEEN, *UNSEEN]), n_mapped=30)


# --- what is observed ----------------------------------------------------------------------------


def test_what_is_observed_is_what_the_model_says(model: CrossModalClassifier) -> None:
    data = some_images(8, "test", [*SEEN, *UNSEEN])
    seen_at_once = observe(model, data, n_mapped=10, random_state=1)
    found = model.recognise(data)
    assert data.labels is not None
    np.testing.assert_array_equal(seen_at_once.true, data.labels)
    np.testing.assert_array_equal(seen_at_once.predicted, found.label)
    np.testing.assert_array_equal(seen_at_once.as_seen, found.seen_label)
    np.testing.assert_array_equal(seen_at_once.novelty_score, found.novelty_score)
    np.testing.assert_array_equal(seen_at_once.mapped, found.mapped[seen_at_once.sample])
    assert len(set(seen_at_once.sample.tolist())) == 10
    assert found.unseen_label is not None
    again: dict[str, Any] = {**evaluate(model, data)}
    expected = scores(
        data.labels, found.label, found.seen_label, found.unseen_label, found.novelty_score,
        seen=model.seen_, unseen=model.unseen_,
    )  # fmt: skip
    assert {name: again[name] for name in expected} == expected


def test_a_limit_draws_images_by_chance_and_the_same_again(model: CrossModalClassifier) -> None:
    data = some_images(8, "test", [*SEEN, *UNSEEN])
    one, two, other = (observe(model, data, limit=12, random_state=seed) for seed in (0, 0, 1))
    assert len(one.true) == 12
    np.testing.assert_array_equal(one.novelty_score, two.novelty_score)
    assert not np.array_equal(one.novelty_score, other.novelty_score)
    everything = observe(model, data)  # in other batches, so equal but for rounding
    apart = np.abs(one.novelty_score[:, None] - everything.novelty_score[None]).min(axis=1)
    assert apart.max() < 1e-3


# --- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_drawn_with_its_title_and_numbers(
    kind: Any, model: CrossModalClassifier, observed: Observed
) -> None:
    settings = PictureSettings(data="scenes, test split", model="a model", layout="pca")
    picture = draw(kind, model, observed, settings)
    assert isinstance(picture.figure, Figure)
    of_what = "a model" if kind in ("filters", "words") else "scenes, test split"
    assert picture.title.endswith(f": {of_what}")
    assert picture.figure.get_suptitle().replace("\n", " ") == picture.title
    assert all(np.isfinite(number) for number in picture.numbers.values())
    assert draw(kind, model, observed, replace(settings, title="Mine")).title == "Mine"


def test_numbers_of_the_curve_and_of_the_diagram_are_those_of_the_evaluation(
    model: CrossModalClassifier, observed: Observed
) -> None:
    found: dict[str, Any] = {**evaluate(model, some_images(8, "test", [*SEEN, *UNSEEN]))}
    curve = draw("curve", model, observed).numbers
    for name in ("ausuc", "seen_accuracy", "unseen_accuracy", "best_harmonic_mean"):
        assert curve[name] == pytest.approx(found[name])
    (star,) = [
        line
        for line in draw("curve", model, observed).figure.axes[0].lines
        if line.get_marker() == "*"
    ]
    place = np.asarray(star.get_xydata())[0]
    assert place.tolist() == pytest.approx([found["seen_accuracy"], found["unseen_accuracy"]])
    diagram = draw("reliability", model, observed).numbers
    assert diagram["calibration_error"] == pytest.approx(found["calibration_error"])
    counts = draw("confusion", model, observed).numbers
    assert counts == {"n_images": 48, "n_right": int(observed.is_right.sum())}


def test_filters_of_a_network_are_its_first_layer(observed: Observed) -> None:
    features = ConvFeatures(4, n_epochs=1, random_state=0)
    model = CrossModalClassifier(features=features, false_novel_rate=0.2, random_state=0)
    model.fit(some_images(10, "train", SEEN))
    picture = draw("filters", model)
    assert picture.numbers == {"n_filters": 4}
    # the first numbers of the weights behind mean and scale of the pixels are the first filter
    fitted: Any = model.features_
    first = fitted.weights_[6 : 6 + 27].reshape(3, 3, 3).transpose(1, 2, 0)
    mosaic = np.asarray(picture.figure.axes[0].images[0].get_array())
    scaled = 0.5 + 0.5 * first / np.abs(first).max()
    shown = [mosaic[:3, 4 * place : 4 * place + 3] for place in range(4)]
    assert any(np.allclose(one, scaled, atol=1e-6) for one in shown)


def test_ready_features_have_no_filters() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(["cat", "dog"], 60)
    model = CrossModalClassifier(random_state=0).fit(rng.normal(size=(120, 5)), y)
    with pytest.raises(InputError, match="ready features, which have no filters"):
        draw("filters", model)


def test_what_cannot_be_drawn_is_told(model: CrossModalClassifier, observed: Observed) -> None:
    kind: Any = "heart"
    with pytest.raises(InputError, match="'heart' was asked for; expected one of: map, curve"):
        draw(kind, model)
    with pytest.raises(InputError, match="'map' shows what a model says of labelled images"):
        draw("map", model)
    seen_alone = observe(model, some_images(3, "test", SEEN))
    with pytest.raises(InputError, match=r"of an unseen class \(gold star, red circle\)"):
        draw("curve", model, seen_alone)
    unseen_alone = observe(model, some_images(3, "test", UNSEEN))
    with pytest.raises(InputError, match=r"of a seen class \(blue circle"):
        draw("curve", model, unseen_alone)
    nothing_unseen = replace(seen_alone, unseen=np.array([], dtype=np.str_))
    with pytest.raises(InputError, match="the model has no unseen classes"):
        draw("curve", model, nothing_unseen)


def test_letters_that_the_font_lacks_are_told_of_once() -> None:
    rng = np.random.default_rng(0)
    words = {"猫": [1.0, 0.0], "犬": [0.8, 1.0], "owl": [0.0, 1.0]}
    model = CrossModalClassifier(words, ["owl"], random_state=0)
    model.fit(rng.normal(size=(120, 5)), np.repeat(["猫", "犬"], 60))
    with pytest.warns(UserWarning) as told:
        draw("words", model).encoded("png", dpi=50)
    lacking = [one for one in told if "lacks some letters" in str(one.message)]
    assert len(lacking) == len(told) == 1


# --- the card ------------------------------------------------------------------------------------


def test_the_card_shows_the_pictures_that_lie_beside_it(
    model: CrossModalClassifier, observed: Observed, tmp_path: Path
) -> None:
    pictures = card_pictures(model, observed, PictureSettings(data="scenes"))
    assert list(pictures) == list(ON_CARD)
    assert set(CARD_PICTURES) == set(ON_CARD)
    target = save_model(model, tmp_path / "model", pictures=pictures)
    card = (target / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", card)
    assert linked == [f"pictures/{kind}.png" for kind in ON_CARD]
    for place in linked:
        with Image.open(target / place) as image:
            assert image.format == "PNG"
            assert image.width < 800
        assert (target / place).stat().st_size < 150_000
    assert {path.name for path in target.iterdir()} == {
        "config.json", "model.safetensors", "README.md", "pictures",
    }  # fmt: skip


def test_images_of_seen_classes_alone_have_no_curve_on_the_card(
    model: CrossModalClassifier,
) -> None:
    seen_alone = observe(model, some_images(3, "test", SEEN), n_mapped=12)
    pictures = card_pictures(model, seen_alone, PictureSettings())
    assert list(pictures) == ["confusion", "map", "reliability"]


def picture_of(model: CrossModalClassifier) -> dict[str, bytes]:
    return {"curve": draw("words", model).encoded("png", dpi=50)}


def test_loading_does_not_need_the_pictures_and_never_reads_them(
    model: CrossModalClassifier, tmp_path: Path
) -> None:
    target = save_model(model, tmp_path / "model", pictures=picture_of(model))
    (target / "pictures" / "curve.png").write_bytes(b"no picture at all")
    assert load_model(target).classes_.tolist() == model.classes_.tolist()
    shutil.rmtree(target / "pictures")
    assert load_model(target).classes_.tolist() == model.classes_.tolist()


def test_replacing_a_model_replaces_its_pictures_and_nothing_of_others(
    model: CrossModalClassifier, tmp_path: Path
) -> None:
    target = save_model(model, tmp_path / "model", pictures=picture_of(model))
    save_model(model, target, overwrite=True)
    assert not (target / "pictures").exists()
    assert "## Pictures" not in (target / "README.md").read_text(encoding="utf-8")
    save_model(model, target, pictures=picture_of(model), overwrite=True)
    (target / "pictures" / "holiday.png").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"other things than a model \(pictures/holiday.png\)"):
        save_model(model, target, overwrite=True)
    assert (target / "pictures" / "holiday.png").read_bytes() == b"mine"
    shutil.rmtree(target / "pictures")
    (target / "pictures").write_text("a file of mine")
    with pytest.raises(InputError, match=r"other things than a model \(pictures\)"):
        save_model(model, target, overwrite=True)


@pytest.mark.parametrize(
    ("pictures", "says"),
    [
        ({"../evil": b"\x89PNG\r\n\x1a\n"}, "'../evil' was given for the card; expected some of"),
        ({"curve": b"GIF89a"}, "'curve' is no PNG file"),
    ],
)
def test_what_is_no_picture_of_a_card_is_refused(
    pictures: dict[str, bytes], says: str, model: CrossModalClassifier, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        save_model(model, tmp_path / "model", pictures=pictures)
    assert not list(tmp_path.iterdir())
