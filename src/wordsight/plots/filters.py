"""What the features look at: atoms of a dictionary, or filters of a network, as small images."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from wordsight.exceptions import InputError
from wordsight.plots.figure import MARGIN, TEXT, WIDTH, heading, new_figure
from wordsight.plots.palette import INK

__all__ = ["atoms_in_pixels", "filter_mosaic"]

_MOST = 2500
_LARGEST = 1.6  # centimetres


def atoms_in_pixels(dictionary: ArrayLike, whitener: ArrayLike) -> NDArray[np.float64]:
    """Return atoms as the patches that whitening turns into them: d P⁻¹.

    Parameters
    ----------
    dictionary : array-like, shape (n_atoms, p)
        Atoms in the whitened space, p = 3 · side².
    whitener : array-like, shape (p, p)
        P of ``whitened = (p − M) P``, symmetric and positive.

    Returns
    -------
    ndarray of float64, shape (n_atoms, side, side, 3)
        Differences from the mean patch, contrast-normalised: light is positive.
    """
    atoms, P = np.asarray(dictionary, dtype=np.float64), np.asarray(whitener, dtype=np.float64)
    side = int(np.rint(np.sqrt(P.shape[0] / 3)))
    if atoms.ndim != 2 or P.shape != (atoms.shape[1], atoms.shape[1]) or 3 * side**2 != len(P):
        raise InputError(
            f"atoms of shape {atoms.shape} and a whitener of shape {P.shape} were given; expected "
            "atoms of 3 · side² numbers and as many rows and columns"
        )
    patches = np.asarray(np.linalg.solve(P.T, atoms.T).T, dtype=np.float64)  # d P⁻¹
    return patches.reshape(-1, 3, side, side).transpose(0, 2, 3, 1)


def filter_mosaic(filters: ArrayLike, *, title: str = "Filters", width: float = WIDTH) -> Figure:
    """Draw filters side by side, those of the largest norm first.

    Each is scaled by its own largest number, so that grey is zero.

    Parameters
    ----------
    filters : array-like, shape (n, side, side, 3)
        Colours last.
    title : str
    width : float, default 16
        In centimetres.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        Another shape, none, or numbers that are not finite.
    """
    table = np.asarray(filters, dtype=np.float64)
    if table.ndim != 4 or table.shape[3] != 3 or not len(table) or not np.isfinite(table).all():
        raise InputError(
            f"filters of shape {table.shape} were given; expected (n, height, width, 3), finite "
            "and at least one"
        )
    order = np.argsort(-np.linalg.norm(table.reshape(len(table), -1), axis=1), kind="stable")
    shown = table[order[:_MOST]]
    mosaic, n_columns = _mosaic(shown)
    n_rows = -(-len(shown) // n_columns)
    side = min((width - 2 * MARGIN) / n_columns, _LARGEST)
    n_lines = heading(new_figure(width, 1.0, constrained=False), title)
    above, below = 0.5 + 0.45 * n_lines, 0.9
    height = above + side * n_rows + below
    figure = new_figure(width, height, constrained=False)
    heading(figure, title)
    axes = figure.add_axes(
        (
            MARGIN / width,
            below / height,
            side * n_columns / width,
            side * n_rows / height,
        )
    )
    axes.imshow(mosaic, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    some = f"The {len(shown):,} of the largest norm. " if len(shown) < len(table) else ""
    figure.text(
        MARGIN / width, 0.35 / height, fontsize=TEXT, color=INK,
        s=f"{some}Largest norm first; each scaled by itself, grey is zero.",
    )  # fmt: skip
    return figure


def _mosaic(filters: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return one image of all, a pixel apart, 0 to 1, and the number of its columns."""
    n, height, width, _colours = filters.shape
    n_columns = max(int(np.ceil(np.sqrt(1.4 * n))), min(n, 8))
    n_rows = -(-n // n_columns)
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    scaled = 0.5 + 0.5 * filters / np.where(largest > 0, largest, 1.0)
    mosaic = np.ones((n_rows * (height + 1), n_columns * (width + 1), 3))
    for place, image in enumerate(scaled):
        row, column = divmod(place, n_columns)
        top, left = row * (height + 1), column * (width + 1)
        mosaic[top : top + height, left : left + width] = image
    return mosaic, n_columns
