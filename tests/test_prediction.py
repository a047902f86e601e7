"""Predictions row by row: the same as recognising at once, and without a trace on the process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from threadpoolctl import ThreadpoolController

from wordsight import CrossModalClassifier, PatchFeatures, WordVectors, open_dataset
from wordsight.prediction import Prediction, Summary, predict_all, predict_batches
from wordsight.prediction_inputs import open_inputs


@pytest.fixture(scope="module")
def model() -> CrossModalClassifier:
    rng = np.random.default_rng(0)
    shade = np.repeat([40, 200], 60)
    images = np.clip(shade[:, None, None, None] + rng.normal(0, 30, (120, 12, 12, 3)), 0, 255)
    features = PatchFeatures(5, n_patches=300, random_state=0)
    words = {"dark": [0.0, 1.0], "bright": [1.0, 0.0], "grey": [1.0, 1.0]}
    made = CrossModalClassifier(words, ["grey"], features=features, random_state=0)
    return made.fit(images.astype(np.uint8), np.where(shade < 100, "dark", "bright"))


@pytest.fixture(scope="module")
def images() -> Any:
    return np.random.default_rng(1).integers(0, 256, (150, 12, 12, 3), dtype=np.uint8)


def _n_threads() -> tuple[int, set[int]]:
    blas = ThreadpoolController().select(user_api="blas")
    return torch.get_num_threads(), {library["num_threads"] for library in blas.info()}


def test_rows_are_those_of_recognising_all_images_at_once(
    model: CrossModalClassifier, images: Any
) -> None:
    found = model.recognise(images)
    rows = list(predict_all(model, [open_dataset(images)], n_nearest=2))
    assert [row.label for row in rows] == list(map(str, found.label))
    assert [row.is_novel for row in rows] == found.is_novel.tolist()
    np.testing.assert_allclose([row.probability or -1 for row in rows], found.probability)
    nearest = WordVectors.coerce(model.words_).nearest(found.mapped, 2)[0]
    assert [list(row.nearest_words) for row in rows] == nearest


def test_threads_are_as_they_were_between_rows_and_after(
    model: CrossModalClassifier, images: Any, request: pytest.FixtureRequest
) -> None:
    own = torch.get_num_threads()
    torch.set_num_threads(3)
    request.addfinalizer(lambda: torch.set_num_threads(own))
    before = _n_threads()
    rows: Iterator[Any] = predict_all(model, [open_dataset(images)])
    next(rows)
    assert _n_threads() == before
    list(rows)
    assert _n_threads() == before
    rows = predict_all(model, [open_dataset(images)])
    next(rows)
    del rows
    assert _n_threads() == before


def test_what_is_left_comes_out_as_if_all_had_been_done_at_once(
    model: CrossModalClassifier, images: Any, tmp_path: Path
) -> None:
    # broken images shift the batches: at both ends, in a row, and alone
    for row, pixels in enumerate(images):
        Image.fromarray(pixels).save(tmp_path / f"{row:03}.png")
    for row in (0, 63, 64, 65, 100, 148, 149):
        (tmp_path / f"{row:03}.png").write_bytes(b"none")
    datasets = [open_dataset(images[:70]), *open_inputs([tmp_path]), open_dataset(images[70:])]
    batches = list(predict_batches(model, datasets))
    whole = [row for batch in batches for row in batch]
    assert len(whole) == 300
    assert [row.error is not None for row in whole].count(True) == 7
    done = 0
    for batch in batches[:-1]:
        done += len(batch)
        rest = [row for some in predict_batches(model, datasets, start=done) for row in some]
        assert rest == whole[done:]
    assert list(predict_batches(model, datasets, start=300)) == []


def test_what_is_counted(model: CrossModalClassifier, images: Any) -> None:
    summary = Summary()
    rows = list(predict_all(model, [open_dataset(images)]))
    rows.append(Prediction("broken.png", error="no image"))
    assert list(summary.count(rows)) == rows
    assert (summary.n_rows, summary.n_failed) == (151, 1)
    assert summary.n_novel == sum(bool(row.is_novel) for row in rows)
    assert sum(summary.labels.values()) == 150
    assert summary.labels["grey"] == sum(row.label == "grey" for row in rows)
