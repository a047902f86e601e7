"""Commands in forked children of a process that has imported everything already, stopped midway.

A fresh interpreter takes seconds to import what a command needs; a fork takes milliseconds. The
parent has one thread, so that a fork is a whole copy of it.
"""

import errno
import gc
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

How = Literal["kill", "full", "read-only"]
"""What happens at a step: SIGKILL before it; it and all later ones that need room fail; or all."""

_NEEDING_ROOM = {"open", "os.mkdir", "os.symlink"}
_STEPS = _NEEDING_ROOM | {
    "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "ctypes.dlsym",
}  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Stop:
    """How a command is stopped: after some seconds, or at its k-th writing step, counted from 0."""

    how: How = "kill"
    step: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Ended:
    """What became of a command.

    A negative code is that of a signal; `steps` names what was written, in order.
    """

    code: int
    seconds: float
    said: str
    steps: tuple[str, ...]

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def errors(self) -> list[str]:
        return [line for line in self.said.splitlines() if line.startswith("wordsight: error: ")]


def import_what_is_used(warm_up: Callable[[], object], note: Path) -> None:
    """Let a child do some work, and import here what it has imported; no thread is started by that.

    Parameters
    ----------
    warm_up : callable
        The work.
    note : pathlib.Path
        A file for the names.
    """

    def tell() -> None:
        warm_up()
        note.write_text("\n".join(sys.modules), encoding="utf-8")

    in_child(tell)
    for name in note.read_text(encoding="utf-8").splitlines():
        with suppress(ImportError, AttributeError):  # some modules are no modules of their name
            importlib.import_module(name)
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    gc.freeze()  # so that what is shared with the children stays shared


def run(
    arguments: list[str],
    folder: Path,
    *,
    stop: Stop | None = None,
    patch: Callable[[], object] | None = None,
) -> Ended:
    """Run a command line in a child whose working folder is `folder`, and wait for its end.

    Parameters
    ----------
    arguments : list of str
        As for ``wordsight``.
    folder : pathlib.Path
        Steps are counted for what is written below it.
    stop : Stop, optional
        How the command is stopped.
    patch : callable, optional
        Called in the child before.
    """
    said, steps = folder.parent / f"{folder.name}.said", folder.parent / f"{folder.name}.steps"
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        _be_child(arguments, folder, said, steps, stop or Stop(), patch)
    if stop is not None and stop.seconds is not None:
        time.sleep(stop.seconds)
        os.kill(child, signal.SIGKILL)
    _pid, status = os.waitpid(child, 0)
    seconds = time.perf_counter() - start
    return Ended(
        os.waitstatus_to_exitcode(status),
        seconds,
        said.read_text(encoding="utf-8", errors="replace") if said.exists() else "",
        tuple(steps.read_text(encoding="utf-8").splitlines()) if steps.exists() else (),
    )


def _be_child(
    arguments: list[str],
    folder: Path,
    said: Path,
    steps: Path,
    stop: Stop,
    patch: Callable[[], object] | None,
) -> None:
    code = 99
    try:
        os.chdir(folder)
        output = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if patch is not None:
            patch()
        noted = os.open(steps, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        sys.addaudithook(_Watch(folder, noted, stop))
        from wordsight.cli import main  # noqa: PLC0415

        code = main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        os.write(2, f"\n{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def start(work: Callable[[], object]) -> int:
    """Begin some work in a child; return its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def in_child(work: Callable[[], object]) -> None:
    """Do some work in a child, so that no thread of it is left in this process."""
    assert os.waitpid(start(work), 0)[1] == 0


class _Watch:
    """An audit hook that counts writing steps below a folder, and stops the process at one."""

    def __init__(self, folder: Path, noted: int, stop: Stop) -> None:
        self._root = os.fspath(folder)
        self._noted = noted
        self._stop = stop
        self._n = 0
        self._lock = threading.Lock()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _STEPS:
            return
        place = self._place(event, arguments)
        if place is None:
            return
        with self._lock:
            number = self._n
            self._n += 1
        os.write(self._noted, f"{event} {place!r}\n".encode())
        first = self._stop.step
        if first is None or number < first:
            return
        if self._stop.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._stop.how == "read-only":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), place)
        elif event in _NEEDING_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)

    def _place(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        """Return what is written to, or None where it is not ours."""
        if event == "ctypes.dlsym":
            return "renameat2" if arguments[1] == "renameat2" else None
        if event == "open" and not (int(arguments[2] or 0) & _WRITING):
            return None
        given = arguments[1] if event == "os.symlink" else arguments[0]
        if not isinstance(given, str | bytes | os.PathLike):
            return None
        place = os.path.abspath(os.fsdecode(given))  # noqa: PTH100
        return place if place.startswith(self._root) else None
