"""A vision transformer small enough for tests, in a folder as transformers keeps them."""

from pathlib import Path

import pytest
import torch


def write_vision_model(folder: Path, size: int = 16) -> Path:
    """Write a model of random weights for images of a size; skip where there is no transformers."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        image_size=size,
        patch_size=8,
    )
    transformers.ViTModel(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": size, "width": size}).save_pretrained(folder)
    return folder
