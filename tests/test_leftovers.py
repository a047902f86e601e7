"""What a killed process leaves is cleared away by the next; what a living one has is not."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from wordsight import leftovers, storage
from wordsight.leftovers import claimed, exchange, hold
from wordsight.storage import atomic_directory, atomic_path

Writer = Callable[..., AbstractContextManager[Path]]

_WRITE = """
import sys, time
from pathlib import Path
from wordsight.storage import atomic_directory, atomic_path

folder, target = sys.argv[1:]
writer = atomic_directory(target, overwrite=True) if folder == "folder" else atomic_path(target)
with writer as place:
    (place / "inner" if folder == "folder" else place).write_text("of the other one")
    print(place.relative_to(Path(target).parent), flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_process(kind: str, target: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process in the midst of writing `target`, and the path that it writes to."""
    with subprocess.Popen(
        [sys.executable, "-c", _WRITE, kind, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        written = process.stdout.readline().strip()
        assert written, "it did not begin"
        try:
            yield process, target.parent / written
        finally:
            process.kill()


@pytest.fixture(params=["file", "folder"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def writer(kind: str) -> Writer:
    return partial(atomic_directory, overwrite=True) if kind == "folder" else atomic_path


def write(place: Path) -> None:
    (place / "inner" if place.is_dir() else place).write_text("new", encoding="utf-8")


def read(place: Path) -> str:
    return (place / "inner" if place.is_dir() else place).read_text(encoding="utf-8")


def names(folder: Path) -> list[str]:
    return sorted(place.name for place in folder.iterdir())


def test_what_a_killed_process_left_is_cleared_away(
    kind: str, writer: Writer, tmp_path: Path
) -> None:
    target = tmp_path / "out.csv"
    with another_process(kind, target) as (process, left):
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert names(tmp_path) == [left.parent.name]
        with writer(tmp_path / "another") as place:
            write(place)
        assert names(tmp_path) == [left.parent.name, "another"]  # of another target nothing is said
        with writer(target) as place:
            assert names(tmp_path) == [place.parent.name, "another"]
            assert place.is_dir() or not place.stat().st_size
            write(place)
    assert names(tmp_path) == ["another", "out.csv"]
    assert read(target) == "new"


def test_what_a_living_process_writes_is_left_alone(
    kind: str, writer: Writer, tmp_path: Path
) -> None:
    target = tmp_path / "out.csv"
    with another_process(kind, target) as (process, other):
        with writer(target) as place:
            assert place != other
            write(place)
        assert names(tmp_path) == [other.parent.name, "out.csv"]
        assert read(target) == "new"
        assert read(other) == "of the other one"
        process.communicate("go on\n", timeout=60)
        assert process.returncode == 0
    assert names(tmp_path) == ["out.csv"]
    assert read(target) == "of the other one"  # it ended last


def test_many_in_one_process_write_one_target(writer: Writer, tmp_path: Path) -> None:
    target = tmp_path / "out"
    with writer(target) as one, writer(target) as two, writer(target) as three:
        assert len({one, two, three}) == 3
        for place in (one, two, three):
            write(place)
    assert names(tmp_path) == ["out"]


def test_a_room_that_is_being_made_or_removed_is_cleared_away(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with claimed(target) as place:
        room = place.parent
    room.mkdir()  # a kill before there is a lock in it, or after
    with atomic_path(target) as place:
        assert names(tmp_path) == [room.name]
        write(place)
    assert names(tmp_path) == ["out.csv"]


def test_others_may_write_when_one_has_its_name(tmp_path: Path) -> None:
    """What follows the rename touches nothing of a writer that began right after it."""
    target = tmp_path / "out.csv"
    with ExitStack() as second:
        with atomic_path(target) as first:
            write(first)
            first.replace(target)
            first.touch()  # for the rename of its own
            begun = second.enter_context(atomic_path(target))
        write(begun)
    assert read(target) == "new"


def test_a_library_may_put_another_file_in_its_place(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with claimed(target) as place:
        (place.parent / "its own").write_text("new", encoding="utf-8")
        (place.parent / "its own").replace(place)
        with atomic_path(target) as other:  # somebody else clears away what is not held
            write(other)
        assert read(place) == "new"
    assert names(tmp_path) == ["out.csv"]


def test_many_threads_write_one_target(writer: Writer, tmp_path: Path) -> None:
    target, n_writers, ended = tmp_path / "out", 6, []

    def work() -> None:
        for _ in range(40):
            with writer(target) as place:
                write(place)
        ended.append(True)

    threads = [Thread(target=work) for _ in range(n_writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == n_writers
    assert (names(tmp_path), read(target)) == (["out"], "new")


def test_a_leftover_with_a_higher_number_is_found(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with claimed(target) as first, claimed(target) as second:
        stale = second.parent
        assert first.parent != stale
    stale.mkdir()
    (stale / "lock").touch()
    (stale / "new.csv").write_text("left", encoding="utf-8")
    with atomic_path(target) as place:
        write(place)
    assert names(tmp_path) == ["out.csv"]


def test_one_that_is_taken_for_a_dead_ones_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process clears it away after it is made and before it is held."""
    target, n_made = tmp_path / "out", 0

    def too_late(place: Path) -> int | None:
        nonlocal n_made
        n_made += place.exists()
        if place.exists() and n_made == 1:
            place.unlink()
            place.parent.rmdir()
        return hold(place)

    monkeypatch.setattr(leftovers, "hold", too_late)
    with atomic_path(target) as place:
        write(place)
    assert n_made == 2
    assert (names(tmp_path), read(target)) == (["out"], "new")


def test_nothing_is_removed_where_there_are_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    with claimed(target) as place:
        name = place.parent.name
    (tmp_path / name).mkdir()
    (tmp_path / name / "lock").write_text("somebody's", encoding="utf-8")
    monkeypatch.setattr(leftovers, "hold", lambda _place: None)
    with atomic_path(target) as place:
        write(place)
    assert names(tmp_path) == [name, "out"]


def test_folders_change_places_in_one_step(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inner").write_text(name, encoding="utf-8")
    assert exchange(tmp_path / "one", tmp_path / "two")
    assert (read(tmp_path / "one"), read(tmp_path / "two")) == ("two", "one")
    assert not exchange(tmp_path / "one", tmp_path / "none")


def test_a_link_to_a_folder_is_replaced_and_what_it_leads_to_is_not(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    write(tmp_path / "theirs")
    (tmp_path / "out").symlink_to("theirs")
    with atomic_directory(tmp_path / "out", overwrite=True) as place:
        (place / "inner").write_text("newer", encoding="utf-8")
    assert names(tmp_path) == ["out", "theirs"]
    assert (read(tmp_path / "out"), read(tmp_path / "theirs")) == ("newer", "new")


@pytest.mark.parametrize("new_stands", [False, True])
def test_a_kill_between_two_steps_loses_nothing(
    new_stands: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where folders cannot change places at once, the old one is found again."""
    monkeypatch.setattr(storage, "exchange", lambda _one, _other: False)
    target = tmp_path / "out"
    target.mkdir()
    write(target)
    child = os.fork()
    if child == 0:
        rename: Any = Path.rename

        def killed(self: Path, to: Path) -> Path:
            if to != target:
                return Path(rename(self, to))
            if new_stands:
                rename(self, to)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

        monkeypatch.setattr(Path, "rename", killed)
        with atomic_directory(target, overwrite=True) as place:
            (place / "inner").write_text("newer", encoding="utf-8")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert target.exists() == new_stands
    with pytest.raises(RuntimeError), atomic_directory(target, overwrite=True):
        assert read(target) == ("newer" if new_stands else "new")
        raise RuntimeError
    assert names(tmp_path) == ["out"]
