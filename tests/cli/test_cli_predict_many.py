"""``wordsight predict`` on many images: lists, patterns, going on after a stop, sorting."""

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.runs import Run, Runner, check_failed, command, contents
from wordsight import prediction
from wordsight.data.scenes import write_scenes
from wordsight.sorting import MARK
from wordsight.unfinished import state_path

N = 140


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in more batches than one, two of them broken. Never written to."""
    folder = tmp_path_factory.mktemp("drawn") / "photos"
    some = ["red circle", "blue star", "gold circle", "gold star"]
    write_scenes(folder, N // 4 - 1, 1, some, image_size=(16, 16))
    for name in ("00003.png", "00030.png"):
        (folder / "train" / "blue star" / name).write_bytes(b"none")
    return folder


@pytest.fixture
def photos(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "photos"))


class _Input(io.TextIOWrapper):
    """Standard input as a program sees it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


def stopping_after(n_batches: int, computed: list[int]) -> Any:
    """Stand for the computation; the program is told to end when so many batches are there."""
    real = prediction.predict_batches

    def stopping(*given: Any, **options: Any) -> Iterator[Any]:
        for number, batch in enumerate(real(*given, **options)):
            if number == n_batches:
                signal.raise_signal(signal.SIGTERM)
            computed.append(len(batch))
            yield batch

    return stopping


def paths_of(run: Run) -> list[str]:
    return [json.loads(line)["path"] for line in run.out.splitlines()]


# Inputs


def test_a_list_of_files_on_standard_input(
    scenes: Path, model: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(map(str, (scenes / "test").rglob("*.png")))[:3]
    for content, options in (
        ("\n".join(files).encode(), ("-",)),
        (b"\0".join(map(os.fsencode, files)), ("-", "--null")),
        (b"\0".join(map(os.fsencode, files)), ("-0", "-")),
    ):
        monkeypatch.setattr(sys, "stdin", _Input(content))
        done = run("predict", model, *options, "--json")
        assert done.code == 0, done.err
        assert paths_of(done) == files
    monkeypatch.setattr(sys, "stdin", _Input(f"{files[1]}\nnone.png\n".encode()))
    done = run("predict", model, files[0], "-", files[2], "--json")
    assert paths_of(done) == [files[0], files[1], "none.png", files[2]]


def test_lists_that_make_no_sense(
    scenes: Path, model: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_failed(run("predict", model, "-", "-"), 2, "twice")
    check_failed(run("predict", model, scenes, "--null"), 2, "ask for one with -")
    monkeypatch.setattr(sys, "stdin", _Input(b"\n"))
    check_failed(run("predict", model, "-"), 2, "is empty")


def test_patterns_in_quotes(scenes: Path, model: Path, run: Runner) -> None:
    done = run("predict", model, f"{scenes}/test/**/0000[01].png", "--json")
    assert len(paths_of(done)) == 12
    assert paths_of(done) == sorted(paths_of(done), key=lambda path: path.replace("/", "\0"))
    check_failed(run("predict", model, f"{scenes}/*.gif"), 2, "nothing matches the pattern")


# The summary


def test_a_summary_at_the_end(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    data, out = scenes / "test", tmp_path / "out.jsonl"
    done = run("predict", model, data, "--out", out)
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert "Predicted 30 images." in done.err
    said = {line.rsplit(None, 1)[0].strip(): line.split()[-1] for line in done.err.splitlines()[3:]
            if line.strip()}  # fmt: skip
    for name in {row["label"] for row in rows}:
        assert said[name] == str(sum(row["label"] == name for row in rows))
    assert said["judged novel, among these"] == str(sum(row["is_novel"] for row in rows))
    assert said["not readable"] == "0"
    assert int(said["images a second"]) > 0
    quiet = run("predict", model, data, "--out", out, "--overwrite", "--quiet")
    assert quiet == Run(0, f"{out}\n", "")
    one = next(data.rglob("*.png"))
    assert run("predict", model, one).err == ""  # one image needs none


# Going on


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_run_that_is_stopped_goes_on_and_ends_the_same(
    photos: Path, model: Path, tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch,
    ending: str,
) -> None:  # fmt: skip
    whole, out = tmp_path / f"whole.{ending}", tmp_path / "parts" / f"out.{ending}"
    assert run("predict", model, photos, "--out", whole).code == 0
    arguments = ("predict", model, photos, "--out", out, "--resume")
    computed: list[int] = []
    monkeypatch.setattr(prediction, "predict_batches", stopping_after(1, computed))
    for _ in range(10):
        done = run(*arguments)
        if done.code == 0:
            break
        check_failed(done, 143, "run the same command to go on")
        assert not out.exists()
        assert len(contents(out.parent)) == 1
    assert done.code == 0
    assert len(computed) > 2
    assert sum(computed) == N  # no row was computed twice
    assert out.read_bytes() == whole.read_bytes()
    assert contents(out.parent) == {out.name}
    check_failed(run(*arguments), 2, "exists already")


def test_what_changed_is_named(
    photos: Path, model: Path, tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    begin = ("predict", model, photos, "--out", out, "--resume")
    with monkeypatch.context() as patch:
        patch.setattr(prediction, "predict_batches", stopping_after(1, []))
        assert run(*begin).code == 143
    before = contents(tmp_path)
    for options, said in (
        (("--also", "zebra"), "--also"),
        (("--nearest", "3"), "--nearest"),
        (("--gate", "probability"), "--gate"),
        (("--among", "red star,blue star"), "--among"),
        ((photos / "train" / "blue star",), "images"),
    ):
        check_failed(run(*begin, *options), 2, "unfinished predictions", said, "--overwrite")
    broken = photos / "train" / "blue star" / "00003.png"
    broken.write_bytes((broken.parent / "00004.png").read_bytes())
    check_failed(run(*begin), 2, "images")
    assert contents(tmp_path) == before
    done = run(*begin, "--nearest", "0", "--overwrite")
    assert done.code == 0
    assert "Going on" not in done.err
    check_failed(run("predict", model, photos, "--resume"), 2, "--out")


def test_a_run_that_ended_between_its_output_and_its_clearing_up(
    photos: Path, model: Path, tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    arguments = ("predict", model, photos, "--out", out, "--resume")
    with monkeypatch.context() as patch:
        patch.setattr("wordsight.unfinished.UnfinishedRows.remove", lambda _: None)
        assert run(*arguments).code == 0
    written = out.read_bytes()
    done = run(*arguments)
    assert (done.code, out.read_bytes()) == (0, written)
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "out.csv"}
    # but another file under that name is not taken for it
    with monkeypatch.context() as patch:
        patch.setattr("wordsight.unfinished.UnfinishedRows.remove", lambda _: None)
        out.unlink()
        assert run(*arguments).code == 0
    out.write_text("mine", encoding="utf-8")
    check_failed(run(*arguments), 2, "exists already")
    assert out.read_text(encoding="utf-8") == "mine"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_killed_at_any_moment_it_goes_on_and_ends_the_same(
    model: Path, tmp_path: Path, run: Runner, ending: str
) -> None:
    many = tmp_path / "many.npy"
    np.save(many, np.random.default_rng(0).integers(0, 256, (20_000, 16, 16, 3), dtype=np.uint8))
    whole, out = tmp_path / f"whole.{ending}", tmp_path / "parts" / f"out.{ending}"
    plain = ("predict", model, many, "--quiet", "--out")
    assert run(*plain, whole).code == 0
    state, moments = state_path(out), random.Random(0)

    def killed_when(ready: Callable[[], bool]) -> bool:
        """Start it, and kill it a moment after `ready`; tell whether it was not done by then."""
        process = subprocess.Popen(command(*plain, out, "--resume"), stderr=subprocess.PIPE)
        while process.poll() is None and not ready():
            time.sleep(0.005)
        time.sleep(moments.uniform(0.0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def size() -> int:
        return state.stat().st_size if state.exists() else 0

    sizes = [0]
    assert killed_when(lambda: size() > 0)  # it has hardly begun
    for _ in range(4):
        before = size()
        if not killed_when(partial(lambda least: size() > least, before)):
            break
        sizes.append(size())
    # and while the output is written
    killed_when(lambda: any(out.parent.glob(f".unfinished-*/new.{ending}")))
    assert sizes == sorted(sizes)  # nothing that was safe was lost
    assert len(sizes) > 2
    done = run(*plain, out, "--resume")
    assert done.code == 0, done.err
    assert out.read_bytes() == whole.read_bytes()
    assert not state.exists()


# Sorting


def test_images_are_sorted_into_folders(
    photos: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    target, out = tmp_path / "sorted", tmp_path / "out.jsonl"
    done = run("predict", model, photos, "--out", out, "--sort-into", target)
    assert done.code == 0, done.err
    assert done.out == f"{out}\n{target}\n"
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    placed = {
        (path.parent.name, str(path.readlink())) for path in target.rglob("*") if path.is_symlink()
    }
    # the model has unseen classes and a hard gate: what is novel has a name
    assert placed == {(row["label"], row["path"]) for row in rows if row["error"] is None}
    listed = (target / "_unreadable" / "list.csv").read_text("utf-8").splitlines()
    assert len(listed) == 3
    assert not (target / "_novel").exists()
    check_failed(
        run("predict", model, photos, "--sort-into", target, "--json"), 2, "exists already"
    )
    copied = run("predict", model, photos, "--sort-into", target, "--copy", "--overwrite",
                 "--among", "red star,blue star,gold circle")  # fmt: skip
    assert copied.code == 0, copied.err
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert (target / "_novel").is_dir()
    # an image of no seen class, for which there is a seen class's name alone
    novel = sum(bool(row["is_novel"]) for row in rows)
    assert len(list((target / "_novel").iterdir())) == novel
    (target / "mine").write_text("precious")
    check_failed(
        run("predict", model, photos, "--sort-into", target, "--overwrite"), 2, "other things"
    )


def test_sorting_that_cannot_be(
    photos: Path, scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    rows = tmp_path / "rows.npy"
    np.save(rows, np.zeros((2, 16, 16, 3), dtype=np.uint8))
    target = tmp_path / "sorted"
    check_failed(run("predict", model, rows, "--sort-into", target), 2, "rows.npy is a data file")
    inside = photos / "sorted"
    check_failed(run("predict", model, photos, "--sort-into", inside), 2, "lies in")
    check_failed(run("predict", model, photos, "--copy"), 2, "--sort-into")
    into = ("--sort-into", target, "--out", target / "out.csv")
    check_failed(run("predict", model, photos, *into), 2, "would lie in")
    assert not target.exists()
    assert MARK not in {Path(name).name for name in contents(tmp_path)}


def test_sorting_and_going_on(
    photos: Path, model: Path, tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, out = tmp_path / "sorted", tmp_path / "out.csv"
    arguments = ("predict", model, photos, "--out", out, "--resume", "--sort-into", target)
    with monkeypatch.context() as patch:
        patch.setattr(prediction, "predict_batches", stopping_after(1, []))
        assert run(*arguments).code == 143
    assert not target.exists()
    done = run(*arguments)
    assert done.code == 0, done.err
    assert "Going on after 66 rows" in done.err  # a batch of 64, and two that cannot be read
    assert sum(path.is_symlink() for path in target.rglob("*")) == N - 2


def test_a_kill_after_all_is_made_needs_no_leave_to_overwrite(
    run: Runner, model: Path, photos: Path, tmp_path: Path
) -> None:
    """The sorted folder and the output stand, and only what was kept beside them is still there."""
    target, out = tmp_path / "sorted", tmp_path / "out.csv"
    arguments = ("predict", model, photos, "--out", out, "--resume", "--sort-into", target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wordsight.unfinished.UnfinishedRows.remove", lambda _: None)
        assert run(*arguments).code == 0
    before = contents(tmp_path)
    assert run(*arguments).code == 0
    assert contents(tmp_path) == before - {state_path(out).name}
    check_failed(run(*arguments), 2, "exists already")


def test_a_folder_sorted_by_another_run_is_not_replaced_by_going_on(
    run: Runner, model: Path, photos: Path, tmp_path: Path
) -> None:
    target, out = tmp_path / "sorted", tmp_path / "out.csv"
    assert run("predict", model, photos, "--sort-into", target, "--among", "red star").code == 0
    before = contents(target)
    arguments = ("predict", model, photos, "--out", out, "--resume")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wordsight.unfinished.UnfinishedRows.remove", lambda _: None)
        assert run(*arguments).code == 0
    check_failed(run(*arguments, "--sort-into", target), 2, f"{target} exists already")
    assert contents(target) == before


def test_rows_that_are_kept_end_with_an_output_made_otherwise(
    run: Runner, model: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    arguments = ("predict", model, photos, "--out", out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wordsight.unfinished.UnfinishedRows.remove", lambda _: None)
        assert run(*arguments, "--resume").code == 0
    assert state_path(out).exists()
    assert run(*arguments, "--overwrite").code == 0
    assert not state_path(out).exists()
