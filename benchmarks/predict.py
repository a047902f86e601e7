"""`wordsight predict` on a folder of small files, the whole process."""

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.apart import Command, compare_apart, wordsight
from benchmarks.benchmark import Benchmark, Outcome, Setting, Target
from benchmarks.features import N_ATOMS, N_PATCHES, N_VALUES
from benchmarks.harness import Contender, compare
from benchmarks.material import room, small_model, write_pngs

__all__ = ["BENCHMARK"]


def run(setting: Setting) -> Outcome:
    """Predict all files; and only decode them, as what cannot be spared."""
    n_files, n_atoms, n_rounds = (100, 50, 1) if setting.quick else (5000, N_ATOMS, 3)
    with room() as folder:
        small_model(folder / "model", n_atoms=n_atoms)
        write_pngs(folder / "files", n_files)
        out = folder / "predictions.csv"
        command = wordsight("predict", folder / "model", folder / "files", "--out", out, "--quiet")
        measured = compare_apart(
            [
                Command("wordsight predict", command, n_files, lambda: out.unlink(missing_ok=True)),
            ],
            n_rounds,
        )
        rows = out.read_text(encoding="utf-8").count("\n") - 1
        decoding = Contender("decode", lambda: _decode(folder / "files"), n_files)
        (decoded,) = compare([decoding], n_rounds)
    (ours,) = measured
    return Outcome(
        measured,
        {"rate": 1.0 / ours.median, "agreement": float(n_files - rows)},
        unit="image",
        operations=2.0 * N_PATCHES * N_VALUES * n_atoms,
        facts={
            "n_files": n_files,
            "images_per_second": 1.0 / ours.median,
            "seconds_in_all": n_files * ours.median,
            "decoding_alone_images_per_second": 1.0 / decoded.median,
        },
    )


def _decode(folder: Path) -> int:
    total = 0
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            total += np.asarray(image.convert("RGB")).size
    return total


BENCHMARK = Benchmark(
    name="predict",
    title="Predict",
    about="`wordsight predict` on a folder of 5,000 PNG files of 32 × 32 pixels with a model of "
    "1,600 atoms: from the start of the process to the table on disk, decoding included.",
    targets=(
        Target(
            "rate",
            "`predict` on a folder of 5,000 small PNG files, whole process",
            300.0,
            "images/s",
            at_least=True,
        ),
        Target("agreement", "files without a row in the table", 0.0, agreement=True),
    ),
    run=run,
)
