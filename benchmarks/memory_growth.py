"""How memory grows with the number of training images, and training as a whole."""

import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.apart import Command, compare_apart, wordsight
from benchmarks.benchmark import Benchmark, Outcome, Setting, Skipped, Target
from benchmarks.material import cifar, room, write_parquet

__all__ = ["FIT", "MEMORY_GROWTH"]


def run_growth(setting: Setting) -> Outcome:
    """Fit from parquet with a cache, few images and five times as many."""
    sizes = (200, 1000) if setting.quick else (10_000, 50_000)
    extra = ("--atoms", "40", "--patches", "4000") if setting.quick else ()
    with room(0.1 if setting.quick else 8.0) as folder:
        fits = []
        for n in sizes:
            data = folder / f"{n}.parquet"
            write_parquet(data, setting, n)
            fits.append(
                _fit(
                    f"fit, {n:,} images, with a cache",
                    data,
                    folder,
                    ("--cache", folder / "cache", *extra),
                )
            )
        measured = compare_apart(fits, 1)
    few, many = measured
    reached = {}
    if few.peak_megabytes and many.peak_megabytes:
        reached["growth"] = many.peak_megabytes / few.peak_megabytes
    return Outcome(
        measured,
        reached,
        unit="fit",
        facts={
            "n_images": list(sizes),
            "peak_megabytes": [each.peak_megabytes for each in measured],
            "images": "CIFAR-10" if cifar(setting) else "made up",
        },
    )


def run_fit(setting: Setting) -> Outcome:
    """Fit on CIFAR-10 without cat and truck, as a user would."""
    source = cifar(setting)
    if source is None or setting.data is None:
        raise Skipped("it needs CIFAR-10: name the folder that holds cifar10/ with --data")
    words = setting.data / "word_vectors" / "acl2012_cifar.txt"
    extra: tuple[str | Path, ...] = ("--unseen", "cat,truck")
    extra += ("--words", words) if words.exists() else ()
    with room(8.0) as folder:
        if setting.quick:
            write_parquet(folder / "some.parquet", setting, 1000)
            source = folder / "some.parquet"
            extra += ("--atoms", "40", "--patches", "4000")
        measured = compare_apart([_fit("wordsight fit", source, folder, extra)], 1)
    (ours,) = measured
    reached = {"minutes": ours.median / 60}
    if ours.peak_megabytes:
        reached["memory"] = ours.peak_megabytes / 1e3
    return Outcome(measured, reached, unit="fit")


def _fit(name: str, data: Path, folder: Path, extra: tuple[str | Path, ...]) -> Command:
    out = folder / "model"
    command = wordsight("fit", data, "--out", out, "--quiet", *extra)
    return Command(name, command, before=_without(out, folder / "cache"))


def _without(*folders: Path) -> Callable[[], None]:
    def remove() -> None:
        for one in folders:
            shutil.rmtree(one, ignore_errors=True)

    return remove


MEMORY_GROWTH = Benchmark(
    name="memory-growth",
    title="Growth of memory",
    about="`wordsight fit` from parquet, 1,600 atoms, with an empty cache to begin with; the peak "
    "of the whole process. One run each.",
    targets=(
        Target(
            "growth",
            "memory growth from 10,000 to 50,000 training images with the cache",
            1.2,
            "×",
        ),
    ),
    run=run_growth,
)

FIT = Benchmark(
    name="fit",
    title="Parquet to saved model",
    about="`wordsight fit` on the training images of CIFAR-10 without cat and truck, 40,000, with "
    "the paper's settings, from the parquet file to the saved model, without a cache. One run.",
    targets=(
        Target("minutes", "parquet to saved model", 5.0, "minutes"),
        Target("memory", "… its peak memory", 6.0, "GB"),
    ),
    run=run_fit,
)
