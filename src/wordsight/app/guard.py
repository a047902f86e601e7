"""The outermost layer of the server: who may ask, how much at once, and what every reply bears."""

import json
import logging
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wordsight.app.access import Access

__all__ = ["CONTENT_POLICY", "SECURITY_HEADERS", "Guard"]

CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: the page may load what this server sends, and nothing else."""

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What every answer bears."""

_PART = 65_536
"""Bytes of an answer that are handed over at once."""

_log = logging.getLogger("wordsight.app")


class _RefusedError(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Guard:
    """Let requests through that may pass, and put the security headers on every reply.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    access : Access
        What a request has to bring.
    most_requests : int
        How many are worked on at once; more are told to come again. Nobody's turn is taken by
        waiting for a body to come, or for an answer to be taken.
    """

    def __init__(self, app: ASGIApp, access: Access, most_requests: int = 256) -> None:
        self._app = app
        self._access = access
        self._most = most_requests
        self.n_running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, as ASGI asks."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no view speaks over a web socket
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _Answer(scope, send)
        try:
            self._check(scope)
        except _RefusedError as refused:
            await _reply(answer, refused.status, str(refused))
            return
        if self._has_token_in_query(scope):
            await self._keep_token(answer)
        elif self.n_running >= self._most:
            sentence = "too many requests at once; try again in a second"
            await _reply(answer, 503, sentence, wait=True)
        else:
            await self._let_through(scope, receive, answer)

    async def _let_through(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """Have a request answered; a fault is told in the terminal, not to the client."""
        turn = _Turn(self, receive, answer)
        try:
            await self._app(scope, turn.receive, turn.send)
        except ClientDisconnect:  # with half of its body sent
            pass
        except Exception:
            # what a client sends must not steer the terminal
            path = scope["path"].encode("unicode_escape").decode("ascii")
            _log.exception("a request failed: %s %s", scope["method"], path)
            if not answer.started:
                sentence = "the explorer met a fault of its own; see the terminal"
                await _reply(answer, 500, sentence)
        finally:
            turn.end()

    def _check(self, scope: Scope) -> None:
        """Refuse what comes from elsewhere."""
        if not scope["path"].startswith("/"):  # a whole URL, which names a host of its own, or *
            raise _RefusedError(400, "a path that begins with / is expected, and no whole address")
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._access.allows_host(hosts[0]):
            raise _RefusedError(
                403, "this address is not the explorer's; open the one it printed in the terminal"
            )
        origins = headers.getlist("origin")
        if any(origin.lower() != f"http://{hosts[0].strip().lower()}" for origin in origins):
            raise _RefusedError(403, "only the explorer's own page may ask; this is another origin")
        # an image or a script that another page embeds brings no Origin
        site = headers.get("sec-fetch-site", "same-origin")
        if scope["path"] != "/" and site not in ("same-origin", "none"):
            raise _RefusedError(403, "only the explorer's own page may ask; this is another site")
        if self._has_token_in_query(scope):
            return
        if not self._access.allows_token(_cookie(headers, self._access.cookie)):
            raise _RefusedError(
                401, "a token is needed; open the address that the explorer printed in the terminal"
            )

    def _has_token_in_query(self, scope: Scope) -> bool:
        """Say whether this is the first visit, with the right token in the address."""
        if self._access.token is None or scope["path"] != "/":
            return False
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        return "token" in query and self._access.allows_token(query["token"])

    async def _keep_token(self, send: Send) -> None:
        """Move the token from the address, which histories keep, into a cookie."""
        cookie = f"{self._access.cookie}={self._access.token}; HttpOnly; SameSite=Strict; Path=/"
        headers = {"Location": "/", "Set-Cookie": cookie, "Content-Length": "0"}
        headers["Cache-Control"] = "no-store"  # nobody else is to be given this cookie
        await send(_start(303, headers))
        await send({"type": "http.response.body", "body": b""})


class _Turn:
    """One of the requests that are worked on: for as long as it is work, and not waiting."""

    def __init__(self, guard: Guard, receive: Receive, answer: "_Answer") -> None:
        self._guard = guard
        self._receive = receive
        self._answer = answer
        self._is_working = False
        self._count(True)

    async def receive(self) -> Message:
        """Wait for what the client sends."""
        self._count(False)
        try:
            return await self._receive()
        finally:
            self._count(not self._answer.started)

    async def send(self, message: Message) -> None:
        """Wait for the client to take the answer, which is made by now."""
        self._count(False)
        await self._answer(message)

    def end(self) -> None:
        """Count no more."""
        self._count(False)

    def _count(self, is_working: bool) -> None:
        self._guard.n_running += is_working - self._is_working
        self._is_working = is_working


class _Answer:
    """Sends an answer with the headers that every answer bears."""

    def __init__(self, scope: Scope, send: Send) -> None:
        # a newer version's page, and another session's answers, are to be seen at once
        self._stale = "no-store" if scope["path"].startswith("/api/") else "no-cache"
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers.update(SECURITY_HEADERS)
            headers.setdefault("Cache-Control", self._stale)
        left = memoryview(message.get("body", b""))
        while len(left) > _PART:  # the rest is there but once, however many take it slowly
            part = {**message, "body": bytes(left[:_PART]), "more_body": True}
            await self._send(part)
            left = left[_PART:]
        if "body" in message:
            message = {**message, "body": bytes(left)}
        await self._send(message)


def _start(status: int, headers: dict[str, str]) -> Message:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}


async def _reply(send: Send, status: int, sentence: str, *, wait: bool = False) -> None:
    body = json.dumps({"error": sentence}).encode()
    # nothing of a body that may still come is read
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    headers["Connection"] = "close"
    if wait:
        headers["Retry-After"] = "1"
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": body})


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if found is None else found.value
