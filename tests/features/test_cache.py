"""A cache gives what would be computed without it, goes on after an interrupt, and heals itself."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wordsight import CrossModalClassifier, PatchFeatures
from wordsight.exceptions import InputError, WordsightError
from wordsight.features import cache as cache_module
from wordsight.features.cache import FeatureCache, blocks_of
from wordsight.features.images import fingerprint
from wordsight.progress import listening

N_IMAGES = 330


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of 100 rows, so that a few hundred images make several."""
    monkeypatch.setattr(cache_module, "BLOCK_ROWS", 100)


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (N_IMAGES, 12, 12, 3), dtype=np.uint8)


def encoder(**changes: Any) -> PatchFeatures:
    settings: dict[str, Any] = {"n_atoms": 12, "n_patches": 800, "random_state": 0, "max_iter": 3}
    return PatchFeatures(**{**settings, **changes})


def files(folder: Path) -> set[str]:
    return {place.name for place in folder.rglob("*") if place.is_file()}


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were encoded, call by call."""
    counts: list[int] = []
    pooled = PatchFeatures._pooled

    def spy(self: PatchFeatures, some: Any) -> Iterator[Any]:
        counts.append(len(some))
        yield from pooled(self, some)

    monkeypatch.setattr(PatchFeatures, "_pooled", spy)
    return counts


def interrupt_after(stage: str, count: int) -> Any:
    def listen(name: str, done: int, total: int) -> None:
        if name.startswith(stage) and done >= count:
            raise KeyboardInterrupt

    return listen


def test_features_are_those_without_a_cache(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    plain, kept = encoder(), encoder()
    expected = plain.fit_transform(images)
    stored = kept.fit_stored(images, FeatureCache(tmp_path))
    assert stored.shape == expected.shape
    np.testing.assert_array_equal(stored[:], expected)
    np.testing.assert_array_equal(kept.mean_, plain.mean_)
    np.testing.assert_array_equal(kept.scale_, plain.scale_)
    found = kept.transform_stored(images[50:150], FeatureCache(tmp_path))[:]
    np.testing.assert_array_equal(found, plain.transform(images[50:150]))


@pytest.mark.parametrize(
    "rows",
    [
        slice(0, 0),
        slice(95, 205),
        slice(None, None, 3),
        np.array([329, 0, 100, 99, 100, 250]),
        np.arange(N_IMAGES) % 7 == 3,
        np.array([], dtype=np.int64),
    ],
)
def test_rows_are_read_as_from_an_array(
    tmp_path: Path, images: NDArray[np.uint8], rows: Any
) -> None:
    stored = encoder().fit_stored(images, FeatureCache(tmp_path))
    np.testing.assert_array_equal(stored[rows], stored[:][rows])


def test_half_precision_rounds_by_at_most_one_part_in_2048(
    tmp_path: Path, images: NDArray[np.uint8]
) -> None:
    model = encoder()
    model.fit_stored(images, FeatureCache(tmp_path / "full"))
    full = np.concatenate([part for _, part in model._pooled(images)])
    cache = FeatureCache(tmp_path / "half", "float16")
    half = model._stored(images, blocks_of(images, None), cache)[:]
    # half of the smallest number of float16 where features are next to nothing
    np.testing.assert_allclose(half, full, rtol=2.0**-11, atol=2.0**-25)
    sizes = [sum(p.stat().st_size for p in (tmp_path / name / "features").rglob("*.npy"))
             for name in ("full", "half")]  # fmt: skip
    assert sizes[1] < 0.52 * sizes[0]


def test_too_large_for_half_precision(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "float16")
    with pytest.raises(InputError, match="too large for float16"):
        cache.save_shard(tmp_path / "x.npy", np.full((2, 3), 1e5, dtype=np.float32))
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    ("stage", "count", "n_shards"),
    [
        ("learning the dictionary", 2, 0),
        ("computing features", 64, 0),
        ("computing features", 300, 3),
    ],
)
def test_an_interrupted_fit_goes_on(
    tmp_path: Path, images: NDArray[np.uint8], encoded: list[int], stage: str, count: int,
    n_shards: int,
) -> None:  # fmt: skip
    expected = encoder().fit_transform(images)
    encoded.clear()
    with pytest.raises(KeyboardInterrupt), listening(interrupt_after(stage, count)):
        encoder().fit_stored(images, FeatureCache(tmp_path))
    n_kept = len([name for name in files(tmp_path) if name.endswith(".npy")])
    assert n_kept >= n_shards - 1  # what was in the making is lost, and nothing else
    encoded.clear()
    again = encoder().fit_stored(images, FeatureCache(tmp_path))
    assert encoded == [N_IMAGES - 100 * n_kept]
    np.testing.assert_array_equal(again[:], expected)


def test_what_is_there_is_not_computed_again(
    tmp_path: Path, images: NDArray[np.uint8], encoded: list[int]
) -> None:
    model = encoder()
    model.fit_stored(images, FeatureCache(tmp_path))
    encoded.clear()
    encoder().fit_stored(images, FeatureCache(tmp_path))
    model.transform_stored(images[:200], FeatureCache(tmp_path))
    list(model.stream(images[100:200], cache=FeatureCache(tmp_path)))
    assert encoded == []
    other = images.copy()
    other[120, 3, 3, 0] ^= 255
    model.transform_stored(other, FeatureCache(tmp_path))
    assert encoded == [100]  # the block with the other pixel


@pytest.mark.parametrize(
    "change",
    [{"threshold": 0.5}, {"n_atoms": 11}, {"random_state": 1}, {"contrast_constant": 9.0},
     {"encoder": "triangle"}, {"stride": 2}, {"max_iter": 4}],
)  # fmt: skip
def test_another_setting_is_something_else(
    tmp_path: Path, images: NDArray[np.uint8], change: dict[str, Any]
) -> None:
    encoder().fit_stored(images, FeatureCache(tmp_path))
    found = encoder(**change).fit_stored(images, FeatureCache(tmp_path))
    np.testing.assert_array_equal(found[:], encoder(**change).fit_transform(images))


@pytest.mark.parametrize("ending", [".npy", ".safetensors"])
@pytest.mark.parametrize("damage", ["cut", "emptied", "a bit", "the end"])
def test_a_damaged_file_is_made_again(
    tmp_path: Path, images: NDArray[np.uint8], ending: str, damage: str
) -> None:
    expected = encoder().fit_stored(images, FeatureCache(tmp_path))[:]
    place = sorted(tmp_path.rglob(f"*{ending}"))[0]
    whole = place.read_bytes()
    hurt = bytearray(whole)
    if damage == "cut":
        hurt = hurt[: len(hurt) // 2]
    elif damage == "emptied":
        hurt.clear()
    else:
        hurt[-1 if damage == "the end" else len(hurt) // 2] ^= 1
    place.write_bytes(bytes(hurt))
    with pytest.warns(UserWarning, match=f"{place.name} is damaged.*made again"):
        found = encoder().fit_stored(images, FeatureCache(tmp_path))
    np.testing.assert_array_equal(found[:], expected)
    assert place.read_bytes() == whole


@pytest.mark.parametrize("header", [b"(((", b"{'descr'(", b"\xff\xfe", b"0" * 40])
def test_a_shard_whose_header_is_no_header_is_damaged(tmp_path: Path, header: bytes) -> None:
    place = tmp_path / "shard.npy"
    cache = FeatureCache(tmp_path)
    cache.save_shard(place, np.ones((2, 3), dtype=np.float32))
    content = bytearray(place.read_bytes())
    content[10 : 10 + len(header)] = header
    place.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged"):
        assert not cache.has_shard(place, 2, 3)


def test_two_at_once_make_the_same(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    expected = encoder().fit_transform(images)
    found: list[NDArray[np.float32]] = []

    def fit() -> None:
        found.append(encoder().fit_stored(images, FeatureCache(tmp_path))[:])

    workers = [Thread(target=fit) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 3
    for one in found:
        np.testing.assert_array_equal(one, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is damaged
        encoder().fit_stored(images, FeatureCache(tmp_path))


def test_a_file_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="is a file; name a folder"):
        FeatureCache(tmp_path / "thesis.txt")
    with pytest.raises(WordsightError, match="cannot write"):
        FeatureCache(tmp_path / "thesis.txt" / "cache")
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_precision_has_two_names(tmp_path: Path) -> None:
    name: Any = "int8"
    with pytest.raises(InputError, match="float32 or float16"):
        FeatureCache(tmp_path, name)


def test_other_files_in_the_folder_stay(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    encoder().fit_stored(images, FeatureCache(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_random_generator_keeps_no_dictionary(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    encoder(random_state=None).fit_stored(images, FeatureCache(tmp_path))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_the_fingerprint_tells_images_apart(images: NDArray[np.uint8]) -> None:
    assert fingerprint(images, None) == fingerprint(images.copy(), None)
    assert fingerprint(images, None) != fingerprint(images[::-1], None)


def test_a_model_is_the_same_with_a_cache(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    labels = np.array(["dog", "horse", "ship"])[np.arange(N_IMAGES) % 3]

    def model() -> CrossModalClassifier:
        return CrossModalClassifier(unseen=["cat"], features=encoder(), random_state=0)

    cache = FeatureCache(tmp_path)
    expected = model().fit(images, labels).predict_proba(images[:20])
    fitted = model().fit(images, labels, cache=cache)
    np.testing.assert_allclose(fitted.predict_proba(images[:20]), expected, rtol=1e-5, atol=1e-7)
    rows, found = zip(*fitted.stream(images[:20], cache=cache), strict=True)
    assert np.concatenate(rows).tolist() == list(range(20))
    np.testing.assert_array_equal(
        np.concatenate([one.proba for one in found]), fitted.predict_proba(images[:20])
    )


def test_a_cache_for_an_encoder_from_elsewhere_is_refused(tmp_path: Path) -> None:
    class Flat:
        def fit_transform(self, X: NDArray[Any]) -> NDArray[Any]:
            return X.reshape(len(X), -1).astype(np.float32)

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            return {}

    images = np.zeros((30, 4, 4, 3), dtype=np.uint8)
    model = CrossModalClassifier(features=Flat(), false_novel_rate=0.5)
    with pytest.raises(InputError, match="expected PatchFeatures, or no cache"):
        model.fit(images, ["dog", "cat", "ship"] * 10, cache=FeatureCache(tmp_path))


def test_blocks_do_not_depend_on_batches(images: NDArray[np.uint8]) -> None:
    found = blocks_of(images, None)
    assert [len(block.rows) for block in found] == [100, 100, 100, 30]
    assert found[0].digest == blocks_of(images[:100], None)[0].digest
