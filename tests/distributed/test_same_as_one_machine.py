"""Models, rows, features and scores from shards are those of one machine, bit for bit.

The work is done in this process, one shard after another, by what a worker does.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distributed.small import (
    OF_SHARD,
    Workers,
    colours,
    encoded,
    job,
    model,
    patches,
    write_arrays,
    write_parquet,
)
from wordsight import (
    CombinedNovelty,
    ConvFeatures,
    CrossModalClassifier,
    EncodedFeatures,
    LinearMap,
    NeighbourDistance,
    SoftmaxClassifier,
    SoftmaxNovelty,
    TwoLayerMap,
    VisualMap,
    save_model,
)
from wordsight.data.dataset import Dataset
from wordsight.data.open import open_dataset
from wordsight.distributed.cluster import RETRIES, Here
from wordsight.distributed.evaluation import looking_on
from wordsight.distributed.feature_rows import feature_rows_on
from wordsight.distributed.features import ClusterFeatures
from wordsight.distributed.prediction import predict_on
from wordsight.distributed.rows import ClusterRows
from wordsight.distributed.run import LEARNED, PARTS, show
from wordsight.evaluation import Observed, look, observe
from wordsight.exceptions import InputError, WordsightError
from wordsight.feature_files import FeatureRow, feature_rows
from wordsight.prediction import Prediction, predict_batches

BROKEN = (0, 3, 5000, 6000)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset(write_arrays(tmp_path_factory.mktemp("data") / "train.npz"))


@pytest.fixture(scope="module")
def with_broken(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    place = tmp_path_factory.mktemp("broken") / "train.parquet"
    return open_dataset(write_parquet(place, broken=BROKEN))


@pytest.fixture(scope="module")
def fitted(images: Dataset) -> CrossModalClassifier:
    return model().fit(images, images.labels)


def features_on(folder: Path, n_workers: int = 2, **settings: Any) -> ClusterFeatures:
    about = settings.pop("about", {"features": "small"})
    return ClusterFeatures(Workers(n_workers), job(folder), about, **settings)


def arrays_of(one: CrossModalClassifier) -> Iterator[tuple[str, NDArray[Any]]]:
    for part in ("features_", "mapping_", "seen_classifier_", "novelty_"):
        for name, value in vars(getattr(one, part)).items():
            if name.endswith("_") and getattr(value, "dtype", None) in (np.float32, np.float64):
                yield f"{part}.{name}", np.asarray(value)
    yield "variance_", np.asarray(one.variance_)


def check_same(found: CrossModalClassifier, expected: CrossModalClassifier) -> None:
    ours, theirs = dict(arrays_of(found)), dict(arrays_of(expected))
    assert ours.keys() == theirs.keys()
    assert len(ours) > 8
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


# fit


@pytest.mark.parametrize("n_workers", [1, 3])
def test_a_model_of_patches(
    images: Dataset, fitted: CrossModalClassifier, tmp_path: Path, n_workers: int
) -> None:
    told: list[str] = []
    by = features_on(tmp_path / "run", n_workers, on_choice=told.append)
    found = model().fit(images, images.labels, cache=by)
    check_same(found, fitted)
    (reason,) = told
    assert "The softmax is trained" in reason
    save_model(found, tmp_path / "ours")
    save_model(fitted, tmp_path / "theirs")
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()
    assert show(str(tmp_path / "run")).counts()["done"] == (3, len(images))


@pytest.mark.parametrize("here", [False, True])
def test_where_the_softmax_is_trained_changes_nothing(
    images: Dataset,
    fitted: CrossModalClassifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    here: bool,
) -> None:
    monkeypatch.setattr(
        "wordsight.distributed.features.where_to_sum", lambda *_: (here, "so it was said")
    )
    found = model().fit(images, images.labels, cache=features_on(tmp_path))
    check_same(found, fitted)


def test_a_model_of_an_encoder_from_elsewhere(images: Dataset, tmp_path: Path) -> None:
    expected = model(encoded()).fit(images, images.labels)
    found = model(encoded()).fit(images, images.labels, cache=features_on(tmp_path))
    # its mean and spread are summed in another order there
    for name, value in arrays_of(found):
        theirs = dict(arrays_of(expected))[name]
        np.testing.assert_allclose(value, theirs, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_images_left_out_as_broken(with_broken: Dataset, tmp_path: Path) -> None:
    intact, broken = with_broken.intact(None)
    assert [one.row for one in broken] == list(BROKEN)
    expected = model().fit(intact, intact.labels)
    found = model().fit(intact, intact.labels, cache=features_on(tmp_path))
    check_same(found, expected)


def test_a_broken_image_fails_the_training(with_broken: Dataset, tmp_path: Path) -> None:
    with pytest.raises(WordsightError, match=r"cannot read the image train\.parquet#0"):
        model().fit(with_broken, with_broken.labels, cache=features_on(tmp_path / "a"))
    # an encoder from elsewhere looks at the first alone before the shards are begun
    rest = with_broken.select(np.arange(1, len(with_broken)))
    with pytest.raises(WordsightError, match=r"2 of 3 shards failed, and 0 may.*#3"):
        model(encoded()).fit(rest, rest.labels, cache=features_on(tmp_path / "b"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"mapping": LinearMap(0.1)},
        {"seen_classifier": SoftmaxClassifier(temperature="auto", random_state=0)},
        {"novelty": SoftmaxNovelty()},
        {"novelty": NeighbourDistance()},
        {"mapping": TwoLayerMap(6, max_iter=5, random_state=0)},
        {"mapping": VisualMap("auto", random_state=0)},
        {"novelty": CombinedNovelty()},
    ],
    ids=["alpha", "temperature", "logits", "neighbours", "two layers", "visual", "combined"],
)
def test_every_kind_of_model(images: Dataset, tmp_path: Path, changes: dict[str, Any]) -> None:
    expected = model(**changes).fit(images, images.labels)
    found = model(**changes).fit(images, images.labels, cache=features_on(tmp_path))
    some = images.select(np.arange(0, len(images), 50))
    ours, theirs = found.recognise(some), expected.recognise(some)
    np.testing.assert_allclose(ours.mapped, theirs.mapped, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.proba, theirs.proba, atol=1e-5)
    np.testing.assert_array_equal(ours.label, theirs.label)


@pytest.mark.slow
def test_a_model_that_is_tuned(images: Dataset, tmp_path: Path) -> None:
    expected = model().fit(images, images.labels, tune=True)
    found = model().fit(images, images.labels, tune=True, cache=features_on(tmp_path))
    assert found.selection_ is not None and expected.selection_ is not None
    assert found.selection_.best == expected.selection_.best
    # the trials read rows in blocks of other sizes, and the gate learns from what they say
    some = images.select(np.arange(0, len(images), 50))
    ours, theirs = found.recognise(some), expected.recognise(some)
    np.testing.assert_allclose(ours.mapped, theirs.mapped, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ours.proba, theirs.proba, atol=1e-6)


def test_a_training_goes_on_where_it_was(
    images: Dataset, fitted: CrossModalClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = features_on(tmp_path)
    model().fit(images, images.labels, cache=by)
    assert by.job.last is not None
    (tmp_path / by.job.last.names()[1]).unlink()
    damaged = tmp_path / by.job.last.names()[2]
    damaged.write_bytes(damaged.read_bytes()[:-100])

    def learned_again(*_: Any) -> None:
        raise AssertionError("the dictionary was learned before")

    monkeypatch.setattr(type(patches()), "fit_dictionary", learned_again)
    again = features_on(tmp_path)
    found = model().fit(images, images.labels, cache=again)
    assert again.job.last is not None
    assert again.job.last.n_kept == 1
    check_same(found, fitted)


@pytest.mark.slow
def test_what_was_learned_may_be_damaged(
    images: Dataset, fitted: CrossModalClassifier, tmp_path: Path
) -> None:
    model().fit(images, images.labels, cache=features_on(tmp_path))
    (place,) = (tmp_path / LEARNED).iterdir()
    place.write_bytes(place.read_bytes()[:-1])
    check_same(model().fit(images, images.labels, cache=features_on(tmp_path)), fitted)


@pytest.mark.slow
def test_another_dictionary_makes_other_parts(images: Dataset, tmp_path: Path) -> None:
    model().fit(images, images.labels, cache=features_on(tmp_path))
    before = {place.name for place in (tmp_path / PARTS).iterdir()}
    by = features_on(tmp_path, about={"features": "another seed"})
    another = model(patches(random_state=1))
    another.fit(images, images.labels, cache=by)
    assert by.job.last is not None
    assert by.job.last.n_kept == 0
    assert not before & {place.name for place in (tmp_path / PARTS).iterdir()}
    assert len(list((tmp_path / LEARNED).iterdir())) == 1
    expected = model(patches(random_state=1)).fit(images, images.labels)
    check_same(another, expected)


@pytest.mark.slow
def test_features_in_half_precision(
    images: Dataset, fitted: CrossModalClassifier, tmp_path: Path
) -> None:
    by = features_on(tmp_path / "half", precision="float16")
    found = model().fit(images, images.labels, cache=by)
    assert isinstance(found.mapping_, LinearMap) and isinstance(fitted.mapping_, LinearMap)
    np.testing.assert_allclose(found.mapping_.coef_, fitted.mapping_.coef_, atol=2e-2)
    half = show(str(tmp_path / "half")).n_bytes
    model().fit(images, images.labels, cache=features_on(tmp_path / "whole"))
    assert half < 0.55 * show(str(tmp_path / "whole")).n_bytes


def large(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return colours(images) * 1e4


def test_features_too_large_for_half_precision_are_refused(images: Dataset, tmp_path: Path) -> None:
    by = features_on(tmp_path, precision="float16")
    with pytest.raises(InputError, match="too large for float16"):
        model(EncodedFeatures(large)).fit(images, images.labels, cache=by)


def test_features_that_are_learned_from_labels_are_refused(images: Dataset, tmp_path: Path) -> None:
    by = features_on(tmp_path / "run")
    with pytest.raises(InputError, match="ConvFeatures, which is trained on one machine"):
        model(ConvFeatures(width=4, n_epochs=1)).fit(images, images.labels, cache=by)
    assert not (tmp_path / "run").exists()


def test_images_in_memory_are_refused(tmp_path: Path) -> None:
    array = np.zeros((40, 8, 8, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="ndarray was given to a cluster"):
        model().fit(array, ["ant", "bee"] * 20, cache=features_on(tmp_path))


def test_memory_does_not_hold_all_features(images: Dataset, tmp_path: Path) -> None:
    rows = features_on(tmp_path).fit_features(patches(), images)
    assert isinstance(rows, ClusterRows)
    assert rows.shape == (len(images), 8 * 5)
    np.testing.assert_allclose(rows[:].mean(0), 0, atol=1e-3)


# predict, evaluate, features


def predictions(*batches: Iterator[list[Prediction]]) -> list[Prediction]:
    return [row for some in batches for batch in some for row in batch]


@pytest.mark.parametrize("broken", [False, True])
def test_predictions(
    images: Dataset,
    with_broken: Dataset,
    fitted: CrossModalClassifier,
    tmp_path: Path,
    broken: bool,
) -> None:
    datasets = [with_broken if broken else images, images.select(np.arange(100, 50, -1))]
    options: dict[str, Any] = {"n_nearest": 2, "n_top": 3}
    expected = predictions(predict_batches(fitted, datasets, **options))
    for _again in range(2):
        found = predictions(
            predict_on(Here(), job(tmp_path), fitted, datasets, {"model": "a"}, **options)
        )
        if not broken:
            assert found == expected
            continue
        for ours, theirs in zip(found, expected, strict=True):
            # batches of the images that can be read are others in a shard than in the whole
            for name in ("path", "label", "is_novel", "nearest_words", "error"):
                assert getattr(ours, name) == getattr(theirs, name)
            assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-6, abs=1e-6)
    assert sum(row.error is not None for row in found) == (len(BROKEN) if broken else 0)


def numbers(row: Prediction) -> dict[str, float]:
    return {**dict(row.top_classes), "p": row.probability or 0.0, "n": row.novelty_proba or 0.0}


@pytest.mark.slow
def test_predictions_among_some_classes(
    images: Dataset, fitted: CrossModalClassifier, tmp_path: Path
) -> None:
    among = ["ant", "eel"]
    expected = predictions(predict_batches(fitted, [images], among=among))
    assert (
        predictions(predict_on(Here(), job(tmp_path), fitted, [images], {}, among=among))
        == expected
    )


@pytest.mark.slow
def test_a_shard_that_failed_has_rows_with_its_reason(
    images: Dataset,
    fitted: CrossModalClassifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = predictions(predict_batches(fitted, [images]))
    monkeypatch.setattr(
        "wordsight.distributed.prediction.predict_batches", failing_at(OF_SHARD, predict_batches)
    )
    one = job(tmp_path, max_failed=1)
    found = predictions(predict_on(Here(), one, fitted, [images], {}))
    assert found[:OF_SHARD] == expected[:OF_SHARD]
    assert found[2 * OF_SHARD :] == expected[2 * OF_SHARD :]
    for row, known in zip(found[OF_SHARD : 2 * OF_SHARD], expected[OF_SHARD:], strict=False):
        assert (row.path, row.error, row.label) == (known.path, "the disk is on fire", None)
    assert one.last is not None
    assert [one.attempts for one in one.last.failed] == [1 + RETRIES]


def failing_at(first_row: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """What fails on the shard that begins at a row of the parquet file."""

    def fails(model: Any, datasets: Any, *more: Any, **options: Any) -> Any:
        (dataset,) = [datasets] if isinstance(datasets, Dataset) else datasets
        if dataset.name(0).endswith(f"#{first_row}"):
            raise WordsightError("the disk is on fire")
        return real(model, datasets, *more, **options)

    return fails


def same_rows(found: list[FeatureRow], expected: list[FeatureRow]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.path, ours.label, ours.error) == (theirs.path, theirs.label, theirs.error)
        if theirs.features is None:
            assert ours.features is None
        else:
            np.testing.assert_array_equal(ours.features, theirs.features)


@pytest.mark.parametrize("broken", [False, True])
def test_features_as_rows(
    images: Dataset,
    with_broken: Dataset,
    fitted: CrossModalClassifier,
    tmp_path: Path,
    broken: bool,
) -> None:
    dataset = with_broken if broken else images
    expected = [row for batch in feature_rows(fitted, dataset) for row in batch]
    for _again in range(2):
        made = feature_rows_on(Here(), job(tmp_path), fitted, dataset, {"model": "a"})
        same_rows([row for batch in made for row in batch], expected)


def test_features_of_a_shard_that_failed(
    images: Dataset,
    fitted: CrossModalClassifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "wordsight.distributed.feature_rows.feature_rows", failing_at(OF_SHARD, feature_rows)
    )
    made = feature_rows_on(Here(), job(tmp_path, max_failed=1), fitted, images, {})
    errors = [row.error for batch in made for row in batch]
    assert errors[OF_SHARD : 2 * OF_SHARD] == ["the disk is on fire"] * OF_SHARD
    assert set(errors[:OF_SHARD] + errors[2 * OF_SHARD :]) == {None}


def same_observed(found: Observed, expected: Observed) -> None:
    for name, theirs in vars(expected).items():
        ours = getattr(found, name)
        if isinstance(theirs, np.ndarray) and theirs.dtype.kind == "f":
            # batches of the images that can be read are others in a shard than in the whole
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6, err_msg=name)
        elif isinstance(theirs, np.ndarray):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
        else:
            assert ours == theirs, name


@pytest.mark.parametrize("n_mapped", [0, 300])
def test_what_is_scored(
    with_broken: Dataset, fitted: CrossModalClassifier, tmp_path: Path, n_mapped: int
) -> None:
    options: dict[str, Any] = {"n_mapped": n_mapped, "random_state": 3}
    expected = observe(fitted, with_broken, on_broken="skip", **options)
    by = looking_on(Here(), job(tmp_path), fitted, {"model": "a"}, on_broken="skip")
    for _again in range(2):
        same_observed(observe(fitted, with_broken, by=by, **options), expected)
    assert [one.row for one in expected.broken] == list(BROKEN)


def test_a_broken_image_fails_the_scoring(
    with_broken: Dataset, fitted: CrossModalClassifier, tmp_path: Path
) -> None:
    by = looking_on(Here(), job(tmp_path), fitted, {})
    with pytest.raises(WordsightError, match="2 of 3 shards failed, and 0 may"):
        observe(fitted, with_broken, by=by)


def test_images_of_a_shard_that_failed_are_broken_ones(
    images: Dataset,
    fitted: CrossModalClassifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wordsight.distributed.evaluation.look", failing_at(OF_SHARD, look))
    by = looking_on(Here(), job(tmp_path, max_failed=1), fitted, {})
    found = observe(fitted, images, by=by)
    rest = np.r_[0:OF_SHARD, 2 * OF_SHARD : len(images)]
    expected = observe(fitted, images)
    np.testing.assert_array_equal(found.predicted, expected.predicted[rest])
    np.testing.assert_array_equal(found.confidence, expected.confidence[rest])
    assert [one.row for one in found.broken] == list(range(OF_SHARD, 2 * OF_SHARD))
    assert {one.reason for one in found.broken} == {"the disk is on fire"}
