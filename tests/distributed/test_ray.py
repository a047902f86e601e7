"""A Ray cluster: what it has room for, what becomes of failures, and whole commands on it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.runs import Run, check_failed
from distributed import pieces
from distributed.small import write_arrays
from wordsight.cli import main
from wordsight.compute import merge, partial
from wordsight.distributed import cluster as clusters
from wordsight.distributed.cluster import (
    RETRIES,
    WAITING,
    Failed,
    RayCluster,
    WorkerSettings,
    connect,
)
from wordsight.distributed.memory import bytes_to_fit, bytes_to_recognise
from wordsight.distributed.run import show
from wordsight.exceptions import InputError, WordsightError
from wordsight.features.patch_features import PatchFeatures
from wordsight.persistence import load_model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CPUS, GPUS, MEMORY = 2, 1, 6_000_000_000


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where a cluster of one machine listens, which says that it has a GPU."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra

    resources = {"num_cpus": CPUS, "num_gpus": GPUS, "memory": MEMORY}
    with pytest.MonkeyPatch.context() as patch:
        # workers import the modules of the tests, too
        places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        started: Any = Cluster(
            initialize_head=True, head_node_args={**resources, "object_store_memory": 200_000_000}
        )
        patch.setenv("RAY_ADDRESS", started.address)  # of all clusters that may be on this machine
        yield started.address
        started.shutdown()


@pytest.fixture(scope="module")
def joined(address: str) -> Iterator[RayCluster]:
    # without a GPU all pieces run in the same processes, and few have to be started
    with connect(address, WorkerSettings(gpus=0.0)) as cluster:
        yield cluster


# joining


def test_one_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_arrays(tmp_path / "train.npz", 200)
    code = main(
        ["fit", str(data), "--out", str(tmp_path / "model"), "--image-size", "8", "--atoms", "4",
         "--patches", "200", "--cluster", "127.0.0.1:9", "--run", str(tmp_path / "run")]
    )  # fmt: skip
    done = capsys.readouterr()
    check_failed(Run(code, done.out, done.err), 1, "there is no Ray cluster at 127.0.0.1:9")
    assert not (tmp_path / "model").exists()


def test_what_is_no_address() -> None:
    with pytest.raises((InputError, WordsightError), match="nonsense"), connect("nonsense"):
        pass


def test_auto_joins_the_one_that_runs(address: str) -> None:
    with connect("auto") as cluster:
        assert cluster.describe() == (
            "a Ray cluster of 1 machine, with room for 2 workers with 0.25 GPUs each"
        )
        found = {one.index: one.value for one in cluster.run(pieces.square, [(2,), (3,)])}
        assert found == {0: 4, 1: 9}


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `ray start` notes the address of its cluster."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    return tmp_path / "ray" / "ray_current_cluster"


def test_auto_leaves_alone_what_a_program_has_for_itself(address: str, noted: Path) -> None:
    assert clusters._started_here() is None  # though one runs
    noted.write_text(address)
    assert clusters._started_here() == address


@pytest.mark.parametrize("content", ["", "127.0.0.1:9", "nonsense", "\xff"])
def test_auto_passes_over_what_is_no_more(content: str, noted: Path) -> None:
    noted.write_text(content, encoding="latin-1")
    assert clusters._started_here() is None


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="gives a file away")
def test_auto_joins_no_strangers_cluster(address: str, noted: Path) -> None:
    noted.write_text(address)
    os.chown(noted, 65_534, 65_534)
    assert clusters._started_here() is None


def test_auto_may_be_told(noted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted.write_text("127.0.0.1:1")
    for named, expected in (("10.0.0.1:6379", "10.0.0.1:6379"), ("local", None)):
        monkeypatch.setenv("RAY_ADDRESS", named)
        assert clusters._started_here() == expected


def test_a_cluster_that_is_lost_is_no_fault(joined: RayCluster, address: str) -> None:
    told = joined._ray.exceptions.LocalRayletDiedError
    said = r"was lost \(Local.*; give the same command again"
    with pytest.raises(WordsightError, match=said), connect(address, WorkerSettings(gpus=0.0)):
        raise told


@pytest.mark.parametrize(
    ("settings", "n_workers"),
    [
        (WorkerSettings(), CPUS),
        (WorkerSettings(cores=2), 1),
        (WorkerSettings(gpus=0.75), 1),
        (WorkerSettings(gpus=0.0), CPUS),
        (WorkerSettings(memory=4_000_000_000), 1),
        (WorkerSettings(memory=1_000_000_000, gpus=0.5), 2),
    ],
)
def test_room_for_workers(joined: RayCluster, settings: WorkerSettings, n_workers: int) -> None:
    assert RayCluster(joined._ray, settings).n_workers == n_workers


@pytest.mark.parametrize(
    "settings", [WorkerSettings(memory=10**12), WorkerSettings(cores=64), WorkerSettings(gpus=2.0)]
)
def test_no_room_for_a_worker(joined: RayCluster, settings: WorkerSettings) -> None:
    with pytest.raises(WordsightError, match="no room for a worker: it has 2 cores, 1 GPUs and 6"):
        RayCluster(joined._ray, settings).check()


def test_another_version_is_refused(joined: RayCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "__version__", "9.9")
    with pytest.raises(InputError, match=r"this machine wordsight 9\.9, .*install the same"):
        joined.check()


# work


def test_workers_keep_to_their_share(joined: RayCluster) -> None:
    found: list[Any] = [one.value for one in joined.run(pieces.about_threads, [()] * 4)]
    assert {(torch_threads, ours) for torch_threads, ours, _pid in found} == {(1, 1)}
    assert os.getpid() not in {pid for *_threads, pid in found}


def test_few_pieces_are_out(joined: RayCluster) -> None:
    sent, most = 0, 0

    def calls() -> Iterator[tuple[Any, ...]]:
        nonlocal sent
        for number in range(40):
            sent += 1
            yield number, 0.01

    values = {}
    for n_done, one in enumerate(joined.run(pieces.square, calls())):
        most = max(most, sent - n_done)
        values[one.index] = one.value
    assert values == {number: number**2 for number in range(40)}
    assert CPUS < most <= WAITING * CPUS


def test_bad_data_are_tried_again_then_told(joined: RayCluster) -> None:
    found = {one.index: one.value for one in joined.run(pieces.bad_data, [(k,) for k in range(4)])}
    reason = Failed("image 2 is bad; mend it", 1 + RETRIES)
    assert found == {0: 0, 1: 1, 2: reason, 3: 3}


def test_a_bug_is_told_with_its_last_line(joined: RayCluster) -> None:
    found = {one.index: one.value for one in joined.run(pieces.bug, [(k,) for k in range(4)])}
    failed = found.pop(2)
    assert found == {0: 0, 1: 1, 3: 3}
    assert isinstance(failed, Failed)
    assert failed.attempts == 1 + RETRIES
    assert failed.reason.endswith("forgot something")


def test_misuse_is_misuse(joined: RayCluster) -> None:
    with pytest.raises(InputError, match=r"^no such class; name another$"):
        list(joined.run(pieces.misuse, [()]))
    with pytest.raises(InputError, match=r"^no such class; name another$"):
        joined.fold(pieces.misuse, [()], max)


def test_a_worker_that_dies(
    joined: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [(number, str(tmp_path)) for number in range(4)]
    found = {one.index: (one.value, one.attempts) for one in joined.run(pieces.dies, calls)}
    assert {index: value for index, (value, _attempts) in found.items()} == {
        number: number for number in range(4)
    }
    assert found[2][1] == 2
    monkeypatch.setattr(clusters, "CRASHES", 1)
    values = {one.index: one.value for one in joined.run(pieces.dies, [(k,) for k in range(4)])}
    failed = values.pop(2)
    assert values == {0: 0, 1: 1, 3: 3}
    assert isinstance(failed, Failed)
    assert "its worker or machine was lost 2 times" in failed.reason


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("dies", [False, True])
def test_sums(joined: RayCluster, tmp_path: Path, small: bool, dies: bool) -> None:
    X = pieces.table()
    expected = partial(X, X[:, :2])
    cuts = range(0, len(X), 2048)
    calls = [(start, start + 2048, str(tmp_path) if dies else None) for start in cuts]
    done: list[int] = []
    found = joined.fold(pieces.moments_of, calls, merge, small=small, on_done=done.append)
    assert found.n == len(X)
    assert sorted(done) == list(range(4))
    np.testing.assert_array_equal(found.cross, expected.cross)
    np.testing.assert_array_equal(found.gram.tiles[0][0], expected.gram.tiles[0][0])
    found.cross += 1  # of its own memory


def test_a_sum_that_goes_on_failing(joined: RayCluster) -> None:
    with pytest.raises(WordsightError, match="image 2 is bad"):
        joined.fold(pieces.bad_data, [(k,) for k in range(4)], max)
    with pytest.raises(WordsightError, match=r"a worker failed: .*forgot something; mend what"):
        joined.fold(pieces.bug, [(k,) for k in range(4)], max)


def test_a_sum_whose_data_cannot_be_read_at_first(joined: RayCluster, tmp_path: Path) -> None:
    calls = [(number, str(tmp_path)) for number in range(3)]
    assert joined.fold(pieces.unread_at_first, calls, max) == 2
    assert len(list(tmp_path.iterdir())) == 3


# whole commands

SMALL = ("--image-size", "8", "--atoms", "6", "--patches", "2000", "--unseen", "eel")
N = 2 * 4096 + 300


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_arrays(tmp_path_factory.mktemp("data") / "train.npz", N)


@pytest.fixture(scope="module")
def model(data: Path) -> Path:
    path = data.parent / "model"
    assert main(["fit", str(data), "--out", str(path), "--quiet", *SMALL]) == 0
    return path


def test_fit_gives_the_same_model(
    joined: RayCluster, data: Path, model: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--cluster", "auto", "--run", str(run))
    assert main(["fit", str(data), "--out", str(tmp_path / "model"), *SMALL, *options]) == 0
    ours, theirs = (one / "model.safetensors" for one in (tmp_path / "model", model))
    assert ours.read_bytes() == theirs.read_bytes()
    found = show(str(run))
    assert found.counts()["done"] == (3, N)
    assert 0 < found.worker_peak < bytes_to_fit(PatchFeatures(6), (8, 8), 4096)


def test_predict_gives_the_same_rows(
    joined: RayCluster,
    data: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("rows.csv", "rows.parquet"):
        here, there = tmp_path / "here" / name, tmp_path / "there" / name
        arguments = ["predict", str(model), str(data), "--top", "2"]
        assert main([*arguments, "--out", str(here)]) == 0
        options = ("--cluster", "auto", "--run", str(tmp_path / "run"), "--worker-gpus", "0")
        assert main([*arguments, "--out", str(there), *options]) == 0
        assert there.read_bytes() == here.read_bytes()
    assert "3 of 3 shards were done already" in capsys.readouterr().err
    found = show(str(tmp_path / "run"))
    assert 0 < found.worker_peak < bytes_to_recognise(load_model(model), model)
    # and is told
    assert main(["runs", "show", str(tmp_path / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "predict"
    assert told["shards"] == {"done": 3, "damaged": 0, "failed": 0, "left": 0}
    assert told["images"]["done"] == N
    assert told["worker_peak_bytes"] == found.worker_peak
    assert main(["runs", "show", str(tmp_path / "run")]) == 0
    assert "8492" in capsys.readouterr().out


def test_evaluate_gives_the_same_scores(
    joined: RayCluster, data: Path, model: Path, tmp_path: Path
) -> None:
    scores = []
    for name, options in (
        ("here.json", ()),
        ("there.json", ("--cluster", "auto", "--run", str(tmp_path / "run"), "--worker-gpus", "0")),
    ):
        out = tmp_path / name
        assert main(["evaluate", str(model), str(data), "--out", str(out), *options]) == 0
        found = json.loads(out.read_text(encoding="utf-8"))
        del found["seconds"]
        scores.append(found)
    assert scores[0] == scores[1]


def test_features_gives_the_same_file(
    joined: RayCluster, data: Path, model: Path, tmp_path: Path
) -> None:
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    arguments = ["features", str(model), str(data)]
    assert main([*arguments, "--out", str(here)]) == 0
    options = ("--cluster", "auto", "--run", str(tmp_path / "run"), "--worker-gpus", "0")
    assert main([*arguments, "--out", str(there), *options]) == 0
    assert there.read_bytes() == here.read_bytes()


def test_features_of_a_network_are_refused_on_a_cluster(
    joined: RayCluster, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--cluster", "auto", "--run", str(tmp_path / "run"), "--worker-gpus", "0")
    arguments = ["fit", str(data), "--out", str(tmp_path / "m"), "--features", "conv"]
    code = main([*arguments, "--epochs", "1", "--image-size", "8", *options])
    done = capsys.readouterr()
    check_failed(Run(code, done.out, done.err), 2, "trained on one machine")
    assert not (tmp_path / "run").exists()
