"""Work in order on many threads, buffers, devices."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from typing import Any, cast

import pytest
import torch

from wordsight.compute import in_order, n_threads, resolve_device, scratch
from wordsight.exceptions import InputError


def test_results_come_in_the_order_of_the_items() -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))  # later items are ready before earlier ones
        return item * item

    assert list(in_order(work, range(40), workers=4)) == [item**2 for item in range(40)]
    assert list(in_order(work, [], workers=2)) == []


def test_work_runs_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=20)  # passes only with three threads at it at once
    assert len(list(in_order(lambda _item: meeting.wait(), range(6), workers=3))) == 6


def test_only_a_few_items_are_read_ahead() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            read.append(item)
            yield item

    results = in_order(lambda item: item, items(), workers=3)
    for consumed, _ in enumerate(results, start=1):
        assert len(read) - consumed <= 2 * 3


def test_an_error_in_the_work_or_in_the_items_comes_out() -> None:
    def work(item: int) -> float:
        return 1 / (item - 5)

    results = in_order(work, range(50), workers=2)
    assert [next(results) for _ in range(5)] == [1 / (item - 5) for item in range(5)]
    with pytest.raises(ZeroDivisionError):
        next(results)

    def items() -> Iterator[int]:
        yield from range(7)
        raise InputError("item 7 is broken")

    with pytest.raises(InputError, match="item 7 is broken"):
        list(in_order(lambda item: item, items(), workers=2))


def test_a_consumer_may_stop_early() -> None:
    done: list[int] = []
    before = threading.active_count()
    results = in_order(done.append, range(1000), workers=2)
    next(results)
    cast(Generator[None, None, None], results).close()
    assert threading.active_count() == before
    assert len(done) <= 5


def test_workers_use_one_thread_each_and_the_caller_keeps_its_own() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        inside = in_order(lambda _item: torch.get_num_threads(), range(8), workers=2)
        assert next(inside) == 1
        assert torch.get_num_threads() == 3  # between two results too
        assert set(inside) == {1}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


_FIRST_USE = """
import sys, threading, torch
from wordsight.compute import in_order

def elsewhere():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return seen[0]

if "work" in sys.argv:
    list(in_order(lambda item: torch.ones(2).sum(), range(4), workers=2))
print(torch.get_num_threads(), elsewhere())
"""


def test_work_before_torch_was_used_leaves_its_threads_alone() -> None:
    # torch hands the number set last, by whatever thread, to every thread that is new to it
    def threads(*arguments: str) -> str:
        command = [sys.executable, "-c", _FIRST_USE, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert threads("work") == threads()


def test_as_many_workers_as_cores() -> None:
    assert n_threads() == len(os.sched_getaffinity(0))
    names = set(in_order(lambda _item: threading.current_thread().name, range(100)))
    assert 1 <= len(names) <= n_threads()


# buffers and devices


def test_a_buffer_is_kept_for_its_name_and_thread() -> None:
    like = torch.zeros(1)
    first = scratch("test", (3, 4), like)
    assert first.shape == (3, 4)
    assert scratch("test", (2, 5), like).data_ptr() == first.data_ptr()  # smaller: the same memory
    assert scratch("another", (3, 4), like).data_ptr() != first.data_ptr()
    assert scratch("test", (30, 40), like).shape == (30, 40)
    assert scratch("test", (3, 4), like.double()).dtype == torch.float64


def test_threads_do_not_share_buffers() -> None:
    meeting = threading.Barrier(2, timeout=20)

    def work(item: int) -> tuple[int, bool]:
        buffer = scratch("shared?", (1000,), torch.zeros(1)).fill_(float(item))
        meeting.wait()  # both have written
        return buffer.data_ptr(), bool((buffer == item).all())

    (one, intact), (other, intact_too) = in_order(work, [1, 2], workers=2)
    assert one != other
    assert intact
    assert intact_too


@pytest.mark.parametrize("name", [None, "cpu"])
def test_the_processor_is_the_default(name: str | None) -> None:
    assert resolve_device(name) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "mps", "meta", "cuda:x", 0, 1.5])
def test_what_is_not_a_device(name: Any) -> None:
    with pytest.raises(InputError, match=f"device={name!r} is not .*expected 'cpu' or 'cuda'"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:99"])
def test_a_gpu_that_is_not_there(name: str) -> None:
    if name == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(InputError, match=f"device='{name}' was asked for, .* use device='cpu'"):
        resolve_device(name)
