"""``wordsight reproduce``: a whole report of tiny pictures, resumed, refused, without a display."""

import html
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from cli.runs import Run, Runner, check_failed, contents, spawn
from experiments.ten_classes import TINY, write_pictures
from wordsight.cli import main
from wordsight.experiments.catalogue import EXPERIMENTS
from wordsight.experiments.results import Results
from wordsight.experiments.setting import CLASSES, Setting

FAST = "word-vectors,attributes"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let --quick be quicker still."""
    monkeypatch.setattr(Setting, "quick", classmethod(lambda _cls: TINY))


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of all experiments and two seeds. Never written to."""
    out = tmp_path_factory.mktemp("report") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Setting, "quick", classmethod(lambda _cls: TINY))
        patch.delenv("DISPLAY", raising=False)
        given = ["reproduce", str(pictures), "--quick", "--seeds", "2", "--out", str(out), "-q"]
        assert main(given) == 0
    return out


@pytest.mark.slow
def test_a_report_holds_every_experiment_and_seed(whole: Path) -> None:
    results = Results.read(whole / "results.json")
    assert [one.name for one in results.experiments] == [one.name for one in EXPERIMENTS]
    for one in results.experiments:
        assert [run.seed for run in one.runs] == [0, 1]
        assert all(run.seconds > 0 for run in one.runs)
    page = (whole / "index.html").read_text(encoding="utf-8")
    for experiment in EXPERIMENTS:
        assert html.escape(experiment.title) in page
    drawn = {path.name for path in (whole / "pictures").iterdir()}
    assert len(drawn) >= len(EXPERIMENTS)
    assert "could not be drawn" not in page


@pytest.mark.slow
def test_all_announced_numbers_are_measured(whole: Path) -> None:
    for one in Results.read(whole / "results.json").experiments:
        announced = {number.key for number in one.numbers}
        for run in one.runs:
            # those of these two depend on the words given, and on the sizes of the table
            if one.name not in ("distractors", "dictionaries"):
                assert set(run.numbers) == announced


@pytest.mark.slow
def test_a_second_run_computes_nothing_again(
    whole: Path, pictures: Path, tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("wordsight.experiments.store.Store._make", fail)
    out = tmp_path / "again"
    given = ["--quick", "--seeds", 2, "--cache", whole / "cache", "--out", out]
    done = run("reproduce", pictures, *given)
    assert done.code == 0, done.err
    before, after = (Results.read(place / "results.json") for place in (whole, out))
    assert before.experiments == after.experiments
    assert {one.name: one.seconds for one in before.stages} == {
        one.name: one.seconds for one in after.stages
    }


def test_an_interrupted_run_goes_on(
    pictures: Path, tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report"
    given = ["reproduce", pictures, "--quick", "--only", FAST, "--out", out]

    def stop(*_args: object, **_kwargs: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)  # the signal is there before

    with monkeypatch.context() as patch:
        patch.setattr("wordsight.experiments.lab.ridge_leaving_out", stop)
        stopped = run(*given)
    assert stopped.code == 130
    assert "run the same command to go on" in stopped.err
    assert not (out / "index.html").exists()
    with monkeypatch.context() as patch:
        patch.setattr("wordsight.experiments.lab.PatchFeatures.fit_transform", stop)  # done already
        done = run(*given, "--json")
    assert done.code == 0
    assert json.loads(done.out) == {
        "report": str(out / "index.html"),
        "results": str(out / "results.json"),
        "experiments": sorted(FAST.split(",")),
        "seeds": [0],
    }
    assert (out / "index.html").exists()


def test_only_runs_what_is_named(pictures: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "report"
    done = run("reproduce", pictures, "--quick", "--only", FAST, "--out", out)
    assert done.code == 0, done.err
    assert done.out == f"{out / 'index.html'}\n"
    results = Results.read(out / "results.json")
    assert {one.name for one in results.experiments} == set(FAST.split(","))
    assert len(results.left_out) == len(EXPERIMENTS) - 2


def test_list_names_them_all(run: Runner) -> None:
    done = run("reproduce", "--list")
    assert done.code == 0
    for experiment in EXPERIMENTS:
        assert experiment.name in done.out
    listed = json.loads(run("reproduce", "--list", "--json").out)
    assert [one["name"] for one in listed] == [experiment.name for experiment in EXPERIMENTS]


def _damage(place: Path) -> None:
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.write_bytes(bytes(content))


@pytest.mark.filterwarnings("default")
def test_a_damaged_cache_is_said_and_made_again(
    pictures: Path, tmp_path: Path, run: Runner
) -> None:
    out = tmp_path / "report"
    given = ["reproduce", pictures, "--quick", "--only", FAST, "--out", out, "--overwrite"]
    assert run(*given).code == 0
    before = _numbers(out)
    for folder in (out / "cache").iterdir():
        for place in folder.iterdir():
            _damage(place)
    done = run(*given)
    assert done.code == 0
    assert "is damaged" in done.err and "made again" in done.err
    assert _numbers(out) == before


def _numbers(out: Path) -> list[Any]:
    content = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return [[run["numbers"] for run in one["runs"]] for one in content["experiments"]]


def test_an_unknown_experiment_lists_the_known(pictures: Path, tmp_path: Path, run: Runner) -> None:
    done = run("reproduce", pictures, "--only", "figure-9", "--out", tmp_path / "report")
    check_failed(done, 2, "'figure-9'", *(one.name for one in EXPERIMENTS))
    assert contents(tmp_path) == set()


def test_a_missing_class_is_named(tmp_path: Path, run: Runner) -> None:
    some = write_pictures(tmp_path / "some", CLASSES[:9])
    done = run("reproduce", some, "--quick", "--out", tmp_path / "report")
    check_failed(done, 2, "no image of truck", "the ten classes of CIFAR-10")
    assert not (tmp_path / "report").exists()


def test_images_without_a_test_split_are_refused(
    pictures: Path, tmp_path: Path, run: Runner
) -> None:
    done = run("reproduce", pictures / "train", "--out", tmp_path / "report")
    check_failed(done, 2, "train has no", "expected CIFAR-10 with its training and test images")


@pytest.mark.slow
def test_an_existing_report_is_not_replaced(whole: Path, pictures: Path, run: Runner) -> None:
    done = run("reproduce", pictures, "--quick", "--out", whole)
    check_failed(done, 2, "index.html exists already", "--overwrite")


def test_without_data_it_says_how_to_get_them(
    tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORDSIGHT_CACHE", str(tmp_path / "nothing"))
    done = run("reproduce", "--out", tmp_path / "report")
    check_failed(done, 2, "wordsight data fetch cifar10")


@pytest.mark.alone
def test_the_quick_report_of_the_real_images(real_data: Path, tmp_path: Path) -> None:
    """In under two minutes, and roughly what the full size finds.

    The dictionaries, which take more than all others together, are left to the drawn pictures.
    """
    out = tmp_path / "report"
    chosen = ",".join(one.name for one in EXPERIMENTS if one.name != "dictionaries")
    given = ("reproduce", real_data / "cifar10", "--quick", "--only", chosen, "--out", out)
    done: Run = spawn(*given, timeout=600, DISPLAY="")
    assert done.code == 0, done.err
    results = Results.read(out / "results.json")
    numbers = {
        key: value for one in results.experiments for key, value in one.runs[0].numbers.items()
    }
    assert results.seconds < 120
    assert numbers["cat – truck"] > 0.85
    assert numbers["AUSUC, per_class, two_layer"] > numbers["AUSUC, loop, two_layer"]
    assert abs(numbers["random_mean"] - 0.5) < 0.03
