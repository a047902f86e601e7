"""Vision models from other libraries as encoders: transformers, timm and open_clip.

All are imported when they are asked for, and nothing is downloaded unless that is asked for, too.
"""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from wordsight.compute import resolve_device
from wordsight.exceptions import WordsightError
from wordsight.features.encoded import TorchEncoder

__all__ = ["OpenClipEncoder", "TransformersEncoder", "is_listed", "timm_encoder"]


class TransformersEncoder:
    """A vision model of Hugging Face transformers, such as CLIP, SigLIP, ViT or DINOv2.

    Needs the extra ``transformers``.

    Parameters
    ----------
    model : path-like or str
        A folder that holds the model, or the name of one in the user's cache.
    device : str or None, default None
        Where to compute; None is ``"cpu"``.
    download : bool, default False
        Whether a model that is not there may be downloaded.

    Attributes
    ----------
    prepared_size : (int, int) or None
        Height and width that the model's own preparation brings images of any size to, where it
        says so.

    Raises
    ------
    WordsightError
        transformers is not installed, or the model cannot be loaded.

    Notes
    -----
    The features are the image embedding of models that have one (CLIP, SigLIP); of others the
    pooled output, or the first token's last hidden state. Weights are read from safetensors alone.
    """

    def __init__(
        self, model: str | os.PathLike[str], *, device: str | None = None, download: bool = False
    ) -> None:
        try:
            import transformers  # noqa: PLC0415 - optional, slow
        except ImportError as error:
            raise _not_installed("transformers", "transformers") from error
        self._device = resolve_device(device)
        options: dict[str, Any] = {"local_files_only": not download, "trust_remote_code": False}
        try:
            self._processor = transformers.AutoImageProcessor.from_pretrained(
                str(model), use_fast=False, **options
            )
            loaded = transformers.AutoModel.from_pretrained(
                str(model), use_safetensors=True, **options
            )
        except Exception as error:  # of whatever kind: it comes from files
            raise _not_loaded(model, error, download=download) from error
        self._model = loaded.eval().to(self._device)
        self.prepared_size = _prepared_size(self._processor)
        self.name = f"transformers {Path(model).name}"
        self.recipe = f"transformers:{Path(model).resolve() if Path(model).is_dir() else model}"

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of images, (b, F)."""
        given = self._processor(images=[Image.fromarray(image) for image in images])
        pixels = torch.as_tensor(np.stack(given["pixel_values"]), device=self._device)
        with torch.inference_mode():
            if hasattr(self._model, "get_image_features"):
                found = self._model.get_image_features(pixel_values=pixels)
            else:
                found = self._model(pixel_values=pixels)
        return _pooled(found).float().cpu().numpy()


def _prepared_size(processor: Any) -> tuple[int, int] | None:
    """Return the height and width of what a processor of transformers makes, if it says so."""
    for sizes in (getattr(processor, "crop_size", None), getattr(processor, "size", None)):
        if not sizes:
            continue
        sides = [sizes.get(key) or sizes.get("shortest_edge") for key in ("height", "width")]
        if all(sides):
            return int(sides[0]), int(sides[1])
    return None


def _pooled(found: Any) -> torch.Tensor:
    """Return one row an image of whatever a model of transformers returns."""
    if isinstance(found, torch.Tensor):
        return found
    pooled = getattr(found, "pooler_output", None)
    if pooled is None:
        hidden = found.last_hidden_state
        pooled = hidden[:, 0] if hidden.ndim == 3 else hidden.mean(dim=(2, 3))
    tensor: torch.Tensor = pooled.flatten(1)
    return tensor


def timm_encoder(name: str, *, pretrained: bool = True, device: str | None = None) -> TorchEncoder:
    """Return a model of timm (extra ``timm``) without its classifier.

    Parameters
    ----------
    name : str
        Such as ``"resnet50"``; timm lists them.
    pretrained : bool, default True
        With published weights, which timm downloads where they are not in its cache.
    device : str or None, default None

    Returns
    -------
    TorchEncoder
        With the pixel statistics and the image size of the model.
    """
    try:
        import timm  # noqa: PLC0415 - optional, slow
    except (ImportError, RuntimeError) as error:  # torchvision's extension may not fit torch
        raise _not_installed("timm", "timm", error) from error
    try:
        model = timm.create_model(name, pretrained=pretrained, num_classes=0)
        config = timm.data.resolve_model_data_config(model)
    except Exception as error:
        raise _not_loaded(name, error, download=True) from error
    encoder = TorchEncoder(
        model,
        mean=config["mean"],
        std=config["std"],
        image_size=(int(config["input_size"][1]), int(config["input_size"][2])),
        device=device,
    )
    encoder.name = f"timm {name}"
    encoder.recipe = f"timm:{name}" if pretrained and is_listed(name) else None
    return encoder


class OpenClipEncoder:
    """The image side of a CLIP model of open_clip (extra ``open_clip``).

    Parameters
    ----------
    name : str
        Such as ``"ViT-B-32"``; open_clip lists them.
    pretrained : str or None, default None
        Name or path of the weights; None leaves the model random.
    device : str or None, default None
    """

    def __init__(
        self, name: str, *, pretrained: str | None = None, device: str | None = None
    ) -> None:
        try:
            import open_clip  # noqa: PLC0415 - optional, slow
        except (ImportError, RuntimeError) as error:
            raise _not_installed("open_clip", "open_clip", error) from error
        self._device = resolve_device(device)
        try:
            model, _train, self._prepare = open_clip.create_model_and_transforms(
                name, pretrained=pretrained
            )
        except Exception as error:
            raise _not_loaded(name, error, download=True) from error
        self._model = model.eval().to(self._device)
        self.prepared_size = _square(getattr(getattr(model, "visual", None), "image_size", None))
        self.name = f"open_clip {name}"
        listed = is_listed(name) and is_listed(pretrained or "")
        self.recipe = f"open_clip:{name}/{pretrained}" if listed else None

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of images, (b, F)."""
        pixels = torch.stack([self._prepare(Image.fromarray(image)) for image in images])
        with torch.inference_mode():
            found: torch.Tensor = self._model.encode_image(pixels.to(self._device))
        return found.float().cpu().numpy()


def _square(size: Any) -> tuple[int, int] | None:
    """Return a size that a library gives as one side or as two."""
    if size is None:
        return None
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))


def is_listed(name: str) -> bool:
    """Say whether a name can stand in a library's own list: no path, no address."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) is not None


def _not_installed(library: str, extra: str, error: Exception | None = None) -> WordsightError:
    more = "" if error is None or isinstance(error, ModuleNotFoundError) else f" ({error})"
    return WordsightError(
        f"{library} cannot be imported{more}; install it: pip install 'wordsight[{extra}]'"
    )


def _not_loaded(name: object, error: Exception, *, download: bool) -> WordsightError:
    reason = str(error).partition("\n")[0] or type(error).__name__
    advice = "give a name that the library knows"
    if not download:
        advice = "give the folder of a model on this machine, or download=True"
    return WordsightError(f"the model {name} cannot be loaded ({reason}); {advice}")
