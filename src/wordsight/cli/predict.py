"""``wordsight predict``: say what is in images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wordsight.box import PREFIX, about_box
from wordsight.cli import console, predict_rows
from wordsight.cli.cluster import Asked, joined, on_cluster
from wordsight.cli.completion import model_classes
from wordsight.cli.options import Device, JsonLines, Overwrite, TextModel, described
from wordsight.cli.options import names as listed
from wordsight.cli.predict_inputs import model_and_inputs, with_list
from wordsight.exceptions import InputError
from wordsight.storage import check_writable, refuse_existing
from wordsight.unfinished import state_path

if TYPE_CHECKING:
    from wordsight.classifiers.cross_modal import CrossModalClassifier

__all__ = ["predict"]


@on_cluster
def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUTS",
            help="A model directory, unless the model in the box is to be used; then images, "
            "folders of images (all in and below them), quoted patterns ('photos/**/*.jpg'), "
            "parquet files, .tar and CIFAR archives, .npy and .npz files; - reads a list of files.",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            help="The model directory; everything else is then an input. box:cifar10 is the one "
            "in the box.",
            show_default="the first of the inputs where it is one, else box:cifar10",
        ),
    ] = None,
    null: Annotated[
        bool,
        typer.Option("--null", "-0", help="Paths in the list of files end in NUL, not in a line."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write to this file: .csv, .parquet, .jsonl or .ndjson, by its ending."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep finished rows beside the output until it is whole, and go on with those "
            "that an interrupted run left. Needs --out.",
        ),
    ] = False,
    sort_into: Annotated[
        Path | None,
        typer.Option(
            help="Make this folder, with links to the images in a folder for each class, and in "
            "_novel."
        ),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="With --sort-into: copy the images, do not link to them.")
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="More classes to recognise by name alone, separated by commas, or @FILE with one "
            "a line."
        ),
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
            help="Choose among these classes alone, separated by commas, or @FILE.",
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
    top: Annotated[
        int,
        typer.Option(help="Name so many of the most probable classes, too.", min=0),
    ] = 0,
    index: Annotated[
        bool,
        typer.Option(
            "--index",
            help="Find unseen classes by an index: faster with 100,000 of them, and not quite "
            "exact (pip install 'wordsight[index]').",
        ),
    ] = False,
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
    *,
    spread: Asked | None = None,
) -> None:
    """Say what is in images.

    There is a row for every input, in the order given, with the reason where one cannot be read.

    Examples
    --------
    wordsight predict model/ new_photos/ --out predictions.csv
    wordsight predict model/ photo.jpg --also "polar bear,bicycle"
    wordsight predict model/ photos/ --out all.csv --cluster auto --run run/
    """
    _check_together(out, json_=json_, resume=resume, sort_into=sort_into, copy=copy)
    if resume and spread is not None:
        raise InputError(
            "--resume and --cluster were given, and a cluster keeps what it finished in --run; "
            "give --cluster alone"
        )
    if out is not None:
        _check_output(out, resume=resume, overwrite=overwrite)
    model_path, named = model_and_inputs(inputs, model)
    named = with_list(named, null=null)

    from wordsight import persistence, prediction_inputs, sorting  # noqa: PLC0415 - torch

    taken = prediction_inputs.Inputs(named)
    if sort_into is not None:
        folders = [Path(path) for path in named if Path(path).is_dir()]
        # one that the rows beside the output are of may stand: that is looked at later
        may_stand = resume and out is not None and state_path(out).exists()
        sorting.check_sortable(sort_into, folders, taken.files(), overwrite=overwrite or may_stand)
        check_writable(sort_into)
    loaded = persistence.load_model(model_path, words=words, device=device)
    if str(model_path).startswith(PREFIX):
        console.say(f"Using {about_box(str(model_path))}.")
    _adapt(loaded, listed(also), gate)
    if also_described is not None:
        loaded.add_classes(described(also_described, text_model, "--also-described"))
    if index:
        loaded.use_index()
    chosen = listed(among) if among else None
    job = predict_rows.Job(
        model_path, loaded, taken, chosen, nearest, device, overwrite, top, index=index
    )
    with joined(spread, job.worker_bytes) as cluster:
        job.cluster = cluster
        summary, clock = predict_rows.run(
            job, out, json_=json_, resume=resume, sort_into=sort_into, copy=copy
        )
    predict_rows.conclude(summary, clock, out, sort_into)


def _check_output(out: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse an output that cannot be, before the work; torch is imported only if all is well."""
    if not resume:
        refuse_existing(out, overwrite=overwrite)
    check_writable(out)

    from wordsight.prediction_files import check_ending  # noqa: PLC0415 - torch

    check_ending(out)
    if resume:  # one that the rows beside it are of may stand: that is looked at later
        refuse_existing(out, overwrite=overwrite or state_path(out).exists())


def _check_together(
    out: Path | None, *, json_: bool, resume: bool, sort_into: Path | None, copy: bool
) -> None:
    if out is not None and json_:
        raise InputError(
            "--json (which prints) and --out (which writes) were given; give one of them"
        )
    if resume and out is None:
        raise InputError("--resume was given and no output to keep rows beside; name one (--out)")
    if copy and sort_into is None:
        raise InputError("--copy was given and no folder to sort into; name one (--sort-into)")
    if sort_into is not None and out is not None and sort_into.resolve() in out.resolve().parents:
        raise InputError(
            f"{out} would lie in {sort_into}, which is made anew; write the output elsewhere"
        )


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
