"""The palette is told apart by people with deuteranopia and protanopia, and in grey."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.plots.palette import (
    INK,
    OKABE_ITO,
    RIGHT_COLOUR,
    SEEN_COLOUR,
    UNSEEN_COLOUR,
    UNSEEN_INK,
    WRONG_COLOUR,
    class_marks,
)

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", IEEE TVCG 15(6), 2009: severity 1.0, on linear RGB
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip

# IEC 61966-2-1: linear sRGB to XYZ, of white D65
TO_XYZ = np.array([
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip


def lab(colour: str, blindness: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* of a colour as it is seen; 1 apart is just noticeable."""
    given = np.array(to_rgb(colour))
    linear = np.where(given <= 0.04045, given / 12.92, ((given + 0.055) / 1.055) ** 2.4)
    x, y, z = TO_XYZ @ np.clip(blindness @ linear, 0, 1) / TO_XYZ.sum(1)
    fx, fy, fz = (
        np.cbrt(v) if v > (6 / 29) ** 3 else v / (3 * (6 / 29) ** 2) + 4 / 29 for v in (x, y, z)
    )
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def distance(one: str, other: str, kind: str) -> float:
    return float(np.linalg.norm(lab(one, BLINDNESS[kind]) - lab(other, BLINDNESS[kind])))


def test_white_and_black_are_where_they_should_be() -> None:
    for matrix in BLINDNESS.values():
        np.testing.assert_allclose(lab("white", matrix), [100, 0, 0], atol=0.05)
        np.testing.assert_allclose(lab("black", matrix), [0, 0, 0], atol=1e-6)
    # red and green of one lightness are what a palette must not rely on
    assert (
        distance("#D03030", "#6E7A00", "deuteranopia") < distance("#D03030", "#6E7A00", "none") / 2
    )


@pytest.mark.parametrize("kind", BLINDNESS)
def test_any_two_colours_differ_for_everybody(kind: str) -> None:
    for one, other in combinations(OKABE_ITO, 2):
        assert distance(one, other, kind) > 12, (one, other)


@pytest.mark.parametrize("kind", BLINDNESS)
def test_what_matters_differs_by_far(kind: str) -> None:
    assert distance(SEEN_COLOUR, UNSEEN_COLOUR, kind) > 60
    assert distance(RIGHT_COLOUR, WRONG_COLOUR, kind) > 20


def test_seen_and_unseen_differ_in_grey_print_too() -> None:
    seen, unseen = (lab(colour, BLINDNESS["none"])[0] for colour in (SEEN_COLOUR, UNSEEN_COLOUR))
    assert abs(seen - unseen) > 8


@pytest.mark.parametrize("colour", [INK, UNSEEN_INK, RIGHT_COLOUR, WRONG_COLOUR])
def test_colours_of_text_stand_out_from_white(colour: str) -> None:
    given = np.array(to_rgb(colour))
    linear = np.where(given <= 0.04045, given / 12.92, ((given + 0.055) / 1.055) ** 2.4)
    assert 1.05 / (TO_XYZ[1] @ linear + 0.05) >= 4.5  # WCAG 2.2, level AA


def test_no_two_classes_share_a_mark_and_triangles_are_unseen() -> None:
    marks = class_marks(40, 32)
    assert len(set(marks)) == 72
    assert {shape for _colour, shape in marks[:8]} == {"o"}  # shapes change beyond eight
    assert not {shape for _, shape in marks[:40]} & {shape for _, shape in marks[40:]}
    # as long as there are no more than eight in all, colours alone tell
    assert len({colour for colour, _shape in class_marks(5, 3)}) == 8
    with pytest.raises(InputError, match="41 seen classes"):
        class_marks(41, 0)
    with pytest.raises(InputError, match="33 unseen classes"):
        class_marks(2, 33)
