"""The explorer on a real port: what a client sees that speaks HTTP by hand."""

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from app.conftest import picture, running
from wordsight.app.server import create_app
from wordsight.app.serving import listen, serve
from wordsight.app.session import Session
from wordsight.exceptions import InputError

MEGABYTE = 1_000_000


@pytest.fixture
def port(session: Session) -> Iterator[int]:
    """The port of a running explorer."""
    with running(session) as access:
        yield access.port


def said(connection: socket.socket) -> tuple[int, Any]:
    """The status and the JSON of an answer, and that the connection is closed after it."""
    answer = b""
    try:
        while part := connection.recv(65_536):
            answer += part
    except ConnectionResetError:
        pass  # what was still being sent was not wanted
    head, _blank, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def head(port: int, *more: str, path: str = "/api/classify", host: str | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}", *more, "", ""]
    return "\r\n".join(lines).encode()


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as reply:
        return json.load(reply)


def test_a_gigabyte_is_refused_before_it_is_sent(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head(port, "Content-Type: image/png", "Content-Length: 1000000000"))
        status, told = said(connection)
    assert (status, told) == (413, {"error": "at most 25 MB are taken; send less"})
    assert get(port, "/api/health") == {"ok": True}


def test_an_endless_body_is_cut_off(port: int) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head(port, "Content-Type: image/png", "Transfer-Encoding: chunked"))
        part = b"%x\r\n" % MEGABYTE + b"x" * MEGABYTE + b"\r\n"
        try:
            while sent < 200 * MEGABYTE:
                connection.sendall(part)
                sent += MEGABYTE
        except OSError:
            pass
    assert sent < 60 * MEGABYTE  # the limit, and what lies in buffers on the way
    assert get(port, "/api/health") == {"ok": True}


def test_who_asks_first_need_not_send(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        asked = ("Content-Type: image/png", "Content-Length: 30000000", "Expect: 100-continue")
        connection.sendall(head(port, *asked))
        status, _told = said(connection)
    assert status == 413


@pytest.mark.parametrize(
    "request_line", [b"GET /api/session HTTP/1.0\r\n\r\n", b"GET http://evil/ HTTP/1.1\r\n\r\n"]
)
def test_without_a_host_nothing_is_told(port: int, request_line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request_line)
        answer = connection.recv(65_536)
    assert answer.split()[1] in {b"400", b"403"}


def test_no_path_leads_outside(port: int) -> None:
    for path in ("/static/../server.py", "/static/..%2f..%2fserver.py", "/../../etc/passwd"):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
            connection.sendall(asked.encode())
            status, told = said(connection)
        assert status == 404
        assert "error" in told


def test_many_pictures_at_once_are_all_answered(port: int) -> None:
    seen: list[str] = []

    def drop(name: str) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/classify", picture(name), {"Content-Type": "image/png"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            seen.append(f"{name} {json.load(reply)['classes'][0]['name']}")

    names = ["red", "green", "blue", "yellow"] * 3
    threads = [threading.Thread(target=drop, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(f"{name} {name}" for name in names)


# ports


def test_a_port_in_use_is_refused(port: int) -> None:
    with pytest.raises(InputError, match=f"port {port} is in use, perhaps by another explorer"):
        listen("127.0.0.1", port)


def test_a_port_is_taken_from_the_start() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(InputError, match="in use"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_a_port_is_free_again_at_once() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            other, _address = taken.accept()
            other.close()  # by this side, which then remembers it for a while
    with listen("127.0.0.1", port) as again:
        assert again.getsockname()[1] == port


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_that_is_not_here(host: str) -> None:
    with pytest.raises(InputError, match="--host"):
        listen(host, 0)


@pytest.mark.parametrize("browser", [True, False])
def test_a_browser_is_opened_once_if_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, session: Session, browser: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    ran: list[Any] = []

    class Server:
        def run(self, sockets: Any) -> None:
            time.sleep(0.05)
            ran.append(sockets)

    monkeypatch.setattr("wordsight.app.serving.server_of", lambda app: Server())
    with listen("127.0.0.1", 0) as taken:
        serve(create_app(session), taken, "http://127.0.0.1:8642/", browser=browser)
        assert ran == [[taken]]
    assert opened == (["http://127.0.0.1:8642/"] if browser else [])
