"""From the patches of an image to its features: encode, then sum over the four quadrants.

Two encoders, both linear in the patch up to the last step, so that whitening folds into the
filters and costs nothing:

- soft threshold with its sign split (Coates & Ng 2011): z = patch · atom, and two values an atom,
  ``max(0, z − α)`` and ``max(0, −z − α)``;
- triangle (Coates, Lee & Ng 2011): ``max(0, mean distance − distance)``, one value an atom.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import scratch
from wordsight.features.patches import grid_of_patches, normalise_contrast

__all__ = ["Encoder", "EncoderKind", "halves", "quadrants", "soft_threshold", "triangle"]

EncoderKind = Literal["soft_threshold", "triangle"]


def halves(n: int) -> tuple[slice, slice]:
    """Cut n places in two, the first half the larger (27 = 14 + 13)."""
    middle = (n + 1) // 2
    return slice(0, middle), slice(middle, n)


def quadrants(n_rows: int, n_columns: int) -> list[tuple[slice, slice]]:
    """Return the four quadrants of a grid: upper left, upper right, lower left, lower right."""
    return [(rows, columns) for rows in halves(n_rows) for columns in halves(n_columns)]


def soft_threshold(products: torch.Tensor, threshold: float) -> torch.Tensor:
    """Sum the two rectified halves of the products over the patches.

    Parameters
    ----------
    products : Tensor, shape (n, K)
        Patch times atom.
    threshold : float
        α.

    Returns
    -------
    Tensor, shape (2, K)
        Sums over the n patches of ``max(0, z − α)`` and of ``max(0, −z − α)``.
    """
    buffer = scratch("rectified", tuple(products.shape), products)
    torch.sub(products, threshold, out=buffer).clamp_(min=0)
    positive = buffer.sum(0)
    torch.add(products, threshold, out=buffer).clamp_(max=0)
    return torch.stack([positive, -buffer.sum(0)])


def triangle(
    products: torch.Tensor, sq_patches: torch.Tensor, sq_atoms: torch.Tensor
) -> torch.Tensor:
    """Sum the triangle activations over the patches.

    Parameters
    ----------
    products : Tensor, shape (n, K)
        Patch times atom.
    sq_patches : Tensor, shape (n,)
        Squared length of each whitened patch.
    sq_atoms : Tensor, shape (K,)
        Squared length of each atom.

    Returns
    -------
    Tensor, shape (1, K)
        Sums over the n patches of ``max(0, mean distance − distance)``.
    """
    sq_dist = products.mul(-2.0).add_(sq_patches[:, None]).add_(sq_atoms)
    distance = sq_dist.clamp_(min=0).sqrt_()
    return (distance.mean(1, keepdim=True) - distance).clamp_(min=0).sum(0, keepdim=True)


@dataclass(frozen=True)
class Encoder:
    """Whitening and dictionary, folded into filters.

    Attributes
    ----------
    kind : {"soft_threshold", "triangle"}
    filters : Tensor, shape (p, K)
        ``P Dᵀ``.
    offset : Tensor, shape (K,)
        ``−M P Dᵀ``: what the mean of the patches adds to each product.
    mean, whitener : Tensor, shapes (p,) and (p, p)
        M and P; the triangle needs the whitened patch itself for its length.
    sq_atoms : Tensor, shape (K,)
    patch_size : int
    stride : int
    contrast_constant : float
    threshold : float
        α of the soft threshold.
    """

    kind: EncoderKind
    filters: torch.Tensor
    offset: torch.Tensor
    mean: torch.Tensor
    whitener: torch.Tensor
    sq_atoms: torch.Tensor
    patch_size: int
    stride: int
    contrast_constant: float
    threshold: float

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
        """Fold ``((p − M) P) Dᵀ`` into ``p (P Dᵀ) − M P Dᵀ``, in double precision."""
        atoms = dictionary.astype(np.float64)
        filters = whitener @ atoms.T

        def tensor(values: NDArray[np.float64]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device, torch.float32)

        return cls(
            kind=kind,
            filters=tensor(filters),
            offset=tensor(-(mean @ filters)),
            mean=tensor(mean),
            whitener=tensor(whitener),
            sq_atoms=tensor((atoms**2).sum(1)),
            patch_size=patch_size,
            stride=stride,
            contrast_constant=contrast_constant,
            threshold=threshold,
        )

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Encode and pool images, one quadrant of one image at a time.

        The products of a quadrant with all atoms are the largest thing ever held (1.3 MB with
        the paper's settings): they stay in the processor's second cache, where thresholds and
        sums cost little beside the product itself.

        Parameters
        ----------
        images : Tensor of uint8, shape (b, height, width, 3)

        Returns
        -------
        Tensor, shape (b, 4 · values per atom · K)
            Quadrant by quadrant; within it all first values, then all second ones. Not yet
            standardised.
        """
        pixels = images.permute(0, 3, 1, 2).to(self.filters.dtype)
        return torch.stack([self._encode_one(image) for image in pixels])

    def _encode_one(self, image: torch.Tensor) -> torch.Tensor:
        grid = grid_of_patches(image, self.patch_size, self.stride)
        pooled = []
        for rows, columns in quadrants(*grid.shape[:2]):
            patches = grid[rows, columns].reshape(-1, len(self.filters))
            normalise_contrast(patches, self.contrast_constant)
            products = scratch("products", (len(patches), len(self.offset)), patches)
            torch.addmm(self.offset, patches, self.filters, out=products)
            if self.kind == "soft_threshold":
                pooled.append(soft_threshold(products, self.threshold))
            else:
                whitened = (patches - self.mean) @ self.whitener
                sq_patches = torch.linalg.vecdot(whitened, whitened)
                pooled.append(triangle(products, sq_patches, self.sq_atoms))
        return torch.cat(pooled).flatten()
