"""Memory of a known size, by which the measure of memory is itself tested."""

from collections.abc import Callable
from typing import Any

import numpy as np

_MEGABYTE = 1_000_000


def prepare(passing: int, held: int, added: int) -> Callable[[], dict[str, Any]]:
    """Take and give back some megabytes, and keep others; the work takes still others."""
    if passing:
        np.ones(passing * _MEGABYTE, dtype=np.uint8)
    kept = np.ones(held * _MEGABYTE, dtype=np.uint8)

    def work() -> dict[str, Any]:
        return {"total": np.array(len(kept) + len(np.ones(added * _MEGABYTE, dtype=np.uint8)))}

    return work
