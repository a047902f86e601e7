"""Kept work: used again only for the same setting, and made again when damaged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wordsight.experiments.store import Made, Store


class Work:
    """Counts how often it is done."""

    def __init__(self, value: Any = 1) -> None:
        self.times = 0
        self.value = value

    def __call__(self) -> Made:
        self.times += 1
        return Made({"a": np.arange(10.0), "names": np.array(["cat", "dog"])}, self.value)


def test_work_is_done_once_and_comes_back_the_same(tmp_path: Path) -> None:
    work = Work({"x": [1, 2]})
    first = Store(tmp_path).kept("thing", {"alpha": 1}, work)
    again = Store(tmp_path).kept("thing", {"alpha": 1}, work)
    assert work.times == 1
    assert again.value == first.value == {"x": [1, 2]}
    assert again.seconds == first.seconds > 0
    np.testing.assert_array_equal(again.arrays["a"], np.arange(10.0))
    assert again.arrays["names"].tolist() == ["cat", "dog"]


@pytest.mark.parametrize("parts", [{"alpha": 2}, {"alpha": 1, "seed": 0}, {}])
def test_another_setting_is_other_work(tmp_path: Path, parts: dict[str, Any]) -> None:
    work = Work()
    store = Store(tmp_path)
    store.kept("thing", {"alpha": 1}, work)
    store.kept("thing", parts, work)
    store.kept("other", {"alpha": 1}, work)
    assert work.times == 3


def _flip(place: Path) -> None:
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.write_bytes(bytes(content))


def _cut(place: Path) -> None:
    place.write_bytes(place.read_bytes()[:-5])


@pytest.mark.parametrize("harm", [_flip, _cut, Path.unlink])
@pytest.mark.parametrize("name", ["a.npy", "manifest.json"])
def test_damaged_work_is_noticed_and_made_again(tmp_path: Path, name: str, harm: Any) -> None:
    work = Work()
    store = Store(tmp_path)
    store.kept("thing", {}, work)
    harm(store.place("thing", {}) / name)
    with pytest.warns(UserWarning, match="damaged.*made again"):
        found = store.kept("thing", {}, work)
    assert work.times == 2
    np.testing.assert_array_equal(found.arrays["a"], np.arange(10.0))
    store.kept("thing", {}, work)  # and is whole again
    assert work.times == 2


def test_a_changed_number_in_the_manifest_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.kept("thing", {}, Work(0.5))
    place = store.place("thing", {}) / "manifest.json"
    place.write_text(place.read_text().replace('"value": 0.5', '"value": 0.9'))
    with pytest.warns(UserWarning, match="checksum"):
        assert store.kept("thing", {}, Work(0.5)).value == 0.5


def test_failed_work_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail() -> Made:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        store.kept("thing", {}, fail)
    assert list(tmp_path.iterdir()) == []


def test_seconds_leave_out_kept_work_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1.0, 2.0, 3.0, 10.0, 20.0, 100.0, 101.0, 102.0]).__next__
    monkeypatch.setattr("wordsight.experiments.store.perf_counter", clock)
    store = Store(tmp_path)

    def outer() -> Made:
        store.kept("inner", {}, Work())
        return Made()

    # outer begins at 0 (its work at 1); inner at 2 (its work from 3 to 10), over at 20; outer's
    # work ends at 100
    assert store.kept("outer", {}, outer).seconds == (100.0 - 1.0) - (20.0 - 2.0)
    assert store.kept("inner", {}, Work()).seconds == 10.0 - 3.0
