"""How contenders are compared: in turn, in one process, on the same cores.

Each round runs every contender once, so that whatever else the machine does falls on all of them
alike, and ratios are taken within a round. The first round warms up and does not count.
"""

import ctypes
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

__all__ = ["Contender", "Measured", "compare", "describe_machine", "same_threads"]


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Attributes
    ----------
    name : str
    run : callable
        Does the work and returns what came out, or None.
    units : int
        How many units of work (images, say) one run does: times are compared for one unit.
    """

    name: str
    run: Callable[[], NDArray[Any] | None]
    units: int


@dataclass
class Measured:
    """What a contender took.

    Attributes
    ----------
    name : str
    seconds : list of float
        For one unit of work, round by round.
    ratios : list of float
        Its time over that of the first contender, round by round.
    peak_megabytes : float or None
        The most that one run added to the memory of the process; None where the system does not
        tell.
    output : ndarray or None
        Of the last run.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    peak_megabytes: float | None = None
    output: NDArray[Any] | None = None

    def row(self) -> str:
        """Return one line for people: time, ratio and its spread, memory."""
        ratio = f"{statistics.median(self.ratios):8.3g} × ({_spread(self.ratios)})"
        memory = "" if self.peak_megabytes is None else f"  {self.peak_megabytes:7.1f} MB"
        milliseconds = 1e3 * statistics.median(self.seconds)
        return f"{self.name:44} {milliseconds:9.3f} ms  {ratio:26}{memory}"

    def record(self) -> dict[str, Any]:
        """Return everything but the output, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name != "output"}


def compare(contenders: Sequence[Contender], n_rounds: int) -> list[Measured]:
    """Run contenders in turn, the first being what the others are compared with.

    Parameters
    ----------
    contenders : sequence of Contender
    n_rounds : int
        Rounds that count; one more comes before them.

    Returns
    -------
    list of Measured
        In the order of the contenders.
    """
    results = [Measured(each.name) for each in contenders]
    for number in range(n_rounds + 1):
        for contender, result in zip(contenders, results, strict=True):
            held = _reset_peak()
            start = time.perf_counter()
            result.output = contender.run()
            seconds = (time.perf_counter() - start) / contender.units
            if number == 0:  # when buffers that are kept are still to be made
                result.peak_megabytes = None if held is None else _memory("VmHWM") - held
                continue
            result.seconds.append(seconds)
            result.ratios.append(seconds / results[0].seconds[-1])
    return results


@contextmanager
def same_threads(n_threads: int) -> Iterator[None]:
    """Confine the process to some cores, and every library in it to as many threads."""
    cores = sorted(os.sched_getaffinity(0))
    before = torch.get_num_threads()
    os.sched_setaffinity(0, cores[:n_threads])
    torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(before)


def describe_machine() -> dict[str, Any]:
    """Return what a number depends on beside the code."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}"


def _memory(name: str) -> float:
    """Return a line of the process's memory in megabytes: VmRSS, or VmHWM, its peak."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _reset_peak() -> float | None:
    """Start measuring the peak anew; return the memory in use, or None where that is unknown."""
    with suppress(AttributeError):  # what was freed before would be taken again, and go unseen
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return _memory("VmRSS")
