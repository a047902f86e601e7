"""How long it takes to start."""

import sys

from benchmarks.apart import Command, compare_apart, wordsight
from benchmarks.benchmark import Benchmark, Outcome, Setting, Target

__all__ = ["BENCHMARK"]


def run(setting: Setting) -> Outcome:
    """Start the command and the library, beside Python alone."""
    measured = compare_apart(
        [
            Command("wordsight --help", wordsight("--help")),
            Command("import wordsight", (sys.executable, "-c", "import wordsight")),
            Command("python alone", (sys.executable, "-c", "pass")),
        ],
        2 if setting.quick else 15,
        warm_up=True,
    )
    return Outcome(
        measured,
        {"help": measured[0].median},
        unit="start",
    )


BENCHMARK = Benchmark(
    name="start",
    title="Start",
    about="Whole processes, files in the cache of the system.",
    targets=(Target("help", "`wordsight --help`", 0.3, "s"),),
    run=run,
)
