"""`PatchFeatures`: unsupervised image features from random patches.

Source: Coates & Ng, "The Importance of Encoding Versus Training with Sparse Coding and Vector
Quantization", ICML 2011; the image features of the paper (section 3, reference [6]).
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from wordsight.compute import blocks, in_order, resolve_device, scratch
from wordsight.exceptions import InputError
from wordsight.features.cache import (
    CachedFeatures,
    FeatureCache,
    ImageBlock,
    blocks_of,
    digest_of,
)
from wordsight.features.dictionary import DictionaryKind, check_enough, learn_dictionary
from wordsight.features.encoding import WORTH_COMPILING, Encoder, EncoderKind
from wordsight.features.images import as_images, asked_size, job_size, part_of, walk
from wordsight.features.patches import check_patch_fits, normalise_contrast, sample_patches
from wordsight.features.whitening import zca
from wordsight.parameters import checked_random_state
from wordsight.progress import report
from wordsight.rows import READ, SpreadRows, StoredRows

__all__ = ["PatchFeatures"]

_log = logging.getLogger(__name__)

BATCH = 64
"""Images a worker encodes at a time."""

GPU_BATCH = 512
"""Images a GPU encodes at a time: a quadrant's products are 640 MB with 1,600 atoms."""

_LEARNED_FIRST = ("dictionary_", "patch_mean_", "whitener_")


class PatchFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features of images from a dictionary of patches, learned without labels.

    Random patches are contrast-normalised and whitened (ZCA), a dictionary is learned from them,
    every patch of an image is encoded with it, and the codes are summed over the four quadrants
    of the image and standardised. The defaults are the paper's: 12,800 features.

    It learns only from the images given to `fit`: for zero-shot work, those of seen classes.

    Parameters
    ----------
    n_atoms : int, default 1600
        Atoms of the dictionary, K.
    dictionary : {"omp1", "kmeans", "random"}, default "omp1"
        How the atoms are learned.
    encoder : {"soft_threshold", "triangle"}, default "soft_threshold"
        With the sign split, F = 8 K; the triangle gives F = 4 K.
    threshold : float, default 0.25
        α of the soft threshold.
    patch_size : int, default 6
        Pixels along a side of a patch.
    stride : int, default 1
        Pixels between neighbouring patches.
    n_patches : int, default 400,000
        Random patches to learn from.
    mirror : bool, default False
        Encode each image and its mirror image, and take the mean: features that do not depend on
        which way an image faces, for twice the work.
    image_size : int, (int, int) or None, default None
        Height and width of the images; a data set is decoded to it. None takes the size of the
        images given to `fit`, which must all have one.
    contrast_constant : float, default 10.0
        Added to a patch's variance, in squared pixel values.
    whitening_constant : float, default 0.1
        Added to the eigenvalues of the patches' covariance.
    standardise_constant : float, default 0.01
        Added to a feature's variance.
    max_iter : int, default 30
        Passes over the patches to learn the dictionary.
    tol : float, default 1e-4
        Stop earlier when a pass improves the objective by less than this share.
    device : str or None, default None
        ``"cpu"`` (None) or ``"cuda"``.
    random_state : int, RandomState or None, default None
        Draws the patches and the first atoms.

    Attributes
    ----------
    dictionary_ : ndarray of float32, shape (n_atoms, p)
        The atoms, in the whitened space; p = 3 · patch_size².
    patch_mean_, whitener_ : ndarray of float64, shapes (p,) and (p, p)
        M and P of ``whitened = (p − M) P``.
    mean_, scale_ : ndarray of float32, shape (F,)
        Of the pooled features: standardised is ``(pooled − mean_) / scale_``.
    image_size_ : (int, int)
        Height and width of the images.
    n_features_out_ : int
        F.

    Examples
    --------
    >>> import numpy as np
    >>> from wordsight import PatchFeatures
    >>> images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    >>> features = PatchFeatures(n_atoms=10, n_patches=500, random_state=0)
    >>> features.fit_transform(images).shape
    (20, 80)
    """

    def __init__(
        self,
        n_atoms: int = 1600,
        *,
        dictionary: DictionaryKind = "omp1",
        encoder: EncoderKind = "soft_threshold",
        threshold: float = 0.25,
        patch_size: int = 6,
        stride: int = 1,
        n_patches: int = 400_000,
        mirror: bool = False,
        image_size: int | tuple[int, int] | None = None,
        contrast_constant: float = 10.0,
        whitening_constant: float = 0.1,
        standardise_constant: float = 0.01,
        max_iter: int = 30,
        tol: float = 1e-4,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_atoms = n_atoms
        self.dictionary = dictionary
        self.encoder = encoder
        self.threshold = threshold
        self.patch_size = patch_size
        self.stride = stride
        self.n_patches = n_patches
        self.mirror = mirror
        self.image_size = image_size
        self.contrast_constant = contrast_constant
        self.whitening_constant = whitening_constant
        self.standardise_constant = standardise_constant
        self.max_iter = max_iter
        self.tol = tol
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: object = None) -> Self:
        """Learn whitening, dictionary and standardisation.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, height, width, 3), or Dataset
            A data set is streamed twice: memory does not grow with it.
        y : ignored

        Returns
        -------
        PatchFeatures
            Itself.

        Raises
        ------
        InputError
            No images, images smaller than a patch, another dtype than uint8, a parameter out of
            range.
        """
        X = as_images(X)
        self.fit_dictionary(X)
        n, mean, sq_sum = _streamed(pooled for _rows, pooled in self._pooled(X))
        self._set_standardisation(mean, sq_sum / n)
        return self

    def fit_transform(self, X: Any, y: object = None, **fit_params: object) -> NDArray[np.float32]:
        """Learn from the images and return their features, encoding each image once.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, height, width, 3), or Dataset
        y : ignored
        **fit_params : ignored

        Returns
        -------
        ndarray of float32, shape (n, F)
        """
        X = as_images(X)
        self.fit_dictionary(X)
        pooled = self._collect(self._pooled(X), len(X))
        self.learn_scale(pooled)
        return self._standardise(pooled)

    def fit_stored(self, X: Any, cache: FeatureCache) -> CachedFeatures:
        """Learn from the images and keep their features on disk, where later calls find them.

        What is in the cache already is not computed again, so that an interrupted call goes on
        where it was.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, height, width, 3), or Dataset
        cache : FeatureCache

        Returns
        -------
        CachedFeatures, shape (n, F)
            In single precision, the same numbers as `fit_transform` returns.
        """
        self._check_parameters()
        X = as_images(X)
        found = blocks_of(X, self._asked_size())
        key = self._dictionary_key(found)
        saved = cache.load_dictionary(key) if key is not None else {}
        _log.info("the dictionary was %sin the cache", "" if saved else "not ")
        if saved:
            self.image_size_ = (int(saved["image_size_"][0]), int(saved["image_size_"][1]))
            for name in _LEARNED_FIRST:
                setattr(self, name, saved[name])
        else:
            self.fit_dictionary(X)
            if key is not None:
                arrays = {name: getattr(self, name) for name in _LEARNED_FIRST}
                cache.save_dictionary(key, {**arrays, "image_size_": np.array(self.image_size_)})
        stored = self._stored(X, found, cache)
        return stored.standardised(*self.learn_scale(stored))

    def transform_stored(self, X: Any, cache: FeatureCache) -> CachedFeatures:
        """Return the features of images from the cache, computing those that it lacks.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, height, width, 3), or Dataset
        cache : FeatureCache

        Returns
        -------
        CachedFeatures, shape (n, F)
            Without the images that a set skips as broken.
        """
        check_is_fitted(self)
        X = as_images(X)
        stored = self._stored(X, blocks_of(X, self.image_size_), cache)
        return stored.standardised(self.mean_, self.scale_)

    def begin(self, images: Any) -> Self:
        """Learn what encoding depends on: the dictionary. The first of two steps of a fit.

        The second is `learn_scale`, of what `raw` makes of all images, wherever that is done.
        """
        return self.fit_dictionary(images)

    def raw(self, images: Any) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows and pooled features, not standardised, after `begin`."""
        return self._pooled(images)

    def learn_scale(
        self, raw: NDArray[np.float32] | StoredRows
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Learn the standardisation from raw features (n, F) of all training images.

        Returns
        -------
        mean, scale : ndarray of float32, shape (F,)
            Standardised is ``(raw − mean) / scale``.
        """
        self._set_standardisation(*_moments(raw))
        return self.mean_, self.scale_

    def _dictionary_key(self, found: list[ImageBlock]) -> str | None:
        """Return what the dictionary depends on, digested; None where it is drawn by chance."""
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            return None
        names = (
            "n_atoms", "dictionary", "patch_size", "stride", "n_patches",
            "contrast_constant", "whitening_constant", "max_iter", "tol",
        )  # fmt: skip
        settings: dict[str, Any] = {name: getattr(self, name) for name in names}
        plain = {
            name: value if isinstance(value, str) else float(value)
            for name, value in settings.items()
        }
        pixels = [block.digest for block in found]
        return digest_of(plain, int(seed), self._asked_size(), pixels)

    def _encoder_key(self) -> str:
        """Return what pooled features depend on beside the images, digested."""
        return digest_of(
            *(getattr(self, name) for name in _LEARNED_FIRST),
            self.encoder,
            [self.patch_size, self.stride, *map(float, (self.contrast_constant, self.threshold))],
            *(["mirror"] if self.mirror else []),
        )

    def _stored(self, images: Any, found: list[ImageBlock], cache: FeatureCache) -> CachedFeatures:
        """Compute the pooled features that the cache lacks; return all of them."""
        key, n_features = self._encoder_key(), self.n_features_out_
        places = [cache.shard(key, block) for block in found]
        lacking = [
            number
            for number, (place, block) in enumerate(zip(places, found, strict=True))
            if not cache.has_shard(place, len(block.rows), n_features)
        ]
        n_kept = len(found) - len(lacking)
        _log.info("%d of %d blocks of features were in the cache", n_kept, len(found))
        if lacking:
            rows = np.concatenate([found[number].rows for number in lacking])
            some = images[rows] if isinstance(images, np.ndarray) else images.select(rows)
            sizes = [len(found[number].rows) for number in lacking]
            with part_of(len(images)):
                shards = _regrouped(self._pooled(some), sizes, n_features)
                for number, shard in zip(lacking, shards, strict=True):
                    cache.save_shard(places[number], shard)
        every = [block.rows for block in found]
        return CachedFeatures(
            places,
            [len(rows) for rows in every],
            n_features,
            np.concatenate(every) if every else np.empty(0, dtype=np.int64),
        )

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the features of images.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, height, width, 3), or Dataset

        Returns
        -------
        ndarray of float32, shape (n, F)

        Raises
        ------
        InputError
            Images of another size than those of `fit`.
        """
        check_is_fitted(self)
        X = as_images(X)
        return self._collect(self.stream(X), len(X))

    def stream(
        self, images: Any, *, cache: FeatureCache | None = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield the features of a few images at a time: rows and features.

        Rows are where the images stand in the set; a set that skips broken images skips rows.
        With a cache, features are read from there as far as it has them, and kept there.
        """
        check_is_fitted(self)
        if cache is not None:
            yield from self.transform_stored(images, cache).blocks()
            return
        yield from self._pooled(images, finish=self._standardise)

    def fit_dictionary(self, images: Any) -> Self:
        """Learn whitening and dictionary alone, the first of the two passes of `fit`."""
        self._check_parameters()
        random_state = checked_random_state(self.random_state)
        images = as_images(images)
        size = self._asked_size()
        drawn = sample_patches(
            images,
            self.n_patches,
            patch_size=self.patch_size,
            stride=self.stride,
            image_size=size,
            random_state=random_state,
        )
        check_enough(len(drawn), self.n_atoms)
        patches = normalise_contrast(
            torch.from_numpy(drawn).to(resolve_device(self.device)), self.contrast_constant
        )
        mean = patches.mean(0, dtype=torch.float64)
        centred = patches.double() - mean
        covariance = centred.T @ centred / (len(patches) - 1)
        self.patch_mean_, self.whitener_ = zca(
            mean.cpu().numpy(), covariance.cpu().numpy(), self.whitening_constant
        )
        whitened = (centred @ torch.from_numpy(self.whitener_).to(centred)).to(torch.float32)
        del centred, patches, drawn
        self.dictionary_ = (
            learn_dictionary(
                whitened,
                self.n_atoms,
                self.dictionary,
                max_iter=self.max_iter,
                tol=self.tol,
                random_state=random_state,
            )
            .cpu()
            .numpy()
        )
        if size is None:
            _rows, first = next(walk(images, None, 1))
            self.image_size_ = (int(first.shape[1]), int(first.shape[2]))
        else:
            self.image_size_ = size
        return self

    def _asked_size(self) -> tuple[int, int] | None:
        return asked_size(self.image_size)

    @property
    def n_features_out_(self) -> int:
        """Number of features, F."""
        return 4 * self._values_per_atom() * len(self.dictionary_)

    @property
    def _n_features_out(self) -> int:
        # the name under which scikit-learn's set_output looks for it
        return self.n_features_out_

    def _values_per_atom(self) -> int:
        return 2 if self.encoder == "soft_threshold" else 1

    def _folded(self) -> Encoder:
        """Return the encoder; it is kept, as one image alone takes hardly longer than folding."""
        learned = (self.dictionary_, self.patch_mean_, self.whitener_)
        settings: dict[str, Any] = {
            "kind": self.encoder,
            "patch_size": self.patch_size,
            "stride": self.stride,
            "contrast_constant": self.contrast_constant,
            "threshold": self.threshold,
            "device": resolve_device(self.device),
        }
        kept: tuple[Any, Any, Encoder] | None = getattr(self, "_folded_of", None)
        if (
            kept is not None
            and kept[1] == settings
            and all(one is other for one, other in zip(kept[0], learned, strict=True))
        ):
            return kept[2]
        encoder = Encoder.fold(*learned, **settings)
        self._folded_of = (learned, settings, encoder)
        return encoder

    def _pooled(
        self,
        images: Any,
        *,
        finish: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows and features, not standardised yet, or as `finish` leaves them.

        `finish` is applied by the core that encoded a batch, which has it near.
        """
        encoder = self._folded()
        if job_size(images) >= WORTH_COMPILING:
            encoder = encoder.compiled()

        def encode(
            batch: tuple[NDArray[np.int64], NDArray[np.uint8]],
        ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            rows, pixels = batch
            # torch takes no reversed views
            tensor = torch.tensor(np.ascontiguousarray(pixels), device=encoder.filters.device)
            codes = encoder.encode(tensor)
            if self.mirror:  # quadrant by quadrant: the left one of each
                codes = codes.add_(encoder.encode(tensor.flip(2))).div_(2)
            pooled = codes.cpu().numpy()
            return rows, pooled if finish is None else finish(pooled)

        on_gpu = encoder.filters.device.type != "cpu"
        batches = walk(images, self.image_size_, GPU_BATCH if on_gpu else BATCH)
        # two at a GPU: one is copied while the other is computed
        for rows, pooled in in_order(encode, batches, workers=2 if on_gpu else None):
            yield rows, pooled
            report("computing features", int(rows[-1]) + 1, len(images))

    def _collect(
        self, stream: Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]], n_images: int
    ) -> NDArray[np.float32]:
        features = np.empty((n_images, self.n_features_out_), dtype=np.float32)
        filled = 0
        for _rows, block in stream:
            features[filled : filled + len(block)] = block
            filled += len(block)
        return features[:filled]

    def _set_standardisation(
        self, mean: NDArray[np.float64], variance: NDArray[np.float64]
    ) -> None:
        self.mean_ = mean.astype(np.float32)
        self.scale_ = np.sqrt(variance + self.standardise_constant).astype(np.float32)

    def _standardise(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardise in place, a few rows at a time so that no copy of the whole is made."""
        for cut in blocks(len(pooled), 256):
            part = pooled[cut]
            part -= self.mean_
            part /= self.scale_
        return pooled

    def _check_parameters(self) -> None:
        for name in ("n_atoms", "patch_size", "stride", "n_patches", "max_iter"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise InputError(
                    f"{name}={value!r} was given; expected a whole number of at least 1"
                )
        allowed = {
            "dictionary": ("omp1", "kmeans", "random"),
            "encoder": ("soft_threshold", "triangle"),
        }
        for name, choices in allowed.items():
            if getattr(self, name) not in choices:
                raise InputError(
                    f"{name}={getattr(self, name)!r} was given; expected one of: "
                    f"{', '.join(choices)}"
                )
        for name in ("contrast_constant", "whitening_constant", "standardise_constant"):
            value = getattr(self, name)
            if not (isinstance(value, int | float | np.number) and 0 < value < np.inf):
                raise InputError(f"{name}={value!r} was given; expected a number above 0")
        for name in ("threshold", "tol"):
            value = getattr(self, name)
            if not (isinstance(value, int | float | np.number) and 0 <= value < np.inf):
                raise InputError(f"{name}={value!r} was given; expected a number of at least 0")
        if not isinstance(self.mirror, bool | np.bool_):
            raise InputError(f"mirror={self.mirror!r} was given; expected True or False")
        size = self._asked_size()
        if size is not None:
            check_patch_fits(size, self.patch_size, self.stride)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


def _regrouped(
    stream: Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]],
    sizes: list[int],
    n_features: int,
) -> Iterator[NDArray[np.float32]]:
    """Yield the rows of a stream in tables of given sizes, each of new memory."""
    pending = np.empty((0, n_features), dtype=np.float32)
    for size in sizes:
        table = np.empty((size, n_features), dtype=np.float32)
        filled = 0
        while filled < size:
            if not len(pending):
                pending = next(stream)[1]
            part = pending[: size - filled]
            table[filled : filled + len(part)] = part
            filled += len(part)
            pending = pending[len(part) :]
        yield table


_Spread = tuple[int, NDArray[np.float64], NDArray[np.float64]]
"""Number of rows, the mean of each column, and the sum of squares about it."""


def _moments(
    pooled: NDArray[np.float32] | StoredRows,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of each feature, from the same blocks wherever they lie."""
    if isinstance(pooled, SpreadRows):
        n, mean, sq_sum = pooled.fold(_spread, _together, small=True)
    else:
        n, mean, sq_sum = _spread(pooled)
    return mean, sq_sum / n


def _spread(pooled: NDArray[np.float32] | StoredRows) -> _Spread:
    """Return the moments of each column, reading a block of rows at a time."""
    return _streamed(pooled[cut] for cut in blocks(len(pooled), READ))


def _streamed(parts: Iterator[NDArray[np.float32]]) -> _Spread:
    """Return the moments of each column over blocks of rows, in one pass."""
    total: _Spread = (0, np.zeros(()), np.zeros(()))
    for part in in_order(_own_moments, parts):
        total = _together(total, part)
    return total


def _together(a: _Spread, b: _Spread) -> _Spread:
    """Merge the moments of two sets of rows (Chan, Golub & LeVeque)."""
    gap, n = b[1] - a[1], a[0] + b[0]
    return n, a[1] + gap * (b[0] / n), a[2] + b[2] + gap**2 * (a[0] * b[0] / n)


def _own_moments(part: NDArray[np.float32]) -> _Spread:
    """Return the number of rows, the mean and the sum of squares about it.

    Products with ones, in single precision: what rounding left in the mean is found by a second
    look at the rows less that mean, and made good in double precision.
    """
    x = torch.from_numpy(part)
    ones = x.new_ones(1, len(x))
    rough = torch.mm(ones, x) / len(x)
    centred = torch.sub(x, rough, out=scratch("centred", tuple(x.shape), x))
    rest = (torch.mm(ones, centred).double() / len(x)).numpy()[0]
    squares = torch.mm(ones, centred.square_()).double().numpy()[0]
    return len(x), rough.double().numpy()[0] + rest, squares - len(x) * rest**2
