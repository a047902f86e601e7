"""Shards, opened elsewhere, against the data set that they were cut from."""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wordsight.data.dataset import Dataset
from wordsight.data.open import open_dataset
from wordsight.data.part import Part, part_of_file
from wordsight.data.sharding import Shard, cut
from wordsight.data.source import Item, Source
from wordsight.exceptions import BrokenImageError, DataError, InputError
from wordsight.prediction_inputs import open_inputs

CLASSES = ("cat", "dog", "eel")
N = 40
PICTURES = np.random.default_rng(0).integers(0, 256, (N, 4, 5, 3), dtype=np.uint8)
LABELS = [CLASSES[(i * i + i // 9) % 3] for i in range(N)]
BYTES = [b"image %d" % i for i in range(N)]


def class_folders(root: Path) -> Dataset:
    for i, label in enumerate(LABELS):
        file = root / "train" / label / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(BYTES[i])
    (root / "train" / "cat" / "nothing.png").symlink_to("nowhere")
    return open_dataset(root)


def files(root: Path) -> Dataset:
    root.mkdir()
    (root / "empty").mkdir()
    for i in range(N):
        (root / f"{i}.png").write_bytes(BYTES[i])
    inputs: list[str | Path] = [
        root / "3.png",
        root / "absent.png",
        root / "empty",
        root,
        f"{root}//5.png",
    ]
    (found,) = open_inputs(inputs)
    return found


def mixed_files(root: Path) -> Dataset:
    """Paths without a common beginning, some absolute."""
    root.mkdir()
    for i in range(2):
        (root / f"{i}.png").write_bytes(BYTES[i])
    return open_dataset([(root / "0.png").absolute(), root / "1.png", "elsewhere.png"])


def unreadable(root: Path) -> Dataset:
    root.with_suffix(".parquet").write_bytes(b"PAR1")
    (found,) = open_inputs([root.with_suffix(".parquet")])
    return found


def parquet(root: Path) -> Dataset:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    names = ["train-0-of-2", "train-1-of-2", "test-0-of-1"]
    for name, rows in zip(names, np.split(np.arange(N), [16, 30]), strict=True):
        images = [None if i == 20 else {"bytes": BYTES[i], "path": None} for i in rows]
        table = pa.table({"img": pa.array(images, image), "label": [LABELS[i] for i in rows]})
        (root / "data").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, root / "data" / f"{name}.parquet", row_group_size=5)
    return open_dataset(root)


def parquet_file(root: Path) -> Dataset:
    parquet(root)
    return open_dataset(root / "data" / "train-1-of-2.parquet")


def numbered_parquet(root: Path) -> Dataset:
    """Labels that are numbers, of which a shard need not hold all."""
    root.mkdir()
    image = pa.array([{"bytes": data} for data in BYTES], pa.struct([("bytes", pa.binary())]))
    table = pa.table({"img": image, "label": [i // 10 for i in range(N)]})
    pq.write_table(table, root / "x.parquet", row_group_size=7)
    return open_dataset(root)


def npy(root: Path) -> Dataset:
    np.save(root.with_suffix(".npy"), PICTURES, allow_pickle=False)
    np.save(root.with_name(f"{root.name}_labels.npy"), LABELS, allow_pickle=False)
    return open_dataset(root.with_suffix(".npy"))


def relabelled(root: Path) -> Dataset:
    """Labels from elsewhere in place of those beside the file."""
    npy(root)
    return open_dataset(root.with_suffix(".npy"), labels=LABELS[::-1], class_names=CLASSES[::-1])


def unlabelled_npz(root: Path) -> Dataset:
    np.savez_compressed(root.with_suffix(".npz"), images=PICTURES)
    return open_dataset(root.with_suffix(".npz"))


def cifar_files(root: Path) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    found = {
        name: b"".join(bytes([k]) + rng.bytes(3072) for k in range(3))
        for name in [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]
    }
    return found | {"batches.meta.txt": "\n".join(f"class {k}" for k in range(10)).encode()}


def cifar_folder(root: Path) -> Dataset:
    for name, content in cifar_files(root).items():
        (root / "cifar-10-batches-bin").mkdir(parents=True, exist_ok=True)
        (root / "cifar-10-batches-bin" / name).write_bytes(content)
    return open_dataset(root, split="train")


def cifar_archive(root: Path) -> Dataset:
    path = root.with_suffix(".tar.gz")
    pack(path, list(cifar_files(root).items()))
    return open_dataset(path)


def pack(path: Path, members: list[tuple[str, bytes]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if not data:
                member.type, member.linkname = tarfile.SYMTYPE, "elsewhere"
            tar.addfile(member, io.BytesIO(data))


def archives(root: Path) -> Dataset:
    """Numbers, which a file beside names; one image is a link."""
    for number, rows in enumerate(np.split(np.arange(N), [16, 30])):
        members = [("README.md", b"hello")]
        for i in rows:
            label = b"%d" % CLASSES.index(LABELS[i])
            members += [(f"{i}.jpg", b"" if i == 20 else BYTES[i]), (f"{i}.cls", label)]
        pack(root / "train" / f"{number}.tar", members)
    (root / "classes.txt").write_text("\n".join(CLASSES))
    return open_dataset(root, split="train")


def archive_of_folders(root: Path) -> Dataset:
    """Classes told by folders, of which a shard need not hold two."""
    members = [(f"all/{CLASSES[i // 20]}/{'x' * 90}{i}.jpg", BYTES[i]) for i in range(N)]
    pack(root.with_suffix(".tar"), members)
    return open_dataset(root.with_suffix(".tar"))


def captioned_archives(root: Path) -> Dataset:
    """Texts that are captions because of a single one, in the other archive."""
    for number, caption in enumerate((b"a cat", b"a dog\nand more")):
        members = []
        for i in range(9):
            members += [(f"{i}.jpg", BYTES[i]), (f"{i}.txt", caption if i == 5 else b"eel")]
        pack(root / f"{number}.tar", members)
    return open_dataset([root / "1.tar", root / "0.tar"])


def texts_and_numbers(root: Path) -> Dataset:
    """Labels of which only some are numbers, beside a file that would name numbers."""
    members = []
    for i in range(N):
        label = b'{"label": "%s"}' % (b"cat" if i < 9 else b"1")
        members += [(f"{i}.jpg", BYTES[i]), (f"{i}.json", label)]
    pack(root / "x.tar", members)
    (root / "classes.txt").write_text("cat\ndog\n")
    return open_dataset(f"{root}/*.tar")


KINDS: dict[str, Callable[[Path], Dataset]] = {
    made.__name__: made
    for made in (
        class_folders, files, mixed_files, unreadable, parquet, parquet_file, numbered_parquet,
        npy, relabelled, unlabelled_npz, cifar_folder, cifar_archive,
        archives, archive_of_folders, captioned_archives, texts_and_numbers,
    )
}  # fmt: skip


Row = tuple[str, str | None, object]


@pytest.fixture(params=KINDS)
def whole(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Dataset:
    """A data set of each kind, opened by a relative path."""
    monkeypatch.chdir(tmp_path)
    return KINDS[request.param](Path("here"))


def content(dataset: Dataset) -> list[Row]:
    """Name, label and image of each row; of a broken image all that is said of it."""
    labels = [None] * len(dataset) if dataset.labels is None else dataset.labels.tolist()
    found: list[Row] = []
    for (item, name), label in zip(dataset._items(), labels, strict=True):
        if isinstance(item, BrokenImageError):
            found.append((name, label, str(item)))
        else:
            found.append((name, label, item if isinstance(item, bytes) else item.tolist()))
    return found


def elsewhere(shards: list[Shard]) -> list[Shard]:
    """Send shards through JSON."""
    return [Shard.from_dict(json.loads(json.dumps(asdict(shard)))) for shard in shards]


def check(dataset: Dataset, shards: list[Shard], folder: Path) -> None:
    """Compare what another process, in another folder, reads with the whole."""
    expected = content(dataset)
    sent = elsewhere(shards)
    assert sent == shards
    here = Path.cwd()
    os.chdir(folder)
    try:
        opened = [shard.open() for shard in sent]
        assert [row for part in opened for row in content(part)] == expected
    finally:
        os.chdir(here)
    ends = np.cumsum([0, *(shard.n_images for shard in shards)]).tolist()
    assert [shard.first_row for shard in shards] == ends[:-1]
    assert [len(part) for part in opened] == np.diff(ends).tolist()
    for part in opened:
        assert part.class_names == dataset.class_names
        assert (part.labels is None) is (dataset.labels is None)


SOME = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SOME
@given(data=st.data())
def test_shards_joined_are_the_whole(
    whole: Dataset, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    multiple_of = data.draw(st.integers(1, 8))
    n_images = data.draw(st.integers(multiple_of, 50))
    rows = data.draw(st.none() | st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=60))
    dataset = whole if rows is None else whole.select(rows)
    shards = cut(dataset, n_images, multiple_of=multiple_of)
    assert all(shard.n_images % multiple_of == 0 for shard in shards[:-1])
    assert all(shard.n_images <= n_images for shard in shards)
    check(dataset, shards, tmp_path_factory.getbasetemp())


def test_classes_that_take_part(whole: Dataset, tmp_path_factory: pytest.TempPathFactory) -> None:
    if whole.labels is None:
        with pytest.raises(InputError):
            whole.without_classes(["dog"])
        return
    some = whole.without_classes(whole.class_names[1:2])
    check(some, cut(some, 8, multiple_of=4), tmp_path_factory.getbasetemp())


def test_a_shard_of_a_shard(whole: Dataset, tmp_path_factory: pytest.TempPathFactory) -> None:
    for shard in cut(whole, 20, multiple_of=1):
        part = shard.open()
        check(part, cut(part, 6, multiple_of=2), tmp_path_factory.getbasetemp())


def test_identity_changes_with_the_files(whole: Dataset, tmp_path: Path) -> None:
    shards = cut(whole, 8, multiple_of=8)
    before = [shard.identity() for shard in shards]
    assert before == [shard.identity() for shard in elsewhere(shards)]
    assert len(set(before)) == len(shards)
    assert before == [shard.identity() for shard in cut(whole, 8, multiple_of=8)]
    (touched, *_) = [file for shard in shards for file in shard.files if Path(file).is_file()]
    status = Path(touched).stat()
    os.utime(touched, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    for shard, old in zip(shards, before, strict=True):
        assert (shard.identity() != old) is (touched in shard.files)


def test_identity_does_not_depend_on_where_the_files_lie(whole: Dataset, tmp_path: Path) -> None:
    if any(Path(path).is_absolute() for shard in cut(whole) for path in shard.paths):
        return
    before = [shard.identity() for shard in cut(whole)]
    moved = [
        Shard.from_dict(asdict(shard) | {"root": f"{tmp_path}/link/", "given_root": "x/"})
        for shard in cut(whole)
    ]
    (tmp_path / "link").symlink_to(cut(whole)[0].root)
    assert [shard.identity() for shard in moved] == before


# where cuts fall


class Bordered(Source):
    """Images that are nowhere, in pieces."""

    def __init__(self, lengths: list[int]) -> None:
        self.class_labels = None
        self.class_names = ()
        self._ends = np.cumsum(lengths)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def name(self, row: int) -> str:
        return str(row)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        raise NotImplementedError

    def borders(self) -> NDArray[np.int64]:
        return np.concatenate([np.zeros(1, np.int64), self._ends[:-1]])

    def part(self, rows: NDArray[np.int64]) -> Part:
        return part_of_file("files", "x", len(self), rows)


@pytest.mark.parametrize(
    ("lengths", "n_images", "multiple_of", "expected"),
    [
        ([1000], 300, 100, [300, 300, 300, 100]),  # no border is near
        ([1000], 350, 100, [300, 300, 300, 100]),
        ([200, 200, 200], 300, 100, [200, 200, 200]),
        ([3000, 3000], 4096, 1, [3000, 3000]),
        # soon after the border, since a batch may not be torn
        ([3000, 3000, 3000], 4096, 256, [3072, 3072, 2856]),
        # 40 rows twice, not 96; 2304 images would be too few for 4
        ([100] * 100, 4096, 256, [3840, 4096, 2064]),
        ([5], 4096, 256, [5]),
    ],
)
def test_cuts_fall_on_borders_where_some_are_near(
    lengths: list[int], n_images: int, multiple_of: int, expected: list[int]
) -> None:
    shards = cut(Dataset(Bordered(lengths)), n_images, multiple_of=multiple_of)
    assert [shard.n_images for shard in shards] == expected


def test_no_images_are_no_shards(tmp_path: Path) -> None:
    assert cut(npy(tmp_path / "x").select([])) == []


# what a shard opens


def test_a_shard_opens_only_its_own_row_groups(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "p")
    first, *_, last = cut(whole, 10, multiple_of=5)
    assert first.paths == ("data/train-0-of-2.parquet",)
    assert first.details == {"groups": [[0, 1]]}
    (tmp_path / "p" / "data" / "train-1-of-2.parquet").unlink()
    (tmp_path / "p" / "data" / "test-0-of-1.parquet").unlink()
    assert content(first.open()) == content(whole.select(np.arange(10)))
    with pytest.raises(DataError, match=r"cannot read .*test-0-of-1\.parquet"):
        last.open()


def test_a_shard_walks_over_its_own_images_alone(tmp_path: Path) -> None:
    whole = archives(tmp_path / "a")
    first, *_, last = cut(whole, 8, multiple_of=8)
    path = tmp_path / "a" / "train" / "0.tar"
    expected = content(first.open())
    # damage behind the images of the shard, and before those of the next
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 10240)
        file.write(b"x" * 10240)
        file.truncate()
    assert len(expected) == 8
    assert content(first.open()) == expected
    (tmp_path / "a" / "classes.txt").unlink()
    assert last.open().class_names == CLASSES
    path.unlink()
    assert last.paths == ("train/2.tar",)
    assert len(last.open()) == last.n_images


def test_a_shard_lists_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = cut(class_folders(tmp_path / "c"), 10, multiple_of=1)

    def refuse(path: object) -> None:
        raise AssertionError(f"{path} is listed")

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "listdir", refuse)
    assert sum(len(shard.open()) for shard in shards) == N + 1
    assert all(len(shard.paths) <= 10 for shard in shards)


# what is refused


def test_arrays_in_memory_are_refused() -> None:
    with pytest.raises(InputError, match="in memory, where no other process"):
        cut(open_dataset(PICTURES, labels=LABELS))


@pytest.mark.parametrize(("n_images", "multiple_of"), [(0, 1), (1, 0), (255, 256), (-1, -1)])
def test_numbers_out_of_range(n_images: int, multiple_of: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"n_images={n_images}, multiple_of={multiple_of}"):
        cut(npy(tmp_path / "x"), n_images, multiple_of=multiple_of)


def test_a_file_with_other_rows_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    (shard,) = cut(npy(tmp_path / "x"))
    np.save(tmp_path / "x.npy", PICTURES[1:], allow_pickle=False)
    with pytest.raises(DataError, match=r"x\.npy .* 39 images, expected 40"):
        shard.open()
    (shard,) = cut(numbered_parquet(tmp_path / "y"))
    table = pq.read_table(tmp_path / "y" / "x.parquet").slice(20)
    pq.write_table(table, tmp_path / "y" / "x.parquet", row_group_size=7)
    with pytest.raises(DataError, match=r"x\.parquet .* 20 images, expected 40"):
        shard.open()


@pytest.mark.parametrize("wrong", [{}, {"kind": "files"}, {"kind": "spell"}])
def test_what_is_no_shard(wrong: dict[str, str], tmp_path: Path) -> None:
    (shard,) = cut(npy(tmp_path / "x"))
    stored = wrong if wrong != {"kind": "spell"} else asdict(shard) | wrong
    with pytest.raises(DataError, match="is no shard"):
        Shard.from_dict(stored)
