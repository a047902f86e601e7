"""What the machine can do at most: products, memory, disk."""

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from benchmarks.benchmark import Benchmark, Outcome, Setting
from benchmarks.features import N_ATOMS, N_PATCHES, N_VALUES
from benchmarks.harness import same_threads
from benchmarks.material import room

__all__ = ["BENCHMARK"]


def run(setting: Setting) -> Outcome:
    """Measure each ceiling by the best of several runs: a ceiling is what was reached once."""
    size, megabytes, n_runs = (512, 64, 2) if setting.quick else (4096, 2048, 7)
    facts = {
        "product_gflops": _product(size, size, size, torch.float32, n_runs),
        "product_double_gflops": _product(size, size, size, torch.float64, n_runs),
        "product_of_an_image_gflops": _product(
            N_PATCHES, N_VALUES, N_ATOMS, torch.float32, 20 * n_runs
        ),
    }
    with same_threads(1):
        facts["product_one_thread_gflops"] = _product(size, size, size, torch.float32, n_runs)
        facts["product_of_an_image_one_thread_gflops"] = _product(
            N_PATCHES, N_VALUES, N_ATOMS, torch.float32, 20 * n_runs
        )
    facts |= _memory(megabytes, n_runs) | _disk(megabytes)
    return Outcome(facts=facts)


def _best(work: Callable[[], object], n_runs: int) -> float:
    work()
    seconds = []
    for _ in range(n_runs):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return min(seconds)


def _product(n: int, k: int, m: int, dtype: torch.dtype, n_runs: int) -> float:
    a, b = torch.rand(n, k, dtype=dtype), torch.rand(k, m, dtype=dtype)
    out = torch.empty(n, m, dtype=dtype)
    return 2e-9 * n * k * m / _best(lambda: torch.mm(a, b, out=out), n_runs)


def _memory(megabytes: int, n_runs: int) -> dict[str, float]:
    """Read a table far larger than any cache; copy it (a byte copied is read and written)."""
    a = torch.ones(megabytes * 250_000)  # of 4 bytes
    b = torch.empty_like(a)
    n_bytes = 4e-9 * a.numel()
    return {
        "memory_read_gb_per_second": n_bytes / _best(a.sum, n_runs),
        "memory_copy_gb_per_second": 2 * n_bytes / _best(lambda: b.copy_(a), n_runs),
    }


def _disk(megabytes: int) -> dict[str, float]:
    """Write a file and wait until it is on the disk; read it after the system has forgotten it."""
    block = np.random.default_rng(0).bytes(1_000_000)
    with room(megabytes / 1e3) as folder:
        path = folder / "file"
        start = perf_counter()
        with path.open("wb") as file:
            for _ in range(megabytes):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        written = perf_counter() - start
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return {
            "disk_write_gb_per_second": megabytes / 1e3 / written,
            "disk_read_gb_per_second": megabytes / 1e3 / _read(path),
            "cached_file_read_gb_per_second": megabytes / 1e3 / _read(path),
        }


def _read(path: Path) -> float:
    buffer = bytearray(1_000_000)
    start = perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return perf_counter() - start


BENCHMARK = Benchmark(
    name="ceilings",
    title="Ceilings",
    about="The best of several runs. Products are torch's, 4096 × 4096 by 4096 × 4096 and of the "
    "shape of an image (729 × 108 by 108 × 1,600); memory is one table of 2 GB, read or copied (a "
    "byte copied counts twice); the disk is the one that temporary files are on, written until it "
    "is there, read after the system was told to forget it.",
    targets=(),
    run=run,
)
