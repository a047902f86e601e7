"""Whether a drawn figure can be read: sizes, places and overlaps of its texts."""

from collections.abc import Iterator
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.axis import Tick
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SMALLEST = 8.0
"""Points."""


def box_of(text: Text) -> Bbox:
    return Text.get_window_extent(text)  # of an annotation without its line


def tick_labels(axes: Axes) -> Iterator[list[Text]]:
    """The labels of each side of axes that lie within its limits, in their order."""
    for one in (axes, *axes.child_axes):
        for axis, limits in ((one.xaxis, one.get_xlim()), (one.yaxis, one.get_ylim())):
            if not (one.axison and axis.get_visible()):
                continue
            low, high = sorted(limits)
            margin = 1e-9 * (high - low)
            ticks = sorted(axis.get_major_ticks(), key=Tick.get_loc)
            yield [
                label
                for tick in ticks
                for label in (tick.label1, tick.label2)
                if low - margin <= tick.get_loc() <= high + margin
                and label.get_text()
                and label.get_visible()
            ]


def texts_of(figure: Figure) -> list[Text]:
    """Every text that is drawn."""
    shown = [label for axes in figure.axes for labels in tick_labels(axes) for label in labels]
    # of the labels of ticks, some lie out of sight and are never drawn
    ticks = [tick for axes in figure.axes for tick in axes.findobj(Tick)]
    of_ticks = {id(text) for tick in ticks for text in (tick.label1, tick.label2)}
    free = [text for text in figure.findobj(Text) if id(text) not in of_ticks]
    return shown + [text for text in free if text.get_text() and text.get_visible()]


def check_legible(figure: Figure) -> None:
    """Assert that no text is small, cut off at the edge, or over its neighbour on an axis."""
    figure.draw_without_rendering()
    page = figure.bbox
    texts = texts_of(figure)
    assert texts
    for text in texts:
        assert float(text.get_fontsize()) >= SMALLEST, text
        box = box_of(text)
        inside = min(box.x0, box.y0, page.x1 - box.x1, page.y1 - box.y1) >= -0.5
        assert inside, f"{text.get_text()!r} at {box} is cut off by the page {page}"
    for axes in figure.axes:
        for labels in tick_labels(axes):
            for one, other in pairwise(labels):
                assert not _overlap(box_of(one), box_of(other)), (one, other)


def _overlap(one: Bbox, other: Bbox) -> bool:
    shared = Bbox.intersection(one, other)
    # a line of text is higher than its letters: a pixel of it is none of a letter
    return shared is not None and shared.width > 1 and shared.height > 1
