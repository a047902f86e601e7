"""The picture of the demo: the semantic map and a strip of predictions in one file."""

import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from wordsight.classifiers.recognition import Recognition
from wordsight.plots.checks import check_length
from wordsight.plots.figure import DPI, save_figure
from wordsight.plots.map import semantic_map
from wordsight.plots.projection import project
from wordsight.plots.strip import prediction_strip

__all__ = ["demo_picture"]


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
    check_length("true", labels, len(recognition.proba))
    check_length("images", images, len(recognition.proba))
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
