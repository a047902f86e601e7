"""Who may talk to the explorer: hosts, origins, tokens, and the headers of every reply."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.conftest import ADDRESS, json_of
from wordsight.app.access import Access, is_loopback
from wordsight.app.guard import CONTENT_POLICY, Guard
from wordsight.app.server import create_app
from wordsight.app.session import Session

REQUESTS = [
    ("GET", "/api/session"),
    ("GET", "/api/map"),
    ("GET", "/api/gate"),
    ("GET", "/api/images/0"),
    ("GET", "/api/images/0/about"),
    ("GET", "/api/prototype?word=red"),
    ("GET", "/api/health"),
    ("GET", "/"),
    ("GET", "/static/index.html"),
    ("GET", "/nothing"),
    ("HEAD", "/"),
    ("OPTIONS", "/api/teach"),
    ("POST", "/api/threshold"),
    ("POST", "/api/classify"),
    ("POST", "/api/teach/preview"),
    ("POST", "/api/teach"),
    ("POST", "/api/forget"),
    ("POST", "/api/undo"),
    ("POST", "/api/save"),
    ("POST", "/api/ask"),
    ("PUT", "/api/session"),
    ("DELETE", "/api/session"),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_another_host_is_refused(client: TestClient, method: str, path: str) -> None:
    reply = client.request(method, path, headers={"Host": "evil.example:8642"})
    assert reply.status_code == 403
    if method != "HEAD":
        assert "the one it printed in the terminal" in reply.json()["error"]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_another_origin_is_refused(client: TestClient, method: str, path: str) -> None:
    for origin in (
        "http://evil.example",
        "null",
        "http://127.0.0.1:9000",
        "https://127.0.0.1:8642",
    ):
        assert client.request(method, path, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize(("method", "path"), [one for one in REQUESTS if one[1] != "/"])
def test_what_another_site_embeds_is_refused(client: TestClient, method: str, path: str) -> None:
    # an image tag sends no Origin, but says where it comes from
    for site in ("cross-site", "same-site"):
        reply = client.request(method, path, headers={"Sec-Fetch-Site": site})
        assert reply.status_code == 403


def test_refused_changes_change_nothing(client: TestClient) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        client.post("/api/teach", json={"name": "cyan"}, headers=headers)
    assert json_of(client.get("/api/session"))["revision"] == 0


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8642", "localhost:8642", "LOCALHOST:8642", "[::1]:8642"]
)
def test_this_machine_is_let_in(client: TestClient, host: str) -> None:
    assert client.get("/api/health", headers={"Host": host}).status_code == 200
    own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/teach", json={"name": "cyan"}, headers=own).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",  # port 80
        "127.0.0.1:8643",
        "127.0.0.1:08642x",
        "127.0.0.1.evil.example:8642",
        "evil.example:8642",
        "localhost.evil.example:8642",
        "evil.example#@127.0.0.1:8642",
        "192.168.0.1:8642",
        "::1:8642",
        "[::2]:8642",
        "",
        ":8642",
    ],
)
def test_another_name_is_not(client: TestClient, host: str) -> None:
    assert client.get("/api/health", headers={"Host": host}).status_code == 403


def test_two_hosts_are_refused(client: TestClient) -> None:
    headers = [("Host", "127.0.0.1:8642"), ("Host", "evil.example:8642")]
    assert client.get("/api/health", headers=headers).status_code == 403


def test_forms_of_other_pages_are_not_understood(client: TestClient) -> None:
    # the three kinds that a form can send without asking
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"Content-Type": kind}
        for path in ("teach", "threshold", "forget", "save", "ask", "classify"):
            told = json_of(client.post(f"/api/{path}", content="{}", headers=headers), 415)
            assert kind in told["error"]


@pytest.mark.parametrize("path", ["/api/session", "/api/nothing", "/nothing", "/api/images/0"])
def test_every_reply_bears_the_headers(client: TestClient, path: str) -> None:
    for host in ("127.0.0.1:8642", "evil.example"):
        headers = client.get(path, headers={"Host": host}).headers
        assert headers["content-security-policy"] == CONTENT_POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert "no-" in headers["cache-control"]


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    policy = dict(part.strip().split(" ", 1) for part in CONTENT_POLICY.split(";"))
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == "'self'"
    assert (
        policy["form-action"]
        == policy["object-src"]
        == policy["base-uri"]
        == policy["frame-ancestors"]
        == "'none'"
    )


# a server that other machines can reach


@pytest.fixture
def access() -> Access:
    return Access("192.0.2.7", 8642, token="secret")


@pytest.fixture
def remote(session: Session, access: Access) -> Iterator[TestClient]:
    app = create_app(session, access=access)
    with TestClient(app, base_url="http://192.0.2.7:8642", follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_without_the_token_nothing_is_told(remote: TestClient, method: str, path: str) -> None:
    assert remote.request(method, path).status_code == 401
    remote.cookies.set("wordsight-8642", "guess")
    assert remote.request(method, path).status_code == 401


def test_the_token_becomes_a_cookie(remote: TestClient, access: Access) -> None:
    assert access.address == "http://192.0.2.7:8642/?token=secret"
    assert remote.get("/?token=wrong").status_code == 401
    assert remote.get("/api/session?token=secret").status_code == 401
    first = remote.get("/?token=secret")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert first.headers["cache-control"] == "no-store"  # no cache between keeps it for others
    assert json_of(remote.get("/api/session"))["revision"] == 0
    assert remote.post("/api/teach", json={"name": "cyan"}).status_code == 200


def test_the_right_token_does_not_excuse_a_wrong_host(remote: TestClient) -> None:
    remote.get("/?token=secret")
    assert remote.get("/api/session", headers={"Host": "evil.example:8642"}).status_code == 403
    assert remote.get("/?token=secret", headers={"Host": "evil.example:8642"}).status_code == 403


def test_tokens_are_compared_in_constant_time(
    remote: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []

    def compare(given: bytes, right: bytes) -> bool:
        compared.append(given)
        return given == right

    monkeypatch.setattr("hmac.compare_digest", compare)
    remote.get("/?token=guess")
    remote.get("/api/session", headers={"Cookie": "wordsight-8642=other"})
    assert compared == [b"guess", b"other"]


def test_the_token_is_in_no_log(
    remote: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    remote.get("/?token=secret")

    def broken(*arguments: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("wordsight.app.routes.session_view", broken)
    assert remote.get("/api/session?token=secret").status_code == 500
    said = [one.getMessage() for one in caplog.records if not one.name.startswith("httpx")]
    assert [one for one in said if "a request failed" in one]
    assert not [one for one in said if "secret" in one]


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("somewhere", False),
    ],
)  # fmt: skip
def test_a_token_is_asked_for_where_others_can_come(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own
    access = Access.to(host, 8642)
    assert (access.token is None) is is_own
    assert access.token not in repr(access) if access.token else True


def test_tokens_differ() -> None:
    tokens = {Access.to("0.0.0.0", 1).token for _ in range(5)}
    assert len(tokens) == 5
    assert all(token is not None and len(token) >= 32 for token in tokens)


def test_a_server_on_all_addresses_takes_addresses_and_no_foreign_names() -> None:
    access = Access("0.0.0.0", 8642, token="secret")
    for host in ("192.0.2.1:8642", "[2001:db8::1]:8642", "localhost:8642"):
        assert access.allows_host(host)
    for host in ("evil.example:8642", "192.0.2.1:80", "192.0.2.1"):
        assert not access.allows_host(host)


def test_the_port_of_the_web_needs_no_mention() -> None:
    access = Access("127.0.0.1", 80)
    assert access.address == "http://127.0.0.1/"
    assert access.allows_host("127.0.0.1")
    assert access.allows_host("127.0.0.1:80")
    assert Access("::1", 8642).address == "http://[::1]:8642/"


# faults and floods


def test_a_fault_is_a_sentence_and_the_server_stays_up(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: Any) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("wordsight.app.routes.session_view", broken)
    told = json_of(client.get("/api/session"), 500)
    assert "fault" in told["error"]
    assert "secret" not in told["error"]
    assert "a secret of the inside" in caplog.text  # in the terminal
    monkeypatch.undo()
    assert json_of(client.get("/api/session"))["revision"] == 0


def test_what_a_client_sends_does_not_steer_the_terminal(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    async def nothing(*messages: Message) -> Any:
        return None

    guard = Guard(broken, Access("127.0.0.1", 8642))
    asyncio.run(guard(scope_of("/\x1b[2J\nall is well"), nothing, nothing))
    (record,) = caplog.records
    assert record.getMessage() == r"a request failed: POST /\x1b[2J\nall is well"


def test_who_leaves_in_the_middle_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def left(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    async def scenario() -> None:
        guard = Guard(left, Access("127.0.0.1", 8642))
        await guard(scope_of("/api/classify"), gone, never)
        assert guard.n_running == 0

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def never(message: Message) -> None:
        raise AssertionError(message)

    asyncio.run(scenario())
    assert caplog.text == ""


def scope_of(path: str) -> Scope:
    headers = [(b"host", b"127.0.0.1:8642")]
    return {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers
    }  # fmt: skip


def test_who_sends_or_reads_slowly_takes_nobodys_turn() -> None:
    """Of two who may ask at once, all dawdle, and another is answered."""
    said: list[int] = []

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow body":
            await Request(scope, receive).body()
        await Response(b"x" * 200_000)(scope, receive, send)

    async def scenario() -> None:
        guard = Guard(echo, Access("127.0.0.1", 8642), most_requests=2)
        free = asyncio.Event()

        async def waiting() -> Message:
            await free.wait()
            return {"type": "http.disconnect"}

        async def stuck(message: Message) -> None:
            await free.wait()

        async def heard(message: Message) -> None:
            said.append(message.get("status", len(message.get("body", b""))))

        slow = [guard(scope_of("/slow body"), waiting, stuck) for _ in range(5)]
        slow += [guard(scope_of("/slow to read"), waiting, stuck) for _ in range(5)]
        tasks = [asyncio.create_task(one) for one in slow]
        await asyncio.sleep(0.01)
        await guard(scope_of("/quick"), waiting, heard)
        free.set()
        await asyncio.gather(*tasks)
        assert guard.n_running == 0

    asyncio.run(scenario())
    # handed over in parts, so that those who are slow keep little
    assert said == [200, 65_536, 65_536, 65_536, 200_000 - 3 * 65_536]


def test_too_many_requests_at_once_are_told_to_come_again(session: Session) -> None:
    app = Guard(create_app(session), Access("127.0.0.1", 8642), most_requests=0)
    with TestClient(app, base_url=ADDRESS) as client:
        reply = client.get("/api/health")
    assert reply.headers["retry-after"] == "1"
    assert "too many" in json_of(reply, 503)["error"]


def test_no_web_sockets(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/session"):
        pass
