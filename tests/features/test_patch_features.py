"""`PatchFeatures` as an estimator: statistics, invariances, contract, bad input."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

from wordsight import LinearMap, PatchFeatures
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.exceptions import InputError
from wordsight.features.cache import FeatureCache
from wordsight.progress import listening

IMAGES = np.random.default_rng(0).integers(0, 256, (70, 10, 9, 3), dtype=np.uint8)


def small(**options: Any) -> PatchFeatures:
    return PatchFeatures(
        **{"n_atoms": 7, "n_patches": 400, "max_iter": 4, "random_state": 0, **options}
    )


FITTED = small().fit(IMAGES)


@dataclass
class Batch:
    rows: NDArray[np.int64]
    images: NDArray[np.uint8]


class Streamed:
    """A set of images that hands out batches of its own size, and can skip some rows."""

    def __init__(
        self, images: NDArray[np.uint8], size: int = 64, skip: frozenset[int] = frozenset()
    ) -> None:
        self.images, self.size, self.skip = images, size, skip

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, image_size: tuple[int, int] | None, *, size: int = 64) -> Iterator[Batch]:
        kept = np.array([row for row in range(len(self)) if row not in self.skip], dtype=np.int64)
        for start in range(0, len(kept), self.size):
            rows = kept[start : start + self.size]
            yield Batch(rows, self.images[rows])

    def select(self, rows: NDArray[np.int64]) -> "Streamed":
        skip = frozenset(place for place, row in enumerate(rows.tolist()) if row in self.skip)
        return Streamed(self.images[rows], self.size, skip)


# statistics


@pytest.mark.parametrize("encoder", ["soft_threshold", "triangle"])
def test_mean_and_scale_are_those_of_the_pooled_features(encoder: Any) -> None:
    model = small(encoder=encoder).fit(IMAGES)
    pooled = model.transform(IMAGES).astype(np.float64) * model.scale_ + model.mean_
    np.testing.assert_allclose(model.mean_, pooled.mean(0), rtol=1e-5)
    np.testing.assert_allclose(model.scale_, np.sqrt(pooled.var(0) + 0.01), rtol=1e-5)


def test_training_features_are_standardised() -> None:
    X = small(standardise_constant=1e-9).fit_transform(IMAGES).astype(np.float64)
    np.testing.assert_allclose(X.mean(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(X.std(0), 1.0, rtol=1e-4)


def test_fit_then_transform_equals_fit_transform() -> None:
    X = small().fit_transform(IMAGES)
    assert X.dtype == np.float32
    np.testing.assert_allclose(FITTED.transform(IMAGES), X, rtol=1e-5, atol=2e-6)


# invariances


@pytest.mark.parametrize("batch", [1, 7, 1000])
@pytest.mark.parametrize("threads", [1, 3])
def test_features_do_not_depend_on_batches_or_threads(
    batch: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = FITTED.transform(IMAGES)
    monkeypatch.setattr("wordsight.features.patch_features.BATCH", batch)
    monkeypatch.setattr("wordsight.compute.n_threads", lambda: threads)
    np.testing.assert_array_equal(FITTED.transform(IMAGES), expected)


def test_features_follow_the_order_of_images() -> None:
    order = np.random.default_rng(1).permutation(len(IMAGES))
    np.testing.assert_array_equal(FITTED.transform(IMAGES[order]), FITTED.transform(IMAGES)[order])


def test_views_and_read_only_arrays_are_taken() -> None:
    backwards = FITTED.transform(IMAGES[::-1])
    np.testing.assert_array_equal(backwards, FITTED.transform(IMAGES)[::-1])
    mirrored = IMAGES[:, :, ::-1, ::-1]
    np.testing.assert_array_equal(
        small().fit_transform(mirrored), small().fit_transform(mirrored.copy())
    )
    locked = IMAGES.copy()
    locked.flags.writeable = False
    np.testing.assert_array_equal(small().fit_transform(locked), small().fit_transform(IMAGES))


def test_a_list_of_images_is_an_array_of_images() -> None:
    np.testing.assert_array_equal(FITTED.transform(list(IMAGES)), FITTED.transform(IMAGES))


def test_a_streaming_data_set_equals_an_array() -> None:
    dataset = Dataset(ArraySource(IMAGES))
    from_set, from_array = small().fit(dataset), small().fit(IMAGES)
    np.testing.assert_array_equal(from_set.dictionary_, from_array.dictionary_)
    np.testing.assert_array_equal(from_set.scale_, from_array.scale_)
    np.testing.assert_array_equal(from_set.transform(dataset), from_array.transform(IMAGES))
    np.testing.assert_array_equal(small().fit_transform(dataset), small().fit_transform(IMAGES))


def test_a_data_set_is_decoded_to_the_size_asked_for() -> None:
    model = small(image_size=(12, 14)).fit(Dataset(ArraySource(IMAGES)))
    assert model.image_size_ == (12, 14)
    assert model.transform(Dataset(ArraySource(IMAGES[:3]))).shape == (3, 56)


@pytest.mark.parametrize("side", [10, np.int64(10), (10, 10), [10, 10]])
def test_forms_of_the_image_size(side: Any) -> None:
    square = np.ascontiguousarray(IMAGES[:, :, :6].repeat(2, axis=2)[:, :, :10])
    assert small(image_size=side).fit(square).image_size_ == (10, 10)


def test_the_size_of_a_sets_batches_changes_nothing_in_the_features() -> None:
    expected = FITTED.transform(IMAGES)
    for size in (1, 13, 200):
        np.testing.assert_array_equal(FITTED.transform(Streamed(IMAGES, size)), expected)


def test_rows_of_skipped_images_are_left_out() -> None:
    skip = frozenset({0, 5, 69})
    kept = [row for row in range(70) if row not in skip]
    some = Streamed(IMAGES, 20, skip)
    np.testing.assert_array_equal(FITTED.transform(some), FITTED.transform(IMAGES)[kept])
    rows = np.concatenate([rows for rows, _ in FITTED.stream(some)])
    assert rows.tolist() == kept


def test_a_set_of_which_every_image_is_skipped() -> None:
    with pytest.raises(InputError, match="0 patches were given for 7 atoms"):
        small().fit(Streamed(IMAGES, 20, frozenset(range(70))))


def test_a_set_that_skips_images_is_kept_without_them(tmp_path: Path) -> None:
    some = Streamed(IMAGES, 20, frozenset({3}))
    stored = small().fit_stored(some, FeatureCache(tmp_path))
    assert stored.rows.tolist() == [row for row in range(70) if row != 3]
    np.testing.assert_array_equal(stored[:], small().fit_transform(some))


def test_stream_yields_what_transform_returns() -> None:
    parts = list(FITTED.stream(IMAGES))
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in parts]), np.arange(70))
    np.testing.assert_array_equal(
        np.concatenate([block for _, block in parts]), FITTED.transform(IMAGES)
    )


def learned(model: PatchFeatures) -> bytes:
    parts = (model.dictionary_, model.whitener_, model.patch_mean_, model.mean_, model.scale_)
    return b"".join(part.tobytes() for part in parts)


@pytest.mark.parametrize("dictionary", ["omp1", "kmeans", "random"])
def test_the_seed_decides_every_byte(dictionary: Any) -> None:
    first = learned(small(dictionary=dictionary).fit(IMAGES))
    assert learned(small(dictionary=dictionary).fit(IMAGES)) == first
    assert learned(small(dictionary=dictionary, random_state=1).fit(IMAGES)) != first


def test_transform_learns_nothing() -> None:
    model = small().fit(IMAGES[:50])
    before = learned(model)
    model.transform(255 - IMAGES)
    assert learned(model) == before


def test_flat_images_give_finite_features() -> None:
    flat = np.full((20, 10, 10, 3), 77, dtype=np.uint8)
    for encoder in ("soft_threshold", "triangle"):
        X = small(encoder=encoder).fit_transform(flat)
        assert np.isfinite(X).all()
        np.testing.assert_allclose(X, 0.0, atol=1e-4)  # one image is as another
    extremes = np.concatenate([0 * flat, 0 * flat + 255, IMAGES[:1, :, :1].repeat(10, axis=2)])
    assert np.isfinite(small().fit_transform(extremes)).all()
    assert np.isfinite(small().fit(np.zeros_like(flat)).transform(flat)).all()


def test_no_images_to_transform_give_no_rows() -> None:
    assert FITTED.transform(IMAGES[:0]).shape == (0, 56)


# contract


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_mixin_order,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
    ],
)
def test_scikit_learns_checks_that_take_no_table(check: Any) -> None:
    # the others fit tables; this estimator takes images
    check("PatchFeatures", PatchFeatures())


def test_fit_leaves_the_parameters_and_the_images_alone() -> None:
    model, images = small(), IMAGES.copy()
    before = model.get_params()
    model.fit_transform(images)
    model.transform(images)
    assert model.get_params() == before
    np.testing.assert_array_equal(images, IMAGES)


def test_a_clone_learns_the_same() -> None:
    copy = clone(FITTED)
    assert not hasattr(copy, "dictionary_")
    assert learned(copy.fit(IMAGES)) == learned(FITTED)


def test_names_of_the_features() -> None:
    names = FITTED.get_feature_names_out()
    assert names.tolist() == [f"patchfeatures{number}" for number in range(56)]


def test_output_as_a_data_frame() -> None:
    pandas = pytest.importorskip("pandas")
    frame: Any = small().set_output(transform="pandas").fit_transform(IMAGES)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == FITTED.get_feature_names_out().tolist()
    np.testing.assert_array_equal(frame.to_numpy(), small().fit_transform(IMAGES))


def test_in_a_pipeline() -> None:
    W = np.random.default_rng(2).normal(size=(70, 3))
    pipeline = make_pipeline(small(), LinearMap(alpha=0.1)).fit(IMAGES, W)
    X = small().fit_transform(IMAGES)
    expected = LinearMap(alpha=0.1).fit(X, W).predict(FITTED.transform(IMAGES[:20]))
    np.testing.assert_allclose(pipeline.predict(IMAGES[:20]), expected, rtol=1e-3, atol=1e-4)


def test_progress_is_reported_to_the_end() -> None:
    told: list[tuple[str, int, int]] = []
    with listening(lambda *report: told.append(report)):
        small().fit_transform(IMAGES)
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == [
        "drawing patches",
        "learning the dictionary (OMP-1)",
        "computing features",
    ]
    for stage in stages:
        steps = [(done, total) for name, done, total in told if name == stage]
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]


# bad input

_NOT_IMAGES: list[tuple[Any, str]] = [
    (IMAGES / 255.0, "images of type float64 were given; expected uint8"),
    (IMAGES.astype(np.int64), "images of type int64 were given; expected uint8"),
    (IMAGES[0], r"images of shape \(10, 9, 3\) were given; expected \(n, height, width, 3\)"),
    (IMAGES[..., :2], r"shape \(70, 10, 9, 2\)"),
    (IMAGES.transpose(0, 3, 1, 2), r"shape \(70, 3, 10, 9\)"),
    (IMAGES.reshape(70, -1), r"shape \(70, 270\)"),
    (None, r"shape \(\)"),
    ([IMAGES[0], IMAGES[0][:5]], "images of several shapes"),
    (["a.png", "b.png"], r"shape \(2,\)"),
]


@pytest.mark.parametrize(("images", "message"), _NOT_IMAGES)
def test_what_is_not_images_is_refused(images: Any, message: str) -> None:
    for call in (small().fit, small().fit_transform, FITTED.transform):
        with pytest.raises(InputError, match=message):
            call(images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_atoms": 0}, "n_atoms=0 was given; expected a whole number of at least 1"),
        ({"n_atoms": 2.5}, "n_atoms=2.5"),
        ({"patch_size": "6"}, "patch_size='6'"),
        ({"stride": 0}, "stride=0"),
        ({"n_patches": -1}, "n_patches=-1"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"dictionary": "pca"}, "dictionary='pca' was given; expected one of: omp1, kmeans"),
        ({"encoder": "hard"}, "encoder='hard' was given; expected one of: soft_threshold"),
        ({"contrast_constant": 0}, "contrast_constant=0 was given; expected a number above 0"),
        ({"whitening_constant": -0.1}, "whitening_constant=-0.1"),
        ({"standardise_constant": "x"}, "standardise_constant='x'"),
        ({"contrast_constant": float("nan")}, "contrast_constant=nan"),
        ({"threshold": -1}, "threshold=-1 was given; expected a number of at least 0"),
        ({"threshold": float("inf")}, "threshold=inf"),
        ({"tol": None}, "tol=None"),
        ({"n_atoms": 401}, "400 patches were given for 401 atoms; expected at least 401"),
        ({"n_atoms": 1, "n_patches": 1}, "1 patches were given for 1 atoms; expected at least 2"),
        ({"patch_size": 9}, "images of 10 × 9 pixels were given; .* need at least 10 × 10"),
        ({"stride": 4}, "images of 10 × 9 pixels were given; .* need at least 10 × 10"),
        ({"image_size": 6}, "images of 6 × 6 pixels .* need at least 7 × 7"),
        ({"image_size": (10, 10)}, "images of 10 × 9 pixels were given; .* expects 10 × 10"),
        ({"image_size": 10.0}, r"image_size=10.0 was given; expected a whole number, \(height"),
        ({"image_size": (10,)}, r"image_size=\(10,\)"),
        ({"image_size": "big"}, "image_size='big'"),
        ({"device": "gpu"}, "device='gpu' is not a device"),
        ({"random_state": "x"}, "random_state='x' was given"),
    ],
)
def test_bad_parameters_are_refused(options: dict[str, Any], message: str) -> None:
    for call in (small(**options).fit, small(**options).fit_transform):
        with pytest.raises(ValueError, match=message) as caught:
            call(IMAGES)
        assert "\n" not in str(caught.value)


def test_no_images_to_learn_from() -> None:
    with pytest.raises(InputError, match="no images were given to learn features from"):
        small().fit(IMAGES[:0])


def test_images_of_another_size_than_in_fit() -> None:
    with pytest.raises(InputError, match=r"images of 9 × 9 pixels .* expects 10 × 9"):
        FITTED.transform(IMAGES[:, :9])


def test_use_before_fit() -> None:
    with pytest.raises(NotFittedError):
        small().transform(IMAGES)


# memory

_PEAKS = """
import json, sys
import numpy as np
sys.path.append(sys.argv[1])
from benchmarks.memory import megabytes
from wordsight import PatchFeatures
from test_patch_features import Streamed


class Made(Streamed):
    def __init__(self, n):
        self.n = n
    def __len__(self):
        return self.n
    def batches(self, image_size, *, size=64):
        from test_patch_features import Batch
        rng = np.random.default_rng(0)
        for start in range(0, self.n, size):
            rows = np.arange(start, min(start + size, self.n))
            yield Batch(rows, rng.integers(0, 256, (len(rows), 32, 32, 3), dtype=np.uint8))


def peak(n):
    PatchFeatures(n_atoms=16, n_patches=2000, max_iter=2, random_state=0).fit(Made(n))
    # not ru_maxrss: it begins at what the process held that started this one
    return megabytes("VmHWM")

print(json.dumps([peak(400), peak(1600)]))
"""


def test_the_memory_of_fit_does_not_grow_with_the_images() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PEAKS, str(Path(__file__).parents[2])],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    few, many = json.loads(done.stdout)
    if few is None:
        pytest.skip("the system does not tell of memory")
    # all patches of the 1200 further images would be 380 MB, their pixels as floats 15 MB
    assert many - few < 13


def test_what_is_kept_for_the_next_image_follows_what_it_was_made_of() -> None:
    model = small().fit(IMAGES)
    before = model.transform(IMAGES[:3])
    np.testing.assert_array_equal(model.transform(IMAGES[:3]), before)
    model.set_params(threshold=0.5)
    changed = model.transform(IMAGES[:3])
    assert (changed != before).any()
    model.set_params(threshold=0.25)
    np.testing.assert_array_equal(model.transform(IMAGES[:3]), before)
    model.dictionary_ = model.dictionary_[::-1].copy()
    assert (model.transform(IMAGES[:3]) != before).any()


@pytest.mark.parametrize("encoder", ["soft_threshold", "triangle"])
def test_mirrored_features_are_the_mean_over_an_image_and_its_mirror_image(encoder: Any) -> None:
    mirrored = IMAGES[:, :, ::-1].copy()
    plain = small(encoder=encoder).fit(IMAGES)
    both = small(encoder=encoder, mirror=True).fit(IMAGES)

    def pooled(model: PatchFeatures, images: Any) -> Any:
        return model.transform(images) * model.scale_ + model.mean_

    expected = (pooled(plain, IMAGES) + pooled(plain, mirrored)) / 2
    np.testing.assert_allclose(pooled(both, IMAGES), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(both.transform(mirrored), both.transform(IMAGES), atol=1e-5)


def test_mirrored_features_are_kept_apart_from_plain_ones(tmp_path: Path) -> None:
    plain = np.asarray(small().fit_stored(IMAGES, FeatureCache(tmp_path))[:])
    both = np.asarray(small(mirror=True).fit_stored(IMAGES, FeatureCache(tmp_path))[:])
    assert (plain != both).any()
    np.testing.assert_array_equal(both, small(mirror=True).fit_transform(IMAGES))
    with pytest.raises(InputError, match="mirror='yes'"):
        small(mirror="yes").fit(IMAGES)
