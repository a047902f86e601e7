"""The pictures: every image and every word is on them, once, with the mark that its kind has."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from PIL import Image

from wordsight.classifiers.recognition import Recognition
from wordsight.exceptions import InputError, WordsightError
from wordsight.plots import (
    Projection,
    demo_picture,
    prediction_strip,
    project,
    reliability_diagram,
    save_figure,
    semantic_map,
)
from wordsight.reliability import reliability

NAMES = ["cat", "dog", "car", "truck", "zebra", "owl"]
N_SEEN = 4


def blank(width: int = 1400, height: int = 900) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((0.02, 0.1, 0.96, 0.85))


def sorted_rows(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return table[np.lexsort(table.T)]


# --- the projection -----------------------------------------------------------------------------


def test_groups_that_are_far_apart_stay_groups() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(8)[:3] * 50
    group = np.repeat([0, 1, 2], 20)
    flat = project(centres[group] + rng.normal(size=(60, 8)), centres)
    assert flat.points.shape == (60, 2)
    assert flat.words.shape == (3, 2)
    distance = np.linalg.norm(flat.points[:, None] - flat.words[None], axis=2)
    np.testing.assert_array_equal(distance.argmin(1), group)


def test_the_same_seed_gives_the_same_projection() -> None:
    rng = np.random.default_rng(1)
    S, W = rng.normal(size=(30, 5)), rng.normal(size=(4, 5))
    first, second = project(S, W, random_state=3), project(S, W, random_state=3)
    np.testing.assert_array_equal(first.points, second.points)
    np.testing.assert_array_equal(first.words, second.words)


@pytest.mark.parametrize(
    ("points", "words", "says"),
    [
        (np.zeros((9, 3)), np.zeros((2, 4)), r"\(9, 3\) and words of shape \(2, 4\)"),
        (np.zeros((2, 3)), np.zeros((2, 3)), "at least 5"),
        (np.full((9, 3), np.nan), np.zeros((2, 3)), "finite"),
    ],
)
def test_what_cannot_be_projected(
    points: NDArray[np.float64], words: NDArray[np.float64], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        project(points, words)


# --- the semantic map ---------------------------------------------------------------------------


def drawn_map(n: int = 50) -> tuple[Axes, Projection, NDArray[np.bool_], NDArray[np.bool_]]:
    rng = np.random.default_rng(2)
    projection = Projection(rng.uniform(-9, 9, (n, 2)), rng.uniform(-9, 9, (len(NAMES), 2)))
    unseen, novel = rng.random(n) < 0.3, rng.random(n) < 0.4
    _, axes = blank()
    semantic_map(axes, projection, NAMES, N_SEEN, is_unseen=unseen, is_novel=novel)
    return axes, projection, unseen, novel


def offsets(mark: PathCollection) -> NDArray[np.float64]:
    return np.asarray(mark.get_offsets(), dtype=np.float64)


def marks_of(axes: Axes) -> list[PathCollection]:
    return [mark for mark in axes.collections if isinstance(mark, PathCollection)]


def test_every_image_and_every_word_has_one_mark_at_its_place() -> None:
    axes, projection, _, _ = drawn_map()
    drawn = np.concatenate([offsets(mark) for mark in marks_of(axes)])
    expected = np.concatenate([projection.points, projection.words])
    np.testing.assert_array_equal(sorted_rows(drawn), sorted_rows(expected))


def test_kinds_differ_in_shape_and_fill_and_not_in_colour_alone() -> None:
    axes, projection, unseen, novel = drawn_map()
    looks: dict[tuple[float, ...], tuple[int, tuple[float, ...]]] = {}
    for mark in marks_of(axes):
        place = tuple(offsets(mark)[0])
        colour = tuple(np.asarray(mark.get_facecolor())[0, :3])
        looks[place] = (len(np.asarray(mark.get_paths()[0].vertices)), colour)
    kind_of_first = {
        (bool(u), bool(v)): looks[tuple(projection.points[(unseen == u) & (novel == v)][0])]
        for u in (False, True)
        for v in (False, True)
    }
    white = (1.0, 1.0, 1.0)
    for of_unseen in (False, True):
        assert kind_of_first[of_unseen, False][1] == white
        assert kind_of_first[of_unseen, True][1] != white
    for called in (False, True):
        assert kind_of_first[False, called][0] != kind_of_first[True, called][0]
    words = [looks[tuple(projection.words[row])] for row in (0, N_SEEN)]
    assert words[0][0] != words[1][0]
    assert len(looks) == 6


def labels_of(axes: Axes) -> dict[str, Annotation]:
    return {text.get_text(): text for text in axes.texts if isinstance(text, Annotation)}


def box_of(label: Annotation) -> Bbox:
    return Text.get_window_extent(label)


def test_every_class_is_named_once_at_its_word() -> None:
    axes, projection, _, _ = drawn_map()
    labels = labels_of(axes)
    assert sorted(labels) == sorted(NAMES)
    assert len(axes.texts) == len(NAMES)
    for name, place in zip(NAMES, projection.words, strict=True):
        np.testing.assert_array_equal(np.asarray(labels[name].xy, dtype=np.float64), place)


def test_names_cover_neither_each_other_nor_words_and_stay_inside() -> None:
    # 36 words 120 pixels apart: there is room, so there is no excuse
    grid = np.stack(np.meshgrid(np.arange(9.0), np.arange(4.0)), axis=-1).reshape(-1, 2)
    names = [f"colour shape {row}" for row in range(len(grid))]
    figure, axes = blank()
    none = np.zeros(0, dtype=bool)
    semantic_map(axes, Projection(np.empty((0, 2)), grid), names, 30, is_unseen=none, is_novel=none)
    figure.draw_without_rendering()
    boxes = [box_of(label) for label in labels_of(axes).values()]
    assert len(boxes) == 36
    frame = axes.get_window_extent()
    marks = axes.transData.transform(grid)
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:place])
        assert box.count_contains(marks) == 0
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1


def test_the_legend_names_all_six_kinds_and_the_title_is_as_given() -> None:
    axes, _, _, _ = drawn_map()
    legend = axes.get_legend()
    assert legend is not None
    assert len({text.get_text() for text in legend.get_texts()}) == 6
    assert axes.get_title(loc="left") == "Semantic map: images among words"


@pytest.mark.parametrize("wrong", ["is_unseen", "is_novel", "classes"])
def test_lengths_that_differ_are_named(wrong: str) -> None:
    flags = {name: np.zeros(7 + (name == wrong), dtype=bool) for name in ("is_unseen", "is_novel")}
    classes = ["cat", "dog", "car"] if wrong == "classes" else ["cat", "dog"]
    _, axes = blank()
    projection = Projection(np.zeros((7, 2)), np.zeros((2, 2)))
    with pytest.raises(InputError, match=f"{wrong} has"):
        semantic_map(
            axes, projection, classes, 1, is_unseen=flags["is_unseen"], is_novel=flags["is_novel"]
        )


# --- the strip ----------------------------------------------------------------------------------


def drawn_strip() -> tuple[Figure, NDArray[np.uint8]]:
    images = np.random.default_rng(3).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
    figure = Figure(figsize=(9, 5))
    prediction_strip(
        figure,
        images,
        ["cat", "dog", "owl", "zebra"],
        ["cat", "car", "owl", "dog"],
        [0.5, 0.25, 1.0, 0.125],
        [False, False, True, True],
        n_columns=3,
    )
    return figure, images


def test_the_strip_shows_each_image_as_it_is() -> None:
    figure, images = drawn_strip()
    shown = [
        child
        for cell in figure.axes
        for child in cell.get_children()
        if isinstance(child, AxesImage)
    ]
    assert len(figure.axes) == 6  # two rows of three
    assert len(shown) == 4
    for picture, image in zip(shown, images, strict=True):
        np.testing.assert_array_equal(np.asarray(picture.get_array()), image)
    assert [cell.axison for cell in figure.axes] == [True] * 4 + [False] * 2


def test_the_strip_says_what_is_right_in_signs_words_and_lines() -> None:
    figure, _ = drawn_strip()
    said = [[text.get_text() for text in cell.texts] for cell in figure.axes]
    assert said == [
        ["✓ cat  0.50"],
        ["✗ car  0.25", "is dog"],
        ["✓ owl  1.00"],
        ["✗ dog  0.12", "is zebra"],
        [],
        [],
    ]
    solid = [cell.spines["left"].get_linestyle() == "-" for cell in figure.axes[:4]]
    assert solid == [True, False, True, False]
    assert ["unseen" in cell.get_title() for cell in figure.axes[:4]] == [False, False, True, True]


def test_a_strip_of_nothing_or_of_columns_that_differ_is_refused() -> None:
    with pytest.raises(InputError, match="no images"):
        prediction_strip(Figure(), np.empty((0, 4, 4, 3), np.uint8), [], [], [], [])
    with pytest.raises(InputError, match="probability has 1 entries; expected 2"):
        prediction_strip(
            Figure(), np.zeros((2, 4, 4, 3), np.uint8), ["a", "b"], ["a", "b"], [1.0], [False, True]
        )


# --- both in a file -----------------------------------------------------------------------------


def recognition(n: int) -> Recognition:
    rng = np.random.default_rng(4)
    proba = rng.dirichlet(np.ones(len(NAMES)), n)
    return Recognition(
        classes=np.array(NAMES),
        n_seen=N_SEEN,
        mapped=rng.normal(size=(n, 7)),
        seen_proba=proba[:, :N_SEEN],
        unseen_proba=proba[:, N_SEEN:],
        novelty_score=rng.normal(size=n),
        novelty_proba=rng.random(n),
        proba=proba,
    )


def write_picture(
    path: Path,
    *,
    size: tuple[int, int] = (500, 400),
    caption: str = "Synthetic.",
    n_labels: int = 20,
) -> None:
    rng = np.random.default_rng(5)
    demo_picture(
        path,
        recognition(20),
        rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8),
        rng.choice(NAMES, n_labels),
        rng.normal(size=(len(NAMES), 7)),
        map_rows=range(20),
        strip_rows=[3, 1, 4, 15, 9],
        caption=caption,
        size=size,
    )


@pytest.mark.parametrize("size", [(1400, 1500), (701, 503)])
def test_the_file_has_the_size_asked_for(tmp_path: Path, size: tuple[int, int]) -> None:
    write_picture(tmp_path / "a.png", size=size)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
        assert image.mode == "RGB"
        assert image.size == size
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_same_input_gives_the_same_file(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png")
    write_picture(tmp_path / "c.png", caption="Another.")
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WordsightError, match="cannot write"):
        write_picture(tmp_path / "file" / "a.png")


def test_labels_of_another_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="true has 19 entries; expected 20"):
        write_picture(tmp_path / "a.png", n_labels=19)
    assert not list(tmp_path.iterdir())


def test_it_draws_without_a_display_and_without_pyplot(tmp_path: Path) -> None:
    program = (
        "import sys, numpy as np\n"
        "from matplotlib.figure import Figure\n"
        "from wordsight.plots import prediction_strip, save_figure\n"
        "figure = Figure(figsize=(6, 3))\n"
        "one = np.zeros((1, 4, 4, 3), np.uint8)\n"
        "prediction_strip(figure, one, ['a'], ['a'], [1.0], [True])\n"
        "save_figure(figure, sys.argv[1])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY")
    } | {"MPLBACKEND": "TkAgg"}  # what would need a display, were it ever asked for
    path = tmp_path / "a.png"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(path) as image:
        assert image.size == (600, 300)


def test_a_reliability_diagram_shows_what_the_bins_hold(tmp_path: Path) -> None:
    sure = np.array([0.05, 0.07, 0.55, 0.58, 0.95, 0.96, 0.97, 0.99])
    right = np.array([False, False, True, False, True, True, True, True])
    found = reliability(right, sure, n_bins=10)
    figure = reliability_diagram(found, title="Some model")
    above, below = figure.axes
    heights = {round(bar.get_x(), 1): bar.get_height() for bar in above.patches}  # type: ignore[attr-defined]
    assert heights == {0.0: 0.0, 0.5: 0.5, 0.9: 1.0}
    counts = [bar.get_height() for bar in below.patches]  # type: ignore[attr-defined]
    assert counts == [2, 0, 0, 0, 0, 2, 0, 0, 0, 4]
    (legend,) = figure.legends
    assert f"expected calibration error {found.error:.3f}" in legend.get_title().get_text()
    assert figure.get_suptitle() == "Some model"
    save_figure(figure, tmp_path / "reliability.png")
    with Image.open(tmp_path / "reliability.png") as image:
        assert image.size[0] == int(16 / 2.54 * 100)
