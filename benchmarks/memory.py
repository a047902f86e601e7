"""How much memory this process holds, or another one, as the system tells it.

Nothing but the standard library is imported, so that a process that measures itself is no larger
than its work makes it.
"""

import ctypes
from contextlib import suppress
from pathlib import Path

__all__ = ["megabytes", "reset_peak"]

_KIB = 1024 / 1e6


def megabytes(name: str, process: int | str = "self") -> float | None:
    """Return a line of a process's memory in 10⁶ bytes: VmRSS, or VmHWM, its peak.

    None where the system does not tell.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * _KIB
    return None


def reset_peak() -> float | None:
    """Start measuring the peak anew; return the memory in use, or None where that is unknown."""
    with suppress(AttributeError, OSError):
        # what was freed before would be taken again, and go unseen
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return megabytes("VmRSS")
