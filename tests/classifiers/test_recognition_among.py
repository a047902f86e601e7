"""`Recognition.among_proba`: Eq. 2 restricted to some classes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import join
from wordsight.classifiers.recognition import Recognition

NAMES = np.array(["a", "b", "c", "u", "v"])


def recognition(
    seen: NDArray[np.float64], unseen: NDArray[np.float64], novel: NDArray[np.float64]
) -> Recognition:
    return Recognition(
        classes=NAMES,
        n_seen=3,
        mapped=np.zeros((len(seen), 2)),
        seen_proba=seen,
        unseen_proba=unseen,
        novelty_score=novel - 0.5,
        novelty_proba=novel,
        proba=join(seen, unseen, novel),
    )


SOME = recognition(
    np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]),
    np.array([[0.25, 0.75], [1.0, 0.0]]),
    np.array([0.4, 0.9]),
)


def test_all_classes_are_the_whole_of_eq_2() -> None:
    np.testing.assert_allclose(SOME.among_proba(NAMES.tolist()), SOME.proba, atol=1e-15)


def test_one_kind_leaves_the_gate_out() -> None:
    np.testing.assert_allclose(
        SOME.among_proba(["c", "a"]), [[2 / 7, 5 / 7], [8 / 9, 1 / 9]], rtol=1e-12
    )
    np.testing.assert_allclose(SOME.among_proba(["v", "u"]), [[0.75, 0.25], [0.0, 1.0]], atol=1e-12)


def test_both_kinds_share_by_the_gate() -> None:
    # p(a | seen, a or b) (1 − 0.4), p(u | unseen, u) 0.4
    expected = [[0.625 * 0.6, 0.4, 0.375 * 0.6], [0.5 * 0.1, 0.9, 0.5 * 0.1]]
    np.testing.assert_allclose(SOME.among_proba(["a", "u", "b"]), expected, rtol=1e-12)


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "u"], ["u", "v"], ["b", "a", "v", "u"]])
def test_rows_sum_to_one_where_a_double_holds_nothing(classes: list[str]) -> None:
    lost = recognition(np.array([[0.0, 0.0, 1.0]]), np.array([[0.0, 1.0]]), np.array([0.5]))
    proba = lost.among_proba(classes)
    assert proba.sum() == pytest.approx(1.0)
    assert (proba >= 0).all()
    assert lost.among(classes)[0] in classes


def test_the_most_probable_is_the_label() -> None:
    assert SOME.among(["a", "u", "b"]).tolist() == ["u", "u"]
    assert SOME.among(["c", "b"]).tolist() == ["b", "c"]
