"""The threshold's guarantee, exactly and by simulation."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.exceptions import InputError
from wordsight.novelty.calibration import threshold_for_rate


@given(
    n=st.integers(1, 300),
    percent=st.integers(1, 99),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_guarantee_holds_exactly_for_ranks(n: int, percent: int, seed: int) -> None:
    """Of n + 1 exchangeable scores each is the new one with probability 1/(n + 1)."""
    rate = Fraction(percent, 100)
    if rate * (n + 1) < 1:
        return
    ranks = np.random.default_rng(seed).permutation(n + 1).astype(float)
    below = sum(
        new < threshold_for_rate(np.delete(ranks, i), percent / 100) for i, new in enumerate(ranks)
    )
    probability = Fraction(int(below), n + 1)
    assert rate - Fraction(1, n + 1) < probability <= rate


@given(scores=st.lists(st.integers(0, 4), min_size=10, max_size=60), percent=st.integers(10, 90))
def test_ties_never_raise_the_rate(scores: list[int], percent: int) -> None:
    values = np.array(scores, dtype=float)
    below = sum(
        new < threshold_for_rate(np.delete(values, i), percent / 100)
        for i, new in enumerate(values)
        if Fraction(percent, 100) * len(values) >= 1
    )
    assert Fraction(int(below), len(values)) <= Fraction(percent, 100)


def test_a_hand_computed_threshold() -> None:
    # k = floor(0.25 * (7 + 1)) = 2: the second smallest
    assert threshold_for_rate([5.0, 1.0, 4.0, 2.0, 7.0, 3.0, 6.0], 0.25) == 2.0
    # floor(0.3 * 10) is 3, also where 0.3 * 10 or 0.29 * 100 falls short by rounding
    assert threshold_for_rate(np.arange(1.0, 10.0), 0.3) == 3.0
    assert threshold_for_rate(np.arange(1.0, 100.0), 0.29) == 29.0


def test_the_rate_is_met_in_simulation() -> None:
    rng = np.random.default_rng(0)
    n, rate, trials = 49, 0.1, 20_000
    held_out = rng.normal(size=(trials, n))
    new = rng.normal(size=trials)
    rejected = [s < threshold_for_rate(h, rate) for s, h in zip(new, held_out, strict=True)]
    # k/(n + 1) = 5/50 is the rate exactly; four standard errors of a proportion
    tolerance = 4 * math.sqrt(rate * (1 - rate) / trials)
    assert abs(np.mean(rejected) - rate) < tolerance


@pytest.mark.parametrize("n", [*range(1, 400), 999, 4999, 12_345])
def test_the_smallest_possible_rate_is_named_and_works(n: int) -> None:
    scores = np.arange(float(n))
    assert threshold_for_rate(scores, 1 / (n + 1)) == 0.0
    with pytest.raises(InputError, match=rf"1/{n + 1} \(give ([\d.e-]+) or more") as refusal:
        threshold_for_rate(scores, 0.99 / (n + 1))
    named = float(str(refusal.value).split("(give ")[1].split()[0])
    assert threshold_for_rate(scores, named) == 0.0


@pytest.mark.parametrize("rate", [0.0, 1.0, 1.5, -1.0, float("nan"), "many"])
def test_a_rate_must_be_a_fraction(rate: float) -> None:
    with pytest.raises(InputError, match="above 0 and below 1"):
        threshold_for_rate([1.0, 2.0, 3.0], rate)


def test_bad_scores_are_refused() -> None:
    with pytest.raises(InputError, match="at least one image"):
        threshold_for_rate([], 0.5)
    with pytest.raises(InputError, match=r"shape \(2, 1\)"):
        threshold_for_rate([[1.0], [2.0]], 0.5)
    with pytest.raises(InputError, match="1 of 3 held-out scores"):
        threshold_for_rate([1.0, float("nan"), 3.0], 0.5)
