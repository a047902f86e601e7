"""How contenders are compared: in turn, on the same cores.

Each round runs every contender once, so that whatever else the machine does falls on all of them
alike, and ratios are taken within a round. Small work runs in this process (`compare`), where the
first round warms up and does not count; work whose peak memory matters runs in processes of its
own (`benchmarks.apart`), measured in the same rounds.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.memory import megabytes, reset_peak

__all__ = ["Contender", "Measured", "compare", "describe_machine", "in_rounds", "same_threads"]


@dataclass(frozen=True)
class Contender:
    """One way to do the work, in this process.

    Attributes
    ----------
    name : str
    run : callable
        Does the work and returns what came out.
    units : int
        How many units of work (images, say) one run does: times are compared for one unit.
    """

    name: str
    run: Callable[[], Any]
    units: int = 1


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
        The most memory, in 10⁶ bytes; None where the system does not tell.
    memory_of : {"run", "process"}
        Whether that is what one run added to the memory of this process, or all the memory of a
        process that does nothing else.
    facts : dict
        What the contender said of its run.
    output : object
        Of the last run; not kept in records.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    peak_megabytes: float | None = None
    memory_of: Literal["run", "process"] = "run"
    facts: dict[str, Any] = field(default_factory=dict)
    output: Any = None

    @property
    def median(self) -> float:
        """Seconds for a unit, the median over the rounds."""
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        """Times the first contender's time, the median over the rounds."""
        return statistics.median(self.ratios)

    def record(self) -> dict[str, Any]:
        """Return everything but the output, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name != "output"}


@dataclass(frozen=True)
class Run:
    """One run of one contender."""

    seconds: float
    peak_megabytes: float | None
    output: Any = None
    facts: dict[str, Any] = field(default_factory=dict)


def compare(
    contenders: Sequence[Contender], n_rounds: int, *, warm_up: bool = True
) -> list[Measured]:
    """Run contenders in turn in this process, the first being what the others are compared with.

    Parameters
    ----------
    contenders : sequence of Contender
    n_rounds : int
        Rounds that count.
    warm_up : bool
        Whether one more comes before them, when buffers that are kept are still to be made: the
        memory is measured in it.

    Returns
    -------
    list of Measured
        In the order of the contenders.
    """
    runs = [_timed(each.run) for each in contenders]
    units = [each.units for each in contenders]
    return in_rounds([each.name for each in contenders], runs, units, n_rounds, warm_up=warm_up)


def in_rounds(
    names: Sequence[str],
    runs: Sequence[Callable[[], Run]],
    units: Sequence[int],
    n_rounds: int,
    *,
    warm_up: bool,
) -> list[Measured]:
    """Take runs that measure themselves in turn, and put them side by side.

    Parameters
    ----------
    names : sequence of str
    runs : sequence of callable
        Each returns a `Run`.
    units : sequence of int
        Units of work of each.
    n_rounds : int
    warm_up : bool
        Whether a round that does not count, but for its memory, comes first.
    """
    results = [Measured(name) for name in names]
    for number in range(-int(warm_up), n_rounds):
        for result, run, size in zip(results, runs, units, strict=True):
            # two outputs of one contender at a time would be memory of none of them
            result.output = None
            one = run()
            result.output, result.facts = one.output, one.facts
            if one.peak_megabytes is not None:
                result.peak_megabytes = max(result.peak_megabytes or 0.0, one.peak_megabytes)
            if number >= 0:
                result.seconds.append(one.seconds / size)
                result.ratios.append(result.seconds[-1] / results[0].seconds[-1])
    return results


def _timed(work: Callable[[], Any]) -> Callable[[], Run]:
    def run() -> Run:
        held = reset_peak()
        start = time.perf_counter()
        output = work()
        seconds = time.perf_counter() - start
        peak = megabytes("VmHWM")
        added = None if held is None or peak is None else max(peak - held, 0.0)
        return Run(seconds, added, output)

    return run


@contextmanager
def same_threads(n_threads: int) -> Iterator[None]:
    """Confine the process to some cores, and every library in it to as many threads.

    Processes that are started meanwhile inherit both: the cores by themselves, the number by the
    environment.
    """
    cores = sorted(os.sched_getaffinity(0))
    before = torch.get_num_threads()
    kept = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.sched_setaffinity(0, cores[:n_threads])
    torch.set_num_threads(n_threads)
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(n_threads)))
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(before)
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def describe_machine() -> dict[str, Any]:
    """Return what a number depends on beside the code."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": _processor(),
        "memory_gb": round(_memory_gb(), 1),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
