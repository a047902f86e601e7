"""Predictions in files: CSV, Parquet or JSON lines, by the ending of the name."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TextIO

from wordsight.exceptions import InputError
from wordsight.prediction import Prediction
from wordsight.storage import atomic_path

__all__ = ["ENDINGS", "as_dict", "check_ending", "json_line", "write_predictions"]

_FIELDS = (
    "path",
    "label",
    "probability",
    "is_novel",
    "novelty_proba",
    "nearest_words",
    "error",
)
_TOP = "top_classes"
_BATCH = 4096

Write = Callable[[Prediction], None]


def check_ending(path: Path) -> str:
    """Return the ending that says how to write `path`, or raise `InputError`."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(
            f"cannot tell from {path.name!r} how to write predictions; end the name in "
            f"{', '.join(ENDINGS)}"
        )
    return ending


def write_predictions(
    predictions: Iterable[Prediction],
    path: Path,
    *,
    top: bool = False,
    on_written: Callable[[Path], object] | None = None,
) -> None:
    """Write predictions as they come to a file that appears whole or not at all.

    Parameters
    ----------
    predictions : iterable of Prediction
    path : pathlib.Path
        Ends in ``.csv``, ``.parquet``, ``.jsonl`` or ``.ndjson``; one that is there is replaced.
        In CSV the nearest words are separated by spaces, the most probable classes are JSON, and
        what is not there is empty.
    top : bool, default False
        Write the most probable classes, too.
    on_written : callable, optional
        Called with the whole file before it takes its place under `path`.

    Raises
    ------
    InputError
        Another ending.
    WordsightError
        The file cannot be written.
    """
    opened = ENDINGS[check_ending(path)]
    with atomic_path(path) as temporary:
        with opened(temporary, top) as write:
            for prediction in predictions:
                write(prediction)
        if on_written is not None:
            on_written(temporary)


def as_dict(prediction: Prediction, *, top: bool = False) -> dict[str, Any]:
    """Return a prediction as JSON knows it, with the most probable classes where they are asked."""
    row = {name: getattr(prediction, name) for name in _FIELDS}
    row["nearest_words"] = list(prediction.nearest_words)
    if top:
        row[_TOP] = [
            {"class": name, "probability": proba} for name, proba in prediction.top_classes
        ]
    return row


def json_line(prediction: Prediction, *, top: bool = False) -> str:
    """Return a prediction as a line of JSON, without its line end."""
    return json.dumps(as_dict(prediction, top=top), ensure_ascii=False, allow_nan=False)


class _UnixLines:
    r"""Ends rows in ``\n`` alone.

    The writer must take ``\r\n`` for its line end all the same, or it would leave a ``\r`` within
    a name without the quotes that readers need.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


@contextmanager
def _csv(path: Path, top: bool) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(_UnixLines(file))
        writer.writerow([*_FIELDS, _TOP] if top else _FIELDS)

        def write(one: Prediction) -> None:
            fields = [
                one.path,
                one.label,
                _number(one.probability),
                None if one.is_novel is None else str(one.is_novel).lower(),
                _number(one.novelty_proba),
                " ".join(one.nearest_words),
                one.error,
            ]
            if top:
                best = [[name, float(f"{proba:.6g}")] for name, proba in one.top_classes]
                fields.append(json.dumps(best, ensure_ascii=False) if best else None)
            writer.writerow(fields)

        yield write


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"


@contextmanager
def _json_lines(path: Path, top: bool) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yield lambda one: print(json_line(one, top=top), file=file)


@contextmanager
def _parquet(path: Path, top: bool) -> Iterator[Write]:
    import pyarrow as pa  # noqa: PLC0415 - takes long to start, and few need it here
    import pyarrow.parquet as pq  # noqa: PLC0415

    fields: list[tuple[str, pa.DataType]] = [
        ("path", pa.string()),
        ("label", pa.string()),
        ("probability", pa.float64()),
        ("is_novel", pa.bool_()),
        ("novelty_proba", pa.float64()),
        ("nearest_words", pa.list_(pa.string())),
        ("error", pa.string()),
    ]
    if top:
        best = pa.struct([pa.field("class", pa.string()), pa.field("probability", pa.float64())])
        fields.append((_TOP, pa.list_(best)))
    schema = pa.schema(fields)
    waiting: list[dict[str, Any]] = []
    with path.open("wb") as file, pq.ParquetWriter(file, schema) as writer:

        def write(one: Prediction) -> None:
            waiting.append(as_dict(one, top=top))
            if len(waiting) == _BATCH:
                flush()

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
            waiting.clear()

        yield write
        flush()


ENDINGS: dict[str, Callable[[Path, bool], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
"""How to write, by the ending of the file's name."""
