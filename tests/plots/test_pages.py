"""Each figure at the width of a page and of a column: what it shows, and that it can be read."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import cosine, pdist

from plots.legible import check_legible, tick_labels
from wordsight.exceptions import InputError
from wordsight.metrics import seen_unseen_curve
from wordsight.plots import (
    Projection,
    confusion_diagram,
    curve_diagram,
    filter_mosaic,
    map_diagram,
    reliability_diagram,
    words_diagram,
)
from wordsight.plots.figure import encoded, shortened
from wordsight.plots.filters import atoms_in_pixels
from wordsight.reliability import reliability

WIDTHS = (16.0, 9.0)


def class_names(n: int) -> list[str]:
    """Short names and long ones, of one word and of several."""
    endless = "extraordinarily-long-hyphenated-name"
    kinds = ["owl", endless, "owl", "very common sandpiper", "owl"]
    return [f"{kinds[i % 5]} {i}" for i in range(n)]


def confusions(n: int) -> NDArray[np.int64]:
    counts = np.random.default_rng(n).poisson(0.5, (n, n)) + np.diag(np.arange(n) * 37 + 1)
    return counts.astype(np.int64)


def some_curve() -> Figure:
    rng = np.random.default_rng(0)
    true = rng.choice(["a", "b", "c", "d"], 200)
    curve = seen_unseen_curve(
        true, rng.choice(["a", "b"], 200), rng.choice(["c", "d"], 200), rng.normal(size=200),
        seen=["a", "b"], unseen=["c", "d"],
    )  # fmt: skip
    return curve_diagram(curve, (0.3, 0.2), title="A curve of some data with a long name")


def map_of(n: int, width: float) -> Figure:
    rng = np.random.default_rng(n)
    words = rng.uniform(-9, 9, (n, 2))
    points = np.repeat(words, 6, axis=0) + rng.normal(size=(6 * n, 2))
    names = class_names(n)
    n_seen = max(1, n - n // 4)
    return map_diagram(
        Projection(points, words), names, n_seen, np.repeat(names, 6), rng.random(6 * n) < 0.3,
        width=width,
    )  # fmt: skip


# --- all of them can be read ---------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("n", [2, 10, 100])
def test_tables_of_classes_can_be_read(n: int, width: float) -> None:
    names, n_seen = class_names(n), max(1, n - n // 4)
    check_legible(confusion_diagram(confusions(n), names, n_seen, width=width))
    vectors = np.random.default_rng(n).normal(size=(n, 20))
    check_legible(words_diagram(vectors, names, n_seen, width=width))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("n", [2, 10, 100])
def test_maps_can_be_read(n: int, width: float) -> None:
    check_legible(map_of(n, width))


@pytest.mark.parametrize("width", WIDTHS)
def test_curves_diagrams_and_filters_can_be_read(width: float) -> None:
    found = seen_unseen_curve(
        ["a", "b", "c"], ["a", "b", "a"], ["c", "c", "c"], [-1.5e-7, 0.2, 0.3],
        seen=["a", "b"], unseen=["c"],
    )  # fmt: skip
    title = "A title that is wider than a column of text: images of a folder, test split"
    check_legible(curve_diagram(found, (1.0, 1.0), title=title, width=width))
    sure = np.linspace(0, 1, 40)
    check_legible(reliability_diagram(reliability(sure > 0.4, sure), title=title, width=width))
    filters = np.random.default_rng(0).normal(size=(37, 6, 6, 3))
    check_legible(filter_mosaic(filters, title=title, width=width))


def test_the_check_of_legibility_can_fail() -> None:
    figure = some_curve()
    check_legible(figure)
    axes = figure.axes[0]
    axes.tick_params(labelsize=7)
    with pytest.raises(AssertionError):
        check_legible(figure)
    axes.tick_params(labelsize=8)
    check_legible(figure)
    figure.text(0.95, 0.5, "beyond the edge")
    with pytest.raises(AssertionError, match="cut off"):
        check_legible(figure)
    crowded = some_curve()
    crowded.axes[0].set_xticks(np.linspace(0, 0.5, 40))
    with pytest.raises(AssertionError):
        check_legible(crowded)


def test_long_names_keep_their_head_and_tail() -> None:
    assert shortened("owl") == "owl"
    name = shortened("an endless name of a class of images 17", 20)
    assert len(name) == 20
    assert name.startswith("an endless")
    assert name.endswith("17")
    assert shortened("two\nlines  of $x$") == r"two lines of \$x\$"


# --- the curve -----------------------------------------------------------------------------------


def line_named(figure: Figure, start: str) -> Line2D:
    (found,) = [
        line for line in figure.axes[0].lines
        if " ".join(str(line.get_label()).split()).startswith(start)
    ]  # fmt: skip
    return found


def test_the_curve_is_the_one_worked_out_by_hand() -> None:
    # one image a class; scores fall from the unseen "c" to the seen "a"
    curve = seen_unseen_curve(
        ["a", "b", "c"], ["a", "b", "b"], ["c", "c", "c"], [0.1, 0.2, 0.9],
        seen=["a", "b"], unseen=["c"],
    )  # fmt: skip
    figure = curve_diagram(curve, (0.5, 1.0))
    line = line_named(figure, "gate")
    # the point (0.5, 1) lies on the way from (1, 1) to (0, 1), and is no corner
    np.testing.assert_allclose(np.asarray(line.get_xydata()), [[1, 0], [1, 1], [0, 1]])
    assert "(AUSUC) 1.000" in " ".join(str(line.get_label()).split())
    best = line_named(figure, "best harmonic mean")
    np.testing.assert_allclose(np.asarray(best.get_xydata()), [[1.0, 1.0]])
    assert "100.0 % (seen 100.0 %, unseen 100.0 %)" in " ".join(str(best.get_label()).split())
    model = line_named(figure, "the model as it is")
    np.testing.assert_allclose(np.asarray(model.get_xydata()), [[0.5, 1.0]])
    assert "harmonic mean 66.7 %" in " ".join(str(model.get_label()).split())


def test_fewer_points_are_the_same_curve() -> None:
    rng = np.random.default_rng(1)
    n = 3000
    true = rng.choice(["a", "b", "c", "d"], n)
    curve = seen_unseen_curve(
        true, rng.choice(["a", "b"], n), rng.choice(["c", "d"], n), rng.normal(size=n),
        seen=["a", "b"], unseen=["c", "d"],
    )  # fmt: skip
    line = line_named(curve_diagram(curve, (0.1, 0.1)), "gate")
    x, y = np.asarray(line.get_xydata()).T
    assert len(x) < 0.6 * len(curve.thresholds)
    assert float(np.trapezoid(y[::-1], x[::-1])) == pytest.approx(curve.area, abs=1e-12)
    # every point of the curve is on the line drawn: between its neighbours there
    total = np.asarray(line.get_xydata()) @ [-1.0, 1.0]  # rises along the curve
    along = curve.unseen_accuracy - curve.seen_accuracy
    np.testing.assert_allclose(np.interp(along, total, x), curve.seen_accuracy, atol=1e-9)
    np.testing.assert_allclose(np.interp(along, total, y), curve.unseen_accuracy, atol=1e-9)


def test_the_dotted_line_has_one_harmonic_mean() -> None:
    figure = some_curve()
    x, y = np.asarray(line_named(figure, "all points").get_xydata()).T
    means = 2 * x * y / (x + y)
    np.testing.assert_allclose(means, means[0])
    assert any(isinstance(one, PolyCollection) for one in figure.axes[0].collections)  # the area


# --- the confusion matrix -------------------------------------------------------------------------


def test_shares_counts_and_blocks_of_a_confusion_matrix() -> None:
    counts = np.array([[3, 1, 0], [0, 8, 0], [1, 0, 1]])
    figure = confusion_diagram(counts, ["owl", "cat", "zebra"], 2)
    axes = figure.axes[0]
    (image,) = axes.images
    expected = np.array([[0.75, 0.25, 0.0], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    np.testing.assert_allclose(np.asarray(image.get_array()), expected)
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {
        (0, 0): "75 %\n3", (1, 0): "25 %\n1", (1, 1): "100 %\n8", (0, 2): "50 %\n1",
        (2, 2): "50 %\n1",
    }  # fmt: skip
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["owl (4)", "cat (8)", "★ zebra (2)"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["owl", "cat", "★ zebra"]
    at = {round(float(np.ravel(line.get_ydata())[0]), 3) for line in axes.lines}
    assert 1.5 in at  # between seen and unseen rows
    weights = [label.get_fontweight() for label in axes.get_yticklabels()]
    assert weights == ["normal", "normal", "bold"]


def test_a_class_without_images_has_no_shares_and_many_classes_no_numbers() -> None:
    counts = confusions(100)
    counts[7] = 0
    figure = confusion_diagram(counts, class_names(100), 80)
    axes = figure.axes[0]
    shown: Any = axes.images[0].get_array()  # masked where it is not finite
    lacking = np.ma.getmaskarray(shown)
    assert lacking[7].all()
    assert not np.delete(lacking, 7, axis=0).any()
    assert not axes.texts
    named = [label.get_text() for labels in tick_labels(axes) for label in labels]
    numbers = {int(text.split()[0]) for text in named if len(text.split()) > 1}
    assert numbers == set(range(1, 101))  # every class has its name, on the left or on the right


def test_numbers_in_cells_can_be_told_from_their_shade() -> None:
    counts = np.array([[100 - share, share] for share in (0, 30)])
    axes = confusion_diagram(counts, ["a", "b"], 1).axes[0]
    (image,) = axes.images
    for text in axes.texts:
        column, row = (int(place) for place in text.get_position())
        shade = np.asarray(image.to_rgba(np.asarray(image.get_array())))[row, column, :3]
        assert contrast(shade, text.get_color()) >= 4.5


def luminance(colour: NDArray[np.float64]) -> float:
    """WCAG 2.2, relative luminance."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: NDArray[np.float64], other: Any) -> float:
    light, dark = sorted([luminance(one), luminance(np.array(to_rgb(other)))], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("matrix", "classes", "says"),
    [
        (np.zeros((2, 3)), ["a", "b"], r"\(2, 3\)"),
        (np.zeros((3, 3)), ["a", "b"], "matrix has 3 entries; expected 2"),
    ],
)
def test_a_confusion_matrix_that_cannot_be(
    matrix: NDArray[np.float64], classes: list[str], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        confusion_diagram(matrix, classes, 1)


# --- words ---------------------------------------------------------------------------------------


def test_words_are_clustered_as_scipy_clusters_them() -> None:
    vectors = np.random.default_rng(3).normal(size=(9, 5))
    names = [f"w{i}" for i in range(9)]
    axes = words_diagram(vectors, names, 7).axes[0]
    distances = pdist(vectors, "cosine")
    order = leaves_list(optimal_leaf_ordering(linkage(distances, "average"), distances))
    shown = [label.get_text().removeprefix("★ ") for label in axes.get_yticklabels()]
    assert shown in ([names[i] for i in order], [names[i] for i in order[::-1]])
    rows = [int(name[1:]) for name in shown]
    expected = [[1 - cosine(vectors[i], vectors[j]) for j in rows] for i in rows]
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), expected, atol=1e-12)
    starred = [label.get_text() for label in axes.get_yticklabels() if "★" in label.get_text()]
    assert sorted(starred) == ["★ w7", "★ w8"]


@pytest.mark.parametrize(
    "vectors", [np.ones((1, 3)), np.zeros((2, 3)), np.full((2, 3), np.nan), np.ones(3)]
)
def test_words_without_directions(vectors: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="word vectors of shape"):
        words_diagram(vectors, ["a", "b"], 1)


# --- filters -------------------------------------------------------------------------------------


def test_whitening_the_atoms_drawn_gives_the_atoms() -> None:
    rng = np.random.default_rng(4)
    half = rng.normal(size=(27, 27))
    whitener = half @ half.T + np.eye(27)
    atoms = rng.normal(size=(5, 27))
    pixels = atoms_in_pixels(atoms, whitener)
    assert pixels.shape == (5, 3, 3, 3)
    flat = pixels.transpose(0, 3, 1, 2).reshape(5, 27)  # as patches lie in memory: colours first
    np.testing.assert_allclose(flat @ whitener, atoms, atol=1e-8)


def test_filters_lie_in_order_scaled_about_grey() -> None:
    filters = np.zeros((3, 2, 2, 3))
    filters[0, 0, 0, 0] = 1.0
    filters[2, :, :, 2] = -5.0  # the largest norm: first
    figure = filter_mosaic(filters)
    mosaic = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(mosaic[:2, :2], np.broadcast_to([0.5, 0.5, 0.0], (2, 2, 3)))
    np.testing.assert_allclose(mosaic[0, 3], [1.0, 0.5, 0.5])
    np.testing.assert_allclose(mosaic[1, 4], [0.5, 0.5, 0.5])
    np.testing.assert_allclose(mosaic[:2, 6:8], 0.5)  # nothing but zeros is grey, not a division
    np.testing.assert_allclose(mosaic[2], 1.0)
    np.testing.assert_allclose(mosaic[:2, 2], 1.0)


@pytest.mark.parametrize("shape", [(0, 3, 3, 3), (4, 3, 3), (4, 3, 3, 1)])
def test_filters_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=re.escape(str(shape))):
        filter_mosaic(np.zeros(shape))
    with pytest.raises(InputError, match="expected"):
        atoms_in_pixels(np.zeros((4, 12)), np.eye(13))


# --- the map of classes ---------------------------------------------------------------------------


def test_each_class_has_its_own_mark_at_its_images() -> None:
    rng = np.random.default_rng(5)
    names = ["owl", "cat", "zebra"]
    points, words = rng.normal(size=(30, 2)), rng.normal(size=(3, 2))
    true = np.repeat(names, 10)
    novel = rng.random(30) < 0.5
    figure = map_diagram(Projection(points, words), names, 2, true, novel)
    found: dict[tuple[float, ...], tuple[object, ...]] = {}
    for marks in figure.axes[0].collections:
        if isinstance(marks, PathCollection):
            look = (
                tuple(np.asarray(marks.get_facecolor())[0, :3]),
                len(np.asarray(marks.get_paths()[0].vertices)),
            )
            rim = tuple(np.asarray(marks.get_edgecolor())[0, :3])
            for place in np.asarray(marks.get_offsets()):
                found[tuple(place)] = (look, rim)
    assert len(found) == 33
    looks = {name: {found[tuple(p)][0] for p in points[true == name]} for name in names}
    assert all(len(look) == 1 for look in looks.values())
    assert len(set.union(*looks.values())) == 3
    rims = [{found[tuple(p)][1] for p in points[novel == called]} for called in (True, False)]
    assert rims == [{(0.0, 0.0, 0.0)}, {(1.0, 1.0, 1.0)}]
    said = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert said[:3] == names
    assert "black rim: called novel" in said


def test_many_classes_are_told_apart_by_kind_and_what_is_not_named_is_counted() -> None:
    figure = map_of(100, 9.0)
    said = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert len(said) == 6
    (note,) = [text.get_text() for text in figure.texts if "not named" in text.get_text()]
    n_left_out = int(note.split()[0])
    assert 0 < n_left_out < 100
    assert len(figure.axes[0].texts) == 100 - n_left_out


# --- files ---------------------------------------------------------------------------------------

FIGURES: dict[str, Callable[[], Figure]] = {
    "curve": some_curve,
    "map": lambda: map_of(6, 10.0),
    "confusion": lambda: confusion_diagram(confusions(4), class_names(4), 3),
    "words": lambda: words_diagram(np.eye(4) + 0.1, class_names(4), 3),
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_figure_is_the_same_bytes_in_every_format(name: str) -> None:
    for kind in ("png", "svg", "pdf"):
        one, two = (encoded(FIGURES[name](), kind, dpi=80, title="Größe") for _ in range(2))
        assert one == two
        assert not re.search(rb"20[2-9]\d-\d\d|CreationDate|matplotlib\.org", one)
    assert one.startswith(b"%PDF")


def test_each_format_opens_and_has_its_size_and_title() -> None:
    figure = some_curve()
    width, height = figure.get_size_inches()
    with Image.open(BytesIO(encoded(figure, "png", dpi=200, title="A title"))) as image:
        assert image.size == (int(width * 200), int(height * 200))
        assert image.info["Title"] == "A title"
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    root = ElementTree.fromstring(encoded(figure, "svg", title="A title"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert float(root.attrib["width"].removesuffix("pt")) == pytest.approx(72 * width, abs=0.01)
    assert "A title" in "".join(root.itertext())
    assert b"/Title (A title)" in encoded(figure, "pdf", title="A title")
