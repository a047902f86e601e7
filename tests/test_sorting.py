"""Images sorted into folders: safe names, nothing lost, whole or not at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordsight.exceptions import InputError, WordsightError
from wordsight.prediction import Prediction
from wordsight.sorting import MARK, check_sortable, folder_names, sorting_into

SEEN, CLASSES = ["cat", "dog"], ["cat", "dog", "zebra"]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    made = []
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/3.png", "b/broken.png", "b/4.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        made.append(str(path))
    return made


def rows(files: list[str]) -> list[Prediction]:
    said = [("cat", False), ("cat", True), ("cat", False), ("zebra", True), (None, None),
            ("dog", False)]  # fmt: skip
    return [
        Prediction(path, label, 0.5, novel, 0.5, (), "broken" if label is None else None)
        for path, (label, novel) in zip(files, said, strict=True)
    ]


def sort(target: Path, files: list[str], copy: bool = False) -> None:
    with sorting_into(target, seen=SEEN, classes=CLASSES, copy=copy) as sorter:
        assert list(sorter.pass_on(rows(files), files)) == rows(files)


EXPECTED = {"cat/1.png": 0, "_novel/2.png": 1, "cat/1~2.png": 2, "zebra/3.png": 3, "dog/4.png": 5}


@pytest.mark.parametrize("copy", [False, True])
def test_every_image_lies_where_it_belongs(tmp_path: Path, files: list[str], copy: bool) -> None:
    target = tmp_path / "sorted"
    sort(target, files, copy)
    found = {str(path.relative_to(target)): path for path in target.rglob("*") if not path.is_dir()}
    assert set(found) == {*EXPECTED, MARK, "_unreadable/list.csv"}
    for name, number in EXPECTED.items():
        assert found[name].read_text() == Path(files[number]).read_text()
        assert found[name].is_symlink() is not copy
        if not copy:
            assert str(found[name].readlink()) == files[number]
    listed = found["_unreadable/list.csv"].read_text()
    assert listed == f"path,error\n{files[4]},broken\n"


def test_what_is_linked_to_keeps_its_permissions(tmp_path: Path, files: list[str]) -> None:
    Path(files[0]).chmod(0o400)
    sort(tmp_path / "sorted", files)
    assert Path(files[0]).stat().st_mode & 0o777 == 0o400


def test_links_do_not_depend_on_where_they_are(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sort(Path("sorted"), [os.path.relpath(file) for file in files])
    (tmp_path / "far").mkdir()
    (tmp_path / "sorted").rename(tmp_path / "far" / "away")
    assert (tmp_path / "far" / "away" / "cat" / "1.png").read_text() == "a/1.png"


def check(target: Path, files: list[str], overwrite: bool = False) -> None:
    check_sortable(target, [Path(files[0]).parent], files, overwrite=overwrite)


def test_what_exists_is_replaced_only_if_it_was_made_so(tmp_path: Path, files: list[str]) -> None:
    target = tmp_path / "sorted"
    check(target, files)
    target.mkdir()
    check(target, files)  # nothing in it can be lost
    sort(target, files)
    with pytest.raises(InputError, match=r"exists already.*--overwrite"):
        check(target, files)
    check(target, files, overwrite=True)
    sort(target, files[:0] + files)
    for name in ("cat/mine.png", "thesis.txt", "new/x"):
        mine = target / name
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("precious")
        for overwrite in (False, True):
            with pytest.raises(InputError, match=f"holds other things.*{mine.name}"):
                check(target, files, overwrite)
        mine.unlink()
    (target / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="holds other things"):
        check(target, files, overwrite=True)


def test_folders_that_would_eat_or_feed_themselves(tmp_path: Path, files: list[str]) -> None:
    photos = tmp_path / "photos"
    for target, said in (
        (photos, "holds images that are to be sorted"),
        (photos / "a", "holds images that are to be sorted"),
        (photos / "a" / "sorted", "lies in"),
    ):
        with pytest.raises(InputError, match=said):
            check(target, files, overwrite=True)
    check(photos / "sorted", files)  # neither in photos/a nor above an image
    (tmp_path / "way").symlink_to(photos / "a")
    with pytest.raises(InputError, match="lies in"):
        check(tmp_path / "way" / "sorted", files)
    for path in (tmp_path / "file", tmp_path / "dangling"):
        if path.name == "file":
            path.write_text("mine")
        else:
            path.symlink_to(tmp_path / "none")
        with pytest.raises(InputError, match="is no folder"):
            check(path, files, overwrite=True)


def test_an_image_that_is_gone_leaves_nothing_behind(tmp_path: Path, files: list[str]) -> None:
    target = tmp_path / "sorted"
    sort(target, files)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    Path(files[3]).unlink()
    with pytest.raises(WordsightError, match=r"cannot write .*sorted: No such file"):
        sort(target, files, copy=True)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == [
        path for path in before if path != files[3]
    ]

    def stopped() -> Iterator[Prediction]:
        yield rows(files)[0]
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        sorting_into(target, seen=SEEN, classes=CLASSES) as sorter,
    ):
        list(sorter.pass_on(stopped(), files))
    assert len(list(tmp_path.glob(".*"))) == 0


@pytest.mark.parametrize(
    ("classes", "folders"),
    [
        (["cat", "polar bear"], ["cat", "polar bear"]),
        (["a/b", "a_b", "A/B"], ["a_b", "a_b~2", "A_B~3"]),
        (["Cat", "cat"], ["Cat", "cat~2"]),
        (["_novel", "_unreadable"], ["-_novel", "-_unreadable"]),
        (["..", ".", "", " "], ["-", "-~2", "-~3", "-~4"]),
        (["v1.0", "v1.0 "], ["v1.0", "v1~2.0"]),
        (["猫", "two\nlines"], ["猫", "two_lines"]),
    ],
)
def test_names_of_folders(classes: list[str], folders: list[str]) -> None:
    assert list(folder_names(classes).values()) == folders


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(st.text(max_size=9), st.just("x" * 300)), unique=True, max_size=6))
def test_any_class_has_a_folder_of_its_own(classes: list[str]) -> None:
    found = list(folder_names(classes).values())
    assert len({name.casefold() for name in found}) == len(classes)
    for name in found:
        assert name not in ("", ".", "..", "_novel", "_unreadable", MARK)
        assert "/" not in name
        assert "\0" not in name
        assert len(name.encode()) <= 255


def test_the_longest_names_that_there_can_be(tmp_path: Path) -> None:
    name = "n" * 251 + ".png"
    files = []
    for folder in "abc":
        path = tmp_path / folder / name
        path.parent.mkdir()
        path.write_text(folder)
        files.append(str(path))
    said = [Prediction(file, "cat", 1.0, False, 0.0) for file in files]
    with sorting_into(tmp_path / "sorted", seen=SEEN, classes=CLASSES) as sorter:
        list(sorter.pass_on(said, files))
    found = sorted(path.read_text() for path in (tmp_path / "sorted" / "cat").iterdir())
    assert found == ["a", "b", "c"]
