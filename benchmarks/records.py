"""The JSON file of all results: one entry a benchmark, each with what it depends on."""

import json
from pathlib import Path
from typing import Any

import wordsight
from benchmarks.benchmark import Benchmark, Outcome, Setting
from benchmarks.harness import describe_machine
from wordsight.exceptions import DataError
from wordsight.storage import atomic_path

__all__ = ["Record", "merge_into", "read", "record"]

Record = dict[str, Any]


def record(benchmark: Benchmark, outcome: Outcome, setting: Setting, when: str) -> Record:
    """Return all that is known of one run of a benchmark, as JSON values.

    Parameters
    ----------
    benchmark : Benchmark
    outcome : Outcome
    setting : Setting
    when : str
        The day.
    """
    return {
        "quick": setting.quick,
        "threads": setting.threads,
        "data": "CIFAR-10" if setting.data else None,
        "version": wordsight.__version__,
        "when": when,
        "machine": describe_machine(),
        "unit": outcome.unit,
        "operations": outcome.operations,
        "bytes": outcome.bytes,
        "contenders": [each.record() for each in outcome.measured],
        "reached": {
            target.key: outcome.reached[target.key]
            for target in benchmark.targets
            if target.key in outcome.reached
        },
        "facts": outcome.facts,
        "notes": outcome.notes,
    }


def read(path: Path) -> dict[str, Record]:
    """Return the entries of a file by the names of benchmarks; none where there is no file.

    Raises
    ------
    DataError
        The file holds something else.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as results of benchmarks ({error})") from error
    if not isinstance(found, dict) or not all(
        isinstance(entry, dict) and "contenders" in entry for entry in found.values()
    ):
        raise DataError(f"{path} holds no results of benchmarks; name another file")
    return found


def merge_into(path: Path, name: str, entry: Record) -> None:
    """Put one entry in the place of the last one of its name, and leave the others."""
    entries = {**read(path), name: entry}
    with atomic_path(path) as temporary:
        text = json.dumps(entries, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
