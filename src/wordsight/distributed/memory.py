"""How much memory a worker needs, before it is started."""

from typing import Any

import torch

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.features.encoded import EncodedFeatures, probe_image
from wordsight.features.images import asked_size
from wordsight.features.patch_features import PatchFeatures

__all__ = ["bytes_to_fit", "bytes_to_recognise"]

PROCESS = 700_000_000
"""A process with its libraries, and the images and features of some batches."""

_FLOAT, _DOUBLE = 4, 8


def bytes_to_recognise(model: CrossModalClassifier, model_file: int) -> int:
    """Return what a worker needs to recognise images: it does not grow with the images.

    Parameters
    ----------
    model : CrossModalClassifier
    model_file : int
        Bytes of its arrays on disk.
    """
    # as sent, as arrays of its own, and what the encoder makes of them to be fast
    return PROCESS + 3 * max(model_file, model.word_vectors_.nbytes)


def bytes_to_fit(features: Any, image_size: tuple[int, int], shard_images: int) -> int:
    """Return what a worker needs to encode a shard, and to sum its moments.

    Parameters
    ----------
    features : PatchFeatures or EncodedFeatures
        Not fitted.
    image_size : (int, int)
    shard_images : int
        Images of a shard.
    """
    n_features, encoder = _sizes(features, image_size)
    # the lower half of two Gram matrices in double precision, which are merged, and of one in
    # single precision, of which one of them is made
    sums = (2 * _DOUBLE + _FLOAT) * n_features**2 // 2
    return PROCESS + encoder + max(_FLOAT * n_features * shard_images, sums)


def _sizes(features: Any, image_size: tuple[int, int]) -> tuple[int, int]:
    """Return the number of features and the bytes of what makes them."""
    if isinstance(features, PatchFeatures):
        values = 2 if features.encoder == "soft_threshold" else 1
        filters = features.n_atoms * 3 * features.patch_size**2
        return 4 * values * features.n_atoms, 4 * _DOUBLE * filters
    if isinstance(features, EncodedFeatures):
        size = asked_size(features.image_size) or image_size
        held = 0
        if isinstance(features.encoder, torch.nn.Module):
            held = sum(one.numel() * one.element_size() for one in features.encoder.parameters())
        return features.encode(probe_image(size)).shape[1], 3 * held
    return 0, 0
