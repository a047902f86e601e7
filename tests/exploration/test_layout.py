"""Where points and words lie in the plane."""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from wordsight.exceptions import InputError
from wordsight.exploration import layout as module
from wordsight.exploration.layout import layout, place


def clusters(n: int = 60, d: int = 6) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points about three words, shrunken to a third of their length."""
    rng = np.random.default_rng(0)
    words = rng.normal(size=(3, d)) * 3
    return words[np.arange(n) % 3] / 3 + 0.1 * rng.normal(size=(n, d)), words


def unit(table: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(table, axis=1, keepdims=True)
    return table / lengths


def test_principal_components_are_those_of_the_singular_value_decomposition() -> None:
    points, words = clusters()
    xy, xy_words = layout(points, words, kind="pca")
    both = unit(np.concatenate([points, words]))
    centred = both - both.mean(axis=0)
    expected = centred @ np.linalg.svd(centred)[2][:2].T
    found = np.concatenate([xy, xy_words])
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=1e-5)
    assert xy.dtype == xy_words.dtype == np.float32


@pytest.mark.parametrize("kind", ["pca", "tsne"])
def test_the_same_picture_each_time_however_long_the_words_are(kind: Any) -> None:
    points, words = clusters()
    first = layout(points, words, kind=kind, random_state=1)
    again = layout(points, words, kind=kind, random_state=1)
    longer = layout(points, words * 8, kind=kind, random_state=1)  # the same numbers, exactly
    for one, two, three in zip(first, again, longer, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("kind", ["pca", "tsne"])
def test_neighbours_stay_together_and_words_lie_among_their_points(kind: Any) -> None:
    points, words = clusters(90)
    xy, xy_words = layout(points, words, kind=kind)
    assert trustworthiness(unit(points), xy, n_neighbors=10) > 0.85
    nearest = np.linalg.norm(xy_words[:, None] - xy[None], axis=2).argmin(axis=1)
    assert (nearest % 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("n", [0, 1, 3, 6])
@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("kind", ["pca", "tsne"])
def test_few_points_and_few_dimensions(n: int, d: int, kind: Any) -> None:
    rng = np.random.default_rng(n)
    xy, xy_words = layout(rng.normal(size=(n, d)), rng.normal(size=(1, d)), kind=kind)
    assert (xy.shape, xy_words.shape) == ((n, 2), (1, 2))
    assert np.isfinite(xy).all()


def test_umap_is_asked_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class UMAP:
        def __init__(self, **options: Any) -> None:
            asked.update(options)

        def fit_transform(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
            return X[:, :2]

    stand_in = ModuleType("umap")
    monkeypatch.setattr(stand_in, "UMAP", UMAP, raising=False)
    monkeypatch.setitem(sys.modules, "umap", stand_in)
    monkeypatch.setattr(module, "umap_is_installed", lambda: True)
    points, words = clusters()
    xy, xy_words = layout(points, words, kind="umap", random_state=3)
    np.testing.assert_allclose(xy, unit(points)[:, :2], rtol=1e-6)
    np.testing.assert_allclose(xy_words, unit(words)[:, :2], rtol=1e-6)
    assert (asked["random_state"], asked["n_jobs"]) == (3, 1)


def test_umap_is_missed_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "umap_is_installed", lambda: False)
    with pytest.raises(InputError, match=r"umap-learn is not installed.*wordsight\[umap\]"):
        layout(*clusters(), kind="umap")


@pytest.mark.slow
def test_umap_itself() -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed")
    points, words = clusters(90)
    xy, _words = layout(points, words, kind="umap")
    assert trustworthiness(unit(points), xy, n_neighbors=10) > 0.85


def test_a_new_point_lies_where_the_same_point_lies() -> None:
    points, _ = clusters()
    xy = np.random.default_rng(1).normal(size=(60, 2))
    placed = place(points, xy, 5.0 * points[[4, 17]])  # as far as the angle goes, the same
    np.testing.assert_allclose(placed, xy[[4, 17]], atol=1e-5)


def test_a_new_point_lies_among_its_neighbours() -> None:
    points, words = clusters()
    xy, _ = layout(points, words)
    placed = place(points, xy, words)
    for code, at in enumerate(placed):
        mine = xy[code::3]
        assert (mine.min(axis=0) <= at).all()
        assert (at <= mine.max(axis=0)).all()


def test_halfway_between_two_points_is_halfway() -> None:
    points = np.array([[1.0, 0.0], [0.0, 1.0]])
    placed = place(points, [[0.0, 0.0], [2.0, 4.0]], [[1.0, 1.0]])
    np.testing.assert_allclose(placed, [[1.0, 2.0]], rtol=1e-6)


def test_what_is_refused() -> None:
    points, words = clusters()
    wrong: Any = "map"
    with pytest.raises(InputError, match="'pca', 'tsne' or 'umap'"):
        layout(points, words, kind=wrong)
    with pytest.raises(InputError, match="as many columns"):
        layout(points, words[:, :2])
    with pytest.raises(InputError, match="NaN or infinity"):
        layout(np.full_like(points, np.nan), words)
    with pytest.raises(InputError, match="a place for each point"):
        place(points, np.zeros((3, 2)), words)
    with pytest.raises(InputError, match="new points of shape"):
        place(points, np.zeros((60, 2)), words[:, :2])
