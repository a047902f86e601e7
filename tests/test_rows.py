"""How rows are cut and sums merged: in an order that depends on nothing but their number."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.rows import ChosenRows, cuts, pairwise


def joined(a: str, b: str) -> str:
    return f"({a}{b})"


@pytest.mark.parametrize(
    ("letters", "expected"),
    [("a", "a"), ("ab", "(ab)"), ("abc", "((ab)c)"), ("abcdefg", "(((ab)(cd))((ef)g))")],
)
def test_merges_are_pairwise_and_in_order(letters: str, expected: str) -> None:
    assert pairwise(letters, joined) == expected


@given(st.integers(1, 300))
def test_few_sums_are_held(n: int) -> None:
    held, most = 0, 0

    def items() -> Iterator[list[int]]:
        nonlocal held, most
        for number in range(n):
            held += 1
            most = max(most, held)
            yield [number]

    def merge(a: list[int], b: list[int]) -> list[int]:
        nonlocal held
        held -= 1
        return a + b

    assert pairwise(items(), merge) == list(range(n))
    assert most <= math.log2(n) + 2


def test_nothing_cannot_be_merged() -> None:
    with pytest.raises(IndexError):
        pairwise([], joined)


@given(st.sets(st.integers(0, 400)), st.integers(1, 64))
def test_blocks_lie_as_in_the_table(chosen: set[int], size: int) -> None:
    rows = np.array(sorted(chosen), dtype=np.int64)
    table = np.zeros((401, 2))
    found = cuts(table, size, rows)
    assert [row for cut in found for row in rows[cut].tolist()] == rows.tolist()
    for cut in found:
        assert len(set((rows[cut] // size).tolist())) == 1
    # whoever has the rows as a table of their own cuts at the same places
    assert cuts(ChosenRows(table, rows), size) == found
    whole = cuts(table, size)
    assert [cut.start for cut in whole] == list(range(0, 401, size))
    assert whole[-1].stop == 401


def test_rows_in_no_order_are_cut_as_they_come() -> None:
    assert cuts(np.zeros((9, 1)), 2, np.array([5, 3, 8])) == [slice(0, 2), slice(2, 3)]
