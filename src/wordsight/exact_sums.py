"""Sums that come out the same to the last bit, in whatever order and in however many parts.

Adding numbers in double precision rounds, and so the order tells. It does not where each number is
first rounded to a multiple of one unit, fine enough for what the sum is for and coarse enough that
no partial sum needs more than 53 bits: then every addition is exact (Demmel & Nguyen, "Fast
reproducible floating-point summation", 2013). It is for sums of blocks of rows that were computed
in single precision: the unit is far below what these are good for.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["grid_of", "on_grid_", "on_outer_grid_", "powers_of_two"]

_BITS = 50
"""Between a sum's bound and its unit: 53 a double has, less a few for bounds that are estimates."""

_LARGE = 1.5 * 2.0**52
"""Times a unit: what is beside a number this large is rounded to its last bit, which is the unit."""


def powers_of_two(values: NDArray[Any] | float) -> NDArray[np.float64]:
    """Return the least power of two that is no less than each number; 0 stays 0."""
    given = np.abs(np.asarray(values, dtype=np.float64))
    usable = (given > 1e-100) & (given < 1e100)
    return np.where(usable, np.exp2(np.ceil(np.log2(np.where(usable, given, 1.0)))), 0.0)


def grid_of(bound: NDArray[Any] | float) -> torch.Tensor:
    """Return what `on_grid_` takes for sums whose partial sums are below a bound, about.

    Where they are not, a sum is as good as any in double precision, but its last bits may depend
    on the order. The same holds where the bound is 0, of which there is no telling.
    """
    return torch.as_tensor(powers_of_two(bound) * (_LARGE * 2.0**-_BITS))


def on_grid_(values: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Round numbers in double precision to multiples of their units, in place."""
    large = grid.to(values.device)
    return values.add_(large).sub_(large)


def on_outer_grid_(values: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Round a table in double precision, in place, by the grid ``a bᵀ`` of rows and columns."""
    return values.addr_(a, b).addr_(a, b, alpha=-1.0)
