"""``python -m benchmarks [--quick] [--threads N] [--json FILE]``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import features
from benchmarks.harness import describe_machine, same_threads
from wordsight.compute import n_threads
from wordsight.storage import atomic_path


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every benchmark, print a table and write the numbers if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, rougher numbers")
    parser.add_argument("--threads", type=int, default=n_threads(), help="cores for either side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the numbers")
    options = parser.parse_args(arguments)
    if not 1 <= options.threads <= n_threads():
        parser.error(f"--threads {options.threads}: give 1 to {n_threads()}")
    with same_threads(options.threads):
        measured, facts = features.encoding(quick=options.quick)
    say = sys.stdout.write
    say(f"encoding 32 × 32 images, 1,600 atoms, {options.threads} threads; for one image:\n")
    for each in measured:
        say(f"  {each.row()}\n")
    say(f"  largest difference to the literal rendering: {facts['largest_difference']:.1e}\n")
    if options.json:
        record = {
            "threads": options.threads,
            "quick": options.quick,
            **describe_machine(),
            "encoding": {**facts, "contenders": [each.record() for each in measured]},
        }
        with atomic_path(options.json) as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
