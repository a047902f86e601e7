"""Work on stored images in a few threads: results in order, few images ahead of the reader."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

from wordsight.data.source import Item
from wordsight.exceptions import BrokenImageError
from wordsight.threads import n_threads

__all__ = ["map_images"]

_T = TypeVar("_T")
# small images are handed to a thread together: a task costs about a decode, and the threads that
# hand over and take wait for one another
_GROUP_IMAGES = 64
_GROUP_BYTES = 1 << 20
_MAX_THREADS = 8
_SMALL_BYTES = 4 << 10  # below, most of the work on an image needs the interpreter

_Group = list[tuple[int, Item, str]]


def map_images(
    function: Callable[[Item, str], _T],
    items: Iterable[tuple[Item, str]],
    n_threads: int | None = None,
) -> Generator[tuple[int, _T | BrokenImageError]]:
    """Apply `function` to every image; Pillow frees the interpreter while it decodes.

    Parameters
    ----------
    function : callable (item, name)
        What to do with an image as stored. It may raise `BrokenImageError`.
    items : iterable of (Item, str)
        The images and their names. It is read in the caller's thread, no further ahead than the
        threads need.
    n_threads : int, optional
        By default as many as there are processors, up to 8, and one where the first images are
        small: threads would then wait for the interpreter, at twice the cost for no gain.

    Yields
    ------
    (int, result or BrokenImageError)
        The position of the image and what became of it, in the order of `items`.
    """
    groups = _groups(items)
    first = next(groups, [])
    n_workers = n_threads or _suitable_threads(first)
    pending: deque[Future[list[tuple[int, _T | BrokenImageError]]]] = deque()
    with ThreadPoolExecutor(n_workers, thread_name_prefix="wordsight-decode") as pool:
        try:
            for group in chain([first], groups):
                pending.append(pool.submit(_apply, function, group))
                if len(pending) > 2 * n_workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:  # the reader may stop early
            for future in pending:
                future.cancel()


def _suitable_threads(group: _Group) -> int:
    """Choose the number of threads by the first images."""
    if sum(_size_of(item) for _, item, _ in group) < _SMALL_BYTES * len(group):
        return 1
    return min(_MAX_THREADS, n_threads())


def _groups(items: Iterable[tuple[Item, str]]) -> Iterator[_Group]:
    """Cut the images into pieces of work."""
    group: _Group = []
    n_bytes = 0
    for position, (item, name) in enumerate(items):
        group.append((position, item, name))
        n_bytes += _size_of(item)
        if len(group) == _GROUP_IMAGES or n_bytes >= _GROUP_BYTES:
            yield group
            group, n_bytes = [], 0
    if group:
        yield group


def _size_of(item: Item) -> int:
    if isinstance(item, BrokenImageError):
        return 0
    return len(item) if isinstance(item, bytes) else item.nbytes


def _apply(
    function: Callable[[Item, str], _T], group: _Group
) -> list[tuple[int, _T | BrokenImageError]]:
    """Run in a thread: a broken image becomes a result, so that the reader meets it in order."""
    results: list[tuple[int, _T | BrokenImageError]] = []
    for position, item, name in group:
        try:
            results.append((position, function(item, name)))
        except BrokenImageError as error:
            results.append((position, error))
    return results
