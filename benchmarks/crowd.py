"""An explorer in a process of its own, and many clients of it at once.

The client is written for little more than what the explorer sends, so that on the same cores it
takes little from the server: about 30 µs of the processor for a request.
"""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.apart import ROOT, wordsight
from benchmarks.benchmark import Failed
from benchmarks.memory import megabytes

__all__ = ["Crowd", "Explorer", "Heard", "Request", "running_explorer"]

_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    """What is asked: a path alone is got, a body is posted."""

    path: str
    body: bytes | None = None
    kind: str = "application/json"

    @classmethod
    def of_json(cls, path: str, **values: Any) -> "Request":
        """Return a request with a JSON body."""
        return cls(path, json.dumps(values).encode())

    def encoded(self, host: str) -> bytes:
        """Return the request as it goes over the wire."""
        head = f"{'GET' if self.body is None else 'POST'} {self.path} HTTP/1.1\r\nHost: {host}\r\n"
        if self.body is not None:
            head += f"Content-Type: {self.kind}\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}\r\n".encode() + (self.body or b"")


@dataclass(frozen=True)
class Heard:
    """What was answered; the status is 0 where the connection ended without an answer.

    Attributes
    ----------
    request : Request
    status : int
    headers : dict of str to str
        By names in lower case.
    body : bytes
    seconds : float
        From sending to the last byte of the last answer.
    n_refused : int
        How often it had to come again before that.
    """

    request: Request
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    n_refused: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether it may be asked again."""
        return self.status in (429, 503) and "retry-after" in self.headers


@dataclass(frozen=True)
class Explorer:
    """A running explorer."""

    port: int
    process: subprocess.Popen[str]

    def memory(self, name: str = "VmHWM") -> float:
        """Return its memory in 10⁶ bytes, the peak by default."""
        found = megabytes(name, self.process.pid)
        if found is None:
            raise Failed("the system does not tell how much memory a process holds")
        return found


@contextmanager
def running_explorer(model: Path, data: Path, cache: Path) -> Iterator[Explorer]:
    """Start an explorer, and end it as Ctrl-C would.

    Raises
    ------
    Failed
        It did not start.
    """
    command = wordsight(
        "explore", model, data, "--port", "0", "--no-browser", "--json", "--layout", "pca",
        "--cache", cache, "--quiet",
    )  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            if not line:
                raise Failed(f"the explorer did not start: {process.stderr.read().strip()}")
            port = urlsplit(json.loads(line)["address"]).port
            assert port is not None
            yield Explorer(port, process)
        finally:
            process.send_signal(signal.SIGINT)


class Crowd:
    """Clients of an explorer, each with a connection of its own, which it keeps.

    Parameters
    ----------
    port : int
        Of this machine.
    size : int
        How many ask at once.
    patient : bool
        Whether they come again when they are told to, after as long as they are told.
    """

    def __init__(self, port: int, size: int, *, patient: bool = False) -> None:
        self._port = port
        self._size = size
        self._patient = patient

    def ask(self, requests: Sequence[Request]) -> list[Heard]:
        """Ask all of it, as many at once as there are clients; answers are in the same order."""
        return asyncio.run(self._ask(requests))

    async def _ask(self, requests: Sequence[Request]) -> list[Heard]:
        left = iter(enumerate(requests))
        heard: list[Heard | None] = [None] * len(requests)
        clients = [_Client(self._port) for _ in range(min(self._size, len(requests)))]
        await asyncio.gather(*[client.connect() for client in clients])

        async def work(client: _Client) -> None:
            for place, request in left:
                heard[place] = await self._persist(client, request)

        await asyncio.gather(*map(work, clients))
        for client in clients:
            client.close()
        return [each for each in heard if each is not None]

    async def _persist(self, client: "_Client", request: Request) -> Heard:
        start, n_refused = time.perf_counter(), 0
        heard = await client.ask(request)
        while self._patient and heard.is_refused:
            n_refused += 1
            await asyncio.sleep(float(heard.headers["retry-after"]))
            heard = await client.ask(request)
        return replace(heard, seconds=time.perf_counter() - start, n_refused=n_refused)


class _Client:
    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    async def ask(self, request: Request) -> Heard:
        try:
            async with asyncio.timeout(_SECONDS):
                if self._writer is None:
                    await self.connect()
                status, headers, body = await self._exchange(request)
        except (OSError, EOFError, TimeoutError):
            self.close()
            return Heard(request, 0)
        if headers.get("connection") == "close":
            self.close()
        return Heard(request, status, headers, body)

    async def _exchange(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        assert self._writer is not None
        self._writer.write(request.encoded(f"127.0.0.1:{self._port}"))
        await self._writer.drain()
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _colon, value in fields}
        body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers, body
