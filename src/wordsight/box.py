"""The model in the box, and what a model is called wherever one is named.

A model is named by its directory, or as ``box:cifar10``: the small one that comes with the package.
Nothing here imports more than the standard library.
"""

import json
import os
from pathlib import Path
from typing import Any

from wordsight.exceptions import InputError

__all__ = ["BOX", "PREFIX", "about_box", "box_models", "is_model_directory", "model_directory"]

PREFIX = "box:"
BOX = "box:cifar10"
"""The model that is used where none is named."""

_HOME = Path(__file__).parent / "models"
_FORMAT = "wordsight-model"


def box_models() -> list[str]:
    """Return the names of the models that come with the package."""
    return sorted(f"{PREFIX}{config.parent.name}" for config in _HOME.glob("*/config.json"))


def model_directory(model: str | os.PathLike[str]) -> Path:
    """Return the directory of a model.

    Parameters
    ----------
    model : path-like
        A directory, which need not be there; or a name from `box_models`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        There is no model of this name in the package.
    """
    name = os.fspath(model)
    if not name.startswith(PREFIX):
        return Path(model)
    if name not in box_models():
        raise InputError(
            f"no model {name!r} comes with the package; expected {' or '.join(box_models())}, or "
            "a directory made by: wordsight fit"
        )
    return _HOME / name.removeprefix(PREFIX)


def is_model_directory(path: str | os.PathLike[str]) -> bool:
    """Tell whether a folder holds a Wordsight model, whole or damaged."""
    folder = Path(path)
    if (folder / "model.safetensors").is_file():
        return True
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(config, dict) and config.get("format") == _FORMAT


def about_box(model: str = BOX) -> str:
    """Say in a sentence what a model in the box was trained on, and how accurate it is.

    Parameters
    ----------
    model : str
        A name from `box_models`.

    Returns
    -------
    str
    """
    config: dict[str, Any] = json.loads(
        (model_directory(model) / "config.json").read_text(encoding="utf-8")
    )
    height, width = config["parts"]["features"]["fitted"]["image_size_"]
    scores = config["about"]["scores"]
    return (
        f"the model in the box ({model}), trained on {config['about']['n_images']} photographs of "
        f"{height} × {width} pixels: {', '.join(config['seen'])}; "
        f"{scores['overall_accuracy']:.0%} of {scores['n_images']} test images were told right"
    )
