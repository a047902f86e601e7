"""Eq. 2 by hand: joining the two classifiers, and choosing among some classes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import join
from wordsight.classifiers.recognition import Recognition
from wordsight.exceptions import InputError


def test_eq_2_by_hand() -> None:
    seen = np.array([[0.7, 0.3], [0.5, 0.5], [0.9, 0.1]])
    unseen = np.array([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.25, 0.25, 0.5]])
    found = join(seen, unseen, np.array([0.0, 1.0, 0.4]))
    expected = [
        [0.7, 0.3, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.54, 0.06, 0.1, 0.1, 0.2],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_without_unseen_classes_the_seen_ones_have_it_all() -> None:
    seen = np.array([[0.7, 0.3]])
    np.testing.assert_array_equal(join(seen, np.empty((1, 0)), np.array([1.0])), seen)


def _shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = values / values.sum(1, keepdims=True)
    return shares


@settings(deadline=None)
@given(data=st.data(), n=st.integers(1, 5), n_seen=st.integers(1, 6), n_unseen=st.integers(0, 6))
def test_probabilities_sum_to_one(data: Any, n: int, n_seen: int, n_unseen: int) -> None:
    positive = st.floats(1e-6, 1.0)
    seen = _shares(data.draw(arrays(np.float64, (n, n_seen), elements=positive)))
    unseen = data.draw(arrays(np.float64, (n, n_unseen), elements=positive))
    unseen = _shares(unseen) if n_unseen else unseen
    novel = data.draw(arrays(np.float64, n, elements=st.floats(0.0, 1.0)))
    found = join(seen, unseen, novel)
    assert found.shape == (n, n_seen + n_unseen)
    assert found.min() >= 0.0
    np.testing.assert_allclose(found.sum(1), 1.0, rtol=1e-12)
    if n_unseen:
        np.testing.assert_allclose(found[:, n_seen:].sum(1), novel, rtol=1e-9, atol=1e-12)


def recognition(novel: list[float]) -> Recognition:
    """Two images, seen classes cat and dog, unseen ones car, truck and ship."""
    seen = np.array([[0.7, 0.3], [0.2, 0.8]])
    unseen = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    proba = np.array(novel)
    return Recognition(
        classes=np.array(["cat", "dog", "car", "truck", "ship"]),
        n_seen=2,
        mapped=np.zeros((2, 3)),
        seen_proba=seen,
        unseen_proba=unseen,
        novelty_score=proba - 0.5,
        novelty_proba=proba,
        proba=join(seen, unseen, proba),
    )


def test_what_is_recognised() -> None:
    found = recognition([0.0, 1.0])
    assert found.label.tolist() == ["cat", "ship"]
    assert found.probability.tolist() == [0.7, 0.8]
    assert found.is_novel.tolist() == [False, True]
    assert found.seen_label.tolist() == ["cat", "dog"]
    assert found.unseen_label is not None
    assert found.unseen_label.tolist() == ["car", "ship"]


def test_among_classes_of_one_kind_the_gate_is_left_out() -> None:
    for novel in ([0.0, 0.0], [1.0, 1.0], [0.3, 0.6]):
        found = recognition(novel)
        assert found.among(["cat", "dog"]).tolist() == ["cat", "dog"]
        assert found.among(["truck", "ship"]).tolist() == ["truck", "ship"]
        assert found.among(["dog"]).tolist() == ["dog", "dog"]


def test_among_classes_of_both_kinds_by_hand() -> None:
    found = recognition([0.4, 0.45])
    # first: dog has all that is left of the seen, .6; of truck and ship truck has .3/.5 of .4
    np.testing.assert_allclose(
        found.among_proba(["ship", "dog", "truck"]),
        [[0.16, 0.6, 0.24], [0.4, 0.55, 0.05]],
        rtol=1e-12,
    )
    assert found.among(["ship", "dog", "truck"]).tolist() == ["dog", "dog"]
    np.testing.assert_allclose(found.among_proba(found.classes.tolist()), found.proba, rtol=1e-12)


def test_among_order_does_not_matter() -> None:
    found = recognition([0.4, 0.9])
    some = ["ship", "dog", "car"]
    assert found.among(some).tolist() == found.among(some[::-1]).tolist()


def test_probabilities_too_small_for_a_double_give_no_nan() -> None:
    found = recognition([0.3, 0.3])
    found.unseen_proba[:, 1:] = 0.0
    proba = found.among_proba(["cat", "truck", "ship"])
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(1), 1.0)
    assert found.among(["cat", "truck"]).tolist() == ["cat", "cat"]


def test_classes_that_are_not_there_are_named() -> None:
    found = recognition([0.4, 0.9])
    with pytest.raises(InputError, match=r"zebra, gnu was asked for; expected some of .*cat, dog"):
        found.among(["cat", "zebra", "gnu"])
    with pytest.raises(InputError, match="no class was asked for"):
        found.among([])
