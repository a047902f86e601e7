"""Names beside their marks, where they cover the fewest other names and marks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from wordsight.plots.figure import shortened
from wordsight.plots.palette import UNSEEN_INK

__all__ = ["ALL_NAMED", "label_words"]

ALL_NAMED = 40
"""Where there are more classes, a name that would cover another is left out."""

_DISTANCES = (0, 10, 24, 42, 64)
_TURNS = 12


@dataclass
class _Obstacles:
    """What a label should not cover; all in pixels of the figure.

    Attributes
    ----------
    frame : Bbox
        Labels stay inside.
    marks, points : ndarray of float64, shape (m, 2)
        Words and images.
    scale : float
        Of text and distances; 1 where text is of 11.5 points.
    labels : ndarray of float64, shape (k, 2, 2)
        Lower left and upper right corners of the labels placed so far.
    """

    frame: Bbox
    marks: NDArray[np.float64]
    points: NDArray[np.float64]
    scale: float
    labels: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2, 2)))

    def place(
        self, label: Annotation, mark: NDArray[np.float64], radius: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the cheapest of sixty places round a mark: the way from it, and the box there."""
        extent = Text.get_window_extent(label)  # of the text alone, without the line to its mark
        size = np.array([extent.width + 6 * self.scale, extent.height + 4 * self.scale])
        distance = np.repeat(_DISTANCES, _TURNS)[:, None]
        angle = np.tile(2 * np.pi * np.arange(_TURNS) / _TURNS, len(_DISTANCES))
        away = size / 2 + self.scale * (radius + distance)
        ways = away * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        boxes = (mark + ways)[:, None, :] + np.array([-size / 2, size / 2])
        best = int(np.argmin(self._costs(boxes) + 6 * distance[:, 0]))
        return ways[best], boxes[best]

    def is_free(self, box: NDArray[np.float64]) -> bool:
        """Say whether no label lies there yet."""
        return not self._covered(box[None]).any()

    def _covered(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the area that each box shares with labels that are there."""
        low = np.maximum(boxes[:, None, 0], self.labels[None, :, 0])
        high = np.minimum(boxes[:, None, 1], self.labels[None, :, 1])
        area: NDArray[np.float64] = np.maximum(high - low, 0.0).prod(axis=2).sum(axis=1)
        return area

    def _costs(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh what boxes cover: names worst, then the marks of words, then images."""
        outside = (boxes < self.frame.min).any(axis=(1, 2)) | (boxes > self.frame.max).any((1, 2))
        costs: NDArray[np.float64] = (
            10 * self._covered(boxes) / self.scale**2
            + 400 * _count_inside(boxes, self.marks)
            + 25 * _count_inside(boxes, self.points)
            + 1e6 * outside
        )
        return costs


def _count_inside(boxes: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.int64]:
    inside = (places > boxes[:, None, 0]) & (places < boxes[:, None, 1])
    counts: NDArray[np.int64] = inside.all(axis=2).sum(axis=1)
    return counts


def label_words(
    axes: Axes,
    words: NDArray[np.float64],
    points: NDArray[np.float64],
    names: Sequence[str],
    n_seen: int,
    *,
    text: float,
) -> int:
    """Write each name near its word.

    Parameters
    ----------
    axes : Axes
        With its final place and limits.
    words : ndarray, shape (n_classes, 2)
        Where they stand.
    points : ndarray, shape (n, 2)
        Images, to be covered as little as may be.
    names : sequence of str
    n_seen : int
        How many of them are seen: they come first.
    text : float
        Points of the names of seen classes; those of unseen ones are larger.

    Returns
    -------
    int
        Names left out because they would have covered others; 0 of up to 40.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    axes.autoscale_view()  # otherwise done while drawing, when it is too late to measure
    marks, others = (axes.transData.transform(xy) for xy in (words, points))
    obstacles = _Obstacles(axes.get_window_extent(), marks, others, text / 11.5)
    n_left_out = 0
    # unseen classes first: they are what the map is about
    for row in [*range(n_seen, len(names)), *range(n_seen)]:
        label = _written(axes, shortened(names[row]), words[row], row >= n_seen, text)
        way, box = obstacles.place(label, marks[row], 13 if row >= n_seen else 8)
        if len(names) > ALL_NAMED and not obstacles.is_free(box):
            label.remove()
            n_left_out += 1
            continue
        label.set_position(tuple(way * 72 / figure.dpi))
        obstacles.labels = np.concatenate([obstacles.labels, box[None]])
    return n_left_out


def _written(
    axes: Axes, name: str, place: NDArray[np.float64], of_unseen: bool, text: float
) -> Annotation:
    return axes.annotate(
        name,
        (float(place[0]), float(place[1])),
        xytext=(0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=text * 14 / 11.5 if of_unseen else text,
        fontweight="bold" if of_unseen else "normal",
        color=UNSEEN_INK if of_unseen else "#003D61",
        path_effects=[withStroke(linewidth=3.5 * text / 11.5, foreground="white")],
        arrowprops={"arrowstyle": "-", "color": "#666666", "lw": 0.7, "shrinkB": 3},
        zorder=6,
    )
