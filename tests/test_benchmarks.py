"""The benchmarks measure what they say: time in turn, memory of known size, agreement."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks import dictionary, loop, records
from benchmarks.__main__ import main
from benchmarks.apart import Command, Side, compare_apart
from benchmarks.benchmark import Benchmark, Failed, Outcome, Setting, Skipped, Target
from benchmarks.catalogue import BENCHMARKS
from benchmarks.harness import Contender, Run, compare, in_rounds, same_threads
from benchmarks.material import correlated
from benchmarks.sides.plain_lbfgs import penalised_loss
from sklearn.metrics import log_loss

from wordsight.exceptions import DataError

QUICK = Setting(quick=True, threads=1)
PYTHON = sys.executable
UNMEASURED = {"gpu", "fit"}
"""Need what is not on every machine."""

FAST = {"ceilings", "one-image", "start"}


def scripted(seconds: list[float], megabytes: list[float | None]) -> Callable[[], Run]:
    runs = iter([Run(*one) for one in zip(seconds, megabytes, strict=True)])
    return lambda: next(runs)


def test_times_are_for_a_unit_and_ratios_within_a_round() -> None:
    ours = scripted([9.0, 1.0, 4.0, 2.0], [30.0, 10.0, 10.0, 10.0])
    theirs = scripted([8.0, 6.0, 40.0, 8.0], [None] * 4)
    first, second = in_rounds(["a", "b"], [ours, theirs], [1, 2], 3, warm_up=True)
    assert first.seconds == [1.0, 4.0, 2.0]
    assert second.seconds == [3.0, 20.0, 4.0]
    assert first.ratios == [1.0, 1.0, 1.0]
    assert second.ratios == [3.0, 5.0, 2.0]
    assert (second.median, second.ratio) == (4.0, 3.0)
    # memory counts in the round that warms up, too: buffers that are kept are made then
    assert (first.peak_megabytes, second.peak_megabytes) == (30.0, None)


def test_contenders_take_turns() -> None:
    order: list[str] = []
    contenders = [Contender(name, lambda name=name: order.append(name)) for name in "ab"]  # type: ignore[misc]
    compare(contenders, 2)
    assert "".join(order) == "ababab"
    order.clear()
    compare(contenders, 2, warm_up=False)
    assert "".join(order) == "abab"


def test_time_is_measured() -> None:
    quick, slow = compare(
        [Contender("a", lambda: time.sleep(0.01)), Contender("b", lambda: time.sleep(0.4), 2)], 2
    )
    assert min(quick.seconds) >= 0.01
    assert min(slow.seconds) >= 0.2
    assert slow.ratio > 2.0  # 20, and a machine that is busy wakes up late


def test_memory_of_a_run_in_this_process() -> None:
    def work(megabytes: int) -> Callable[[], int]:
        return lambda: len(np.ones(megabytes * 1_000_000, dtype=np.uint8))

    none, much = compare([Contender("a", work(1)), Contender("b", work(200))], 1)
    if much.peak_megabytes is None or none.peak_megabytes is None:
        pytest.skip("the system does not tell of memory")
    assert none.peak_megabytes < 20
    assert 195 < much.peak_megabytes < 220
    assert much.output == 200_000_000


def test_memory_of_a_side_in_a_process_of_its_own() -> None:
    def side(passing: int, held: int, added: int) -> Side:
        arguments = {"passing": passing, "held": held, "added": added}
        return Side("some", "allocation", arguments)

    sides = [side(0, 0, 0), side(0, 100, 200), side(600, 0, 0)]
    nothing, some, passed = compare_apart(sides, 1)
    assert nothing.peak_megabytes is not None
    assert some.peak_megabytes is not None
    assert passed.peak_megabytes is not None
    assert 295 < some.peak_megabytes - nothing.peak_megabytes < 315
    # what was needed only to prepare does not count
    assert passed.peak_megabytes - nothing.peak_megabytes < 20
    assert int(some.output["total"]) == 300_000_000
    assert some.memory_of == "process"


def test_memory_of_a_command_is_not_that_of_the_process_that_compares() -> None:
    ballast = np.ones(400_000_000, dtype=np.uint8)
    code = "len(bytearray(b'1') * 150_000_000)"
    nothing, some = compare_apart(
        [Command("a", (PYTHON, "-c", "pass")), Command("b", (PYTHON, "-c", code))], 1
    )
    assert nothing.peak_megabytes is not None
    assert some.peak_megabytes is not None
    assert nothing.peak_megabytes < 100 < len(ballast)
    assert 145 < some.peak_megabytes - nothing.peak_megabytes < 165


def test_what_fails_in_a_process_of_its_own_is_told() -> None:
    with pytest.raises(Failed, match=r"some failed: .*'passing'"):
        compare_apart([Side("some", "allocation", {"held": 1, "added": 1})], 1)
    code = "import sys; sys.exit('the disk is full')"
    with pytest.raises(Failed, match="some ended with exit code 1: the disk is full"):
        compare_apart([Command("some", (PYTHON, "-c", code))], 1)


def test_what_is_done_before_a_command_does_not_count(tmp_path: Path) -> None:
    def before() -> None:
        time.sleep(0.5)
        (tmp_path / "there").write_text("", encoding="utf-8")

    code = f"from pathlib import Path; Path({str(tmp_path / 'there')!r}).unlink()"
    (one,) = compare_apart([Command("some", (PYTHON, "-c", code), 1, before)], 2)
    assert min(one.seconds) < 0.5


def test_processes_that_are_started_have_the_same_cores_and_threads() -> None:
    code = (
        "import os, torch, sys; "
        "sys.exit(len(os.sched_getaffinity(0)) != 1 or torch.get_num_threads() != 1)"
    )
    with same_threads(1):
        assert subprocess.run([PYTHON, "-c", code], check=False).returncode == 0


def _fail(_setting: Setting) -> Outcome:
    raise Failed("it broke")


def _skip(_setting: Setting) -> Outcome:
    raise Skipped("it cannot")


def benchmark(run: Callable[[Setting], Outcome]) -> Benchmark:
    return Benchmark("some", "Some", "", (Target("faster", "it", 2.0, "×", at_least=True),), run)


def test_an_entry_takes_the_place_of_the_last_one_of_its_name_alone(tmp_path: Path) -> None:
    place = tmp_path / "results.json"
    for name, reached in (("some", 1.0), ("other", 2.0), ("some", 3.0)):
        outcome = Outcome(reached={"faster": reached, "no target": 0.0})
        entry = records.record(benchmark(_skip), outcome, QUICK, "2013-12-05")
        records.merge_into(place, name, entry)
    found = records.read(place)
    assert {name: entry["reached"] for name, entry in found.items()} == {
        "some": {"faster": 3.0},
        "other": {"faster": 2.0},
    }
    assert found["some"]["threads"] == 1
    assert found["some"]["quick"] is True
    assert {"processor", "cores", "numpy", "torch"} <= set(found["some"]["machine"])
    assert [each.name for each in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("text", ["", "[1]", '{"features": 1}', '{"features": {}}'])
def test_a_file_of_something_else_is_refused_before_the_work(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "results.json"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"results\.json"):
        records.read(place)
    assert main(["start", "--json", str(place)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert place.read_text(encoding="utf-8") == text


def test_the_names_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [each.name for each in BENCHMARKS]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fetures"], "there is no benchmark 'fetures'; did you mean features?"),
        (["start", "zzz"], "there is no benchmark 'zzz' (all: "),
        (["--threads", "0"], "--threads 0 was given; expected 1 to"),
        (["--data", "nowhere"], "there is no folder cifar10 in nowhere"),
    ],
)
def test_bad_arguments_are_told_in_one_sentence(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err
    assert printed.err.count("\n") == 1


def test_a_benchmark_that_cannot_run_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "results.json"
    assert main(["fit", "--quick", "--json", str(place)]) == 0
    assert "skipped: it needs CIFAR-10" in capsys.readouterr().out
    assert not place.exists()


def test_a_benchmark_that_fails_does_not_keep_others_from_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_setting: Setting) -> Outcome:
        return Outcome(compare([Contender("ours", lambda: None)], 1), {"faster": 5.0})

    some = {"fails": benchmark(_fail), "skips": benchmark(_skip), "works": benchmark(work)}
    monkeypatch.setattr("benchmarks.__main__._BY_NAME", some)
    assert main(["fails", "skips", "works"]) == 1
    printed = capsys.readouterr()
    assert "it broke" in printed.err
    assert "skipped: it cannot" in printed.out
    assert "≥ 2 ×" in printed.out
    assert main(["skips", "works"]) == 0


def test_a_peer_that_is_not_installed_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PyNomaly", None)
    found = loop.run(QUICK)
    assert [each.name for each in found.measured] == ["LocalOutlierProbability"]
    assert any("PyNomaly is not installed" in note for note in found.notes)
    assert set(found.reached) == {"memory"}


def test_what_is_asked_reads_as_in_the_table_of_targets() -> None:
    assert len({each.name for each in BENCHMARKS}) == len(BENCHMARKS)
    for each in BENCHMARKS:
        keys = [target.key for target in each.targets]
        assert len(set(keys)) == len(keys)
    at_least, at_most = Target("a", "", 2.0, at_least=True), Target("b", "", 2.0)
    assert [at_least.is_reached(value) for value in (1.9, 2.0, 2.1)] == [False, True, True]
    assert [at_most.is_reached(value) for value in (1.9, 2.0, 2.1)] == [True, True, False]


def test_the_loss_that_softmax_sides_are_held_to_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(50, 4)), rng.integers(0, 3, 50)
    weights = rng.normal(size=(3, 5))
    logits = X @ weights[:, :4].T + weights[:, 4]
    proba = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = log_loss(codes, proba, labels=[0, 1, 2]) + 0.05 * (weights[:, :4] ** 2).sum()
    given = (torch.from_numpy(X).float(), torch.from_numpy(codes), 0.1)
    loss, slope = penalised_loss(torch.from_numpy(weights), *given)
    assert loss == pytest.approx(expected, rel=1e-6)
    step = np.zeros_like(weights)
    step[1, 2] = step[2, 4] = 1e-2
    ends = [penalised_loss(torch.from_numpy(weights + sign * step), *given)[0] for sign in (1, -1)]
    along = float((slope.numpy() * step).sum())
    assert ends[0] - ends[1] == pytest.approx(2 * along, rel=1e-3)


def test_the_objectives_of_dictionaries_are_those_of_their_definition() -> None:
    rng = np.random.default_rng(0)
    patches, atoms = rng.normal(size=(40, 6)), rng.normal(size=(5, 6))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    fits = np.linalg.lstsq  # the best multiple of an atom, by least squares
    omp1 = sum(min(float(fits(a[:, None], p)[1][0]) for a in atoms) for p in patches)
    kmeans = sum(min(float(((p - a) ** 2).sum()) for a in atoms) for p in patches)
    both = torch.from_numpy(patches), torch.from_numpy(atoms)
    assert dictionary.omp1_objective(*both) == pytest.approx(omp1, rel=1e-9)
    assert dictionary.kmeans_objective(*both) == pytest.approx(kmeans, rel=1e-9)


def test_plain_omp1_finds_the_atoms_that_patches_are_multiples_of() -> None:
    rng = np.random.default_rng(1)
    axes = np.eye(6)[rng.integers(0, 6, 300)] * rng.normal(size=(300, 1))
    patches = torch.from_numpy(axes).float()
    atoms = dictionary.plain_omp1(patches, 40, np.random.RandomState(0))
    assert dictionary.omp1_objective(patches, atoms) < 1e-3 * float(patches.square().sum())


def test_made_up_features_have_the_spectrum_that_they_claim() -> None:
    X = np.concatenate(list(correlated(3000, 1600, np.arange(3000) % 8)))
    eigenvalues = np.linalg.eigvalsh(np.cov(X, rowvar=False))[::-1] / 1600
    assert X.dtype == np.float32
    assert X.var(0).mean() == pytest.approx(1.0, abs=0.1)
    published = {1: 1907, 3: 954, 10: 270, 50: 28.7, 100: 8.7, 400: 0.82}
    for place, value in published.items():  # within a factor of three of 12,800 features of images
        assert 1 / 3 < eigenvalues[place - 1] / (value / 12_800) < 3, place


@pytest.mark.parametrize(
    "each",
    [
        pytest.param(one, id=one.name, marks=[] if one.name in FAST else [pytest.mark.slow])
        for one in BENCHMARKS
        if one.name not in UNMEASURED
    ],
)
def test_every_benchmark_runs_and_agrees_with_its_reference(each: Benchmark) -> None:
    with same_threads(1):
        outcome = each.run(QUICK)
    assert set(outcome.reached) == {target.key for target in each.targets}
    for target in each.targets:
        if target.agreement:
            assert target.is_reached(outcome.reached[target.key]), target.what
    for one in outcome.measured:
        assert min(one.seconds) > 0
        assert len(one.seconds) == len(one.ratios)
    assert outcome.measured == [] or set(outcome.measured[0].ratios) == {1.0}
    entry = records.record(each, outcome, QUICK, "2013-12-05")
    assert json.loads(json.dumps(entry)) == entry


@pytest.mark.slow
def test_other_renderings_of_the_features_agree_with_the_literal_one() -> None:
    (features,) = [each for each in BENCHMARKS if each.name == "features"]
    gaps: dict[str, Any] = features.run(QUICK).facts["largest_difference"]
    assert len(gaps) == 3
    assert max(gaps.values()) < 1e-4


@pytest.mark.slow
def test_training_on_real_images_is_measured(real_data: Path) -> None:
    (fit,) = [each for each in BENCHMARKS if each.name == "fit"]
    found = fit.run(Setting(quick=True, threads=1, data=real_data))
    assert set(found.reached) == {"minutes", "memory"}


@pytest.mark.slow
def test_the_module_runs_as_a_command(tmp_path: Path) -> None:
    place = tmp_path / "results.json"
    command = [PYTHON, "-m", "benchmarks", "start", "--quick", "--json", str(place)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    assert "wordsight --help" in done.stdout
    entry = records.read(place)["start"]
    assert len(entry["contenders"]) == 3
    assert 0 < entry["reached"]["help"] < 5
