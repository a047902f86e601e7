"""Results as tables, for the terminal and for the page; both from the same records."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.benchmark import Benchmark, Target
from benchmarks.records import Record

__all__ = [
    "Table",
    "asked",
    "contenders",
    "costs",
    "facts",
    "growth",
    "machines",
    "markdown",
    "number",
    "stages",
    "targets",
    "text",
]

Table = list[list[str]]
"""Rows of cells; the first row is the head."""

NOT_MEASURED = "not measured"


def contenders(entry: Record) -> Table:
    """Return who took how long and how much memory."""
    head = ["", f"time for one {entry['unit']}", "times the first", "peak memory"]
    rows = [head]
    for each in entry["contenders"]:
        memory = each["peak_megabytes"]
        added = "" if each["memory_of"] == "process" else "+"
        rows.append(
            [
                each["name"],
                _spread(each["seconds"], duration),
                _spread(each["ratios"], number) if each is not entry["contenders"][0] else "1",
                "" if memory is None else f"{added}{number(memory)} MB",
            ]
        )
    return rows


def targets(
    benchmarks: Sequence[Benchmark], entries: Mapping[str, Record], *, agreement: bool = True
) -> Table:
    """Return what was asked for, what was reached, and whether that is enough.

    Parameters
    ----------
    benchmarks : sequence of Benchmark
    entries : dict of str to record
    agreement : bool
        Whether to show, too, how well results agree with their references.
    """
    rows = [["what", "asked", "reached", "enough"]]
    for benchmark in benchmarks:
        entry = entries.get(benchmark.name)
        rows += [
            _target_row(target, entry)
            for target in benchmark.targets
            if agreement or not target.agreement
        ]
    return rows


def _target_row(target: Target, entry: Record | None) -> list[str]:
    value = None if entry is None else entry["reached"].get(target.key)
    if value is None or entry is None:
        return [target.what, asked(target), NOT_MEASURED, "–"]
    verdict = "yes" if target.is_reached(value) else "no"
    if entry["quick"]:  # of another size: it proves nothing
        verdict = "quick run"
    return [target.what, asked(target), _with_unit(value, target.unit), verdict]


def asked(target: Target) -> str:
    """Write what is asked for."""
    sign = "≥" if target.at_least else "≤"
    return f"{sign} {target.asked:g} {target.unit}".strip()


def facts(entry: Record) -> Table:
    """Return all further numbers, one a row."""
    return [["what", "value"], *([name, value] for name, value in _flat(entry["facts"]))]


def costs(entry: Record) -> Table:
    """Return what a million images cost on a cluster, by how many there were."""
    rows = [
        [
            "images", "core-hours a million", "GB read a million", "GB of parts a million",
            "memory of a worker", "of the process that asks",
        ]
    ]  # fmt: skip
    for one in entry["facts"]["costs"]:
        rows.append(
            [
                f"{one['n_images']:,}",
                number(one["cpu_hours"]),
                number(one["gigabytes_read"]),
                number(one["gigabytes_written"]),
                f"{number(one['worker_peak_megabytes'])} MB",
                f"{number(one['driver_peak_megabytes'])} MB",
            ]
        )
    return rows


def stages(benchmarks: Sequence[Benchmark], entries: Mapping[str, Record]) -> Table:
    """Return operations and bytes of each stage, and how near to the ceilings it comes."""
    rows = [
        ["stage", "for one", "operations", "bytes", "time", "GFLOP/s", "of the product", "GB/s"]
    ]
    ceiling = entries.get("ceilings", {}).get("facts", {}).get("product_gflops")
    for benchmark in benchmarks:
        entry = entries.get(benchmark.name)
        if entry is None or not entry["contenders"] or not entry["operations"]:
            continue
        seconds = statistics.median(entry["contenders"][0]["seconds"])
        speed = 1e-9 * entry["operations"] / seconds
        on_processor = ceiling and benchmark.name != "gpu"
        rows.append(
            [
                benchmark.title + (" (quick)" if entry["quick"] else ""),
                entry["unit"],
                _with_prefix(entry["operations"], "FLOP"),
                _with_prefix(entry["bytes"], "B") if entry["bytes"] else "",
                duration(seconds),
                number(speed),
                f"{speed / ceiling:.0%}" if on_processor else "",
                number(1e-9 * entry["bytes"] / seconds) if entry["bytes"] else "",
            ]
        )
    return rows


def growth(entry: Record) -> Table:
    """Return how often the time doubles when a size does, between the ends of each series."""
    rows = [["stage", "grows with", "from", "to", "time", "power"]]
    for one in entry["facts"]["series"]:
        sizes, seconds = one["sizes"], one["seconds"]
        power = math.log(seconds[-1] / seconds[0]) / math.log(sizes[-1] / sizes[0])
        rows.append(
            [
                one["stage"],
                one["against"],
                f"{sizes[0]:,}",
                f"{sizes[-1]:,}",
                f"{duration(seconds[0])} – {duration(seconds[-1])}",
                f"{power:.2f}",
            ]
        )
    return rows


def machines(benchmarks: Sequence[Benchmark], entries: Mapping[str, Record]) -> Table:
    """Return where, when and of what the results are, one row for those that share all that."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for benchmark in benchmarks:
        entry = entries.get(benchmark.name)
        if entry is None:
            continue
        machine = entry["machine"]
        place = (
            str(entry["threads"]),
            machine["processor"],
            f"{number(machine['memory_gb'])} GB",
            f"Wordsight {entry['version']}, Python {machine['python']}, "
            f"NumPy {machine['numpy']}, torch {machine['torch']}",
            entry["data"] or "made up",
            entry["when"],
        )
        name = benchmark.name + (" (quick)" if entry["quick"] else "")
        alike.setdefault(place, []).append(name)
    head = ["benchmarks", "threads", "processor", "memory", "versions", "pictures", "day"]
    return [head, *([", ".join(names), *place] for place, names in alike.items())]


def markdown(table: Table) -> str:
    """Write a table in Markdown; without rows it is a sentence."""
    if len(table) < 2:
        return f"_{NOT_MEASURED.capitalize()} yet._"
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])


def text(table: Table) -> str:
    """Write a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)
    return "\n".join(f"  {line}" for line in lines)


def number(value: float) -> str:
    """Write a number with three digits."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
        return f"{value:,.{digits}f}" if abs(value) >= 1 else f"{value:.3g}"
    return f"{value:.1e}"


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds < 1e-3:
        return f"{number(1e6 * seconds)} µs"
    if seconds < 1:
        return f"{number(1e3 * seconds)} ms"
    return f"{number(seconds)} s" if seconds < 120 else f"{number(seconds / 60)} min"


def _with_unit(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()


def _with_prefix(value: float, unit: str) -> str:
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{number(value / size)} {prefix}{unit}"
    return f"{number(value)} {unit}"


def _spread(values: Sequence[float], write: Any) -> str:
    middle = write(statistics.median(values))
    if len(values) == 1:
        return f"{middle} (one run)"
    return f"{middle} ({write(min(values))} – {write(max(values))})"


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{before}{key.replace('_', ' ')}"
        for suffix, unit in _UNITS.items():
            if name.endswith(suffix):
                name = f"{name.removesuffix(suffix)}, {unit}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}: ")
        elif isinstance(value, list):
            yield name, ", ".join(_written(each) for each in value)
        else:
            yield name, _written(value)


_UNITS = {" gb per second": "GB/s", " gflops": "GFLOP/s", " tflops": "TFLOP/s"}
"""What the names of facts end with, and how that is written."""


def _written(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "unknown" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else number(value)
