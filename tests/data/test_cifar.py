"""CIFAR sources against archives written here by the published record format."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wordsight.data.cifar import CifarSource, is_cifar, splits
from wordsight.exceptions import DataError, InputError

BATCHES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
# the names of the classes as the official page lists them
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FINE = [f"fine {i:02d}" for i in range(100)]
KINDS = ["folder", "parent", ".tar", ".tar.gz", ".tgz"]

Files = dict[str, bytes]


def picture(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def record(image: NDArray[np.uint8], *labels: int) -> bytes:
    """Label bytes, then the red, the green and the blue plane, each row by row."""
    return bytes(labels) + b"".join(image[:, :, channel].tobytes() for channel in range(3))


def cifar10() -> Files:
    """Three images in each file; image and label of a row are told by its number."""
    files = {
        name: b"".join(record(picture(i), i * 7 % 10) for i in range(3 * k, 3 * k + 3))
        for k, name in enumerate(BATCHES)
    }
    return files | {"batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode()}


def cifar100() -> Files:
    return {
        "train.bin": b"".join(record(picture(i), i % 20, 99 - i) for i in range(4)),
        "test.bin": b"".join(record(picture(i), 0, i) for i in range(4, 6)),
        "fine_label_names.txt": ("\n".join(FINE) + "\n").encode(),
        "coarse_label_names.txt": b"not looked at\n",
    }


def pack(path: Path, files: Files, folder: str = "cifar-10-batches-bin") -> Path:
    """Write an archive; its members stand in no useful order, as in the official one."""
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tar:
        top = tarfile.TarInfo(folder)
        top.type = tarfile.DIRTYPE
        tar.addfile(top)
        for name in sorted(files, reverse=True):
            add(tar, f"{folder}/{name}", files[name])
    return path


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: bytes | str) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(content))


def lay_out(tmp_path: Path, kind: str, files: Files, folder: str = "cifar-10-batches-bin") -> Path:
    if kind.startswith("."):
        return pack(tmp_path / f"cifar{kind}", files, folder)
    inner = tmp_path / folder
    inner.mkdir()
    for name, content in files.items():
        (inner / name).write_bytes(content)
    return inner if kind == "folder" else tmp_path


def pixels(source: CifarSource, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    items = []
    for item in source.read(rows):
        assert isinstance(item, np.ndarray)
        assert item.dtype == np.uint8
        assert item.flags.c_contiguous
        items.append(item)
    return items


@pytest.mark.parametrize("kind", KINDS)
def test_cifar10(tmp_path: Path, kind: str) -> None:
    path = lay_out(tmp_path, kind, cifar10())
    assert is_cifar(path)
    assert splits(path) == ("train", "test")
    for split, rows in [("train", range(15)), ("test", range(15, 18)), (None, range(18))]:
        source = CifarSource(path, split)
        assert len(source) == len(rows)
        assert source.class_names == tuple(NAMES)
        assert source.labels is not None
        assert source.labels.dtype.kind == "U"
        assert source.labels.tolist() == [NAMES[i * 7 % 10] for i in rows]
        got = pixels(source, np.arange(len(rows)))
        np.testing.assert_array_equal(got, [picture(i) for i in rows])


@pytest.mark.parametrize("kind", KINDS)
def test_cifar100_is_labelled_with_fine_classes(tmp_path: Path, kind: str) -> None:
    path = lay_out(tmp_path, kind, cifar100(), "cifar-100-binary")
    assert is_cifar(path)
    source = CifarSource(path)
    assert source.class_names == tuple(FINE)
    assert source.labels is not None
    assert source.labels.tolist() == [FINE[i] for i in (99, 98, 97, 96, 4, 5)]
    np.testing.assert_array_equal(pixels(source, np.arange(6)), [picture(i) for i in range(6)])
    assert len(CifarSource(path, "test")) == 2


@pytest.mark.parametrize("kind", ["folder", ".tar.gz"])
def test_rows_in_any_order(tmp_path: Path, kind: str) -> None:
    source = CifarSource(lay_out(tmp_path, kind, cifar10()))
    rows = np.random.default_rng(0).integers(0, 18, 40)
    np.testing.assert_array_equal(pixels(source, rows), [picture(i) for i in rows])
    assert list(source.read(np.array([], dtype=np.int64))) == []
    for wrong in (18, -1):
        with pytest.raises(InputError, match="of 18 rows"):
            list(source.read(np.array([wrong])))


def test_rows_are_named_by_their_file(tmp_path: Path) -> None:
    archive = CifarSource(pack(tmp_path / "cifar-10-binary.tar.gz", cifar10()))
    assert archive.name(4) == "cifar-10-binary.tar.gz/data_batch_2.bin#1"
    folder = CifarSource(lay_out(tmp_path, "folder", cifar10()))
    assert folder.name(15) == "test_batch.bin#0"


def test_what_is_read_belongs_to_the_reader(tmp_path: Path) -> None:
    source = CifarSource(lay_out(tmp_path, "folder", cifar10()))
    pixels(source, np.array([0]))[0][:] = 0
    np.testing.assert_array_equal(pixels(source, np.array([0]))[0], picture(0))


def test_other_folders_are_not_cifar(tmp_path: Path) -> None:
    assert not is_cifar(tmp_path)
    assert not is_cifar(tmp_path / "absent")
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    (tmp_path / "train.bin").write_bytes(b"a model")
    assert not is_cifar(tmp_path)
    (tmp_path / "data_batch_1.bin").mkdir()
    assert not is_cifar(tmp_path)
    with pytest.raises(DataError, match="neither CIFAR-10 nor CIFAR-100"):
        CifarSource(tmp_path)


def test_misuse(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there"):
        CifarSource(tmp_path / "cifar-10-binary.tar.gz")
    with pytest.raises(InputError, match="no split 'validation'; its splits are: train, test"):
        CifarSource(lay_out(tmp_path, "folder", cifar10()), "validation")


# broken data


@pytest.mark.parametrize("kind", ["folder", ".tar", ".tar.gz"])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_3.bin", b"\0" * 3072, "has 3072 bytes, expected one or more records of 3073"),
        ("data_batch_3.bin", b"", "has 0 bytes"),
        (
            "test_batch.bin",
            b"\0" * 3073 + b"\x0a" + b"\0" * 3072,
            "label 10 in record 1, .* 0 to 9",
        ),
        ("batches.meta.txt", b"cat\ndog\n", "does not hold 10 different class names"),
        ("batches.meta.txt", b"cat\n" * 10, "does not hold 10 different class names"),
        ("batches.meta.txt", b"\xff\n", "does not hold 10 different class names"),
        ("batches.meta.txt", b"", "does not hold 10 different class names"),
        ("data_batch_4.bin", None, "lacks data_batch_4.bin, which CIFAR-10 has"),
        ("batches.meta.txt", None, "lacks batches.meta.txt"),
    ],
)
def test_broken_files_are_named(
    tmp_path: Path, kind: str, name: str, content: bytes | None, message: str
) -> None:
    files = cifar10()
    del files[name]
    if content is not None:
        files[name] = content
    path = lay_out(tmp_path, kind, files)
    assert is_cifar(path)
    with pytest.raises(DataError, match=message) as caught:
        CifarSource(path)
    assert name in str(caught.value)


@pytest.mark.parametrize(("labels", "most"), [((20, 0), 19), ((0, 100), 99)])
def test_both_labels_of_cifar100_are_checked(
    tmp_path: Path, labels: tuple[int, int], most: int
) -> None:
    files = cifar100() | {"train.bin": record(picture(0), *labels)}
    with pytest.raises(DataError, match=f"expected 0 to {most}"):
        CifarSource(lay_out(tmp_path, "folder", files, "cifar-100-binary"))


def test_only_the_files_of_the_split_are_needed(tmp_path: Path) -> None:
    files = {name: data for name, data in cifar10().items() if not name.startswith("data")}
    path = lay_out(tmp_path, "folder", files)
    assert len(CifarSource(path, "test")) == 3


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_truncated_archives(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / f"cifar{suffix}", cifar10())
    whole = path.read_bytes()
    content = len(whole.rstrip(b"\0")) if suffix == ".tar" else len(whole)
    for length in (0, 1, 2, 10, 100, 511, 700, 40_000, content // 2, content - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cannot read .*get it again"):
            CifarSource(path)


def test_a_flipped_byte_in_a_compressed_archive_is_found(tmp_path: Path) -> None:
    path = pack(tmp_path / "cifar.tar.gz", cifar10())
    raw = bytearray(path.read_bytes())
    for where in (60, len(raw) // 3, len(raw) // 2, len(raw) - 6):
        flipped = bytearray(raw)
        flipped[where] ^= 0x10
        path.write_bytes(flipped)
        with pytest.raises(DataError, match=r"cannot read .*cifar\.tar\.gz"):
            CifarSource(path)


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 a zip", b"<html>" * 200, gzip.compress(b"no tar", mtime=0)]
)
def test_foreign_archives(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no CIFAR archive, or truncated or corrupt"):
        CifarSource(path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds neither CIFAR-10 nor CIFAR-100"):
        CifarSource(pack(tmp_path / "x.tar.gz", {"README": b"hello"}))


def test_the_python_version_is_refused(tmp_path: Path) -> None:
    files = {"batches.meta": b"\x80", "data_batch_1": b"\x80", "test_batch": b"\x80"}
    refusal = "Python version .* binary version, cifar-10-binary.tar.gz"
    by_name = tmp_path / "cifar-10-python.tar.gz"
    by_name.write_bytes(b"")
    with pytest.raises(DataError, match=refusal):
        CifarSource(by_name)
    with pytest.raises(DataError, match=refusal):
        CifarSource(pack(tmp_path / "renamed.tar.gz", files))
    folder = lay_out(tmp_path, "folder", files, "cifar-10-batches-py")
    assert is_cifar(folder)
    with pytest.raises(DataError, match=refusal):
        CifarSource(folder)
    hundred = lay_out(
        tmp_path, "folder", {"meta": b"", "train": b"", "test": b""}, "cifar-100-python"
    )
    with pytest.raises(DataError, match=refusal):
        CifarSource(hundred)


# hostile archives


def hostile(tmp_path: Path, suffix: str = ".tar.gz", without: str = "data_batch_2.bin") -> Path:
    files = cifar10()
    files.pop(without, None)
    return pack(tmp_path / f"cifar{suffix}", files)


def append(path: Path, name: str, content: bytes = b"", **fields: bytes | str) -> None:
    """Add a member to an archive that `tarfile` cannot append to as it stands."""
    raw = gzip.decompress(path.read_bytes())
    buffer = io.BytesIO(raw)
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        add(tar, name, content, **fields)
    path.write_bytes(gzip.compress(buffer.getvalue()))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("../data_batch_2.bin", {}),
        ("/data_batch_2.bin", {}),
        ("x/../../data_batch_2.bin", {}),
        ("a/b/c/data_batch_2.bin", {}),
        ("cifar-10-batches-bin/data_batch_2.bin",
         {"type": tarfile.SYMTYPE, "linkname": "/etc/hosts"}),
        ("cifar-10-batches-bin/data_batch_2.bin",
         {"type": tarfile.LNKTYPE, "linkname": "cifar-10-batches-bin/data_batch_1.bin"}),
        ("cifar-10-batches-bin/data_batch_2.bin", {"type": tarfile.CHRTYPE}),
        ("cifar-10-batches-bin/data_batch_2.bin", {"type": tarfile.FIFOTYPE}),
        ("cifar-10-batches-bin/data_batch_2.bin", {"type": tarfile.DIRTYPE}),
    ],
)  # fmt: skip
def test_links_devices_and_paths_outside_are_passed_over(
    tmp_path: Path, name: str, fields: dict[str, bytes | str]
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = hostile(inner)
    append(path, name, b"" if fields else cifar10()["data_batch_2.bin"], **fields)
    with pytest.raises(DataError, match=r"lacks data_batch_2\.bin"):
        CifarSource(path)
    assert sorted(os.walk(tmp_path)) == [
        (str(tmp_path), ["inner"], []),
        (str(inner), [], ["cifar.tar.gz"]),
    ]


def test_a_file_that_is_there_twice(tmp_path: Path) -> None:
    path = hostile(tmp_path, without="")
    append(path, "other/data_batch_1.bin", cifar10()["data_batch_1.bin"])
    with pytest.raises(DataError, match=r"holds data_batch_1\.bin twice"):
        CifarSource(path)


def test_extended_headers_are_stepped_over(tmp_path: Path) -> None:
    path = tmp_path / "cifar.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name, content in cifar10().items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            member.mtime = 0.5  # which only an extended header can hold
            member.pax_headers = {"comment": "9" * 5000}
            tar.addfile(member, io.BytesIO(content))
    source = CifarSource(path)
    np.testing.assert_array_equal(pixels(source, np.arange(18)), [picture(i) for i in range(18)])


def test_a_member_larger_than_the_official_one(tmp_path: Path) -> None:
    path = hostile(tmp_path)
    append(path, "x/data_batch_2.bin", bytes(3073 * 50_001))
    with pytest.raises(
        DataError, match=r"data_batch_2\.bin has 153653073 bytes, at most 153650000"
    ):
        CifarSource(path)


@pytest.mark.parametrize("name", ["filler", None])
def test_a_bomb_is_refused(tmp_path: Path, name: str | None) -> None:
    """Some hundred kilobytes that unpack to more than 256 MB, as a member or after the end."""
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        if name is not None:
            header = tarfile.TarInfo(name)
            header.size = 300 << 20
            tar.addfile(header, None)
    head = (tmp_path / "x.tar").read_bytes()
    path = tmp_path / "cifar.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head[:512])
        for _ in range(300):
            file.write(bytes(1 << 20))
    assert path.stat().st_size < 2 << 20
    with pytest.raises(DataError, match="unpacks to more than 256 MB"):
        CifarSource(path)


def test_too_many_members(tmp_path: Path) -> None:
    path = pack(tmp_path / "cifar.tar.gz", {f"file {i}": b"" for i in range(1200)})
    with pytest.raises(DataError, match="more than 1000 members"):
        CifarSource(path)


@pytest.mark.parametrize("size", [b"-0000000001\0", b"99999999999\0", b"77777777777\0",
                                  b"\x80" + b"\xff" * 11, b"\0" * 12])  # fmt: skip
def test_headers_that_lie_about_the_size(tmp_path: Path, size: bytes) -> None:
    header = bytearray(tarfile.TarInfo("x/data_batch_1.bin").tobuf())
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    for suffix, packed in (
        (".tar", bytes(header) + bytes(2048)),
        (".tar.gz", gzip.compress(bytes(header) + bytes(2048))),
    ):
        path = tmp_path / f"cifar{suffix}"
        path.write_bytes(packed)
        with pytest.raises(DataError, match=r"cannot read .*get it again"):
            CifarSource(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_the_folder_is_not_waited_for(tmp_path: Path) -> None:
    files = cifar10()
    del files["data_batch_2.bin"]
    folder = lay_out(tmp_path, "folder", files)
    os.mkfifo(folder / "data_batch_2.bin")
    with pytest.raises(DataError, match=r"lacks data_batch_2\.bin"):
        CifarSource(folder)
