"""Make what the tables of `docs/beyond-the-paper.md` need, and the tables.

``python -m benchmarks.beyond --data DIR --words FILE --work DIR`` keeps finished parts in `--work`,
and goes on where it was.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from benchmarks.beyond.class_scores import BLOCKS, Images, Pair, block_of, make_scores
from wordsight import open_dataset
from wordsight.experiments.lab import choose_images
from wordsight.experiments.setting import PUBLISHED_PAIRS

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Part:
    """One set of features, and the pairs whose scores are made from it."""

    seed: int
    block: int
    mirror: bool
    pairs: tuple[Pair, ...]

    @property
    def name(self) -> str:
        """Return the name of its file."""
        kind = "mirror" if self.mirror else "plain"
        return f"scores-seed{self.seed}-block{self.block}-{kind}.npz"


def parts() -> list[Part]:
    """Return all parts: the published pairs with three seeds, then all pairs with the first."""
    found = []
    for seed in SEEDS:
        for mirror in (False, True):
            for number, block in enumerate(BLOCKS):
                published = tuple(p for p in PUBLISHED_PAIRS if block_of(p) == block)
                if published:
                    found.append(Part(seed, number, mirror, published))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the scores."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beyond", description=__doc__)
    parser.add_argument("--data", required=True, help="CIFAR-10")
    parser.add_argument("--work", required=True, type=Path, help="where finished parts are kept")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    train, test = (
        choose_images(open_dataset(options.data, split=name), None, 0, name)
        for name in ("train", "test")
    )
    images = Images(train, test)
    for part in parts():
        place = options.work / part.name
        if place.exists():
            continue
        start = perf_counter()
        with TemporaryDirectory(dir=options.work) as folder:
            found = make_scores(
                images,
                BLOCKS[part.block],
                part.pairs,
                seed=part.seed,
                mirror=part.mirror,
                work=Path(folder),
            )
            whole = Path(folder) / part.name
            np.savez(whole, allow_pickle=False, **found)
            whole.replace(place)
        sys.stderr.write(f"{part.name}: {perf_counter() - start:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
