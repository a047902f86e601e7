"""`ConvFeatures`: features of a convolutional network, learned from labels of seen classes."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import in_order, resolve_device
from wordsight.exceptions import InputError
from wordsight.features.images import as_images, asked_size, walk
from wordsight.features.network_training import (
    NetworkTraining,
    TrainingRecipe,
    generator_of,
    repeatable,
)
from wordsight.features.residual_network import ResidualNetwork, placed, weights_of
from wordsight.features.standardised import StandardisedFeatures
from wordsight.features.training_checkpoint import TrainingCheckpoint
from wordsight.parameters import checked_random_state
from wordsight.progress import report
from wordsight.validation import checked_labels

__all__ = ["ConvFeatures"]

BATCH = 32
"""Images a core encodes at a time."""

GPU_BATCH = 512
"""Images a GPU encodes at a time."""

ENCODING = 0.4
"""What encoding an image takes, as a share of a training step: one of its three passes, and some
reading. It is done once where training is done in every epoch."""

_MOST = {"width": 4096, "n_blocks": 100}
"""Beyond these a network is none that could be trained, and making it would take for ever."""


class ConvFeatures(StandardisedFeatures):
    """Features of images from a residual network that is trained here, on labels of seen classes.

    A network (`wordsight.features.residual_network`) learns to tell the classes given to `fit`
    apart; its activations before the classifier, averaged over the image, are the features, 8 for
    each unit of `width`. They are standardised on the images it was trained on.

    Meant for images of 32 to 64 pixels. A GPU trains it in minutes; on a few processor cores it
    takes hours for tens of thousands of images: `estimate_seconds` says how many.

    A network says more certain things of images that it was trained on than of new ones. Whatever
    is measured or set on held-out images must therefore keep these from it: `held_out`, which
    `CrossModalClassifier` gives by itself.

    Parameters
    ----------
    width : int, default 32
        Channels of the first stage; F = 8 · width.
    n_blocks : int, default 1
        Residual blocks in each of the four stages.
    n_epochs : int, default 30
        Passes over the images.
    batch_size : int, default 128
    learning_rate : float, default 0.1
        At its peak, after 30 % of the training.
    weight_decay : float, default 5e-4
    flip : bool, default True
        Whether images are mirrored, left and right, by chance. Not for digits and letters.
    crop : int, default 4
        Pixels by which images are shifted at most.
    image_size : int, (int, int) or None, default None
        Height and width of the images; a data set is decoded to it. None takes the size of the
        images given to `fit`, which must all have one.
    checkpoint : path-like or None, default None
        A folder where the training is kept after each epoch. A `fit` that was interrupted goes on
        there, and ends with the same numbers as one that was not. It belongs to one training:
        one with other settings or images is refused. Needs a whole number as `random_state`.
    device : str or None, default None
        ``"cpu"`` (None) or ``"cuda"``.
    random_state : int, RandomState or None, default None
        Draws the first weights, the order of the images, and what is done to them. The same seed
        gives the same numbers on the same machine and number of threads.

    Attributes
    ----------
    weights_ : ndarray of float32, shape (n_weights,)
        All numbers of the network, in its order.
    mean_, scale_ : ndarray of float32, shape (F,)
        Of the features of the images trained on: standardised is ``(encoded − mean_) / scale_``.
    image_size_ : (int, int)
        Height and width of the images.
    n_trained_ : int
        Images it was trained on.
    loss_ : float
        Mean cross-entropy in the last epoch, in nats.
    n_features_out_ : int
        F.

    Examples
    --------
    >>> import numpy as np
    >>> from wordsight import ConvFeatures
    >>> images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    >>> features = ConvFeatures(4, n_epochs=1, random_state=0)
    >>> features.fit_transform(images, ["cat", "dog"] * 10).shape
    (20, 32)
    """

    weights_: NDArray[np.float32]

    def __init__(
        self,
        width: int = 32,
        *,
        n_blocks: int = 1,
        n_epochs: int = 30,
        batch_size: int = 128,
        learning_rate: float = 0.1,
        weight_decay: float = 5e-4,
        flip: bool = True,
        crop: int = 4,
        image_size: int | tuple[int, int] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.width = width
        self.n_blocks = n_blocks
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.flip = flip
        self.crop = crop
        self.image_size = image_size
        self.checkpoint = checkpoint
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, held_out: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, height, width, 3), or Dataset
            The images trained on are held in memory, a byte for each colour of each pixel.
        y : array-like, shape (n,)
            Class names; a data set brings its own.
        held_out : array-like of bool, shape (n,), optional
            Images that nothing is to be learned from.

        Returns
        -------
        ConvFeatures
            Itself.

        Raises
        ------
        InputError
            No labels, fewer than two classes, images of another kind or size, a parameter out of
            range, a `checkpoint` that another training was kept in.
        DataError
            The checkpoint is damaged.
        WordsightError
            The loss is no number any more: `learning_rate` is too large.
        """
        X, rows, labels = self._chosen(X, y, held_out)
        self._train(X, rows, labels)
        kept = X[rows] if isinstance(X, np.ndarray) else X.select(rows)
        found = np.concatenate([part for _rows, part in self._encoded(kept)])
        self._learn_standardisation(found, standardise=True)
        return self

    def fit_transform(
        self, X: Any, y: Any = None, *, held_out: Any = None, **fit_params: object
    ) -> NDArray[np.float32]:
        """Train the network and return the features of all images, held out or not.

        Parameters
        ----------
        X, y, held_out
            As for `fit`.
        **fit_params : ignored

        Returns
        -------
        ndarray of float32, shape (n, F)
        """
        X, trained, labels = self._chosen(X, y, held_out)
        self._train(X, trained, labels)
        parts = list(self._encoded(X))
        rows, found = (np.concatenate(column) for column in zip(*parts, strict=True))
        self._learn_standardisation(found[np.isin(rows, trained)], standardise=True)
        return (found - self.mean_) / self.scale_

    def estimate_seconds(self, n_images: int) -> float:
        """Estimate how long `fit` takes on this device, from a few real steps that are timed.

        Takes a few seconds. It is an estimate: other work on the machine counts, and so does the
        time that decoding the images takes, which is left out.

        Parameters
        ----------
        n_images : int
            To be trained on; of 32 × 32 pixels where `image_size` is None.

        Returns
        -------
        float
        """
        self._check_parameters()
        device = resolve_device(self.device)
        size = asked_size(self.image_size) or (32, 32)
        n_timed = max(2, min(int(self.batch_size), n_images))
        draw = np.random.default_rng(0)
        images = draw.integers(0, 256, (n_timed, *size, 3), dtype=np.uint8)
        network = ResidualNetwork.drawn(self.width, self.n_blocks, generator_of(0))
        training = NetworkTraining(network, images, np.arange(n_timed) % 2, self._recipe(0), device)
        return n_images * (self.n_epochs + ENCODING) * training.seconds_per_image()

    # Learning

    def _chosen(self, X: Any, y: Any, held_out: Any) -> tuple[Any, NDArray[np.int64], NDArray[Any]]:
        """Return the images, the rows to train on, and the labels of all."""
        self._check_parameters()
        X = as_images(X)
        if y is None:
            y = getattr(X, "labels", None)
        if y is None:
            raise InputError(
                "a network learns from labels, and none were given; give the class name of each "
                "image, or a data set that has labels"
            )
        labels = checked_labels(y, len(X))
        if held_out is None:
            return X, np.arange(len(X)), labels
        mask = np.asarray(held_out)
        if mask.shape != (len(X),) or mask.dtype != np.bool_:
            raise InputError(
                f"held_out of type {mask.dtype} and shape {mask.shape} was given; expected a bool "
                f"for each of the {len(X)} images"
            )
        return X, np.flatnonzero(~mask), labels

    def _train(self, X: Any, rows: NDArray[np.int64], labels: NDArray[Any]) -> None:
        """Train on some rows; the others are not so much as read."""
        images, found = self._held(X, rows)
        classes, codes = np.unique(labels[found], return_inverse=True)
        if len(classes) < 2:
            raise InputError(
                f"images of {len(classes)} classes were given to train on; expected at least two"
            )
        if self.crop >= min(images.shape[1:3]):
            raise InputError(
                f"crop={self.crop} pixels was given for images of {images.shape[1]} × "
                f"{images.shape[2]}; give fewer pixels than these have"
            )
        seed = self._seed()
        network = ResidualNetwork.drawn(self.width, self.n_blocks, generator_of(seed))
        network.standardise_pixels(images)
        device = resolve_device(self.device)
        kept = self._kept(images, codes, device)
        training = NetworkTraining(network, images, codes, self._recipe(seed), device)
        self.loss_ = training.run(kept)[-1]
        self.image_size_ = (int(images.shape[1]), int(images.shape[2]))
        self.n_trained_ = len(images)
        self.weights_ = weights_of(network).numpy()

    def _held(self, X: Any, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the pixels of some rows, in memory, and the rows that could be read."""
        some = X[rows] if isinstance(X, np.ndarray) else X.select(rows)
        if not len(rows):
            raise InputError("no images were given to train on; expected some of two classes")
        images: NDArray[np.uint8] | None = None
        found: list[NDArray[np.int64]] = []
        n_done = 0
        for part, pixels in walk(some, asked_size(self.image_size), 256):
            if images is None:  # filled as it comes, so that no second copy is ever held
                images = np.empty((len(rows), *pixels.shape[1:]), dtype=np.uint8)
            images[n_done : n_done + len(part)] = pixels
            n_done += len(part)
            found.append(rows[part])
            report("reading images", int(part[-1]) + 1, len(rows))
        if images is None:
            raise InputError(
                "none of the images given to train on can be read; mend them or give others"
            )
        return images[:n_done], np.concatenate(found)

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            checked_random_state(self.random_state)  # refuses what is out of range
            return int(self.random_state)
        return int(checked_random_state(self.random_state).randint(2**31))

    def _recipe(self, seed: int) -> TrainingRecipe:
        return TrainingRecipe(
            n_epochs=int(self.n_epochs),
            batch_size=int(self.batch_size),
            learning_rate=float(self.learning_rate),
            weight_decay=float(self.weight_decay),
            flip=bool(self.flip),
            crop=int(self.crop),
            seed=seed,
        )

    def _kept(
        self, images: NDArray[np.uint8], codes: NDArray[np.int64], device: torch.device
    ) -> TrainingCheckpoint | None:
        """Return where the training is kept: with all that its numbers depend on."""
        if self.checkpoint is None:
            return None
        if not isinstance(self.random_state, int | np.integer):
            raise InputError(
                f"checkpoint={str(self.checkpoint)!r} was given with random_state="
                f"{self.random_state!r}; a training that is to be gone on with "
                "needs a whole number: give one"
            )
        digest = hashlib.sha256(images.data)
        digest.update(codes.astype(np.int64).tobytes())
        settings = {
            "width": int(self.width),
            "n_blocks": int(self.n_blocks),
            **vars(self._recipe(int(self.random_state))),
            "image_size": [int(side) for side in images.shape[1:3]],
            "n_images": len(images),
            "images and labels": digest.hexdigest(),
            "device": device.type,
        }
        return TrainingCheckpoint(self.checkpoint, settings)

    # Encoding

    def _encoded(self, images: Any) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        images = as_images(images)
        network, device = self._network()
        on_gpu = device.type != "cpu"

        def encode(
            batch: tuple[NDArray[np.int64], NDArray[np.uint8]],
        ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            rows, pixels = batch
            given = torch.tensor(np.ascontiguousarray(pixels), device=device)
            # a GPU in whole single precision, so that it agrees with a processor; there, where
            # several threads run this, the library's settings are left alone
            exactly = repeatable(allow_tf32=False) if on_gpu else nullcontext()
            with torch.inference_mode(), exactly:
                found = network(given.permute(0, 3, 1, 2).float())
            return rows, found.cpu().numpy()

        batches = walk(images, self.image_size_, GPU_BATCH if on_gpu else BATCH)
        for rows, part in map(encode, batches) if on_gpu else in_order(encode, batches):
            yield rows, part
            report("computing features", int(rows[-1]) + 1, len(images))

    def _network(self) -> tuple[ResidualNetwork, torch.device]:
        """Return the network on its device; it is kept, as one image takes hardly longer."""
        device = resolve_device(self.device)
        kept: tuple[Any, torch.device, ResidualNetwork] | None = getattr(self, "_restored", None)
        if kept is not None and kept[0] is self.weights_ and kept[1] == device:
            return kept[2], device
        network = ResidualNetwork.restored(self.width, self.n_blocks, self.weights_)
        placed(network, device)
        self._restored = (self.weights_, device, network)
        return network, device

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        state.pop("_restored", None)
        return state

    def _check_parameters(self) -> None:
        for name in ("width", "n_blocks", "n_epochs", "batch_size", "crop"):
            value, least = getattr(self, name), 0 if name == "crop" else 1
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or not least <= value <= _MOST.get(name, np.inf):
                upto = f" to {_MOST[name]}" if name in _MOST else " or more"
                raise InputError(
                    f"{name}={value!r} was given; expected a whole number, {least}{upto}"
                )
        for name in ("learning_rate", "weight_decay"):
            value = getattr(self, name)
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not number or not 0 <= value < np.inf or (value == 0 and name == "learning_rate"):
                raise InputError(
                    f"{name}={value!r} was given; expected a number "
                    f"{'above 0' if name == 'learning_rate' else 'of at least 0'}"
                )
        if not isinstance(self.flip, bool | np.bool_):
            raise InputError(f"flip={self.flip!r} was given; expected True or False")
        asked_size(self.image_size)
