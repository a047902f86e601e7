"""Our numbers beside the published ones: mean, spread, difference, and how they are written."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wordsight.experiments.experiment import Number
from wordsight.experiments.results import ExperimentResults, Results

__all__ = [
    "MISSING",
    "Comparison",
    "compare",
    "duration",
    "in_words",
    "memory",
    "plain",
    "timings",
]

MISSING = "not measured"
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True)
class Comparison:
    """One number over all seeds, beside what is in print.

    Attributes
    ----------
    number : Number
    values : dict of int to float
        By seed; seeds that did not measure it are missing.
    """

    number: Number
    values: dict[int, float]

    @property
    def mean(self) -> float | None:
        """The mean over seeds, or None where nothing was measured."""
        return math.fsum(self.values.values()) / len(self.values) if self.values else None

    @property
    def sd(self) -> float | None:
        """The standard deviation of one seed (n - 1 below), or None for fewer than two seeds."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else None

    @property
    def difference(self) -> float | None:
        """Ours less the published value, or None where there is not both."""
        if self.mean is None or self.number.published is None:
            return None
        return self.mean - self.number.published

    @property
    def falls_short(self) -> bool:
        """Whether ours is worse than the published value by as much as is written."""
        if self.difference is None or self.number.higher_is_better is None:
            return False
        written = round(self.difference, self._digits)
        return written < 0 if self.number.higher_is_better else written > 0

    @property
    def verdict(self) -> str:
        """Where ours stands, in words: what a colour alone must not say."""
        if self.mean is None:
            return MISSING
        if self.difference is None:
            return ""
        if self.number.higher_is_better is None:
            return "for comparison"
        return "falls short" if self.falls_short else "reached"

    @property
    def reason(self) -> str:
        """Why ours falls short; empty where it does not."""
        return (self.number.reason or "no reason is known") if self.falls_short else ""

    @property
    def ours(self) -> str:
        """Mean ± standard deviation."""
        if self.mean is None:
            return MISSING
        mean = self._written(self.mean)
        return mean if self.sd is None else f"{mean} ± {self._written(self.sd)}"

    @property
    def published(self) -> str:
        """The value in print, as it would be printed: .83 is 0.830."""
        value = self.number.published
        if value is None:
            return ""
        shortest = f"{value:.10g}"
        return max(shortest, f"{value:.3f}", key=len) if 0 < abs(value) < 1 else shortest

    @property
    def difference_text(self) -> str:
        """The difference with its sign, and in standard deviations where these are known."""
        if self.difference is None:
            return ""
        text = _signed(self._written(self.difference), self.difference)
        if not self.sd:
            return text
        ratio = self.difference / self.sd
        return f"{text} ({_signed(f'{ratio:.1f}', ratio)} sd)"

    def seed_text(self, seed: int) -> str:
        """Return the value of one seed."""
        return self._written(self.values[seed]) if seed in self.values else MISSING

    def _written(self, value: float) -> str:
        # a mean of whole numbers, such as of counts, keeps one digit
        digits = 0 if self._whole and value.is_integer() else self._digits
        return f"{value:,.{digits}f}"

    @property
    def _whole(self) -> bool:
        values = self.values.values()
        return all(value.is_integer() for value in values) and any(abs(v) > 1 for v in values)

    @property
    def _digits(self) -> int:
        if self._whole:
            return 1
        largest = max((abs(value) for value in self.values.values()), default=0)
        return 4 if largest < 10 else 2


def compare(experiment: ExperimentResults) -> list[Comparison]:
    """Return every number of an experiment, in order, with its value for each seed."""
    return [
        Comparison(
            number,
            {
                run.seed: float(run.numbers[number.key])
                for run in experiment.runs
                if number.key in run.numbers
            },
        )
        for number in experiment.numbers
    ]


def _signed(written: str, value: float) -> str:
    """Write the sign of a difference out; what rounds to nothing has none."""
    digits = written.lstrip("-")
    if not digits.strip("0.,"):
        return digits
    return ("−" if value < 0 else "+") + digits


def duration(seconds: float) -> str:
    """Return seconds for people: 62 is "1 min 2 s"."""
    whole = round(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        minutes, rest = divmod(whole, _MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / _MINUTE), _MINUTE)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def memory(n_bytes: int) -> str:
    """Return bytes as gigabytes of 10⁹."""
    return f"{n_bytes / 1e9:.1f} GB"


def plain(value: Any, *, inside: bool = False) -> str:
    """Return a JSON value in words: lists by commas, null as "all", as settings mean it."""
    if isinstance(value, dict):
        pairs = (f"{in_words(key)}: {plain(item, inside=True)}" for key, item in value.items())
        # one within another has brackets, or nobody knows where it ends
        return f"({', '.join(pairs)})" if inside else "; ".join(pairs)
    if isinstance(value, list):
        return ", ".join(plain(item, inside=True) for item in value)
    if value is None or isinstance(value, bool):
        return {None: "all", True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def in_words(key: str) -> str:
    """Return the name of a setting as words: n_atoms is "atoms"."""
    return key.removeprefix("n_").replace("_", " ")


def timings(results: Results) -> Iterator[tuple[str, list[float | None], float]]:
    """Yield the rows of the table of times, the last their sum: name, seconds of each seed, of all.

    Work that serves all seeds has no seconds for any of them.
    """
    parts: list[tuple[str, int | None, float]] = [
        *((stage.name, stage.seed, stage.seconds) for stage in results.stages),
        *((each.title, run.seed, run.seconds) for each in results.experiments for run in each.runs),
    ]
    for name in dict.fromkeys(name for name, _seed, _seconds in parts):
        own = [(seed, seconds) for at, seed, seconds in parts if at == name]
        yield name, *_sums(results, own)
    yield "Total", *_sums(results, [(seed, seconds) for _name, seed, seconds in parts])


def _sums(
    results: Results, seconds: list[tuple[int | None, float]]
) -> tuple[list[float | None], float]:
    of_seeds: list[float | None] = []
    for seed in results.seeds:
        own = [value for at, value in seconds if at == seed]
        of_seeds.append(math.fsum(own) if own else None)
    return of_seeds, math.fsum(value for _seed, value in seconds)
