"""Many features from one product: both encoders, and the first atoms of a dictionary by themselves.

The product of patches with atoms is most of the work of encoding. Whoever compares encoders or
sizes of dictionary needs it once: both encoders start from it, and where small dictionaries are
the first atoms of a large one, their products are among its.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import blocks, in_order, scratch
from wordsight.features.encoding import Encoder, EncoderKind, soft_threshold
from wordsight.features.patches import normalise_contrast
from wordsight.features.places import patch_places

__all__ = ["EncoderBank", "PooledBank"]

BATCH = 64
"""Images a worker encodes at a time."""

VALUES = 160_000
"""Products held at a time, twice: 1.3 MB, which second caches hold."""


@dataclass(frozen=True)
class PooledBank:
    """Features of images by both encoders, not yet standardised.

    Attributes
    ----------
    soft : ndarray of float32, shape (n, 4, 2, K)
        Soft threshold with its sign split: quadrant, sign, atom.
    triangles : dict of int to ndarray of float32, shape (n, 4, size)
        By the number of atoms that the mean distance is taken over: quadrant, atom.
    """

    soft: NDArray[np.float32]
    triangles: dict[int, NDArray[np.float32]]

    @classmethod
    def empty(cls, n_images: int, sizes: tuple[int, ...]) -> "PooledBank":
        """Make room for images, uninitialised."""
        return cls(
            np.empty((n_images, 4, 2, sizes[-1]), dtype=np.float32),
            {size: np.empty((n_images, 4, size), dtype=np.float32) for size in sizes},
        )

    def features(self, kind: EncoderKind, n_atoms: int) -> NDArray[np.float32]:
        """Return the features that the first atoms alone give, in the order of `Encoder.encode`.

        Parameters
        ----------
        kind : {"soft_threshold", "triangle"}
        n_atoms : int
            One of the sizes.

        Returns
        -------
        ndarray of float32, shape (n, 8 · n_atoms) or (n, 4 · n_atoms)
            A view where that is possible: do not change it.
        """
        if kind == "triangle":
            return self.triangles[n_atoms].reshape(len(self.soft), -1)
        # the soft threshold of an atom does not depend on the others
        return self.soft[..., :n_atoms].reshape(len(self.soft), -1)


@dataclass(frozen=True)
class EncoderBank:
    """Both encoders, at several nested sizes of one dictionary.

    Attributes
    ----------
    encoder : Encoder
        Whitening and the whole dictionary, on the processor; its kind does not matter.
    sizes : tuple of int
        Ascending numbers of first atoms; the last is the whole dictionary.
    """

    encoder: Encoder
    sizes: tuple[int, ...]

    def pool(
        self, images: NDArray[np.uint8], on_images: Callable[[int], None] | None = None
    ) -> PooledBank:
        """Encode and pool images, one quadrant of one image, or less, at a time on each core.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, height, width, 3)
        on_images : callable, optional
            Called with the number of images just encoded.

        Returns
        -------
        PooledBank
        """
        pooled = PooledBank.empty(len(images), self.sizes)

        def encode(cut: slice) -> int:
            for row in range(cut.start, cut.stop):
                self._encode_one(images[row], pooled, row)
            n_images: int = cut.stop - cut.start
            return n_images

        for n_done in in_order(encode, blocks(len(images), BATCH)):
            if on_images is not None:
                on_images(n_done)
        return pooled

    def _encode_one(self, image: NDArray[np.uint8], into: PooledBank, row: int) -> None:
        encoder = self.encoder
        places = patch_places(*image.shape[:2], encoder.patch_size, encoder.stride)
        pixels = torch.from_numpy(image.reshape(-1).astype(np.float32))
        for number, quadrant in enumerate(places.quadrants):
            patches = pixels[places.index[quadrant]]
            normalise_contrast(patches, encoder.contrast_constant).sub_(encoder.mean)
            whitened = patches @ encoder.whitener
            sq_patches = torch.linalg.vecdot(whitened, whitened)
            pooled = self._empty_sums(patches)
            for cut in blocks(len(patches), max(1, VALUES // self.sizes[-1])):
                self._add(patches[cut], sq_patches[cut], pooled)
            into.soft[row, number] = pooled[0].numpy()
            for triangles, total in zip(into.triangles.values(), pooled[1:], strict=True):
                triangles[row, number] = total.numpy()

    def _empty_sums(self, like: torch.Tensor) -> list[torch.Tensor]:
        """Return zeros for the soft threshold (2, K), and for the triangle of each size."""
        return [like.new_zeros(2, self.sizes[-1]), *(like.new_zeros(size) for size in self.sizes)]

    def _add(
        self, patches: torch.Tensor, sq_patches: torch.Tensor, pooled: list[torch.Tensor]
    ) -> None:
        """Add what some patches of a quadrant give, every step one pass over the products."""
        products = scratch("products", (len(patches), self.sizes[-1]), patches)
        torch.mm(patches, self.encoder.filters, out=products)
        sq_dist = torch.add(
            sq_patches[:, None],
            products,
            alpha=-2.0,
            out=scratch("distances", products.shape, patches),
        )
        soft_threshold(products, self.encoder.threshold, pooled[0])
        distance = sq_dist.add_(self.encoder.sq_atoms).clamp_(min=0).sqrt_()
        for size, total in zip(self.sizes, pooled[1:], strict=True):
            some = distance[:, :size]
            if size < self.sizes[-1]:  # the last one may have the distances for good
                some = scratch("products", tuple(some.shape), some).copy_(some)
            below = some.sub_(some.mean(1, keepdim=True)).clamp_(max=0)
            total.sub_(below.sum(0))
