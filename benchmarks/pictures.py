"""Pictures for the page: how the cost of each stage grows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from wordsight.plots import INK, save_figure

__all__ = ["draw_scaling"]

_COLUMNS = 3
_STYLES = {  # told apart by the mark as well as by the colour (palette of Okabe and Ito)
    "features": ("#0072B2", "o"),
    "map": ("#D55E00", "s"),
    "softmax": ("#009E73", "^"),
    "unseen classes": ("#CC79A7", "D"),
    "nearest words": ("#56B4E9", "v"),
}


def draw_scaling(series: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw seconds against each size, a panel a kind of size, both axes in powers.

    Parameters
    ----------
    series : sequence of dict
        As `benchmarks.scaling` gives them.
    path : pathlib.Path
        A PNG file.
    """
    kinds = list(dict.fromkeys(one["against"] for one in series))
    n_rows = -(-len(kinds) // _COLUMNS)
    figure = Figure(figsize=(11, 3.6 * n_rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for place, kind in enumerate(kinds):
        axes = figure.add_subplot(n_rows, _COLUMNS, place + 1)
        _panel(axes, kind, [one for one in series if one["against"] == kind])
    save_figure(figure, path)


def _panel(axes: Axes, kind: str, series: Sequence[dict[str, Any]]) -> None:
    for one in series:
        colour, mark = _STYLES.get(one["stage"], (INK, "."))
        seconds = one["seconds"]
        below = [middle - low for middle, low in zip(seconds, one["least"], strict=True)]
        above = [high - middle for middle, high in zip(seconds, one["most"], strict=True)]
        axes.errorbar(
            one["sizes"],
            seconds,
            yerr=[below, above],
            color=colour,
            marker=mark,
            markersize=5,
            linewidth=1.2,
            capsize=2,
            label=one["stage"],
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = sorted({size for one in series for size in one["sizes"]})
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=40, ha="right", fontsize=8)
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axes.set_xlabel(kind, color=INK)
    axes.set_ylabel("seconds", color=INK)
    axes.grid(axis="both", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
