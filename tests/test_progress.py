"""Reports reach the listener of the moment, and nobody else."""

import threading
from contextvars import copy_context

import pytest

from wordsight.progress import listening, report


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int, int]] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.heard.append((stage, done, total))


def test_without_a_listener_nothing_happens() -> None:
    report("reading", 1, 2)


def test_a_listener_hears_what_is_reported_inside_the_block_alone() -> None:
    ear = Ear()
    report("before", 0, 1)
    with listening(ear):
        report("reading", 1, 2)
        report("reading", 2, 2)
    report("after", 1, 1)
    assert ear.heard == [("reading", 1, 2), ("reading", 2, 2)]


def test_the_innermost_listener_hears_alone_and_the_outer_one_again() -> None:
    outer, inner = Ear(), Ear()
    with listening(outer):
        with listening(inner):
            report("a", 1, 1)
        report("b", 1, 1)
    assert inner.heard == [("a", 1, 1)]
    assert outer.heard == [("b", 1, 1)]


def test_an_error_ends_the_listening() -> None:
    ear = Ear()

    def failing() -> None:
        with listening(ear):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    report("after", 1, 1)
    assert ear.heard == []


def test_a_listener_may_stop_the_work() -> None:
    def stop(_stage: str, done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    def work() -> None:
        for done in range(10):
            report("working", done, 10)
        pytest.fail("it was not stopped")

    with listening(stop), pytest.raises(KeyboardInterrupt):
        work()


def test_another_thread_has_its_own_listener() -> None:
    # two requests to one server do not hear each other; a context hands the listener on
    ear = Ear()
    with listening(ear):
        context = copy_context()
        for run in (report, lambda *words: context.run(report, *words)):
            thread = threading.Thread(target=run, args=("elsewhere", 1, 1))
            thread.start()
            thread.join()
    assert ear.heard == [("elsewhere", 1, 1)]
