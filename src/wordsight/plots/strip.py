"""A strip of images with what they were taken for."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import ArrayLike, NDArray

from wordsight.exceptions import InputError
from wordsight.plots.checks import check_length
from wordsight.plots.palette import INK, RIGHT_COLOUR, UNSEEN_COLOUR, WRONG_COLOUR

__all__ = ["prediction_strip"]


def prediction_strip(
    figure: Figure | SubFigure,
    images: NDArray[np.uint8],
    true: ArrayLike,
    predicted: ArrayLike,
    probability: ArrayLike,
    is_unseen: ArrayLike,
    *,
    n_columns: int = 6,
    title: str = "",
) -> None:
    """Show images with what they were taken for.

    Under each image stand the predicted class and its probability, with ✓ and a solid frame where
    it is right, or ✗, a dashed frame and the true class where it is wrong. A star above an image
    says that its class is an unseen one.

    Parameters
    ----------
    figure : Figure or SubFigure
        What to draw on.
    images : ndarray of uint8, shape (n, height, width, 3)
    true, predicted : array-like of str, shape (n,)
    probability : array-like, shape (n,)
        Of the predicted class, 0 to 1.
    is_unseen : array-like of bool, shape (n,)
        Whether the true class is an unseen one.
    n_columns : int, default 6
        Images in a row.
    title : str
        Stands above the strip.

    Raises
    ------
    InputError
        No images, or lengths that differ.
    """
    if not len(images):
        raise InputError("no images were given; give at least one to show")
    columns = {
        "true": np.asarray(true).astype(np.str_).tolist(),
        "predicted": np.asarray(predicted).astype(np.str_).tolist(),
        "probability": np.asarray(probability, dtype=np.float64).tolist(),
        "is_unseen": np.asarray(is_unseen, dtype=np.bool_).tolist(),
    }
    for name, values in columns.items():
        check_length(name, values, len(images))
    n_rows = -(-len(images) // n_columns)
    cells = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    figure.subplots_adjust(left=0.02, right=0.98, top=0.855, bottom=0.21, wspace=0.1, hspace=0.55)
    if title:
        figure.suptitle(
            title, x=0.02, y=0.985, ha="left", fontsize=17, fontweight="bold", color=INK
        )
    for cell in cells[len(images) :]:
        cell.set_axis_off()
    rows = zip(images, *columns.values(), strict=True)
    for cell, (image, is_name, said, p, of_unseen) in zip(cells, rows, strict=False):
        _show_prediction(cell, image, is_name, said, p, of_unseen)


def _show_prediction(
    cell: Axes, image: NDArray[np.uint8], true: str, predicted: str, p: float, of_unseen: bool
) -> None:
    right = true == predicted
    colour = RIGHT_COLOUR if right else WRONG_COLOUR
    cell.imshow(image, interpolation="nearest")
    cell.set_xticks([])
    cell.set_yticks([])
    for spine in cell.spines.values():
        style = "-" if right else (0, (2.2, 1.4))
        spine.set(color=colour, linewidth=4, linestyle=style, capstyle="butt")
    if of_unseen:
        cell.set_title("★ unseen class", fontsize=11, color=UNSEEN_COLOUR, fontweight="bold", pad=6)
    said = f"{'✓' if right else '✗'} {predicted}  {p:.2f}"
    cell.text(
        0.5,
        -0.07,
        said,
        transform=cell.transAxes,
        ha="center",
        va="top",
        fontsize=12,
        fontweight="bold",
        color=colour,
    )
    if not right:
        cell.text(
            0.5,
            -0.23,
            f"is {true}",
            transform=cell.transAxes,
            ha="center",
            va="top",
            fontsize=11,
            color=INK,
        )
