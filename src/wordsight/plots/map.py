"""The semantic map: mapped images among the words of their classes (the paper's figure 1)."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from wordsight.plots.checks import check_length
from wordsight.plots.figure import (
    MARGIN,
    TEXT,
    WIDTH,
    heading,
    new_figure,
    shortened,
    text_width,
)
from wordsight.plots.labels import ALL_NAMED, label_words
from wordsight.plots.palette import INK, SEEN_COLOUR, UNSEEN_COLOUR, class_marks
from wordsight.plots.projection import Projection

__all__ = ["map_diagram", "semantic_map"]

_LARGE = 11.5
"""Points of the text for which the sizes of marks were chosen."""

_LINE = 0.47  # centimetres from one line of a legend to the next
_MARK = 0.95  # and what a mark in it takes, with the space to the next column

_MOST_COLOURED = 16
"""Classes that one legend tells apart; of more, only seen and unseen are told apart."""


def semantic_map(
    axes: Axes,
    projection: Projection,
    classes: ArrayLike,
    n_seen: int,
    *,
    is_unseen: ArrayLike,
    is_novel: ArrayLike,
    title: str = "Semantic map: images among words",
) -> None:
    """Draw mapped images and the words of all classes, with seen and unseen ones told apart.

    Round marks are images of seen classes, triangles of unseen ones; filled marks are those that
    the novelty detector calls novel. Words of seen classes stand at squares, of unseen ones at
    stars.

    Parameters
    ----------
    axes : Axes
        What to draw on; its figure needs an Agg canvas.
    projection : Projection
        Of n images and of the words of `classes`.
    classes : array-like of str, shape (n_classes,)
        Names, seen ones first.
    n_seen : int
        How many of them are seen.
    is_unseen, is_novel : array-like of bool, shape (n,)
        Whether each image is of an unseen class, and whether it is called novel.
    title : str
        Stands above the map.

    Raises
    ------
    InputError
        Lengths that differ.
    """
    names = [str(name) for name in np.asarray(classes)]
    unseen, novel = (np.asarray(flag, dtype=np.bool_) for flag in (is_unseen, is_novel))
    _check(projection, names, is_unseen=unseen, is_novel=novel)
    _draw_kinds(axes, projection, unseen, novel, 1.0)
    _draw_words(axes, projection.words, n_seen, [_colour(i >= n_seen) for i in range(len(names))])
    axes.set_title(title, loc="left", fontsize=17, fontweight="bold", color=INK, pad=14)
    _plain_frame(axes)
    axes.legend(
        handles=_kind_handles(1.0),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=3,
        frameon=False,
        fontsize=12,
        handletextpad=0.3,
        columnspacing=2.5,
    )
    label_words(axes, projection.words, projection.points, names, n_seen, text=_LARGE)


def map_diagram(
    projection: Projection,
    classes: ArrayLike,
    n_seen: int,
    true: ArrayLike,
    is_novel: ArrayLike,
    *,
    title: str = "Semantic map: images among words",
    width: float = WIDTH,
) -> Figure:
    """Draw the semantic map on a page, each class with a mark of its own where there are few.

    Up to 16 classes have a colour and a shape each, triangles for the unseen ones, and images
    called novel have a black rim. Of more classes, `semantic_map` tells what is drawn.

    Parameters
    ----------
    projection : Projection
        Of n images and of the words of `classes`.
    classes : array-like of str, shape (n_classes,)
        Names, seen ones first.
    n_seen : int
        How many of them are seen.
    true : array-like of str, shape (n,)
        The class of each image.
    is_novel : array-like of bool, shape (n,)
        Whether it is called novel.
    title : str
    width : float, default 16
        In centimetres.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        Lengths that differ.
    """
    names = [str(name) for name in np.asarray(classes)]
    labels, novel = np.asarray(true).astype(np.str_), np.asarray(is_novel, dtype=np.bool_)
    _check(projection, names, true=labels, is_novel=novel)
    by_class = len(names) <= _MOST_COLOURED
    colours = [_colour(row >= n_seen) for row in range(len(names))]
    legends = [_kind_handles(TEXT / _LARGE)]
    if by_class:
        marks = class_marks(n_seen, len(names) - n_seen)
        colours = [colour for colour, _shape in marks]
        legends = [_class_handles(names, marks), _rim_and_words()]
    columns = [_n_columns(handles, width) for handles in legends]
    if not by_class:
        columns = [3 if columns[0] >= 3 else 1]  # pairs stay one below the other
    rows = [-(-len(handles) // n) for handles, n in zip(legends, columns, strict=True)]
    below = _LINE * sum(rows) + (0.9 if len(names) > ALL_NAMED else 0.4)  # with a note
    height = 0.72 * width + below + 1.0
    figure = new_figure(width, height, constrained=False)
    above = 0.5 + 0.45 * heading(figure, title)
    axes = figure.add_axes(
        (MARGIN / width, below / height, 1 - 2 * MARGIN / width, 1 - (below + above) / height)
    )
    if by_class:
        _draw_classes(axes, projection.points, names, marks, labels, novel, width)
    else:
        unseen = np.isin(labels, names[n_seen:])
        _draw_kinds(axes, projection, unseen, novel, TEXT / _LARGE)
    _draw_words(axes, projection.words, n_seen, colours, TEXT / _LARGE)
    _plain_frame(axes)
    for place, (handles, n) in enumerate(zip(legends, columns, strict=True)):
        down = 0.15 + _LINE * sum(rows[:place])
        ordered = _by_rows(handles, n) if by_class else handles
        _legend_on_page(figure, ordered, n, (below - down) / height)
    left_out = label_words(axes, projection.words, projection.points, names, n_seen, text=TEXT)
    if left_out:
        figure.text(
            MARGIN / width, 0.2 / height, fontsize=TEXT, color=INK,
            s=f"{left_out} of {len(names)} classes are not named, for want of room.",
        )  # fmt: skip
    return figure


def _check(projection: Projection, names: Sequence[str], **columns: NDArray[np.generic]) -> None:
    for what, values in columns.items():
        check_length(what, values, len(projection.points))
    check_length("classes", names, len(projection.words))


def _colour(of_unseen: bool) -> str:
    return UNSEEN_COLOUR if of_unseen else SEEN_COLOUR


def _draw_kinds(
    axes: Axes,
    projection: Projection,
    unseen: NDArray[np.bool_],
    novel: NDArray[np.bool_],
    scale: float,
) -> None:
    for of_unseen, called in product((False, True), repeat=2):
        chosen = projection.points[(unseen == of_unseen) & (novel == called)]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            marker="^" if of_unseen else "o",
            s=(38 if of_unseen else 20) * scale**2,
            facecolors=_colour(of_unseen) if called else "white",
            edgecolors=_colour(of_unseen),
            linewidths=0.9,
            alpha=0.75 if of_unseen else 0.55,
            zorder=2 + of_unseen,
        )


def _draw_classes(
    axes: Axes,
    points: NDArray[np.float64],
    names: Sequence[str],
    marks: Sequence[tuple[str, str]],
    labels: NDArray[np.str_],
    novel: NDArray[np.bool_],
    width: float,
) -> None:
    size = 14 * min(1.0, width / WIDTH)
    for called in (False, True):  # rims on top
        for name, (colour, shape) in zip(names, marks, strict=True):
            chosen = points[(labels == name) & (novel == called)]
            axes.scatter(
                chosen[:, 0],
                chosen[:, 1],
                marker=shape,
                s=size,
                facecolors=colour,
                edgecolors="black" if called else "white",
                linewidths=0.8 if called else 0.3,
                alpha=0.85,
                zorder=3 if called else 2,
            )


def _draw_words(
    axes: Axes,
    words: NDArray[np.float64],
    n_seen: int,
    colours: Sequence[str],
    scale: float = 1.0,
) -> None:
    for row, of_unseen in ((slice(n_seen), False), (slice(n_seen, None), True)):
        axes.scatter(
            words[row, 0],
            words[row, 1],
            marker="*" if of_unseen else "s",
            s=(260 if of_unseen else 46) * scale**2,
            facecolors=list(colours[row]),
            edgecolors=INK,
            linewidths=0.9,
            zorder=5,
        )


def _plain_frame(axes: Axes) -> None:
    """Distances and directions of a map have no unit: nothing to read off its sides."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.04)
    for spine in axes.spines.values():
        spine.set_color("#BBBBBB")


def _mark(shape: str, face: str, edge: str, size: float, text: str, rim: float = 1.0) -> Line2D:
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=shape,
        markersize=size,
        markerfacecolor=face,
        markeredgecolor=edge,
        markeredgewidth=rim,
        label=text,
    )


def _kind_handles(scale: float) -> list[Line2D]:
    seen, unseen = SEEN_COLOUR, UNSEEN_COLOUR
    return [
        _mark("o", "white", seen, 7 * scale, "image of a seen class"),
        _mark("o", seen, seen, 7 * scale, "… called novel (wrongly)"),
        _mark("^", "white", unseen, 8 * scale, "image of an unseen class"),
        _mark("^", unseen, unseen, 8 * scale, "… called novel (rightly)"),
        _mark("s", seen, INK, 8 * scale, "word of a seen class"),
        _mark("*", unseen, INK, 16 * scale, "word of an unseen class"),
    ]


def _class_handles(names: Sequence[str], marks: Sequence[tuple[str, str]]) -> list[Line2D]:
    return [
        _mark(shape, colour, "white", 6, shortened(name), 0.3)
        for name, (colour, shape) in zip(names, marks, strict=True)
    ]


def _rim_and_words() -> list[Line2D]:
    return [
        _mark("o", "white", "black", 6, "black rim: called novel"),
        _mark("s", "white", INK, 6, "word of a seen class"),
        _mark("*", "white", INK, 11, "word of an unseen class"),
    ]


def _n_columns(handles: Sequence[Line2D], width: float) -> int:
    """Return how many columns a page of so many centimetres has room for."""
    texts = [str(handle.get_label()) for handle in handles]
    column = text_width(new_figure(width, 1.0), texts) + _MARK
    return max(1, min(len(handles), 6, int((width - 2 * MARGIN) / column)))


def _legend_on_page(figure: Figure, handles: list[Line2D], columns: int, top: float) -> None:
    width = figure.get_figwidth() * 2.54
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(MARGIN / width, top),
        ncols=columns,
        frameon=False,
        fontsize=TEXT,
        labelcolor=INK,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1.2,
        labelspacing=0.4,
    )


def _by_rows(handles: list[Line2D], columns: int) -> list[Line2D]:
    """Order handles so that they are read from left to right; matplotlib fills columns."""
    n_rows = -(-len(handles) // columns)
    n_full = len(handles) - (n_rows - 1) * columns  # columns that reach the last row
    lengths = [n_rows if column < n_full else n_rows - 1 for column in range(columns)]
    return [
        handles[row * columns + column]
        for column in range(columns)
        for row in range(lengths[column])
    ]
