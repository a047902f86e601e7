"""Parts of a result in a folder, here or in an object store: whole and checked, or not there.

A part is written under a temporary name, read back and checked, and only then gets its own name.
It ends in a few facts about itself and a digest of all before, so that one which was cut short,
or damaged later, is told from a good one wherever it came from.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import fsspec.core
from fsspec.implementations.local import LocalFileSystem

from wordsight.exceptions import DataError, InputError, WordsightError

__all__ = ["Content", "Part", "PartFolder"]

UNFINISHED = ".unfinished-"
_DIGEST = 32
_LENGTH = 8
_CHUNK = 1 << 20


Content = bytes | Sequence[bytes | memoryview]
"""What a part is made of; pieces are written one after another, without a copy of the whole."""


@dataclass(frozen=True)
class Part:
    """A part that was read whole.

    Attributes
    ----------
    facts : dict
        What was said of it when it was written.
    content : bytes
    """

    facts: dict[str, Any]
    content: bytes


class PartFolder:
    """A folder of parts.

    Parameters
    ----------
    url : str or path-like
        A folder here, or the address of one that fsspec knows (``s3://bucket/run``).

    Raises
    ------
    InputError
        An address of a kind that is not known, or of one whose package is not installed.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url)
        try:
            self._files, self._root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"{self.url} was given, and cannot be opened ({error}); give a folder, or install "
                "the package that speaks to that storage (s3fs for s3://, gcsfs for gs://)"
            ) from error
        self._is_local = isinstance(self._files, LocalFileSystem)

    def names(self, folder: str = "") -> set[str]:
        """Return the names of the files in a folder, without those that were never finished."""
        return {name for name in self._listed(folder) if not name.startswith(UNFINISHED)}

    def _listed(self, folder: str) -> list[str]:
        with self._failing("read", folder):
            try:
                self._files.invalidate_cache()
                found = self._files.ls(self._path(folder), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return [str(path).rstrip("/").rsplit("/", 1)[-1] for path in found]

    def write(self, name: str, content: Content, facts: Mapping[str, Any] | None = None) -> None:
        """Write a part, or put it in the place of another; it is there whole or not at all.

        Raises
        ------
        WordsightError
            It cannot be written, or is not what was written when it is read back.
        """
        ending = json.dumps(dict(facts or {}), sort_keys=True).encode()
        pieces = [content] if isinstance(content, bytes) else list(content)
        pieces += [ending, len(ending).to_bytes(_LENGTH, "little")]
        digest = hashlib.blake2b(digest_size=_DIGEST)
        folder, _, last = name.rpartition("/")
        temporary = self._path(f"{folder}/{UNFINISHED}{uuid.uuid4().hex}-{last}")
        with self._failing("write", name):
            self._files.makedirs(self._path(folder), exist_ok=True)
            try:
                with self._files.open(temporary, "wb") as file:
                    for piece in pieces:
                        digest.update(piece)
                        file.write(piece)
                    own = digest.digest()
                    digest.update(own)
                    file.write(own)
                    file.flush()
                    if self._is_local:
                        os.fsync(file.fileno())
                if self._digested(temporary) != digest.digest():  # its own digest, too
                    raise OSError("what was read back is not what was written")
                if self._is_local:
                    Path(temporary).replace(self._path(name))
                else:  # an object store copies, and shows the copy when it is whole
                    self._files.mv(temporary, self._path(name))
            finally:
                with suppress(OSError):
                    if self._files.exists(temporary):
                        self._files.rm_file(temporary)

    def read(self, name: str) -> Part:
        """Read a part.

        Raises
        ------
        DataError
            It is not there, or damaged.
        """
        with self._failing("read", name):
            try:
                self._files.invalidate_cache()
                content = self._files.cat_file(self._path(name))
            except FileNotFoundError as error:
                raise DataError(
                    f"{self.url}/{name} is not there; give the same command again"
                ) from error
        body, digest = content[:-_DIGEST], content[-_DIGEST:]
        length = int.from_bytes(body[-_LENGTH:], "little")
        end = len(body) - _LENGTH - length
        if end < 0 or hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
            raise DataError(
                f"{self.url}/{name} is damaged; give the same command again, which redoes it"
            )
        return Part(json.loads(body[end:-_LENGTH]), body[:end])

    def facts(self, name: str) -> dict[str, Any] | None:
        """Return the facts of a part that is there and whole, or None; its content is digested."""
        path = self._path(name)
        try:
            self._files.invalidate_cache()
            if not self._files.exists(path):
                return None
            with self._failing("read", name), self._files.open(path, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size < _DIGEST + _LENGTH:
                    return None
                file.seek(size - _DIGEST - _LENGTH)
                tail = file.read()
                length = int.from_bytes(tail[:_LENGTH], "little")
                start = size - len(tail) - length
                if start < 0 or self._digested(path, size - _DIGEST) != tail[_LENGTH:]:
                    return None
                file.seek(start)
                found: dict[str, Any] = json.loads(file.read(length))
                return found
        except FileNotFoundError:
            return None

    def local_path(self, name: str) -> Path:
        """Return where a part can be read as a file; one from elsewhere is copied here once.

        The copy is kept for the life of this process.
        """
        if self._is_local:
            return Path(self._path(name))
        folder = _copies()
        copy = folder / hashlib.blake2b(f"{self.url}/{name}".encode(), digest_size=16).hexdigest()
        if not copy.exists():
            with self._failing("read", name):
                partial = copy.with_suffix(".unfinished")
                self._files.get_file(self._path(name), os.fspath(partial))
                if PartFolder(folder).facts(partial.name) is None:
                    raise DataError(f"{self.url}/{name} is damaged; give the same command again")
                partial.replace(copy)
        return copy

    def remove(self, name: str) -> None:
        """Remove a file, or a folder and all in it, where it is there."""
        with self._failing("remove", name), suppress(FileNotFoundError):
            self._files.rm(self._path(name), recursive=True)

    def clear_unfinished(self, folder: str) -> int:
        """Remove what was never finished in a folder; say how many files that was."""
        found = [name for name in self._listed(folder) if name.startswith(UNFINISHED)]
        for name in found:
            self.remove(f"{folder}/{name}")
        return len(found)

    def size(self, name: str) -> int:
        """Return the bytes of a part."""
        with self._failing("read", name):
            return int(self._files.size(self._path(name)))

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name.lstrip('/')}".rstrip("/")

    def _digested(self, path: str, size: int = sys.maxsize) -> bytes:
        """Digest a file, or its first `size` bytes."""
        digest = hashlib.blake2b(digest_size=_DIGEST)
        with self._files.open(path, "rb") as file:
            while size > 0 and (some := file.read(min(size, _CHUNK))):
                digest.update(some)
                size -= len(some)
        return digest.digest()

    def _failing(self, doing: str, name: str) -> "_Failing":
        return _Failing(f"cannot {doing} {self.url}/{name}".rstrip("/"))


class _Failing:
    """Turns whatever a storage raises into one sentence."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: Any
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            reason = error.strerror or str(error) or type(error).__name__
            raise WordsightError(
                f"{self._what}: {reason}; make room there or name another folder (--run)"
            ) from error


_copies_here: Path | None = None


def _copies() -> Path:
    """Return this process's folder of copies from elsewhere."""
    global _copies_here  # noqa: PLW0603 - one folder a process, gone with it
    if _copies_here is None:
        _copies_here = Path(tempfile.mkdtemp(prefix="wordsight-parts-"))
        import atexit  # noqa: PLC0415 - only where something was copied

        atexit.register(shutil.rmtree, _copies_here, ignore_errors=True)
    return _copies_here
