"""Means, spreads, differences and how they are written: all worked out by hand."""

from dataclasses import replace
from typing import Any

import pytest

from wordsight.experiments.comparison import Comparison, compare, duration, memory, plain, timings
from wordsight.experiments.experiment import Number
from wordsight.experiments.results import ExperimentResults, Results, RunRecord, StageRecord


def beside(published: float | None, *values: float, higher: bool | None = True) -> Comparison:
    number = Number("key", "what", published, "source", "the reason", higher)
    return Comparison(number, dict(enumerate(values)))


def test_mean_and_standard_deviation_are_those_of_the_results_page() -> None:
    """The three seeds of cat and truck: mean .92733, squares .00617² + .00067² + .00683²."""
    each = beside(0.914, 0.9335, 0.9280, 0.9205)
    assert each.mean == pytest.approx(2.782 / 3)
    assert each.sd == pytest.approx(((0.00617**2 + 0.00067**2 + 0.00683**2) / 2) ** 0.5, rel=1e-3)
    assert each.ours == "0.9273 ± 0.0065"


def test_the_difference_has_a_sign_and_a_size() -> None:
    # mean .6, sd .1: .1 above is one standard deviation, .15 below is one and a half
    assert beside(0.5, 0.5, 0.6, 0.7).difference_text == "+0.1000 (+1.0 sd)"
    assert beside(0.75, 0.5, 0.6, 0.7).difference_text == "−0.1500 (−1.5 sd)"


def test_one_seed_or_equal_seeds_have_no_spread_to_measure_by() -> None:
    assert beside(0.5, 0.25).difference_text == "−0.2500"
    assert beside(0.5, 0.25).ours == "0.2500"
    assert beside(0.5, 0.25, 0.25).difference_text == "−0.2500"
    assert beside(0.5, 0.25, 0.25).ours == "0.2500 ± 0.0000"


@pytest.mark.parametrize(
    ("published", "ours", "higher", "verdict"),
    [
        (0.5, 0.6, True, "reached"),
        (0.5, 0.4, True, "falls short"),
        (0.5, 0.6, False, "falls short"),
        (0.5, 0.4, False, "reached"),
        (0.5, 0.5, True, "reached"),
        (0.5, 0.4, None, "for comparison"),
        (0.914, 0.91396, True, "reached"),  # .0000 below as it is written
        (0.914, 0.9139, True, "falls short"),
        (None, 0.4, True, ""),
    ],
)
def test_only_what_is_worse_falls_short_and_gets_its_reason(
    published: float | None, ours: float, higher: bool | None, verdict: str
) -> None:
    each = beside(published, ours, higher=higher)
    assert each.verdict == verdict
    assert each.falls_short == (verdict == "falls short")
    assert each.reason == ("the reason" if verdict == "falls short" else "")


def test_falling_short_without_a_reason_says_so() -> None:
    each = beside(0.5, 0.4)
    each = replace(each, number=replace(each.number, reason=""))
    assert each.reason == "no reason is known"


def test_what_was_not_measured() -> None:
    each = beside(0.5)
    assert each.mean is each.sd is each.difference is None
    assert (each.ours, each.verdict, each.difference_text) == ("not measured", "not measured", "")
    assert not each.falls_short


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.83, "0.830"), (0.7996, "0.7996"), (0.914, "0.914"), (12.0, "12"), (0.0, "0"), (None, "")],
)
def test_published_values_are_written_as_in_print(value: float | None, text: str) -> None:
    assert beside(value, 0.5).published == text


def test_a_difference_of_nothing_has_no_sign() -> None:
    assert beside(0.5, 0.5).difference_text == "0.0000"
    assert beside(0.5, 0.499999).difference_text == "0.0000"


def test_counts_are_written_as_counts() -> None:
    each = beside(12.0, 10.0, 14.0, 18.0)  # mean 14, deviations 4, 0, 4: sd 4
    assert (each.ours, each.difference_text) == ("14 ± 4", "+2 (+0.5 sd)")
    assert each.seed_text(1) == "14"
    assert beside(None, 10.0, 11.0).ours == "10.5 ± 0.7"  # sd √½
    assert beside(None, 12_800.0).ours == "12,800"
    assert beside(None, 0.0, 1.0).seed_text(1) == "1.0000"  # accuracies, not counts
    assert beside(None, 45.25).ours == "45.25"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (3.21, "3.2 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (62, "1 min 2 s"),
        (600, "10 min"),
        (3599.6, "1 h"),
        (3660, "1 h 1 min"),
        (5370, "1 h 30 min"),
        (7200, "2 h"),
    ],
)
def test_seconds_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_memory_in_gigabytes() -> None:
    assert memory(7_340_000_000) == "7.3 GB"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "all"),
        (True, "yes"),
        (400_000, "400,000"),
        (0.01, "0.01"),
        ("k-means", "k-means"),
        ([400, 800], "400, 800"),
        (
            {"n_atoms": 1600, "counts": {"train": 2, "test": 1}},
            "atoms: 1,600; counts: (train: 2, test: 1)",
        ),
    ],
)
def test_values_of_settings_in_words(value: Any, text: str) -> None:
    assert plain(value) == text


def test_numbers_keep_their_order_and_seeds_that_lack_one_are_left_out() -> None:
    numbers = (Number("b", "second letter"), Number("a", "first letter"))
    runs = (
        RunRecord(0, 1.0, {"a": 0.5, "b": 0.25}, {}, {}),
        RunRecord(1, 1.0, {"a": 0.75}, {}, {}),
    )
    first, second = compare(ExperimentResults("x", "X", "", "", numbers, runs))
    assert (first.number.key, first.values) == ("b", {0: 0.25})
    assert (second.number.key, second.values) == ("a", {0: 0.5, 1: 0.75})
    assert first.seed_text(1) == "not measured"


def test_rows_of_the_table_of_times() -> None:
    runs = (RunRecord(0, 1.0, {}, {}, {}), RunRecord(1, 2.0, {}, {}, {}))
    results = Results(
        version="0",
        command="",
        setting={},
        seeds=(0, 1),
        data={},
        words="",
        machine={},
        stages=(
            StageRecord("features", 0, 10.0),
            StageRecord("words", None, 5.0),
            StageRecord("features", 1, 20.0),
        ),
        experiments=(ExperimentResults("x", "X", "", "", (), runs),),
    )
    assert list(timings(results)) == [
        ("features", [10.0, 20.0], 30.0),
        ("words", [None, None], 5.0),
        ("X", [1.0, 2.0], 3.0),
        ("Total", [11.0, 22.0], 38.0),
    ]
