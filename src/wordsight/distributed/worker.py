"""What a worker keeps from one shard to the next."""

from typing import Any, TypeVar

import torch

__all__ = ["placed"]

_T = TypeVar("_T")


def placed(part: _T) -> _T:
    """Return a model, or a part of one, that computes on this worker's GPU, if it was given one.

    The cluster hands out GPUs and shows a worker only its own. What was brought to a GPU stays
    there as long as the worker lives, since the estimators keep what they placed.
    """
    if not torch.cuda.is_available():
        return part
    for one in (part, *(getattr(part, name, None) for name in _COMPUTING)):
        if one is not None and "device" in getattr(one, "get_params", dict)():
            _set_device(one)
    return part


_COMPUTING = ("features_", "mapping_", "seen_classifier_")


def _set_device(one: Any) -> None:
    if one.get_params()["device"] is None:
        one.set_params(device="cuda")
