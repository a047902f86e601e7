"""Connections of the explorer's server: how many, how slow they may be, and how they part.

uvicorn waits for as long as a client likes: for the head of a request, and for an answer to be
taken. Here each of these has an end, so that clients who dawdle, by accident or on purpose, take
nothing from the others.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from wordsight.app.guard import SECURITY_HEADERS

if sys.platform != "win32":
    import resource

__all__ = ["Connection", "room_for_connections"]

_UNLIMITED = 10_000
_OTHER_FILES = 200
"""For what the explorer itself opens, and for connections that are taken up at this moment."""

_WAITED = 1.0
"""Seconds after which a connection without a request may have to make room for another."""


def room_for_connections() -> int:
    """Return how many the system has room for, of the files that a process may open."""
    if sys.platform == "win32":
        return _UNLIMITED
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed == resource.RLIM_INFINITY:
        return _UNLIMITED
    return max(1, allowed - _OTHER_FILES)


class Connection(H11Protocol):
    """One connection, with limits to what uvicorn would wait for.

    Attributes
    ----------
    most : int
        Connections at once, or fewer where the system has not the room. Where there are as many,
        the one that has waited longest without a request makes room; where all are at work, the
        new one is told to come again.
    head_seconds : float
        For the head of the first request, and for that of the next one after each answer.
    taking_seconds : float
        For a client to take what lies ready for it, about 64 kB at a time.
    parting_seconds, parting_bytes : float, int
        For a client that is refused to end what it is sending, which is not looked at: a connection
        that is closed on bytes of the client's takes the answer with it.
    """

    most = 1000
    head_seconds = 15.0
    taking_seconds = 20.0
    parting_seconds = 2.0
    parting_bytes = 16_000_000

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up a new connection."""
        self._socket = cast(asyncio.Transport, transport)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._left: int | None = None  # bytes that are still received, once it parts
        super().connection_made(cast(asyncio.Transport, _Parting(self._socket, self)))
        self._since = self.loop.time()
        room = room_for_connections()
        if len(self.connections) > room:  # not even for a refusal
            self._socket.abort()
        elif len(self.connections) > min(self.most, room * 3 // 4) and not self._make_room():
            self._refuse(503, "too many connections at once; try again in a second")
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that is closed."""
        super().connection_lost(exc)
        for name in list(self._timers):
            self._stop(name)

    def data_received(self, data: bytes) -> None:
        """Handle what a client sent; once the connection parts, nothing of it is looked at."""
        if self._left is None:
            super().data_received(data)
            self._await_head()
            return
        self._left -= len(data)
        if self._left < 0:
            self._socket.abort()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        self._since = self.loop.time()
        super().on_response_complete()
        self._await_head()

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent, and not for ever."""
        super().pause_writing()
        self._start("taking", self.taking_seconds, self._socket.abort)

    def resume_writing(self) -> None:
        """Go on sending."""
        super().resume_writing()
        self._stop("taking")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(400, "this is no HTTP/1.1 request; open the explorer's address in a browser")

    def close(self) -> None:
        """Part from the client; what it still sends is received for a while."""
        self._part(is_sending=self.conn.their_state in (h11.SEND_BODY, h11.ERROR))

    @property
    def is_parting(self) -> bool:
        """Whether the connection is closed, or about to be."""
        return self._left is not None or self._socket.is_closing()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        """See to it that a request begins in time, counted from the end of the last one."""
        if not self.is_idle or self.is_parting:
            self._stop("head")
        elif "head" not in self._timers:
            self._start("head", self.head_seconds, self.timeout_keep_alive_handler)

    def _make_room(self) -> bool:
        """Close the connection that has waited longest for nothing; say whether there was one."""
        others = [each for each in self.connections if isinstance(each, Connection)]
        waiting = [
            each
            for each in others
            if each.is_idle and each is not self and self._since - each._since > _WAITED
        ]
        if waiting:
            min(waiting, key=lambda each: each._since)._socket.abort()
        return bool(waiting)

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer by hand what the application never gets to see."""
        body = json.dumps({"error": sentence}).encode()
        headers = {**SECURITY_HEADERS, "Content-Type": "application/json", "Connection": "close"}
        headers |= {"Content-Length": str(len(body)), "Cache-Control": "no-store"}
        if status == 503:
            headers["Retry-After"] = "1"
        try:
            answer = h11.Response(status_code=status, headers=list(headers.items()))
            self.transport.write(self.conn.send(answer) or b"")
            self.transport.write(self.conn.send(h11.Data(data=body)) or b"")
        except h11.LocalProtocolError:  # in the middle of another answer
            self._socket.abort()
        else:
            self._part(is_sending=True)

    def _part(self, *, is_sending: bool) -> None:
        """Close the connection as soon as the client has its answer."""
        if self.is_parting:
            return
        self._left = self.parting_bytes
        if is_sending:  # until it ends, too
            self._start("parting", self.parting_seconds, self._socket.abort)
            self._socket.write_eof()
            self._socket.resume_reading()
        else:
            self._start("parting", self.taking_seconds, self._socket.abort)
            self._socket.close()

    def _start(self, name: str, seconds: float, end: Callable[[], object]) -> None:
        self._stop(name)
        self._timers[name] = self.loop.call_later(seconds, end)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


class _Parting:
    """The transport of a connection, which is closed in the connection's way."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection

    def close(self) -> None:
        self._connection.close()

    def is_closing(self) -> bool:
        return self._connection.is_parting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
