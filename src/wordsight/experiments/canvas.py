"""What the pictures of several experiments share: a blank figure, its style, means over seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from wordsight.experiments.experiment import Outcome
from wordsight.plots import INK

__all__ = ["GREY", "THIRD_COLOUR", "below", "blank", "over_seeds", "tidy"]

THIRD_COLOUR = "#00664B"
"""Beside `SEEN_COLOUR` and `UNSEEN_COLOUR`; darker than both."""

GREY = "#767676"
"""For chance, controls and other things to compare with."""


def blank(width: float, height: float, n_columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure on an Agg canvas and its axes side by side, with one vertical scale.

    Parameters
    ----------
    width, height : float
        In inches.
    n_columns : int, default 1
    """
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    FigureCanvasAgg(figure)
    cells = figure.subplots(1, n_columns, squeeze=False, sharey=True)
    return figure, list(cells[0])


def tidy(axes: Axes, title: str, *, x: str = "", y: str = "") -> None:
    """Set title and names of the axes in the style of all pictures.

    Parameters
    ----------
    axes : Axes
    title : str
    x, y : str
        Names of the axes.
    """
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=10)
    axes.set_xlabel(x, fontsize=11.5, color=INK)
    axes.set_ylabel(y, fontsize=11.5, color=INK)
    axes.tick_params(labelsize=10.5, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(color="#E4E4E4", linewidth=0.8)


def below(figure: Figure, handles: Sequence[Artist], n_columns: int = 4) -> None:
    """Name marks under all axes.

    Parameters
    ----------
    figure : Figure
    handles : sequence of Artist
        The marks, with labels.
    n_columns : int, default 4
    """
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=n_columns,
        frameon=False,
        fontsize=11,
    )


def over_seeds(
    outcomes: Sequence[Outcome], *path: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation (n − 1; 0 of one) over seeds of a row in the details.

    Parameters
    ----------
    outcomes : sequence of Outcome
    *path : str
        Keys that lead to the row.
    """
    rows = np.array([_follow(outcome.details, path) for outcome in outcomes], dtype=np.float64)
    spread = rows.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros_like(rows[0])
    return rows.mean(axis=0), spread


def _follow(details: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = details
    for key in path:
        found = found[key]
    return found
