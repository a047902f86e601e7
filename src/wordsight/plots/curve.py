"""The seen–unseen curve: what is won on unseen classes for what is lost on seen ones."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from wordsight.metrics import SeenUnseenCurve, harmonic_mean
from wordsight.plots.figure import LINE, TEXT, WIDTH, heading, new_figure, tidy, wrapped
from wordsight.plots.palette import GREY, INK, SEEN_COLOUR, UNSEEN_COLOUR

__all__ = ["curve_diagram"]


def curve_diagram(
    curve: SeenUnseenCurve,
    operating_point: tuple[float, float],
    *,
    title: str = "Seen–unseen curve",
    width: float = WIDTH,
) -> Figure:
    """Draw unseen against seen accuracy as the gate opens, with the area below.

    A star stands where the model is, a ring where the harmonic mean is best; the dotted line joins
    all pairs of accuracies with that best mean.

    Parameters
    ----------
    curve : SeenUnseenCurve
        From `metrics.seen_unseen_curve`.
    operating_point : (float, float)
        Seen and unseen accuracy of the model as it is.
    title : str
    width : float, default 16
        In centimetres.

    Returns
    -------
    Figure
    """
    said = {
        "curve": f"gate from “all seen” to “all novel”; area below (AUSUC) {curve.area:.3f}",
        "means": f"all points with a harmonic mean of {100 * curve.best_harmonic_mean:.1f} %",
        "best": f"best harmonic mean {_said(*curve.best_point)}, at a novelty score of "
        + f"{curve.best_threshold:.3g}".replace("-", "−"),
        "model": f"the model as it is: harmonic mean {_said(*operating_point)}",
    }
    ruler = new_figure(width, 1.0)
    said = {name: wrapped(ruler, text, width - 2.2) for name, text in said.items()}
    n_lines = sum(text.count("\n") + 1 for text in said.values())
    figure = new_figure(width, 0.68 * width + 1.6 + LINE * n_lines)
    heading(figure, title)
    axes = figure.subplots()
    _draw(axes, curve, operating_point, said)
    names = [
        wrapped(ruler, f"accuracy on images of {kind} classes (%, mean over classes)", room)
        for kind, room in (("seen", width - 3.2), ("unseen", 0.6 * width))
    ]
    tidy(axes, x=names[0], y=names[1])
    figure.legend(loc="outside lower left", frameon=False, fontsize=TEXT, labelcolor=INK)
    return figure


def _draw(
    axes: Axes, curve: SeenUnseenCurve, operating_point: tuple[float, float], said: dict[str, str]
) -> None:
    seen, unseen = curve.seen_accuracy, curve.unseen_accuracy
    corners = _corners(seen, unseen)
    line = seen[corners], unseen[corners]
    axes.fill_between(*line, color=SEEN_COLOUR, alpha=0.13, linewidth=0)
    axes.plot(*line, color=SEEN_COLOUR, linewidth=1.8, label=said["curve"])
    limits = _limits(float(seen.max())), _limits(float(unseen.max()))
    _draw_equal_means(axes, curve.best_harmonic_mean, limits[0], said["means"])
    axes.plot(
        *curve.best_point,
        "o",
        markersize=9,
        markerfacecolor="white",
        markeredgecolor=INK,
        markeredgewidth=1.6,
        linestyle="none",
        label=said["best"],
    )
    axes.plot(
        *operating_point,
        "*",
        markersize=15,
        color=UNSEEN_COLOUR,
        markeredgecolor=INK,
        linestyle="none",
        label=said["model"],
        zorder=4,
        clip_on=False,
    )
    axes.set(xlim=(0, limits[0]), ylim=(0, limits[1]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, symbol=""))
    axes.grid(color="#E4E4E4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _said(seen: float, unseen: float) -> str:
    mean = harmonic_mean(seen, unseen)
    return f"{100 * mean:.1f} % (seen {100 * seen:.1f} %, unseen {100 * unseen:.1f} %)"


def _corners(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where the curve turns, with its ends: the same line of fewer points."""
    distinct = np.flatnonzero(np.concatenate([[True], (np.diff(x) != 0) | (np.diff(y) != 0)]))
    dx, dy = np.diff(x[distinct]), np.diff(y[distinct])
    turns = np.abs(dx[:-1] * dy[1:] - dx[1:] * dy[:-1]) > 1e-15
    kept: NDArray[np.int64] = distinct[np.concatenate([[True], turns, [True]])[-len(distinct) :]]
    return kept


def _limits(most: float) -> float:
    """Return where an axis ends: at the next tenth, so that there is little empty room."""
    return min(1.02, float(np.ceil(most * 10 + 0.4)) / 10)


def _draw_equal_means(axes: Axes, mean: float, most_seen: float, said: str) -> None:
    """Draw all points whose harmonic mean is the best one: u = h s / (2 s − h)."""
    if mean <= 0:
        return
    seen = np.linspace(mean / 2, most_seen, 400)[1:]
    axes.plot(seen, mean * seen / (2 * seen - mean), ":", color=GREY, linewidth=1.1, label=said)
