"""The confusion matrix: what images of each class are called."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from wordsight.exceptions import InputError
from wordsight.plots.checks import check_length
from wordsight.plots.figure import WIDTH
from wordsight.plots.matrix import matrix_page

__all__ = ["confusion_diagram"]

_SHARE_AND_COUNT = 28.0
_SHARE = 21.0
"""Points of a cell's side that hold two lines, or one number."""

_TICKS = (0.0, 0.05, 0.2, 0.5, 1.0)


def confusion_diagram(
    matrix: ArrayLike,
    classes: Sequence[str],
    n_seen: int,
    *,
    title: str = "Confusion matrix",
    width: float = WIDTH,
) -> Figure:
    """Draw which share of the images of each class is called what.

    Rows are true classes and sum to 100 %; beside each name stands its number of images. Lines
    keep seen and unseen classes apart; a cell tells its percentage and its images as far as there
    is room. Shades are those of the square root of the share, so that small ones can be seen.

    Parameters
    ----------
    matrix : array-like of int, shape (n_classes, n_classes)
        From `metrics.confusion_matrix`.
    classes : sequence of str
        Names, seen ones first.
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
        The table is not square, or of another size than there are classes.
    """
    counts = np.asarray(matrix, dtype=np.int64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise InputError(
            f"a confusion matrix of shape {counts.shape} was given; expected a row and a column "
            "for each class"
        )
    check_length("matrix", counts, len(classes))
    totals = counts.sum(1)
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, totals[:, None], out=shares, where=totals[:, None] > 0)
    page = matrix_page(
        list(classes),
        [place >= n_seen for place in range(len(classes))],
        title=title,
        width=width,
        row_axis="true class",
        column_axis="class named",
        notes=[f"({total:,})" for total in totals.tolist()],
    )
    number = " and number" if min(page.cell) >= _SHARE_AND_COUNT else ""
    star = "; ★ unseen" if n_seen < len(classes) else ""
    bar = page.show(
        shares,
        PowerNorm(0.5, 0.0, 1.0),
        _TICKS,
        f"share of a true class’s images (%){number}{star}",
    )
    bar.set_xticks(_TICKS, [f"{100 * tick:g}" for tick in _TICKS])
    if 0 < n_seen < len(classes):
        page.separate([n_seen - 0.5])
    page.write(
        [
            [_cell_text(share, count, min(page.cell)) for share, count in zip(*row, strict=True)]
            for row in zip(shares.tolist(), counts.tolist(), strict=True)
        ]
    )
    return page.figure


def _cell_text(share: float, count: int, side: float) -> str:
    if side < _SHARE or not count:
        return ""
    percent = f"{100 * share:.0f}"
    return percent if side < _SHARE_AND_COUNT else f"{percent} %\n{count:,}"
