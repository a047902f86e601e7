"""Encoders from elsewhere: callables, torch modules, and the adapters of other libraries.

timm and open_clip are stand-ins of the same interface here; transformers is the real one, with a
tiny model that the test makes.
"""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import clone

from wordsight import CrossModalClassifier
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.exceptions import InputError, WordsightError
from wordsight.features.encoded import EncodedFeatures, TorchEncoder
from wordsight.features.pretrained import OpenClipEncoder, TransformersEncoder, timm_encoder

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 12, 10, 3), dtype=np.uint8)


def colours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean and spread of each colour."""
    pixels = images.reshape(len(images), -1, 3)
    return np.hstack([pixels.mean(axis=1), pixels.std(axis=1)])


def test_features_are_what_the_encoder_says_standardised() -> None:
    features = EncodedFeatures(colours, batch_size=7)
    found = features.fit_transform(IMAGES)
    raw = colours(IMAGES)
    np.testing.assert_allclose(found, (raw - raw.mean(0)) / raw.std(0), atol=2e-3)
    np.testing.assert_array_equal(features.transform(IMAGES), found)
    np.testing.assert_array_equal(features.transform(IMAGES[:1]), found[:1])
    assert features.transform(IMAGES[:0]).shape == (0, 6)
    plain = EncodedFeatures(colours, standardise=False).fit(IMAGES)
    np.testing.assert_allclose(plain.transform(IMAGES), raw, rtol=1e-6)
    assert clone(features).batch_size == 7
    assert list(features.get_feature_names_out())[:2] == ["encodedfeatures0", "encodedfeatures1"]


def test_a_feature_that_never_changes_stays_finite() -> None:
    found = EncodedFeatures(lambda images: np.hstack([colours(images), 0 * images[:, 0, 0] + 7.0]))
    features = found.fit_transform(IMAGES)
    np.testing.assert_array_equal(features[:, 6:], 0.0)


def test_a_data_set_is_brought_to_the_size_the_encoder_takes() -> None:
    seen: list[tuple[int, ...]] = []

    class Sized:
        image_size = (8, 6)

        def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
            seen.append(images.shape[1:])
            return colours(images)

    data = Dataset(ArraySource(IMAGES, np.arange(50).astype(str)))
    assert EncodedFeatures(Sized()).fit_transform(data).shape == (50, 6)
    EncodedFeatures(Sized(), image_size=5).fit(data)
    assert set(seen) == {(8, 6, 3), (5, 5, 3)}
    with pytest.raises(InputError, match="this encoder expects 8 × 6"):
        EncodedFeatures(Sized()).fit(IMAGES)


def test_a_torch_module_sees_scaled_pixels_channels_first() -> None:
    given: dict[str, Any] = {}

    class Module(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            given["x"], given["training"] = x, self.training
            return x  # (b, 3, h, w): the mean over places is taken

    module = Module()
    found = EncodedFeatures(module, standardise=False).fit_transform(IMAGES)
    assert not given["training"]
    np.testing.assert_allclose(found, IMAGES.mean(axis=(1, 2)) / 255, rtol=1e-5)
    encoder = TorchEncoder(module, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.4))
    expected = (IMAGES[:4] / 255 - [0.5, 0.4, 0.3]) / [0.1, 0.2, 0.4]
    np.testing.assert_allclose(encoder(IMAGES[:4]), expected.mean(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(given["x"], expected.transpose(0, 3, 1, 2), rtol=1e-4, atol=1e-6)


def test_a_module_that_returns_no_tensor() -> None:
    class Module(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"features": x}

    with pytest.raises(InputError, match=r"the module returns dict; .* wrap it"):
        EncodedFeatures(Module()).fit(IMAGES)


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        (lambda images: colours(images)[:-1], r"of shape \(49, 6\) for 50 images"),
        (lambda images: colours(images)[:, 0], r"of shape \(50,\) for 50 images"),
        (lambda images: colours(images)[:, :0], r"of shape \(50, 0\)"),
        (lambda images: np.full((len(images), 2), np.nan), "NaN or infinity for 50 of 50 images"),
        (lambda images: ["a"] * len(images), "returned list, which is no array of numbers"),
        (lambda _images: None, "shape|no array"),
        ("resnet", "encoder=str is no encoder"),
    ],
)
def test_an_encoder_that_is_wrong(encoder: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        EncodedFeatures(encoder).fit(IMAGES)


def test_an_encoder_that_changes_its_mind() -> None:
    width = [4]
    features = EncodedFeatures(lambda images: np.tile(colours(images)[:, :1], width[0]))
    features.fit(IMAGES)
    width[0] = 5
    with pytest.raises(InputError, match="returned 5 features an image, and 4 when it was fitted"):
        features.transform(IMAGES)
    with pytest.raises(InputError, match="batch_size=0"):
        EncodedFeatures(colours, batch_size=0).fit(IMAGES)
    with pytest.raises(InputError, match="no images were given"):
        EncodedFeatures(colours).fit(IMAGES[:0])


def test_the_whole_model_on_another_encoder() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(["red", "green", "blue"], 60)
    tint = {"red": [150, 0, 0], "green": [0, 150, 0], "blue": [0, 0, 150], "yellow": [150, 150, 0]}
    words = {name: np.array(value, dtype=float) / 150 for name, value in tint.items()}

    def pictures(names: NDArray[np.str_]) -> NDArray[np.uint8]:
        noise = rng.integers(0, 100, (len(names), 6, 6, 3))
        tinted = noise + np.array([tint[name] for name in names])[:, None, None]
        return np.asarray(tinted, dtype=np.uint8)

    model = CrossModalClassifier(
        words, ["yellow"], features=EncodedFeatures(colours), random_state=0
    ).fit(pictures(y), y)
    assert (model.predict(pictures(y)) == y).mean() > 0.8
    assert (model.predict(pictures(np.repeat(["yellow"], 40))) == "yellow").mean() > 0.8


def test_timm_by_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class Model(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3))

    def create_model(name: str, **options: Any) -> torch.nn.Module:
        if name != "tiny":
            raise RuntimeError(f"Unknown model ({name})")
        asked.update(options)
        return Model()

    config = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "input_size": (3, 12, 10)}
    timm = ModuleType("timm")
    vars(timm).update(
        create_model=create_model,
        data=SimpleNamespace(resolve_model_data_config=lambda _model: config),
    )
    monkeypatch.setitem(sys.modules, "timm", timm)
    encoder = timm_encoder("tiny", pretrained=False)
    assert asked == {"pretrained": False, "num_classes": 0}
    assert encoder.image_size == (12, 10)
    np.testing.assert_allclose(encoder(IMAGES), IMAGES.mean(axis=(1, 2)) / 127.5 - 1, atol=1e-5)
    with pytest.raises(WordsightError, match=r"model huge cannot be loaded \(Unknown model"):
        timm_encoder("huge")


def test_open_clip_by_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Model(torch.nn.Module):
        def encode_image(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3))

    def prepare(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255

    def create(name: str, *, pretrained: str | None) -> tuple[Any, None, Any]:
        if name != "ViT-tiny":
            raise RuntimeError(f"Model config for {name} not found.")
        assert pretrained == "weights"
        return Model(), None, prepare

    open_clip = ModuleType("open_clip")
    vars(open_clip).update(create_model_and_transforms=create)
    monkeypatch.setitem(sys.modules, "open_clip", open_clip)
    encoder = OpenClipEncoder("ViT-tiny", pretrained="weights")
    np.testing.assert_allclose(encoder(IMAGES), IMAGES.mean(axis=(1, 2)) / 255, rtol=1e-4)
    with pytest.raises(WordsightError, match="cannot be loaded"):
        OpenClipEncoder("ViT-huge")


@pytest.mark.parametrize(
    ("library", "make"),
    [
        ("timm", lambda: timm_encoder("resnet50")),
        ("open_clip", lambda: OpenClipEncoder("ViT-B-32")),
        ("transformers", lambda: TransformersEncoder("vit")),
    ],
)
def test_a_library_that_is_not_there(
    library: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(WordsightError, match=rf"pip install 'wordsight\[{library}\]'"):
        make()


@pytest.mark.parametrize("kind", ["vit", "clip"])
def test_transformers_with_a_tiny_model(tmp_path: Path, kind: str) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    small = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "image_size": 16,
        "patch_size": 8,
    }
    if kind == "vit":
        model = transformers.ViTModel(transformers.ViTConfig(**small))
    else:
        text = {**small, "vocab_size": 20, "max_position_embeddings": 8}
        config = transformers.CLIPConfig(
            vision_config=small,
            text_config={k: v for k, v in text.items() if k not in ("image_size", "patch_size")},
            projection_dim=5,
        )
        model = transformers.CLIPModel(config)
    model.save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path)
    encoder = TransformersEncoder(tmp_path)
    found = encoder(IMAGES[:3])
    assert found.shape == (3, 8 if kind == "vit" else 5)
    np.testing.assert_allclose(encoder(IMAGES[1:2]), found[1:2], atol=1e-5)
    assert EncodedFeatures(encoder).fit_transform(IMAGES).shape[0] == 50
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WordsightError, match="give the folder of a model on this machine"):
        TransformersEncoder(tmp_path)
