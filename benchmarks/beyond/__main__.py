"""Make the tables of `docs/beyond-the-paper.md`.

``python -m benchmarks.beyond --data DIR --words FILE --work DIR`` keeps finished parts in `--work`,
goes on where it was, writes ``docs/beyond.json`` and fills the page. With what `wordsight reproduce
--cache DIR` has kept (`--cache`), the part on all 45 pairs takes a minute.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.beyond.all_pairs import told_apart
from benchmarks.beyond.class_scores import (
    ALPHAS,
    BLOCKS,
    Images,
    Pair,
    block_of,
    make_scores,
)
from benchmarks.beyond.peers import score_peers
from benchmarks.beyond.recognition import PairScores, measure
from benchmarks.beyond.tables import TABLES
from wordsight import WordVectors, open_dataset
from wordsight.experiments.lab import Lab, choose_images
from wordsight.experiments.setting import CLASSES, PUBLISHED_PAIRS, Setting
from wordsight.experiments.store import Store
from wordsight.storage import atomic_path

SEEDS = (0, 1, 2)
PAGE = Path("docs/beyond-the-paper.md")
NUMBERS = Path("docs/beyond.json")


@dataclass(frozen=True)
class Part:
    """One set of features, and the pairs whose scores are made from it."""

    seed: int
    block: int
    mirror: bool
    pairs: tuple[Pair, ...]

    @property
    def kind(self) -> str:
        """Return what features are called in the tables."""
        return "mirror" if self.mirror else "plain"

    @property
    def name(self) -> str:
        """Return what it is called among finished parts."""
        return f"scores-seed{self.seed}-block{self.block}-{self.kind}"


def parts() -> list[Part]:
    """Return all parts: the published pairs, with three seeds."""
    found = []
    for seed in SEEDS:
        for mirror in (False, True):
            for number, block in enumerate(BLOCKS):
                published = tuple(p for p in PUBLISHED_PAIRS if block_of(p) == block)
                if published:
                    found.append(Part(seed, number, mirror, published))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not measured yet, and fill the page."""
    options = _parser().parse_args(arguments)
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    train, test = (
        choose_images(open_dataset(options.data, split=name), None, 0, f"{options.data} ({name})")
        for name in ("train", "test")
    )
    images, words = Images(train, test), WordVectors.load(options.words)
    record: dict[str, Any] = {"pairs": [], "all_pairs": [], "peers": []}
    for part in parts():
        _kept_scores(part, images, work)
        for pair in part.pairs:
            record["pairs"].append(_measured(part, pair, images, words, work))
    for pair in PUBLISHED_PAIRS:
        found = _kept(work, f"peers-{'-'.join(pair)}", partial(score_peers, images, words, pair))
        record["peers"] += [{"pair": "–".join(pair), **one} for one in found]
    for seed in SEEDS:
        lab = Lab(train, test, words, Setting(), seed, Store(options.cache or work / "lab"))
        record["all_pairs"].append(_kept(work, f"all-pairs-seed{seed}", partial(told_apart, lab)))
    if NUMBERS.exists():  # what `python -m benchmarks.beyond.network` has measured
        record["network"] = json.loads(NUMBERS.read_text("utf-8")).get("network", [])
    write(record)
    return 0


def write(record: dict[str, Any]) -> None:
    """Write what was measured, and fill the page."""
    with atomic_path(NUMBERS) as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    fill(PAGE, record)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beyond", description=__doc__)
    parser.add_argument("--data", required=True, help="CIFAR-10")
    parser.add_argument("--words", required=True, help="word vectors")
    parser.add_argument("--work", required=True, type=Path, help="where finished parts are kept")
    parser.add_argument("--cache", type=Path, help="that of wordsight reproduce")
    return parser


def _kept_scores(part: Part, images: Images, work: Path) -> None:
    """Make the scores of a part, unless they are there."""
    place = work / f"{part.name}.npz"
    if place.exists():
        return
    start = perf_counter()
    with TemporaryDirectory(dir=work) as folder:
        found = make_scores(
            images,
            BLOCKS[part.block],
            part.pairs,
            seed=part.seed,
            mirror=part.mirror,
            work=Path(folder),
        )
        whole = Path(folder) / place.name
        np.savez(whole, allow_pickle=False, **found)
        whole.replace(place)
    sys.stderr.write(f"{part.name}: {perf_counter() - start:.0f} s\n")


def _measured(
    part: Part, pair: Pair, images: Images, words: WordVectors, work: Path
) -> dict[str, Any]:
    names, vectors = words.vectors_for(list(CLASSES))
    table = dict(zip(names, np.asarray(vectors, dtype=np.float64), strict=True))
    labels = [np.asarray(each.labels).astype(np.str_) for each in (images.train, images.test)]

    def make() -> dict[str, Any]:
        with np.load(work / f"{part.name}.npz") as scores:
            return measure(PairScores(pair, table, scores, *labels), ALPHAS)

    methods = _kept(work, f"{part.name}-{'-'.join(pair)}", make)
    return {"seed": part.seed, "kind": part.kind, "pair": "–".join(pair), "methods": methods}


def _kept(work: Path, name: str, make: Callable[[], Any]) -> Any:
    """Return a JSON value from the folder, making it once."""
    place = work / f"{name}.json"
    if not place.exists():
        start = perf_counter()
        value = make()
        with atomic_path(place) as temporary:
            temporary.write_text(json.dumps(value), "utf-8")
        sys.stderr.write(f"{name}: {perf_counter() - start:.0f} s\n")
    return json.loads(place.read_text("utf-8"))


def fill(page: Path, record: dict[str, Any]) -> None:
    """Fill the places of a page, ``<!-- table: NAME -->`` to ``<!-- end -->``."""
    text = re.sub(
        r"(<!-- table: (\S+) -->\n).*?(^<!-- end -->)",
        lambda found: f"{found[1]}\n{TABLES[found[2]](record)}\n\n{found[3]}",
        page.read_text("utf-8"),
        flags=re.M | re.S,
    )
    with atomic_path(page) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
