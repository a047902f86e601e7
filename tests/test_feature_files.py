"""Features of images in a file: the same numbers as the images give, row for row."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from wordsight import feature_files
from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.data.dataset import Dataset
from wordsight.data.feature_table import read_features
from wordsight.data.open import open_dataset
from wordsight.exceptions import BrokenImageError, DataError, InputError
from wordsight.feature_files import feature_rows, write_features
from wordsight.features.cache import FeatureCache
from wordsight.features.patch_features import PatchFeatures
from wordsight.persistence import load_model, save_model

N = 300
BROKEN = (0, 7, 8, N - 1)
WORDS = {"cat": [1.0, 0.0], "dog": [0.0, 1.0]}
KEY = {"model": "this"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of two colours, of 12 × 12 pixels; some files are no images. Never written to."""
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for row in range(N):
        place = folder / ("cat" if row % 2 else "dog") / f"{row:03}.png"
        place.parent.mkdir(exist_ok=True)
        pixels = draw.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        pixels[:, :, 2 * (row % 2)] = 0
        Image.fromarray(pixels).save(place)
    for number, place in enumerate(sorted(folder.rglob("*.png"))):
        if number in BROKEN:
            place.write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def dataset(photos: Path) -> Dataset:
    return open_dataset(photos)


@pytest.fixture(scope="module")
def whole(dataset: Dataset) -> Dataset:
    return dataset.intact((12, 12))[0]


@pytest.fixture(scope="module")
def model_path(whole: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    features = PatchFeatures(6, n_patches=500, image_size=12, random_state=0)
    model = CrossModalClassifier(
        WORDS, features=features, calibration_fraction=0.2, random_state=0
    ).fit(whole)
    return save_model(model, tmp_path_factory.mktemp("model") / "noise")


@pytest.fixture(scope="module")
def model(model_path: Path) -> CrossModalClassifier:
    return load_model(model_path)


@pytest.fixture(scope="module")
def about(model: CrossModalClassifier, model_path: Path) -> dict[str, Any]:
    return feature_files.about_features(model, model_path)


def test_what_is_read_back_is_what_the_model_sees_in_the_images(
    model: CrossModalClassifier, whole: Dataset, about: dict[str, Any], tmp_path: Path
) -> None:
    written = write_features(model, whole, tmp_path / "f.parquet", about=about)
    table = read_features(tmp_path / "f.parquet")
    assert table.features.dtype == np.float32
    assert table.labels is not None
    assert whole.labels is not None
    assert_array_equal(table.features, model.features_.transform(whole))
    assert_array_equal(table.labels, whole.labels)
    assert pq.read_table(tmp_path / "f.parquet")["path"].to_pylist() == whole.names
    assert_array_equal(model.predict_proba(table.features), model.predict_proba(whole))
    assert (written.n_images, written.class_counts) == (N - 4, {"cat": 147, "dog": 149})
    # another model learns from the file alone
    other = CrossModalClassifier(WORDS, random_state=0).fit(table.features, table.labels)
    assert (other.predict(table.features) == table.labels).mean() > 0.9


def test_the_file_says_where_it_comes_from(
    model: CrossModalClassifier, whole: Dataset, about: dict[str, Any], tmp_path: Path
) -> None:
    write_features(model, whole, tmp_path / "a.parquet", about=about)
    said = read_features(tmp_path).about
    assert said == about
    assert said is not None
    assert (said["model"], said["encoder"], said["image_size"]) == (
        "noise",
        "PatchFeatures",
        [12, 12],
    )
    other = {**about, "model_digest": "another"}
    write_features(model, whole, tmp_path / "b.parquet", about=other)
    with pytest.raises(DataError, match=r"b\.parquet was made by another model than .*a\.parquet"):
        read_features(tmp_path)


def test_row_groups_bound_the_memory_and_change_nothing(
    model: CrossModalClassifier,
    whole: Dataset,
    about: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_features(model, whole, tmp_path / "one.parquet", about=about)
    monkeypatch.setattr(feature_files, "GROUP_BYTES", 4 * about["n_features"] * 70)
    write_features(model, whole, tmp_path / "many.parquet", about=about)
    one, many = (pq.ParquetFile(tmp_path / f"{name}.parquet") for name in ("one", "many"))
    assert one.metadata.num_row_groups == 1
    groups = [many.metadata.row_group(k).num_rows for k in range(many.metadata.num_row_groups)]
    assert groups == [70, 70, 70, 70, 16]
    assert one.read().equals(many.read())


def test_broken_images_end_the_work_or_have_no_row(
    model: CrossModalClassifier,
    dataset: Dataset,
    whole: Dataset,
    about: dict[str, Any],
    tmp_path: Path,
) -> None:
    out = tmp_path / "f.parquet"
    with pytest.raises(BrokenImageError, match="cannot read the image"):
        write_features(model, dataset, out, about=about)
    assert list(tmp_path.iterdir()) == []
    written = write_features(model, dataset, out, about=about, on_broken="skip")
    assert [one.row for one in written.broken] == list(BROKEN)
    assert pq.read_table(out)["path"].to_pylist() == whole.names
    with pytest.raises(InputError, match="none of the images can be read"):
        write_features(
            model, dataset.select(BROKEN), tmp_path / "g.parquet", about=about, on_broken="skip"
        )


def test_images_without_labels_have_no_such_column(
    model: CrossModalClassifier, photos: Path, about: dict[str, Any], tmp_path: Path
) -> None:
    flat = open_dataset(sorted(photos.glob("cat/*.png"))[20:30])
    write_features(model, flat, tmp_path / "f.parquet", about=about)
    assert read_features(tmp_path / "f.parquet").labels is None


def test_a_cache_changes_nothing(
    model: CrossModalClassifier, dataset: Dataset, about: dict[str, Any], tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    plain, cached, again = (tmp_path / f"{name}.parquet" for name in ("plain", "cached", "again"))
    write_features(model, dataset, plain, about=about, on_broken="skip")
    write_features(model, dataset, cached, about=about, on_broken="skip", cache=cache)
    write_features(model, dataset, again, about=about, on_broken="skip", cache=cache)
    assert plain.read_bytes() == cached.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("n_batches", [0, 1, 2, 4])
def test_an_interrupted_run_goes_on_where_it_was(
    model: CrossModalClassifier,
    dataset: Dataset,
    about: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_batches: int,
) -> None:
    plain, out = tmp_path / "plain.parquet", tmp_path / "out.parquet"
    write_features(model, dataset, plain, about=about, on_broken="skip")
    starts: list[int] = []

    def some(*arguments: Any, start: int, **options: Any) -> Any:
        starts.append(start)
        for number, batch in enumerate(feature_rows(*arguments, start=start, **options)):
            if number == n_batches and len(starts) == 1:
                raise KeyboardInterrupt
            yield batch

    def write() -> feature_files.Written:
        return write_features(model, dataset, out, about=about, on_broken="skip", resume=KEY)

    monkeypatch.setattr(feature_files, "feature_rows", some)
    with pytest.raises(KeyboardInterrupt):
        write()
    assert not out.exists()
    written = write()
    assert starts[0] == 0
    assert (starts[1] == written.n_resumed) and (written.n_resumed > 0) == (n_batches > 0)
    assert out.read_bytes() == plain.read_bytes()
    assert [one.row for one in written.broken] == list(BROKEN)
    assert sorted(tmp_path.iterdir()) == [out, plain]


def test_rows_kept_depend_on_model_and_images(
    model_path: Path, photos: Path, dataset: Dataset, tmp_path: Path
) -> None:
    key = feature_files.depends_on(model_path, photos, dataset, device=None)
    assert key == feature_files.depends_on(model_path, photos, dataset, device=None)
    half = dataset.select(np.arange(10))
    changed = feature_files.depends_on(model_path, photos, half, device=None)
    assert [name for name in key if key[name] != changed[name]] == ["choice of images (--split)"]
    other = feature_files.depends_on("box:cifar10", photos, dataset, device=None)
    assert [name for name in key if key[name] != other[name]] == ["model"]


def test_a_model_of_ready_features_has_no_encoder(model: CrossModalClassifier) -> None:
    X = np.random.default_rng(0).normal(size=(120, 4))
    ready = CrossModalClassifier(WORDS, random_state=0).fit(X, np.tile(["cat", "dog"], 60))
    with pytest.raises(InputError, match="trained on ready features and has no encoder"):
        feature_files.about_features(ready, "somewhere")
