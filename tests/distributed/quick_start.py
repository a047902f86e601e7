"""Processes that begin with everything imported: they are forked from one that has done so.

A worker of Ray and a driver each take two seconds to import their libraries, but for Ray itself,
and the tests of this folder kill them by the dozen. Run as a program this is what Ray starts for a
worker: it asks for one to be forked, and stands for it until that has ended.
"""

import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path

ADDRESS = "WORDSIGHT_QUICK_START"
"""The environment variable with the socket of the process that is forked."""

_OWN = ("--language", "--serialized-runtime-env-context")
"""Options for what Ray would start in place of this."""


def ask(
    arguments: list[str], environment: dict[str, str], out: int = 1, err: int = 2
) -> tuple[int, socket.socket]:
    """Start a program that writes there; return its process, and what closes when it has ended."""
    asking = socket.socket(socket.AF_UNIX)
    asking.connect(environment[ADDRESS])
    pairs = [f"{name}={value}" for name, value in environment.items()]
    message = "\0".join([str(len(arguments)), *arguments, str(Path.cwd()), *pairs]).encode()
    head = len(message).to_bytes(8, "little")
    socket.send_fds(asking, [head], [out, err])
    asking.sendall(message)
    return int.from_bytes(asking.recv(8), "little"), asking


def serve(path: str) -> None:
    """Fork a process for each one that asks, until the input ends."""
    import distributed.pipeline  # noqa: F401, PLC0415 - what all of them need, but for Ray

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([listening, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        asking, _ = listening.accept()
        head, handles, _, _ = socket.recv_fds(asking, 8, 2)
        message = b""
        while len(message) < int.from_bytes(head, "little"):
            message += asking.recv(1 << 16)
        child = os.fork()
        if child:
            asking.sendall(child.to_bytes(8, "little"))
            asking.close()
            for handle in handles:
                os.close(handle)
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        listening.close()
        os.setsid()
        for number, handle in enumerate(handles, 1):
            os.dup2(handle, number)
            os.close(handle)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        count, *parts = message.decode().split("\0")
        sys.argv = parts[: int(count)]
        os.chdir(parts[int(count)])
        os.environ.clear()
        for pair in parts[int(count) + 1 :]:
            name, _, value = pair.partition("=")
            os.environ[name] = value
        runpy.run_path(sys.argv[0], run_name="__main__")
        return


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        wanted = [one for one in sys.argv[1:] if not one.startswith(_OWN)]
        _, closes = ask(wanted, dict(os.environ))
        closes.recv(1)
