"""Images in tar archives, packed by the standard library and found again without it."""

import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from wordsight.data.cifar import is_cifar
from wordsight.data.open import available_splits, open_dataset
from wordsight.data.tar_members import header_number
from wordsight.data.webdataset import WebDatasetSource, is_webdataset, matching, splits
from wordsight.exceptions import BrokenImageError, DataError, InputError
from wordsight.prediction_inputs import open_inputs

Members = Sequence[tuple[str, bytes]] | Mapping[str, bytes]
FORMATS = {
    "ustar": tarfile.USTAR_FORMAT,
    "gnu": tarfile.GNU_FORMAT,
    "pax": tarfile.PAX_FORMAT,
}


def pack(
    path: Path, members: Members, *, kind: str = "pax", mode: str = "w", **fields: Any
) -> Path:
    """Write an archive; a dict of members is in the order of its keys."""
    pairs = members.items() if isinstance(members, Mapping) else members
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, format=FORMATS[kind]) as tar:  # type: ignore[call-overload]
        for name, content in pairs:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in fields.items():
                setattr(member, field, value)
            tar.addfile(member, io.BytesIO(content))
    return path


def names(source: WebDatasetSource) -> list[str]:
    return [source.name(row) for row in range(len(source))]


def everything(source: WebDatasetSource) -> list[Any]:
    return list(source.read(np.arange(len(source))))


def labels(path: Path, members: Members, **fields: Any) -> list[str] | None:
    source = WebDatasetSource(pack(path / "x.tar", members, **fields))
    return None if source.labels is None else source.labels.tolist()


# what is read


@pytest.mark.parametrize("kind", FORMATS)
def test_images_and_labels(kind: str, tmp_path: Path) -> None:
    members = {"b.jpg": b"one", "b.cls": b"dog\n", "a.cls": b"cat", "a.PNG": b"two" * 999}
    source = WebDatasetSource(pack(tmp_path / "x.tar", members, kind=kind))
    assert names(source) == ["x.tar/b.jpg", "x.tar/a.PNG"]
    assert everything(source) == [b"one", b"two" * 999]
    assert source.labels is not None
    assert source.labels.tolist() == ["dog", "cat"]
    assert source.class_names == ("cat", "dog")
    assert source.n_ignored == 0


CONTENT = st.binary(max_size=1500)
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/."), min_size=1, max_size=130
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    images=st.dictionaries(NAMES, CONTENT, min_size=1, max_size=8),
    kind=st.sampled_from(["gnu", "pax"]),
    folder=st.sampled_from(["", "./", "/", "a/b.c/", "./a//"]),
    mtime=st.sampled_from([0, 1.5]),
    data=st.data(),
)
def test_what_tarfile_packs_is_found_again(
    images: dict[str, bytes],
    kind: str,
    folder: str,
    mtime: float,
    data: st.DataObject,
    tmp_path: Path,
) -> None:
    members = [(f"{folder}{name}.jpg", content) for name, content in images.items()]
    path = pack(tmp_path / "x.tar", members, kind=kind, mtime=mtime if kind == "pax" else 0)
    source = WebDatasetSource(path)
    expected = []
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            parts = [part for part in member.name.split("/") if part not in ("", ".")]
            expected.append((f"x.tar/{'/'.join(parts)}", file.read()))
    assert list(zip(names(source), everything(source), strict=True)) == expected
    rows = np.array(data.draw(st.lists(st.integers(0, len(source) - 1), max_size=9)), np.int64)
    assert list(source.read(rows)) == [expected[row][1] for row in rows]


def test_pictures_are_decoded_from_where_they_lie(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    members = {}
    for number, picture in enumerate(pictures):
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "png")
        members[f"{number}.png"] = stream.getvalue()
    dataset = open_dataset(pack(tmp_path / "x.tar", members))
    assert np.array_equal(dataset.images(None).images, pictures)


def test_a_key_ends_at_the_first_dot_of_the_last_part(tmp_path: Path) -> None:
    members = {
        "v1.0/a.seg.png": b"mask", "v1.0/a.jpg": b"image", "v1.0/a.cls": b"1",
        "v1.0/b.original.jpg": b"alone", "v1.0/b.cls": b"2",
        ".hidden.jpg": b"", "noending": b"", "c.cls": b"no image",
    }  # fmt: skip
    source = WebDatasetSource(pack(tmp_path / "x.tar", members))
    assert everything(source) == [b"image", b"alone"]
    assert source.labels is not None
    assert source.labels.tolist() == ["1", "2"]
    assert source.n_ignored == 3


def test_many_archives_with_few_of_them_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        pack(tmp_path / f"{number:03}.tar", {f"{k}.jpg": b"%d %d" % (number, k) for k in range(3)})
    opened = set[int]()
    most = 0
    real_open, real_close = os.open, os.close

    def counted(*args: Any) -> int:
        nonlocal most
        opened.add(file := real_open(*args))
        most = max(most, len(opened))
        return file

    def closed(file: int) -> None:
        opened.discard(file)
        real_close(file)

    source = WebDatasetSource(tmp_path)
    monkeypatch.setattr(os, "open", counted)
    monkeypatch.setattr(os, "close", closed)
    rows = np.random.default_rng(0).permutation(36)
    assert list(source.read(rows)) == [b"%d %d" % divmod(row, 3) for row in rows.tolist()]
    assert 1 < most <= 9
    assert not opened


# labels


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ({"cls": b"3"}, "3"),
        ({"cls": b" 03\n"}, "3"),
        ({"cls": b"hot dog\r\n"}, "hot dog"),
        ({"cls": "cafe\u0301".encode()}, "caf\u00e9"),
        ({"label": b"cat"}, "cat"),
        ({"txt": b"cat"}, "cat"),
        ({"json": b'{"label": "cat", "class": "dog"}'}, "cat"),
        ({"json": b'{"class": 7}'}, "7"),
        ({"json": b'{"label": null, "class": "dog"}'}, "dog"),
        ({"txt": b"a caption", "json": b'{"label": "cat"}'}, "cat"),
        ({"json": b'{"label": "dog"}', "cls": b"cat", "txt": b"eel"}, "cat"),
        ({"txt": b"two\nlines"}, None),
        ({"txt": b"x" * 201}, None),
        ({"json": b'{"caption": "cat"}'}, None),
        ({"json": b'{"label": true}'}, None),
        ({"json": b'["cat"]'}, None),
        ({"json": b"[" * 100_000}, None),
        ({"json": b'{"label": 1' + b"0" * 5000 + b"}"}, None),
        ({"xyz": b"cat"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_where_a_label_stands(
    beside: dict[str, bytes], expected: str | None, tmp_path: Path
) -> None:
    members = {"1.jpg": b""} | {f"1.{ending}": content for ending, content in beside.items()}
    assert labels(tmp_path, members) == (None if expected is None else [expected])


def test_folders_are_classes_where_nothing_else_tells_one(tmp_path: Path) -> None:
    assert labels(tmp_path, {"x/cat/1.jpg": b"", "x/dog/1.jpg": b""}) == ["cat", "dog"]
    assert labels(tmp_path, {"cat/1.jpg": b"", "2.jpg": b""}) is None
    assert labels(tmp_path, {"all/1.jpg": b"", "all/2.jpg": b""}) is None
    told = {"a/1.jpg": b"", "a/1.cls": b"cat", "b/1.jpg": b"", "b/1.cls": b"cat"}
    assert labels(tmp_path, told) == ["cat", "cat"]


def test_captions_of_some_images_are_captions_of_all(tmp_path: Path) -> None:
    members = {"1.jpg": b"", "1.txt": b"cat", "2.jpg": b"", "2.txt": b"a\nb"}
    assert labels(tmp_path, members) is None
    assert labels(tmp_path, {"1.jpg": b"", "2.jpg": b"", "2.txt": b"cat"}) is None


def test_numbers_are_named_by_a_file_beside(tmp_path: Path) -> None:
    members = {"1.jpg": b"", "1.cls": b"2", "2.jpg": b"", "2.json": b'{"label": 0}'}
    path = pack(tmp_path / "data" / "test" / "0.tar", members)
    assert WebDatasetSource(path).class_names == ("0", "2")
    info = {
        "features": {
            "jpg": {"_type": "Image"},
            "cls": {"_type": "ClassLabel", "names": ["x", "y", "z"]},
        }
    }
    (tmp_path / "data" / "dataset_info.json").write_text(json.dumps(info))
    for place in (path, path.parent, tmp_path / "data"):
        source = WebDatasetSource(place)
        assert source.class_names == ("x", "y", "z")
        assert source.labels is not None
        assert source.labels.tolist() == ["z", "x"]
    for file in ("classnames.txt", "classes.txt"):
        (tmp_path / "data" / "test" / file).write_text(f"{file}\neel\n hot dog \n\n")
        assert WebDatasetSource(path).class_names == (file, "eel", "hot dog")


def test_names_that_do_not_fit(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", {"1.jpg": b"", "1.cls": b"2"})
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match=r"x\.tar/1\.jpg has the label 2, expected 0 to 1"):
        WebDatasetSource(path)
    for wrong in ("cat\ncat\n", "cat\n\ndog", "x" * 201):
        (tmp_path / "classes.txt").write_text(wrong)
        with pytest.raises(DataError, match=r"classes\.txt does not hold different class names"):
            WebDatasetSource(path)
    (tmp_path / "classes.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"cannot read .*classes\.txt"):
        WebDatasetSource(path)


def test_names_beside_words_mean_nothing(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("eel\ncat\n")
    assert labels(tmp_path, {"1.jpg": b"", "1.cls": b"1", "2.jpg": b"", "2.cls": b"dog"}) == [
        "1",
        "dog",
    ]


@pytest.mark.parametrize("wrong", [b"two\nlines", b"x" * 201, b"a\0b", b"\xff"])
def test_labels_that_are_no_class_names(wrong: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.tar/1\.jpg has the label"):
        labels(tmp_path, {"1.jpg": b"", "1.cls": wrong})


def test_a_label_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.tar/2\.jpg has no label, while other images have"):
        labels(tmp_path, {"1.jpg": b"", "1.cls": b"3", "2.jpg": b"", "2.txt": b"cat"})


# which archives


def test_splits_are_told_by_names(tmp_path: Path) -> None:
    for name in ("flowers-val-000001", "flowers-val-000000", "train-000000", "odd"):
        pack(tmp_path / f"{name}.tar", {f"{name}.jpg": name.encode()})
    assert splits(tmp_path) == available_splits(tmp_path) == ("train", "val")
    val = open_dataset(tmp_path, split="validation")
    assert val.names == [f"flowers-val-00000{k}.tar/flowers-val-00000{k}.jpg" for k in (0, 1)]
    assert len(open_dataset(tmp_path)) == 4
    with pytest.raises(InputError, match="no split 'test'; its splits are: train, val"):
        WebDatasetSource(tmp_path, "test")
    pack(tmp_path / "inner" / "test" / "0.tar", {"1.jpg": b""})
    assert splits(tmp_path / "inner") == ("test",)


def test_patterns_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(8, 12):
        pack(tmp_path / "s" / f"a-{number:03}.tar", {f"{number}.jpg": b"%d" % number})
    expected = [f"a-{number:03}.tar/{number}.jpg" for number in range(8, 12)]
    for pattern in ("s/a-{008..011}.tar", "s/a-*.tar", "{s,s}/a-0{08,09}.tar", "s/a-0{0,1}?.tar"):
        dataset = open_dataset(pattern)
        assert dataset.names == (expected if "s,s" not in pattern else [*expected[:2]] * 2)
    paths = [tmp_path / "s" / "a-010.tar", Path("s/a-008.tar")]
    assert open_dataset(paths).names == [expected[2], expected[0]]
    assert len(open_dataset("s/a-{008..011}.tar", split="train")) == 4
    for absent in ("s/b-{0..3}.tar", ["s/a-008.tar", "s/b-0.tar"]):
        with pytest.raises(InputError, match=r"there is no file s/b-0\.tar"):
            open_dataset(absent)
    with pytest.raises(InputError, match=r"there is no file or folder s/b-\*\.tar; check"):
        open_dataset("s/b-*.tar")
    with pytest.raises(InputError, match="more than 1000000 archives"):
        matching("{0..99999999999999}.tar")


def test_archives_are_told_from_others(tmp_path: Path) -> None:
    images = pack(tmp_path / "cifar10-train-0.tar", {"cat/1.jpg": b"", "dog/1.jpg": b""})
    cifar = pack(tmp_path / "named.tar", {"cifar-10-batches-bin/data_batch_1.bin": b""})
    broken = tmp_path / "cifar-10-binary.tar"
    broken.write_bytes(b"x" * 600)
    assert [is_cifar(path) for path in (images, cifar, broken)] == [False, True, True]
    assert open_dataset(images).class_names == ("cat", "dog")
    broken.rename(tmp_path / "images.tar")
    with pytest.raises(DataError, match=r"images\.tar: it is no tar archive"):
        open_dataset(tmp_path / "images.tar")


def test_an_archive_beside_what_was_extracted_from_it_is_no_data(tmp_path: Path) -> None:
    pack(tmp_path / "images.tar", {"1.jpg": b""})
    assert is_webdataset(tmp_path)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.jpg").write_bytes(b"")
    assert not is_webdataset(tmp_path)
    assert open_dataset(tmp_path).class_names == ("cat",)


def test_compressed_archives_are_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "s" / "x.tar.gz", {"deep/er/1.jpg": b""}, mode="w:gz")
    for place in (path, path.parent):
        with pytest.raises(InputError, match=r"x\.tar\.gz is a compressed archive .*\(gunzip\)"):
            open_dataset(place)


def test_inputs_to_predict(tmp_path: Path) -> None:
    pack(tmp_path / "s" / "0.tar", {"1.jpg": b"", "2.jpg": b""})
    pack(tmp_path / "s" / "1.tar", {"3.jpg": b""})
    assert [len(dataset) for dataset in open_inputs([tmp_path / "s"])] == [3]
    assert [len(dataset) for dataset in open_inputs([f"{tmp_path}/s/*.tar"])] == [2, 1]


# what is not trusted


def raw(name: bytes, content: bytes = b"", *, kind: bytes = b"0", size: int | None = None) -> bytes:
    """Write a member by hand."""
    header = bytearray(512)
    header[: len(name)] = name
    header[124:136] = b"%011o\0" % (len(content) if size is None else size)
    header[156:157] = kind
    header[257:265] = b"ustar\x0000"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + content + bytes(-len(content) % 512)


END = bytes(1024)
GOOD = raw(b"good.jpg", b"good")


def read_raw(folder: Path, content: bytes) -> WebDatasetSource:
    (folder / "x.tar").write_bytes(content)
    return WebDatasetSource(folder / "x.tar")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(b"1", "link"), (b"2", "link"), (b"3", "device"), (b"4", "device"), (b"6", "named pipe")],
)
def test_what_is_no_file_keeps_its_place_as_a_broken_image(
    kind: bytes, reason: str, tmp_path: Path
) -> None:
    content = raw(b"a.jpg", kind=kind, size=999) + raw(b"b.cls", b"7", kind=kind, size=0)[:512]
    source = read_raw(tmp_path, content + GOOD + END)
    broken, good = everything(source)
    assert good == b"good"
    assert isinstance(broken, BrokenImageError)
    assert broken.name == "x.tar/a.jpg"
    assert reason in broken.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it ends too early"),
        (b"x" * 100, "it ends too early"),
        (b"x" * 512, "what stands at byte 0 is no header"),
        (GOOD, "it ends too early"),  # no end marker: members may be missing
        (GOOD[:514], "it ends within good.jpg"),
        (GOOD + b"x" * 512, "byte 1024 is no header"),
        (GOOD + raw(b"a.jpg", size=10**9) + END, "it ends within a.jpg"),
        (GOOD + END + GOOD, "stands behind its end marker"),
        (raw(b"../a.jpg") + END, r"\.\./a\.jpg leads out of it"),
        (raw(b"a/../../b.jpg") + END, "leads out of it"),
        (raw(b"a.jpg", kind=b"S") + END, r"a\.jpg is stored in pieces.*without --sparse"),
        (raw(b"a.jpg", kind=b"M") + END, "is stored in pieces"),
        (raw(b"p", b"22 GNU.sparse.major=1\n", kind=b"x") + GOOD + END, "is stored in pieces"),
        (raw(b"p", bytes(1 << 17), kind=b"x") + GOOD + END, "a header of 131072 bytes"),
        (raw(b"p", b"99 path=a.jpg\n", kind=b"x") + GOOD + END, "a header in it is damaged"),
        (raw(b"p", b"0 path=a.jpg\n", kind=b"x") + GOOD + END, "a header in it is damaged"),
        (raw(b"p", b"path", kind=b"x") + GOOD + END, "a header in it is damaged"),
        (raw(b"p", b"15 size=999999\n", kind=b"x") + GOOD + END, "it ends within good.jpg"),
        (raw(b"p", b"11 size=-1\n", kind=b"x") + GOOD + END, "it ends within good.jpg"),
        (raw(b"p", b"14 path=a.jpg\n", kind=b"x") + END, "a header that belongs to a member"),
        (raw(b"L", b"x" * 5000, kind=b"L") + GOOD + END, "it holds the name xxx"),
        (raw(b"a.jpg") + raw(b"a.jpg") + END, "key of a.jpg in two places"),
        (raw(b"a.jpg") + raw(b"b.jpg") + raw(b"a.jpg") + END, "key of a.jpg in two places"),
        # what tells of it is elsewhere
        (
            raw(b"a.jpg") + raw(b"b.jpg") + raw(b"a.cls", b"1") + raw(b"b.cls", b"1") + END,
            "key of a.jpg in two places",
        ),
        (raw(b"a.jpg") + raw(b"a.png") + END, "several images of one key, a.jpg and a.png"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"x\.tar.*{reason}") as caught:
        read_raw(tmp_path, content)
    assert len(str(caught.value)) <= DataError.longest


def test_an_image_without_measure_is_broken_and_the_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    size = (1 << 30) + 1
    with path.open("wb") as file:  # with a hole, which takes no room
        file.write(raw(b"a.jpg", size=size))
        file.seek(-(-size // 512) * 512, os.SEEK_CUR)
        file.write(GOOD + END)
    broken, good = everything(WebDatasetSource(path))
    assert isinstance(broken, BrokenImageError)
    assert "larger than 1 GiB" in broken.reason
    assert good == b"good"


def test_numbers_in_headers() -> None:
    assert header_number(b"00000000012\0") == 10
    assert header_number(b"     12 \0") == 10
    assert header_number(b"\x80" + bytes(9) + b"\x01\x02") == 258
    for wrong in (b"", b"\0" * 12, b"0000008\0", b"-0000001", b"0x1", b"1_2", b"1 2"):
        assert header_number(wrong) == -1


def test_an_archive_that_changes_under_the_reader(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", {"1.jpg": b"one", "2.jpg": b"two"})
    source = WebDatasetSource(path)
    pack(path, {"1.jpg": b"other", "2.jpg": b"images" * 999})
    for item in everything(source):
        assert isinstance(item, BrokenImageError)
        assert "changed since it was opened" in item.reason
    path.unlink()
    assert all("No such file" in item.reason for item in everything(source))


def test_rows_that_are_not_there(tmp_path: Path) -> None:
    source = WebDatasetSource(pack(tmp_path / "x.tar", {"1.jpg": b"one"}))
    for row in (-1, 1):
        with pytest.raises(InputError, match="of 1 rows"):
            list(source.read(np.array([row])))
