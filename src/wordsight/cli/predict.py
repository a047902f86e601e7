"""``wordsight predict``: say what is in images."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wordsight.cli import console
from wordsight.cli.completion import model_classes
from wordsight.cli.options import (
    Device,
    JsonLines,
    ModelPath,
    Overwrite,
    TextModel,
    described,
)
from wordsight.cli.options import names as listed
from wordsight.exceptions import InputError, WordsightError
from wordsight.storage import check_writable, refuse_existing

if TYPE_CHECKING:
    from wordsight.classifiers.cross_modal import CrossModalClassifier
    from wordsight.prediction import Prediction

__all__ = ["predict"]


def predict(
    model: ModelPath,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Images, folders of images (all in and below them), parquet files, CIFAR "
            "archives, .npy and .npz files."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write to this file: .csv, .parquet, .jsonl or .ndjson, by its ending."),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(help="More classes to recognise by name alone, separated by commas."),
    ] = None,
    also_described: Annotated[
        Path | None,
        typer.Option(
            help="More classes, as this YAML or JSON file describes them, for a model that was "
            "trained with --describe; needs --text-model."
        ),
    ] = None,
    text_model: TextModel = None,
    among: Annotated[
        list[str] | None,
        typer.Option(
            help="Choose among these classes alone, separated by commas.",
            autocompletion=model_classes,
        ),
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option(
            help="Word vectors for --also and the nearest words: those the model was trained with.",
            show_default="what the model keeps of its own",
        ),
    ] = None,
    nearest: Annotated[int, typer.Option(help="How many nearest words to name.", min=0)] = 5,
    gate: Annotated[
        Literal["hard", "probability"] | None,
        typer.Option(
            help="Whether the novelty detector decides, or its probability weighs.",
            show_default="as the model was trained",
        ),
    ] = None,
    json_: JsonLines = False,
    overwrite: Overwrite = False,
    device: Device = None,
) -> None:
    """Say what is in images.

    There is a row for every input, in the order given, with the reason where one cannot be read.

    Examples
    --------
    wordsight predict model/ new_photos/ --out predictions.csv
    wordsight predict model/ photo.jpg --also "polar bear,bicycle"
    """
    if out is not None:
        if json_:
            raise InputError(
                "--json (which prints) and --out (which writes) were given; give one of them"
            )
        refuse_existing(out, overwrite=overwrite)
        check_writable(out)

    from wordsight import persistence, prediction, prediction_files  # noqa: PLC0415 - torch

    if out is not None:
        prediction_files.check_ending(out)
    loaded = persistence.load_model(model, words=words, device=device)
    _adapt(loaded, listed(also), gate)
    if also_described is not None:
        loaded.add_classes(described(also_described, text_model, "--also-described"))
    chosen = listed(among) if among else None
    datasets = prediction.open_inputs(inputs)
    with console.progress():
        rows = prediction.predict_all(loaded, datasets, among=chosen, n_nearest=nearest)
        if out is not None:
            n_rows, n_failed = prediction_files.write_predictions(rows, out)
        elif json_:
            n_rows, n_failed = _print_lines(rows)
        else:
            n_rows, n_failed = _print_table(rows)
    where = f"; the reasons are in {out}" if out else ""
    if n_failed == n_rows:
        raise WordsightError(
            f"none of the {n_rows} images could be read{where}; mend them, or name others"
        )
    if n_failed:
        console.warn(f"{n_failed} of {n_rows} images could not be read{where}")
    if out is not None:
        console.print_line(str(out))
        console.say(f"Predicted {n_rows - n_failed} images.")


def _adapt(
    model: "CrossModalClassifier", also: list[str], gate: Literal["hard", "probability"] | None
) -> None:
    """Apply what the command line asks for beyond what the model was trained with."""
    if gate is not None:
        model.set_params(gate=gate)
    if also:
        # a name given by hand is meant, whole or composed; there is no other option here
        model.set_params(on_missing="compose")
        model.add_classes(also)


def _print_lines(rows: "Iterable[Prediction]") -> tuple[int, int]:
    from wordsight.prediction_files import json_line  # noqa: PLC0415

    n_rows = n_failed = 0
    for row in rows:
        console.print_line(json_line(row))
        n_rows += 1
        n_failed += row.error is not None
    return n_rows, n_failed


def _print_table(rows: "Iterable[Prediction]") -> tuple[int, int]:
    cells: list[tuple[str, ...]] = []
    n_failed = 0
    for row in rows:
        if row.error is not None:
            n_failed += 1
            cells.append((row.path, "", "", "", row.error))
            continue
        novel = f"{'yes' if row.is_novel else 'no'} ({row.novelty_proba:.2f})"
        near = ", ".join(row.nearest_words)
        cells.append((row.path, str(row.label), f"{row.probability:.2f}", novel, near))
    console.print_table(
        None, ["image", "label", "probability", "novel", "nearest words, or error"], cells
    )
    return len(cells), n_failed
