"""Features of a network trained here: what it learns from, that it learns, and that it resumes."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from wordsight import ConvFeatures, CrossModalClassifier
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.data.scenes import make_scenes
from wordsight.exceptions import DataError, InputError
from wordsight.features import conv_features
from wordsight.features.network_training import NetworkTraining
from wordsight.features.residual_network import ResidualNetwork
from wordsight.geometry import sq_dist
from wordsight.progress import listening

CLASSES = ["red circle", "green star", "blue cross"]
IMAGES, LABELS = make_scenes(8, CLASSES, image_size=(16, 16))
HELD_OUT = np.arange(24) % 4 == 0


def small(width: int = 4, **options: Any) -> ConvFeatures:
    settings = {"n_epochs": 2, "batch_size": 10, "crop": 1, "random_state": 0, **options}
    return ConvFeatures(width, **settings)


@pytest.fixture
def trained_on(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    """The images that networks are trained on."""
    given: list[NDArray[np.uint8]] = []

    def noted(network: Any, images: NDArray[np.uint8], *more: Any) -> NetworkTraining:
        given.append(images.copy())
        return NetworkTraining(network, images, *more)

    monkeypatch.setattr(conv_features, "NetworkTraining", noted)
    return given


def test_it_learns_to_tell_classes_apart() -> None:
    classes = [*CLASSES, "gold heart"]
    images, labels = make_scenes(40, classes, image_size=(16, 16))
    new, truth = make_scenes(25, classes, image_size=(16, 16), split="test")
    features = small(n_epochs=8, batch_size=16).fit(images, labels)
    learned = features.transform(images)
    centers = np.array([learned[labels == name].mean(0) for name in classes])
    nearest = sq_dist(features.transform(new), centers).argmin(1)
    assert (np.array(classes)[nearest] == truth).mean() > 0.7  # chance is 0.25
    assert features.loss_ < np.log(4) / 2


def test_features_are_the_networks_standardised_on_the_images_trained_on() -> None:
    features = small()
    found = features.fit_transform(IMAGES, LABELS, held_out=HELD_OUT)
    assert found.shape == (24, 32)
    assert found.dtype == np.float32
    assert features.n_trained_ == 18
    np.testing.assert_array_equal(features.transform(IMAGES), found)
    network = ResidualNetwork.restored(4, 1, features.weights_)
    with torch.inference_mode():
        raw = network(torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float()).double().numpy()
    rest = raw[~HELD_OUT]
    spread = np.where(rest.std(0) > 1e-6 * rest.std(0).max(), rest.std(0), 1.0)
    np.testing.assert_allclose(found, (raw - rest.mean(0)) / spread, rtol=1e-3, atol=1e-3)
    alone = small().fit(IMAGES[~HELD_OUT], LABELS[~HELD_OUT])
    np.testing.assert_array_equal(alone.transform(IMAGES), found)


@pytest.mark.parametrize("as_data_set", [False, True])
def test_nothing_is_learned_from_images_held_out(
    trained_on: list[NDArray[np.uint8]], as_data_set: bool
) -> None:
    def fit(images: NDArray[np.uint8], labels: NDArray[Any]) -> ConvFeatures:
        X: Any = Dataset(ArraySource(images, labels)) if as_data_set else images
        return small(image_size=16).fit(X, None if as_data_set else labels, held_out=HELD_OUT)

    one = fit(IMAGES, LABELS)
    other_images, other_labels = IMAGES.copy(), LABELS.copy()
    other_images[HELD_OUT] = 255 - other_images[HELD_OUT]
    other_labels[HELD_OUT] = other_labels[HELD_OUT][::-1]
    other = fit(other_images, other_labels)
    for name in ("weights_", "mean_", "scale_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(trained_on[0], IMAGES[~HELD_OUT])


def test_the_classifier_keeps_its_threshold_images_from_the_network(
    trained_on: list[NDArray[np.uint8]],
) -> None:
    words = {name: np.eye(4)[k] for k, name in enumerate([*CLASSES, "gold heart"])}
    model: Any = CrossModalClassifier(
        words,
        ["gold heart"],
        features=small(),
        calibration_fraction=0.25,
        false_novel_rate=0.2,
        random_state=0,
    ).fit(IMAGES, LABELS)
    assert model.n_calibration_ == 6
    (used,) = trained_on
    assert len(used) == 18 == model.features_.n_trained_
    # which ones were held out is the classifier's secret, but each class has two of its eight
    kept = [any(np.array_equal(image, one) for one in used) for image in IMAGES]
    assert np.bincount(np.repeat(np.arange(3), 8)[np.flatnonzero(kept)]).tolist() == [6, 6, 6]
    assert model.predict_proba(IMAGES).shape == (24, 4)


def test_images_of_unseen_classes_never_reach_the_network() -> None:
    words = {name: np.eye(3)[k] for k, name in enumerate(CLASSES)}
    with pytest.raises(InputError, match="blue cross"):
        CrossModalClassifier(words, ["blue cross"], features=small()).fit(IMAGES, LABELS)


def test_the_same_seed_gives_the_same_numbers() -> None:
    one, other = small().fit(IMAGES, LABELS), small().fit(IMAGES, LABELS)
    np.testing.assert_array_equal(one.weights_, other.weights_)
    assert not np.array_equal(one.weights_, small(random_state=1).fit(IMAGES, LABELS).weights_)
    again = pickle.loads(pickle.dumps(one))  # noqa: S301 - its own bytes, as joblib makes them
    np.testing.assert_array_equal(again.transform(IMAGES), one.transform(IMAGES))
    assert clone(one).get_params() == one.get_params()
    assert list(one.get_feature_names_out())[:2] == ["convfeatures0", "convfeatures1"]


class StopError(Exception):
    """The power goes."""


@pytest.mark.parametrize("after", [1, 3, 4, 6])
def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path: Path, after: int) -> None:
    whole = small(n_epochs=3, n_blocks=2).fit(IMAGES, LABELS)  # 9 steps
    options: dict[str, Any] = {"n_epochs": 3, "n_blocks": 2, "checkpoint": tmp_path / "kept"}

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "training the network" and done == after:
            raise StopError

    with listening(stop), pytest.raises(StopError):
        small(**options).fit(IMAGES, LABELS)
    steps: list[int] = []

    def note(stage: str, done: int, total: int) -> None:
        if stage == "training the network":
            assert total == 9
            steps.append(done)

    with listening(note):
        resumed = small(**options).fit(IMAGES, LABELS)
    assert steps == list(range(1 + 3 * ((after - 1) // 3), 10))
    for name in ("weights_", "mean_", "scale_", "loss_"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))
    with listening(stop):  # all is done: there is no step to be stopped at
        done = small(**options).fit(IMAGES, LABELS)
    np.testing.assert_array_equal(done.weights_, whole.weights_)
    assert [place.name for place in (tmp_path / "kept").iterdir()] == ["training.safetensors"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 5}, "width was 4 and is 5"),
        ({"learning_rate": 0.2}, "learning_rate was 0.1 and is 0.2"),
        ({"n_epochs": 3}, "n_epochs was 2 and is 3"),
        ({"random_state": 1}, "seed was 0 and is 1"),
        ({"flip": False}, "flip was True and is False"),
    ],
)
def test_what_another_training_kept_is_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    small(checkpoint=tmp_path).fit(IMAGES, LABELS)
    with pytest.raises(InputError, match=f"another training .*{said}.*name another folder, or"):
        small(**{"checkpoint": tmp_path, **change}).fit(IMAGES, LABELS)


def test_other_images_or_labels_are_refused_and_a_damaged_file_told(tmp_path: Path) -> None:
    small(checkpoint=tmp_path).fit(IMAGES, LABELS)
    other = IMAGES.copy()
    other[5, 3, 3, 0] ^= 1
    for images, labels in ((other, LABELS), (IMAGES, LABELS[::-1])):
        with pytest.raises(InputError, match="images and labels was"):
            small(checkpoint=tmp_path).fit(images, labels)
    file = tmp_path / "training.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"is damaged .* remove it to start afresh"):
        small(checkpoint=tmp_path).fit(IMAGES, LABELS)
    with pytest.raises(InputError, match=r"random_state=None; .* needs a whole number"):
        small(checkpoint=tmp_path, random_state=None).fit(IMAGES, LABELS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "width=0 was given; expected a whole number, 1 to 4096"),
        ({"n_blocks": 10**9}, "n_blocks=1000000000"),
        ({"n_epochs": 1.5}, "n_epochs=1.5"),
        ({"batch_size": True}, "batch_size=True"),
        ({"crop": -1}, "crop=-1"),
        ({"crop": 16}, "crop=16 pixels was given for images of 16 × 16"),
        ({"learning_rate": 0}, "learning_rate=0 was given; expected a number above 0"),
        ({"weight_decay": float("nan")}, "weight_decay=nan"),
        ({"flip": "yes"}, "flip='yes'"),
        ({"image_size": "big"}, "image_size='big'"),
        ({"image_size": 8}, "this encoder expects 8 × 8"),
        ({"device": "tpu"}, "tpu"),
    ],
)
def test_a_parameter_that_is_wrong(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        small(**options).fit(IMAGES, LABELS)


def test_images_and_labels_that_are_wrong() -> None:
    with pytest.raises(InputError, match="learns from labels, and none were given"):
        small().fit(IMAGES)
    with pytest.raises(InputError, match=r"labels of shape \(23,\)"):
        small().fit(IMAGES, LABELS[:-1])
    with pytest.raises(InputError, match="images of 1 classes"):
        small().fit(IMAGES, LABELS, held_out=CLASSES[0] != LABELS)
    with pytest.raises(InputError, match="no images were given to train on"):
        small().fit(IMAGES, LABELS, held_out=np.ones(24, dtype=bool))
    with pytest.raises(InputError, match=r"held_out of type int64 and shape \(2,\)"):
        small().fit(IMAGES, LABELS, held_out=[0, 1])
    with pytest.raises(InputError, match="this encoder expects 16 × 16"):
        small().fit(IMAGES, LABELS).transform(IMAGES[:, :12])


def test_the_time_it_takes_is_in_proportion_to_images_and_epochs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timed: list[int] = []

    def fixed(self: NetworkTraining) -> float:
        timed.append(len(self._images))
        return 0.5

    assert 0 < small().estimate_seconds(100) < 60
    monkeypatch.setattr(NetworkTraining, "seconds_per_image", fixed)
    few, many = small(n_epochs=10).estimate_seconds(100), small(n_epochs=20).estimate_seconds(300)
    assert few == pytest.approx(100 * 10.4 * 0.5)
    assert many == pytest.approx(300 * 20.4 * 0.5)
    assert timed == [10, 10]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_learns_as_well_and_repeats_itself() -> None:
    one = small(n_epochs=8, device="cuda").fit(IMAGES, LABELS)
    other = small(n_epochs=8, device="cuda").fit(IMAGES, LABELS)
    np.testing.assert_array_equal(one.weights_, other.weights_)
    found = one.transform(IMAGES)
    np.testing.assert_allclose(one.set_params(device="cpu").transform(IMAGES), found, atol=1e-2)
