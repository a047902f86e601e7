"""Work in this process: what fails is tried again, what goes on failing is told."""

from pathlib import Path

import pytest

from distributed import pieces
from wordsight.distributed.cluster import RETRIES, Failed, Here, Outcome, _check_address
from wordsight.exceptions import InputError, WordsightError


def test_outcomes_come_with_their_reasons(tmp_path: Path) -> None:
    found = list(Here().run(pieces.bad_data, [(1,), (2,), (3,)]))
    reason = Failed("image 2 is bad; mend it", 1 + RETRIES)
    assert found == [Outcome(0, 1), Outcome(1, reason, 1 + RETRIES), Outcome(2, 3)]
    (again,) = Here().run(pieces.unread_at_first, [(7, str(tmp_path))])
    assert again == Outcome(0, 7, 2)


def test_sums(tmp_path: Path) -> None:
    done: list[int] = []
    calls = [(number, str(tmp_path)) for number in range(5)]
    assert Here().fold(pieces.unread_at_first, calls, max, on_done=done.append) == 4
    assert done == list(range(5))
    with pytest.raises(WordsightError, match="image 2 is bad"):
        Here().fold(pieces.bad_data, [(1,), (2,)], max)


def test_misuse_is_not_tried_again() -> None:
    with pytest.raises(InputError, match="no such class"):
        list(Here().run(pieces.misuse, [(), ()]))
    with pytest.raises(InputError, match="no such class"):
        Here().fold(pieces.misuse, [()], max)


def test_a_bug_is_a_bug() -> None:
    with pytest.raises(ZeroDivisionError):
        list(Here().run(pieces.bug, [(2,)]))


@pytest.mark.parametrize("address", ["nonsense", "10.0.0.1", ":6379", "host:port"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InputError, match="expected auto, or the address of a Ray cluster"):
        _check_address(address)


def test_where_nobody_listens() -> None:
    with pytest.raises(WordsightError, match=r"there is no Ray cluster at 127\.0\.0\.1:9 \("):
        _check_address("127.0.0.1:9")
