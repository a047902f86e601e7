"""What a data set holds, counted."""

from collections.abc import Mapping
from dataclasses import dataclass

from wordsight.data.source import BrokenImage

__all__ = ["DatasetReport", "SizeSummary", "summarise_sizes"]


@dataclass(frozen=True)
class SizeSummary:
    """The spread of one side of the images, in pixels.

    Attributes
    ----------
    smallest, median, largest : float
        Over the images that can be read; the median of an even count lies halfway between.
    """

    smallest: int
    median: float
    largest: int


@dataclass(frozen=True)
class DatasetReport:
    """The result of `Dataset.inspect`.

    Attributes
    ----------
    n_images : int
        All images, broken ones included.
    class_counts : dict of str to int
        Images of each class, broken ones included; empty where there are no labels.
    heights, widths : SizeSummary or None
        Sizes after the Exif orientation is applied; None where no image can be read.
    broken : tuple of BrokenImage
        The images that cannot be read, and why.
    n_ignored : int
        Files passed over because they are hidden or not images.
    """

    n_images: int
    class_counts: dict[str, int]
    heights: SizeSummary | None
    widths: SizeSummary | None
    broken: tuple[BrokenImage, ...]
    n_ignored: int


def summarise_sizes(sizes: Mapping[tuple[int, int], int], *, axis: int) -> SizeSummary | None:
    """Summarise one side of a tally of sizes.

    Parameters
    ----------
    sizes : mapping of (height, width) to count
        How many images there are of each size: as small as the number of distinct sizes.
    axis : {0, 1}
        0 for heights, 1 for widths.

    Returns
    -------
    SizeSummary or None
        None where the tally is empty.
    """
    if not sizes:
        return None
    sides = sorted((size[axis], count) for size, count in sizes.items())
    n_images = sum(count for _, count in sides)
    lower = _nth(sides, (n_images - 1) // 2)
    upper = _nth(sides, n_images // 2)
    return SizeSummary(sides[0][0], (lower + upper) / 2, sides[-1][0])


def _nth(sides: list[tuple[int, int]], position: int) -> int:
    """Return the value at a position of the sorted list that the tally stands for."""
    for side, count in sides:
        if position < count:
            return side
        position -= count
    raise IndexError(position)
