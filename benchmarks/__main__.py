"""Compare parts of the library with what they replace: time, peak memory, agreement."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from benchmarks import records, tables
from benchmarks.benchmark import Benchmark, Failed, Setting, Skipped
from benchmarks.catalogue import BENCHMARKS
from benchmarks.harness import same_threads
from wordsight.compute import n_threads
from wordsight.exceptions import InputError, WordsightError
from wordsight.storage import check_writable

_BY_NAME = {each.name: each for each in BENCHMARKS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks named, or all; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        width = max(map(len, _BY_NAME))
        for each in BENCHMARKS:
            _say(f"{each.name:{width}}  {each.title}")
        return 0
    try:
        chosen = [_named(name) for name in options.names] or list(BENCHMARKS)
        setting = _setting(options)
        if options.json:
            check_writable(options.json)
            records.read(options.json)  # what cannot be added to is told before the work
    except WordsightError as error:
        _complain(str(error))
        return 2 if isinstance(error, InputError) else 1
    with same_threads(setting.threads):
        ended_well = [_run(each, setting, options.json) for each in chosen]
    return 0 if all(ended_well) else 1


def _run(benchmark: Benchmark, setting: Setting, place: Path | None) -> bool:
    """Run one benchmark, print what it found and keep it; tell whether it went well."""
    _say(f"{benchmark.name}: {benchmark.title}, {setting.threads} threads")
    try:
        outcome = benchmark.run(setting)
        today = datetime.now(UTC).date().isoformat()
        entry = records.record(benchmark, outcome, setting, today)
        if place:
            records.merge_into(place, benchmark.name, entry)
    except Skipped as reason:
        _say(f"  skipped: {reason}\n")
        return True
    except (Failed, WordsightError) as reason:
        _say(f"  failed: {reason}\n")
        _complain(f"{benchmark.name} failed: {reason}")
        return False
    _show(benchmark, entry)
    return True


def _show(benchmark: Benchmark, entry: records.Record) -> None:
    if entry["contenders"]:
        _say(tables.text(tables.contenders(entry)))
    elif "series" not in entry["facts"]:
        _say(tables.text(tables.facts(entry)))
    else:
        for series in entry["facts"]["series"]:
            pairs = zip(series["sizes"], series["seconds"], strict=True)
            points = ", ".join(f"{size:,}: {tables.duration(taken)}" for size, taken in pairs)
            _say(f"  {series['stage']} with {series['against']}: {points}")
    if benchmark.targets:
        _say(tables.text(tables.targets([benchmark], {benchmark.name: entry})))
    for note in entry["notes"]:
        _say(f"  {note}")
    _say("")


def _named(name: str) -> Benchmark:
    if name not in _BY_NAME:
        near = get_close_matches(name, _BY_NAME, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"there is no benchmark {name!r}{hint} (all: {', '.join(_BY_NAME)})")
    return _BY_NAME[name]


def _setting(options: argparse.Namespace) -> Setting:
    if not 1 <= options.threads <= n_threads():
        raise InputError(
            f"--threads {options.threads} was given; expected 1 to {n_threads()}, the cores here"
        )
    data: Path | None = options.data
    if data is not None and not (data / "cifar10").is_dir():
        raise InputError(f"there is no folder cifar10 in {data}; give the folder that holds it")
    return Setting(options.quick, options.threads, None if data is None else data.resolve())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run; all")
    parser.add_argument("--quick", action="store_true", help="seconds, and rougher numbers")
    parser.add_argument(
        "--threads",
        type=int,
        default=n_threads(),
        metavar="N",
        help="cores for either side; all (%(default)s)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="a folder with cifar10/ and word_vectors/"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to add the numbers, or to replace them"
    )
    parser.add_argument("--list", action="store_true", help="name the benchmarks, and end")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _complain(sentence: str) -> None:
    sys.stderr.write(f"python -m benchmarks: error: {sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
