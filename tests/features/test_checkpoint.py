"""An interrupted fit goes on where it was, and ends as an undisturbed one does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wordsight import CrossModalClassifier, PatchFeatures
from wordsight.exceptions import DataError, InputError
from wordsight.features import checkpoint, patch_features
from wordsight.features import images as images_module
from wordsight.features.checkpoint import Checkpoint, fingerprint, remove_work
from wordsight.progress import listening

N_IMAGES = 330


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of 100 rows, so that a few hundred images make several."""
    monkeypatch.setattr(checkpoint, "ROWS", 100)
    monkeypatch.setattr(patch_features, "ROWS", 100)


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (N_IMAGES, 12, 12, 3), dtype=np.uint8)


def encoder(**changes: Any) -> PatchFeatures:
    settings: dict[str, Any] = {"n_atoms": 12, "n_patches": 800, "random_state": 0, "max_iter": 3}
    return PatchFeatures(**{**settings, **changes})


def interrupt_after(stage: str, count: int) -> Any:
    def listen(name: str, done: int, total: int) -> None:
        if name.startswith(stage) and done >= count:
            raise KeyboardInterrupt

    return listen


@pytest.mark.parametrize(
    ("stage", "count", "files_left"),
    [
        ("learning the dictionary", 2, 1),
        ("computing features", 64, 2),
        ("computing features", 300, 5),
    ],
)
def test_the_result_is_that_of_an_undisturbed_fit(
    tmp_path: Path, images: NDArray[np.uint8], stage: str, count: int, files_left: int
) -> None:
    expected = encoder().fit_transform(images)
    work = tmp_path / "work"
    with pytest.raises(KeyboardInterrupt), listening(interrupt_after(stage, count)):
        encoder().fit_transform(images, work=work)
    assert len(list(work.iterdir())) == files_left  # manifest, dictionary, whole blocks of rows
    again = encoder()
    np.testing.assert_array_equal(again.fit_transform(images, work=work), expected)
    np.testing.assert_array_equal(again.transform(images[:5]), expected[:5])


def test_finished_images_are_not_encoded_again(
    tmp_path: Path, images: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder().fit_transform(images, work=tmp_path / "work")
    encoded: list[int] = []
    walk = images_module.walk

    def spy(some: Any, *rest: Any) -> Iterator[Any]:
        encoded.append(len(some))
        yield from walk(some, *rest)

    monkeypatch.setattr(patch_features, "walk", spy)
    encoder().fit_transform(images, work=tmp_path / "work")
    assert encoded == [N_IMAGES % 100]  # only those that did not fill a file


@pytest.mark.parametrize("change", ["setting", "image", "number"])
def test_work_of_another_fit_is_refused_and_kept(
    tmp_path: Path, images: NDArray[np.uint8], change: str
) -> None:
    work = tmp_path / "work"
    encoder().fit_transform(images, work=work)
    before = sorted(work.iterdir())
    other = images.copy()
    if change == "image":
        other[0, 0, 0, 0] ^= 255
    changed = encoder(threshold=0.5) if change == "setting" else encoder()
    with pytest.raises(InputError, match="work of another fit"):
        changed.fit_transform(other[:-1] if change == "number" else other, work=work)
    assert sorted(work.iterdir()) == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="other files"):
        encoder().fit_transform(images, work=tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("name", ["dictionary.safetensors", "features-000001.npy"])
@pytest.mark.parametrize("damage", ["cut", "emptied"])
def test_a_damaged_file_is_named(
    tmp_path: Path, images: NDArray[np.uint8], name: str, damage: str
) -> None:
    work = tmp_path / "work"
    encoder().fit_transform(images, work=work)
    whole = (work / name).read_bytes()
    (work / name).write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    with pytest.raises(DataError, match=name):
        encoder().fit_transform(images, work=work)


def test_removing_the_work_leaves_other_files(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    work = tmp_path / "work"
    encoder().fit_transform(images, work=work)
    (work / "notes.txt").write_text("mine")
    remove_work(work)
    assert [place.name for place in work.iterdir()] == ["notes.txt"]
    (work / "notes.txt").unlink()
    Checkpoint.open(work, {}, images, None)
    remove_work(work)
    assert not work.exists()


def test_the_fingerprint_tells_images_apart(images: NDArray[np.uint8]) -> None:
    assert fingerprint(images, None) == fingerprint(images.copy(), None)
    assert fingerprint(images, None) != fingerprint(images[::-1], None)


def test_a_model_is_the_same_after_an_interrupt(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    labels = np.array(["dog", "horse", "ship"])[np.arange(N_IMAGES) % 3]

    def model() -> CrossModalClassifier:
        return CrossModalClassifier(unseen=["cat"], features=encoder(), random_state=0)

    expected = model().fit(images, labels).predict_proba(images[:20])
    with (
        pytest.raises(KeyboardInterrupt),
        listening(interrupt_after("summing the statistics", 1)),
    ):
        model().fit(images, labels, work=tmp_path / "work")
    found = model().fit(images, labels, work=tmp_path / "work").predict_proba(images[:20])
    np.testing.assert_array_equal(found, expected)
