"""The protocol: which images, which order, what is learned from what, and what is kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from experiments.ten_classes import N_TEST, N_TRAIN, TINY, dataset, tiny_lab
from wordsight import PatchFeatures
from wordsight.exceptions import InputError
from wordsight.experiments.lab import Lab, choose_images
from wordsight.experiments.setting import CLASSES, UNSEEN


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def lab(cache: Path) -> Lab:
    return tiny_lab(cache)


def test_images_are_sorted_by_class_with_the_papers_unseen_ones_last(lab: Lab) -> None:
    labels = lab.features().train_labels
    assert labels.tolist() == np.repeat(CLASSES, N_TRAIN).tolist()
    assert tuple(CLASSES[-2:]) == UNSEEN
    assert lab.features().test_labels.tolist() == np.repeat(CLASSES, N_TEST).tolist()


def test_features_are_those_of_patch_features(lab: Lab) -> None:
    images = lab.images["train"].images(None).images
    encoder = PatchFeatures(
        TINY.n_atoms, n_patches=TINY.n_patches, max_iter=TINY.max_iter, random_state=0
    )
    expected = encoder.fit_transform(images)
    np.testing.assert_array_equal(lab.features().train, expected)
    test = lab.images["test"].images(None).images
    np.testing.assert_array_equal(lab.features().test, encoder.transform(test))
    np.testing.assert_array_equal(lab.encoder().transform(test), lab.features().test)


@pytest.mark.parametrize("unseen", [(), ("cat", "truck"), ("ship", "deer")])
def test_scores_are_those_of_a_ridge_regression_without_the_unseen(
    lab: Lab, unseen: tuple[str, ...]
) -> None:
    found = lab.seen_scores(unseen)
    features = lab.features()
    left = ~np.isin(features.train_labels, unseen)
    assert found.seen == tuple(name for name in CLASSES if name not in unseen)
    one_hot = (features.train_labels[left, None] == np.array(found.seen)).astype(float)
    X = features.train.astype(float)
    unit = X.var(0).mean()
    oracle = Ridge(alpha=TINY.alpha * unit * left.sum()).fit(X[left], one_hot)
    np.testing.assert_allclose(found.test, oracle.predict(features.test.astype(float)), atol=2e-3)
    np.testing.assert_allclose(found.train, oracle.predict(X[left]), atol=2e-3)
    assert found.train_labels.tolist() == features.train_labels[left].tolist()


def test_held_out_scores_are_of_images_not_learned_from(lab: Lab) -> None:
    found = lab.held_out_scores(("cat", "truck"))
    counts = {name: int((found.train_labels == name).sum()) for name in found.seen}
    assert counts == dict.fromkeys(found.seen, N_TRAIN // 10)
    # a map that has met the images of this tiny set fits them much more closely
    learned = lab.seen_scores(("cat", "truck"))

    def error(scores: NDArray[Any], labels: NDArray[Any]) -> float:
        return float(((scores - (labels[:, None] == np.array(found.seen))) ** 2).mean())

    assert error(found.train, found.train_labels) > 1.5 * error(learned.train, learned.train_labels)


@pytest.mark.parametrize("kind", ["linear", "two_layer"])
def test_a_split_has_no_unseen_image_but_in_the_test(lab: Lab, kind: str) -> None:
    split = lab.split("linear" if kind == "linear" else "two_layer")
    n_held_out = 8 * (N_TRAIN // 10)
    assert split.unseen == UNSEEN
    assert split.rest.shape == (8 * N_TRAIN - n_held_out, 50)
    assert split.held_out.shape == (n_held_out, 50)
    assert not set(split.rest_labels) & set(UNSEEN)
    assert not set(split.held_out_labels) & set(UNSEEN)
    assert split.test.shape == (10 * N_TEST, 50)
    assert split.seen_proba.shape == (10 * N_TEST, 8)
    np.testing.assert_allclose(split.seen_proba.sum(1), 1.0)
    of_seen = np.isin(split.test_labels, split.seen)
    right = np.array(split.seen)[split.seen_proba.argmax(1)] == split.test_labels
    assert right[of_seen].mean() > 0.9  # the columns are in the order of `seen`


def test_the_linear_split_is_the_map_of_seen_scores(lab: Lab) -> None:
    """Two ways to one map: least squares on words, and on one-hot targets, times the words."""
    scores, split = lab.seen_scores(UNSEEN), lab.split("linear")
    S = scores.test @ lab.word_vectors(scores.seen)
    # the ridge term differs in its unit: mean variance over all images, and 1
    assert np.corrcoef(S.ravel(), split.test.ravel())[0, 1] > 0.999


def test_kept_work_is_used_again(cache: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    before = lab.split("two_layer"), lab.seen_scores(())

    def fail(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("computed again")

    for name in ("partial", "ridge_leaving_out", "PatchFeatures", "LinearMap", "TwoLayerMap"):
        monkeypatch.setattr(f"wordsight.experiments.lab.{name}", fail)
    again = tiny_lab(cache)
    np.testing.assert_array_equal(again.split("two_layer").test, before[0].test)
    np.testing.assert_array_equal(again.seen_scores(()).test, before[1].test)


@pytest.mark.parametrize("change", [{"n_atoms": 5}, {"train_per_class": 20}])
def test_another_setting_does_not_use_it(cache: Path, lab: Lab, change: dict[str, int]) -> None:
    other = tiny_lab(cache, setting=TINY.with_(**change))
    shape = other.features().train.shape
    assert shape == (
        10 * change.get("train_per_class", N_TRAIN),
        8 * change.get("n_atoms", TINY.n_atoms),
    )


def test_another_seed_does_not_use_it(cache: Path, lab: Lab) -> None:
    other = tiny_lab(cache, seed=1)
    assert not np.array_equal(other.features().train, lab.features().train)


def test_random_numbers_depend_on_seed_and_purpose_alone(lab: Lab, tmp_path: Path) -> None:
    same = tiny_lab(tmp_path).random_state("a").rand(3)
    np.testing.assert_array_equal(lab.random_state("a").rand(3), same)
    assert not np.array_equal(lab.random_state("b").rand(3), same)
    assert not np.array_equal(tiny_lab(tmp_path, seed=1).random_state("a").rand(3), same)


def test_a_pair_that_is_none_is_refused(lab: Lab) -> None:
    with pytest.raises(InputError, match="expected none or two of the classes"):
        lab.seen_scores(("cat", "zebra"))


def test_a_missing_class_is_named() -> None:
    images = dataset(3, 0).without_classes(["frog", "ship"])
    with pytest.raises(InputError, match="no image of frog, ship; expected the ten classes"):
        choose_images(images, None, 0, "pictures")


def test_some_images_of_each_class_are_drawn_by_the_seed() -> None:
    images = dataset(9, 0)
    chosen = choose_images(images, 4, 0, "pictures")
    assert chosen.class_counts() == dict.fromkeys(sorted(CLASSES), 4)
    names = set(chosen.names)
    assert names == set(choose_images(images, 4, 0, "pictures").names)
    assert names != set(choose_images(images, 4, 1, "pictures").names)
