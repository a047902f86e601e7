"""docs/results.md: the tables of the report, without pictures."""

import re
from collections.abc import Iterator, Sequence

from wordsight.experiments.comparison import compare, duration, memory, timings
from wordsight.experiments.deviations import DEVIATIONS
from wordsight.experiments.results import ExperimentResults, Results
from wordsight.experiments.summary import (
    GLANCE,
    HOW_TO_READ,
    RERUN,
    TIMES,
    facts,
    reason,
    summary,
    warnings,
)

__all__ = ["markdown"]

BEYOND = """\
What the gates, classifiers and features of later years add to these numbers, on features that no \
unseen class has touched: [beyond the paper](beyond-the-paper.md). Tried there, and of little or \
no help: choosing the gate for each pair of unseen classes, the softmax's confidence and energy, \
boosted trees and products of scores in a combined gate, CSLS and the inverted softmax between two \
unseen words, the map of words to features."""


def markdown(results: Results) -> str:
    """Return the page of the documentation that holds these results.

    The same results give the same text.
    """
    parts = [
        f"Written by {_code(results.command)}: change that, not this page.",
        "# Results",
        _text(summary(results)),
        *(f"> **{title}:** {_text(text)}" for title, text in warnings(results)),
        _table(["what", "value"], [[_text(key), _text(text)] for key, text in facts(results)]),
        f"## {GLANCE}",
        HOW_TO_READ,
        *_glance(results),
    ]
    for experiment in results.experiments:
        parts += _experiment(results, experiment)
    parts += ["## Times", TIMES, _times(results)]
    parts += ["## Where this differs from the papers"]
    parts += [f"- **{title}.** {text}" for title, text in DEVIATIONS]
    parts += ["[All deviations](deviations.md), with their reasons."]
    parts += ["## After the paper", BEYOND, "## How to rerun"]
    parts += [_code(results.command), RERUN]
    return "\n\n".join(parts) + "\n"


def _glance(results: Results) -> Iterator[str]:
    """Yield the table of all numbers that have a published value."""
    rows = [
        [
            _text(each.number.what),
            _text(f"{each.published} ({each.number.source or experiment.source})"),
            each.ours,
            each.difference_text,
            each.verdict,
            _text(reason(results, each)),
        ]
        for experiment in results.experiments
        for each in compare(experiment)
        if each.number.published is not None
    ]
    if rows:
        head = ["what", "published", "ours", "difference", "verdict", "where ours falls short, why"]
        yield _table(head, rows)
    else:
        yield "None of the numbers measured has a published value."


def _experiment(results: Results, experiment: ExperimentResults) -> Iterator[str]:
    yield f"## {_text(experiment.title)}"
    yield _text(f"{experiment.source}. {experiment.about}")
    seeds = results.seeds if len(results.seeds) > 1 else ()
    rows = [
        [
            _text(each.number.what),
            each.ours,
            each.published,
            *([", ".join(each.seed_text(seed) for seed in seeds)] if seeds else []),
        ]
        for each in compare(experiment)
    ]
    yield _table(["what", "ours", "published", *(["each seed"] if seeds else [])], rows)


def _times(results: Results) -> str:
    head = ["work", *(f"seed {seed}" for seed in results.seeds), "all"]
    rows = [
        [
            _text(name),
            *("—" if each is None else duration(each) for each in of_seeds),
            duration(sum_),
        ]
        for name, of_seeds, sum_ in timings(results)
    ]
    if results.peak_bytes is not None:
        rows.append(["peak memory", *("" for _ in results.seeds), memory(results.peak_bytes)])
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str) -> str:
    """Return text that markdown and HTML in it do not change, on one line."""
    line = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", line)


def _code(text: str) -> str:
    """Return text between enough backticks, on one line."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"
