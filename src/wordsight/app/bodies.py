"""Bodies of requests: counted as they come, and cut off where they are too long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError

__all__ = ["JSON_BYTES", "json_body", "parse", "read_body"]

JSON_BYTES = 65_536
_SECONDS = 60.0
_DIGITS = 15  # more than any limit has
_Body = TypeVar("_Body", bound=BaseModel)


async def read_body(request: Request, limit: int) -> bytes:
    """Read the body of a request of at most `limit` bytes.

    A longer one is refused before it is read where it says how long it is, and after `limit` bytes
    where it does not; then the connection is closed on the rest.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and (len(said) > _DIGITS or int(said) > limit):
        raise _too_long(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for part in request.stream():
                if len(body) + len(part) > limit:
                    raise _too_long(limit)
                body += part
    except TimeoutError as error:
        raise HTTPException(
            408, f"the upload took more than {_SECONDS:.0f} seconds", {"Connection": "close"}
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
