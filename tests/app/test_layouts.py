"""Where images and words lie: at once, better later, kept, and the same every time."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from starlette.testclient import TestClient

from app.conftest import ADDRESS, json_of
from wordsight.app import refining
from wordsight.app.layouts import Layout, Layouts
from wordsight.app.refining import refine
from wordsight.app.server import create_app
from wordsight.app.session import Session
from wordsight.exploration.layout import layout

Points = NDArray[np.float32]


@pytest.fixture(scope="module")
def points() -> Points:
    """Three heaps of points in five dimensions."""
    draw = np.random.default_rng(0)
    heaps = np.eye(5)[:3].repeat(20, axis=0)
    return (heaps + 0.05 * draw.normal(size=(60, 5))).astype(np.float32)


@pytest.fixture(scope="module")
def kept(points: Points, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache in which the layout of the points is kept: another process has made it."""
    cache = tmp_path_factory.mktemp("cache")
    layouts = Layouts(points, points[:3], kind="tsne", cache=cache)
    wait_for(layouts)
    yield cache


def wait_for(layouts: Layouts) -> None:
    layouts.start()
    wait_until_done(layouts)


def wait_until_done(layouts: Layouts) -> None:
    end = time.monotonic() + 60
    while layouts.refining and time.monotonic() < end:
        time.sleep(0.02)
    assert not layouts.refining


def test_principal_components_are_there_at_once(points: Points) -> None:
    layouts = Layouts(points, points[:3])
    expected, of_words = layout(points, points[:3], kind="pca")
    assert (layouts.current.kind, layouts.refining) == ("pca", False)
    np.testing.assert_array_equal(layouts.current.points, expected)
    np.testing.assert_array_equal(layouts.current.words, of_words)


def test_what_another_process_made_is_what_this_one_would(points: Points, kept: Path) -> None:
    layouts = Layouts(points, points[:3], kind="tsne", cache=kept)
    layouts.start()
    assert (layouts.current.kind, layouts.refining) == ("tsne", False)  # found, not made
    expected, of_words = layout(points, points[:3], kind="tsne", random_state=0)
    np.testing.assert_array_equal(layouts.current.points, expected)
    np.testing.assert_array_equal(layouts.current.words, of_words)


def test_heaps_stay_together(points: Points, kept: Path) -> None:
    layouts = Layouts(points, points[:3], kind="tsne", cache=kept)
    layouts.start()
    places = layouts.current.points
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(1) // 20 == np.arange(60) // 20).all()


@pytest.mark.parametrize("change", ["points", "words", "seed", "damage"])
def test_what_is_stale_or_damaged_is_not_used(
    points: Points, kept: Path, change: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[Layouts] = []

    def note(self: Layouts) -> None:
        started.append(self)

    monkeypatch.setattr(Layouts, "_refine", note)
    others, seed, cache = points.copy(), 0, kept
    words = points[:3].copy()
    if change == "points":
        others[0, 0] += 1
    elif change == "words":
        words[0, 0] += 1
    elif change == "seed":
        seed = 1
    else:
        cache = tmp_path
        (file,) = (kept / "layouts").iterdir()
        (cache / "layouts").mkdir()
        (cache / "layouts" / file.name).write_bytes(file.read_bytes()[:-100])
    layouts = Layouts(others, words, kind="tsne", random_state=seed, cache=cache)
    layouts.start()
    assert (len(started), layouts.current.kind) == (1, "pca")


def test_the_file_appears_whole(points: Points, kept: Path) -> None:
    (file,) = (kept / "layouts").iterdir()
    assert file.suffix == ".safetensors"  # and nothing unfinished beside it


def test_a_layout_that_is_not_wanted_any_more_is_given_up(
    points: Points, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    many = np.random.default_rng(0).normal(size=(4000, 5)).astype(np.float32)
    layouts = Layouts(many, points[:3], kind="tsne")
    layouts.start()
    end = time.monotonic() + 30
    while layouts._process is None and time.monotonic() < end:
        time.sleep(0.01)
    assert len(list(tmp_path.iterdir())) == 1
    layouts.close()
    assert layouts._process is not None
    assert layouts._process.poll() is not None
    assert (layouts.refining, layouts.current.kind) == (False, "pca")
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_fails_leaves_the_page_with_what_it_has(
    points: Points, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wordsight.app.layouts.sys.executable", "/nowhere/python")
    layouts = Layouts(points, points[:3], kind="tsne")
    wait_for(layouts)
    assert layouts.current.kind == "pca"


def test_words_that_come_later_go_among_the_points_they_are_near(points: Points) -> None:
    layouts = Layouts(points, points[:3])
    (placed,) = layouts.place(points[[30]], layouts.current)
    np.testing.assert_allclose(placed, layouts.current.points[30], atol=1e-4)


def test_refining_in_a_process_of_its_own(points: Points, tmp_path: Path) -> None:
    save_file({"points": points, "words": points[:3].copy()}, tmp_path / "task")
    refine(tmp_path / "task", tmp_path / "result.safetensors", "pca", 0)
    made = load_file(tmp_path / "result.safetensors")
    np.testing.assert_array_equal(made["points"], layout(points, points[:3])[0])


def test_the_page_learns_of_a_better_layout(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.gallery is not None
    layouts = Layouts.of(session.model, session.gallery, kind="tsne")
    pca = layouts.current
    better = Layout("tsne", pca.points[::-1].copy(), pca.words)
    may_end = threading.Event()
    monkeypatch.setattr(layouts, "_run", lambda task, result: may_end.wait(60) and better)
    with TestClient(create_app(session, layouts=layouts), base_url=ADDRESS) as client:
        first = json_of(client.get("/api/map"))
        assert first["layout"] == {"kind": "pca", "refining": True, "progress": None}
        waiting = client.get("/api/map", params={"since": "pca"})
        assert (waiting.status_code, waiting.content) == (204, b"")
        may_end.set()
        wait_until_done(layouts)
        told = json_of(client.get("/api/map", params={"since": "pca"}))
    assert told["layout"] == {"kind": "tsne", "refining": False, "progress": None}
    assert told["points"]["x"] == first["points"]["x"][::-1]
    assert told["points"]["predicted"] == first["points"]["predicted"]


def test_other_work_comes_first(
    points: Points, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(os, "nice"):
        pytest.skip("this system has no priorities to give")
    steps: list[int] = []
    monkeypatch.setattr(os, "nice", steps.append)
    monkeypatch.setattr(refining, "refine", lambda *arguments: steps.append(-1))
    refining.main([str(tmp_path / "task"), str(tmp_path / "result"), "pca", "0"])
    assert steps == [10, -1]
