"""Workers, nodes and drivers killed at random points: nothing is lost or counted twice."""

import csv
import filecmp
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from distributed import pipeline, quick_start
from wordsight.compute import one_thread
from wordsight.data.open import open_dataset
from wordsight.distributed.cluster import Here
from wordsight.distributed.parts import UNFINISHED
from wordsight.distributed.run import MANIFEST, show

pytest.importorskip("ray")
pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

STAGES = (
    "computing features on the cluster",  # parts are written
    "summing the statistics of the features",  # Gram matrices are summed, and merged by workers
    "training the softmax",  # gradients are summed
    "predicting on the cluster",  # parts are written
    "looking at images on the cluster",
)
N_PER_CLASS = 110
ROUNDS = int(os.environ.get("WORDSIGHT_KILL_ROUNDS", "1"))
"""Of 15 kills each, which take some 35 seconds; four are the 60 that docs/scale.md speaks of."""

PATIENCE = 120.0
"""Seconds that a driver may take before it counts as hung."""


@dataclass
class Machines:
    """Three nodes of one core; their workers and drivers are forked from one process."""

    cluster: Any
    forked_from: int
    options: dict[str, Any]
    coming: list[threading.Thread] = field(default_factory=list)

    def workers_at_work(self) -> list[int]:
        """Return the processes that do a piece of work at this moment."""
        children = Path(f"/proc/{self.forked_from}/task/{self.forked_from}/children")
        found = []
        for process in children.read_text().split():
            with suppress(OSError):  # it has ended
                title = Path(f"/proc/{process}/cmdline").read_bytes()
                if title.startswith((b"ray::_on_worker", b"ray::_merged")):
                    found.append(int(process))
        return found

    def kill_worker(self, draw: random.Random) -> bool:
        """Kill a process that does a piece of work; tell whether there was one."""
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            if found := self.workers_at_work():
                with suppress(ProcessLookupError):
                    os.kill(draw.choice(found), signal.SIGKILL)
                    return True
        return False

    def kill_node(self, draw: random.Random) -> bool:
        """Kill a machine; another one comes in its place. The head stays: it is the cluster."""
        nodes = sorted(self.cluster.worker_nodes, key=lambda node: node.node_id)
        if not nodes:
            return False
        self.cluster.remove_node(draw.choice(nodes), allow_graceful=False)
        self.coming = [one for one in self.coming if one.is_alive()]
        self.coming.append(threading.Thread(target=self.add))
        self.coming[-1].start()
        return True

    def add(self) -> None:
        self.cluster.add_node(wait=False, **self.options)

    def wait(self) -> None:
        for one in self.coming:
            one.join()


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra

    path = tmp_path_factory.mktemp("s") / "s"
    root = Path(__file__).parents[2]
    environment = {
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_failure_threshold": "3",
        quick_start.ADDRESS: str(path),
        "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root / "tests")]),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        program = str(Path(quick_start.__file__))
        forking = subprocess.Popen(
            [sys.executable, program, "serve", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert forking.stdout is not None
        assert forking.stdout.readline() == b"ready\n"
        options = {"num_cpus": 1, "setup_worker_path": program}
        head = {**options, "include_dashboard": False}
        # handlers of signals, by which it would end with this process, allow no threads
        cluster: Any = Cluster(True, head_node_args=head, shutdown_at_exit=False)
        found = Machines(cluster, forking.pid, options)
        try:
            found.add()
            found.add()
            cluster.wait_for_nodes()
            yield found
        finally:
            found.wait()
            cluster.shutdown()
            forking.kill()
            forking.wait()


@dataclass
class Driver:
    """A driver in a process of its own, and what it says."""

    process: int
    lines: Any
    said: Path

    @classmethod
    def start(cls, machines: Machines, data: Path, folder: Path) -> "Driver":
        reading, writing = os.pipe()
        said = folder.with_suffix(".err")
        with said.open("wb") as err:
            process, _ = quick_start.ask(
                [pipeline.__file__, machines.cluster.address, str(data), str(folder)],
                dict(os.environ),
                writing,
                err.fileno(),
            )
        os.close(writing)
        return cls(process, os.fdopen(reading), said)

    def kill(self) -> bool:
        """Kill it; tell whether it was still there."""
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
            return True
        return False


def live(machines: Machines, data: Path, folder: Path, tally: "Tally") -> bool:
    """Let a driver live, and kill what is next to be killed; tell whether it came to its end."""
    driver = Driver.start(machines, data, folder)
    watchdog = threading.Timer(PATIENCE, driver.kill)
    watchdog.daemon = True
    watchdog.start()
    killed, stage = False, ""
    count: Counter[str] = Counter()
    for line in driver.lines:
        stage = line.strip()
        count[stage] += 1
        if killed or not tally.waiting or stage == pipeline.DONE:
            continue
        at, step, what = tally.waiting[0]
        if count[at] >= step:
            time.sleep(tally.draw.uniform(0, 0.02))
            killed = tally.kill(what, stage, driver, machines) and what == "driver"
    watchdog.cancel()
    driver.lines.close()
    # what Ray says of lost machines is no result
    assert not [said for said in count if "ray" in said.lower()]
    assert killed or stage == pipeline.DONE, driver.said.read_text()[-3000:]
    return not killed


@dataclass
class Tally:
    """What was killed, and when."""

    draw: random.Random
    kills: list[tuple[str, str]] = field(default_factory=list)
    waiting: list[tuple[str, int, str]] = field(default_factory=list)

    def kill(self, what: str, stage: str, driver: Driver, machines: Machines) -> bool:
        if what == "driver":
            done = driver.kill()
        elif what == "node":
            done = machines.kill_node(self.draw)
        else:
            done = machines.kill_worker(self.draw)
        if done:  # otherwise it is tried again at the next step
            self.kills.append((what, stage))
            self.waiting.pop(0)
        return done


def check_same(folder: Path, expected: Path) -> None:
    """All that the work made is byte for byte what one machine made, and nothing else is left."""
    for name in pipeline.OUTPUTS:
        there = expected / name
        paths = [path for path in [there, *there.rglob("*")] if path.is_file()]
        assert paths
        for path in paths:
            other = folder / path.relative_to(expected)
            assert filecmp.cmp(path, other, shallow=False), other
    kept = {f"run-{kind}" for kind in pipeline.KINDS}
    assert {path.name for path in folder.iterdir()} == {*pipeline.OUTPUTS, *kept}
    assert not list(folder.rglob(f"{UNFINISHED}*"))
    for name in kept:
        counts = show(str(folder / name)).counts()
        assert [state for state, (n_shards, _) in counts.items() if n_shards] == ["done"]


def plant_unfinished(folder: Path) -> None:
    """Leave what a driver does that is killed in the instant in which it writes."""
    for kind in pipeline.KINDS:
        for place in ("", "learned", "parts"):
            (folder / f"run-{kind}" / place).mkdir(parents=True, exist_ok=True)
            (folder / f"run-{kind}" / place / f"{UNFINISHED}0-some").write_bytes(b"cut sho")


def check_whole(folder: Path) -> None:
    """What is there under its own name is whole, whoever was killed."""
    for kind in pipeline.KINDS:
        run = folder / f"run-{kind}"
        if (run / MANIFEST).exists():
            assert show(str(run)).counts()["damaged"] == (0, 0)


def test_nothing_is_lost_or_counted_twice_whatever_is_killed(
    machines: Machines, tmp_path: Path
) -> None:
    """As many workers as nodes and drivers, in each stage of the work."""
    data, expected = tmp_path / "data.npz", tmp_path / "here"
    n_images = pipeline.write_data(data, N_PER_CLASS)
    expected.mkdir()
    # the drivers have a thread each: how many there are tells in the last bits of a factor
    with one_thread(), threadpool_limits(1):
        pipeline.work(Here(), data, expected)
    with (expected / "predictions.csv").open() as file:
        names = [row["path"] for row in csv.DictReader(file)]
    assert names == open_dataset(data).names
    assert len(names) == n_images

    tally = Tally(random.Random(0))
    draw = tally.draw
    for number in range(ROUNDS):
        folder = tmp_path / f"round-{number}"
        plant_unfinished(folder)
        for life, stage in enumerate([*STAGES, draw.choice(STAGES)]):
            steps = sorted(draw.sample(range(2, 11), 3))
            whats = draw.sample(["worker", "node"], 2) if life else []
            whats += ["driver"] if life < len(STAGES) else []
            tally.waiting += [(stage, *kill) for kill in zip(steps, whats, strict=False)]
        ended = False
        while tally.waiting or not ended:
            ended = live(machines, data, folder, tally)
            check_whole(folder)
        check_same(folder, expected)
    # nobody works on for a driver that is dead
    until = time.monotonic() + 20
    while machines.workers_at_work():
        assert time.monotonic() < until
        time.sleep(0.1)
    each = 5 * ROUNDS
    kinds = Counter(what for what, _ in tally.kills)
    assert kinds == {"worker": each, "node": each, "driver": each}
    assert {stage for _, stage in tally.kills} >= set(STAGES)
