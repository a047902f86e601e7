"""The pictures of a report, drawn and compressed; one that cannot be drawn costs nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from wordsight.experiments.experiment import Experiment, Picture
from wordsight.experiments.results import ExperimentResults

__all__ = ["DrawnPicture", "draw"]

_DPI = 200
"""Twice that of the page, so that fine screens and paper show sharp letters."""

_DPI_OF_PAGE = 100


@dataclass(frozen=True)
class DrawnPicture:
    """A picture as the report shows it.

    Attributes
    ----------
    file : str
        Its name, with the ending.
    caption : str
    png : bytes
    width, height : int
        In pixels of the page, which are larger than those of the PNG.
    """

    file: str
    caption: str
    png: bytes
    width: int
    height: int


def draw(
    results: ExperimentResults, experiment: Experiment
) -> tuple[list[DrawnPicture], list[str]]:
    """Draw the pictures of one experiment.

    Parameters
    ----------
    results : ExperimentResults
        Its outcomes, those of the first seed first.
    experiment : Experiment
        It draws them.

    Returns
    -------
    pictures : list of DrawnPicture
    problems : list of str
        A sentence for each picture that could not be drawn. Whatever goes wrong is caught: the
        numbers took hours, and a picture can be drawn again from them.
    """
    drawn: list[DrawnPicture] = []
    problems: list[str] = []
    if not results.runs:
        return drawn, problems
    try:
        pictures: Sequence[Picture] = experiment.draw([run.outcome() for run in results.runs])
    except Exception as error:
        return drawn, [_problem("the pictures", results, error)]
    for picture in pictures:
        try:
            drawn.append(_compress(picture, results.name, {each.file for each in drawn}))
        except Exception as error:
            problems.append(_problem(f"the picture {picture.name!r}", results, error))
    return drawn, problems


def _problem(what: str, results: ExperimentResults, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    return f'{what} of "{results.title}" could not be drawn ({reason})'


def _compress(picture: Picture, experiment: str, taken: set[str]) -> DrawnPicture:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", picture.name):
        raise ValueError("its name is not fit for a file")
    # experiments do not know one another's names of pictures
    stem = picture.name if picture.name.startswith(experiment) else f"{experiment}-{picture.name}"
    if f"{stem}.png" in taken:
        raise ValueError("another picture has its name")
    raw, packed = BytesIO(), BytesIO()
    picture.figure.savefig(raw, format="png", dpi=_DPI)
    with Image.open(raw) as image:
        # nothing is transparent: without that channel, and optimised, the file is smaller
        image.convert("RGB").save(packed, format="PNG", optimize=True)
        width, height = (round(side * _DPI_OF_PAGE / _DPI) for side in image.size)
    return DrawnPicture(f"{stem}.png", picture.caption, packed.getvalue(), width, height)
