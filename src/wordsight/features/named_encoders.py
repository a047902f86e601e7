"""Encoders by name, for the command line and for saved models.

A name says which library and which of its models: ``transformers:FOLDER``, ``timm:NAME`` or
``open_clip:NAME/WEIGHTS``. It stands in saved models, which may come from anywhere: so it never
leads to a file of weights that could run code, and never to a model off this machine other than
those that timm and open_clip list themselves.
"""

from typing import Any

from wordsight.exceptions import InputError
from wordsight.features.pretrained import (
    OpenClipEncoder,
    TransformersEncoder,
    is_listed,
    timm_encoder,
)

__all__ = ["EXPECTED", "is_encoder_name", "load_encoder"]

EXPECTED = "transformers:FOLDER, timm:NAME or open_clip:NAME/WEIGHTS"

_LIBRARIES = ("transformers", "timm", "open_clip")


def is_encoder_name(name: str) -> bool:
    """Say whether a text has the form of an encoder's name."""
    library, colon, model = name.partition(":")
    return bool(colon and model) and library in _LIBRARIES


def load_encoder(name: str, *, device: str | None = None) -> Any:
    """Return the encoder of a name.

    Parameters
    ----------
    name : str
        Such as ``"transformers:/models/dinov2-small"``, ``"timm:resnet50"`` or
        ``"open_clip:ViT-B-32/laion2b_s34b_b79k"``.
    device : str or None, default None
        Where to compute; None is ``"cpu"``.

    Returns
    -------
    callable
        From images (b, height, width, 3) of uint8 to features (b, F), with its name as ``recipe``.

    Raises
    ------
    InputError
        It is no such name.
    WordsightError
        The library is not installed, or the model cannot be loaded.
    """
    library, _colon, model = name.partition(":")
    if not is_encoder_name(name):
        raise InputError(f"{name!r} is no name of an encoder; expected {EXPECTED}")
    encoder: Any
    if library == "transformers":
        encoder = TransformersEncoder(model, device=device)
    elif library == "timm":
        encoder = timm_encoder(_listed(model, name), device=device)
    else:
        kind, _slash, weights = model.partition("/")
        encoder = OpenClipEncoder(
            _listed(kind, name), pretrained=_listed(weights, name), device=device
        )
    return encoder


def _listed(model: str, name: str) -> str:
    if not is_listed(model):
        raise InputError(
            f"{name!r} names no model of the library's own list ({model!r}); expected {EXPECTED}, "
            "or make the encoder in Python and give it to EncodedFeatures"
        )
    return model
