"""Download a known file: resumed where it was cut off, and verified before it gets its name.

The standard library's `urllib` is enough for one file over HTTPS with a range, a redirect and a
proxy, so that no HTTP package is required of everybody for the sake of this one task.
"""

import hashlib
import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wordsight.exceptions import DataError, InputError, WordsightError

__all__ = ["Archive", "Progress", "fetch_archive"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where the server tells it, the bytes in all."""

_CHUNK = 1 << 18
_SILENCE = 30.0  # seconds without a byte after which the network counts as down


@dataclass(frozen=True)
class Archive:
    """A file on the web.

    Attributes
    ----------
    file_name : str
        Its name in the cache.
    url : str
        Where it is.
    md5 : str
        Its MD5 in hexadecimal, which its authors publish: it tells a broken file, not a forged one.
    n_bytes : int
        Its size; nothing larger is downloaded.
    """

    file_name: str
    url: str
    md5: str
    n_bytes: int


def fetch_archive(archive: Archive, cache: Path, *, progress: Progress | None = None) -> Path:
    """Download `archive` into the folder `cache`, unless it is there.

    Parameters
    ----------
    archive : Archive
        The file.
    cache : pathlib.Path
        The folder.
    progress : callable or None
        Called as ``progress(done, total)``, in bytes; `total` is None where it is not known.

    Returns
    -------
    pathlib.Path
        The file, whose checksum was verified.

    Raises
    ------
    InputError
        The URL is not one of http or https.
    DataError
        What was downloaded, or what is in the folder already, is not that file.
    WordsightError
        The server cannot be reached, refuses or stops, or the folder cannot be written. What was
        downloaded so far is kept, and the next call goes on from there.
    """
    if not _is_of_the_web(archive.url):
        raise InputError(f"{archive.url!r} is no address to download from, expected http or https")
    target = cache / archive.file_name
    try:
        if target.exists():
            _verify_present(target, archive)
            return target
        cache.mkdir(parents=True, exist_ok=True)
        part = _Part(target)
        _download(archive, part, progress)
        _verify_downloaded(part, archive)
        part.finish()
    except OSError as error:
        reason = error.strerror or str(error)
        raise WordsightError(
            f"cannot write {target}: {reason}; make room there or name another folder "
            "(WORDSIGHT_CACHE)"
        ) from error
    return target


class _Part:
    """The half of a file that is there, and the server's mark of the file it is half of.

    It is written in place, not through a temporary name, because the next call goes on with it;
    nobody else reads a file of this name.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._mark = target.with_name(f"{target.name}.part.etag")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def mark(self) -> str:
        return self._mark.read_text(encoding="latin-1").strip() if self._mark.exists() else ""

    def start_over(self, mark: str) -> None:
        self.drop()
        if mark:
            self._mark.write_text(mark, encoding="latin-1")

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)

    def finish(self) -> None:
        self.path.replace(self.target)
        self._mark.unlink(missing_ok=True)


def _is_of_the_web(url: str) -> bool:
    try:
        return urllib.parse.urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def _download(archive: Archive, part: _Part, progress: Progress | None) -> None:
    """Complete `part` from the server."""
    if part.size > archive.n_bytes:
        part.drop()
    if part.size == archive.n_bytes:  # whole, and cut off before it was verified
        return
    with _open(archive, part) as response:
        if not _continues(response, part.size):
            part.start_over(_mark_of(response))
            if response.status == 206:
                raise _failed(archive, part, "the server sends another part than asked for")
        total = _total(response, part.size)
        trouble = _copy(response, part, archive.n_bytes, total, progress)
    if part.size < min(archive.n_bytes, archive.n_bytes if total is None else total):
        raise _failed(archive, part, trouble or "the connection ended too early")


def _open(archive: Archive, part: _Part) -> http.client.HTTPResponse:
    """Ask for the file, or for what is missing of it."""
    headers = {"User-Agent": "wordsight", "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.mark:
            headers["If-Range"] = part.mark
    request = urllib.request.Request(archive.url, headers=headers)
    try:
        response = _opener().open(request, timeout=_SILENCE)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and part.size:  # the half is of another file than the server's
            part.drop()
            return _open(archive, part)
        raise _failed(archive, part, f"the server answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise _failed(archive, part, str(reason)) from error
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise _failed(archive, part, str(error) or type(error).__name__) from error
    if not isinstance(response, http.client.HTTPResponse):
        raise _failed(archive, part, "the answer is not one of the web")
    return response


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for the web alone: a redirect must not lead to ``ftp:`` or ``file:``."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _continues(response: http.client.HTTPResponse, size: int) -> bool:
    """Whether the answer begins where the part ends; servers may send the whole file instead."""
    given = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return response.status == 206 and given is not None and int(given[1]) == size > 0


def _mark_of(response: http.client.HTTPResponse) -> str:
    """Return what tells this version of the file from others; a weak tag does not (RFC 9110)."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _total(response: http.client.HTTPResponse, size: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return size + int(length) if length.isdecimal() else None


def _copy(
    response: http.client.HTTPResponse,
    part: _Part,
    most: int,
    total: int | None,
    progress: Progress | None,
) -> str:
    """Append what is sent to `part`; return what went wrong on the way, if anything."""
    done = part.size
    with part.path.open("ab") as file:
        # one byte too many is enough to tell that it is another file
        while done <= most:
            if progress is not None:
                progress(done, total)
            try:
                piece = response.read1(_CHUNK)
            except (http.client.HTTPException, OSError) as error:
                return f"the connection broke ({error})"
            if not piece:
                break
            file.write(piece)
            done += len(piece)
    return ""


def _verify_present(target: Path, archive: Archive) -> None:
    if _md5(target) != archive.md5:
        raise DataError(
            f"{target} is not the official {archive.file_name}: its MD5 is not {archive.md5}; "
            "remove it and fetch again, or put the official file there"
        )


def _verify_downloaded(part: _Part, archive: Archive) -> None:
    found = _md5(part.path)
    if found != archive.md5:
        part.drop()
        raise DataError(
            f"what {archive.url} sends is not the official {archive.file_name}: its MD5 is "
            f"{found}, expected {archive.md5}; it was dropped, so try again or put the official "
            f"file at {part.target}"
        )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _failed(archive: Archive, part: _Part, reason: str) -> WordsightError:
    kept = f" (the first {part.size} bytes are kept)" if part.size else ""
    return WordsightError(
        f"cannot download {archive.file_name} from {archive.url}: {reason}; run this again to go "
        f"on{kept}, or get the file elsewhere and put it at {part.target}"
    )
