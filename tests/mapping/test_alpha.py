"""Choosing the ridge term: the search, the held-out rows and the score, by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wordsight.mapping.alpha import (
    GRID_HIGH,
    GRID_LOW,
    GRID_START,
    GRID_STEP,
    HeldOutClasses,
    best_of,
    climb,
    group_rows,
    score,
    squared_error,
)
from wordsight.rows import draw_held_out


def tent(top: float) -> Callable[[float], float]:
    """Return a function with one top, at ``GRID_STEP**top``."""
    return lambda alpha: -abs(float(round(math.log(alpha, GRID_STEP) - top, 6)))


@pytest.mark.parametrize("top", range(GRID_LOW, GRID_HIGH + 1))
@pytest.mark.parametrize("unit", [1.0, 1e-6, 7e4])
def test_climb_finds_the_top_of_a_unimodal_function(top: int, unit: float) -> None:
    peak = tent(top)
    tried = climb(lambda alpha: peak(alpha / unit), unit)
    assert best_of(tried) == pytest.approx(unit * GRID_STEP**top, rel=1e-9)
    assert len(tried) <= abs(top - GRID_START) + 3  # no more than the walk needs


def test_climb_stays_within_the_grid_and_evaluates_each_point_once() -> None:
    for slope in (1.0, -1.0):
        asked: list[float] = []

        def evaluate(alpha: float, slope: float = slope, asked: list[float] = asked) -> float:
            asked.append(alpha)
            return slope * math.log(alpha)

        tried = climb(evaluate, 1.0)
        assert len(asked) == len(set(asked)) == len(tried)
        end = GRID_HIGH if slope > 0 else GRID_LOW
        assert best_of(tried) == pytest.approx(GRID_STEP**end)


def test_of_equal_scores_the_smoother_map_wins() -> None:
    assert best_of({0.1: 0.5, 1.0: 0.5, 10.0: 0.4}) == 1.0
    # a flat top from step -3 to -1: the walk crosses it
    tried = climb(lambda alpha: min(tent(-2)(alpha), -1.0), 1.0)
    assert best_of(tried) == pytest.approx(GRID_STEP**-1)


def test_classes_are_the_distinct_rows_of_the_targets() -> None:
    Y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    found = group_rows(Y, 4, np.random.RandomState(0))
    assert found is not None
    np.testing.assert_array_equal(found.prototypes[found.codes], Y)
    assert len(found.prototypes) == 2
    assert found.n_folds == 1  # two classes leave nothing beside a pair left out


@pytest.mark.parametrize(
    ("n_classes", "asked", "n_folds"),
    [(2, 4, 1), (3, 4, 1), (4, 4, 2), (5, 4, 2), (7, 4, 3), (8, 4, 4), (20, 4, 4), (20, 1, 1)],
)
def test_every_class_is_in_one_fold_of_two_or_more(
    n_classes: int, asked: int, n_folds: int
) -> None:
    Y = np.repeat(np.eye(n_classes), 3, axis=0)
    found = group_rows(Y, asked, np.random.RandomState(1))
    assert found is not None
    assert found.n_folds == n_folds
    sizes = np.bincount(found.fold_of_class, minlength=n_folds)
    assert sizes.sum() == n_classes
    assert len(sizes) == n_folds
    assert sizes.min() >= 2
    assert sizes.max() - sizes.min() <= 1


def test_targets_that_differ_row_by_row_are_no_classes() -> None:
    rng = np.random.RandomState(0)
    assert group_rows(rng.normal(size=(20, 3)), 4, rng) is None
    assert group_rows(np.ones((20, 3)), 4, rng) is None


def test_a_share_of_each_class_is_held_out() -> None:
    codes = np.array([0] * 10 + [1] * 5 + [2] * 1 + [3] * 2)
    held_out = draw_held_out(codes, 0.3, np.random.RandomState(0))
    # by hand: round(3.0), round(1.5) to even, 0 of one, round(0.6)
    assert np.bincount(codes[held_out], minlength=4).tolist() == [3, 2, 0, 1]


@settings(deadline=None)
@given(
    codes=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_each_class_keeps_a_row_in_training(codes: list[int], fraction: float, seed: int) -> None:
    labels = np.array(codes)
    held_out = draw_held_out(labels, fraction, np.random.RandomState(seed))
    again = draw_held_out(labels, fraction, np.random.RandomState(seed))
    np.testing.assert_array_equal(held_out, again)
    assert set(labels[~held_out].tolist()) == set(codes)
    for code in set(codes):
        of_class = labels == code
        assert abs(held_out[of_class].sum() - fraction * of_class.sum()) <= 1.0


def four_classes(fold_of_class: list[int], n_folds: int) -> HeldOutClasses:
    corners: NDArray[np.float64] = np.array([[0.0, 0.0], [0.0, 4.0], [4.0, 0.0], [4.0, 4.0]])
    return HeldOutClasses(corners, np.empty(0, dtype=np.int64), np.array(fold_of_class), n_folds)


def test_score_by_hand() -> None:
    classes = four_classes([0, 0, 1, 1], 2)
    codes = np.array([0, 0, 1, 2, 3, 3, 3])
    mapped = np.array(
        [
            [3.0, 1.0],  # nearest of classes 0 and 1 is 0: right, though 2 is nearer still
            [0.0, 3.0],  # 1: wrong
            [0.0, 3.5],  # 1: right
            [1.0, 1.0],  # of 2 and 3: 2, right
            [4.0, 1.0],  # 2: wrong
            [4.0, 3.0],  # right
            [9.0, 9.0],  # right
        ]
    )
    # fold 0 leaves out 0 and 1: (1/2 + 1)/2 among these, (1 + 2/3)/2 among the others
    expected = ((0.5 + 1.0) / 2 + (1.0 + 2.0 / 3.0) / 2) / 2
    assert score(mapped, codes, classes, 0) == pytest.approx(expected, rel=1e-12)


def test_score_without_left_out_classes_is_the_mean_accuracy_over_all() -> None:
    classes = four_classes([0, 0, 0, 0], 1)
    mapped = np.array([[0.1, 0.1], [4.0, 3.0], [4.0, 0.1], [0.0, 3.0]])
    codes = np.array([0, 1, 1, 1])
    # class 0 right; of class 1's three, the nearest words are 3, 2 and 1
    assert score(mapped, codes, classes, 0) == pytest.approx((1.0 + 1.0 / 3.0) / 2)


def test_the_nearest_word_counts_and_not_the_largest_product() -> None:
    # the point on word 0 has a larger product with word 1, which is longer
    classes = HeldOutClasses(
        np.array([[1.0, 1.0], [5.0, 5.0]]), np.empty(0, np.int64), np.array([0, 0]), 1
    )
    assert score(np.array([[1.0, 1.0]]), np.array([0]), classes, 0) == 1.0


def test_squared_error_is_that_of_classes_trained_on() -> None:
    mapped = np.array([[1.0, 0.0], [0.0, 3.0], [50.0, 50.0]])
    Y = np.zeros((3, 2))
    assert squared_error(mapped, Y, np.array([False, False, True])) == (1.0 + 9.0) / 4
    assert squared_error(mapped, Y, np.ones(3, dtype=bool)) == 0.0


def test_the_second_number_decides_among_equal_first_ones() -> None:
    tried = climb(lambda alpha: (0.75, tent(-6)(alpha)), 1.0)
    assert best_of(tried) == pytest.approx(GRID_STEP**-6)
    tried = climb(lambda alpha: (tent(1)(alpha), tent(-6)(alpha)), 1.0)
    assert best_of(tried) == pytest.approx(GRID_STEP)
