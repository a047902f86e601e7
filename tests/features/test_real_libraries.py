"""The adapters of timm and open_clip with the libraries themselves, where these can be imported.

Their weights are random: nothing is downloaded. Beside a torch whose torchvision does not fit they
cannot be imported, and the stand-ins of ``test_encoded.py`` are all there is.
"""

import importlib
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from wordsight import EncodedFeatures
from wordsight.features.pretrained import OpenClipEncoder, timm_encoder

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)


def library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"{name} cannot be imported here: {error}")


def test_timm_sees_what_the_model_sees() -> None:
    timm = library("timm")
    torch.manual_seed(0)
    encoder = timm_encoder("resnet18", pretrained=False)
    assert encoder.image_size == (224, 224)
    torch.manual_seed(0)
    model = timm.create_model("resnet18", pretrained=False, num_classes=0).eval()
    config = timm.data.resolve_model_data_config(model)
    mean, std = (torch.tensor(config[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        expected = model((pixels - mean) / std).numpy()
    np.testing.assert_allclose(encoder(IMAGES), expected, rtol=1e-4, atol=1e-4)
    assert EncodedFeatures(encoder).fit_transform(IMAGES).shape == (3, 512)


def test_open_clip_sees_what_the_model_sees() -> None:
    open_clip = library("open_clip")
    torch.manual_seed(0)
    encoder = OpenClipEncoder("RN50")
    assert encoder.prepared_size == (224, 224)
    torch.manual_seed(0)
    model, _train, prepare = open_clip.create_model_and_transforms("RN50", pretrained=None)
    pixels = torch.stack([prepare(Image.fromarray(image)) for image in IMAGES])
    with torch.inference_mode():
        expected = model.eval().encode_image(pixels).numpy()
    np.testing.assert_allclose(encoder(IMAGES), expected, rtol=1e-4, atol=1e-4)
    assert EncodedFeatures(encoder).fit_transform(IMAGES).shape == (3, 1024)
