"""Mutated files, tried one by one in a process whose memory and time are bounded.

A target is a reader, sound files to begin with, and a way to mend checksums, so that damage gets
past them. Mutant number n of a target is the same in every run: `python fuzzing.py TARGET:n:1`
tries it again, in an empty folder.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

MEMORY = 2 << 30
"""Bytes that one file may take beyond what the process has at the start: 100 megapixels that are
partly transparent take 1.5 GB."""

SECONDS = 20
"""How long one file may take: a hang, and not a slow machine, is what this finds."""

_SEEDS_OF_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class FaultError(AssertionError):
    """A reader did what it may not."""


@dataclass(frozen=True)
class Target:
    """What is tried.

    Attributes
    ----------
    seeds : sequence of bytes
        Sound files.
    attempt : callable
        Reads a file; True where it gave an object, False where it refused in one sentence.
        Anything that it raises is a fault.
    mend : callable or None
        Makes the checksums of a mutated file right again, as well as they can be.
    unpack, pack : callable or None
        Of a compressed file: half of the mutants are made inside.
    cut_alike : callable or None
        Given a sound file and a shorter part of it: raises where the part is read as something
        else than the whole.
    """

    seeds: Sequence[bytes]
    attempt: Callable[[bytes], bool]
    mend: Callable[[bytes], bytes] | None = None
    unpack: Callable[[bytes], bytes] | None = None
    pack: Callable[[bytes], bytes] | None = None
    cut_alike: Callable[[bytes, bytes], bool] | None = None


def mutant(target: Target, number: int) -> tuple[bytes, bytes | None]:
    """Make a mutant; beside it stands the seed, where it is that seed with its end cut off."""
    rng = random.Random(number)
    seed = target.seeds[rng.randrange(len(target.seeds))]
    if rng.random() < 0.1:
        return seed[: rng.randrange(len(seed))], seed
    inside = target.unpack is not None and target.pack is not None and rng.random() < 0.5
    data = bytearray(target.unpack(seed) if inside and target.unpack else seed)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        _change(rng, data, target.seeds)
    made = bytes(data)
    if target.mend is not None and rng.random() < 0.7:
        made = target.mend(made)
    return (target.pack(made) if inside and target.pack else made), None


def _change(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    if rng.random() < 0.4:  # headers are where it hurts
        at = min(at, rng.randrange(64))
    length = rng.choice((1, 1, 2, 4, 8, 40))
    kind = rng.randrange(9)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        width, order = rng.choice((1, 2, 4, 8)), rng.choice(("big", "little"))
        value = rng.choice(_SEEDS_OF_NUMBERS) & ((1 << 8 * width) - 1)
        data[at : at + width] = value.to_bytes(width, "big" if order == "big" else "little")
    elif kind == 2:
        data[at : at + length] = rng.randbytes(length)
    elif kind == 3:
        data[at:at] = rng.randbytes(length)
    elif kind == 4:
        del data[at : at + length]
    elif kind == 5:  # a piece twice
        data[at:at] = data[at : at + length * rng.choice((1, 1, 20))]
    elif kind == 6:  # a piece of itself elsewhere
        source = rng.randrange(len(data) + 1)
        data[at : at + length] = data[source : source + length]
    elif kind == 7:  # a piece of another file
        other = seeds[rng.randrange(len(seeds))]
        source = rng.randrange(len(other) + 1)
        data[at : at + length * 4] = other[source : source + length * 4]
    else:  # the end zeroed, as after an interrupted download
        data[at:] = bytes(len(data) - at)


def try_all(name: str, target: Target, numbers: Iterable[int], place: Path) -> dict[str, Any]:
    """Try mutants; where the process dies, `place` says which one it was."""
    tally: dict[str, Any] = {"tried": 0, "read": 0, "slowest": 0.0, "faults": []}
    began = time.perf_counter()
    with place.open("wb", buffering=0) as record:
        for number in numbers:
            os.pwrite(record.fileno(), f"{name:20}{number:12}".encode(), 0)
            data, whole = mutant(target, number)
            signal.alarm(SECONDS)
            start = time.perf_counter()
            try:
                if whole is not None and target.cut_alike is not None:
                    tally["read"] += target.cut_alike(whole, data)
                else:
                    tally["read"] += target.attempt(data)
            except Exception as error:  # which is what is looked for
                tally["faults"].append(f"mutant {number}: {type(error).__name__}: {error}"[:300])
            spent = time.perf_counter() - start
            if spent > tally["slowest"]:
                tally["slowest"], tally["slowest_mutant"] = spent, number
            tally["tried"] += 1
    signal.alarm(0)
    tally["seconds"] = time.perf_counter() - began
    tally["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return tally


def try_in_child(counts: Mapping[str, int], folder: Path) -> dict[str, dict[str, Any]]:
    """Try mutants 0, 1, ... of some targets in a process of its own; return what came of them.

    Raises
    ------
    FaultError
        The process died, of a signal, its memory or a file that took too long.
    """
    command = [sys.executable, "-X", "faulthandler", __file__]
    command += [f"{name}:0:{count}" for name, count in counts.items()]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        record = folder / "at"
        where = record.read_text().strip() if record.exists() else "none"
        raise FaultError(f"exit {done.returncode} at mutant {where}: {done.stderr[-2000:]}")
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def _known(names: Iterable[str]) -> dict[str, Callable[[Path], Target]]:
    """Return what makes each target, given a folder to work in."""
    # the images do without the libraries that the other files need
    others = ["hostile_readers", "hostile_mat"] if {*names} - {"images"} else []
    modules = ["hostile_images", *others]
    return {name: make for each in modules for name, make in import_module(each).TARGETS.items()}


def _main(asked: Sequence[str]) -> None:
    warnings.simplefilter("ignore")  # a sound word that stands twice is no fault
    here = Path.cwd()
    known = _known(each.partition(":")[0] for each in asked)
    work: dict[str, tuple[Target, range]] = {}
    for each in asked:
        name, first, count = each.split(":")
        (here / name).mkdir()
        target = known[name](here / name)
        for number, seed in enumerate(target.seeds):
            if not target.attempt(seed):
                raise FaultError(f"{name}: sound file {number} is refused")
        work[name] = target, range(int(first), int(first) + int(count))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 26, 1 << 26))
    found = {
        name: try_all(name, target, some, here / "at") for name, (target, some) in work.items()
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1:])
