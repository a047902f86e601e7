"""Kill commands anywhere, fill the disk, forbid writing; then do what a user would, and compare.

``python tests/crash/trials.py --kills 50`` prints how many of all trials were survived, and why
others were not.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"  # before anything is imported that starts threads
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crash import disks, forks, jobs  # noqa: E402 - the tests are found first
from crash.forks import Ended, Stop  # noqa: E402
from crash.jobs import JOBS, Job  # noqa: E402

Snapshot = dict[str, Any]

KILLED = ("fit", "predict", "features", "reproduce")
_TIMES = re.compile(r"\d[\d.,]*\s*(?:s|seconds?|minutes?|hours?|min|h|[MG]B)\b")
"""A report says how much memory it took, too: a fork begins with that of its parent."""

NAMED = ("model", "p.", "f.parquet", "sorted", "report", "cache", "scores.json", "drawn")
"""Some of these an error names."""

_UNSTEADY = ("seconds", "stages", "digest", "peak_bytes")
"""Of JSON objects: what differs between two runs that nothing disturbed."""


@dataclass
class Trial:
    """A job, how it was stopped, and what was wrong afterwards."""

    job: str
    how: str
    at: float
    stopped: bool = False
    trouble: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Undisturbed:
    """A job that nothing disturbs: what is there before and after, how long, in which steps."""

    job: Job
    template: Path
    before: Snapshot
    after: Snapshot
    seconds: float
    steps: tuple[str, ...]


def snapshot(folder: Path) -> Snapshot:
    """Return all that lies below a folder: contents, but for times of day and durations."""
    found: Snapshot = {}
    for place in sorted(folder.rglob("*")):
        name = str(place.relative_to(folder))
        if place.is_symlink():
            found[name] = f"-> {os.readlink(place)}"  # noqa: PTH115
        elif place.is_file():
            found[name] = _content(place)
        elif not any(place.iterdir()):
            found[name] = "an empty folder"
    return found


def _content(place: Path) -> Any:
    if place.suffix not in (".json", ".md", ".html"):
        return place.read_bytes()
    text = place.read_text(encoding="utf-8").replace(" --overwrite", "")  # of the command given
    if place.suffix == ".json":
        return _steady(json.loads(text))
    return _TIMES.sub("…", text)


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _steady(one) for name, one in value.items() if name not in _UNSTEADY}
    return [_steady(one) for one in value] if isinstance(value, list) else value


def is_hidden(name: str) -> bool:
    """Tell temporary files, and what is kept to go on with, from results."""
    parts = name.split("/")
    return any(
        part.startswith((".unfinished", "tmp")) or part.endswith(".unfinished") for part in parts
    )


def is_temporary(name: str) -> bool:
    """Tell temporary files from what is kept to go on with."""
    return is_hidden(name) and not name.endswith(".rows") and ".unfinished/" not in name


def differing(found: Snapshot, expected: Snapshot) -> list[str]:
    """Name what is in one and not the same in the other."""
    names = sorted({*found, *expected})
    return [name for name in names if found.get(name) != expected.get(name)]


class Room:
    """A folder for trials: inputs, and what jobs make when nothing disturbs them."""

    def __init__(self, folder: Path, inputs: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.inputs = inputs
        self._n = 0

    def run(self, command: tuple[str, ...], place: Path, stop: Stop | None = None) -> Ended:
        given = jobs.arguments(command, self.inputs)
        return forks.run(given, place, stop=stop, patch=jobs.patch)

    def new(self, template: Path | None = None) -> Path:
        self._n += 1
        place = self.folder / f"{self._n}"
        if template is None:
            place.mkdir()
        else:
            shutil.copytree(template, place, symlinks=True)
        return place

    def undisturbed(self, job: Job) -> Undisturbed:
        template = self.new()
        for command in job.older:
            made = self.run(command, template)
            assert made.code == 0, made.said
        place = self.new(template)
        ended = self.run(job.command, place)
        assert ended.code == 0, ended.said
        after = snapshot(place)
        assert not [name for name in after if is_hidden(name)], sorted(after)
        shutil.rmtree(place)
        return Undisturbed(job, template, snapshot(template), after, ended.seconds, ended.steps)


def kill_and_go_on(room: Room, plain: Undisturbed, stop: Stop) -> Trial:
    """Kill a command, look at what it left, give it again and compare."""
    job = plain.job
    at = stop.seconds if stop.step is None else stop.step
    trial = Trial(job.name, "time" if stop.step is None else "step", float(at or 0))
    place = room.new(plain.template)
    ended = room.run(job.command, place, stop)
    trial.stopped = ended.killed
    if not ended.killed and ended.code != 0:
        trial.trouble.append(f"code {ended.code}: {ended.said[-300:]}")
    trial.trouble += _torn(job, snapshot(place), plain)
    _go_on(room, plain, place, trial)
    return trial


def _go_on(
    room: Room, plain: Undisturbed, place: Path, trial: Trial, *, keep: bool = False
) -> None:
    """Give the command again, as a user would, and compare with what nothing disturbed."""
    job = plain.job
    again = room.run(job.again or job.command, place)
    if again.code == 2 and "exists already" in again.said:  # as the message says
        again = room.run((*(job.again or job.command), "--overwrite"), place)
    if again.code != 0:
        trial.trouble.append(f"again, code {again.code}: {again.said[-300:]}")
    found = snapshot(place)
    trial.trouble += [f"left over: {name}" for name in found if is_hidden(name)]
    trial.trouble += [f"not as undisturbed: {name}" for name in differing(found, plain.after)]
    if not trial.trouble and not keep:
        shutil.rmtree(place)


def _torn(job: Job, found: Snapshot, plain: Undisturbed) -> list[str]:
    """Name what is neither as before nor as after, under a name that somebody reads."""
    trouble = [
        f"torn: {name}"
        for name in job.outputs
        if _kept(found, name) not in (_kept(plain.before, name), _kept(plain.after, name))
    ]
    for name, content in found.items():
        known = (plain.before.get(name), plain.after.get(name), "an empty folder")
        if not is_hidden(name) and content not in known:
            trouble.append(f"half-written: {name}")
    return trouble


def _kept(found: Snapshot, output: str) -> Snapshot:
    """Return what belongs to an output: a file, or all of a folder."""
    return {
        name: content
        for name, content in found.items()
        if name == output or name.startswith(f"{output}/")
    }


def fail_and_go_on(room: Room, plain: Undisturbed, stop: Stop) -> Trial:
    """Let a command fail at a step, look at what it says and left, give it again and compare."""
    place = room.new(plain.template)
    ended = room.run(plain.job.command, place, stop)
    trial = Trial(plain.job.name, stop.how, float(stop.step or 0), stopped=ended.code != 0)
    # a disk that cannot be written to cannot be cleared either
    _check_failure(plain, ended, place, trial, cleared=stop.how == "full")
    _go_on(room, plain, place, trial)
    return trial


def on_small_disk(room: Room, plain: Undisturbed, **left: int) -> Trial:
    """Give a command on a disk with little room, then with plenty."""
    ((what, number),) = left.items()
    trial = Trial(plain.job.name, f"room for {what}", float(number))
    place = room.new()
    with disks.disk(place):
        shutil.copytree(plain.template, place, symlinks=True, dirs_exist_ok=True)
        disks.limit(place, **left)
        ended = room.run(plain.job.command, place)
        trial.stopped = ended.code != 0
        disks.limit(place)
        _check_failure(plain, ended, place, trial)
        _go_on(room, plain, place, trial, keep=True)
    return trial


def on_read_only_disk(room: Room, plain: Undisturbed) -> Trial:
    """Give a command on a disk that cannot be written to, then on one that can."""
    trial = Trial(plain.job.name, "read-only disk", 0, stopped=True)
    place = room.new()
    with disks.disk(place):
        shutil.copytree(plain.template, place, symlinks=True, dirs_exist_ok=True)
        disks.forbid_writing(place)
        ended = room.run(plain.job.command, place)
        if ended.code == 0:
            trial.trouble.append("nothing was said")
        trial.trouble += [f"changed: {name}" for name in differing(snapshot(place), plain.before)]
        disks.limit(place)
        _check_failure(plain, ended, place, trial)
        _go_on(room, plain, place, trial, keep=True)
    return trial


def _check_failure(
    plain: Undisturbed, ended: Ended, place: Path, trial: Trial, *, cleared: bool = True
) -> None:
    """Check the contract of failures; a command that came through is checked by the next one."""
    found = snapshot(place)
    trial.trouble += _torn(plain.job, found, plain)
    if ended.code == 0:
        return
    said = ended.errors
    if ended.code != 1 or len(said) != 1 or "Traceback" in ended.said:
        trial.trouble.append(f"code {ended.code}: {ended.said[-300:]}")
    elif not re.search("No space left on device|Read-only file system", said[0]):
        trial.trouble.append(f"no reason: {said[0]}")
    elif not any(name in said[0] for name in NAMED):
        trial.trouble.append(f"no name: {said[0]}")
    if cleared:
        trial.trouble += [f"left at once: {name}" for name in found if is_temporary(name)]


Work = partial[Trial]


def planned(room: Room, options: argparse.Namespace) -> Iterator[Work]:
    """Yield all trials, each to be done in a room."""
    for kind, kinds in JOBS.items():
        plain = [room.undisturbed(job) for job in kinds if options.only in (None, job.name)]
        if not plain:
            continue
        draw = random.Random(f"{options.seed} {kind}")
        for number in range(options.kills if kind in KILLED else 0):
            one = plain[number % len(plain)]
            stop = Stop(seconds=draw.uniform(0, one.seconds))
            yield partial(kill_and_go_on, plain=one, stop=stop)
        for one in plain:
            yield from _at_steps(one, options, draw)
            yield from _on_disks(one, options, draw)


def _at_steps(
    plain: Undisturbed, options: argparse.Namespace, draw: random.Random
) -> Iterator[Work]:
    n = len(plain.steps)
    for step in _some(n, options.steps, draw):
        yield partial(kill_and_go_on, plain=plain, stop=Stop("kill", step=step))
    hows: tuple[forks.How, ...] = ("full", "read-only")
    for how in hows:
        for step in _some(n, options.failures, draw):
            yield partial(fail_and_go_on, plain=plain, stop=Stop(how, step=step))


def _on_disks(
    plain: Undisturbed, options: argparse.Namespace, draw: random.Random
) -> Iterator[Work]:
    if options.disks:
        yield partial(on_read_only_disk, plain=plain)
    n_files = max(len(plain.after) - len(plain.before), 0) + 4
    for number in _some(n_files, options.disks, draw):
        yield partial(on_small_disk, plain=plain, n_files=number)
    for number in _some(_growth(plain) // PAGE + 1, options.disks, draw):
        yield partial(on_small_disk, plain=plain, n_bytes=number * PAGE)


def _some(n: int, most: int, draw: random.Random) -> list[int]:
    """Draw some of the numbers below n."""
    return draw.sample(range(n), min(n, most))


PAGE = 4096


def _growth(plain: Undisturbed) -> int:
    return sum(
        len(content) if isinstance(content, bytes) else 1000
        for name, content in plain.after.items()
        if plain.before.get(name) != content
    )


def work(trials: Sequence[Work], room: Room, out: Path, *, with_disks: bool) -> None:
    """Do trials, and write what became of them."""
    with out.open("w", encoding="utf-8") as file:
        for trial in trials:
            if with_disks or trial.func not in (on_small_disk, on_read_only_disk):
                file.write(json.dumps(asdict(trial(room))) + "\n")
                file.flush()


def run_all(options: argparse.Namespace, folder: Path) -> tuple[list[Trial], bool]:
    """Run all trials in some processes; return them, and whether there were small disks."""
    forks.import_what_is_used(
        partial(jobs.warm_up, folder / "inputs", options.only), folder / "modules"
    )
    with_disks = bool(options.disks) and disks.own_mounts()
    trials = list(planned(Room(folder / "undisturbed", folder / "inputs"), options))
    random.Random(options.seed).shuffle(trials)  # so that all workers have as much to do
    outs = [folder / f"worker-{number}" for number in range(options.workers)]
    children = []
    for number, out in enumerate(outs):
        mine = trials[number :: options.workers]
        room = Room(folder / f"room-{number}", folder / "inputs")
        children.append(forks.start(partial(work, mine, room, out, with_disks=with_disks)))
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert not any(codes), codes
    lines = [json.loads(line) for out in outs for line in out.read_text().splitlines()]
    return [Trial(**line) for line in lines], with_disks


def main(given: Sequence[str] | None = None) -> int:
    """Print a JSON object of what became of all trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="at random moments, per command")
    parser.add_argument("--steps", type=int, default=6, help="kills at writing steps, per job")
    parser.add_argument("--failures", type=int, default=4, help="failing steps, per job and kind")
    parser.add_argument("--disks", type=int, default=4, help="small disks, per job and kind")
    parser.add_argument("--only", help="one job, by its name")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(given)
    start = time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="wordsight-crash-"))
    trials, had_disks = run_all(options, folder)
    failed = [trial for trial in trials if trial.trouble]
    counts: dict[str, list[int]] = {}
    for trial in trials:
        count = counts.setdefault(trial.how, [0, 0, 0])
        count[0] += 1
        count[1] += trial.stopped
        count[2] += not trial.trouble
    said = {
        "trials": len(trials),
        "survived": len(trials) - len(failed),
        "small disks": had_disks,
        "seconds": round(time.perf_counter() - start, 1),
        "seconds of the processor": round(sum(os.times()[:4]), 1),
        "of each kind: trials, stopped, survived": counts,
        "failed": [asdict(trial) for trial in failed],
    }
    sys.stdout.write(json.dumps(said, indent=1) + "\n")
    if failed:
        sys.stderr.write(f"what they left is in {folder}\n")
    else:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
