"""``wordsight classes``: what a model tells apart; add and remove classes by name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordsight.cli import console
from wordsight.cli.images import as_words
from wordsight.cli.options import Json, ModelPath, Overwrite, TextModel, described
from wordsight.cli.options import names as listed
from wordsight.exceptions import InputError
from wordsight.storage import check_writable

if TYPE_CHECKING:
    from wordsight.classifiers.cross_modal import CrossModalClassifier

__all__ = ["SHOWN", "classes"]

SHOWN = 1000
"""Rows of a table of classes at most."""


def classes(
    model: ModelPath,
    add: Annotated[
        list[str] | None,
        typer.Option(
            help="Classes to recognise by name alone, separated by commas, or @FILE with one a "
            "line."
        ),
    ] = None,
    also_described: Annotated[
        Path | None,
        typer.Option(
            help="Classes to add as this YAML or JSON file describes them, for a model that was "
            "trained with --describe; needs --text-model."
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(help="Unseen classes to recognise no longer, separated by commas, or @FILE."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The model directory to make, with the classes changed.")
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option(
            help="Word vectors for --add: those the model was trained with.",
            show_default="what the model keeps of its own",
        ),
    ] = None,
    text_model: TextModel = None,
    nearest: Annotated[int, typer.Option(help="How many nearest words to name.", min=0)] = 5,
    json_: Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Print the classes of a model, or make a model with more or fewer unseen classes.

    Nothing is trained, and the model itself stays as it is.

    Examples
    --------
    wordsight classes model/
    wordsight classes model/ --add zebra,"polar bear" --out new/
    """
    change = bool(add or also_described or remove)
    _check_output(model, out, change=change, overwrite=overwrite)

    from wordsight import persistence  # noqa: PLC0415 - torch

    if out is not None:
        persistence.check_replaceable(out, overwrite=overwrite)
        check_writable(out)
    loaded = persistence.load_model(model, words=words)
    _change(loaded, listed(add), listed(remove))
    if also_described is not None:
        loaded.add_classes(described(also_described, text_model, "--also-described"))
    if out is not None:
        persistence.save_model(loaded, out, about=_about(loaded), overwrite=overwrite)
    if json_:
        console.print_json(_rows(loaded, nearest, len(loaded.classes_)))
    else:
        _print(_rows(loaded, nearest, SHOWN), len(loaded.classes_))
    if out is not None:
        console.say(f"Wrote {out}.")


def _check_output(model: Path, out: Path | None, *, change: bool, overwrite: bool) -> None:
    if change and out is None:
        raise InputError(
            "classes were to change without --out; name the directory of the new model with it"
        )
    if out is not None and not change:
        raise InputError(
            "--out was given and no classes to change; name some with --add, --remove or "
            "--also-described"
        )
    if out is not None and not overwrite and out.resolve() == model.resolve():
        raise InputError(f"{out} is the model itself; name another output, or give --overwrite")


def _change(model: "CrossModalClassifier", add: list[str], remove: list[str]) -> None:
    model.remove_classes(remove)
    # a name given by hand is meant, whole or composed
    on_missing = model.on_missing
    model.set_params(on_missing="compose").add_classes(add)
    model.set_params(on_missing=on_missing)


def _about(model: "CrossModalClassifier") -> dict[str, Any]:
    """Return what the card says of training; scores were those of other classes."""
    return {
        name: value for name, value in model.about_.items() if name not in ("scores", "scored_on")
    }


def _rows(model: "CrossModalClassifier", n_words: int, n_rows: int) -> list[dict[str, Any]]:
    counts = model.about_.get("class_counts", {})
    kinds = ["seen"] * len(model.seen_) + ["unseen"] * len(model.unseen_)
    names = [str(name) for name in model.classes_[:n_rows]]
    nearest = model.words_near_each(names, n_words)
    rows: list[dict[str, Any]] = []
    for name, kind, near in zip(names, kinds, nearest, strict=False):
        rows.append(
            {
                "name": name,
                "kind": kind,
                "training_images": counts.get(name) if kind == "seen" else 0,
                "nearest_words": [{"word": word, "similarity": value} for word, value in near],
            }
        )
    return rows


def _print(rows: list[dict[str, Any]], n_classes: int) -> None:
    cells = []
    for row in rows:
        count = row["training_images"]
        near = tuple((one["word"], one["similarity"]) for one in row["nearest_words"])
        cells.append(
            (row["name"], row["kind"], "" if count is None else str(count), as_words(near))
        )
    console.print_table(None, ["class", "kind", "training images", "nearest words"], cells)
    if n_classes > len(rows):
        console.say(f"… and {n_classes - len(rows):,} more classes; --json names them all.")
