"""Queues for work: few threads work, some requests may wait, the others are told to come again."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from fastapi import HTTPException

__all__ = ["WorkQueue"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class WorkQueue:
    """Runs what is slow or large, a few at a time, without keeping anybody else waiting.

    The model uses all cores for one image as it is; two at once would only take them from each
    other.

    Parameters
    ----------
    most : int, default 64
        How many may wait or run.
    n_threads : int, default 1
        How many run at once.
    """

    def __init__(self, most: int = 64, n_threads: int = 1) -> None:
        self._most = most
        self._n_waiting = 0
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="wordsight-work")

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a function on one of the threads, and return what it returns."""
        if self._n_waiting >= self._most:
            raise HTTPException(
                503, "the explorer is busy with other requests; try again in a second",
                {"Retry-After": "1"},
            )  # fmt: skip
        self._n_waiting += 1
        call: Any = partial(function, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._n_waiting -= 1

    def close(self) -> None:
        """Let the thread end; what still waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
