"""Work on a cluster: what it costs beside the same work without one, and with many images."""

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.apart import Command, compare_apart, wordsight
from benchmarks.benchmark import Benchmark, Failed, Outcome, Setting, Skipped, Target, is_installed
from benchmarks.features import N_ATOMS
from benchmarks.material import cifar, mosaics, room, small_model, write_parquet

__all__ = ["CLUSTER", "CLUSTER_SCALE"]

ROW_GROUP = 4096
SIDE = 8
"""Height and width of the synthetic pictures."""


def run(setting: Setting) -> Outcome:
    """Predict the same images without a cluster and with one of as many workers as threads."""
    _check_installed()
    n_images, n_atoms, n_rounds = (5000, 20, 1) if setting.quick else (50_000, N_ATOMS, 1)
    with room(1.0) as folder:
        data = folder / "images.parquet"
        write_parquet(data, setting, n_images)
        small_model(folder / "model", n_atoms=n_atoms)
        plain, spread = folder / "plain.jsonl", folder / "spread.jsonl"
        measured = compare_apart(
            [
                _command("without a cluster", folder, data, plain, n_images),
                _command("on a cluster of this machine", folder, data, spread, n_images, "auto"),
            ],
            n_rounds,
        )
        differing = int(plain.read_bytes() != spread.read_bytes())
        worker = _report(folder / "run")["worker_peak_bytes"] / 1e6
    return Outcome(
        measured,
        {"overhead": measured[1].ratio, "agreement": float(differing)},
        unit="image",
        facts={
            "n_images": n_images,
            "n_atoms": n_atoms,
            "workers": setting.threads,
            "worker_peak_megabytes": worker,
            "images": "CIFAR-10" if cifar(setting) else "made up",
        },
    )


def _command(
    name: str, folder: Path, data: Path, out: Path, n_images: int, cluster: str | None = None
) -> Command:
    extra = () if cluster is None else ("--cluster", cluster, "--run", folder / "run")
    command = wordsight("predict", folder / "model", data, "--out", out, "--quiet", *extra)

    def clear() -> None:
        out.unlink(missing_ok=True)
        shutil.rmtree(folder / "run", ignore_errors=True)

    return Command(name, command, n_images, before=clear if cluster else _removing(out))


def _removing(out: Path) -> Callable[[], None]:
    return lambda: out.unlink(missing_ok=True)


def run_scale(setting: Setting) -> Outcome:
    """Write the features of ever more images, without a cluster and with one."""
    _check_installed()
    sizes = (2000, 8000) if setting.quick else (10_000, 100_000, 1_000_000)
    facts: dict[str, Any] = {"sizes": list(sizes), "side": SIDE, "costs": []}
    measured = []
    with room(4.0) as folder:
        small_model(folder / "model", n_atoms=4)
        for n in sizes:
            data = folder / f"{n}.parquet"
            _write_many(data, n)
            pair = compare_apart(
                [
                    _features(f"{n:,} images, without a cluster", folder, data, n),
                    _features(f"{n:,} images, on a cluster", folder, data, n, "auto"),
                ],
                1,
            )
            measured += pair
            facts["costs"].append(_cost(n, pair[1].peak_megabytes, _report(folder / "run")))
            data.unlink()
    plain = [one.peak_megabytes for one in measured[::2]]
    spread = [one.peak_megabytes for one in measured[1::2]]
    workers = [one["worker_peak_megabytes"] for one in facts["costs"]]
    reached = {
        key: peaks[-1] / peaks[-2]
        for key, peaks in (("plain", plain), ("driver", spread), ("worker", workers))
        if peaks[-1] and peaks[-2]
    }
    return Outcome(measured, reached, unit="image", facts=facts)


def _features(name: str, folder: Path, data: Path, n: int, cluster: str | None = None) -> Command:
    out = folder / "features.parquet"
    extra = () if cluster is None else ("--cluster", cluster, "--run", folder / "run")
    command = wordsight("features", folder / "model", data, "--out", out, "--quiet", *extra)

    def clear() -> None:
        out.unlink(missing_ok=True)
        shutil.rmtree(folder / "run", ignore_errors=True)

    return Command(name, command, n, before=clear)


def _cost(n: int, driver_peak: float | None, report: dict[str, Any]) -> dict[str, Any]:
    """Return what a million images would cost, from what these did."""
    each = 1e6 / n
    return {
        "n_images": n,
        "cpu_hours": report["cpu_seconds"] / 3600 * each,
        "gigabytes_read": report["bytes_read"] / 1e9 * each,
        "gigabytes_written": report["bytes"] / 1e9 * each,
        "worker_peak_megabytes": report["worker_peak_bytes"] / 1e6,
        "driver_peak_megabytes": driver_peak,
    }


def _report(run: Path) -> dict[str, Any]:
    shown = subprocess.run(
        wordsight("runs", "show", run, "--json"), check=False, capture_output=True, text=True
    )
    if shown.returncode:
        raise Failed(f"the run cannot be read: {shown.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def _write_many(path: Path, n: int) -> None:
    """Write small labelled pictures, of which so many differ as a row group holds."""
    images, codes = mosaics(ROW_GROUP)
    files = []
    for image in images[:, :SIDE, :SIDE]:
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image)).save(file, format="PNG")
        files.append(file.getvalue())
    names = [f"class {code}" for code in codes]
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
         ("label", pa.string())]
    )  # fmt: skip
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, n, ROW_GROUP):
            some = min(ROW_GROUP, n - start)
            rows = [{"bytes": content, "path": None} for content in files[:some]]
            writer.write_table(pa.table({"image": rows, "label": names[:some]}, schema=schema))


def _check_installed() -> None:
    if not is_installed("ray"):
        raise Skipped("it needs ray: pip install 'wordsight[ray]'")


CLUSTER = Benchmark(
    name="cluster",
    title="One machine as a cluster",
    about="`wordsight predict` of 50,000 images in a parquet file with 1,600 atoms, from "
    "the start of the process to the rows on disk, without a cluster and with `--cluster auto`, "
    "which starts Ray and has a worker for each core. Whole processes in turn, once.",
    targets=(
        Target("overhead", "time on a cluster of 2 workers, times that without", 1.15, "×"),
        Target("agreement", "files of rows that differ", 0.0, agreement=True),
    ),
    run=run,
)

CLUSTER_SCALE = Benchmark(
    name="cluster-scale",
    title="Ever more images",
    about="`wordsight features` of synthetic pictures of 8 × 8 pixels, 4 atoms: so little work an "
    "image that what is not work shows. Costs are those of the workers, from `wordsight runs "
    "show`, per million images.",
    targets=(
        Target("plain", "peak memory of 1,000,000 images over that of 100,000", 1.1, "×"),
        Target("driver", "… of the process that asks, on a cluster", 1.1, "×"),
        Target("worker", "… of its workers", 1.1, "×"),
    ),
    run=run_scale,
)
