"""What the system does to the program: signals, full disks, folders that may not be written."""

import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cli.runs import SMALL, Run, check_failed, command, contents, spawn

NOBODY = 65534


def stop(process: "subprocess.Popen[str]", number: int, began: Callable[[str], bool]) -> Run:
    """Send a signal once the work has begun, and wait for the end."""
    assert process.stderr is not None
    said = ""
    while not began(said):
        line = process.stderr.readline()
        assert line, said
        said += line
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return Run(process.returncode, out, said + err)


def start(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a test run in the background has SIGINT ignored, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_fit_that_is_stopped_leaves_nothing(scenes: Path, tmp_path: Path, number: int) -> None:
    process = start(
        "fit", scenes, "--out", tmp_path / "model", "--image-size", "16", "--atoms", "1500",
        "--false-novel-rate", "0.2",
    )  # fmt: skip
    done = stop(process, number, lambda said: "seed: 0" in said)
    check_failed(done, 128 + number, "interrupted" if number == signal.SIGINT else "terminated")
    assert contents(tmp_path) == set()


@pytest.mark.slow
def test_a_fit_that_is_stopped_goes_on(scenes: Path, tmp_path: Path) -> None:
    arguments = ("fit", scenes, "--out", tmp_path / "model", *SMALL, "--cache", tmp_path / "cache",
                 "--patches", "100000", "--atoms", "300")  # fmt: skip
    process = start(*arguments)
    done = stop(process, signal.SIGINT, lambda said: "seed: 0" in said)
    check_failed(done, 130, "run the same command to go on")
    assert not any(name.startswith((".", "model")) for name in contents(tmp_path))
    assert spawn(*arguments).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"model", "cache"}


def test_a_prediction_that_is_stopped_leaves_nothing(model: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.npy"
    # sparse: it takes no room on the disk, and hours to predict
    np.lib.format.open_memmap(many, "w+", np.uint8, (10_000_000, 16, 16, 3))
    out = tmp_path / "out"
    out.mkdir()
    process = start("predict", model, many, "--out", out / "new" / "out.csv", "--nearest", "0")
    deadline = time.monotonic() + 60
    while not contents(out) - {"new"} and time.monotonic() < deadline:
        time.sleep(0.05)
    assert contents(out) - {"new"}  # it writes
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    assert contents(out) <= {"new"}


def limit_files(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_is_full_when_the_model_is_saved(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    done = spawn("fit", scenes, "--out", out, *SMALL, preexec=limit_files(8192))
    check_failed(done, 1, f"cannot write {out}", "nothing was left")
    assert contents(tmp_path) == set()


@pytest.mark.slow
def test_a_disk_that_is_full_of_features(scenes: Path, tmp_path: Path) -> None:
    out, cache = tmp_path / "model", tmp_path / "cache"
    done = spawn("fit", scenes, "--out", out, *SMALL, "--cache", cache, preexec=limit_files(4096))
    check_failed(done, 1, f"cannot write {cache}", "nothing was left")
    assert not any((tmp_path / name).is_file() for name in contents(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_disk_that_is_full_of_predictions(
    scenes: Path, model: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"out.{ending}"
    out.write_text("old", encoding="utf-8")
    done = spawn("predict", model, scenes, "--out", out, "--overwrite", preexec=limit_files(512))
    check_failed(done, 1, f"cannot write {out}", "nothing was left")
    assert contents(tmp_path) == {out.name}
    assert out.read_text(encoding="utf-8") == "old"


@pytest.fixture
def tiny_disk() -> Iterator[Path]:
    """A disk of 64 KiB; skips where there is no right to make one."""
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, check=False).returncode
    try:
        if made != 0:
            pytest.skip("no right to mount a small disk; the limit on files stands for it")
        yield folder
    finally:
        if made == 0:
            subprocess.run(["umount", folder], check=True)
        folder.rmdir()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount on this system")
def test_a_real_disk_that_is_full_of_a_model(scenes: Path, tiny_disk: Path) -> None:
    done = spawn("fit", scenes, "--out", tiny_disk / "model", *SMALL, "--atoms", "100")
    check_failed(done, 1, "cannot write", "nothing was left")
    assert contents(tiny_disk) == set()


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount on this system")
def test_a_real_disk_that_is_full_of_words(tmp_path: Path, tiny_disk: Path) -> None:
    many = tmp_path / "many.txt"
    rows = [f"word{number} {' '.join(['0.123456'] * 50)}" for number in range(1000)]
    many.write_text("\n".join(rows), encoding="utf-8")
    done = spawn("words", "convert", many, tiny_disk / "many.safetensors")
    check_failed(done, 1, "cannot write", "nothing was left")
    assert contents(tiny_disk) == set()


def test_a_folder_that_may_not_be_written() -> None:
    """As somebody else where the tests run as root, whom no permission stops."""
    become = (
        "import contextlib, io, os, sys; from wordsight.cli import main\n"
        # what the command imports may lie where somebody else cannot read it
        "with contextlib.redirect_stderr(io.StringIO()): main(['fit', '/', '--out', '/'])\n"
        f"os.geteuid() or os.setuid({NOBODY}); sys.exit(main(sys.argv[1:]))"
    )
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    try:
        for arguments in (
            ("fit", "/", "--out", folder / "out"),
            ("evaluate", "/", "/", "--out", folder / "out"),
            ("predict", "/", "/", "--out", folder / "out"),
            ("words", "convert", "/none", folder / "out"),
        ):
            done = subprocess.run(
                [sys.executable, "-c", become, *map(str, arguments)],
                capture_output=True,
                text=True,
                check=False,
            )
            run = Run(done.returncode, done.stdout, done.stderr)
            check_failed(run, 1, f"cannot write {folder / 'out'}", "Permission denied")
        assert contents(folder) == set()
    finally:
        folder.rmdir()


@pytest.mark.slow
def test_results_go_to_stdout_and_the_rest_to_stderr(scenes: Path, model: Path) -> None:
    done = spawn("evaluate", model, scenes, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("{")
    assert done.out.count("\n") == 1
