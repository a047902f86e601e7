"""How many threads this process may use.

By default one for each of its cores. A process that shares a machine with others like it, such as
a worker of a cluster, says how many are its own.
"""

import os

__all__ = ["n_threads", "use_threads"]

_own: int | None = None


def n_threads() -> int:
    """Count the threads that keep this process's share of the cores busy."""
    if _own is not None:
        return _own
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(count: int | None) -> None:
    """Set how many threads this process uses from now on; None is one for each of its cores.

    Nothing that is computed depends on it.
    """
    global _own  # noqa: PLW0603 - it is a property of the process
    _own = count
