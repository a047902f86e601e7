"""From the word space to the plane: where mapped points and word vectors lie on a picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.exceptions import InputError
from wordsight.exploration.layout import LayoutKind, layout

__all__ = ["Projection", "project"]

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
    points: ArrayLike, words: ArrayLike, *, kind: LayoutKind = "tsne", random_state: int = 0
) -> Projection:
    """Lay mapped points and word vectors out in the plane, together.

    As directions, since images and words are compared by the angle. By t-SNE near neighbours stay
    near, and distances between far groups mean little; by principal components distances are true
    as far as two directions can show them.

    Parameters
    ----------
    points : array-like, shape (n, d)
        Mapped points S.
    words : array-like, shape (n_classes, d)
        Word vectors W.
    kind : {"tsne", "pca", "umap"}, default "tsne"
        UMAP needs umap-learn.
    random_state : int, default 0
        The same seed gives the same picture.

    Returns
    -------
    Projection

    Raises
    ------
    InputError
        Tables of other dimensions, NaN or infinity, fewer than five rows in all; umap-learn is not
        installed.

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
    n_rows = len(S) + len(W)
    if n_rows < _LEAST_POINTS or not (np.isfinite(S).all() and np.isfinite(W).all()):
        raise InputError(
            f"{len(S)} points and {len(W)} words were given; give a map at least "
            f"{_LEAST_POINTS} of them, all finite"
        )
    flat = layout(S, W, kind=kind, random_state=random_state)
    return Projection(*(xy.astype(np.float64) for xy in flat))
