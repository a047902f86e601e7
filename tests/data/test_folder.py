"""Folders of class folders, splits, and lists of files."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.data.folder import FilesSource, FolderSource, has_class_folders, splits
from wordsight.exceptions import BrokenImageError, InputError


def put(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (value, 0, 0)).save(path, "PNG")
    return path


def relative(source: FolderSource | FilesSource, root: Path) -> list[str]:
    return [Path(source.name(i)).relative_to(root).as_posix() for i in range(len(source))]


def every_row(source: FolderSource | FilesSource) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(len(source), dtype=np.int64)


def test_sub_folders_are_classes_in_sorted_order(tmp_path: Path) -> None:
    for name in ("dog/2.png", "dog/10.JPG", "cat/b.png", "cat/deep/er/a.png", "Éclair/x.webp"):
        put(tmp_path / name)
    source = FolderSource(tmp_path)
    assert source.class_names == ("cat", "dog", "Éclair")
    assert relative(source, tmp_path) == [
        "cat/b.png",
        "cat/deep/er/a.png",
        "dog/10.JPG",
        "dog/2.png",
        "Éclair/x.webp",
    ]
    assert source.labels is not None
    assert source.labels.tolist() == ["cat", "cat", "dog", "dog", "Éclair"]


def test_a_decomposed_class_name_is_composed(tmp_path: Path) -> None:
    put(tmp_path / "cafe\u0301" / "a.png")
    assert FolderSource(tmp_path).class_names == ("caf\u00e9",)


def test_what_is_read_is_the_file(tmp_path: Path) -> None:
    paths = [put(tmp_path / "a" / f"{i}.png", i) for i in range(5)]
    source = FolderSource(tmp_path)
    items = list(source.read(np.array([3, 0, 3])))
    assert items == [paths[3].read_bytes(), paths[0].read_bytes(), paths[3].read_bytes()]


def test_other_files_are_ignored_and_counted(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "a.png")
    put(tmp_path / "cat" / ".hidden.png")
    put(tmp_path / ".cache" / "a.png")
    put(tmp_path / "beside.png")
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "README").write_text("x")
    (tmp_path / "empty").mkdir()
    source = FolderSource(tmp_path)
    assert source.class_names == ("cat",)
    assert len(source) == 1
    assert source.n_ignored == 4  # .hidden.png, beside.png, notes.txt, README


def test_loops_of_links_end_and_mix_no_classes(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name in ("cat/a.png", "dog/b.png"):
        put(root / name)
    (root / "cat" / "up").symlink_to(root)
    (root / "cat" / "top").symlink_to(tmp_path)
    (root / "dog" / "self").symlink_to(root / "dog" / "self")
    (root / "dog" / "again").symlink_to(root / "dog")
    assert relative(FolderSource(root), root) == ["cat/a.png", "dog/b.png"]


def test_a_linked_class_folder_is_followed_but_not_back_to_the_data(tmp_path: Path) -> None:
    root = tmp_path / "data"
    put(root / "dog" / "b.png")
    put(tmp_path / "elsewhere" / "cats" / "a.png")
    (root / "cat").symlink_to(tmp_path / "elsewhere" / "cats")
    (tmp_path / "elsewhere" / "cats" / "back").symlink_to(root)
    assert relative(FolderSource(root), root) == ["cat/a.png", "dog/b.png"]


def test_splits_share_their_classes(tmp_path: Path) -> None:
    for name in ("Train/cat/a.png", "Train/dog/b.png", "test/cat/c.png", "val/dog/d.png"):
        put(tmp_path / name)
    assert splits(tmp_path) == ("train", "validation", "test")
    test = FolderSource(tmp_path, "test")
    assert relative(test, tmp_path) == ["test/cat/c.png"]
    assert test.class_names == ("cat", "dog")
    everything = FolderSource(tmp_path)
    assert len(everything) == 4
    assert everything.labels is not None
    assert everything.labels.tolist() == ["cat", "dog", "dog", "cat"]  # train, validation, test
    with pytest.raises(InputError, match="train, validation, test"):
        FolderSource(tmp_path, "extra")


def test_train_may_be_a_class(tmp_path: Path) -> None:
    for name in ("train/a.png", "bus/b.png", "test/deep/c.png"):
        put(tmp_path / name)
    assert splits(tmp_path) == ()
    assert FolderSource(tmp_path).class_names == ("bus", "test", "train")
    with pytest.raises(InputError, match="no split 'train'"):
        FolderSource(tmp_path, "train")


def test_a_split_without_labels(tmp_path: Path) -> None:
    put(tmp_path / "train" / "cat" / "a.png")
    put(tmp_path / "test" / "b.png")
    test = FolderSource(tmp_path, "test")
    assert test.labels is None
    assert relative(test, tmp_path) == ["test/b.png"]
    assert FolderSource(tmp_path, "train").labels is not None
    with pytest.raises(InputError, match="choose one"):
        FolderSource(tmp_path)


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    assert not has_class_folders(tmp_path)
    with pytest.raises(InputError, match="one for each class"):
        FolderSource(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        FolderSource(tmp_path / "absent")


def test_files_keep_the_order_given_and_folders_are_sorted(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for name in ("b.png", "a.png", "sub/c.png", "x.txt"):
        put(folder / name)
    single = put(tmp_path / "z.png")
    odd = put(tmp_path / "picture.dat")
    source = FilesSource([single, folder, odd])
    expected = ["z.png", "folder/a.png", "folder/b.png", "folder/sub/c.png", "picture.dat"]
    assert relative(source, tmp_path) == expected
    assert source.labels is None
    assert source.class_names == ()
    assert source.n_ignored == 1
    items = list(source.read(every_row(source)))
    assert items[4] == odd.read_bytes()


def test_every_input_has_a_row_even_if_it_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    names = ["absent.png", "empty", "dangling.png", "self.png", "pipe.png", "nul\0.png"]
    source = FilesSource([tmp_path / name for name in names])
    items = list(source.read(every_row(source)))
    reasons = [item.reason for item in items if isinstance(item, BrokenImageError)]
    assert len(reasons) == len(names)
    assert reasons[0] == reasons[2] == "there is no such file"
    assert reasons[1] == "the folder holds no images"
    assert reasons[4] == "it is not a regular file"


def test_links_to_nothing_in_a_folder_are_broken_images(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "a.png")
    (tmp_path / "cat" / "b.png").symlink_to(tmp_path / "nowhere")
    items = list(FolderSource(tmp_path).read(np.array([0, 1])))
    assert isinstance(items[0], bytes)
    assert isinstance(items[1], BrokenImageError)


def test_names_that_are_not_utf_8_can_be_printed(tmp_path: Path) -> None:
    try:
        put(tmp_path / "cat" / os.fsdecode(b"\xff.png"))
    except OSError:
        pytest.skip("this file system takes only valid UTF-8")
    source = FolderSource(tmp_path)
    source.name(0).encode("utf-8")
    assert isinstance(next(source.read(np.array([0]))), bytes)
