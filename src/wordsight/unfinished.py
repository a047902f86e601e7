"""Rows of an unfinished job kept as they come, so that an interrupted run goes on where it was.

They lie beside the output under a hidden name, as lines of JSON: what the run depends on, then
chunks of rows, each closed by a line with the number of rows so far and a digest of the chunk, and
forced onto the disk. A chunk without its closing line, or with another digest, was never finished:
it is cut off. A chunk holds whole batches, so that what follows it is computed from the same
batches as in a run that nothing disturbed, and comes out the same to the last bit.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from io import FileIO
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from wordsight.box import model_directory
from wordsight.exceptions import InputError, WordsightError
from wordsight.leftovers import hidden_name, hold, is_at

__all__ = [
    "RowKind",
    "UnfinishedRows",
    "digest_of_bytes",
    "digest_of_file",
    "open_rows",
    "state_path",
]

SECONDS, ROWS, BYTES = 1.0, 4096, 32 << 20
"""A chunk is closed after as many seconds, rows or bytes, whichever comes first."""

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class RowKind(Generic[_Row]):
    """How rows of some kind are kept.

    Attributes
    ----------
    format : str
        What the file begins with.
    what : str
        What a person calls the rows: "predictions".
    encode : callable
        Makes a list of JSON values of a row.
    decode : callable
        Makes the same row of that list.
    """

    format: str
    what: str
    encode: Callable[[_Row], list[Any]]
    decode: Callable[[list[Any]], _Row]


def state_path(out: Path) -> Path:
    """Return where the rows of an unfinished run are kept: beside its output, hidden."""
    return hidden_name(out, ".rows")


def digest_of_bytes(*parts: Any) -> str:
    """Return what tells bytes from others."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    """Return what tells the contents of a file from others."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_model(model: str | os.PathLike[str]) -> str:
    """Return what tells a saved model from others: scores written into it later count for nothing.

    Parameters
    ----------
    model : path-like
        A directory, or the name of a model in the box.
    """
    directory = model_directory(model)
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    config.pop("about", None)
    tensors = (directory / "model.safetensors").read_bytes()
    return digest_of_bytes(json.dumps(config).encode(), tensors)


def versions() -> str:
    """Name what the last bits of a number depend on."""
    said = []
    for name in ("wordsight", "torch", "numpy", "numba", "pillow"):
        with suppress(metadata.PackageNotFoundError):
            said.append(f"{name} {metadata.version(name)}")
    return ", ".join(said)


class UnfinishedRows(Generic[_Row]):
    """The rows of an unfinished run, on disk: made by `open_rows`.

    Parameters
    ----------
    file : file of bytes
        Open to be read and written, without a buffer: what could not be written must not be tried
        again when it is closed.
    out : pathlib.Path
        The output that the rows are of.
    kind : RowKind
        What they are.

    Attributes
    ----------
    n_rows : int
        Rows that are safe.
    finished : set of str
        The digests of outputs that have been written.
    """

    def __init__(self, file: FileIO, out: Path, kind: RowKind[_Row]) -> None:
        self.n_rows = 0
        self.finished: set[str] = set()
        self._file = file
        self._out = out
        self._kind = kind
        self._end = 0  # of what is safe
        self._waiting: list[bytes] = []
        self._n_bytes = 0
        self._closed_at = time.monotonic()

    def append(self, batch: Iterable[_Row]) -> None:
        """Take a batch of rows, and make them safe from time to time."""
        for row in batch:
            self._waiting.append(_line(self._kind.encode(row)))
            self._n_bytes += len(self._waiting[-1])
        many = len(self._waiting) >= ROWS or self._n_bytes >= BYTES
        if many or time.monotonic() - self._closed_at >= SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make the rows taken so far safe."""
        if not self._waiting:
            return
        chunk = b"".join(self._waiting)
        n_rows = self.n_rows + len(self._waiting)
        self._write(chunk + _line({"rows": n_rows, "digest": digest_of_bytes(chunk)}))
        self.n_rows = n_rows
        self._waiting.clear()
        self._n_bytes = 0
        self._closed_at = time.monotonic()

    def finish(self, output: Path) -> None:
        """Note that the output is written, if not yet under its name, and what is in it."""
        digest = digest_of_file(output)
        self._write(_line({"finished": digest}))
        self.finished.add(digest)

    def stands(self, output: Path) -> bool:
        """Tell whether an output was written by the run that these rows are of."""
        return output.is_file() and digest_of_file(output) in self.finished

    def rows(self) -> Iterator[_Row]:
        """Yield all rows from the disk."""
        with state_path(self._out).open("rb") as file:
            for line in file:
                if line.startswith(b"["):
                    yield self._kind.decode(json.loads(line))

    def remove(self) -> None:
        """Remove all of it, when the output stands."""
        path = state_path(self._out)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise WordsightError(
                f"{self._out} is whole, but what was kept to go on with cannot be removed "
                f"({error.strerror or error}); remove {path}"
            ) from error

    def _write(self, data: bytes) -> None:
        at, left = self._end, memoryview(data)
        try:
            self._file.seek(at)
            while left:
                n_written = self._file.write(left)
                left = left[n_written:]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):  # half a chunk would be cut off the next time, too
                self._file.truncate(at)
            raise WordsightError(
                f"cannot keep the {self._kind.what} made so far beside {self._out}: "
                f"{error.strerror or error}; make room, and run the same command to go on"
            ) from error
        self._end += len(data)

    def _begin(self, key: Mapping[str, str]) -> None:
        self._file.truncate(0)
        self._end = 0
        self._write(_line({"format": self._kind.format, "depends_on": dict(key)}))

    def _recover(self) -> dict[str, str] | None:
        """Read what an earlier run left, and cut off what it did not finish.

        Returns what its rows depend on, or None where there is nothing to go on with.
        """
        with state_path(self._out).open("rb") as file:
            head = _parsed(file.readline())
            if not isinstance(head, dict) or head.get("format") != self._kind.format:
                return None
            earlier = head.get("depends_on")
            if not isinstance(earlier, dict):
                return None
            self._end = self._safe_end(file, file.tell())
        self._file.truncate(self._end)
        return earlier

    def _safe_end(self, lines: IO[bytes], at: int) -> int:
        """Return where the last chunk that is whole ends; note its rows."""
        safe = at
        digest, n_rows = hashlib.blake2b(digest_size=16), 0
        for line in lines:
            at += len(line)
            if line.startswith(b"[") and line.endswith(b"]\n"):
                digest.update(line)
                n_rows += 1
                continue
            mark = _parsed(line)
            if mark == {"rows": n_rows, "digest": digest.hexdigest()}:
                self.n_rows = n_rows
            elif isinstance(mark, dict) and [*mark] == ["finished"] and n_rows == self.n_rows:
                self.finished.add(str(mark["finished"]))
            else:
                break
            safe = at
            digest = hashlib.blake2b(digest_size=16)
        return safe


def _line(value: Mapping[str, Any] | list[Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _parsed(line: bytes) -> Any:
    """Return what a line says, or None where it is cut off."""
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None


@contextmanager
def open_rows(
    out: Path, key: Mapping[str, str], kind: RowKind[_Row], *, restart: bool = False
) -> Iterator[UnfinishedRows[_Row]]:
    """Open the rows of an earlier run that was not finished, or begin new ones.

    Parameters
    ----------
    out : pathlib.Path
        The output, beside which they are kept.
    key : mapping of str to str
        What the rows depend on, by what it is called to a person.
    kind : RowKind
        What they are.
    restart : bool, default False
        Begin anew where the earlier run was another one; otherwise that is refused.

    Yields
    ------
    UnfinishedRows
        What is left in it when the block ends, however it ends, is there for the next run.

    Raises
    ------
    InputError
        The earlier run used another model, other options or other images.
    WordsightError
        Nothing can be written there, or another run is at it.
    """
    with _locked(out) as file:
        state = UnfinishedRows(file, out, kind)
        earlier = state._recover()
        other = [] if earlier is None else [name for name in key if earlier.get(name) != key[name]]
        if other and not restart:
            raise InputError(
                f"the unfinished {kind.what} beside {out} are of another {other[0]}; give the "
                "command they were begun with to go on, or drop them and begin anew (--overwrite)"
            )
        if earlier is None or other:
            state = UnfinishedRows(file, out, kind)
            state._begin(key)
        try:
            yield state
        except BaseException:
            with suppress(WordsightError):  # what stopped the work matters more
                state.commit()
            raise


def _locked(out: Path) -> FileIO:
    """Open the rows beside an output, and keep a second run away while this one lives."""
    path = state_path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            path.touch()
            with suppress(FileNotFoundError):  # a run that ended meanwhile has removed it
                held = hold(path)
                handle = os.open(path, os.O_RDWR) if held is None else held
                if is_at(handle, path):
                    return FileIO(handle, "r+")
                os.close(handle)
    except BlockingIOError as error:
        raise WordsightError(
            f"another run is making {out} at this moment; wait for it, or name another output"
        ) from error
    except OSError as error:
        raise WordsightError(
            f"cannot write beside {out} ({error.strerror or error}); name an output elsewhere"
        ) from error


def discard_rows(out: Path) -> None:
    """Remove what an unfinished run kept beside an output that another one has made.

    What a run at work keeps is left alone.
    """
    path = state_path(out)
    with suppress(OSError):
        handle = hold(path)
        if handle is not None:
            path.unlink()
            os.close(handle)
