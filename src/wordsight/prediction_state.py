"""Predictions kept as they come, so that an interrupted run goes on where it was.

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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import numpy as np

from wordsight import __version__
from wordsight.box import model_directory
from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.exceptions import InputError, WordsightError
from wordsight.prediction import Prediction

__all__ = ["PredictionState", "depends_on", "digest_of_file", "open_state", "state_path"]

FORMAT = "wordsight-unfinished-predictions 1"
SECONDS, ROWS = 1.0, 4096
"""A chunk is closed after as many seconds or rows, whichever comes first."""

_FIELDS = [field.name for field in fields(Prediction)]


def state_path(out: Path) -> Path:
    """Return where the rows of an unfinished run are kept: beside its output, hidden."""
    name = hashlib.blake2b(os.fsencode(out.name), digest_size=8).hexdigest()
    return out.parent / f".unfinished-{name}.rows"


def depends_on(
    model_path: str | os.PathLike[str],
    model: CrossModalClassifier,
    inputs: str,
    *,
    among: Sequence[str] | None,
    n_nearest: int,
    device: str | None,
    n_top: int = 0,
    index: bool = False,
) -> dict[str, str]:
    """Return all that the rows of a run depend on, by what it is called to a person.

    Parameters
    ----------
    model_path : path-like
        Where the model was loaded from.
    model : CrossModalClassifier
        As it predicts: with the classes added to it.
    inputs : str
        The digest of the images.
    among, n_nearest, n_top
        As for `predict_all`.
    index : bool
        Whether unseen classes are found by an index.
    device : str or None
        Where it computes.

    Returns
    -------
    dict of str to str
    """
    directory = model_directory(model_path)
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    config.pop("about", None)  # scores written into it later change no prediction
    classes = repr([str(name) for name in model.classes_])
    words = model.words_
    return {
        "model": _digest(
            json.dumps(config).encode(), (directory / "model.safetensors").read_bytes()
        ),
        "classes (--also)": _digest(classes.encode(), np.ascontiguousarray(model.word_vectors_)),
        "word vectors (--words)": _digest(
            "\n".join(words.words).encode(), np.ascontiguousarray(words.vectors)
        ),
        "gate (--gate)": str(model.gate),
        "choice of classes (--among)": repr(None if among is None else list(among)),
        "number of nearest words (--nearest)": str(n_nearest),
        "number of top classes (--top)": str(n_top),
        "index of classes (--index)": str(index),
        "device (--device)": str(device),
        "version of Wordsight or its libraries": _versions(),
        "list of images, or images changed since": inputs,
    }


def _versions() -> str:
    """Name what the last bits of a number depend on."""
    said = [f"wordsight {__version__}"]
    for name in ("torch", "numpy", "numba", "pillow"):
        with suppress(metadata.PackageNotFoundError):
            said.append(f"{name} {metadata.version(name)}")
    return ", ".join(said)


def _digest(*parts: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    """Return what tells the contents of a file from others."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class PredictionState:
    """The rows of an unfinished run, on disk: made by `open_state`.

    Parameters
    ----------
    file : file of bytes
        Open to be read and written.
    out : pathlib.Path
        The output that the rows are of.

    Attributes
    ----------
    n_rows : int
        Rows that are safe.
    finished : str or None
        The digest of the output, once that has been written.
    """

    def __init__(self, file: IO[bytes], out: Path) -> None:
        self.n_rows = 0
        self.finished: str | None = None
        self._file = file
        self._out = out
        self._waiting: list[bytes] = []
        self._closed_at = time.monotonic()

    def append(self, batch: Iterable[Prediction]) -> None:
        """Take a batch of rows, and make them safe from time to time."""
        self._waiting += map(_row_line, batch)
        if len(self._waiting) >= ROWS or time.monotonic() - self._closed_at >= SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make the rows taken so far safe."""
        if not self._waiting:
            return
        chunk = b"".join(self._waiting)
        n_rows = self.n_rows + len(self._waiting)
        self._write(chunk + _line({"rows": n_rows, "digest": _digest(chunk)}))
        self.n_rows = n_rows
        self._waiting.clear()
        self._closed_at = time.monotonic()

    def finish(self, output: Path) -> None:
        """Note that the output is written, if not yet under its name, and what is in it."""
        self.finished = digest_of_file(output)
        self._write(_line({"finished": self.finished}))

    def stands(self, output: Path) -> bool:
        """Tell whether the output was written by the run that these rows are of."""
        return output.is_file() and self.finished == digest_of_file(output)

    def rows(self) -> Iterator[Prediction]:
        """Yield all rows from the disk."""
        with state_path(self._out).open("rb") as file:
            for line in file:
                if line.startswith(b"["):
                    row = dict(zip(_FIELDS, json.loads(line), strict=True))
                    row["nearest_words"] = tuple(row["nearest_words"])
                    row["top_classes"] = tuple(map(tuple, row["top_classes"]))
                    yield Prediction(**row)

    def remove(self) -> None:
        """Remove all of it, when the output stands."""
        state_path(self._out).unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise WordsightError(
                f"cannot keep the predictions made so far beside {self._out}: "
                f"{error.strerror or error}; make room, and run the same command to go on"
            ) from error

    def _begin(self, key: Mapping[str, str]) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._write(_line({"format": FORMAT, "depends_on": dict(key)}))

    def _recover(self) -> dict[str, str] | None:
        """Read what an earlier run left, and cut off what it did not finish.

        Returns what its rows depend on, or None where there is nothing to go on with.
        """
        self._file.seek(0)
        head = _parsed(self._file.readline())
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            return None
        earlier = head.get("depends_on")
        if not isinstance(earlier, dict):
            return None
        at = safe = self._file.tell()
        digest, n_rows = hashlib.blake2b(digest_size=16), 0
        for line in self._file:
            at += len(line)
            if line.startswith(b"[") and line.endswith(b"]\n"):
                digest.update(line)
                n_rows += 1
                continue
            mark = _parsed(line)
            if mark == {"rows": n_rows, "digest": digest.hexdigest()}:
                self.n_rows = n_rows
            elif isinstance(mark, dict) and [*mark] == ["finished"] and n_rows == self.n_rows:
                self.finished = str(mark["finished"])
            else:
                break
            safe = at
            digest = hashlib.blake2b(digest_size=16)
        self._file.seek(safe)
        self._file.truncate()
        return earlier


def _row_line(row: Prediction) -> bytes:
    return json.dumps([getattr(row, name) for name in _FIELDS]).encode() + b"\n"


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _parsed(line: bytes) -> Any:
    """Return what a line says, or None where it is cut off."""
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None


@contextmanager
def open_state(
    out: Path, key: Mapping[str, str], *, restart: bool = False
) -> Iterator[PredictionState]:
    """Open the rows of an earlier run that was not finished, or begin new ones.

    Parameters
    ----------
    out : pathlib.Path
        The output, beside which they are kept.
    key : mapping of str to str
        What the rows depend on, from `depends_on`.
    restart : bool, default False
        Begin anew where the earlier run was another one; otherwise that is refused.

    Yields
    ------
    PredictionState
        What is left in it when the block ends, however it ends, is there for the next run.

    Raises
    ------
    InputError
        The earlier run used another model, other options or other images.
    WordsightError
        Nothing can be written there, or another run is at it.
    """
    path = state_path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("r+b" if path.exists() else "w+b")
    except OSError as error:
        raise WordsightError(
            f"cannot write beside {out} ({error.strerror or error}); name an output elsewhere"
        ) from error
    with file:
        _lock(file, out)
        state = PredictionState(file, out)
        earlier = state._recover()
        other = [] if earlier is None else [name for name in key if earlier.get(name) != key[name]]
        if other and not restart:
            raise InputError(
                f"the unfinished predictions beside {out} are of another {other[0]}; give the "
                "command they were begun with to go on, or drop them and begin anew (--overwrite)"
            )
        if earlier is None or other:
            state = PredictionState(file, out)
            state._begin(key)
        try:
            yield state
        except BaseException:
            with suppress(WordsightError):  # what stopped the work matters more
                state.commit()
            raise


def _lock(file: IO[bytes], out: Path) -> None:
    """Keep a second run away for as long as this one lives, where the system knows how."""
    with suppress(ImportError):
        import fcntl  # noqa: PLC0415 - not on every system

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WordsightError(
                f"another run is making {out} at this moment; wait for it, or name another output"
            ) from error
