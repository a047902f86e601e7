"""Whether probabilities mean what they say, in bins of how sure a model is."""

import numpy as np
from matplotlib.figure import Figure

from wordsight.plots.figure import LINE, TEXT, WIDTH, heading, new_figure, tidy, wrapped
from wordsight.plots.palette import INK, SEEN_COLOUR, UNSEEN_COLOUR
from wordsight.reliability import Reliability

__all__ = ["reliability_diagram"]


def reliability_diagram(
    found: Reliability, *, title: str = "How sure, how right", width: float = WIDTH
) -> Figure:
    """Draw how often a model was right against how sure it was.

    On the diagonal it is right as often as it says; below, it is too sure. Under it, how many
    images there are of each sureness.

    Parameters
    ----------
    found : Reliability
        From `metrics.reliability`.
    title : str
    width : float, default 16
        In centimetres.

    Returns
    -------
    Figure
    """
    ruler = new_figure(width, 1.0)
    said = wrapped(
        ruler,
        f"expected calibration error {found.error:.3f}, over {found.counts.sum():,} images in "
        f"{len(found.counts)} bins",
        width - 1.0,
    )
    columns = 3 if width >= 12 else 1
    n_lines = said.count("\n") + 1 + 3 // columns
    figure = new_figure(width, 0.8 * width + 2.0 + LINE * n_lines)
    heading(figure, title)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    left, width_of = found.edges[:-1], np.diff(found.edges)
    filled = found.counts > 0
    above.bar(
        left[filled], found.accuracy[filled], width_of[filled], align="edge", color=SEEN_COLOUR,
        edgecolor="white", label="share right",
    )  # fmt: skip
    above.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="as sure as right")
    above.plot(
        found.confidence[filled], found.accuracy[filled], "o", color=UNSEEN_COLOUR,
        markeredgecolor="white", label="mean probability named", clip_on=False, zorder=4,
    )  # fmt: skip
    above.set(xlim=(0, 1), ylim=(0, 1))
    below.bar(left, found.counts, width_of, align="edge", color=SEEN_COLOUR, edgecolor="white")
    tidy(above, y="share of images that are right")
    below.yaxis.set_major_formatter("{x:,.0f}")
    tidy(below, x="probability of the class named", y="images")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        loc="outside lower left",
        frameon=False,
        fontsize=TEXT,
        labelcolor=INK,
        ncols=columns,
        title=said,
        title_fontsize=TEXT,
        alignment="left",
    )
    return figure
