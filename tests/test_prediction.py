"""Predictions row by row: the same as recognising at once, and without a trace on the process."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import ThreadpoolController

from wordsight import CrossModalClassifier, PatchFeatures, WordVectors, open_dataset
from wordsight.prediction import predict_all


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
