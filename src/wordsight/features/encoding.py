"""From the patches of an image to its features: encode, then sum over the four quadrants.

Two encoders, both linear in the patch up to the last step, so that whitening folds into the
filters and costs nothing:

- soft threshold with its sign split (Coates & Ng 2011): z = patch · atom, and two values an atom,
  ``max(0, z − α)`` and ``max(0, −z − α)``;
- triangle (Coates, Lee & Ng 2011): ``max(0, mean distance − distance)``, one value an atom.
"""

import importlib.util
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import blocks, halving, scratch
from wordsight.features.patches import normalise_contrast
from wordsight.features.places import PatchPlaces, patch_places

__all__ = ["Encoder", "EncoderKind", "Kernels", "load_kernels", "soft_threshold", "triangle"]

EncoderKind = Literal["soft_threshold", "triangle"]

VALUES = 102_400
"""Products held at a time: 64 patches of 1,600 atoms. They, and what is made of them, stay in a
core's second cache beside the filters."""

_shrink: Callable[..., torch.Tensor] = torch.nn.functional.softshrink
"""Toward zero by α, and 0 within α of it. Named here because torch does not type its `out`."""

WORTH_COMPILING = 2_000
"""Images from which on compiling the inner loops, a second, is earned back."""


@dataclass(frozen=True)
class Kernels:
    """The inner loops as compiled by numba.

    Attributes
    ----------
    cut_patches, add_thresholded : callable
        As in `wordsight.features.compiled`.
    """

    cut_patches: Callable[..., None]
    add_thresholded: Callable[..., None]


def load_kernels() -> Kernels | None:
    """Compile the inner loops, or return None where numba is not installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    with suppress(ImportError):  # a numba that is too old for the NumPy beside it says so here
        # imported here because numba is optional and compiling takes a second
        from wordsight.features import compiled  # noqa: PLC0415

        return Kernels(compiled.cut_patches, compiled.add_thresholded)
    return None


def soft_threshold(
    products: torch.Tensor, threshold: float, out: torch.Tensor | None = None
) -> torch.Tensor:
    """Sum the two rectified halves of the products over the patches.

    Parameters
    ----------
    products : Tensor, shape (n, K)
        Patch times atom; overwritten.
    threshold : float
        α.
    out : Tensor, shape (2, K), optional
        What to add to.

    Returns
    -------
    Tensor, shape (2, K)
        Sums over the n patches of ``max(0, z − α)`` and of ``max(0, −z − α)``.
    """
    n, n_atoms = products.shape
    total = products.new_zeros(2, n_atoms) if out is None else out
    room = scratch("rectified", (n, n_atoms), products)
    _add_rectified(products, threshold, room, products.new_ones(1, n), total[:1], total[1:])
    return total


def _add_rectified(
    products: torch.Tensor,
    threshold: float,
    room: torch.Tensor,
    ones: torch.Tensor,
    above: torch.Tensor,
    below: torch.Tensor,
) -> None:
    """Add the sums over patches of ``max(0, z − α)`` to `above`, of ``max(0, −z − α)`` to `below`.

    α leaves each product by itself: to take n α from the sum of n values that exceed it by little
    would leave mostly rounding.
    """
    shrunk = _shrink(products, threshold, out=products)  # toward zero by α
    # a product with ones sums faster than a sum does
    above.addmm_(ones, torch.clamp(shrunk, min=0.0, out=room))
    below.addmm_(ones, shrunk.clamp_(max=0.0), alpha=-1.0)


def triangle(
    products: torch.Tensor, sq_patches: torch.Tensor, sq_atoms: torch.Tensor
) -> torch.Tensor:
    """Sum the triangle activations over the patches.

    Parameters
    ----------
    products : Tensor, shape (n, K)
        Patch times atom; overwritten.
    sq_patches : Tensor, shape (n,)
        Squared length of each whitened patch.
    sq_atoms : Tensor, shape (K,)
        Squared length of each atom.

    Returns
    -------
    Tensor, shape (1, K)
        Sums over the n patches of ``max(0, mean distance − distance)``.
    """
    sq_dist = products.mul_(-2.0).add_(sq_patches[:, None]).add_(sq_atoms)
    distance = sq_dist.clamp_(min=0).sqrt_()
    nearness = distance.sub_(distance.mean(1, keepdim=True)).clamp_(max=0)
    return nearness.sum(0, keepdim=True).neg_()


@dataclass(frozen=True)
class Encoder:
    """Whitening and dictionary, folded into filters.

    Attributes
    ----------
    kind : {"soft_threshold", "triangle"}
    filters : Tensor, shape (p, K)
        ``P Dᵀ``: what a patch less M is multiplied with.
    mean, whitener : Tensor, shapes (p,) and (p, p)
        M and P; the triangle needs the whitened patch itself for its length.
    sq_atoms : Tensor, shape (K,)
    patch_size : int
    stride : int
    contrast_constant : float
    threshold : float
        α of the soft threshold.
    kernels : Kernels or None
        Compiled inner loops for the processor; without them torch does the same in more passes.
    """

    kind: EncoderKind
    filters: torch.Tensor
    mean: torch.Tensor
    whitener: torch.Tensor
    sq_atoms: torch.Tensor
    patch_size: int
    stride: int
    contrast_constant: float
    threshold: float
    kernels: Kernels | None = None

    @classmethod
    def fold(
        cls,
        dictionary: NDArray[np.float32],
        mean: NDArray[np.float64],
        whitener: NDArray[np.float64],
        *,
        kind: EncoderKind,
        patch_size: int,
        stride: int,
        contrast_constant: float,
        threshold: float,
        device: torch.device,
    ) -> Self:
        """Fold ``((p − M) P) Dᵀ`` into ``(p − M) (P Dᵀ)``, in double precision."""
        atoms = dictionary.astype(np.float64)
        filters = torch.from_numpy(whitener) @ torch.from_numpy(atoms).T

        def tensor(values: NDArray[np.float64]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device, torch.float32)

        return cls(
            kind=kind,
            filters=filters.to(device, torch.float32),
            mean=tensor(mean),
            whitener=tensor(whitener),
            sq_atoms=tensor((atoms**2).sum(1)),
            patch_size=patch_size,
            stride=stride,
            contrast_constant=contrast_constant,
            threshold=threshold,
        )

    def compiled(self) -> Self:
        """Return the same encoder with compiled inner loops, where there can be any."""
        if self.kind != "soft_threshold" or self.filters.device.type != "cpu":
            return self
        return replace(self, kernels=load_kernels())

    @property
    def n_values(self) -> int:
        """Values an atom has in each quadrant."""
        return 2 if self.kind == "soft_threshold" else 1

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Encode and pool images.

        On a processor one image after another, a few patches at a time, so that the products of
        patches and atoms never leave the core's second cache; there, thresholds and sums cost
        little beside the product itself. On a GPU a quadrant of many images together, of fewer
        where memory does not suffice.

        Parameters
        ----------
        images : Tensor of uint8, shape (b, height, width, 3)

        Returns
        -------
        Tensor, shape (b, 4 · values per atom · K)
            Quadrant by quadrant; within it all first values, then all second ones. Not yet
            standardised.
        """
        places = patch_places(*images.shape[1:3], self.patch_size, self.stride)
        if images.device.type == "cpu":
            pooled = self._encode_in_cache(images, places)
        else:
            index = places.index.to(images.device)
            parts = halving(
                lambda cut: self._encode_together(images[cut], places, index),
                len(images),
                "encoding images",
            )
            pooled = torch.cat(parts)
        return pooled.flatten(1)

    def _encode_in_cache(self, images: torch.Tensor, places: PatchPlaces) -> torch.Tensor:
        pooled = self.filters.new_zeros(len(images), 4, self.n_values, len(self.sq_atoms))
        patches = scratch("patches", (len(places.corners), len(self.mean)), self.filters)
        cut, add = self._cutter(patches, places), self._adder(patches, places)
        for image, sums in zip(images.contiguous(), pooled, strict=True):
            cut(image)
            add(sums)
        return pooled

    def _cutter(
        self, patches: torch.Tensor, places: PatchPlaces
    ) -> Callable[[torch.Tensor], object]:
        """Return what cuts an image into `patches`: normalised, less M."""
        if self.kernels is not None:
            kernel, mean, out = self.kernels.cut_patches, self.mean.numpy(), patches.numpy()
            constant = np.float32(self.contrast_constant)
            return lambda image: kernel(
                image.numpy().reshape(-1), places.corners, places.within, mean, constant, out
            )
        flat, index = patches.view(-1), places.index.view(-1)

        def cut(image: torch.Tensor) -> object:
            torch.index_select(image.view(-1).to(patches.dtype), 0, index, out=flat)
            return normalise_contrast(patches, self.contrast_constant).sub_(self.mean)

        return cut

    def _adder(
        self, patches: torch.Tensor, places: PatchPlaces
    ) -> Callable[[torch.Tensor], object]:
        """Return what adds the codes of `patches` to sums of shape (4, values, K).

        All views are made here, once: each takes Python as long as a clamp takes the processor.
        """
        n_atoms = len(self.sq_atoms)
        size = max(1, VALUES // n_atoms)
        products = scratch("products", (size, n_atoms), self.filters)
        parts = [
            (number, patches[part], products[: part.stop - part.start])
            for number, quadrant in enumerate(places.quadrants)
            for part in _even_parts(quadrant, size)
        ]
        if self.kind == "triangle":
            return lambda sums: self._add_triangles(parts, sums)
        if self.kernels is not None:
            kernel, threshold = self.kernels.add_thresholded, np.float32(self.threshold)
            shared = [(number, some, out, out.numpy()) for number, some, out in parts]

            def add_compiled(sums: torch.Tensor) -> None:
                totals = sums.numpy()
                for number, some, out, same in shared:
                    torch.mm(some, self.filters, out=out)
                    kernel(same, threshold, totals[number])

            return add_compiled
        rectified = scratch("rectified", (size, n_atoms), self.filters)
        room = [
            (number, some, out, rectified[: len(some)], some.new_ones(1, len(some)))
            for number, some, out in parts
        ]
        return lambda sums: self._add_rectified(room, sums)

    def _add_rectified(self, parts: Iterable[tuple[Any, ...]], sums: torch.Tensor) -> None:
        """Add the soft threshold by torch."""
        halves = [(some[:1], some[1:]) for some in sums]
        for number, patches, products, room, ones in parts:
            torch.mm(patches, self.filters, out=products)
            _add_rectified(products, self.threshold, room, ones, *halves[number])

    def _add_triangles(
        self, parts: Iterable[tuple[int, torch.Tensor, torch.Tensor]], sums: torch.Tensor
    ) -> None:
        for number, patches, products in parts:
            torch.mm(patches, self.filters, out=products)
            sums[number] += self._triangle(patches, products)

    def _triangle(self, patches: torch.Tensor, products: torch.Tensor) -> torch.Tensor:
        whitened = patches @ self.whitener
        return triangle(products, torch.linalg.vecdot(whitened, whitened), self.sq_atoms)

    def _encode_together(
        self, images: torch.Tensor, places: PatchPlaces, index: torch.Tensor
    ) -> torch.Tensor:
        """Encode some images at once, a quadrant at a time; shape (b, 4, values, K)."""
        pixels = images.flatten(1).to(self.filters.dtype)
        pooled = []
        for quadrant in places.quadrants:
            patches = pixels[:, index[quadrant]].flatten(0, 1)
            normalise_contrast(patches, self.contrast_constant).sub_(self.mean)
            products = (patches @ self.filters).view(len(images), -1, len(self.sq_atoms))
            if self.kind == "soft_threshold":
                pooled.append(_rectified(products, self.threshold))
            else:
                whitened = (patches @ self.whitener).view(len(images), -1, len(self.mean))
                sq_patches = torch.linalg.vecdot(whitened, whitened)
                pooled.append(
                    torch.stack(
                        [
                            triangle(z, length, self.sq_atoms)
                            for z, length in zip(products, sq_patches, strict=True)
                        ]
                    )
                )
        return torch.stack(pooled, 1)


def _rectified(products: torch.Tensor, threshold: float) -> torch.Tensor:
    """Sum the rectified halves of products (b, n, K) over the patches; shape (b, 2, K)."""
    above = (products - threshold).clamp_(min=0).sum(1)
    below = (products + threshold).clamp_(max=0).sum(1)
    return torch.stack([above, -below], 1)


def _even_parts(rows: slice, size: int) -> list[slice]:
    """Cut a slice into slices of at most `size`, as equal as can be."""
    n_rows = rows.stop - rows.start
    n_parts = -(-n_rows // size)
    return [
        slice(rows.start + cut.start, rows.start + cut.stop)
        for cut in blocks(n_rows, -(-n_rows // n_parts))
    ]
