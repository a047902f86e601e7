"""Clients who dawdle, flood or speak no HTTP: they are sent away, and nobody else notices."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from app.conftest import picture, running
from wordsight import CrossModalClassifier
from wordsight.app.connections import Connection, room_for_connections
from wordsight.app.server import STATIC
from wordsight.app.session import Limits, Session
from wordsight.exploration.gallery import Gallery

PATIENCE = 0.6
"""Seconds of every limit here; on the explorer itself they are ten and more."""


take_up = Connection.connection_made


def narrow(connection: Connection, transport: Any) -> None:
    """Take up a connection that the system buffers little of."""
    taken = transport.get_extra_info("socket")
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    take_up(connection, transport)


@pytest.fixture(scope="module")
def port(model: CrossModalClassifier, gallery: Gallery) -> Iterator[int]:
    """The port of an explorer of little patience, for at most twenty connections."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("head_seconds", "taking_seconds", "parting_seconds"):
            patch.setattr(Connection, name, PATIENCE)
        patch.setattr(Connection, "most", 20)
        patch.setattr(Connection, "connection_made", narrow)
        patch.setattr("wordsight.app.connections._WAITED", 0.1)
        patch.setattr("wordsight.app.bodies._STALLED_SECONDS", PATIENCE)
        session = Session(
            model, "colours", gallery=gallery, save_to=Path("/nowhere"),
            limits=Limits(upload_bytes=1_000_000),
        )  # fmt: skip
        with running(session) as access:
            yield access.port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def head(port: int, *more: str, line: str = "GET /api/health HTTP/1.1") -> bytes:
    return "\r\n".join([line, f"Host: 127.0.0.1:{port}", *more, "", ""]).encode()


def upload(port: int, length: int, *more: str) -> bytes:
    said = ("Content-Type: image/png", f"Content-Length: {length}", *more)
    return head(port, *said, line="POST /api/classify HTTP/1.1")


def everything(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    answer = b""
    while part := connection.recv(1 << 20):
        answer += part
    return answer


def answers(said: bytes) -> list[tuple[int, Any]]:
    """The statuses and bodies of answers one after the other."""
    found = []
    while said:
        top, _blank, said = said.partition(b"\r\n\r\n")
        (length,) = re.findall(rb"(?i)content-length: *(\d+)", top)
        body, said = said[: int(length)], said[int(length) :]
        found.append((int(top.split()[1]), json.loads(body)))
    return found


def health(port: int) -> Any:
    """Whether somebody else is answered."""
    with connect(port) as other:
        other.sendall(head(port, "Connection: close"))
        return answers(everything(other))


WELL = [(200, {"ok": True})]


@pytest.mark.parametrize("sent", ["", "GET /api/health HT", "GET / HTTP/1.1\r\nHost: 127.0.0.1"])
def test_who_does_not_ask_is_sent_away(port: int, sent: str) -> None:
    with connect(port) as slow:
        slow.sendall(sent.encode())
        start = time.monotonic()
        assert everything(slow) == b""
        assert PATIENCE / 2 < time.monotonic() - start < 20 * PATIENCE


def test_a_head_that_dribbles_gains_no_time(port: int) -> None:
    with connect(port) as slow:
        start = time.monotonic()
        with pytest.raises(OSError):  # reset, or a broken pipe
            for letter in head(port).decode() * 100:
                slow.sendall(letter.encode())
                time.sleep(0.05)
        assert time.monotonic() - start < 20 * PATIENCE
    assert health(port) == WELL


def test_nor_does_the_head_of_the_next_request(port: int) -> None:
    with connect(port) as slow:
        slow.sendall(head(port))
        said = b""
        while not said.endswith(b"}"):
            said += slow.recv(65_536)
        assert answers(said) == WELL
        slow.sendall(b"G")
        start = time.monotonic()
        everything(slow)
        assert time.monotonic() - start < 20 * PATIENCE


def test_a_body_that_dribbles_is_told_so_and_others_do_not_wait(port: int) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(port)) for _ in range(12)]
        for each in slow:
            each.sendall(upload(port, 1000) + b"x")
        assert health(port) == WELL
        for each in slow:
            ((status, told),) = answers(everything(each))
            assert status == 408
            assert "stalled" in told["error"]


def test_who_never_reads_is_dropped_and_others_do_not_wait(port: int) -> None:
    asked = head(port, line="GET /static/explorer.css HTTP/1.1")
    n_asked = 400  # twice what the system sends ahead, which may be four megabytes
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.socket()) for _ in range(4)]
        for each in slow:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.settimeout(20)
            each.connect(("127.0.0.1", port))
            each.sendall(asked * n_asked)
        assert health(port) == WELL
        time.sleep(3 * PATIENCE)
        size = (STATIC / "explorer.css").stat().st_size
        for each in slow:  # what lay on the way, and no more
            assert len(everything(each)) < size * n_asked / 2
    assert health(port) == WELL


def test_the_idle_make_room(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connect(port))
        time.sleep(0.2)
        assert health(port) == WELL


def test_without_room_one_is_told_to_come_again(port: int) -> None:
    with ExitStack() as stack:
        busy = [stack.enter_context(connect(port)) for _ in range(20)]
        for each in busy:
            each.sendall(upload(port, 1000))
        time.sleep(0.1)
        with connect(port) as late:
            late.sendall(head(port))
            said = everything(late)
        assert b"retry-after: 1\r\n" in said.lower()
        assert b"content-security-policy" in said.lower()
        assert answers(said) == [
            (503, {"error": "too many connections at once; try again in a second"})
        ]
    assert health(port) == WELL


def test_who_is_refused_while_sending_hears_why(port: int) -> None:
    # closed at once, the connection would be reset, and the answer lost on its way
    with connect(port) as eager:
        eager.sendall(upload(port, 8_000_000) + bytes(8_000_000))
        ((status, _told),) = answers(everything(eager))
    assert status == 413


def test_pictures_in_memory_are_counted(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            slow = stack.enter_context(connect(port))
            slow.sendall(upload(port, 1_000_000) + bytes(999_000))
        time.sleep(0.1)
        with connect(port) as late:
            late.sendall(upload(port, 500_000) + bytes(500_000))
            said = everything(late)
        ((status, told),) = answers(said)
        assert (status, b"retry-after: 1\r\n" in said.lower()) == (503, True)
        assert "pictures" in told["error"]
    sent = picture()
    with connect(port) as other:  # the room is free again
        other.sendall(upload(port, len(sent), "Connection: close") + sent)
        assert answers(everything(other))[0][0] == 200


# what is no request, or one that means two things


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /api/health\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:@\r\nHost: 127.0.0.1:@\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:@\r\nHost: evil.example\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:@\r\n folded: x\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost : 127.0.0.1:@\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:@\r\nX: a\0b\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:@\r\nX: " + b"x" * 400_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 400_000 + b" HTTP/1.1\r\nHost: 127.0.0.1:@\r\n\r\n",
        b"POST /api/undo HTTP/1.1\r\nHost: 127.0.0.1:@\r\nContent-Length: 1\r\n"
        b"Content-Length: 2\r\n\r\nab",
        b"POST /api/undo HTTP/1.1\r\nHost: 127.0.0.1:@\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/classify HTTP/1.1\r\nHost: 127.0.0.1:@\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET http://evil.example/api/health HTTP/1.1\r\nHost: 127.0.0.1:@\r\n\r\n",
        b"GET http://127.0.0.1:@/api/health HTTP/1.1\r\nHost: 127.0.0.1:@\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:@\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: 127.0.0.1:@\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_in_a_sentence(port: int, sent: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(sent.replace(b"@", str(port).encode()))
        said = everything(connection)
    assert b"content-security-policy" in said.lower()
    ((status, told),) = answers(said)
    assert (status in {400, 403, 501}, list(told)) == (True, ["error"])
    assert health(port) == WELL


@pytest.mark.parametrize(
    "path", ["//evil.example/%2e%2e", "/\\evil.example", "/%2f%2fevil.example"]
)
def test_no_path_is_taken_for_a_host(port: int, path: str) -> None:
    with connect(port) as connection:
        connection.sendall(head(port, "Connection: close", line=f"GET {path} HTTP/1.1"))
        said = everything(connection)
    assert b"location" not in said.lower()
    assert answers(said) == [(404, {"error": f"there is nothing at {unquote(path)}"})]


@pytest.mark.parametrize(("allowed", "most"), [(1024, 824), (256, 56), (100, 1)])
def test_room_is_left_for_other_files(
    monkeypatch: pytest.MonkeyPatch, allowed: int, most: int
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (allowed, allowed))
    assert room_for_connections() == most


def test_a_chunk_that_is_broken_ends_the_request(port: int) -> None:
    with connect(port) as connection:
        chunked = ("Content-Type: image/png", "Transfer-Encoding: chunked")
        connection.sendall(head(port, *chunked, line="POST /api/classify HTTP/1.1") + b"zz\r\n")
        assert answers(everything(connection))[0][0] == 400
    assert health(port) == WELL


def test_requests_one_after_the_other_are_answered_in_order(port: int) -> None:
    asked = [head(port, line=f"GET /api/images/{i}/about HTTP/1.1") for i in range(25)]
    with connect(port) as connection:
        connection.sendall(b"".join(asked) + head(port, "Connection: close"))
        said = answers(everything(connection))
    assert [told["i"] for _status, told in said[:-1]] == list(range(25))
    assert said[-1:] == WELL


def test_a_request_hidden_in_a_body_is_not_heard(port: int) -> None:
    hidden = head(port, line="POST /api/undo HTTP/1.1")
    with connect(port) as connection:
        connection.sendall(
            head(port, f"Content-Length: {len(hidden)}", "Connection: close") + hidden
        )
        assert answers(everything(connection)) == WELL


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_nothing_is_upgraded(port: int, upgrade: str) -> None:
    asked = (f"Upgrade: {upgrade}", "Connection: Upgrade, close", "Sec-WebSocket-Version: 13")
    with connect(port) as connection:
        connection.sendall(head(port, *asked, "Connection: close"))
        assert answers(everything(connection)) == WELL
