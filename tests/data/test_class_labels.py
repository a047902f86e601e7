"""Labels as numbers tell the same as the labels written out."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.data.class_labels import ClassLabels

NAMES = st.sampled_from(["cat", "truck", "a name of several words", "é", "z"])


@given(st.lists(NAMES), st.data())
def test_labels_come_back(labels: list[str], data: st.DataObject) -> None:
    coded = ClassLabels.of(labels)
    assert coded.text().tolist() == labels
    assert [coded[row] for row in range(len(coded))] == labels
    assert coded.counts() == {name: labels.count(name) for name in set(labels)}
    assert coded.among(["cat", "z", "unknown"]).tolist() == [one in {"cat", "z"} for one in labels]
    rows = data.draw(st.lists(st.sampled_from(range(len(labels))))) if labels else []
    some = coded.take(np.array(rows, dtype=np.int64))
    assert some.text().tolist() == [labels[row] for row in rows]


@given(st.lists(NAMES))
def test_runs_tell_the_labels(labels: list[str]) -> None:
    runs = ClassLabels.of(labels).runs()
    assert [name for name, count in runs for _ in range(count)] == labels
    assert all(first[0] != second[0] for first, second in pairwise(runs))
    assert ClassLabels.of_runs(runs).text().tolist() == labels


@pytest.mark.parametrize(("n_names", "n_bytes"), [(1, 1), (256, 1), (257, 2), (65_537, 4)])
def test_a_number_takes_as_few_bytes_as_there_are_names(n_names: int, n_bytes: int) -> None:
    names = [f"class {number}" for number in range(n_names)]
    coded = ClassLabels.of(names)
    assert coded.codes.itemsize == n_bytes
    assert coded.text().tolist() == names  # and none is cut


def test_numbers_may_stand_for_one_name() -> None:
    coded = ClassLabels.coded(["truck", "cat", "truck"], [2, 1, 0, 0])
    assert coded.names.tolist() == ["cat", "truck"]
    assert coded.text().tolist() == ["truck", "cat", "truck", "truck"]
