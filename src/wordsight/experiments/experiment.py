"""What an experiment is: a function of a laboratory that returns numbers, and how to draw them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wordsight.experiments.lab import Lab

__all__ = ["Experiment", "Number", "Outcome", "Picture"]


@dataclass(frozen=True)
class Number:
    """A number that an experiment measures, and what is in print beside it.

    Attributes
    ----------
    key : str
        Its name in `Outcome.numbers`.
    what : str
        Its name in a report.
    published : float or None
        The value in print, where there is one.
    source : str
        Where it is printed.
    reason : str
        Why ours may be lower (or, with `higher_is_better` false, higher); shown where it is.
    higher_is_better : bool or None
        None where neither is: a control, a count.
    """

    key: str
    what: str
    published: float | None = None
    source: str = ""
    reason: str = ""
    higher_is_better: bool | None = True


@dataclass(frozen=True)
class Outcome:
    """What one run of an experiment, with one seed, found.

    Attributes
    ----------
    numbers : dict of str to float
        By the keys of the experiment's `Number` s; a key that is missing was not measured.
    details : dict
        Curves, tables and points that pictures need; JSON values only.
    setting : dict
        What the experiment set beside the laboratory's own setting; JSON values only.
    """

    numbers: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)
    setting: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Attributes
    ----------
    name : str
        Of its file, without an ending.
    caption : str
        What is to be seen, and where the published values in it come from.
    figure : Figure
        Made without pyplot, on an Agg canvas: no display is needed.
    """

    name: str
    caption: str
    figure: "Figure"


def _no_pictures(outcomes: Sequence[Outcome]) -> list[Picture]:
    """Draw nothing, for any outcomes."""
    return []


@dataclass(frozen=True)
class Experiment:
    """One figure or table.

    Attributes
    ----------
    name : str
        For ``--only``.
    title : str
    source : str
        The figure, table or section it reruns.
    about : str
        A paragraph: what is measured, and how.
    numbers : tuple of Number
        In the order of the report.
    run : callable
        Takes a `Lab`, returns an `Outcome`.
    draw : callable
        Takes the outcomes of all seeds, the first seed first; returns pictures.
    version : int
        Raised when `run` changes what it measures, so that kept outcomes are not used again.
    """

    name: str
    title: str
    source: str
    about: str
    numbers: tuple[Number, ...]
    run: Callable[["Lab"], Outcome]
    draw: Callable[[Sequence[Outcome]], list[Picture]] = _no_pictures
    version: int = 1
