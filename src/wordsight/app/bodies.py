"""Bodies of requests: counted as they come, and cut off where they are too long."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError

__all__ = ["JSON_BYTES", "UploadRoom", "json_body", "parse", "read_body"]

JSON_BYTES = 131_072  # what every field at its longest takes, each character escaped
_SECONDS = 60.0
_STALLED_SECONDS = 10.0
_LEAST_SPEED = 50_000.0  # bytes a second, after the first _STALLED_SECONDS
_DIGITS = 15  # more than any limit has
_Body = TypeVar("_Body", bound=BaseModel)


class UploadRoom:
    """How many bytes of pictures may lie in memory at once, and how many do.

    Parameters
    ----------
    most_bytes : int
    """

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    @asynccontextmanager
    async def read(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """Read a body like `read_body`; it takes up room for as long as it is worked on."""
        taken = 0

        def take(n_bytes: int) -> None:
            nonlocal taken
            if n_bytes > self._left:
                raise HTTPException(
                    503, "too many pictures are sent at once; try again in a second",
                    {"Retry-After": "1", "Connection": "close"},
                )  # fmt: skip
            self._left -= n_bytes
            taken += n_bytes

        try:
            yield await read_body(request, limit, take)
        finally:
            self._left += taken


async def read_body(
    request: Request, limit: int, take: Callable[[int], None] = lambda n_bytes: None
) -> bytes:
    """Read the body of a request of at most `limit` bytes.

    A longer one is refused before it is read where it says how long it is, and after `limit` bytes
    where it does not; then the connection is closed on the rest. One that stalls, or dribbles, is
    given up. `take` is told of every part before it is kept.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and (len(said) > _DIGITS or int(said) > limit):
        raise _too_long(limit)
    body = bytearray()
    start = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(_STALLED_SECONDS) as waiting:
            async for part in request.stream():
                if len(body) + len(part) > limit:
                    raise _too_long(limit)
                take(len(part))
                body += part
                patience = _STALLED_SECONDS + len(body) / _LEAST_SPEED
                waiting.reschedule(start + min(patience, _SECONDS))
    except TimeoutError as error:
        raise HTTPException(
            408,
            f"the upload stalled; it has to bring {_LEAST_SPEED / 1000:.0f} kB in a second, and be "
            f"there after {_SECONDS:.0f}",
            {"Connection": "close"},
        ) from error
    return bytes(body)


def _too_long(limit: int) -> HTTPException:
    size = f"{limit / 1e6:g} MB" if limit >= 1_000_000 else f"{limit:,} bytes"
    return HTTPException(413, f"at most {size} are taken; send less", {"Connection": "close"})


def parse(body: bytes, kind: type[_Body]) -> _Body:
    """Read JSON of a known form."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{place}: {first['msg']}" if place else first["msg"]
        expected = ", ".join(kind.model_fields)
        raise HTTPException(
            400, f"the request is not understood ({reason}); expected JSON with {expected}"
        ) from error


def json_body(kind: type[_Body]) -> Callable[[Request], Awaitable[_Body]]:
    """Return a dependency that reads a JSON body of a known form.

    Only ``application/json`` is taken: a form of another page cannot send that unasked.
    """

    async def read(request: Request) -> _Body:
        sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent != "application/json":
            raise HTTPException(415, f"expected application/json, and {sent or 'nothing'} was sent")
        return parse(await read_body(request, JSON_BYTES), kind)

    return read
