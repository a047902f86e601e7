"""What every picture shares: a page of a given width, the size of its text, how it is written.

Drawn with the object interface of matplotlib on its Agg canvas: no display is needed. The same
picture is the same bytes: files hold no date and no version, and names inside an SVG are not drawn
by chance.
"""

import os
import threading
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image, PngImagePlugin

from wordsight.exceptions import InputError
from wordsight.plots.palette import INK
from wordsight.storage import atomic_path

__all__ = [
    "DPI",
    "FORMATS",
    "LINE",
    "MARGIN",
    "TEXT",
    "TITLE",
    "WIDTH",
    "check_format",
    "encoded",
    "heading",
    "new_figure",
    "save_figure",
    "shortened",
    "text_width",
    "tidy",
    "wrapped",
]

DPI = 100
"""Dots an inch: one hundredth of a figure's inch is one pixel of the file."""

FORMATS = ("png", "svg", "pdf")

WIDTH = 16.0
"""Centimetres: the text of a page of A4 or Letter."""

TEXT = 8.5
TITLE = 10.5
"""Points. No text is smaller than 8, at any width."""

MARGIN = 0.3
"""Centimetres between the edge of a page and what is on it."""

LINE = 0.45
"""Centimetres from one line of text to the next."""

_INCH = 2.54
_LONGEST = 28

_WRITING: dict[Any, Any] = {"svg.hashsalt": "wordsight", "svg.fonttype": "path", "pdf.fonttype": 42}
_one_writes = threading.Lock()  # matplotlib takes these settings from one place for all threads


def new_figure(width: float, height: float, *, constrained: bool = True) -> Figure:
    """Return a white figure on an Agg canvas.

    Parameters
    ----------
    width, height : float
        In centimetres.
    constrained : bool, default True
        Whether matplotlib finds room for titles and names of axes.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1) if constrained else None
    size = (width / _INCH, height / _INCH)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def heading(figure: Figure, title: str) -> int:
    """Write the title at the upper left, broken where it is wider than the page.

    Parameters
    ----------
    figure : Figure
    title : str

    Returns
    -------
    int
        Its lines.
    """
    width, height = figure.get_size_inches() * _INCH
    text = wrapped(figure, title, width - 2 * MARGIN, size=TITLE, weight="bold")
    n_lines = text.count("\n") + 1
    figure.suptitle(
        text,
        x=MARGIN / width,
        y=1 - MARGIN / height,
        ha="left",
        va="top",
        fontsize=TITLE,
        fontweight="bold",
        color=INK,
    )
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):  # which leaves no room for a title put by hand
        engine.set(rect=(0, 0, 1, 1 - (MARGIN + LINE * n_lines) / height))
    return n_lines


def tidy(axes: Axes, *, x: str = "", y: str = "") -> None:
    """Set the names of the axes and the size of text.

    Parameters
    ----------
    axes : Axes
    x, y : str
        Names of the axes, with units.
    """
    axes.set_xlabel(x, fontsize=TEXT, color=INK)
    axes.set_ylabel(y, fontsize=TEXT, color=INK)
    axes.tick_params(labelsize=TEXT, colors=INK)


def text_width(
    figure: Figure, texts: Sequence[str], *, size: float = TEXT, weight: str = "normal"
) -> float:
    """Return how wide the widest of some texts is, in centimetres.

    Parameters
    ----------
    figure : Figure
        Of the resolution to measure at.
    texts : sequence of str
    size : float
        In points.
    weight : str
        Of the letters.
    """
    ruler = figure.text(0, 0, "", fontsize=size, fontweight=weight)
    widest = 0.0
    for text in texts:
        ruler.set_text(text)
        widest = max(widest, ruler.get_window_extent().width)
    ruler.remove()
    return widest / figure.dpi * _INCH


def wrapped(
    figure: Figure, text: str, width: float, *, size: float = TEXT, weight: str = "normal"
) -> str:
    """Break a text between words where it is wider than so many centimetres.

    Parameters
    ----------
    figure : Figure
    text : str
        Line breaks in it stay.
    width : float
        In centimetres.
    size : float
        In points.
    weight : str
        Of the letters.
    """
    lines: list[str] = []
    for given in text.replace("$", r"\$").splitlines():  # no formula begins here
        line = ""
        for word in given.split(" "):
            longer = f"{line} {word}" if line else word
            if line and text_width(figure, [longer], size=size, weight=weight) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return "\n".join(lines)


def shortened(name: str, longest: int = _LONGEST) -> str:
    """Return a class name that fits beside an axis: what is left out is told by dots."""
    plain = " ".join(name.split()).replace("$", r"\$")  # no formula begins here
    if len(plain) <= longest:
        return plain
    head = longest * 2 // 3
    return f"{plain[:head].rstrip()}…{plain[head + 1 - longest :].lstrip()}"


def check_format(path: str | os.PathLike[str]) -> str:
    """Return the format that a file's ending names; another ending is an `InputError`."""
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise InputError(
            f"{os.fspath(path)} ends in {'.' + ending if ending else 'nothing'}; expected .png, "
            ".svg or .pdf"
        )
    return ending


def encoded(figure: Figure, kind: str = "png", *, dpi: float = DPI, title: str = "") -> bytes:
    """Return a figure as the contents of a file.

    Parameters
    ----------
    figure : Figure
    kind : {"png", "svg", "pdf"}
    dpi : float, default 100
        Dots an inch, of PNG and of what is made of pixels in the others.
    title : str
        Written into the file for those who cannot see it.

    Returns
    -------
    bytes
        The same for the same picture.
    """
    none: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    known = {"Title": title} if title and kind != "png" else {}
    drawn = BytesIO()
    with _one_writes, rc_context(_WRITING):
        figure.savefig(drawn, format=kind, dpi=dpi, metadata={**none[kind], **known})
    return _opaque(drawn, dpi, title) if kind == "png" else drawn.getvalue()


def _opaque(drawn: BytesIO, dpi: float, title: str) -> bytes:
    """Leave out the channel of transparency: nothing is, and the file is smaller."""
    about = PngImagePlugin.PngInfo()
    if title:
        about.add_itxt("Title", title)
    smaller = BytesIO()
    with Image.open(drawn) as image:
        image.convert("RGB").save(
            smaller, format="PNG", dpi=(dpi, dpi), pnginfo=about, optimize=True
        )
    return smaller.getvalue()


def save_figure(
    figure: Figure, path: str | os.PathLike[str], *, dpi: float = DPI, title: str = ""
) -> None:
    """Write a figure as PNG, SVG or PDF, by the ending, whole or not at all.

    Parameters
    ----------
    figure : Figure
    path : path-like
    dpi : float, default 100
        Dots an inch.
    title : str
        Written into the file for those who cannot see it.

    Raises
    ------
    InputError
        Another ending.
    WordsightError
        The disk is full, the folder is read-only, and the like.
    """
    written = encoded(figure, check_format(path), dpi=dpi, title=title)
    with atomic_path(path) as temporary:
        temporary.write_bytes(written)
