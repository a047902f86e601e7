"""A page with a square table of classes by classes, whose rows and columns can be told.

Few classes are named at every row and column. Of many, rows are numbered and named by turns on the
left and on the right, and columns have numbers alone: text of 8 points stays readable with 100
classes on a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from wordsight.plots.figure import (
    MARGIN,
    TEXT,
    heading,
    new_figure,
    shortened,
    text_width,
    tidy,
    wrapped,
)
from wordsight.plots.palette import INK, SEQUENTIAL, UNSEEN_INK

__all__ = ["MatrixPage", "matrix_page"]

_POINTS = 72 / 2.54  # in a centimetre
_PITCH = 1.2 * TEXT / _POINTS  # from one line of text to the next, in centimetres
_AXIS_NAME = MARGIN + 0.85  # centimetres left of the names, for the name of the axis
_LEAST_NAME = 2.4
_MOST_NAME = 0.44  # of the width of the page
_LARGEST_CELL = 2.0
_TALLEST = 20.0
_NO_VALUE = "#DDDDDD"


@dataclass(frozen=True)
class MatrixPage:
    """A page with room for a table, its names written already.

    Attributes
    ----------
    figure : Figure
    axes : Axes
        Of the table: row i is at i, and so is column i.
    above : Axes or None
        Over it, where asked for.
    cell : (float, float)
        Width and height of a cell in points.
    """

    figure: Figure
    axes: Axes
    above: Axes | None
    cell: tuple[float, float]

    def show(
        self, values: NDArray[np.float64], norm: Normalize, ticks: Sequence[float], said: str
    ) -> Axes:
        """Draw the table, and below it a bar that tells what shades mean.

        Parameters
        ----------
        values : ndarray, shape (n, n)
            NaN is grey.
        norm : Normalize
        ticks : sequence of float
            On the bar.
        said : str
            What the values are, with unit.

        Returns
        -------
        Axes
            Of the bar.
        """
        colours = colormaps[SEQUENTIAL].with_extremes(bad=_NO_VALUE)
        # no values between cells: every cell has one shade
        drawn = self.axes.imshow(
            values, cmap=colours, norm=norm, aspect="auto", interpolation="nearest"
        )
        width = self.figure.get_figwidth() * 2.54
        bar = _put(self.figure, MARGIN + 0.4, 1.25, min(7.0, width - 1.4), 0.28)
        self.figure.colorbar(drawn, cax=bar, orientation="horizontal", ticks=list(ticks))
        tidy(bar, x=wrapped(self.figure, said, width - 1.0))
        bar.xaxis.label.set(x=0, ha="left", linespacing=1.1)
        return bar

    def write(self, texts: Sequence[Sequence[str]]) -> None:
        """Write into the cells of the table shown, in what is read better on their shades."""
        (shown,) = self.axes.images
        red, green, blue = np.moveaxis(
            shown.to_rgba(np.asarray(shown.get_array()))[..., :3] ** 2.2, -1, 0
        )
        light = 0.2126 * red + 0.7152 * green + 0.0722 * blue  # WCAG 2.2: relative luminance
        for row, column in np.ndindex(light.shape):
            if texts[row][column]:
                self.axes.text(
                    column,
                    row,
                    texts[row][column],
                    ha="center",
                    va="center",
                    fontsize=8,
                    linespacing=1.15,
                    # where contrasts with white and with almost black are the same
                    color="white" if light[row, column] < 0.21 else INK,
                )

    def separate(self, places: Sequence[float]) -> None:
        """Draw lines across rows and columns, between kinds of classes."""
        for place in places:
            for line in (self.axes.axhline, self.axes.axvline):
                line(place, color="white", linewidth=3.2)
                line(place, color=INK, linewidth=1.2)


def matrix_page(
    names: Sequence[str],
    is_unseen: Sequence[bool],
    *,
    title: str,
    width: float,
    row_axis: str,
    column_axis: str,
    notes: Sequence[str] | None = None,
    above: float = 0.0,
) -> MatrixPage:
    """Make a page for a table of classes by classes.

    Parameters
    ----------
    names : sequence of str
        Of the classes, in the order of rows and columns.
    is_unseen : sequence of bool
        These names are bold, with a star.
    title : str
    width : float
        Of the page, in centimetres.
    row_axis, column_axis : str
        What rows and columns are.
    notes : sequence of str, optional
        Written behind the name of each row, where each column is named.
    above : float, default 0
        Centimetres kept free over the table.

    Returns
    -------
    MatrixPage
    """
    n, ruler = len(names), new_figure(width, 1.0, constrained=False)
    stars = ["★ " if unseen else "" for unseen in is_unseen]
    # what is left for names, so that a row and a column of each have room for a line of text
    room = width - _AXIS_NAME - MARGIN - 0.2 - n * _PITCH
    every_column = room >= _LEAST_NAME
    if every_column:
        endings = [f" {note}" for note in notes] if notes else [""] * n
        rows = _fitting(ruler, names, stars, endings, min(room, _MOST_NAME * width))
        columns = _fitting(ruler, names, stars, [""] * n, _MOST_NAME * width)
        left = _AXIS_NAME + text_width(ruler, rows, weight="bold")
        across = down = min(width - left - MARGIN - 0.2, _LARGEST_CELL * n)
        below = (2.7 if column_axis else 2.2) + text_width(ruler, columns, weight="bold")
    else:
        numbers = [f"{number} {star}" for number, star in enumerate(stars, 1)]
        rows = _fitting(ruler, names, numbers, [""] * n, _MOST_NAME / 2 * width)
        left = _AXIS_NAME + text_width(ruler, rows, weight="bold")
        across = width - 2 * left + _AXIS_NAME - MARGIN - 0.3
        below, down = 2.9, min(_TALLEST, max(across, n * _PITCH / 2))
    n_lines = heading(ruler, title)
    figure = new_figure(width, below + down + above + 0.6 + 0.45 * n_lines, constrained=False)
    heading(figure, title)
    axes = _put(figure, left, below, across, down)
    top = _put(figure, left, below + down, across, above, share=axes) if above else None
    tidy(axes, x=column_axis, y=row_axis)
    if every_column:
        _name_all(axes, rows, columns, is_unseen)
    else:
        _name_by_turns(axes, rows, is_unseen, across, down)
    return MatrixPage(figure, axes, top, (across * _POINTS / n, down * _POINTS / n))


def _fitting(
    figure: Figure,
    names: Sequence[str],
    heads: Sequence[str],
    endings: Sequence[str],
    room: float,
) -> list[str]:
    """Return names between what stands before and after them, shortened until they have room."""
    fitting = []
    for head, name, ending in zip(heads, names, endings, strict=True):
        tried = (f"{head}{shortened(name, longest)}{ending}" for longest in range(28, 5, -1))
        text = next(tried)
        while text_width(figure, [text], weight="bold") > room:
            shorter = next(tried, None)
            if shorter is None:
                break
            text = shorter
        fitting.append(text)
    return fitting


def _put(
    figure: Figure,
    left: float,
    below: float,
    across: float,
    down: float,
    share: Axes | None = None,
) -> Axes:
    """Add axes at a place in centimetres."""
    width, height = figure.get_size_inches() * 2.54
    place = (left / width, below / height, across / width, down / height)
    return figure.add_axes(place, sharex=share)


def _name_all(
    axes: Axes, rows: Sequence[str], columns: Sequence[str], is_unseen: Sequence[bool]
) -> None:
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xticks(range(len(columns)), list(columns), rotation=90)
    axes.tick_params(length=0)
    _mark_unseen(axes.get_yticklabels(), is_unseen)
    _mark_unseen(axes.get_xticklabels(), is_unseen)


def _name_by_turns(
    axes: Axes, rows: Sequence[str], is_unseen: Sequence[bool], across: float, down: float
) -> None:
    """Give columns numbers; name rows on the left and the right by turns, as far as they fit."""
    # the names of one side are two steps apart
    step = max(1, int(np.ceil(_PITCH * len(rows) / (2 * down) - 1e-9)))
    named = np.arange(0, len(rows), step)
    right = axes.secondary_yaxis("right")
    for side, places in ((axes, named[::2]), (right, named[1::2])):
        side.set_yticks(places, [rows[row] for row in places])
        side.tick_params(length=2, labelsize=TEXT, labelcolor=INK)
        _mark_unseen(side.get_yticklabels(), [is_unseen[row] for row in places])
    between = next((k for k in (5, 10, 20, 50, 100) if k * across >= 0.75 * len(rows)), 500)
    numbers = [0, *range(between - 1, len(rows), between)]
    axes.set_xticks(numbers, [str(number + 1) for number in numbers])


def _mark_unseen(labels: Sequence[Text], is_unseen: Sequence[bool]) -> None:
    for label, unseen in zip(labels, is_unseen, strict=True):
        if unseen:
            label.set(fontweight="bold", color=UNSEEN_INK)
