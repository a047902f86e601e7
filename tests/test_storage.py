"""Files and directories appear whole or not at all."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wordsight import storage
from wordsight.exceptions import InputError, WordsightError
from wordsight.storage import atomic_directory, atomic_path, refuse_existing, save_array

Writer = Callable[..., AbstractContextManager[Path]]

ODD_NAMES = [
    "plain.csv",
    "no ending",
    ".hidden",
    "two.tar.gz",
    "ends.with.a.dot.",
    "sp ace & $quote'\"",
    "línea\nnueva.txt",
    "猫.parquet",
    "%s{0}.json",
    "a." + "b" * 253,  # as long as names can be
    "é" * 127,
]


class Interrupted(BaseException):
    """Stands for an interrupt: nothing that `except Exception` would catch."""


def write(place: Path, text: str = "new") -> None:
    """Fill what a writer gave: a file, or a directory with two files."""
    if place.is_dir():
        (place / "sub").mkdir()
        (place / "sub" / "inner.txt").write_text(text, encoding="utf-8")
        (place / "outer.txt").write_text(text, encoding="utf-8")
    else:
        place.write_text(text, encoding="utf-8")


def read(place: Path) -> list[str]:
    """Everything that `write` wrote."""
    files = sorted(place.rglob("*.txt")) if place.is_dir() else [place]
    return [file.read_text(encoding="utf-8") for file in files]


def names(folder: Path) -> list[str]:
    """Everything that lies in a folder, hidden or not."""
    return sorted(place.name for place in folder.iterdir())


@pytest.fixture(params=[atomic_path, atomic_directory])
def writer(request: pytest.FixtureRequest) -> Writer:
    result: Writer = request.param
    return result


@pytest.mark.parametrize("name", ODD_NAMES)
def test_what_is_written_appears_at_the_end(writer: Writer, name: str, tmp_path: Path) -> None:
    target = tmp_path / name
    with writer(target) as place:
        write(place)
        assert not target.exists()
    assert set(read(target)) == {"new"}
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet", "x.y.npz"])
def test_the_ending_is_kept_while_writing(name: str, tmp_path: Path) -> None:
    with atomic_path(tmp_path / name) as place:
        assert place.suffixes[-1:] == Path(name).suffixes[-1:]
        assert place.parent.parent == tmp_path  # its file system: a rename is all that is left


def test_missing_folders_are_made(writer: Writer, tmp_path: Path) -> None:
    with writer(tmp_path / "a" / "b" / "c") as place:
        write(place)
    assert set(read(tmp_path / "a" / "b" / "c")) == {"new"}


def test_names_may_be_strings(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with writer("here") as place:
        write(place)
    assert set(read(tmp_path / "here")) == {"new"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, Interrupted])
def test_an_error_or_interrupt_leaves_nothing(
    writer: Writer, error: type[BaseException], tmp_path: Path
) -> None:
    def interrupted() -> None:
        with writer(tmp_path / "out") as place:
            write(place, "half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_error_leaves_what_was_there_before(error: type[BaseException], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder", "old")
    write(tmp_path / "file", "old")

    def interrupted(context: AbstractContextManager[Path]) -> None:
        with context as place:
            write(place, "half")
            raise error

    for context in (
        atomic_path(tmp_path / "file"),
        atomic_directory(tmp_path / "folder", overwrite=True),
    ):
        with pytest.raises((error, WordsightError)):
            interrupted(context)
    assert read(tmp_path / "file") == ["old"]
    assert read(tmp_path / "folder") == ["old", "old"]
    assert names(tmp_path) == ["file", "folder"]


def test_an_existing_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("a long old text", encoding="utf-8")
    with atomic_path(target) as place:
        write(place)
        assert read(target) == ["a long old text"]  # to the end
    assert read(target) == ["new"]


def test_an_existing_directory_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(InputError, match="exists already; name another output"):
        atomic_directory(target).__enter__()
    assert names(tmp_path) == ["out"]


def test_an_existing_directory_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old.txt").write_text("old", encoding="utf-8")
    with atomic_directory(target, overwrite=True) as place:
        write(place)
        assert read(target) == ["old"]  # to the end
    assert read(target) == ["new", "new"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_failure_while_directories_change_places_keeps_the_old_one(
    error: type[BaseException], fails_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    write(target, "old")
    monkeypatch.setattr(storage, "exchange", lambda _one, _other: False)
    rename, n_calls = Path.rename, 0

    def failing(self: Path, to: Path) -> Path:
        nonlocal n_calls
        n_calls += 1
        if n_calls == fails_at:
            raise error
        return rename(self, to)

    def replace() -> None:
        with atomic_directory(target, overwrite=True) as place:
            write(place)
            monkeypatch.setattr(Path, "rename", failing)

    with pytest.raises((error, WordsightError)):
        replace()
    assert n_calls >= fails_at
    assert read(target) == ["old", "old"]
    assert names(tmp_path) == ["out"]


def test_what_cannot_be_put_back_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "out", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    write(old, "old")
    monkeypatch.setattr(storage, "exchange", lambda _one, _other: False)
    rename = Path.rename

    def only_the_first(self: Path, to: Path) -> Path:
        if self == old:
            return rename(self, to)
        raise OSError("no")

    monkeypatch.setattr(Path, "rename", only_the_first)
    with pytest.raises(OSError, match="no"):
        storage._swap(new, old)
    (aside,) = (place for place in tmp_path.iterdir() if place != new)
    assert set(read(aside)) == {"old"}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with atomic_path(tmp_path / "file") as place:
            write(place)
        with atomic_directory(tmp_path / "folder") as place:
            write(place)
            (place / "private").touch(mode=0o600)  # as some libraries make their files
        assert os.umask(umask) == umask  # which was left as it is
    finally:
        os.umask(before)

    def mode(name: str) -> int:
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    assert mode("file") == 0o666 & ~umask
    assert mode("folder") == 0o777 & ~umask
    assert mode("folder/outer.txt") == 0o666 & ~umask
    assert mode("folder/private") == 0o666 & ~umask


def test_a_file_never_takes_the_place_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(InputError, match=f"{name} exists and is not a file"):
            atomic_path(tmp_path / name).__enter__()
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert names(tmp_path) == ["folder", "pipe"]


def test_a_file_where_a_folder_is_needed(writer: Writer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for name in ("file/out", "file/deeper/out"):
        with pytest.raises(WordsightError, match=r"cannot write .*out: .*; nothing was left"):
            writer(tmp_path / name).__enter__()
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
    with pytest.raises(WordsightError, match="file is a file where a folder is needed"):
        writer(tmp_path / "file" / "out").__enter__()


def test_a_name_that_is_too_long(writer: Writer, tmp_path: Path) -> None:
    def write_it() -> None:
        with writer(tmp_path / ("n" * 300)) as place:
            write(place)

    with pytest.raises(WordsightError, match=r"cannot write .*: File name too long; nothing"):
        write_it()
    assert names(tmp_path) == []


def test_a_folder_that_may_not_be_written_to(writer: Writer, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    probe = closed / "probe"
    try:
        probe.touch()
    except PermissionError:
        folder = closed
    else:  # the superuser may write anywhere but here
        folder = Path("/proc/self")
        if not folder.is_dir():
            pytest.skip("no folder here that refuses files")
    with pytest.raises(WordsightError, match=r"cannot write .*/out: .*; nothing was left behind"):
        writer(folder / "out").__enter__()


_FULL = """
import resource, signal, sys
from pathlib import Path
from wordsight import storage
from wordsight.exceptions import WordsightError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
kind, target = sys.argv[1:]
writer = (
    storage.atomic_directory(target, overwrite=True)
    if kind == "directory"
    else storage.atomic_path(target)
)
try:
    with writer as place:
        (place / "big" if place.is_dir() else place).write_bytes(bytes(100_000))
except WordsightError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_disk_that_takes_no_more(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    if kind == "directory":
        target.mkdir()
    write(target, "old")
    done = subprocess.run(
        [sys.executable, "-c", _FULL, kind, str(target)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == (
        f"cannot write {target}: File too large; nothing was left behind: make room there, or name "
        "another output\n"
    )
    assert done.stderr == ""
    assert set(read(target)) == {"old"}
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0, dtype=np.float32).reshape(2, 3, 4),
        np.arange(6).reshape(2, 3).T,  # column by column
        np.empty((0, 5)),
        np.array(7.0),
        np.arange(10)[::-2],
    ],
)
def test_an_array_is_written_as_numpy_writes_it(array: Any, tmp_path: Path) -> None:
    save_array(tmp_path / "ours.npy", array)
    np.save(tmp_path / "theirs.npy", array, allow_pickle=False)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "theirs.npy").read_bytes()


def test_refuse_existing(tmp_path: Path) -> None:
    target = tmp_path / "out"
    refuse_existing(target)
    target.mkdir()
    refuse_existing(target, overwrite=True)
    with pytest.raises(InputError, match=r"out exists already; .*\(--overwrite\)"):
        refuse_existing(target)


def test_errors_say_what_an_exit_code_is_for() -> None:
    codes: list[tuple[Any, int]] = [(InputError, 2), (WordsightError, 1)]
    for error, code in codes:
        assert error("x").exit_code == code
