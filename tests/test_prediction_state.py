"""Rows that outlive the program: cut anywhere, what was safe is found, and nothing else."""

import contextlib
import os
import resource
import signal
from pathlib import Path

import pytest

from wordsight.exceptions import InputError, WordsightError
from wordsight.prediction import Prediction
from wordsight.prediction_state import PredictionState, open_state
from wordsight.unfinished import state_path

KEY = {"model": "one", "gate (--gate)": "hard", "images": "these"}


def rows(start: int, stop: int) -> list[Prediction]:
    return [
        Prediction(f"{k}.png", error='two\nlines, and "quotes" – 猫')
        if k % 5 == 0
        else Prediction(f"{k}.png", "cat", 1 / (k + 1), k % 2 == 0, 0.1 * k, ("a", "b"))
        for k in range(start, stop)
    ]


def add(state: PredictionState, start: int, stop: int) -> None:
    state.append(rows(start, stop))
    state.commit()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


def test_rows_come_back_to_the_last_bit(out: Path) -> None:
    with open_state(out, KEY) as state:
        add(state, 0, 7)
        add(state, 7, 9)
    with open_state(out, KEY) as state:
        assert state.n_rows == 9
        add(state, 9, 20)
        assert list(state.rows()) == rows(0, 20)
        state.remove()
    assert list(out.parent.iterdir()) == []


def test_what_was_cut_off_anywhere_is_as_if_it_had_not_begun(out: Path) -> None:
    with open_state(out, KEY) as state:
        header = state_path(out).stat().st_size
        add(state, 0, 3)
        first = state_path(out).stat().st_size
        add(state, 3, 6)
    whole = state_path(out).read_bytes()
    for length in range(len(whole) + 1):
        state_path(out).write_bytes(whole[:length])
        with open_state(out, KEY) as state:
            safe = 0 if length < first else 3 if length < len(whole) else 6
            assert state.n_rows == safe, length
            add(state, safe, 8)
            assert list(state.rows()) == rows(0, 8)
        if length >= header:
            assert state_path(out).read_bytes().startswith(whole[:header])


def test_a_chunk_that_was_changed_is_not_believed(out: Path) -> None:
    with open_state(out, KEY) as state:
        add(state, 0, 3)
        add(state, 3, 6)
    whole = state_path(out).read_bytes()
    state_path(out).write_bytes(whole.replace(b'"4.png"', b'"9.png"'))
    with open_state(out, KEY) as state:
        assert state.n_rows == 3
    state_path(out).write_bytes(whole.replace(b'"2.png"', b'"9.png"'))
    with open_state(out, KEY) as state:
        assert state.n_rows == 0


@pytest.mark.parametrize("head", ['"depends"', '"depends_on": 3, "depends"'])
def test_a_head_that_says_nothing_begins_anew(out: Path, head: str) -> None:
    with open_state(out, KEY) as state:
        add(state, 0, 3)
    whole = state_path(out).read_text()
    state_path(out).write_text(whole.replace('"depends_on"', head, 1))
    with open_state(out, KEY) as state:
        assert state.n_rows == 0


@pytest.mark.parametrize("name", KEY)
def test_another_run_is_refused_or_begun_anew_on_request(out: Path, name: str) -> None:
    with open_state(out, KEY) as state:
        add(state, 0, 3)
    other = {**KEY, name: "another"}
    before = state_path(out).read_bytes()
    said = f"beside .*out.csv are of another {name.split(maxsplit=1)[0]}.*--overwrite"
    with pytest.raises(InputError, match=said), open_state(out, other):
        pass
    assert state_path(out).read_bytes() == before
    with open_state(out, other, restart=True) as state:
        assert state.n_rows == 0
    with open_state(out, other) as state:
        assert state.n_rows == 0


def test_what_stopped_the_work_does_not_lose_it(out: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_state(out, KEY) as state:
        state.append(rows(0, 3))  # too few and too early to be made safe by themselves
        raise KeyboardInterrupt
    with open_state(out, KEY) as state:
        assert state.n_rows == 3


def test_rows_are_made_safe_from_time_to_time(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_state(out, KEY) as state:
        state.append(rows(0, 3))
        assert state.n_rows == 0
        monkeypatch.setattr("wordsight.unfinished.ROWS", 5)
        state.append(rows(3, 6))
        assert state.n_rows == 6
        monkeypatch.setattr("wordsight.unfinished.SECONDS", 0.0)
        state.append(rows(6, 7))
        assert state.n_rows == 7


def test_an_output_that_stands_is_known_again(out: Path) -> None:
    with open_state(out, KEY) as state:
        add(state, 0, 3)
        out.write_text("the output")
        assert not state.stands(out)
        state.finish(out)
        assert state.stands(out)
    with open_state(out, KEY) as state:
        assert (state.n_rows, state.stands(out)) == (3, True)
        out.write_text("another one")
        assert not state.stands(out)


def test_a_second_run_at_the_same_time_is_refused(out: Path) -> None:
    with open_state(out, KEY) as state:
        add(state, 0, 3)
        with pytest.raises(WordsightError, match="another run is making"), open_state(out, KEY):
            pass


def test_no_room_or_no_right(out: Path) -> None:
    with (
        pytest.raises(WordsightError, match="cannot write beside"),
        open_state(Path("/proc/none/out.csv"), KEY),
    ):
        pass


def test_a_disk_that_takes_no_more_loses_nothing(out: Path) -> None:
    """What was safe stays so, and the next run goes on; the error names file and reason."""
    child = os.fork()
    if child == 0:
        code = 1
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with contextlib.suppress(WordsightError), open_state(out, KEY) as state:
            add(state, 0, 3)
            n_bytes = state_path(out).stat().st_size + 100
            resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
            try:
                add(state, 3, 300)
            except WordsightError as error:
                code = 0 if "out.csv: File too large; make room" in str(error) else 2
                raise
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with open_state(out, KEY) as state:
        assert list(state.rows()) == rows(0, 3)
