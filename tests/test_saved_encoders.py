"""Saved models on other features: a network of our own, and encoders that stay where they are."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from tiny_vision_model import write_vision_model
from wordsight import ConvFeatures, CrossModalClassifier, EncodedFeatures, load_model, save_model
from wordsight.exceptions import DataError, InputError, WordsightError
from wordsight.features.encoded import TorchEncoder, probe_image
from wordsight.features.named_encoders import load_encoder
from wordsight.features.pretrained import OpenClipEncoder, TransformersEncoder, timm_encoder
from wordsight.mapping.linear import LinearMap

SEEN = ["car", "dog"]
WORDS = {"car": [1.0, 0.0], "dog": [0.0, 1.0], "cat": [0.2, 0.9], "truck": [0.9, 0.2]}
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
NEW = np.random.default_rng(1).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)


def fitted(features: Any) -> CrossModalClassifier:
    model = CrossModalClassifier(
        WORDS,
        ["cat"],
        features=features,
        mapping=LinearMap(0.1),
        calibration_fraction=0.2,
        random_state=0,
    )
    return model.fit(IMAGES, np.array(SEEN * 30))


def network() -> ConvFeatures:
    return ConvFeatures(3, n_epochs=1, batch_size=16, crop=1, random_state=0)


def colours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    pixels = images.reshape(len(images), -1, 3)
    return np.hstack([pixels.mean(axis=1), pixels.std(axis=1)])


def assert_same(one: CrossModalClassifier, other: CrossModalClassifier) -> None:
    mine, theirs = one.recognise(NEW), other.recognise(NEW)
    for name in ("mapped", "proba", "novelty_score", "novelty_proba"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)


def config_of(directory: Path) -> Any:
    return json.loads((directory / "config.json").read_text(encoding="utf-8"))


# a network of our own


@pytest.fixture(scope="module")
def of_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conv")
    features = network().set_params(checkpoint=folder / "kept")
    return save_model(fitted(features), folder / "model")


@pytest.fixture
def changed(of_network: Path, tmp_path: Path) -> Path:
    shutil.copytree(of_network, tmp_path / "model")
    return tmp_path / "model"


def test_a_network_is_saved_whole(of_network: Path, tmp_path: Path) -> None:
    model = fitted(network())
    loaded: Any = load_model(of_network, device="cpu")
    assert_same(model, loaded)
    assert loaded.features_.n_trained_ == 48
    assert loaded.features_.checkpoint is None
    assert "checkpoint" not in (of_network / "config.json").read_text(encoding="utf-8")
    again = save_model(loaded, tmp_path / "again")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (again / name).read_bytes() == (of_network / name).read_bytes()
    assert "trained on the labels of 48 of these images; the held-out ones are not among them" in (
        again / "README.md"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("params.width", 4),
        ("params.width", 0),
        ("params.width", 10**9),
        ("params.n_blocks", 2),
        ("params.n_blocks", 10**12),
        ("params.flip", "no"),
        ("fitted.image_size_", [16, 10**9]),
        ("fitted.n_trained_", -1),
        ("fitted.loss_", None),
    ],
)
def test_a_network_whose_parts_do_not_fit(changed: Path, place: str, value: object) -> None:
    config = config_of(changed)
    kind, name = place.split(".")
    config["parts"]["features"][kind][name] = value
    (changed / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="damaged or was changed by hand"):
        load_model(changed)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("weights_", lambda weights: weights[:-1], "weights, and a network of"),
        ("weights_", lambda weights: np.full_like(weights, np.nan), "NaN or infinity"),
        ("weights_", lambda weights: -np.abs(weights), "not positive"),
        ("mean_", lambda mean: mean[:-1], "has shape"),
        ("scale_", lambda scale: 0 * scale, "no positive scale"),
    ],
)
def test_weights_that_are_damaged(
    changed: Path, name: str, change: Callable[[Any], Any], said: str
) -> None:
    tensors = load_file(changed / "model.safetensors")
    tensors[f"features.{name}"] = np.ascontiguousarray(change(tensors[f"features.{name}"]))
    save_file(tensors, changed / "model.safetensors")
    with pytest.raises(DataError, match=said):
        load_model(changed)


# encoders that are not saved


def test_an_encoder_of_the_users_own_is_given_again(tmp_path: Path) -> None:
    model = fitted(EncodedFeatures(colours))
    target = save_model(model, tmp_path / "model")
    assert_same(model, load_model(target, encoder=colours))
    without = load_model(target)
    with pytest.raises(InputError, match=r"saved without its encoder .*load_model\(path, encoder="):
        without.predict(NEW)
    features: Any = model.features_
    np.testing.assert_array_equal(  # features, where they are ready, need none
        without.predict_proba(features.transform(NEW)), model.predict_proba(NEW)
    )
    again = save_model(without, tmp_path / "again")  # and nothing is forgotten
    assert (again / "config.json").read_bytes() == (target / "config.json").read_bytes()
    assert_same(model, load_model(again, encoder=colours, device="cpu"))
    assert "by an encoder without a name, which is not in this folder" in (
        target / "README.md"
    ).read_text(encoding="utf-8")


def test_a_module_is_given_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.ReLU())
    other = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.ReLU())
    model = fitted(EncodedFeatures(module))
    target = save_model(model, tmp_path / "model")
    assert_same(model, load_model(target, encoder=module))
    with pytest.raises(InputError, match="sees something else in images"):
        load_model(target, encoder=other)


@pytest.mark.parametrize("standardise", [True, False])
def test_another_encoder_is_never_taken_for_the_same(tmp_path: Path, standardise: bool) -> None:
    target = save_model(
        fitted(EncodedFeatures(colours, standardise=standardise)), tmp_path / "model"
    )

    def medians(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        found = colours(images)
        found[:, :3] = np.median(images.reshape(len(images), -1, 3), axis=1)
        return found

    with pytest.raises(InputError, match=r"sees something else .* differ by \d"):
        load_model(target, encoder=medians)
    with pytest.raises(InputError, match="returned 3 features an image, and 6 when"):
        load_model(target, encoder=lambda images: colours(images)[:, :3])
    with pytest.raises(InputError, match="encoder=str is no encoder"):
        load_model(target, encoder="resnet")
    # the last bits of another kind of processor are no other encoder
    load_model(target, encoder=lambda images: colours(images) * (1 + 1e-5))


def test_encoders_that_know_their_names(tmp_path: Path) -> None:
    def named(name: str) -> TorchEncoder:
        encoder = TorchEncoder(torch.nn.AvgPool2d(4))
        encoder.name = name
        return encoder

    target = save_model(fitted(EncodedFeatures(named("pool"))), tmp_path / "model")
    load_model(target, encoder=named("pool"))
    load_model(target, encoder=TorchEncoder(torch.nn.AvgPool2d(4)))  # tells no name
    with pytest.raises(InputError, match=r"the encoder 'other' was given .* trained with 'pool'"):
        load_model(target, encoder=named("other"))
    with pytest.raises(InputError, match=r"without its encoder \(pool\)"):
        load_model(target).predict(NEW)


def test_a_model_that_needs_no_encoder(of_network: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trained on ConvFeatures and needs none"):
        load_model(of_network, encoder=colours)
    ready = CrossModalClassifier(WORDS, mapping=LinearMap(0.1), random_state=0)
    ready.fit(np.random.default_rng(0).normal(size=(100, 4)), np.array(SEEN * 50))
    with pytest.raises(InputError, match="trained on ready features and needs none"):
        load_model(save_model(ready, tmp_path / "model"), encoder=colours)


def test_the_picture_of_stripes_is_always_the_same() -> None:
    stripes = probe_image((2, 3))
    assert stripes.shape == (1, 2, 3, 3)
    # s² / 255 of s = 37 y + 61 x + 97 c + 5 x y, of 256: s = 0, 97, 194; 61, 158, 255; 122, 219, 60
    assert stripes[0, 0].tolist() == [[0, 36, 147], [14, 97, 255], [58, 188, 14]]
    assert stripes[0, 1, 2].tolist() == [112, 0, 44]  # s = 169, 10, 107


# encoders known by name


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A vision transformer in a folder."""
    return write_vision_model(tmp_path / "tiny-vit")


def test_a_folder_of_transformers_is_found_again(tiny: Path, tmp_path: Path) -> None:
    model = fitted(EncodedFeatures(TransformersEncoder(tiny)))
    target = save_model(model, tmp_path / "model")
    loaded = load_model(target, device="cpu")
    assert_same(model, loaded)
    again = save_model(loaded, tmp_path / "again")
    assert (again / "config.json").read_bytes() == (target / "config.json").read_bytes()
    fitted_part = config_of(target)["parts"]["features"]["fitted"]
    assert fitted_part["encoder_recipe_"] == f"transformers:{tiny.resolve()}"
    # another model in its place is noticed
    transformers = pytest.importorskip("transformers")
    other = transformers.ViTModel(transformers.ViTConfig.from_pretrained(tiny))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(torch.randn(parameter.shape))
    other.save_pretrained(tiny)
    with pytest.raises(InputError, match="sees something else in images"):
        load_model(target)
    moved = tiny.rename(tiny.with_name("moved"))
    with pytest.raises(WordsightError, match=r"the model's encoder is transformers:.*or give it"):
        load_model(target)
    with pytest.raises(InputError, match="'transformers moved' was given to a model"):
        load_model(target, encoder=TransformersEncoder(moved))


def stand_in_timm() -> ModuleType:
    def create_model(name: str, **options: Any) -> torch.nn.Module:
        assert options["num_classes"] == 0
        return torch.nn.AvgPool2d(4 if name == "pool4" else 8)

    config = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "input_size": (3, 16, 16)}
    timm = ModuleType("timm")
    vars(timm).update(
        create_model=create_model,
        data=SimpleNamespace(resolve_model_data_config=lambda _model: config),
    )
    return timm


def stand_in_open_clip() -> ModuleType:
    class Model(torch.nn.Module):
        def encode_image(self, x: torch.Tensor) -> torch.Tensor:
            return x.amax(dim=(2, 3))

    open_clip = ModuleType("open_clip")
    vars(open_clip).update(
        create_model_and_transforms=lambda _name, pretrained: (
            Model(),
            None,
            lambda image: torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255,
        )
    )
    return open_clip


def test_names_of_timm_and_open_clip_by_stand_ins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "timm", stand_in_timm())
    monkeypatch.setitem(sys.modules, "open_clip", stand_in_open_clip())
    for name in ("timm:pool4", "open_clip:ViT-B-32/laion2b"):
        model = fitted(EncodedFeatures(load_encoder(name)))
        target = save_model(model, tmp_path / name.partition(":")[0])
        assert config_of(target)["parts"]["features"]["fitted"]["encoder_recipe_"] == name
        assert_same(model, load_model(target))
        library = name.partition(":")[0]
        with monkeypatch.context() as gone:
            gone.setitem(sys.modules, library, None)
            said = rf"encoder is {name}, and .*pip install 'wordsight\[{library}\]'"
            with pytest.raises(WordsightError, match=said):
                load_model(target)
    # random weights, and names that lead to files or addresses, have no name to come back by
    assert timm_encoder("pool4", pretrained=False).recipe is None
    assert timm_encoder("hf-hub:someone/model").recipe is None
    assert OpenClipEncoder("ViT-B-32").recipe is None
    assert OpenClipEncoder("ViT-B-32", pretrained="/tmp/weights.pt").recipe is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet50", "is no name of an encoder; expected transformers:FOLDER, timm:NAME"),
        ("pickle:x", "is no name of an encoder"),
        ("timm:", "is no name of an encoder"),
        ("timm:hf-hub:someone/model", "no model of the library's own list"),
        ("open_clip:ViT-B-32", "no model of the library's own list"),
        ("open_clip:ViT-B-32//tmp/weights.pt", "no model of the library's own list"),
    ],
)
def test_names_that_are_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_encoder(name)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("fitted.encoder_recipe_", "pickle:x"),
        ("fitted.encoder_recipe_", 5),
        ("fitted.encoder_name_", ["x"]),
        ("fitted.image_size_", [16]),
        ("params.batch_size", 0),
        ("params.batch_size", "many"),
    ],
)
def test_an_encoders_entry_that_is_damaged(tmp_path: Path, place: str, value: object) -> None:
    target = save_model(fitted(EncodedFeatures(colours)), tmp_path / "model")
    config = config_of(target)
    kind, name = place.split(".")
    config["parts"]["features"][kind][name] = value
    (target / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="damaged or was changed by hand"):
        load_model(target, encoder=colours)
