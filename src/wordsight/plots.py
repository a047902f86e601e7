"""Pictures: the semantic map, a strip of predicted images, both in one file, and reliability.

Drawn with the object interface of matplotlib on its Agg canvas: no display is needed, and no
global state is touched. What colour says is said by shape, fill or sign as well, so that the
pictures can be read by those who do not tell the colours apart, and in print.
"""

import os
from dataclasses import dataclass, field
from io import BytesIO
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from wordsight.classifiers.recognition import Recognition
from wordsight.exceptions import InputError
from wordsight.reliability import Reliability
from wordsight.storage import atomic_path

__all__ = [
    "DPI",
    "Projection",
    "demo_picture",
    "prediction_strip",
    "project",
    "reliability_diagram",
    "save_figure",
    "semantic_map",
]

DPI = 100
"""Dots an inch: one hundredth of a figure's inch is one pixel of the file."""

SEEN_COLOUR = "#0072B2"  # blue and vermilion of the palette of Okabe and Ito (2008), which differ
UNSEEN_COLOUR = "#D55E00"  # for every kind of colour blindness, and in lightness
RIGHT_COLOUR = "#00664B"
WRONG_COLOUR = "#8B1A4A"
INK = "#222222"

_PERPLEXITY = 30.0  # the default of t-SNE's authors, lowered where there are few points
_LEAST_POINTS = 5


@dataclass(frozen=True)
class Projection:
    """Where mapped points and word vectors lie in the plane.

    Attributes
    ----------
    points : ndarray of float64, shape (n, 2)
        Mapped points S.
    words : ndarray of float64, shape (n_classes, 2)
        Word vectors W.
    """

    points: NDArray[np.float64]
    words: NDArray[np.float64]


def project(points: ArrayLike, words: ArrayLike, *, random_state: int = 0) -> Projection:
    """Lay mapped points and word vectors out in the plane, together, by t-SNE.

    Near neighbours stay near; distances between far groups mean little.

    Parameters
    ----------
    points : array-like, shape (n, d)
        Mapped points S.
    words : array-like, shape (n_classes, d)
        Word vectors W.
    random_state : int, default 0
        The seed of t-SNE.

    Returns
    -------
    Projection

    Raises
    ------
    InputError
        Tables of other dimensions, NaN or infinity, fewer than five rows in all.

    References
    ----------
    van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008; Socher et al., figure 1.
    """
    S, W = np.asarray(points, dtype=np.float64), np.asarray(words, dtype=np.float64)
    if S.ndim != 2 or W.ndim != 2 or S.shape[1] != W.shape[1]:
        raise InputError(
            f"points of shape {S.shape} and words of shape {W.shape} were given; expected two "
            "tables with as many columns as the word space has dimensions"
        )
    both = np.concatenate([S, W])
    if len(both) < _LEAST_POINTS or not np.isfinite(both).all():
        raise InputError(
            f"{len(S)} points and {len(W)} words were given; give a map at least "
            f"{_LEAST_POINTS} of them, all finite"
        )
    tsne = TSNE(
        init="pca",
        perplexity=min(_PERPLEXITY, (len(both) - 1) / 3),
        random_state=random_state,
        n_jobs=1,
    )
    # on so few points several threads only wait for one another, the longer the busier the machine
    with threadpool_limits(1):
        flat = np.asarray(tsne.fit_transform(both), dtype=np.float64)
    return Projection(flat[: len(S)], flat[len(S) :])


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
    """Draw mapped images and the words of all classes.

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
    _check_length("is_unseen", unseen, len(projection.points))
    _check_length("is_novel", novel, len(projection.points))
    _check_length("classes", names, len(projection.words))
    for of_unseen, called in product((False, True), repeat=2):
        chosen = projection.points[(unseen == of_unseen) & (novel == called)]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            marker="^" if of_unseen else "o",
            s=38 if of_unseen else 20,
            facecolors=_colour(of_unseen) if called else "white",
            edgecolors=_colour(of_unseen),
            linewidths=0.9,
            alpha=0.75 if of_unseen else 0.55,
            zorder=2 + of_unseen,
        )
    for row, of_unseen in ((slice(n_seen), False), (slice(n_seen, None), True)):
        axes.scatter(
            projection.words[row, 0],
            projection.words[row, 1],
            marker="*" if of_unseen else "s",
            s=260 if of_unseen else 46,
            facecolors=_colour(of_unseen),
            edgecolors=INK,
            linewidths=0.9,
            zorder=5,
        )
    axes.set_title(title, loc="left", fontsize=17, fontweight="bold", color=INK, pad=14)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.04)
    for spine in axes.spines.values():
        spine.set_color("#BBBBBB")
    _legend(axes)
    _label_words(axes, projection, names, n_seen)


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
        _check_length(name, values, len(images))
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


def demo_picture(
    path: str | os.PathLike[str],
    recognition: Recognition,
    images: NDArray[np.uint8],
    true: ArrayLike,
    words: ArrayLike,
    *,
    map_rows: ArrayLike,
    strip_rows: ArrayLike,
    random_state: int = 0,
    map_title: str = "Semantic map: images among words",
    strip_title: str = "Predictions",
    caption: str = "",
    size: tuple[int, int] = (1400, 1500),
) -> None:
    """Write the semantic map and a strip of predictions as one PNG file.

    Parameters
    ----------
    path : path-like
        The file, which appears whole or not at all.
    recognition : Recognition
        What the model says of n images.
    images : ndarray of uint8, shape (n, height, width, 3)
    true : array-like of str, shape (n,)
        Their true classes.
    words : array-like, shape (n_classes, d)
        Word vectors in the order of ``recognition.classes``.
    map_rows, strip_rows : array-like of int
        Which of the images the map and the strip show.
    random_state : int, default 0
        The seed of t-SNE.
    map_title, strip_title, caption : str
        Texts above the two parts, and below both.
    size : (int, int), default (1400, 1500)
        Width and height of the file in pixels.

    Raises
    ------
    InputError
        Lengths that differ.
    """
    labels = np.asarray(true).astype(np.str_)
    _check_length("true", labels, len(recognition.proba))
    _check_length("images", images, len(recognition.proba))
    is_unseen = np.isin(labels, recognition.classes[recognition.n_seen :].astype(np.str_))
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 1, height_ratios=[0.6, 0.4])
    axes = figure.add_subfigure(grid[0]).add_axes((0.02, 0.09, 0.96, 0.85))
    shown = np.asarray(map_rows, dtype=np.int64)
    semantic_map(
        axes,
        project(recognition.mapped[shown], words, random_state=random_state),
        recognition.classes,
        recognition.n_seen,
        is_unseen=is_unseen[shown],
        is_novel=recognition.is_novel[shown],
        title=map_title,
    )
    shown = np.asarray(strip_rows, dtype=np.int64)
    prediction_strip(
        figure.add_subfigure(grid[1]),
        images[shown],
        labels[shown],
        recognition.label[shown],
        recognition.probability[shown],
        is_unseen[shown],
        title=strip_title,
    )
    figure.text(0.02, 0.012, caption, fontsize=11, color="#555555", va="bottom")
    save_figure(figure, path)


def reliability_diagram(found: Reliability, *, title: str = "How sure, how right") -> Figure:
    """Draw how often a model was right against how sure it was.

    On the diagonal it is right as often as it says; below, it is too sure. Under it, how many
    images there are of each sureness.

    Parameters
    ----------
    found : Reliability
        From `metrics.reliability`.
    title : str

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=(6.0, 6.6))
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    left, width = found.edges[:-1], np.diff(found.edges)
    filled = found.counts > 0
    above.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="as sure as right")
    above.bar(
        left[filled], found.accuracy[filled], width[filled], align="edge", color=SEEN_COLOUR,
        edgecolor="white", label="share right",
    )  # fmt: skip
    above.plot(
        found.confidence[filled], found.accuracy[filled], "o", color=UNSEEN_COLOUR,
        markeredgecolor="white", label="mean probability named",
    )  # fmt: skip
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of images that are right", title=title)
    above.text(
        0.97, 0.05, f"expected calibration error {found.error:.3f}", ha="right", color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )  # fmt: skip
    above.legend(loc="upper left", frameon=False)
    below.bar(left, found.counts, width, align="edge", color=SEEN_COLOUR, edgecolor="white")
    below.set(xlabel="probability of the class named", ylabel="images")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return figure


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, `DPI` dots an inch, whole or not at all."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    with atomic_path(path) as temporary, Image.open(drawn) as image:
        # nothing is transparent: without that channel the file is smaller
        image.convert("RGB").save(temporary, format="PNG")


def _colour(of_unseen: bool) -> str:
    return UNSEEN_COLOUR if of_unseen else SEEN_COLOUR


def _check_length(what: str, values: Any, expected: int) -> None:
    if len(values) != expected:
        raise InputError(f"{what} has {len(values)} entries; expected {expected}, one for each")


@dataclass
class _Obstacles:
    """What a label should not cover; all in pixels of the figure.

    Attributes
    ----------
    frame : Bbox
        Labels stay inside.
    marks, points : ndarray of float64, shape (m, 2)
        Words and images.
    labels : list of Bbox
        The labels placed so far.
    """

    frame: Bbox
    marks: NDArray[np.float64]
    points: NDArray[np.float64]
    labels: list[Bbox] = field(default_factory=list)

    def put(self, label: Annotation, mark: NDArray[np.float64], radius: float) -> None:
        """Move a label to the cheapest of sixty places round its mark."""
        extent = Text.get_window_extent(label)  # of the text alone, without the line to its mark
        width, height = extent.width + 6, extent.height + 4
        best: tuple[float, tuple[float, float], Bbox] | None = None
        for distance, turn in product((0, 10, 24, 42, 64), range(12)):
            angle = 2 * np.pi * turn / 12
            x = (width / 2 + radius + distance) * float(np.cos(angle))
            y = (height / 2 + radius + distance) * float(np.sin(angle))
            box = Bbox.from_bounds(mark[0] + x - width / 2, mark[1] + y - height / 2, width, height)
            cost = self._cost(box) + 6 * distance
            if best is None or cost < best[0]:
                best = (cost, (x, y), box)
        assert best is not None  # there are sixty places
        label.set_position(best[1])
        self.labels.append(best[2])

    def _cost(self, box: Bbox) -> float:
        """Weigh what a box covers: names worst, then the marks of words, then images."""
        shared = (Bbox.intersection(box, other) for other in self.labels)
        covered = sum(part.width * part.height for part in shared if part is not None)
        corners = box.get_points()
        outside = bool((corners < self.frame.min).any() or (corners > self.frame.max).any())
        return float(
            10 * covered
            + 400 * box.count_contains(self.marks)
            + 25 * box.count_contains(self.points)
            + 1e6 * outside
        )


def _legend(axes: Axes) -> None:
    """Name every kind of mark below the map."""

    def mark(shape: str, of_unseen: bool, filled: bool, size: float, text: str) -> Line2D:
        return Line2D(
            [],
            [],
            linestyle="none",
            marker=shape,
            markersize=size,
            markerfacecolor=_colour(of_unseen) if filled else "white",
            markeredgecolor=INK if shape in "s*" else _colour(of_unseen),
            label=text,
        )

    axes.legend(
        handles=[
            mark("o", False, False, 7, "image of a seen class"),
            mark("o", False, True, 7, "… called novel (wrongly)"),
            mark("^", True, False, 8, "image of an unseen class"),
            mark("^", True, True, 8, "… called novel (rightly)"),
            mark("s", False, True, 8, "word of a seen class"),
            mark("*", True, True, 16, "word of an unseen class"),
        ],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=3,
        frameon=False,
        fontsize=12,
        handletextpad=0.3,
        columnspacing=2.5,
    )


def _label_words(axes: Axes, projection: Projection, names: list[str], n_seen: int) -> None:
    """Write each name near its mark, where it covers the fewest other names and marks."""
    axes.autoscale_view()  # otherwise done while drawing, when it is too late to measure
    marks, others = (axes.transData.transform(xy) for xy in (projection.words, projection.points))
    frame = axes.get_window_extent()
    obstacles = _Obstacles(frame, marks, others)
    # unseen classes first: they are what the map is about
    for row in [*range(n_seen, len(names)), *range(n_seen)]:
        of_unseen = row >= n_seen
        label = axes.annotate(
            names[row],
            projection.words[row],
            xytext=(0, 0),
            textcoords="offset pixels",
            ha="center",
            va="center",
            fontsize=14 if of_unseen else 11.5,
            fontweight="bold" if of_unseen else "normal",
            color="#A34700" if of_unseen else "#003D61",
            path_effects=[withStroke(linewidth=3.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": "#666666", "lw": 0.7, "shrinkB": 3},
            zorder=6,
        )
        radius = 13 if of_unseen else 8  # of the mark, in pixels
        obstacles.put(label, marks[row], radius)


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
