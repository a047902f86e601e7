"""``wordsight predict``: say what is in images."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from wordsight.box import BOX, PREFIX, about_box, is_model_directory
from wordsight.cli import console
from wordsight.cli.options import Debug, Device, Overwrite, Quiet, TextModel, described
from wordsight.cli.options import names as listed
from wordsight.exceptions import InputError, WordsightError
from wordsight.storage import check_writable, refuse_existing

if TYPE_CHECKING:
    from wordsight.classifiers.cross_modal import CrossModalClassifier
    from wordsight.prediction import Prediction, Summary
    from wordsight.prediction_inputs import Inputs
    from wordsight.prediction_state import PredictionState

__all__ = ["predict"]

STANDARD_INPUT = "-"
ROWS_A_TABLE = 1000
"""Rows are printed as they come, in tables of so many."""

SHOWN_CLASSES = 20


def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL] INPUTS...",
            help="A model directory, unless the model in the box is to be used; then images, "
            "folders of images (all in and below them), quoted patterns ('photos/**/*.jpg'), "
            "parquet files, CIFAR archives, .npy and .npz files; - reads a list of files.",
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
        typer.Option(help="Choose among these classes alone, separated by commas."),
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
    json_: Annotated[bool, typer.Option("--json", help="Print JSON lines on stdout.")] = False,
    overwrite: Overwrite = False,
    device: Device = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say what is in images.

    There is a row for every input, in the order given, with the reason where one cannot be read.
    """
    _check_together(out, json_=json_, resume=resume, sort_into=sort_into, copy=copy)
    if out is not None:
        from wordsight.prediction_files import check_ending  # noqa: PLC0415 - torch
        from wordsight.prediction_state import state_path  # noqa: PLC0415

        kept = resume and state_path(out).exists()
        refuse_existing(out, overwrite=overwrite or kept)
        check_writable(out)
        check_ending(out)
    model_path, named = _model_and_inputs(inputs, model)
    named = _with_list(named, null=null)

    from wordsight import persistence, prediction_inputs, sorting  # noqa: PLC0415

    taken = prediction_inputs.Inputs(named)
    if sort_into is not None:
        folders = [Path(path) for path in named if Path(path).is_dir()]
        sorting.check_sortable(sort_into, folders, taken.files(), overwrite=overwrite)
    loaded = persistence.load_model(model_path, words=words, device=device)
    if str(model_path).startswith(PREFIX):
        console.say(f"Using {about_box(str(model_path))}.")
    _adapt(loaded, listed(also), gate)
    if also_described is not None:
        loaded.add_classes(described(also_described, text_model, "--also-described"))
    job = _Job(
        model_path, loaded, taken, listed(among) if among else None, nearest, device, overwrite
    )
    summary, clock = _run(job, out, json_=json_, resume=resume, sort_into=sort_into, copy=copy)
    _conclude(summary, clock, out, sort_into)


@dataclass
class _Job:
    """What is to be predicted, and by what."""

    model_path: Path
    model: "CrossModalClassifier"
    inputs: "Inputs"
    among: list[str] | None
    n_nearest: int
    device: str | None
    overwrite: bool

    def batches(self, start: int = 0) -> "Iterator[list[Prediction]]":
        from wordsight.prediction import predict_batches  # noqa: PLC0415 - torch

        return predict_batches(
            self.model,
            self.inputs.datasets,
            among=self.among,
            n_nearest=self.n_nearest,
            start=start,
        )

    def depends_on(self) -> dict[str, str]:
        from wordsight.prediction_state import depends_on  # noqa: PLC0415 - torch

        return depends_on(
            self.model_path,
            self.model,
            self.inputs.digest,
            among=self.among,
            n_nearest=self.n_nearest,
            device=self.device,
        )


def _check_together(
    out: Path | None, *, json_: bool, resume: bool, sort_into: Path | None, copy: bool
) -> None:
    if out is not None and json_:
        raise InputError("--json prints and --out writes; give one of them")
    if resume and out is None:
        raise InputError("--resume keeps rows beside an output; name one (--out)")
    if copy and sort_into is None:
        raise InputError("--copy says how to sort; name the folder to sort into (--sort-into)")


def _model_and_inputs(given: list[str], model: Path | None) -> tuple[Path, list[str]]:
    """Tell the model from what is to be predicted.

    The first argument is the model where it is a model directory, or nothing that could be
    predicted while other arguments are; without one, the model in the box is used.
    """
    if model is not None:
        return model, given
    from wordsight.prediction_inputs import is_input  # noqa: PLC0415 - numpy

    first, rest = given[0], given[1:]
    if first.startswith(PREFIX) or is_model_directory(first):
        if not rest:
            raise InputError(
                f"{first} is a model, and no images were named; name them after it, or name the "
                f"model by --model if the images in {first} are meant"
            )
        _refuse_both(Path(first))
        return Path(first), rest
    if rest and first != STANDARD_INPUT and not is_input(first):
        return Path(first), rest  # whose absence or damage is told when it is loaded
    return Path(BOX), given


def _refuse_both(folder: Path) -> None:
    """Raise `InputError` where a model directory holds images that its card says nothing of."""
    from wordsight.data.files import is_image_name  # noqa: PLC0415 - numpy

    images = [path.name for path in folder.glob("*") if is_image_name(path.name)]
    card = folder / "README.md"
    told = card.read_text(encoding="utf-8", errors="replace") if images and card.is_file() else ""
    if any(name not in told for name in images):
        raise InputError(
            f"{folder} holds a model and images ({images[0]}), so it is not clear which is meant; "
            f"give the model as --model {folder}, and the images as inputs"
        )


def _with_list(inputs: list[str], *, null: bool) -> list[str]:
    """Put the list of files on standard input in its place."""
    places = [place for place, path in enumerate(inputs) if path == STANDARD_INPUT]
    if null and not places:
        raise InputError("--null says how a list of files ends its paths; ask for one with -")
    if not places:
        return inputs
    if len(places) > 1:
        raise InputError("- was given twice, and standard input can be read once; give it once")
    from wordsight.prediction_inputs import names_in  # noqa: PLC0415 - numpy

    names = names_in(sys.stdin.buffer.read(), null=null)
    return [*inputs[: places[0]], *names, *inputs[places[0] + 1 :]]


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


@dataclass
class _Clock:
    """Counts the rows computed in this run, and the time that took."""

    n_rows: int = 0
    seconds: float = 0.0

    def timed(self, batches: "Iterator[list[Prediction]]") -> "Iterator[list[Prediction]]":
        start = time.perf_counter()
        for batch in batches:
            self.seconds += time.perf_counter() - start
            self.n_rows += len(batch)
            yield batch
            start = time.perf_counter()


def _run(
    job: _Job,
    out: Path | None,
    *,
    json_: bool,
    resume: bool,
    sort_into: Path | None,
    copy: bool,
) -> "tuple[Summary, _Clock]":
    """Compute the rows, send them where they are to go, and count them."""
    from wordsight.prediction import Summary  # noqa: PLC0415 - torch
    from wordsight.prediction_files import write_predictions  # noqa: PLC0415
    from wordsight.prediction_state import open_state  # noqa: PLC0415
    from wordsight.sorting import sorting_into  # noqa: PLC0415

    summary, clock = Summary(), _Clock()
    state: PredictionState | None = None
    with console.progress(), ExitStack() as opened:
        if resume and out is not None:
            console.set_resumable()
            key = job.depends_on()
            state = opened.enter_context(open_state(out, key, restart=job.overwrite))
            if not state.stands(out):
                refuse_existing(out, overwrite=job.overwrite)
            rows = summary.count(_kept(job, state, clock))
        else:
            rows = summary.count(chain.from_iterable(clock.timed(job.batches())))
        if sort_into is not None:
            seen, classes = map(_texts, (job.model.seen_, job.model.classes_))
            sorter = opened.enter_context(
                sorting_into(sort_into, seen=seen, classes=classes, copy=copy)
            )
            rows = sorter.pass_on(rows, job.inputs.files())
        if out is None:
            _print_rows(rows, json_=json_)
        else:
            write_predictions(rows, out, on_written=None if state is None else state.finish)
    if state is not None:
        state.remove()
    return summary, clock


def _texts(names: "Iterable[Any]") -> list[str]:
    return [str(name) for name in names]


def _kept(job: _Job, state: "PredictionState", clock: _Clock) -> "Iterator[Prediction]":
    """Yield the rows that an earlier run left and those that it lacks, when all are safe."""
    if state.n_rows:
        console.say(f"Going on after {state.n_rows} rows that are there already.")
    for batch in clock.timed(job.batches(state.n_rows)):
        state.append(batch)
    state.commit()
    yield from state.rows()


def _print_rows(rows: "Iterator[Prediction]", *, json_: bool) -> None:
    if json_:
        from wordsight.prediction_files import json_line  # noqa: PLC0415 - torch

        for row in rows:
            console.print_line(json_line(row))
        return
    columns = ["image", "label", "probability", "novel", "nearest words, or error"]
    while some := list(islice(rows, ROWS_A_TABLE)):
        console.print_table(None, columns, list(map(_cells, some)))


def _cells(row: "Prediction") -> tuple[str, ...]:
    if row.error is not None:
        return (row.path, "", "", "", row.error)
    novel = f"{'yes' if row.is_novel else 'no'} ({row.novelty_proba:.2f})"
    near = ", ".join(row.nearest_words)
    return (row.path, str(row.label), f"{row.probability:.2f}", novel, near)


def _conclude(summary: "Summary", clock: _Clock, out: Path | None, sort_into: Path | None) -> None:
    """Say what became of the images; that none could be read is a failure."""
    where = f"; the reasons are in {out}" if out else ""
    if summary.n_failed == summary.n_rows:
        raise WordsightError(f"none of the {summary.n_rows} images could be read{where}")
    if summary.n_failed:
        console.warn(f"{summary.n_failed} of {summary.n_rows} images could not be read{where}")
    for made in (out, sort_into):
        if made is not None:
            console.print_line(str(made))
    if summary.n_rows == 1:
        return
    rows = [(name, str(count)) for name, count in summary.labels.most_common(SHOWN_CLASSES)]
    others = summary.labels.most_common()[SHOWN_CLASSES:]
    if others:
        rows.append((f"{len(others)} other classes", str(sum(count for _, count in others))))
    rows.append(("judged novel, among these", str(summary.n_novel)))
    rows.append(("not readable", str(summary.n_failed)))
    if clock.seconds > 0:
        rows.append(("images a second", f"{clock.n_rows / clock.seconds:.0f}"))
    n_read = summary.n_rows - summary.n_failed
    console.say_table(f"Predicted {n_read} images.", ["class", "images"], rows, right=1)
