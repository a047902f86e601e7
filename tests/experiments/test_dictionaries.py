"""The table of dictionaries: one classifier for all, nested dictionaries, work that is kept."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from wordsight.data.open import open_dataset
from wordsight.experiments.dictionaries import EXPERIMENT
from wordsight.experiments.dictionary_table import (
    DICTIONARIES,
    ENCODERS,
    Table,
    ridge_labels,
    standardise,
    whitened_patches,
)
from wordsight.experiments.experiment import Outcome
from wordsight.experiments.lab import Lab
from wordsight.experiments.setting import CLASSES, Setting
from wordsight.experiments.store import Store
from wordsight.features.patch_features import PatchFeatures
from wordsight.features.patches import normalise_contrast, sample_patches
from wordsight.progress import listening
from wordsight.words.vectors import WordVectors

SIZES = (6, 9, 12)
SETTING = Setting(
    n_atoms=12, n_patches=600, max_iter=3, table_atoms=SIZES, table_train_per_class=7, n_draws=1
)


def pictures(n_per_class: int, seed: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Images of 10 × 10 pixels: a class has a pattern of its own, under noise."""
    patterns = np.random.default_rng(0).integers(0, 256, (len(CLASSES), 10, 10, 3))
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(CLASSES)), n_per_class)
    noisy = patterns[labels] + rng.normal(scale=90, size=(len(labels), 10, 10, 3))
    return noisy.clip(0, 255).astype(np.uint8), [CLASSES[label] for label in labels]


def laboratory(folder: Path, seed: int = 0, setting: Setting = SETTING) -> Lab:
    (train, train_labels), (test, test_labels) = pictures(9, 1), pictures(4, 2)
    return Lab(
        open_dataset(train, labels=train_labels, class_names=CLASSES),
        open_dataset(test, labels=test_labels, class_names=CLASSES),
        WordVectors.default(),
        setting,
        seed,
        Store(folder),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


# --- the classifier -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_features", [12, 400])  # fewer than rows, and so many that rows are few
def test_the_classifier_is_ridge_regression(n_features: int) -> None:
    rng = np.random.default_rng(n_features)
    names = np.array(["a", "b", "c", "d"])
    labels = names[rng.integers(0, 4, 90)]
    X = (
        rng.normal(size=(90, n_features))
        + 5
        + (labels[:, None] == names[:3].repeat(n_features // 3 + 1)[:n_features])
    ).astype(np.float32)
    X_test = (rng.normal(size=(500, n_features)) + 5.3).astype(np.float32)
    alpha = 0.05 * X.astype(np.float64).var(0).mean()
    # scikit-learn's penalty stands beside a sum over rows, ours beside a mean
    oracle = Ridge(alpha=alpha * len(X)).fit(X.astype(np.float64), labels[:, None] == names)
    expected = names[oracle.predict(X_test).argmax(1)]
    found = ridge_labels(X, labels, X_test, 0.05, names.tolist())
    assert len(np.unique(expected)) > 1
    assert np.mean(found == expected) >= 0.998  # single precision may turn the closest of calls


def test_standardised_features_have_no_mean_and_the_given_spread() -> None:
    rng = np.random.default_rng(0)
    train = (rng.normal(size=(700, 5)) * [0.0, 0.01, 1, 5, 100] + 50).astype(np.float32)
    test = rng.normal(size=(40, 5)).astype(np.float32)
    wide, wide_test = train.astype(np.float64), test.astype(np.float64)
    scale = np.sqrt(wide.var(0) + 0.04)
    X, X_test = standardise(train, test, 0.04)
    np.testing.assert_allclose(X, (wide - wide.mean(0)) / scale, atol=2e-5)
    np.testing.assert_allclose(X_test, (wide_test - wide.mean(0)) / scale, rtol=1e-5, atol=2e-5)


# --- dictionaries -------------------------------------------------------------------------------


def test_patches_are_whitened_as_the_features_are() -> None:
    images, _labels = pictures(3, 3)
    features = PatchFeatures(4, n_patches=500, max_iter=1, random_state=0).fit(images)
    found = whitened_patches(images, 200, features, np.random.RandomState(5))
    drawn = sample_patches(
        images, 200, patch_size=6, stride=1, image_size=None, random_state=np.random.RandomState(5)
    )
    normal = normalise_contrast(torch.from_numpy(drawn.astype(np.float64)), 10.0).numpy()
    expected = (normal - features.patch_mean_) @ features.whitener_
    order = np.lexsort(expected.T[:2])  # they come in another, random order
    shuffled = np.lexsort(found.numpy().T[:2])
    np.testing.assert_allclose(found.numpy()[shuffled], expected[order], rtol=1e-3, atol=1e-4)
    assert not (shuffled == order).all()


def test_random_dictionaries_are_nested_and_the_laboratorys_own_is_taken(folder: Path) -> None:
    lab = laboratory(folder)
    table = Table(lab)
    assert table.dictionaries("random") == [SIZES]
    assert table.dictionaries("omp1") == [(6,), (9,), (12,)]
    np.testing.assert_array_equal(table.atoms("omp1", 12), lab.encoder().dictionary_)
    for kind in DICTIONARIES:
        assert table.atoms(kind, 9).shape == (9, 108)
    # atoms of random patches are these patches, of unit length
    patches = table.patches.numpy()
    unit = patches / np.linalg.norm(patches, axis=1, keepdims=True)
    atoms = table.atoms("random", 12)
    assert np.abs(atoms[:, None] - unit).max(2).min(1).max() < 1e-5


def test_accuracies_are_those_of_features_made_one_by_one(folder: Path) -> None:
    """The oracle: `PatchFeatures` for each cell by itself, and scikit-learn's ridge."""
    lab = laboratory(folder)
    table = Table(lab)
    test_labels = np.repeat(np.array(CLASSES), 4)
    differences = []
    for kind in DICTIONARIES:
        for sizes in table.dictionaries(kind):
            found = table.accuracies(kind, sizes)
            for row, size in enumerate(sizes):
                for column, encoder in enumerate(ENCODERS):
                    model = PatchFeatures(size, encoder=encoder)
                    for name in ("patch_mean_", "whitener_", "image_size_"):
                        setattr(model, name, getattr(table.features, name))
                    model.dictionary_ = table.atoms(kind, sizes[-1])[:size]
                    said = one_by_one(model, table)
                    differences.append(found[row, column] - np.mean(said == test_labels))
    # single precision may turn the closest call of 40, but hardly in more than one cell
    assert np.abs(differences).max() < 1.5 / 40
    assert np.count_nonzero(np.abs(differences) > 1e-9) <= 1


def one_by_one(model: PatchFeatures, table: Table) -> NDArray[np.str_]:
    pooled = []
    for images in (table.train.images, table.test.images):
        model.mean_ = np.zeros(model.n_features_out_, dtype=np.float32)
        model.scale_ = np.ones(model.n_features_out_, dtype=np.float32)
        pooled.append(model.transform(images).astype(np.float64))
    mean, scale = pooled[0].mean(0), np.sqrt(pooled[0].var(0) + 0.01)
    X, X_test = ((one - mean) / scale for one in pooled)
    names = np.array(CLASSES)
    ridge = Ridge(alpha=0.01 * X.var(0).mean() * len(X))
    ridge.fit(X, table.train.labels[:, None] == names)
    said: NDArray[np.str_] = names[ridge.predict(X_test).argmax(1)]
    return said


def test_images_are_as_many_of_each_class_as_the_setting_says(folder: Path, tmp_path: Path) -> None:
    for per_class, expected in ((7, 7), (None, 9), (100, 9)):
        lab = laboratory(folder, setting=SETTING.with_(table_train_per_class=per_class))
        counts = np.unique(Table(lab).train.labels, return_counts=True)
        assert counts[0].tolist() == sorted(CLASSES)
        assert counts[1].tolist() == [expected] * 10


# --- the experiment -----------------------------------------------------------------------------


def test_ten_classes_of_the_laboratory_are_ridge_on_its_features(folder: Path) -> None:
    lab = laboratory(folder)
    features = lab.features()
    said = ridge_labels(
        np.array(features.train), features.train_labels, np.array(features.test), 0.01, CLASSES
    )
    numbers = EXPERIMENT.run(lab).numbers
    assert numbers["ten_classes_all_images"] == np.mean(said == features.test_labels)


def test_the_details_hold_every_cell(folder: Path) -> None:
    outcome = EXPERIMENT.run(laboratory(folder))
    rows = outcome.details["table"]
    cells = {(row["dictionary"], row["encoder"], row["n_atoms"]) for row in rows}
    assert cells == {(d, e, n) for d in DICTIONARIES for e in ENCODERS for n in SIZES}
    assert len(rows) == 18
    # whoever mixes up classes or images falls to a tenth
    assert min(row["accuracy"] for row in rows) > 0.5
    assert outcome.setting["n_atoms"] == list(SIZES)


def test_numbers_are_of_the_usual_sizes() -> None:
    keys = [number.key for number in EXPERIMENT.numbers]
    assert len(set(keys)) == len(keys) == 19
    published = {number.key: number.published for number in EXPERIMENT.numbers if number.published}
    assert published == {
        "omp1 soft_threshold 1600": 0.7996,
        "random soft_threshold 1600": 0.785,
        "kmeans triangle 1600": 0.779,
        "ten_classes_all_images": 0.7996,
    }
    assert all(number.reason and number.source for number in EXPERIMENT.numbers if number.published)


def test_an_interrupted_table_goes_on(tmp_path: Path) -> None:
    setting = SETTING.with_(table_atoms=(6, 12))
    first = Table(laboratory(tmp_path, setting=setting)).accuracies("kmeans", (6,))
    before = {place: place.stat().st_mtime_ns for place in tmp_path.glob("dictionary-*/*")}
    assert before
    lab = laboratory(tmp_path, setting=setting)
    table = Table(lab)
    np.testing.assert_array_equal(table.accuracies("kmeans", (6,)), first)
    assert "features" not in vars(table)  # nothing was computed for it
    EXPERIMENT.run(lab)
    for place, changed in before.items():
        assert place.stat().st_mtime_ns == changed
    assert len(list(tmp_path.glob("dictionary-*"))) == 5  # two sizes twice, and random patches


def test_another_setting_is_measured_anew(tmp_path: Path) -> None:
    for changed in ({}, {"alpha": 0.5}, {"table_train_per_class": 3}, {"n_patches": 500}):
        lab = laboratory(tmp_path, setting=SETTING.with_(table_atoms=(6,), **changed))
        Table(lab).accuracies("random", (6,))
    assert len(list(tmp_path.glob("dictionary-*"))) == 4


def test_progress_is_of_all_images(tmp_path: Path) -> None:
    heard: dict[str, list[tuple[int, int]]] = {}
    table = Table(laboratory(tmp_path))
    with listening(lambda stage, done, total: heard.setdefault(stage, []).append((done, total))):
        table.accuracies("random", SIZES)
    (stage,) = (stage for stage in heard if stage.startswith("encoding images"))
    assert "random patches, 12 atoms" in stage
    assert heard[stage][-1] == (110, 110)  # 70 training and 40 test images
    assert heard[stage] == sorted(heard[stage])


# --- the picture --------------------------------------------------------------------------------


def made_up(seed: int, sizes: tuple[int, ...] = (400, 800, 1600)) -> Outcome:
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = [
        {"dictionary": d, "encoder": e, "n_atoms": n, "accuracy": float(rng.uniform(0.6, 0.8))}
        for d in DICTIONARIES
        for e in ENCODERS
        for n in sizes
    ]
    return Outcome({}, {"table": rows})


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_lines_go_through_the_means_and_stars_stand_at_what_is_published(n_seeds: int) -> None:
    outcomes = [made_up(seed) for seed in range(n_seeds)]
    (picture,) = EXPERIMENT.draw(outcomes)
    assert isinstance(picture.figure.canvas, FigureCanvasAgg)
    assert len(picture.figure.axes) == 3
    stars = []
    for axes, kind in zip(picture.figure.axes, DICTIONARIES, strict=True):
        lines = [line for line in axes.lines if len(np.asarray(line.get_xdata())) == 3]
        drawn = [
            np.asarray(line.get_ydata(orig=False))
            for line in lines
            if line.get_marker() in {"o", "^"}
        ]
        for encoder, found in zip(ENCODERS, drawn, strict=True):
            values = [
                [
                    row["accuracy"]
                    for row in one.details["table"]
                    if (row["dictionary"], row["encoder"]) == (kind, encoder)
                ]
                for one in outcomes
            ]
            np.testing.assert_allclose(found, np.mean(values, axis=0))
        stars += [
            (kind, float(np.asarray(line.get_ydata())[0]))
            for line in axes.lines
            if line.get_marker() == "*"
        ]
    assert stars == [("omp1", 0.7996), ("kmeans", 0.779), ("random", 0.785)]
    assert ("3 seeds" in picture.caption) == (n_seeds == 3)


def test_small_dictionaries_are_drawn_without_published_values() -> None:
    (picture,) = EXPERIMENT.draw([made_up(0, (100, 200, 400))])
    assert "published" not in picture.caption
    assert not any(line.get_marker() == "*" for axes in picture.figure.axes for line in axes.lines)
    file = BytesIO()
    picture.figure.savefig(file, format="png", dpi=40)
    assert file.getvalue().startswith(b"\x89PNG")
