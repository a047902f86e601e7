"""How one synthetic picture is drawn: background, clutter, the shape, strokes, light, noise.

All lengths are in units of the shorter side of the picture, so that a picture has the same layout
at every size. Everything is drawn four times too large and averaged down, which smooths the edges.
"""

import colorsys
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["COLOURS", "OUTLINES", "Colour", "paint"]

_OVERSAMPLING = 4

Rgb = tuple[int, int, int]
Points = NDArray[np.float64]


class Colour(NamedTuple):
    """The range of one colour name in hue (degrees), saturation and value (0 to 1)."""

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]


COLOURS: Mapping[str, Colour] = MappingProxyType(
    {
        "red": Colour((-8, 6), (0.80, 1.0), (0.65, 0.95)),
        "green": Colour((110, 145), (0.60, 0.95), (0.45, 0.80)),
        "gold": Colour((43, 52), (0.75, 1.0), (0.80, 1.0)),
        "blue": Colour((205, 226), (0.70, 1.0), (0.60, 0.95)),
        "violet": Colour((262, 280), (0.60, 0.90), (0.55, 0.90)),
        "pink": Colour((322, 338), (0.35, 0.55), (0.90, 1.0)),
    }
)
"""Each colour word and what it may look like; the ranges do not touch."""


def _turn(n_points: int) -> Points:
    """Angles of `n_points` directions round the circle, the first one straight up."""
    return 2 * np.pi * np.arange(n_points) / n_points


def _polar(radius: Points | float, angle: Points) -> Points:
    return np.column_stack([radius * np.sin(angle), -radius * np.cos(angle)])


def _cross() -> Points:
    """Compose a Greek cross, made of five equal squares."""
    quarter = np.array([[1, -3], [1, -1], [3, -1]])
    turns = [np.array([[c, -s], [s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    corners: Points = np.concatenate([quarter @ turn.T for turn in turns]) / np.sqrt(10)
    return corners


def _heart() -> Points:
    """Trace the usual heart curve, scaled into the unit circle round the middle of its height."""
    t = _turn(48)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    points = np.column_stack([x, y - (y.min() + y.max()) / 2])
    return np.asarray(points / np.linalg.norm(points, axis=1).max())


OUTLINES: Mapping[str, Points] = MappingProxyType(
    {
        "circle": _polar(1.0, _turn(64)),
        "square": _polar(1.0, _turn(4) + np.pi / 4),
        "cross": _cross(),
        "star": _polar(np.tile([1.0, 0.45], 5), _turn(10)),
        "heart": _heart(),
    }
)
"""Each shape word and its corners (n, 2), x right and y down, within the unit circle."""


def paint(
    rng: np.random.Generator, colour: Colour, outline: Points, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw a picture of one shape.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where all chance comes from.
    colour : Colour
        The range that the shape's colours are drawn from.
    outline : ndarray, shape (n, 2)
        The shape's corners within the unit circle.
    size : tuple of int
        Height and width in pixels.

    Returns
    -------
    image : ndarray of uint8, shape (height, width, 3)
        The picture.
    mask : ndarray of float32, shape (height, width)
        The part of each pixel that the shape covers, 0 to 1.
    """
    canvas = _Canvas(rng, size)
    for _ in range(rng.integers(3, 8)):
        canvas.clutter()
    corners = canvas.place(outline)
    mask = Image.new("L", canvas.picture.size)
    ImageDraw.Draw(mask).polygon(canvas.pixels(corners), fill=255)
    canvas.picture.paste(canvas.fill(colour), mask=mask)
    canvas.contour(corners)
    for _ in range(rng.integers(0, 3)):
        canvas.stroke_across(corners)
    pixels = np.asarray(canvas.picture.reduce(_OVERSAMPLING), dtype=np.float32)
    coverage = np.asarray(mask.reduce(_OVERSAMPLING), dtype=np.float32) / np.float32(255)
    return _expose(rng, pixels), coverage


class _Canvas:
    """A picture in the making, four times too large, with its muted background.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where all chance comes from.
    size : tuple of int
        Height and width of the finished picture.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.rng = rng
        self.extent = np.array([size[1], size[0]]) / min(size)  # width, height
        self.scale = min(size) * _OVERSAMPLING
        corners = np.array([[self._muted() for _ in range(3)] for _ in range(3)], dtype=np.uint8)
        self.picture = Image.fromarray(corners).resize(
            (size[1] * _OVERSAMPLING, size[0] * _OVERSAMPLING), Image.Resampling.BICUBIC
        )
        self.pen = ImageDraw.Draw(self.picture)

    def pixels(self, points: Points) -> list[tuple[float, float]]:
        """Turn points into Pillow's coordinates, which number the middles of pixels."""
        return [(x, y) for x, y in (points * self.scale - 0.5).tolist()]

    def _width(self, low: float, high: float) -> int:
        return max(1, round(self.rng.uniform(low, high) * self.scale))

    def _colour(self, colour: Colour) -> Rgb:
        """Draw one colour from a range."""
        hue, saturation, value = (self.rng.uniform(*limits) for limits in colour)
        red, green, blue = colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value)
        return round(255 * red), round(255 * green), round(255 * blue)

    def _muted(self) -> Rgb:
        """Draw a greyish colour: clutter must not look like a class."""
        return self._colour(Colour((0, 360), (0.0, 0.28), (0.25, 0.90)))

    def _anywhere(self, n_points: int) -> Points:
        return self.rng.uniform(0, self.extent, (n_points, 2))

    def clutter(self) -> None:
        """Draw a line, a scribble or a small blob somewhere, in a muted colour."""
        kind = self.rng.integers(3)
        if kind == 0:
            self._line(self._anywhere(2), 0.015, 0.05)
        elif kind == 1:
            steps = self.rng.normal(0, 0.09, (7, 2)).cumsum(axis=0)
            self._line(self._anywhere(1) + steps, 0.01, 0.03)
        else:
            radii = self.rng.uniform(0.03, 0.10, (7, 1))
            ring = _polar(1.0, _turn(7)) * radii
            self.pen.polygon(self.pixels(self._anywhere(1) + ring), fill=self._muted())

    def _line(self, points: Points, thin: float, thick: float) -> None:
        self.pen.line(
            self.pixels(points), fill=self._muted(), width=self._width(thin, thick), joint="curve"
        )

    def place(self, outline: Points) -> Points:
        """Give a shape its size, tilt and place, wholly inside the picture."""
        radius = self.rng.uniform(0.30, 0.44)
        tilt = self.rng.uniform(-np.pi / 9, np.pi / 9)
        turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        centre = self.rng.uniform(radius, self.extent - radius)
        return np.asarray(radius * outline @ turn.T + centre)

    def contour(self, corners: Points) -> None:
        """Draw the shape's edge with a dark pen."""
        closed = np.concatenate([corners, corners[:2]])
        dark = self._colour(Colour((0, 360), (0.0, 0.5), (0.02, 0.25)))
        width = self._width(0.025, 0.05)
        self.pen.line(self.pixels(closed), fill=dark, width=width, joint="curve")

    def stroke_across(self, corners: Points) -> None:
        """Hide a little of the shape behind a muted line through it."""
        middle = corners.mean(axis=0) + self.rng.normal(0, 0.1, 2)
        half = _polar(self.rng.uniform(0.2, 0.6), self.rng.uniform(0, 2 * np.pi, 1))
        self._line(np.concatenate([middle - half, middle + half]), 0.015, 0.05)

    def fill(self, colour: Colour) -> Image.Image:
        """Draw the shape's surface over the whole canvas: plain, striped, dotted or chequered."""
        surface = Image.new("RGB", self.picture.size, self._colour(colour))
        second = self._colour(colour)
        kind = self.rng.integers(4)
        pitch = self.rng.uniform(0.10, 0.18) * self.scale
        shift, angle = self.rng.uniform([0, 0], [pitch, np.pi])
        if kind == 1:
            _stripe(surface, second, pitch, shift, angle)
        elif kind > 1:
            _tile(surface, second, pitch, shift, dots=bool(kind == 2))
        return surface


def _stripe(surface: Image.Image, shade: Rgb, pitch: float, shift: float, angle: float) -> None:
    """Draw parallel stripes, half as wide as their distance `pitch` (in pixels, like `shift`)."""
    pen, reach = ImageDraw.Draw(surface), float(sum(surface.size))
    (along_x, along_y), (across_x, across_y) = _polar(1.0, np.array([angle, angle + np.pi / 2]))
    for step in np.arange(shift - reach, reach, pitch):
        x, y = step * across_x, step * across_y
        ends = [
            (x - reach * along_x, y - reach * along_y),
            (x + reach * along_x, y + reach * along_y),
        ]
        pen.line(ends, fill=shade, width=max(1, round(pitch / 2)))


def _tile(surface: Image.Image, shade: Rgb, pitch: float, shift: float, *, dots: bool) -> None:
    """Draw a grid of dots, or every other square of it."""
    pen, (width, height) = ImageDraw.Draw(surface), surface.size
    for column, x in enumerate(np.arange(shift - pitch, width, pitch).tolist()):
        for row, y in enumerate(np.arange(shift - pitch, height, pitch).tolist()):
            if dots:
                pen.ellipse((x, y, x + 0.6 * pitch, y + 0.6 * pitch), fill=shade)
            elif (row + column) % 2:
                pen.rectangle((x, y, x + pitch, y + pitch), fill=shade)


def _expose(rng: np.random.Generator, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Light a picture unevenly and add the noise of a camera."""
    height, width = pixels.shape[:2]
    gain, slope_x, slope_y = rng.uniform([0.75, -0.2, -0.2], [1.1, 0.2, 0.2])
    tint = rng.uniform(0.95, 1.05, 3).astype(np.float32)
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = np.float32(gain) * (1 + np.float32(slope_x) * x + np.float32(slope_y) * y)
    sigma = np.float32(rng.uniform(3, 12))
    noise = sigma * rng.standard_normal(pixels.shape, dtype=np.float32)
    lit = pixels * light[:, :, None] * tint + noise
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)
