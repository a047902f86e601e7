"""Images that a model is asked about: the options, and the one way to look at them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli import console
from wordsight.exceptions import InputError
from wordsight.storage import check_writable, refuse_existing

if TYPE_CHECKING:
    from wordsight.classifiers.cross_modal import CrossModalClassifier
    from wordsight.exploration.gallery import Gallery
    from wordsight.features.cache import Precision

__all__ = [
    "Limit",
    "Seed",
    "as_words",
    "check_picture",
    "look_at",
    "named_split",
    "say_skipped",
]

Limit = Annotated[
    int | None,
    typer.Option(help="Look at so many images at most, drawn by chance.", min=1),
]
Seed = Annotated[
    int, typer.Option("--seed", "--random-state", help="Draws the images of --limit.", min=0)
]


def look_at(
    model: "CrossModalClassifier",
    data: Path,
    split: str | None,
    *,
    default: str,
    limit: int | None,
    seed: int,
    cache: Path | None,
    precision: "Precision",
) -> "Gallery":
    """Let a model see the images of some data; broken ones are left out, and told.

    Parameters
    ----------
    model : CrossModalClassifier
    data : pathlib.Path
    split : str or None
        Which images; None is `default` where there is such a split, and otherwise all.
    default : str
    limit : int or None
    seed : int
    cache : pathlib.Path or None
    precision : {"float32", "float16"}
    """
    from wordsight.exploration.gallery import Gallery  # noqa: PLC0415 - torch
    from wordsight.features.cache import FeatureCache  # noqa: PLC0415
    from wordsight.training import open_split  # noqa: PLC0415

    kept = None if cache is None else FeatureCache(cache, precision)
    dataset, _taken = open_split(data, split, default)
    with console.progress():
        gallery = Gallery.of(model, dataset, cache=kept, limit=limit, random_state=seed)
    console.say_broken([(one.name, one.reason) for one in gallery.broken])
    return gallery


def check_picture(path: Path, *, overwrite: bool) -> None:
    """Refuse, before the work is done, a picture that is no PNG file or could not be written."""
    if path.suffix.lower() != ".png":
        raise InputError(f"{path} is no name of a picture; name a file that ends in .png")
    refuse_existing(path, overwrite=overwrite)
    check_writable(path)


def as_words(near: tuple[tuple[str, float], ...]) -> str:
    """Return words and their cosines in a line."""
    return ", ".join(f"{word} ({similarity:.2f})" for word, similarity in near)


def named_split(data: Path, split: str | None) -> str:
    """Return what titles and cards call some data: its name, and the split taken."""
    return data.resolve().name + (f", {split} split" if split else "")


def say_skipped(skipped: dict[str, int]) -> None:
    """Tell of images of classes that the model does not know."""
    if skipped:
        counts = ", ".join(f"{name} ({count})" for name, count in skipped.items())
        console.say(
            f"Left out: {sum(skipped.values())} images of classes not in the model: {counts}"
        )
