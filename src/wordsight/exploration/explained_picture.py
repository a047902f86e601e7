"""One picture of an explanation: the image, its classes, the gate, and the images nearest to it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wordsight.exploration.explaining import Explanation
from wordsight.exploration.gallery import Gallery, resized

__all__ = ["explained_picture"]

_INK, _PALE = "#222222", "#9a9a9a"
_CLASSES, _IMAGES = 8, 6
_SIDE = 256


def explained_picture(
    pixels: NDArray[np.uint8], found: Explanation, gallery: Gallery | None = None
) -> Figure:
    """Draw an explanation.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        The image explained.
    found : Explanation
    gallery : Gallery, optional
        That it was explained with: its nearest images are drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Unseen classes are hatched, seen ones filled: it can be read without colours.
    """
    near = found.nearest_images[:_IMAGES] if gallery is not None else ()
    figure = Figure(figsize=(9, 6.2 if near else 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    upper, *lower = figure.subfigures(
        2 if near else 1, 1, height_ratios=(4, 2) if near else (1,), squeeze=False
    )[:, 0]
    left, right = upper.subplots(1, 2, width_ratios=(2, 3))
    left.imshow(resized(pixels, _SIDE))
    left.set_title(f"{found.label}, {found.probability:.0%}", color=_INK)
    left.set_axis_off()
    words = ", ".join(word for word, _similarity in found.nearest_words[:5])
    left.text(
        0.5, -0.04, f"nearest words:\n{words}", transform=left.transAxes, ha="center", va="top",
        fontsize=9, color=_INK, wrap=True,
    )  # fmt: skip
    _bars(right, found)
    if gallery is not None and near:
        for axes, one in zip(lower[0].subplots(1, _IMAGES), near, strict=False):
            axes.imshow(gallery.image(one.index, _SIDE // 2))
            axes.set_title(f"{one.label or ''}\n{one.similarity:.2f}", fontsize=8, color=_INK)
        for axes in lower[0].axes:
            axes.set_axis_off()
        lower[0].suptitle("mapped nearest to it, with the cosine", fontsize=10, color=_INK)
    return figure


def _bars(axes: Axes, found: Explanation) -> None:
    """Draw the most probable classes, and what the gate says above them."""
    shown = found.classes[:_CLASSES][::-1]
    for place, one in enumerate(shown):
        axes.barh(
            place, one.probability, color=_PALE if one.kind == "seen" else "white",
            edgecolor=_INK, hatch=None if one.kind == "seen" else "///",
        )  # fmt: skip
        axes.text(one.probability + 0.01, place, f"{one.probability:.2f}", va="center", fontsize=8)
    axes.set_yticks(range(len(shown)), [f"{one.name} ({one.kind})" for one in shown])
    axes.set_xlim(0, 1.12)
    axes.set_xlabel("p(class | image)")
    axes.spines[["top", "right"]].set_visible(False)
    kind = "novel" if found.is_novel else "not novel"
    axes.set_title(
        f"{kind}: novelty score {found.novelty_score:.3g} (above 0 is novel), "
        f"p(unseen) {found.novelty_proba:.2f}",
        fontsize=9, color=_INK,
    )  # fmt: skip
