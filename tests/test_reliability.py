"""Reliability diagram and expected calibration error."""

import numpy as np
import pytest

from wordsight.exceptions import InputError
from wordsight.reliability import expected_calibration_error, reliability


def test_by_hand() -> None:
    # two bins: (0, 0.5] holds 0.5 and 0.3, of which one is right; (0.5, 1] holds 0.9, right
    found = reliability([True, False, True], [0.5, 0.3, 0.9], n_bins=2)
    np.testing.assert_array_equal(found.counts, [2, 1])
    np.testing.assert_allclose(found.confidence, [0.4, 0.9])
    np.testing.assert_allclose(found.accuracy, [0.5, 1.0])
    assert found.error == pytest.approx((2 * 0.1 + 0.1) / 3)


def test_honest_probabilities_have_no_error_but_chance() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.1, 1.0, size=200_000)
    right = rng.uniform(size=len(sure)) < sure
    assert expected_calibration_error(right, sure) < 0.005
    # twice as far from certainty as they are
    assert expected_calibration_error(right, 1 - (1 - sure) / 2) == pytest.approx(0.225, abs=0.01)


def test_certainties_and_empty_bins() -> None:
    found = reliability([True, True], [1.0, 0.0], n_bins=15)
    assert found.counts[[0, -1]].tolist() == [1, 1]
    assert np.isnan(found.accuracy[1:-1]).all()
    assert found.error == 0.5


@pytest.mark.parametrize(
    ("right", "sure", "match"),
    [
        ([True], [0.1, 0.2], "one of each for every image"),
        ([], [], "at least one image"),
        ([True], [1.5], "between 0 and 1"),
        ([True], [float("nan")], "between 0 and 1"),
    ],
)
def test_refusals(right: list[bool], sure: list[float], match: str) -> None:
    with pytest.raises(InputError, match=match):
        reliability(right, sure)
    with pytest.raises(InputError, match="n_bins=0"):
        reliability([True], [0.5], n_bins=0)
