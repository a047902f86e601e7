"""Downloads from a server on this machine that behaves well, and badly."""

import hashlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pytest

from wordsight.data import transfer
from wordsight.data.download import ARCHIVES, default_cache, fetch
from wordsight.data.transfer import Archive, fetch_archive
from wordsight.exceptions import DataError, InputError, WordsightError

CONTENT = np.random.default_rng(0).bytes(1_000_000)


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    ranges: bool = True
    etag: str | None = '"one"'
    cut_after: int | None = None  # bytes of an answer after which the connection breaks
    status: int = 200
    redirect: str = ""
    tells_length: bool = True
    shift: int = 0  # bytes by which a range is answered wrongly
    asked: list[dict[str, str]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self) -> None:
        does = self.behaviour
        does.asked.append({key.lower(): value for key, value in self.headers.items()})
        if does.status != 200 or (does.redirect and self.path != "/moved"):
            self.send_response(does.status if does.status != 200 else 302)
            self.send_header("Location", does.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = self._start()
        if start is None:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            last = len(does.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(does.content)}")
        if does.etag is not None:
            self.send_header("ETag", does.etag)
        body = does.content[start:]
        if does.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: does.cut_after])

    def _start(self) -> int | None:
        """Return where to begin: 0 for the whole file, None where there is nothing from there."""
        does = self.behaviour
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        changed = self.headers.get("If-Range") not in (None, does.etag)
        if asked is None or not does.ranges or changed:
            return 0
        start = int(asked[1]) + does.shift
        return start if start < len(does.content) else None

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@dataclass
class Served:
    behaviour: Behaviour
    archive: Archive


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    behaviour = Behaviour()
    handler = type("Bound", (Handler,), {"behaviour": behaviour})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/data.tar.gz"
        md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
        yield Served(behaviour, Archive("data.tar.gz", url, md5, len(CONTENT)))
        server.shutdown()
        thread.join()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def cut_off(served: Served, cache: Path, after: int = 300_000) -> None:
    """Have a download break after some bytes."""
    served.behaviour.cut_after = after
    with pytest.raises(WordsightError, match=f"the first {after} bytes are kept"):
        fetch_archive(served.archive, cache)
    served.behaviour.cut_after = None
    assert (cache / "data.tar.gz.part").read_bytes() == CONTENT[:after]
    assert not (cache / "data.tar.gz").exists()


@pytest.mark.parametrize("tells_length", [True, False])
def test_whole(served: Served, tmp_path: Path, tells_length: bool) -> None:
    served.behaviour.tells_length = tells_length
    seen: list[tuple[int, int | None]] = []
    cache = tmp_path / "new" / "cache"
    path = fetch_archive(served.archive, cache, progress=lambda *now: seen.append(now))
    assert path == cache / "data.tar.gz"
    assert path.read_bytes() == CONTENT
    assert files(cache) == ["data.tar.gz"]
    total = len(CONTENT) if tells_length else None
    assert seen[0] == (0, total)
    assert seen[-1] == (len(CONTENT), total)
    assert seen == sorted(seen)


def test_a_verified_file_is_not_downloaded_again(served: Served, tmp_path: Path) -> None:
    fetch_archive(served.archive, tmp_path)
    fetch_archive(served.archive, tmp_path)
    assert len(served.behaviour.asked) == 1


def test_a_file_put_there_by_hand_is_verified(served: Served, tmp_path: Path) -> None:
    placed = tmp_path / "data.tar.gz"
    placed.write_bytes(CONTENT)
    assert fetch_archive(served.archive, tmp_path) == placed
    placed.write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match=r"data\.tar\.gz is not the official .*remove it"):
        fetch_archive(served.archive, tmp_path)
    assert placed.exists()
    assert served.behaviour.asked == []


def test_resume(served: Served, tmp_path: Path) -> None:
    cut_off(served, tmp_path)
    seen: list[tuple[int, int | None]] = []
    path = fetch_archive(served.archive, tmp_path, progress=lambda *now: seen.append(now))
    assert path.read_bytes() == CONTENT
    assert served.behaviour.asked[1]["range"] == "bytes=300000-"
    assert served.behaviour.asked[1]["if-range"] == '"one"'
    assert seen[0] == (300_000, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert files(tmp_path) == ["data.tar.gz"]


def test_resume_twice(served: Served, tmp_path: Path) -> None:
    cut_off(served, tmp_path, 100)
    served.behaviour.cut_after = 50
    with pytest.raises(WordsightError, match="the first 150 bytes are kept"):
        fetch_archive(served.archive, tmp_path)
    served.behaviour.cut_after = None
    assert fetch_archive(served.archive, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_resume_without_a_strong_mark_relies_on_the_checksum(
    served: Served, tmp_path: Path, etag: str | None
) -> None:
    served.behaviour.etag = etag
    cut_off(served, tmp_path)
    assert fetch_archive(served.archive, tmp_path).read_bytes() == CONTENT
    assert "if-range" not in served.behaviour.asked[1]
    assert served.behaviour.asked[1]["range"] == "bytes=300000-"


def test_a_server_without_ranges_starts_over(served: Served, tmp_path: Path) -> None:
    served.behaviour.ranges = False
    cut_off(served, tmp_path)
    assert fetch_archive(served.archive, tmp_path).read_bytes() == CONTENT


def test_a_file_that_changed_on_the_server_starts_over(served: Served, tmp_path: Path) -> None:
    served.behaviour.content = CONTENT[::-1]
    served.behaviour.cut_after = 1000
    with pytest.raises(WordsightError):
        fetch_archive(served.archive, tmp_path)
    served.behaviour.content, served.behaviour.etag = CONTENT, '"two"'
    served.behaviour.cut_after = None
    assert fetch_archive(served.archive, tmp_path).read_bytes() == CONTENT


def test_a_part_that_reaches_past_the_end_of_the_servers_file(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "data.tar.gz.part").write_bytes(b"x" * 500)
    served.behaviour.content = b"short"
    with pytest.raises(DataError, match="not the official"):
        fetch_archive(served.archive, tmp_path)
    assert [asked.get("range") for asked in served.behaviour.asked] == ["bytes=500-", None]


def test_another_part_than_asked_for(served: Served, tmp_path: Path) -> None:
    cut_off(served, tmp_path)
    served.behaviour.shift = 10
    with pytest.raises(WordsightError, match="another part than asked for"):
        fetch_archive(served.archive, tmp_path)
    assert fetch_archive(served.archive, tmp_path).read_bytes() == CONTENT


def test_a_whole_part_is_only_verified(served: Served, tmp_path: Path) -> None:
    (tmp_path / "data.tar.gz.part").write_bytes(CONTENT)
    assert fetch_archive(served.archive, tmp_path).read_bytes() == CONTENT
    assert served.behaviour.asked == []


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", b"<html>log in here</html>", CONTENT * 2])
def test_a_wrong_checksum_drops_the_part(served: Served, tmp_path: Path, content: bytes) -> None:
    served.behaviour.content = content
    with pytest.raises(DataError, match=r"not the official data\.tar\.gz.*expected .*dropped"):
        fetch_archive(served.archive, tmp_path)
    assert files(tmp_path) == []


def test_the_official_checksum_guards_fetch(served: Served, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="c32a1d4ab5d03f1284b67883e8d87530"):
        fetch("cifar10", tmp_path, url=served.archive.url)
    assert files(tmp_path) == []


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_names_the_file_and_its_place(
    served: Served, tmp_path: Path, status: int
) -> None:
    served.behaviour.status = status
    with pytest.raises(WordsightError) as caught:
        fetch("cifar100", tmp_path, url=served.archive.url)
    message = str(caught.value)
    assert f"the server answers {status}" in message
    assert message.endswith(f"put it at {tmp_path / 'cifar-100-binary.tar.gz'}")
    assert "\n" not in message


def test_offline_names_the_file_and_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, but nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(WordsightError) as caught:
            fetch("cifar10", tmp_path, url=url)
    message = str(caught.value)
    assert message.startswith(f"cannot download cifar-10-binary.tar.gz from {url}: ")
    assert message.endswith(f"put it at {tmp_path / 'cifar-10-binary.tar.gz'}")
    assert "refused" in message
    assert files(tmp_path) == []


def test_a_silent_server_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(transfer, "_SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(WordsightError, match=r"timed out.*put it at"):
            fetch("cifar10", tmp_path, url=url)


def test_redirects_within_the_web_are_followed(served: Served, tmp_path: Path) -> None:
    served.behaviour.redirect = "/moved"
    assert fetch_archive(served.archive, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("where", ["file:///etc/hosts", "ftp://127.0.0.1/x"])
def test_redirects_out_of_the_web_are_not(served: Served, tmp_path: Path, where: str) -> None:
    served.behaviour.redirect = where
    with pytest.raises(WordsightError, match="cannot download"):
        fetch_archive(served.archive, tmp_path)
    assert files(tmp_path) == []


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://x/y", "x.tar.gz", "", "http://[x"])
def test_only_the_web(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="expected http or https"):
        fetch("cifar10", tmp_path, url=url)


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:99999/", "http://a b/"])
def test_addresses_that_lead_nowhere(tmp_path: Path, url: str) -> None:
    with pytest.raises(WordsightError, match="put it at"):
        fetch("cifar10", tmp_path, url=url)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no archive is known for 'mnist'; known are cifar10, "):
        fetch(cast(Literal["cifar10"], "mnist"), tmp_path)


def test_a_cache_that_cannot_be_written(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WordsightError, match=r"cannot write .*name another folder"):
        fetch_archive(served.archive, tmp_path / "file" / "cache")


def test_the_archives_are_the_official_ones() -> None:
    """Names, MD5 and sizes as the official page and its downloads have them."""
    url = "https://www.cs.toronto.edu/~kriz/"
    assert ARCHIVES["cifar10"] == Archive(
        "cifar-10-binary.tar.gz", url + "cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530", 170_052_171,
    )  # fmt: skip
    assert ARCHIVES["cifar100"] == Archive(
        "cifar-100-binary.tar.gz", url + "cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8", 168_513_733,
    )  # fmt: skip


def test_the_cache_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORDSIGHT_CACHE", str(tmp_path))
    assert default_cache() == tmp_path


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="the XDG folders are those of Linux")
def test_the_cache_follows_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORDSIGHT_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert default_cache() == tmp_path / "x" / "wordsight"
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert default_cache() == tmp_path / ".cache" / "wordsight"


def test_the_default_cache_is_used(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORDSIGHT_CACHE", str(tmp_path))
    monkeypatch.setitem(ARCHIVES, "cifar10", replace(served.archive, url="http://127.0.0.1:1/"))
    assert fetch("cifar10", url=served.archive.url) == tmp_path / "data.tar.gz"
