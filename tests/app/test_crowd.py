"""A thousand clients at once, polite ones and others, on an explorer in a process of its own."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.crowd import Crowd, Explorer, running_explorer
from benchmarks.explorer import differences, mixed
from benchmarks.material import small_model, write_pngs

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is told by /proc"),
]

N_CLIENTS = 1000
MOST_MEGABYTES = 250
"""What a crowd may cost: about 130 kB for each connection, and 100 MB for pictures sent."""


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Explorer, Path]]:
    """An explorer of 72 images, and where they are."""
    folder = tmp_path_factory.mktemp("crowd")
    small_model(folder / "model", n_atoms=50)
    write_pngs(folder / "data", 72)
    with running_explorer(folder / "model", folder / "data", folder / "cache") as explorer:
        yield explorer, folder / "data"


def test_a_thousand_at_once_are_answered_rightly_or_told_to_come_again(
    explorer: tuple[Explorer, Path],
) -> None:
    server, data = explorer
    requests = mixed(data, N_CLIENTS)
    alone = Crowd(server.port, 1).ask(sorted(set(requests), key=str))
    assert {each.status for each in alone} == {200}
    before = server.memory()

    heard = Crowd(server.port, N_CLIENTS).ask(requests)
    assert len(heard) == len(requests)
    answered = [each for each in heard if each.status == 200]
    refused = [each for each in heard if each.status != 200]
    assert differences(answered, alone) == []
    for each in refused:
        assert each.status == 503
        assert each.headers["retry-after"] == "1"
        assert "try again in a second" in json.loads(each.body)["error"]
    assert len(answered) > N_CLIENTS / 10  # work is done while others are sent away

    patient = Crowd(server.port, N_CLIENTS, patient=True).ask(requests)
    assert differences(patient, alone) == []  # which nobody is for long
    assert server.process.poll() is None
    assert server.memory() - before < MOST_MEGABYTES
    assert differences(Crowd(server.port, 1).ask(requests[:80]), alone) == []


def test_clients_who_dawdle_do_not_keep_others_waiting(explorer: tuple[Explorer, Path]) -> None:
    server, data = explorer
    requests = mixed(data, 80)
    alone = Crowd(server.port, 1).ask(sorted(set(requests), key=str))
    start = time.monotonic()
    Crowd(server.port, 8, patient=True).ask(requests)
    undisturbed = time.monotonic() - start
    host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
    dawdlers = {
        "says nothing": b"",
        "stops in the head": b"GET /api/map HTTP/1.1\r\n" + host,
        "stops in the body": b"POST /api/classify HTTP/1.1\r\n" + host
        + b"Content-Type: image/png\r\nContent-Length: 1000000\r\n\r\nx",
        "never reads": (b"GET /api/map HTTP/1.1\r\n" + host + b"\r\n") * 200,
    }  # fmt: skip
    before = server.memory()
    with ExitStack() as stack:
        slow: list[tuple[str, socket.socket]] = []
        for name, sent in dawdlers.items():
            for _ in range(150):
                one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                one.sendall(sent)
                slow.append((name, one))
        start = time.monotonic()
        heard = Crowd(server.port, 8, patient=True).ask(requests)
        assert differences(heard, alone) == []
        assert time.monotonic() - start < 4 * undisturbed + 4  # who dawdles has 15 seconds
        for name, one in slow:
            one.settimeout(30)  # longer than anybody is waited for
            if name == "never reads":
                continue
            said = b""
            while part := one.recv(65_536):
                said += part
            assert said == b"" or b"408" in said.split(b"\r\n")[0], name
    assert server.process.poll() is None
    assert server.memory() - before < MOST_MEGABYTES
    assert differences(Crowd(server.port, 1).ask(requests[:80]), alone) == []
