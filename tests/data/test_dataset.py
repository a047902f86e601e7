"""Data sets: selections, batches that stream in order, broken images, inspection."""

import io
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wordsight.data.arrays import ArraySource
from wordsight.data.class_labels import ClassLabels
from wordsight.data.dataset import Dataset
from wordsight.data.source import BrokenImage, Item, Source
from wordsight.exceptions import BrokenImageError, InputError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (50, 6, 5, 3), dtype=np.uint8)
NAMES = ("cat", "dog", "emu", "fox")
LABELS = np.array(NAMES[:3])[RNG.integers(0, 3, 50)]


def png(image: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


class Listed(Source):
    """Items from a list; counts how far it was read."""

    def __init__(self, items: list[Item], labels: NDArray[np.str_] | None = None) -> None:
        self.items = items
        self.class_labels = None if labels is None else ClassLabels.of(labels)
        self.class_names = () if labels is None else NAMES
        self.n_read = 0

    def __len__(self) -> int:
        return len(self.items)

    def name(self, row: int) -> str:
        return f"item {row}"

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        for row in rows.tolist():
            self.n_read += 1
            yield self.items[row]


def encoded(n_images: int = 50) -> Dataset:
    return Dataset(Listed([png(image) for image in IMAGES[:n_images]], LABELS[:n_images]))


def with_broken() -> Dataset:
    items: list[Item] = [png(image) for image in IMAGES[:10]]
    items[3] = b"not an image"
    items[7] = BrokenImageError("item 7", "there is no such file")
    return Dataset(Listed(items, LABELS[:10]))


def test_batches_hold_everything_once_in_order() -> None:
    batches = list(encoded().batches((6, 5), size=16))
    assert [len(batch.rows) for batch in batches] == [16, 16, 16, 2]
    assert np.concatenate([batch.rows for batch in batches]).tolist() == list(range(50))
    assert np.array_equal(np.concatenate([batch.images for batch in batches]), IMAGES)
    labels = [batch.labels for batch in batches if batch.labels is not None]
    assert np.array_equal(np.concatenate(labels), LABELS)


@pytest.mark.parametrize("n_threads", [1, 2, 7])
@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_threads_and_batch_size_do_not_matter(n_threads: int, size: int) -> None:
    broken: list[BrokenImage] = []
    parts = with_broken().batches(
        (6, 5), size=size, n_threads=n_threads, on_broken="skip", broken=broken
    )
    batches = list(parts)
    assert np.concatenate([batch.rows for batch in batches]).tolist() == [0, 1, 2, 4, 5, 6, 8, 9]
    kept = np.concatenate([batch.images for batch in batches])
    assert np.array_equal(kept, IMAGES[[0, 1, 2, 4, 5, 6, 8, 9]])
    assert all(len(batch.rows) == size for batch in batches[:-1])
    assert [(item.row, item.name) for item in broken] == [(3, "item 3"), (7, "item 7")]
    assert broken[1].reason == "there is no such file"


def test_the_first_broken_image_stops_the_work() -> None:
    with pytest.raises(BrokenImageError, match="item 3"):
        list(with_broken().batches((6, 5), size=2))
    with pytest.raises(BrokenImageError, match="item 7"):
        with_broken().select([9, 7, 3]).images((6, 5))


def test_only_broken_images_give_no_batch() -> None:
    broken: list[BrokenImage] = []
    assert list(with_broken().select([3, 7]).batches(None, on_broken="skip", broken=broken)) == []
    assert [item.row for item in broken] == [0, 1]  # rows of the selection


def test_labels_are_those_of_the_images_kept() -> None:
    batch = with_broken().images((6, 5), on_broken="skip")
    assert batch.labels is not None
    assert np.array_equal(batch.labels, LABELS[batch.rows])
    assert np.array_equal(batch.images, IMAGES[batch.rows])


def test_images_of_several_sizes_need_a_size() -> None:
    items: list[Item] = [png(IMAGES[0]), png(IMAGES[1][:4])]
    dataset = Dataset(Listed(items))
    for read in (lambda: list(dataset.batches(None)), lambda: dataset.images(None)):
        with pytest.raises(InputError, match=r"item 1 has 4×5 .* item 0 6×5; .*image_size"):
            read()
    assert [batch.images.shape for batch in dataset.batches(None, size=1)][1] == (1, 4, 5, 3)
    assert dataset.images((3, 3)).images.shape == (2, 3, 3, 3)


def test_no_images() -> None:
    dataset = encoded().select([])
    assert len(dataset) == 0
    assert list(dataset.batches((6, 5))) == []
    assert dataset.images((6, 5)).images.shape == (0, 6, 5, 3)
    assert dataset.inspect().heights is None


def test_selections_compose_and_rows_stay_relative() -> None:
    dataset = encoded().select(np.arange(40)).select([30, 4, 30])
    assert dataset.name(0) == "item 30"
    assert dataset.names == ["item 30", "item 4", "item 30"]
    assert dataset.labels is not None
    assert dataset.labels.tolist() == LABELS[[30, 4, 30]].tolist()
    batch = dataset.images(None)
    assert batch.rows.tolist() == [0, 1, 2]
    assert np.array_equal(batch.images, IMAGES[[30, 4, 30]])
    mask = np.zeros(50, dtype=bool)
    mask[[2, 9]] = True
    assert encoded().select(mask).names == ["item 2", "item 9"]


@pytest.mark.parametrize("rows", [[50], [-1], [0.5], [[1]], np.ones(3, dtype=bool)])
def test_rows_that_are_not_there_are_refused(rows: object) -> None:
    with pytest.raises(InputError):
        encoded().select(np.asarray(rows))


def test_classes_are_kept_and_left_out() -> None:
    dataset = encoded()
    some = dataset.only_classes(["fox", "cat"])
    assert some.class_names == ("cat", "fox")  # in the order of the source
    assert some.source_rows.tolist() == np.flatnonzero(LABELS == "cat").tolist()
    others = dataset.without_classes(["cat", "fox"])
    assert others.class_names == ("dog", "emu")
    assert len(others) + len(some) == len(dataset)
    counts = dataset.class_counts()
    assert counts == {name: LABELS.tolist().count(name) for name in NAMES}
    assert some.class_counts() == {"cat": counts["cat"], "fox": 0}


def test_unknown_classes_are_refused_with_near_ones() -> None:
    with pytest.raises(InputError, match="no class 'catt' in the data; near: cat"):
        encoded().only_classes(["catt"])
    with pytest.raises(InputError, match="there are: cat, dog, emu, fox"):
        encoded().without_classes(["zebra"])
    with pytest.raises(InputError, match="one string"):
        encoded().only_classes("cat")
    with pytest.raises(InputError, match="no labels"):
        Dataset(ArraySource(IMAGES)).only_classes(["cat"])


@pytest.mark.parametrize("options", [{"size": 0}, {"n_threads": 0}, {"on_broken": "ignore"}])
def test_wrong_options_are_refused_at_the_call(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        encoded().batches((6, 5), **options)


def test_a_class_of_errors_outside_decoding_passes_through() -> None:
    class Failing(Listed):
        def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
            yield self.items[0]
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(Dataset(Failing([png(IMAGES[0])] * 3)).batches(None, on_broken="skip"))


@pytest.mark.parametrize(("side", "n_expected"), [(8, 1), (200, 3)])
def test_small_images_are_decoded_on_one_thread(
    side: int, n_expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wordsight.threads._own", 3)
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    batches = Dataset(Listed([png(noise)] * 400)).batches((6, 5), size=10)
    next(batches)
    names = [thread.name for thread in threading.enumerate()]
    assert sum(name.startswith("wordsight-decode") for name in names) == n_expected
    assert sum(len(batch.rows) for batch in batches) == 390


def test_reading_is_lazy_and_threads_end_with_it() -> None:
    source = Listed([png(IMAGES[0])] * 5000)
    batches = iter(Dataset(source).batches((6, 5), size=10, n_threads=2))
    assert source.n_read == 0
    next(batches)
    assert source.n_read <= 10 + 64 * (2 * 2 + 2)  # a batch, and what is decoded ahead
    del batches
    assert not [t for t in threading.enumerate() if t.name.startswith("wordsight-decode")]


def test_memory_does_not_grow_with_the_number_of_images() -> None:
    n_threads, n_images, side = 2, 2000, 64
    decoded = side * side * 3
    source = Listed([png(np.full((side, side, 3), 9, np.uint8))] * n_images)
    tracemalloc.start()
    batches = Dataset(source).batches((side, side), size=8, n_threads=n_threads)
    n_taken = len(next(batches).rows)
    time.sleep(0.5)  # the threads run ahead as far as they may
    n_taken += sum(len(batch.rows) for batch in batches)
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_taken == n_images
    # what may be decoded and not yet taken, and a megabyte for all that is beside it
    allowed = (2 * n_threads + 2) * 64 * decoded + 1_000_000
    assert highest < allowed
    assert n_images * decoded > 4 * allowed  # what all of them would take


def test_inspection_counts_sizes_and_broken_images() -> None:
    sides = [(3, 10), (5, 10), (9, 2), (9, 30)]
    items: list[Item] = [png(np.zeros((*side, 3), np.uint8)) for side in sides]
    items.insert(1, b"junk")
    dataset = Dataset(Listed(items, np.array(["cat", "dog", "cat", "cat", "emu"])))
    calls: list[tuple[int, int]] = []
    report = dataset.inspect(lambda done, total: calls.append((done, total)))
    assert calls == [(done, 5) for done in range(1, 6)]
    assert report.n_images == 5
    assert report.class_counts == {"cat": 3, "dog": 1, "emu": 1, "fox": 0}
    heights, widths = np.array(sides).T
    for summary, values in ((report.heights, heights), (report.widths, widths)):
        assert summary is not None
        spread = (summary.smallest, summary.median, summary.largest)
        assert spread == (values.min(), np.median(values), values.max())
    assert [(item.row, item.name) for item in report.broken] == [(1, "item 1")]


@pytest.mark.parametrize("n_images", [1, 2, 5, 8])
def test_the_median_is_that_of_numpy(n_images: int) -> None:
    heights = RNG.integers(1, 5, n_images)
    items: list[Item] = [np.zeros((height, 2, 3), np.uint8) for height in heights]
    report = Dataset(Listed(items)).inspect()
    assert report.heights is not None
    assert report.heights.median == np.median(heights)
