"""One piece of work in a process of its own: ``python -m benchmarks.child FOLDER``.

The order lies in the folder, as ``order.json``, and the report is put there: ``report.json``, and
``output.npz`` where arrays came out. Only the standard library is imported here, so that the peak
of the memory is that of the work.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.memory import megabytes, reset_peak


def run_side(side: str, arguments: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Prepare and do the work of a module of `benchmarks.sides`; only the work is timed.

    What is prepared stays in memory, and counts; what was needed only to prepare does not, where
    the system lets the peak be set back.
    """
    work = import_module(f"benchmarks.sides.{side}").prepare(**arguments)
    reset_peak()
    start = time.perf_counter()
    output = work()
    seconds = time.perf_counter() - start
    peak = megabytes("VmHWM")
    numpy = import_module("numpy")  # after the peak was read
    numpy.savez(folder / "output.npz", **output)
    return {"seconds": seconds, "peak_megabytes": peak}


def run_command(command: Sequence[str], folder: Path) -> dict[str, Any]:
    """Run a command; its peak is that of the largest process it started and waited for.

    The system counts a process's memory from before it becomes the command: hence from this small
    process, not from the one that compares.
    """
    with (folder / "errors.txt").open("wb") as errors:
        start = time.perf_counter()
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        ) as process:
            _pid, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "seconds": seconds,
        "peak_megabytes": usage.ru_maxrss * 1024 / 1e6,
        "exit_code": process.returncode,
    }


def main() -> None:
    """Read the order, do it, write the report."""
    folder = Path(sys.argv[1])
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    if "command" in order:
        report = run_command(order["command"], folder)
    else:
        report = run_side(order["side"], order["arguments"], folder)
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
