"""Sums on a grid: the same bits in any order and any parts, and as good as one could wish."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wordsight.exact_sums import grid_of, on_grid_, on_outer_grid_, powers_of_two

BITS = 50

blocks = st.lists(
    st.floats(-(2.0**90), 2.0**90, width=32).filter(lambda x: x == 0 or abs(x) > 1e-30),
    min_size=1,
    max_size=60,
)


def on_grid(values: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    return on_grid_(torch.tensor(values), grid_of(bound)).numpy()


@settings(max_examples=300, deadline=None)
@given(blocks)
def test_any_order_and_any_parts_give_the_same_bits(values: list[float]) -> None:
    given_ = np.array(values, dtype=np.float64)
    bound = math.fsum(map(abs, values))
    rounded = on_grid(given_, bound)
    rng = np.random.default_rng(len(values))
    expected = np.float64(0.0)
    for one in rounded:
        expected += one
    for _ in range(5):
        shuffled = rng.permutation(rounded)
        cuts = np.sort(rng.integers(0, len(values) + 1, size=3))
        parts = [sum(part.tolist(), 0.0) for part in np.split(shuffled, cuts)]
        assert sum(rng.permutation(parts).tolist(), 0.0) == expected
    # each is off by half a unit at most
    unit = float(powers_of_two(bound)) * 2.0**-BITS
    exact = sum(map(Fraction, values))
    assert abs(Fraction(float(expected)) - exact) <= len(values) * Fraction(unit) / 2


def test_without_a_grid_order_tells() -> None:
    """What the grid is for: the same numbers, summed as they are, differ in the last bits."""
    rng = np.random.default_rng(0)
    values = (rng.normal(size=1000) * np.exp2(rng.integers(-30, 10, 1000))).astype(np.float32)
    values = values.astype(np.float64)
    there, back = sum(values.tolist()), sum(values[::-1].tolist())
    assert there != back
    rounded = on_grid(values, np.abs(values).sum())
    assert sum(rounded.tolist()) == sum(rounded[::-1].tolist())
    assert sum(rounded.tolist()) == pytest.approx(math.fsum(values.tolist()), abs=1e-7)


def test_a_grid_by_rows_and_columns_is_their_product() -> None:
    rng = np.random.default_rng(1)
    values = torch.tensor(rng.normal(size=(5, 4)))
    a, b = np.exp2(rng.integers(-9, 9, 5)), np.exp2(rng.integers(-9, 9, 4))
    # the bound of an entry is the product of a power of two of its row and one of its column
    found = on_outer_grid_(values.clone(), torch.tensor(a), grid_of(b))
    expected = on_grid_(values.clone(), grid_of(np.outer(a, b)))
    assert torch.equal(found, expected)
    units = np.outer(a, b) * 2.0**-BITS
    assert ((found.numpy() / units) % 1 == 0).all()
    assert (np.abs(found.numpy() - values.numpy()) <= units / 2).all()


def test_powers_of_two() -> None:
    values = [0.0, 1.0, 1.5, 2.0, -3.0, 1e-200, 1e200, 2.0**-30]
    np.testing.assert_array_equal(powers_of_two(np.array(values)), [0, 1, 2, 2, 4, 0, 0, 2.0**-30])


@pytest.mark.parametrize("bound", [0.0, 1e-200])
def test_a_bound_of_nothing_changes_nothing(bound: float) -> None:
    values = np.array([1e-3, -7.0, 0.1])
    np.testing.assert_array_equal(on_grid(values.copy(), bound), values)
