"""From the word space to the plane: where mapped points and word vectors lie on a picture."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from wordsight.exceptions import InputError

__all__ = ["Layout", "Projection", "project"]

Layout = Literal["tsne", "pca"]

_PERPLEXITY = 30.0  # the default of t-SNE's authors, lowered where there are few points
_LEAST_POINTS = 5


@dataclass(frozen=True)
class Projection:
    """Where mapped points and word vectors lie in the plane.

    Attributes
    ----------
    points : ndarray of float64, shape (n, 2)
        Mapped points S.
    words : ndarray of float64, shape (n_classes, 2)
        Word vectors W.
    """

    points: NDArray[np.float64]
    words: NDArray[np.float64]


def project(
    points: ArrayLike, words: ArrayLike, *, kind: Layout = "tsne", random_state: int = 0
) -> Projection:
    """Lay mapped points and word vectors out in the plane, together.

    By t-SNE near neighbours stay near, and distances between far groups mean little; by principal
    components distances are true as far as two directions can show them.

    Parameters
    ----------
    points : array-like, shape (n, d)
        Mapped points S.
    words : array-like, shape (n_classes, d)
        Word vectors W.
    kind : {"tsne", "pca"}, default "tsne"
    random_state : int, default 0
        The seed of t-SNE.

    Returns
    -------
    Projection

    Raises
    ------
    InputError
        Tables of other dimensions, NaN or infinity, fewer than five rows in all.

    References
    ----------
    van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008; Socher et al., figure 1.
    """
    S, W = np.asarray(points, dtype=np.float64), np.asarray(words, dtype=np.float64)
    if S.ndim != 2 or W.ndim != 2 or S.shape[1] != W.shape[1]:
        raise InputError(
            f"points of shape {S.shape} and words of shape {W.shape} were given; expected two "
            "tables with as many columns as the word space has dimensions"
        )
    both = np.concatenate([S, W])
    if len(both) < _LEAST_POINTS or not np.isfinite(both).all():
        raise InputError(
            f"{len(S)} points and {len(W)} words were given; a map needs at least "
            f"{_LEAST_POINTS} of them, all finite"
        )
    # on so few points several threads only wait for one another, the longer the busier the machine
    with threadpool_limits(1):
        flat = _tsne(both, random_state) if kind == "tsne" else _pca(both)
    return Projection(flat[: len(S)], flat[len(S) :])


def _tsne(both: NDArray[np.float64], random_state: int) -> NDArray[np.float64]:
    tsne = TSNE(
        init="pca",
        perplexity=min(_PERPLEXITY, (len(both) - 1) / 3),
        random_state=random_state,
        n_jobs=1,
    )
    return np.asarray(tsne.fit_transform(both), dtype=np.float64)


def _pca(both: NDArray[np.float64]) -> NDArray[np.float64]:
    if both.shape[1] < 2:  # on a line
        return np.hstack([both, np.zeros_like(both)])
    return np.asarray(PCA(2, svd_solver="full").fit_transform(both), dtype=np.float64)
