"""Parquet sources against plain reads with pyarrow."""

import gc
import io
import json
import tracemalloc
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from wordsight.data import parquet
from wordsight.data.parquet import ParquetSource, is_parquet, splits
from wordsight.exceptions import BrokenImageError, DataError, InputError

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NAMES = ["cat", "dog", "truck"]


def features(**columns: object) -> dict[bytes, bytes]:
    return {b"huggingface": json.dumps({"info": {"features": columns}}).encode()}


HUB = features(img={"_type": "Image"}, label={"_type": "ClassLabel", "names": NAMES})


def write(
    path: Path,
    images: list[bytes | None],
    labels: list[int | None] | list[str | None] | list[int] | list[str] | None = None,
    metadata: dict[bytes, bytes] | None = None,
    *,
    label: str = "label",
    row_group: int = 1000,
) -> Path:
    columns: dict[str, pa.Array[Any]] = {
        "img": pa.array([{"bytes": b, "path": "elsewhere.png"} for b in images], IMAGE)
    }
    if labels is not None:
        columns[label] = pa.array(labels)
    table = pa.table(columns).replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group)
    return path


def plain_read(path: Path) -> list[bytes]:
    return [
        data for data, _ in (row.values() for row in pq.read_table(path)["img"].to_pylist() if row)
    ]


def random_bytes(n: int, seed: int = 0) -> list[bytes | None]:
    rng = np.random.default_rng(seed)
    return [rng.bytes(int(size)) for size in rng.integers(1, 60, n)]


def everything(source: ParquetSource) -> list[object]:
    return list(source.read(np.arange(len(source))))


# which files, which splits


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"], ("train", "test")),
        (["data/test-00000-of-00001.parquet", "data/train-00000-of-00001.parquet"],
         ("train", "test")),
        (["train.parquet", "validation.parquet", "test.parquet"], ("train", "validation", "test")),
        (["train/0000.parquet", "train/0001.parquet", "test/0000.parquet"], ("train", "test")),
        (["train/train-0-of-1.parquet", "test/test-0-of-1.parquet"], ("train", "test")),
        (["plain_text/train-00000-of-00001.parquet"], ("train",)),
        (["default/train/0000.parquet", "default/test/0000.parquet"], ("train", "test")),
        (["seen-a.parquet", "rare-b.parquet"], ("rare", "seen")),
        (["images.parquet"], ()),
        (["part-0.parquet", "part-1.parquet"], ()),
        (["train.parquet", ".hidden/test.parquet", "._test.parquet"], ("train",)),
    ],
)  # fmt: skip
def test_splits_are_told_by_names(
    tmp_path: Path, files: list[str], expected: tuple[str, ...]
) -> None:
    for file in files:
        write(tmp_path / file, [b"x"])
    assert is_parquet(tmp_path)
    assert splits(tmp_path) == expected


def test_a_split_reads_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for split, shards in [("test", 1), ("train", 3)]:
        for i in range(shards):
            name = f"{split}-0000{i}-of-0000{shards}.parquet"
            write(tmp_path / "data" / name, [f"{split}{i}{j}".encode() for j in range(2)], [0, 1])
    train = ParquetSource(tmp_path, "train")
    assert everything(train) == [
        b"train00",
        b"train01",
        b"train10",
        b"train11",
        b"train20",
        b"train21",
    ]
    assert train.name(3) == "data/train-00001-of-00003.parquet#1"
    both = ParquetSource(tmp_path)
    assert everything(both) == [*everything(train), b"test00", b"test01"]
    assert both.name(7) == "data/test-00000-of-00001.parquet#1"


def test_a_single_file(tmp_path: Path) -> None:
    file = write(tmp_path / "test-00000-of-00001.parquet", random_bytes(20), [0, 1] * 10)
    assert is_parquet(file)
    assert splits(file) == ("test",)
    source = ParquetSource(file, "test")
    assert everything(source) == plain_read(file)
    assert source.name(17) == "test-00000-of-00001.parquet#17"


def test_a_file_without_the_ending_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    file = write(tmp_path / "x.parquet", [b"a"]).rename(tmp_path / "images")
    assert is_parquet(file)
    (tmp_path / "text").write_text("PAR")
    assert not is_parquet(tmp_path / "text")
    assert not is_parquet(tmp_path / "absent.parquet")
    (tmp_path / "folder").mkdir()
    assert not is_parquet(tmp_path / "folder")


def test_two_data_sets_in_one_folder_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path / "birds" / "train.parquet", [b"a"])
    write(tmp_path / "cars" / "train.parquet", [b"a"])
    with pytest.raises(InputError, match=r"several data sets, in .*birds and .*cars"):
        ParquetSource(tmp_path)
    assert len(ParquetSource(tmp_path / "birds", "train")) == 1


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [b"a"])
    with pytest.raises(InputError, match="no split 'test'; its splits are: train"):
        ParquetSource(tmp_path, "test")


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there"):
        ParquetSource(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no parquet file"):
        ParquetSource(tmp_path)


# columns, labels and classes


def test_classes_from_the_metadata(tmp_path: Path) -> None:
    source = ParquetSource(write(tmp_path / "a.parquet", random_bytes(4), [2, 0, 0, 2], HUB))
    assert source.labels is not None
    assert source.labels.dtype.kind == "U"
    assert source.labels.tolist() == ["truck", "cat", "cat", "truck"]
    assert source.class_names == ("cat", "dog", "truck")


def test_integers_without_names_become_decimals_in_numeric_order(tmp_path: Path) -> None:
    source = ParquetSource(write(tmp_path / "a.parquet", random_bytes(4), [10, 9, -1, 10]))
    assert source.labels is not None
    assert source.labels.tolist() == ["10", "9", "-1", "10"]
    assert source.class_names == ("-1", "9", "10")


def test_string_labels(tmp_path: Path) -> None:
    source = ParquetSource(write(tmp_path / "a.parquet", random_bytes(3), ["ö 日", "cat", "ö 日"]))
    assert source.labels is not None
    assert source.labels.tolist() == ["ö 日", "cat", "ö 日"]
    assert source.class_names == ("cat", "ö 日")


@pytest.mark.parametrize("kind", [pa.dictionary(pa.int8(), pa.string()), pa.large_string()])
def test_other_kinds_of_string(tmp_path: Path, kind: pa.DataType) -> None:
    table = pa.table({
        "img": pa.array([{"bytes": b"x", "path": None}] * 3, IMAGE),
        "class": pa.array(["b", "a", "b"]).cast(kind),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    source = ParquetSource(tmp_path / "a.parquet")
    assert source.labels is not None
    assert source.labels.tolist() == ["b", "a", "b"]


@pytest.mark.parametrize(
    "metadata",
    [
        {b"huggingface": b"not json"},
        {b"huggingface": b"\xff\xfe"},
        {b"huggingface": b"[" * 100_000},
        {b"huggingface": b"[1, 2]"},
        {b"huggingface": b'{"info": null}'},
        {b"huggingface": b'{"info": {"features": [1]}}'},
        {b"huggingface": b'{"info": {"features": {"label": 3}}}'},
        features(label={"_type": "ClassLabel", "names": 7}),
        features(label={"_type": "ClassLabel", "names": ["cat", 5]}),
        features(label={"_type": "ClassLabel", "names": []}),
        features(label={"_type": ["list"]}, img={"_type": {}}) | {b"huggingface": b"{}"},
        {b"other": b"x"},
    ],
)
def test_metadata_of_another_shape_is_passed_over(
    tmp_path: Path, metadata: dict[bytes, bytes]
) -> None:
    source = ParquetSource(write(tmp_path / "a.parquet", [b"x", b"y"], [1, 0], metadata))
    assert source.labels is not None
    assert source.labels.tolist() == ["1", "0"]
    assert everything(source) == [b"x", b"y"]


def two_labels(path: Path, metadata: dict[bytes, bytes] | None) -> ParquetSource:
    table = pa.table({
        "coarse_label": pa.array([0, 0]),
        "fine_label": pa.array([1, 0]),
        "img": pa.array([{"bytes": b"x", "path": None}] * 2, IMAGE),
    })  # fmt: skip
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return ParquetSource(path)


def test_fine_labels_are_preferred(tmp_path: Path) -> None:
    metadata = features(
        coarse_label={"_type": "ClassLabel", "names": ["fish"]},
        fine_label={"_type": "ClassLabel", "names": ["ray", "shark"]},
        img={"_type": "Image"},
    )
    named = two_labels(tmp_path / "a.parquet", metadata)
    assert named.class_names == ("ray", "shark")
    assert named.labels is not None
    assert named.labels.tolist() == ["shark", "ray"]
    plain = two_labels(tmp_path / "b.parquet", None)
    assert plain.labels is not None
    assert plain.labels.tolist() == ["1", "0"]


def test_a_declared_label_beats_a_usual_name(tmp_path: Path) -> None:
    table = pa.table({
        "label": pa.array([5, 6]),
        "species": pa.array([1, 0]),
        "img": pa.array([{"bytes": b"x", "path": None}] * 2, IMAGE),
    })  # fmt: skip
    metadata = features(species={"_type": "ClassLabel", "names": ["owl", "wren"]})
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    assert ParquetSource(tmp_path / "a.parquet").class_names == ("owl", "wren")


@pytest.mark.parametrize(("column", "found"), [("species", True), ("id", False), ("path", False)])
def test_a_lone_column_is_the_label_unless_its_name_denies_it(
    tmp_path: Path, column: str, found: bool
) -> None:
    file = write(tmp_path / "a.parquet", [b"x", b"y"], ["owl", "wren"], label=column)
    assert (ParquetSource(file).labels is not None) is found


def test_no_labels(tmp_path: Path) -> None:
    source = ParquetSource(write(tmp_path / "a.parquet", [b"x"]))
    assert source.labels is None
    assert source.class_names == ()


@pytest.mark.parametrize("labels", [[-1, -1], [None, None]])
def test_a_split_whose_labels_are_all_withheld_has_none(
    tmp_path: Path, labels: list[int | None]
) -> None:
    table = pa.table({
        "img": pa.array([{"bytes": b"x", "path": None}] * 2, IMAGE),
        "label": pa.array(labels, pa.int64()),
    })  # fmt: skip
    pq.write_table(table.replace_schema_metadata(HUB), tmp_path / "a.parquet")
    source = ParquetSource(tmp_path / "a.parquet")
    assert source.labels is None
    assert source.class_names == ("cat", "dog", "truck")


@pytest.mark.parametrize(
    ("labels", "metadata", "message"),
    [
        ([0, 1, 3], HUB, r"a\.parquet#2 has the label 3, expected 0 to 2"),
        ([0, -2, 1], HUB, r"a\.parquet#1 has the label -2, expected 0 to 2"),
        ([0, -1, 1], HUB, r"a\.parquet#1 has no label"),
        ([0, None, 1], None, r"a\.parquet#1 has no label"),
        (["cat", "cow", "dog"], HUB, r"a\.parquet#1 has the label 'cow', which is not among"),
        (["cat", "", "dog"], None, r"a\.parquet#1 has the label '', expected a class name"),
        (["cat", "x" * 300, "dog"], None, r"a\.parquet#1 has the label 'x+', expected a class"),
        (["cat", "d\0", "dog"], None, r"a\.parquet#1 has the label 'd\\x00', expected a class"),
        ([0, 1, 1], features(label={"_type": "ClassLabel", "names": ["a", "a"]}), "class twice"),
    ],
)
def test_labels_that_are_no_classes(
    tmp_path: Path,
    labels: list[int | None] | list[str | None],
    metadata: dict[bytes, bytes] | None,
    message: str,
) -> None:
    file = write(tmp_path / "a.parquet", random_bytes(3), labels, metadata)
    with pytest.raises(DataError, match=message):
        ParquetSource(file)


def test_a_table_without_images(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet has no column of images.*it has 'label'"):
        ParquetSource(tmp_path / "a.parquet")


def test_sound_is_not_taken_for_images(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [b"x"], [0], features(img={"_type": "Audio"}))
    with pytest.raises(DataError, match="no column of images"):
        ParquetSource(file)


def test_several_image_columns(tmp_path: Path) -> None:
    images = pa.array([{"bytes": b"x", "path": None}], IMAGE)
    others = pa.array([{"bytes": b"y", "path": None}], IMAGE)
    pq.write_table(pa.table({"mask": others, "image": images}), tmp_path / "a.parquet")
    assert everything(ParquetSource(tmp_path / "a.parquet")) == [b"x"]
    pq.write_table(pa.table({"left": images, "right": others}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="several columns of images \\('left', 'right'\\)"):
        ParquetSource(tmp_path / "b.parquet")
    declared = features(right={"_type": "Image"}, left={"_type": "Value"})
    table = pa.table({"left": images, "right": others}).replace_schema_metadata(declared)
    pq.write_table(table, tmp_path / "c.parquet")
    assert everything(ParquetSource(tmp_path / "c.parquet")) == [b"y"]


def test_files_that_do_not_agree(tmp_path: Path) -> None:
    write(tmp_path / "train-0-of-2.parquet", [b"x"], [0], HUB)
    write(tmp_path / "train-1-of-2.parquet", [b"x"], [0])
    with pytest.raises(DataError, match=r"train-1-of-2\.parquet has other image or label columns"):
        ParquetSource(tmp_path, "train")


def test_an_empty_table(tmp_path: Path) -> None:
    table = pa.table({"img": pa.array([], IMAGE), "label": pa.array([], pa.int64())})
    pq.write_table(table.replace_schema_metadata(HUB), tmp_path / "a.parquet")
    source = ParquetSource(tmp_path / "a.parquet")
    assert len(source) == 0
    assert everything(source) == []
    assert source.class_names == ("cat", "dog", "truck")


# rows


@pytest.mark.parametrize("window", [1, 100, 1 << 26])
def test_any_order_of_rows_over_many_row_groups(
    tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_WINDOW_BYTES", window)
    files = [
        write(tmp_path / f"train-{i}-of-3.parquet", random_bytes(n, i), row_group=7)
        for i, n in enumerate([40, 1, 30])
    ]
    plain = [data for file in files for data in plain_read(file)]
    source = ParquetSource(tmp_path, "train")
    assert everything(source) == plain
    rng = np.random.default_rng(5)
    for rows in (rng.permutation(71), rng.integers(0, 71, 200), np.sort(rng.integers(0, 71, 90)),
                 np.arange(71)[::-1], np.array([70]), np.array([], dtype=np.int64)):  # fmt: skip
        assert list(source.read(rows)) == [plain[row] for row in rows]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_round_trip(tmp_path: Path, data: st.DataObject) -> None:
    images = data.draw(st.lists(st.one_of(st.none(), st.binary(max_size=40)), min_size=1))
    text = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)
    name = text.map(lambda given: unicodedata.normalize("NFC", given))
    labels = data.draw(st.lists(name, min_size=len(images), max_size=len(images)))
    rows = data.draw(st.lists(st.integers(0, len(images) - 1)))
    row_group = data.draw(st.integers(1, 5))
    source = ParquetSource(write(tmp_path / "a.parquet", images, labels, row_group=row_group))
    assert source.labels is not None
    assert source.labels.tolist() == labels
    assert source.class_names == tuple(sorted(set(labels)))
    for row, item in zip(rows, source.read(np.array(rows, dtype=np.int64)), strict=True):
        assert isinstance(item, BrokenImageError) if images[row] is None else item == images[row]


def test_rows_that_are_not_there(tmp_path: Path) -> None:
    source = ParquetSource(write(tmp_path / "a.parquet", random_bytes(3)))
    for rows in ([3], [-1], [0, 5]):
        with pytest.raises(InputError, match="of 3 rows"):
            list(source.read(np.array(rows)))


def test_missing_bytes_are_an_item_and_the_path_is_not_followed(tmp_path: Path) -> None:
    real = tmp_path / "real.png"
    Image.new("RGB", (2, 2)).save(real)
    structs = [{"bytes": None, "path": str(real)}, None, {"bytes": b"x", "path": str(real)}]
    pq.write_table(pa.table({"image": pa.array(structs, IMAGE)}), tmp_path / "a.parquet")
    first, second, third = ParquetSource(tmp_path / "a.parquet").read(np.arange(3))
    assert isinstance(first, BrokenImageError)
    assert first.name == "a.parquet#0"
    assert isinstance(second, BrokenImageError)
    assert second.name == "a.parquet#1"
    assert third == b"x"


def test_pictures_survive(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    (item,) = ParquetSource(write(tmp_path / "a.parquet", [buffer.getvalue()])).read(np.array([0]))
    assert isinstance(item, bytes)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(item))), pixels)


@pytest.mark.parametrize("shuffled", [False, True])
def test_memory_stays_small(
    tmp_path: Path, shuffled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, size = 160, 1 << 18  # 40 MB in a single row group
    rng = np.random.default_rng(0)
    table = pa.table({"img": pa.array([{"bytes": rng.bytes(size)} for _ in range(n)], IMAGE)})
    pq.write_table(table, tmp_path / "a.parquet", write_batch_size=2, row_group_size=n)
    del table
    gc.collect()
    monkeypatch.setattr(parquet, "_WINDOW_BYTES", 2 << 20)
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 1 << 20)
    source = ParquetSource(tmp_path / "a.parquet")
    rows: NDArray[np.int64] = rng.permutation(n)[:40] if shuffled else np.arange(n)
    before = pa.total_allocated_bytes()
    most = 0
    tracemalloc.start()
    try:
        for item in source.read(rows):
            assert isinstance(item, bytes)
            most = max(most, pa.total_allocated_bytes() - before)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 8 << 20
    assert held < 8 << 20


# broken files


def test_truncated_files_are_named(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.parquet", random_bytes(50), [0] * 50, row_group=10).read_bytes()
    file = tmp_path / "train.parquet"
    for length in (0, 1, 3, 4, 11, 12, 40, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert is_parquet(tmp_path)
        with pytest.raises(DataError, match=r"cannot read .*train\.parquet.*get it again"):
            ParquetSource(tmp_path)


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 18021157\n")
    with pytest.raises(DataError, match=r"cannot read .*train\.parquet") as caught:
        ParquetSource(file)
    assert "\n" not in str(caught.value)


def test_a_file_that_claims_more_rows_than_labels(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", random_bytes(3), [0, 1, 0], HUB, row_group=2)
    whole = file.read_bytes()
    # an integer of the footer that is 2 becomes 4: the one that is the rows of the first group
    for at in (k for k in range(len(whole) - 1) if whole[k : k + 2] == b"\x16\x04"):
        file.write_bytes(whole[: at + 1] + b"\x08" + whole[at + 2 :])
        try:
            n_rows = pq.read_metadata(file).row_group(0).num_rows
        except (OSError, pa.ArrowException):
            continue
        if n_rows == 4:
            break
    else:
        pytest.fail("the footer is written otherwise than it was")
    with pytest.raises(DataError, match="3 labels, and its row groups say 5 rows"):
        ParquetSource(file)


def test_a_corrupt_page_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    images = [np.random.default_rng(i).bytes(1000) for i in range(20)]
    table = pa.table({"img": pa.array([{"bytes": b} for b in images], IMAGE)})
    pq.write_table(table, file, write_page_checksum=True, compression="none")
    raw = bytearray(file.read_bytes())
    raw[raw.index(images[7])] ^= 0xFF
    file.write_bytes(raw)
    source = ParquetSource(file)
    with pytest.raises(DataError, match=r"cannot read .*a\.parquet"):
        everything(source)


def test_a_file_that_goes_away(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", random_bytes(3))
    source = ParquetSource(file)
    file.unlink()
    with pytest.raises(DataError, match=r"a\.parquet"):
        everything(source)
