"""A run: what is whole is kept, what is damaged, changed or failed is done, and all is told."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distributed.bucket import Bucket
from wordsight.data.dataset import Dataset
from wordsight.data.open import open_dataset
from wordsight.data.sharding import Shard
from wordsight.distributed.cluster import RETRIES, Here
from wordsight.distributed.job import Job
from wordsight.distributed.parts import Part, PartFolder
from wordsight.distributed.run import FAILURES, MANIFEST, PARTS, FailedShard, Run, show
from wordsight.exceptions import DataError, InputError, WordsightError

N, OF_SHARD = 200, 64
N_SHARDS = 4

DONE: Counter[int] = Counter()
"""How often each shard was begun, by its first row."""


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


@pytest.fixture
def images(tmp_path: Path) -> Dataset:
    """Files that look like images from without."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(N):
        (folder / f"{number:03d}.png").write_bytes(b"image %d" % number)
    return open_dataset(folder)


def names_in(shard: Shard, bad: tuple[int, ...] = ()) -> tuple[bytes, dict[str, Any]]:
    """The names of the images; shards that begin at a row in `bad` fail."""
    DONE[shard.first_row] += 1
    if shard.first_row in bad:
        raise DataError(f"images from {shard.first_row} on are bad; mend them")
    opened = shard.open()
    names = [opened.name(row) for row in range(len(opened))]
    return "\n".join(names).encode(), {"first": shard.first_row}


def job(folder: Path, **changes: Any) -> Job:
    return Job(PartFolder(folder), **{"shard_images": OF_SHARD, "multiple_of": 64, **changes})


def started(
    images: Dataset,
    folder: Path,
    bad: tuple[int, ...] = (),
    settings: dict[str, str] | None = None,
    **changes: Any,
) -> Run:
    one = job(folder, **changes)
    run = one.run("predict", settings or {"model": "a"}, one.cut(images))
    run.begin()
    run.complete(Here(), names_in, bad, doing="naming images")
    return run


def read(run: Run) -> list[str]:
    found = []
    for _shard, part in run.parts():
        assert isinstance(part, Part)
        found += part.content.decode().split("\n")
    return found


def test_every_shard_is_done_once_and_read_in_order(images: Dataset, tmp_path: Path) -> None:
    run = started(images, tmp_path / "run")
    assert DONE == {0: 1, 64: 1, 128: 1, 192: 1}
    assert read(run) == [images.name(row) for row in range(N)]
    assert (run.failed, run.n_kept) == ([], 0)
    assert run.folder.names() == {MANIFEST, PARTS}
    assert len(run.folder.names(PARTS)) == N_SHARDS == len(run.names())


def test_a_second_start_does_what_is_not_whole(images: Dataset, tmp_path: Path) -> None:
    first = started(images, tmp_path / "run")
    places = [tmp_path / "run" / name for name in first.names()]
    places[1].write_bytes(places[1].read_bytes()[:-1])
    places[3].unlink()
    DONE.clear()
    second = started(images, tmp_path / "run")
    assert DONE == {64: 1, 192: 1}
    assert second.n_kept == 2
    assert second.names() == first.names()
    assert read(second) == [images.name(row) for row in range(N)]
    DONE.clear()
    assert started(images, tmp_path / "run").n_kept == N_SHARDS
    assert not DONE


@pytest.mark.parametrize(
    "changes",
    [{"settings": {"model": "b"}}, {"settings": {"model": "a", "top": "3"}}, {"shard_images": 128}],
)
def test_a_changed_setting_begins_anew(
    images: Dataset, tmp_path: Path, changes: dict[str, Any]
) -> None:
    before = started(images, tmp_path / "run").folder.names(PARTS)
    DONE.clear()
    again = started(images, tmp_path / "run", **changes)
    assert again.n_kept == 0
    assert sum(DONE.values()) == len(again.pieces)
    after = again.folder.names(PARTS)
    assert len(after) == len(again.pieces)
    assert not before & after


def test_a_changed_image_redoes_its_shard_alone(images: Dataset, tmp_path: Path) -> None:
    started(images, tmp_path / "run")
    DONE.clear()
    changed = tmp_path / "images" / "070.png"
    changed.write_bytes(b"another image")
    again = started(open_dataset(tmp_path / "images"), tmp_path / "run")
    assert DONE == {64: 1}
    assert len(again.folder.names(PARTS)) == N_SHARDS
    # written again, with the same content: who knows
    DONE.clear()
    os.utime(changed, ns=(1, 1))
    started(open_dataset(tmp_path / "images"), tmp_path / "run")
    assert DONE == {64: 1}


def test_one_image_more_at_the_end(images: Dataset, tmp_path: Path) -> None:
    """How features are computed may depend on how many there are: then all parts are others."""
    started(images, tmp_path / "run")
    (tmp_path / "images" / "999.png").write_bytes(b"one more")
    more = open_dataset(tmp_path / "images")
    run = started(more, tmp_path / "run")
    assert run.n_kept == 0
    assert read(run) == [more.name(row) for row in range(N + 1)]


def test_a_folder_of_something_else_is_left_alone(images: Dataset, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("dear to somebody", encoding="utf-8")
    with pytest.raises(InputError, match=r"is not empty, and holds no run; name a new folder"):
        started(images, tmp_path / "run")
    assert [place.name for place in (tmp_path / "run").iterdir()] == ["thesis.txt"]
    with pytest.raises(InputError, match=r"holds no run; name the folder that was given"):
        show(str(tmp_path / "run"))
    assert not DONE


def test_a_run_of_another_kind_is_left_alone(images: Dataset, tmp_path: Path) -> None:
    before = started(images, tmp_path / "run").folder.names(PARTS)
    one = job(tmp_path / "run")
    other = one.run("evaluate", {"model": "a"}, one.cut(images))
    with pytest.raises(InputError, match="holds a run of predict, and this one is of evaluate"):
        other.begin()
    assert other.folder.names(PARTS) == before


def test_what_the_run_is_of_may_be_damaged(images: Dataset, tmp_path: Path) -> None:
    started(images, tmp_path / "run")
    manifest = tmp_path / "run" / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:40])
    with pytest.raises(DataError, match="is damaged; give the same command again"):
        show(str(tmp_path / "run"))
    assert started(images, tmp_path / "run").n_kept == N_SHARDS
    assert show(str(tmp_path / "run")).counts()["done"] == (N_SHARDS, N)


def test_failed_shards_are_tried_again_then_listed(images: Dataset, tmp_path: Path) -> None:
    run = started(images, tmp_path / "run", bad=(64, 192), max_failed=2)
    assert {0: 1, 64: 1 + RETRIES, 128: 1, 192: 1 + RETRIES} == DONE
    reason = "images from 64 on are bad; mend them"
    assert run.failed[0] == FailedShard(1, 64, 64, reason, 1 + RETRIES)
    assert [one.number for one in run.failed] == [1, 3]
    parts = [part for _shard, part in run.parts()]
    assert [isinstance(part, FailedShard) for part in parts] == [False, True, False, True]
    found = show(str(tmp_path / "run"))
    assert found.counts() == {
        "done": (2, 128), "damaged": (0, 0), "failed": (2, 72), "left": (0, 0),
    }  # fmt: skip
    assert [one.reason for one in found.shards] == [None, reason, None, run.failed[1].reason]
    # mended
    DONE.clear()
    again = started(images, tmp_path / "run")
    assert DONE == {64: 1, 192: 1}
    assert (again.failed, again.n_kept) == ([], 2)
    assert again.folder.names(FAILURES) == set()
    assert show(str(tmp_path / "run")).counts()["done"] == (N_SHARDS, N)


@pytest.mark.parametrize(("allowed", "ends_well"), [(0, False), (1, False), (2, True), (3, True)])
def test_so_many_may_fail(images: Dataset, tmp_path: Path, allowed: int, ends_well: bool) -> None:
    if ends_well:
        started(images, tmp_path / "run", bad=(0, 128), max_failed=allowed)
    else:
        with pytest.raises(
            WordsightError,
            match=rf"2 of 4 shards failed, and {allowed} may; the first, of images 0 to 63, after "
            r"3 attempts: images from 0 on are bad; mend them; mend what is wrong",
        ):
            started(images, tmp_path / "run", bad=(0, 128), max_failed=allowed)
    # the others are done either way
    assert show(str(tmp_path / "run")).counts()["done"][0] == 2


def test_a_shard_may_fail_once(images: Dataset, tmp_path: Path) -> None:
    one = job(tmp_path / "run")
    run = one.run("predict", {}, one.cut(images))
    run.begin()
    run.complete(Here(), fails_at_first, doing="naming images")
    assert (run.failed, set(DONE.values())) == ([], {2})


def fails_at_first(shard: Shard) -> tuple[bytes, dict[str, Any]]:
    DONE[shard.first_row] += 1
    if DONE[shard.first_row] == 1:
        raise OSError(5, "Input/output error")
    return b"", {}


def test_misuse_ends_the_run_at_once(images: Dataset, tmp_path: Path) -> None:
    one = job(tmp_path / "run", max_failed=4)
    run = one.run("predict", {}, one.cut(images))
    run.begin()
    with pytest.raises(InputError, match="no such class"):
        run.complete(Here(), misuse, doing="naming images")
    assert DONE == {0: 1}


def misuse(shard: Shard) -> tuple[bytes, dict[str, Any]]:
    DONE[shard.first_row] += 1
    raise InputError("no such class; name another")


def test_fewer_than_none_cannot_fail(images: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="max_failed=-1 was given"):
        started(images, tmp_path / "run", max_failed=-1)


def test_show_counts_what_is_left_and_damaged(images: Dataset, tmp_path: Path) -> None:
    one = job(tmp_path / "run")
    run = one.run("predict", {"model": "a"}, one.cut(images))
    run.begin()
    found = show(str(tmp_path / "run"))
    assert found.counts()["left"] == (N_SHARDS, N)
    assert found.kind == "predict"
    assert found.settings == {"model": "a", "images a shard (--shard-images)": "64"}
    run.complete(Here(), names_in, doing="naming images")
    places = [tmp_path / "run" / name for name in run.names()]
    places[0].write_bytes(b"")
    places[2].unlink()
    found = show(str(tmp_path / "run"))
    assert [one.state for one in found.shards] == ["damaged", "done", "left", "done"]
    assert found.n_bytes == sum(places[k].stat().st_size for k in (1, 3))
    assert found.worker_peak > 1e6
    assert found.cpu_seconds >= 0
    # nothing is changed by looking
    assert places[0].read_bytes() == b""


def test_what_was_lost_under_way_is_cleared(images: Dataset, tmp_path: Path) -> None:
    lost = [f"{PARTS}/.unfinished-01-a", ".unfinished-02-run.json", "learned/.unfinished-03-b"]
    for name in lost:
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_bytes(b"half")
    started(images, tmp_path / "run")
    assert not list((tmp_path / "run").rglob(".unfinished-*"))


def test_images_in_memory_are_refused(tmp_path: Path) -> None:
    images = open_dataset(np.zeros((70, 4, 4, 3), dtype=np.uint8))
    with pytest.raises(InputError, match="in memory"):
        job(tmp_path / "run").cut(images)


@pytest.mark.parametrize("url", ["bucket://somewhere/run", "memory://somewhere/run"])
def test_a_run_in_a_storage_of_objects(images: Dataset, url: str) -> None:
    one = Job(PartFolder(url), OF_SHARD, multiple_of=64)
    for n_kept in (0, N_SHARDS):
        run = one.run("predict", {}, one.cut(images))
        run.begin()
        run.complete(Here(), names_in, doing="naming images")
        assert run.n_kept == n_kept
        assert read(run) == [images.name(row) for row in range(N)]
    assert show(url).counts()["done"] == (N_SHARDS, N)
    one.folder.remove("")
    assert one.folder.names() == set()
    assert not Bucket.store
