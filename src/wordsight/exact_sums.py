"""Sums that come out the same to the last bit, in whatever order and in however many parts.

Adding numbers in double precision rounds, and so the order tells. It does not where each number is
first rounded to a multiple of one unit, fine enough for what the sum is for and coarse enough that
no partial sum needs more than 53 bits: then every addition is exact (Demmel & Nguyen, "Fast
reproducible floating-point summation", 2013). The sums here are of blocks of rows, which were
computed in single precision: the unit is far below what these are good for.
"""

import math

import torch

__all__ = ["on_grid_", "unit_of"]

_BITS = 50
"""Between a sum's bound and its unit: 53 a double has, less a few for bounds that are estimates."""


def unit_of(bound: float) -> float:
    """Return the unit of a sum whose partial sums are below a bound, about.

    Where they are not, the sum is as good as any in double precision, but its last bits may depend
    on the order.
    """
    if not 0 < bound < math.inf:
        return 0.0
    return 2.0 ** max(math.ceil(math.log2(bound)) - _BITS, -900)


def on_grid_(values: torch.Tensor, unit: float) -> torch.Tensor:
    """Round numbers in double precision to the nearest multiple of a unit, in place.

    A unit of 0 leaves them as they are.
    """
    if unit > 0.0:
        # what is beside a number this large is rounded to its last bit, which is the unit
        large = 1.5 * 2.0**52 * unit
        if math.isfinite(large):
            values.add_(large).sub_(large)
    return values
