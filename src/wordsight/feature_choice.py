"""Which features a model is trained on: patches, a network of our own, or an encoder by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.features.conv_features import ConvFeatures
from wordsight.features.dictionary import DictionaryKind
from wordsight.features.encoded import EncodedFeatures
from wordsight.features.encoding import EncoderKind
from wordsight.features.named_encoders import EXPECTED, is_encoder_name, load_encoder
from wordsight.features.patch_features import PatchFeatures

__all__ = ["OWN_SIZE", "FeatureChoice", "Features", "seconds_to_encode"]

Features = PatchFeatures | ConvFeatures | EncodedFeatures

OWN_SIZE = 32
"""Height and width of images for features of our own, and for encoders that take any size."""

N_TIMED = 8


@dataclass(frozen=True)
class FeatureChoice:
    """Features by name, with the settings of each kind under the names of the estimators.

    Attributes
    ----------
    kind : str
        ``"patches"`` (`PatchFeatures`), ``"conv"`` (`ConvFeatures`), or the name of an encoder
        (`wordsight.features.named_encoders`).
    image_size : int or None
        Height and width that images are brought to; None is that of the encoder, else 32.
    n_atoms, n_patches, dictionary, encoder, mirror
        Of `PatchFeatures`.
    width, n_blocks, n_epochs, checkpoint
        Of `ConvFeatures`.
    random_state, device
        Of both.
    """

    kind: str = "patches"
    image_size: int | None = None
    n_atoms: int = 1600
    n_patches: int = 400_000
    dictionary: DictionaryKind = "omp1"
    encoder: EncoderKind = "soft_threshold"
    mirror: bool = False
    width: int = 32
    n_blocks: int = 1
    n_epochs: int = 30
    checkpoint: Path | None = None
    random_state: int = 0
    device: str | None = None

    def make(self) -> Features:
        """Return the features, not fitted; an encoder is loaded.

        Raises
        ------
        InputError
            There are no such features, or a setting is of another kind.
        WordsightError
            The encoder's library is not installed, or its model cannot be loaded.
        """
        if self.checkpoint is not None and self.kind != "conv":
            raise InputError(
                f"checkpoint={str(self.checkpoint)!r} was given for {self.kind}, and only conv is "
                "trained step by step; leave it out, or use a cache for patches"
            )
        if self.kind == "patches":
            return self._patches()
        if self.kind == "conv":
            return self._network()
        if not is_encoder_name(self.kind):
            raise InputError(
                f"features={self.kind!r} was given; expected patches, conv, {EXPECTED}"
            )
        made = load_encoder(self.kind, device=self.device)
        own = getattr(made, "image_size", None) or getattr(made, "prepared_size", None)
        return EncodedFeatures(made, image_size=self._size(own))

    def _size(self, own: tuple[int, int] | None = None) -> int | tuple[int, int]:
        """Return the size that is asked for, else that of the encoder, else 32."""
        if self.image_size is not None and self.image_size < 1:
            raise InputError(
                f"image_size={self.image_size} was given; expected a whole number of pixels, 1 or "
                "more"
            )
        return self.image_size or own or OWN_SIZE

    def _patches(self) -> PatchFeatures:
        return PatchFeatures(
            self.n_atoms,
            dictionary=self.dictionary,
            encoder=self.encoder,
            n_patches=self.n_patches,
            mirror=self.mirror,
            image_size=self._size(),
            device=self.device,
            random_state=self.random_state,
        )

    def _network(self) -> ConvFeatures:
        network = ConvFeatures(
            self.width,
            n_blocks=self.n_blocks,
            n_epochs=self.n_epochs,
            image_size=self._size(),
            checkpoint=self.checkpoint,
            device=self.device,
            random_state=self.random_state,
        )
        network._check_parameters()  # now, and not after the images are read
        return network

    def describe(self, size: tuple[int, int]) -> str:
        """Say in a line what the features are, of images of some height and width."""
        if self.kind == "patches":
            mirrored = ", mirrored" if self.mirror else ""
            return (
                f"{self.n_atoms} atoms ({self.dictionary}, {self.encoder}) from "
                f"{self.n_patches} patches{mirrored}"
            )
        if self.kind == "conv":
            return (
                f"a residual network of width {self.width}, {self.n_blocks} blocks a stage, "
                f"trained for {self.n_epochs} epochs"
            )
        return f"{self.kind}, which is given images of {size[0]} × {size[1]}"


def seconds_to_encode(
    encode: Callable[[NDArray[np.uint8]], NDArray[Any]], n_images: int, size: tuple[int, int]
) -> tuple[float, int]:
    """Estimate how long an encoder takes, from a few images that it is given.

    Parameters
    ----------
    encode : callable
        From images (b, height, width, 3) to features (b, F).
    n_images : int
    size : (int, int)
        Height and width of the images.

    Returns
    -------
    seconds : float
    n_features : int
        F.
    """
    images = np.zeros((N_TIMED, *size, 3), dtype=np.uint8)
    encode(images[:1])  # the first one also sets things up
    start = perf_counter()
    n_features = encode(images).shape[1]
    return n_images * (perf_counter() - start) / N_TIMED, n_features
