"""Lay mapped points and word vectors out in two dimensions, to be looked at.

Points and words are embedded together, as directions: images and words are compared by the angle,
and words are often several times as long as mapped points, which would otherwise be one dot among
them.
"""

import importlib
import importlib.util
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from wordsight.exceptions import InputError
from wordsight.geometry import directions
from wordsight.words.similarity import nearest_rows

__all__ = ["LayoutKind", "layout", "place", "umap_is_installed"]

LayoutKind = Literal["pca", "tsne", "umap"]

Flat = NDArray[np.float32]

_PERPLEXITY = 30.0  # of t-SNE's authors, lowered where there are few points
_LEAST_POINTS = 5
_NEIGHBOURS = 5


def layout(
    points: ArrayLike,
    words: ArrayLike,
    *,
    kind: LayoutKind = "pca",
    random_state: int = 0,
) -> tuple[Flat, Flat]:
    """Return where points and words lie in the plane.

    Parameters
    ----------
    points : array-like, shape (n, m)
        Mapped points S.
    words : array-like, shape (k, m)
        Words where points are compared with them: `CrossModalClassifier.query` tells.
    kind : {"pca", "tsne", "umap"}, default "pca"
        The two directions of most variance, at once; or neighbours kept together, which takes
        minutes for 10,000 points. UMAP needs umap-learn.
    random_state : int, default 0
        The same seed gives the same picture.

    Returns
    -------
    xy_points : ndarray of float32, shape (n, 2)
    xy_words : ndarray of float32, shape (k, 2)

    Raises
    ------
    InputError
        Another kind, tables that do not fit together, numbers that are not finite; umap-learn is
        not installed.

    References
    ----------
    van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008; McInnes, Healy and
    Melville, "UMAP", 2018.
    """
    if kind not in get_args(LayoutKind):
        raise InputError(f"kind={kind!r} was given; expected 'pca', 'tsne' or 'umap'")
    S, W = np.asarray(points), np.asarray(words)
    if S.ndim != 2 or W.ndim != 2 or S.shape[1] != W.shape[1]:
        raise InputError(
            f"points of shape {S.shape} and words of shape {W.shape} were given; expected two "
            "tables of as many columns"
        )
    both = _directions(np.concatenate([S, W]))
    if kind == "pca" or len(both) < _LEAST_POINTS:
        flat = _pca(both, random_state)
    elif kind == "tsne":
        flat = _tsne(both, random_state)
    else:
        flat = _umap(both, random_state)
    return flat[: len(S)], flat[len(S) :]


def place(points: ArrayLike, xy: ArrayLike, new: ArrayLike) -> Flat:
    """Return where new points or words go in a layout that is there, without moving the rest.

    Each goes among the points that it is nearest to by the angle, the nearer the closer; onto one
    with which it coincides.

    Parameters
    ----------
    points : array-like, shape (n, m)
        All that is laid out, points and words.
    xy : array-like, shape (n, 2)
        Where it lies.
    new : array-like, shape (k, m)

    Returns
    -------
    ndarray of float32, shape (k, 2)
    """
    table, flat, asked = np.asarray(points), np.asarray(xy, dtype=np.float64), np.asarray(new)
    if table.shape[:1] != flat.shape[:1] or flat.ndim != 2 or not len(table):
        raise InputError(
            f"points of shape {table.shape} and places of shape {flat.shape} were given; expected "
            "a place for each point, and at least one"
        )
    if asked.ndim != 2 or asked.shape[1:] != table.shape[1:]:
        raise InputError(
            f"new points of shape {asked.shape} were given beside points of shape {table.shape}"
        )
    rows, similarities = nearest_rows(
        _directions(table), _directions(asked), _NEIGHBOURS, metric="cosine"
    )
    weight = 1.0 / np.maximum(1.0 - similarities, 1e-9)  # 2 (1 − cos) is their squared distance
    weight /= weight.sum(axis=1, keepdims=True)
    placed: Flat = np.einsum("kn,knx->kx", weight, flat[rows]).astype(np.float32)
    return placed


def umap_is_installed() -> bool:
    """Say whether `layout` can be asked for UMAP."""
    return importlib.util.find_spec("umap") is not None


def _directions(table: NDArray[Any]) -> NDArray[np.float64]:
    if not np.isfinite(table).all():
        raise InputError("points or words hold NaN or infinity; give finite ones")
    return directions(table)


def _pca(both: NDArray[np.float64], random_state: int) -> Flat:
    flat = np.zeros((len(both), 2), dtype=np.float32)
    if len(both) > 1 and np.ptp(both, axis=0).any():
        n_components = min(2, *both.shape)
        pca = PCA(n_components, svd_solver="covariance_eigh", random_state=random_state)
        flat[:, :n_components] = pca.fit_transform(both)
    return flat


def _tsne(both: NDArray[np.float64], random_state: int) -> Flat:
    perplexity = min(_PERPLEXITY, (len(both) - 1) / 3)
    start = _pca(both, random_state)
    spread = float(start[:, 0].std()) or 1.0
    tsne = TSNE(
        init=start / spread * 1e-4,  # what init="pca" is, for tables of one dimension too
        perplexity=perplexity,
        random_state=random_state,
        n_jobs=1,
    )
    # sums over several threads differ in the last bits, which t-SNE makes other pictures of
    with threadpool_limits(1):
        return np.asarray(tsne.fit_transform(both.astype(np.float32)), dtype=np.float32)


def _umap(both: NDArray[np.float64], random_state: int) -> Flat:
    if not umap_is_installed():
        raise InputError(
            "kind='umap' was asked for, and umap-learn is not installed; install it (pip install "
            "'wordsight[umap]') or use kind='tsne'"
        )
    umap = importlib.import_module("umap")
    n_neighbors = min(15, len(both) - 1)
    reducer = umap.UMAP(n_neighbors=n_neighbors, random_state=random_state, n_jobs=1)
    return np.asarray(reducer.fit_transform(both.astype(np.float32)), dtype=np.float32)
