"""Features from an encoder that was made elsewhere, in place of `PatchFeatures`."""

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import resolve_device
from wordsight.exceptions import InputError
from wordsight.features.images import as_images, walk
from wordsight.features.standardised import StandardisedFeatures
from wordsight.progress import report
from wordsight.rows import StoredRows

__all__ = ["EncodedFeatures", "TorchEncoder", "probe_image"]

SAME = 0.05
"""Standard deviations by which the features of one encoder may differ between machines."""

ImageEncoder = Callable[[NDArray[np.uint8]], Any]
"""Takes images (b, height, width, 3), uint8, and returns their features (b, F)."""


class TorchEncoder:
    """A torch module as an encoder of images.

    Pixels are scaled to between 0 and 1, less `mean` and over `std`, colour by colour, in the
    layout (b, 3, height, width) that torch's vision models take.

    Parameters
    ----------
    module : torch.nn.Module
        Returns (b, F), or (b, F, h, w), of which the mean over places is taken. It is put into
        evaluation mode.
    mean, std : sequence of three floats
        By default, pixels are only scaled.
    image_size : tuple of int or None, default None
        Height and width that the module takes; None is any.
    device : str or None, default None
        Where to compute; None is ``"cpu"``.

    Attributes
    ----------
    name : str or None
        What it is called in saved models.
    recipe : str or None
        The name by which `wordsight.features.named_encoders.load_encoder` makes it again.
    """

    name: str | None = None
    recipe: str | None = None

    def __init__(
        self,
        module: torch.nn.Module,
        *,
        mean: Any = (0.0, 0.0, 0.0),
        std: Any = (1.0, 1.0, 1.0),
        image_size: tuple[int, int] | None = None,
        device: str | None = None,
    ) -> None:
        self.image_size = image_size
        self._device = resolve_device(device)
        self._module = module.eval().to(self._device)
        self._mean, self._std = (
            torch.tensor(np.asarray(values, dtype=np.float32), device=self._device).view(1, 3, 1, 1)
            for values in (mean, std)
        )

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of images, (b, F)."""
        pixels = torch.tensor(np.ascontiguousarray(images), device=self._device)
        x = (pixels.permute(0, 3, 1, 2).float() / 255.0 - self._mean) / self._std
        with torch.inference_mode():
            found = self._module(x)
        if isinstance(found, torch.Tensor) and found.ndim == 4:
            found = found.mean(dim=(2, 3))
        if not isinstance(found, torch.Tensor):
            raise InputError(
                f"the module returns {type(found).__name__}; expected a tensor of shape (b, F): "
                "wrap it so that it returns its features alone"
            )
        return found.float().cpu().numpy()


class EncodedFeatures(StandardisedFeatures):
    """Features of images by any encoder, standardised on the training images.

    Parameters
    ----------
    encoder : callable or torch.nn.Module
        Takes images (b, height, width, 3) of uint8 and returns their features (b, F); a module is
        wrapped in `TorchEncoder`. It may have attributes ``image_size``, ``name`` (what errors and
        saved models call it) and ``recipe`` (see `wordsight.features.named_encoders`). None only
        in a model that was loaded without its encoder.
    image_size : int, tuple of int or None, default None
        Height and width that a data set is brought to; None takes the encoder's own
        (``encoder.image_size``), or images as they are.
    batch_size : int, default 64
        Images that the encoder is given at a time.
    standardise : bool, default True
        Whether each feature is brought to mean 0 and variance 1 over the training images.

    Attributes
    ----------
    mean_, scale_ : ndarray of float32, shape (F,)
    n_features_out_ : int
        F.
    image_size_ : (int, int)
        Height and width of the images it was given.
    encoder_name_, encoder_recipe_ : str or None
        What the encoder calls itself, and the name that makes it again.
    probe_ : ndarray of float32, shape (F,)
        What the encoder makes of one image that is always the same: by it another encoder is told
        apart.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3), dtype=np.uint8)
    >>> colours = EncodedFeatures(lambda images: images.mean(axis=(1, 2)))
    >>> colours.fit_transform(images).shape
    (8, 3)
    """

    def __init__(
        self,
        encoder: Any,
        *,
        image_size: int | tuple[int, int] | None = None,
        batch_size: int = 64,
        standardise: bool = True,
    ) -> None:
        self.encoder = encoder
        self.image_size = image_size
        self.batch_size = batch_size
        self.standardise = standardise

    def fit(self, X: Any, y: object = None) -> Self:
        """Learn mean and scale of the features of images; the encoder stays as it is.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, height, width, 3), or Dataset
        y : ignored

        Returns
        -------
        EncodedFeatures
            Itself.

        Raises
        ------
        InputError
            The encoder is none, or returns something else than one finite row an image.
        """
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Any, y: object = None, **fit_params: object) -> NDArray[np.float32]:
        """Learn from the images and return their features, encoding each image once."""
        self.begin(X)
        found = np.concatenate([part for _rows, part in self.raw(X)])
        self.learn_scale(found)
        return (found - self.mean_) / self.scale_

    def begin(self, images: Any) -> Self:
        """Learn what the encoder is and what size it is given: the first of two steps of a fit.

        The second is `learn_scale`, of what `raw` makes of all images, wherever that is done.
        """
        self._check_parameters()
        first = next(walk(as_images(images), self._size(), 1), None)
        if first is None:
            raise InputError("no images were given; expected at least one")
        self.image_size_ = (int(first[1].shape[1]), int(first[1].shape[2]))
        self.encoder_name_ = _text(getattr(self.encoder, "name", None))
        self.encoder_recipe_ = _text(getattr(self.encoder, "recipe", None))
        return self

    def raw(self, images: Any) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows and what the encoder makes of images, after `begin`."""
        return self._encoded(images)

    def learn_scale(
        self, raw: NDArray[np.float32] | StoredRows
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Learn the standardisation from raw features (n, F) of all training images.

        Returns
        -------
        mean, scale : ndarray of float32, shape (F,)
            Standardised is ``(raw − mean) / scale``.
        """
        self.probe_ = self.encode(probe_image(self.image_size_))[0]
        self._learn_standardisation(raw, standardise=self.standardise)
        return self.mean_, self.scale_

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the encoder makes of images, (b, F), not standardised and all at once."""
        if self.encoder is None:
            raise InputError(
                "the model was saved without its encoder "
                f"({self.encoder_name_ or 'which has no name'}) and cannot see images; give it "
                "one: load_model(path, encoder=...)"
            )
        encode = self.encoder
        if isinstance(encode, torch.nn.Module):
            encode = TorchEncoder(encode)
        return _checked(encode(images), len(images))

    def use_encoder(self, encoder: Any) -> Self:
        """Encode with an encoder that is the one it was fitted with, made anew.

        Parameters
        ----------
        encoder : callable or torch.nn.Module

        Returns
        -------
        EncodedFeatures
            Itself.

        Raises
        ------
        InputError
            The encoder calls itself something else, or sees something else in images. The
            features are then as they were.
        """
        name = _text(getattr(encoder, "name", None))
        if name is not None and self.encoder_name_ is not None and name != self.encoder_name_:
            raise InputError(
                f"the encoder {name!r} was given to a model that was trained with "
                f"{self.encoder_name_!r}; give that one"
            )
        before = self.encoder
        self.encoder = encoder
        try:
            self._check_parameters()
            found = self.encode(probe_image(self.image_size_))[0]
            self._check_probe(found)
        except BaseException:
            self.encoder = before
            raise
        return self

    def _check_probe(self, found: NDArray[np.float32]) -> None:
        if len(found) != len(self.probe_):
            raise InputError(
                f"the encoder returned {len(found)} features an image, and {len(self.probe_)} when "
                "the model was trained; give the same encoder"
            )
        # in units of how features differ between images; kinds of processors differ in the third
        # decimal, encoders in the first
        unit = self.scale_ if self.standardise else np.float32(_rms(self.probe_) or 1.0)
        gap, level = _rms((found - self.probe_) / unit), _rms(self.probe_ / unit)
        if not gap <= SAME + SAME / 20 * level:
            raise InputError(
                "the encoder sees something else in images than the one the model was trained with "
                f"(features of a picture of stripes differ by {gap:.2g} standard deviations); give "
                "the same encoder"
            )

    def _encoded(self, images: Any) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        images = as_images(images)
        for rows, pixels in walk(images, self._size(), self.batch_size):
            yield rows, self.encode(pixels)
            report("computing features", int(rows[-1]) + 1, len(images))

    def _size(self) -> tuple[int, int] | None:
        size = self.image_size
        if size is None:
            size = getattr(self.encoder, "image_size", None)
        return (int(size), int(size)) if isinstance(size, int | np.integer) else size

    def _check_parameters(self) -> None:
        if not callable(self.encoder):
            raise InputError(
                f"encoder={type(self.encoder).__name__} is no encoder; expected a callable from "
                "images (b, height, width, 3) to features (b, F), or a torch module"
            )
        if not isinstance(self.batch_size, int | np.integer) or self.batch_size < 1:
            raise InputError(
                f"batch_size={self.batch_size!r} was given; expected a whole number above 0"
            )


def probe_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return one image of coloured stripes, (1, height, width, 3), the same on any machine."""
    y, x, colour = np.indices((*size, 3))
    stripes: NDArray[np.int64] = (37 * y + 61 * x + 97 * colour + 5 * x * y) % 256
    return (stripes**2 // 255).astype(np.uint8)[None]  # more dark than light: skewed, as images are


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _rms(values: NDArray[np.float32]) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _checked(found: Any, n_images: int) -> NDArray[np.float32]:
    """Return what an encoder made of a batch, or say what is wrong with it."""
    try:
        features = np.asarray(found, dtype=np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the encoder returned {type(found).__name__}, which is no array of numbers ({error}); "
            "return a tensor or an array of shape (b, F)"
        ) from error
    if features.ndim != 2 or len(features) != n_images or not features.shape[1]:
        raise InputError(
            f"the encoder returned an array of shape {features.shape} for {n_images} images; "
            f"expected ({n_images}, F), one row an image"
        )
    wrong = ~np.isfinite(features).all(axis=1)
    if wrong.any():
        raise InputError(
            f"the encoder returned NaN or infinity for {np.count_nonzero(wrong)} of {n_images} "
            "images; mend it, or leave these images out"
        )
    return features
