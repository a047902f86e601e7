"""How near the words of classes lie to one another: what a model can go by for unseen ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform

from wordsight.exceptions import InputError
from wordsight.plots.checks import check_length
from wordsight.plots.figure import WIDTH
from wordsight.plots.matrix import matrix_page
from wordsight.plots.palette import GREY

__all__ = ["cosine_similarities", "words_diagram"]

_NUMBERS = 24.0
"""Points of a cell's side that hold a similarity."""

_TREE = 1.5
"""Centimetres over the table."""


def words_diagram(
    vectors: ArrayLike,
    classes: Sequence[str],
    n_seen: int,
    *,
    title: str = "Similarity of the classes’ words",
    width: float = WIDTH,
) -> Figure:
    """Draw the cosine of each pair of words, in an order that puts like ones side by side.

    The order, and the tree above, are those of average linkage by 1 − cosine, with near leaves
    put side by side.

    Parameters
    ----------
    vectors : array-like, shape (n_classes, d)
        Word vectors W.
    classes : sequence of str
        Names, seen ones first; at least two.
    n_seen : int
        How many of them are seen.
    title : str
    width : float, default 16
        In centimetres.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        Fewer than two classes, a vector of length 0 or that is not finite, lengths that differ.

    References
    ----------
    Bar-Joseph, Gifford and Jaakkola, "Fast optimal leaf ordering for hierarchical clustering",
    Bioinformatics 2001.
    """
    similarity = cosine_similarities(vectors)
    check_length("classes", classes, len(similarity))
    tree = linkage(
        squareform(np.maximum(1.0 - similarity, 0.0), checks=False),
        "average",
        optimal_ordering=True,
    )
    drawn: Any = dendrogram(tree, no_plot=True)
    order = drawn["leaves"]
    page = matrix_page(
        [classes[row] for row in order],
        [row >= n_seen for row in order],
        title=title,
        width=width,
        row_axis="",
        column_axis="",
        above=_TREE,
    )
    if page.above is not None:
        _draw_tree(page.above, drawn)
    shown = similarity[np.ix_(order, order)]
    low = min(0.0, float(np.floor(shown.min() * 10) / 10))
    star = "; ★ unseen" if n_seen < len(classes) else ""
    page.show(
        shown,
        Normalize(low, 1.0),
        sorted({low, 0.0, 0.5, 1.0}),
        f"cosine of two classes’ words{star}",
    )
    if min(page.cell) >= _NUMBERS:
        page.write([[f"{value:.2f}" for value in row] for row in shown.tolist()])
    return page.figure


def cosine_similarities(vectors: ArrayLike) -> NDArray[np.float64]:
    """Return the cosine of each pair of rows, shape (n, n): symmetric, with ones across.

    Raises
    ------
    InputError
        Fewer than two rows, one of length 0, NaN or infinity.
    """
    W = np.asarray(vectors, dtype=np.float64)
    if W.ndim != 2 or len(W) < 2 or not np.isfinite(W).all() or not W.any(1).all():
        raise InputError(
            f"word vectors of shape {W.shape} were given; expected at least two, finite and none "
            "of length 0"
        )
    units = W / np.linalg.norm(W, axis=1, keepdims=True)
    similarity: NDArray[np.float64] = np.clip(units @ units.T, -1.0, 1.0)
    np.fill_diagonal(similarity, 1.0)
    return (similarity + similarity.T) / 2


def _draw_tree(axes: Axes, drawn: dict[str, list[list[float]]]) -> None:
    for places, heights in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        # leaves are at 5, 15, 25, …
        axes.plot([(place - 5) / 10 for place in places], heights, color=GREY, linewidth=0.9)
    axes.set_ylim(bottom=0)
    axes.set_axis_off()
