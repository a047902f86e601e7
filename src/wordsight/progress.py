"""How far long work has come, told to whoever listens.

Library code calls `report`; an application that wants to show it enters `listening`. Nobody
listens by default, and then a report costs nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Listener", "listening", "report"]

Listener = Callable[[str, int, int], None]
"""Called with the name of the stage, the steps done and the steps in all."""

_listener: ContextVar[Listener | None] = ContextVar("wordsight_progress", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the reports of the work done inside the block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(stage: str, done: int, total: int) -> None:
    """Say that `done` of `total` steps of a stage are finished."""
    listener = _listener.get()
    if listener is not None:
        listener(stage, done, total)
