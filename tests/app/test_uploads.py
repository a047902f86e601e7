"""What a page may drop: bytes are counted as they come, and what is no picture is said so."""

import asyncio
import io
import json
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException, Request
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from app.conftest import ADDRESS, json_of, picture
from wordsight import CrossModalClassifier
from wordsight.app.bodies import JSON_BYTES, read_body
from wordsight.app.server import create_app
from wordsight.app.session import Limits, Session
from wordsight.app.work import WorkQueue
from wordsight.exploration.gallery import Gallery

LIMIT = 20_000
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def narrow(session: Session) -> Iterator[TestClient]:
    """An explorer that takes pictures of 20 kB."""
    app = create_app(replace(session, limits=Limits(upload_bytes=LIMIT)))
    with TestClient(app, base_url=ADDRESS) as client:
        yield client


def request_of(parts: list[bytes], **headers: str) -> tuple[Request, list[bytes]]:
    """A request whose body comes in parts, and the parts that have not been taken yet."""
    left = list(parts)

    async def receive() -> Any:
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive), left


def test_a_body_that_says_it_is_too_long_is_not_read() -> None:
    request, left = request_of([b"x"] * 3, content_length=str(LIMIT + 1))
    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_body(request, LIMIT))
    assert caught.value.status_code == 413
    assert len(left) == 3


@pytest.mark.parametrize("said", [None, "10"])
def test_a_body_that_does_not_is_cut_off(said: str | None) -> None:
    headers = {} if said is None else {"content_length": said}
    request, left = request_of([b"x" * 1000] * 1000, **headers)
    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_body(request, LIMIT))
    assert caught.value.status_code == 413
    assert len(left) == 1000 - LIMIT // 1000 - 1  # one part too many was looked at


def test_a_body_of_just_the_limit_passes() -> None:
    request, left = request_of([b"x" * 1000] * (LIMIT // 1000))
    assert asyncio.run(read_body(request, LIMIT)) == b"x" * LIMIT
    assert left == []


def test_a_length_of_many_digits_is_too_long() -> None:
    request, _left = request_of([b""], content_length="9" * 5000)
    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_body(request, LIMIT))
    assert caught.value.status_code == 413


def test_a_picture_that_is_too_long(narrow: TestClient) -> None:
    told = json_of(narrow.post("/api/classify", content=b"x" * (LIMIT + 1)), 413)
    assert told["error"] == "at most 20,000 bytes are taken; send less"
    reply = narrow.post("/api/classify", content=iter([b"x" * 1000] * 100))
    assert reply.headers["connection"] == "close"
    json_of(reply, 413)
    assert json_of(narrow.get("/api/session"))["limits"]["upload_bytes"] == LIMIT
    assert json_of(narrow.post("/api/classify", content=picture()))["is_novel"] is False


@pytest.mark.parametrize(
    "path", ["threshold", "teach", "teach/preview", "forget", "save", "ask", "classify"]
)
def test_json_that_is_too_long(client: TestClient, path: str) -> None:
    sent = b'{"name": "' + b"x" * JSON_BYTES + b'"}'
    json_of(client.post(f"/api/{path}", content=sent, headers=JSON), 413)


def test_json_that_is_nested_deeply(client: TestClient) -> None:
    json_of(client.post("/api/ask", content=b"[" * 120_000, headers=JSON), 400)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("classify", '{"i": ' + "9" * 100_000 + "}"),
        ("classify", '{"i": -' + "9" * 4300 + "}"),
        ("ask", '{"word": "red", "k": ' + "9" * 100_000 + "}"),
        ("threshold", '{"value": 1' + "0" * 100_000 + "}"),
        ("threshold", '{"value": 1e' + "9" * 1000 + "}"),
        ("ask", '{"word":' * 15_000),
        ("ask", '{"word": "' + r"\u0000" * 100 + '"}'),
        ("save", json.dumps({"name": "漢" * 100})),  # 300 bytes, and folders may have 255
        ("save", json.dumps({"name": "a\u202eb"})),
        ("forget", r'{"name": "\ud800"}'),
    ],
)
def test_json_that_is_meant_to_harm(client: TestClient, path: str, sent: str) -> None:
    reply = client.post(f"/api/{path}", content=sent, headers=JSON)
    assert reply.status_code in {400, 404}
    assert "error" in reply.json()


def test_the_longest_json_that_means_something_is_taken(client: TestClient) -> None:
    # every character of a description may take twelve bytes
    sent = json.dumps({"name": "\U0001f600" * 200, "description": "\U0001f600" * 10_000})
    told = json_of(client.post("/api/teach", content=sent, headers=JSON), 400)
    assert "--text-model" in told["error"]


def huge_png(side: int) -> bytes:
    """A PNG file of side × side black pixels, without ever holding them."""
    row = b"\0" * (1 + side // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def cut_off() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()[:-200]


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"", "image/png", "the file is empty"),
        (b"%PDF-1.7\n%more", "application/pdf", "not a sound JPEG, PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "not a sound JPEG, PNG"),
        (bytes(range(256)) * 40, "image/jpeg", "not a sound JPEG, PNG"),
        (cut_off(), "image/jpeg", "truncated"),
        (huge_png(14_144), "image/png", "100 megapixels"),
    ],
    ids=["empty", "PDF", "SVG", "noise", "cut off", "200 megapixels"],
)
def test_what_is_no_picture(client: TestClient, content: bytes, kind: str, said: str) -> None:
    reply = client.post("/api/classify", content=content, headers={"Content-Type": kind})
    told = json_of(reply, 400)
    assert said in told["error"]
    assert "on_broken" not in told["error"]  # advice for a program, not for a page
    assert json_of(client.get("/api/health")) == {"ok": True}


def test_a_picture_of_another_size_and_kind(client: TestClient) -> None:
    buffer = io.BytesIO()
    Image.new("L", (300, 200), 0).save(buffer, "BMP")
    told = json_of(client.post("/api/classify", content=buffer.getvalue()))
    assert (told["width"], told["height"]) == (300, 200)


ROUTES = {
    "threshold": ["value"],
    "classify": ["i"],
    "teach/preview": ["name"],
    "teach": ["name"],
    "forget": ["name"],
    "save": ["name"],
    "ask": ["word", "k"],
}
SCALARS: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats()
TEXTS: st.SearchStrategy[Any] = st.text() | st.just("\ud800")
VALUES = SCALARS | TEXTS | st.lists(SCALARS | TEXTS, max_size=2)


@pytest.fixture(scope="module")
def lasting(model: CrossModalClassifier, gallery: Gallery) -> Iterator[TestClient]:
    """An explorer for many requests; it has nowhere to save to."""
    session = Session(model, "colours", gallery=gallery, save_to=Path("/nowhere"))
    with TestClient(create_app(session), base_url=ADDRESS) as client:
        yield client


@pytest.mark.parametrize("route", ROUTES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_sent_is_answered(lasting: TestClient, route: str, data: st.DataObject) -> None:
    known = st.fixed_dictionaries(dict.fromkeys(ROUTES[route], VALUES))
    sent = data.draw(known | st.dictionaries(st.text(), VALUES, max_size=2) | VALUES)
    reply = lasting.post(f"/api/{route}", content=json.dumps(sent), headers=JSON)
    assert reply.status_code < 500
    assert isinstance(reply.json(), dict)
    assert ("error" in reply.json()) == (reply.status_code >= 400)
    if route == "threshold":  # which all views depend on
        for view in ("map", "gate", "images/0/about"):
            assert lasting.get(f"/api/{view}").status_code == 200


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200))
def test_whatever_is_dropped_is_answered(lasting: TestClient, content: bytes) -> None:
    assert "error" in json_of(lasting.post("/api/classify", content=content), 400)


# the queue


def test_a_full_queue_sends_away() -> None:
    async def scenario() -> list[Any]:
        queue = WorkQueue(most=2)
        running = asyncio.get_running_loop().create_future()
        try:
            waiting = [asyncio.create_task(queue.run(running.done)) for _ in range(2)]
            await asyncio.sleep(0)  # both are in
            with pytest.raises(HTTPException) as caught:
                await queue.run(running.done)
            assert caught.value.status_code == 503
            await asyncio.gather(*waiting)
            return [await queue.run(lambda: "room again")]
        finally:
            queue.close()

    assert asyncio.run(scenario()) == ["room again"]


def test_the_queue_works_on_one_thing_at_a_time() -> None:
    names, running, most = set(), 0, 0

    def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        names.add(threading.current_thread().name)
        time.sleep(0.005)
        running -= 1

    async def scenario() -> None:
        queue = WorkQueue()
        await asyncio.gather(*[queue.run(work) for _ in range(8)])
        queue.close()

    asyncio.run(scenario())
    assert most == len(names) == 1


def test_an_error_leaves_the_queue_usable() -> None:
    async def scenario() -> str:
        queue = WorkQueue(most=1)
        try:
            for _ in range(3):
                with pytest.raises(ZeroDivisionError):
                    await queue.run(lambda: 1 / 0)
            return await queue.run(lambda: "well")
        finally:
            queue.close()

    assert asyncio.run(scenario()) == "well"


def test_a_body_that_dribbles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wordsight.app.bodies._SECONDS", 0.05)

    async def receive() -> Any:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_body(request, LIMIT))
    assert caught.value.status_code == 408
