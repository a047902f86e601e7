"""Galleries kept on disk: what is found is what would be made, and what is stale is not found."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wordsight import CrossModalClassifier, load_model, open_dataset, save_model
from wordsight.app.kept import kept_gallery
from wordsight.data.dataset import Dataset
from wordsight.exploration.gallery import Gallery


@pytest.fixture
def pictures(folder: Path, tmp_path: Path) -> Path:
    """A folder of pictures, one of them broken, that may be written to."""
    return Path(shutil.copytree(folder, tmp_path / "pictures"))


@pytest.fixture
def saved(model: CrossModalClassifier, tmp_path: Path) -> Path:
    return save_model(model, tmp_path / "model")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many galleries were made, not found."""
    made: list[int] = []
    of = Gallery.of

    def counted(model: Any, data: Any, **options: Any) -> Gallery:
        made.append(len(data))
        return of(model, data, **options)

    monkeypatch.setattr(Gallery, "of", counted)
    return made


def gallery(
    folder: Path, model: CrossModalClassifier, saved: Path, data: Dataset, **options: Any
) -> Gallery:
    settings: dict[str, Any] = {"limit": None, "random_state": 0, **options}
    return kept_gallery(folder / "cache", model, saved, data, **settings)


def test_what_is_found_is_what_was_made(
    tmp_path: Path, model: CrossModalClassifier, saved: Path, pictures: Path, looks: list[int]
) -> None:
    made, found = (
        gallery(tmp_path, model, saved, open_dataset(pictures), limit=20) for _ in range(2)
    )
    assert len(looks) == 1
    np.testing.assert_array_equal(found.rows, made.rows)
    np.testing.assert_array_equal(found.colours, made.colours)
    assert found.broken == made.broken
    for name in ("classes", "mapped", "seen_proba", "unseen_proba", "novelty_score", "proba"):
        np.testing.assert_array_equal(
            getattr(found.recognition, name), getattr(made.recognition, name)
        )
    assert found.recognition.threshold == made.recognition.threshold
    np.testing.assert_array_equal(found.image(3), made.image(3))
    taught = model.branch().add_classes(["cyan"])
    np.testing.assert_array_equal(found.updated(taught).proba, made.updated(taught).proba)


def test_a_changed_picture_is_looked_at(
    tmp_path: Path, model: CrossModalClassifier, saved: Path, pictures: Path, looks: list[int]
) -> None:
    gallery(tmp_path, model, saved, open_dataset(pictures))
    pixels = np.array(Image.open(pictures / "red" / "2.png"))
    pixels[0, 0, 0] ^= 1  # by one step in one channel of one pixel
    Image.fromarray(pixels).save(pictures / "red" / "2.png")
    gallery(tmp_path, model, saved, open_dataset(pictures))
    (pictures / "red" / "2.png").unlink()
    gallery(tmp_path, model, saved, open_dataset(pictures))
    assert len(looks) == 3


def test_another_model_or_another_draw_is_looked_at(
    tmp_path: Path, model: CrossModalClassifier, saved: Path, pictures: Path, looks: list[int]
) -> None:
    data = open_dataset(pictures)
    gallery(tmp_path, model, saved, data)
    gallery(tmp_path, model, saved, data, limit=10)
    gallery(tmp_path, model, saved, data, limit=10, random_state=1)
    taught = model.branch().add_classes(["cyan"])
    other = save_model(taught, tmp_path / "taught")
    assert gallery(tmp_path, taught, other, data).proba.shape[1] == 5
    assert len(looks) == 4


def test_what_is_damaged_is_made_again(
    tmp_path: Path, model: CrossModalClassifier, saved: Path, pictures: Path, looks: list[int]
) -> None:
    data = open_dataset(pictures)
    gallery(tmp_path, model, saved, data)
    (file,) = (tmp_path / "cache" / "galleries").iterdir()
    file.write_bytes(file.read_bytes()[:-8])
    assert len(gallery(tmp_path, model, saved, data)) == 25
    assert len(looks) == 2


def test_where_nothing_can_be_kept_nothing_is_lost(
    tmp_path: Path, model: CrossModalClassifier, saved: Path, pictures: Path
) -> None:
    (tmp_path / "cache").write_text("a file where a folder is needed", encoding="utf-8")
    assert len(gallery(tmp_path, model, saved, open_dataset(pictures))) == 25
    assert load_model(saved).classes_.tolist() == model.classes_.tolist()
