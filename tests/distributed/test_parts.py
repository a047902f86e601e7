"""Parts are whole and checked, or not there: on a disk, in memory, and in a storage of objects."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from distributed.bucket import Bucket
from wordsight.distributed.parts import Part, PartFolder
from wordsight.exceptions import DataError, InputError, WordsightError

CONTENT = b"some content, " * 7
FACTS = {"n_rows": 3, "name": "żółw"}


@pytest.fixture(params=["disk", "memory", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PartFolder]:
    places = {
        "disk": str(tmp_path / "run"),
        "memory": f"memory://{tmp_path.name}/run",
        "bucket": f"bucket://{tmp_path.name}/run",
    }
    yield PartFolder(places[request.param])
    Bucket.store.clear()
    Bucket.full = Bucket.bits_rot = False
    memory = fsspec.filesystem("memory")
    if memory.exists(f"/{tmp_path.name}"):
        memory.rm(f"/{tmp_path.name}", recursive=True)


def stored(folder: PartFolder, name: str) -> bytes:
    files, root = fsspec.core.url_to_fs(folder.url)
    return bytes(files.cat_file(f"{root}/{name}"))


def store(folder: PartFolder, name: str, content: bytes) -> None:
    files, root = fsspec.core.url_to_fs(folder.url)
    files.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
    with files.open(f"{root}/{name}", "wb") as file:
        file.write(content)


def test_what_is_written_is_read(folder: PartFolder) -> None:
    assert folder.names() == folder.names("parts") == set()
    folder.write("parts/a", CONTENT, FACTS)
    folder.write("parts/b", [b"in ", memoryview(b"two"), b" pieces"])
    folder.write("top", b"")
    assert folder.names("parts") == {"a", "b"}
    assert folder.names() == {"parts", "top"}
    assert folder.read("parts/a") == Part(FACTS, CONTENT)
    assert folder.read("parts/b") == Part({}, b"in two pieces")
    assert folder.read("top") == Part({}, b"")
    assert folder.facts("parts/a") == FACTS
    assert folder.facts("parts/none") is None
    assert folder.size("parts/a") == len(stored(folder, "parts/a")) > len(CONTENT)
    with pytest.raises(DataError, match=r"parts/none is not there; give the same command again"):
        folder.read("parts/none")


def test_one_takes_the_place_of_another(folder: PartFolder) -> None:
    folder.write("parts/a", CONTENT, FACTS)
    folder.write("parts/a", b"another")
    assert folder.read("parts/a") == Part({}, b"another")
    assert folder.names("parts") == {"a"}
    assert folder.clear_unfinished("parts") == 0


def test_a_damaged_part_is_never_read(folder: PartFolder) -> None:
    folder.write("parts/a", CONTENT, FACTS)
    good = stored(folder, "parts/a")
    # content, facts, their length, the digest: each byte of each
    damaged = [good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :] for at in range(len(good))]
    short = [good[:length] for length in range(0, len(good), 3)]
    longer = [good + b"\0", b"\0" + good, good + good, b"\0" * 200, b"\xff" * 200]
    for content in [*damaged, *short, *longer]:
        store(folder, "parts/a", content)
        assert folder.facts("parts/a") is None
        with pytest.raises(DataError, match="is damaged"):
            folder.read("parts/a")
    store(folder, "parts/a", good)
    assert folder.facts("parts/a") == FACTS


def test_several_may_write_the_same_part(folder: PartFolder) -> None:
    made = [bytes([number]) * 100_000 for number in range(6)]
    threads = [threading.Thread(target=folder.write, args=("parts/a", one)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folder.read("parts/a").content in made
    assert folder.names("parts") == {"a"}
    assert folder.clear_unfinished("parts") == 0


def test_what_was_never_finished_is_not_named_and_can_be_cleared(folder: PartFolder) -> None:
    folder.write("parts/a", CONTENT)
    store(folder, "parts/.unfinished-0123-b", b"cut sho")
    store(folder, ".unfinished-0123-run.json", b"{")
    assert folder.names("parts") == {"a"}
    assert folder.names() == {"parts"}
    assert folder.clear_unfinished("parts") == folder.clear_unfinished("") == 1
    assert folder.clear_unfinished("parts") == folder.clear_unfinished("nothing") == 0
    assert folder.read("parts/a").content == CONTENT


def test_files_and_folders_are_removed_where_they_are(folder: PartFolder) -> None:
    folder.write("parts/a", CONTENT)
    folder.write("failures/a", CONTENT)
    folder.write("failures/b", CONTENT)
    folder.remove("failures")
    folder.remove("failures")
    folder.remove("parts/none")
    assert folder.names("failures") == set()
    assert folder.names("parts") == {"a"}


def test_a_part_can_be_read_as_a_file(folder: PartFolder) -> None:
    folder.write("parts/a", CONTENT, FACTS)
    place = folder.local_path("parts/a")
    assert place.read_bytes() == stored(folder, "parts/a")
    assert folder.local_path("parts/a") == place
    if "://" in folder.url:
        folder.write("parts/b", CONTENT)
        store(folder, "parts/b", stored(folder, "parts/b")[:-1])
        with pytest.raises(DataError, match="parts/b is damaged"):
            folder.local_path("parts/b")


def test_a_full_storage_leaves_what_was_there(tmp_path: Path) -> None:
    folder = PartFolder(f"bucket://{tmp_path.name}/run")
    folder.write("parts/a", CONTENT)
    Bucket.full = True
    try:
        with pytest.raises(WordsightError, match=r"cannot write .*: No space left on device; make"):
            folder.write("parts/a", b"another")
        assert folder.read("parts/a").content == CONTENT
        assert folder.names("parts") == {"a"}
    finally:
        Bucket.full = False
        Bucket.store.clear()


def test_what_is_kept_wrongly_does_not_get_its_name(tmp_path: Path) -> None:
    folder = PartFolder(f"bucket://{tmp_path.name}/run")
    Bucket.bits_rot = True
    try:
        with pytest.raises(WordsightError, match="what was read back is not what was written"):
            folder.write("parts/a", CONTENT)
        assert Bucket.store == {}
    finally:
        Bucket.bits_rot = False
        Bucket.store.clear()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_nobody_may_write_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WordsightError, match=r"cannot write .*: Permission denied; make room"):
        PartFolder(tmp_path / "run").write("parts/a", CONTENT)
    tmp_path.chmod(0o700)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file", encoding="utf-8")
    folder = PartFolder(tmp_path / "run")
    with pytest.raises(WordsightError, match="cannot write"):
        folder.write("parts/a", CONTENT)
    assert (tmp_path / "run").read_text(encoding="utf-8") == "a file"


def test_an_address_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match=r"nosuch://bucket/run .* give a folder, or install"):
        PartFolder("nosuch://bucket/run")


def test_parts_are_plain_files(tmp_path: Path) -> None:
    """The layout: content, facts as JSON, their length in 8 bytes, a digest of 32."""
    folder = PartFolder(tmp_path)
    folder.write("a", CONTENT, FACTS)
    kept = (tmp_path / "a").read_bytes()
    assert kept.startswith(CONTENT)
    length = int.from_bytes(kept[-40:-32], "little")
    assert json.loads(kept[-40 - length : -40]) == FACTS
    assert len(kept) == len(CONTENT) + length + 40
