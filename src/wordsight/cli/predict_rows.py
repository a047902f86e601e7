"""Where the rows of ``wordsight predict`` go: to a file, the screen, folders; and what is said."""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wordsight.cli import console
from wordsight.cli.cluster import bytes_to_recognise
from wordsight.exceptions import WordsightError
from wordsight.storage import refuse_existing
from wordsight.unfinished import discard_rows

if TYPE_CHECKING:
    from wordsight.classifiers.cross_modal import CrossModalClassifier
    from wordsight.distributed.cluster import RayCluster
    from wordsight.distributed.job import Job as ClusterJob
    from wordsight.prediction import Prediction, Summary
    from wordsight.prediction_inputs import Inputs
    from wordsight.prediction_state import PredictionState

__all__ = ["Clock", "Job", "conclude", "run"]

ROWS_A_TABLE = 1000
"""Rows are printed as they come, in tables of so many."""

SHOWN_CLASSES = 20


@dataclass
class Job:
    """What is to be predicted, and by what.

    Attributes
    ----------
    model_path : pathlib.Path
        What the model was loaded from.
    model : CrossModalClassifier
        As it is to predict.
    inputs : Inputs
        The images.
    among : list of str or None
        The classes to choose among.
    n_nearest : int
        Nearest words to name.
    device : str or None
        Where to compute.
    overwrite : bool
        Whether outputs, and the rows of another unfinished run, may be replaced.
    n_top : int
        Most probable classes to name.
    index : bool
        Whether the model finds unseen classes by an index.
    cluster : (RayCluster, Job) or None
        Where the rows are computed, if not here.
    """

    model_path: Path
    model: "CrossModalClassifier"
    inputs: "Inputs"
    among: list[str] | None
    n_nearest: int
    device: str | None
    overwrite: bool
    n_top: int = 0
    index: bool = False
    cluster: "tuple[RayCluster, ClusterJob] | None" = None

    def batches(self, start: int = 0) -> "Iterator[list[Prediction]]":
        """Compute the rows from `start` on; on a cluster all of them."""
        from wordsight.prediction import predict_batches  # noqa: PLC0415 - torch

        if self.cluster is not None:
            from wordsight.distributed.prediction import predict_on  # noqa: PLC0415

            return predict_on(
                *self.cluster,
                self.model,
                self.inputs.datasets,
                self.depends_on(images=False),
                among=self.among,
                n_nearest=self.n_nearest,
                n_top=self.n_top,
            )

        return predict_batches(
            self.model,
            self.inputs.datasets,
            among=self.among,
            n_nearest=self.n_nearest,
            n_top=self.n_top,
            start=start,
        )

    def worker_bytes(self) -> int:
        """Return the memory that a worker of a cluster needs."""
        return bytes_to_recognise(self.model, self.model_path)

    def depends_on(self, *, images: bool = True) -> dict[str, str]:
        """Return all that the rows depend on, with the images or beside them."""
        from wordsight.prediction_state import depends_on  # noqa: PLC0415 - torch

        return depends_on(
            self.model_path,
            self.model,
            self.inputs.digest if images else "",
            among=self.among,
            n_nearest=self.n_nearest,
            n_top=self.n_top,
            index=self.index,
            device=self.device,
        )


@dataclass
class Clock:
    """Counts the rows computed in this run, and the time that took.

    Attributes
    ----------
    n_rows : int
    seconds : float
    """

    n_rows: int = 0
    seconds: float = 0.0

    def timed(self, batches: "Iterator[list[Prediction]]") -> "Iterator[list[Prediction]]":
        """Count batches on their way to somewhere else."""
        start = time.perf_counter()
        for batch in batches:
            self.seconds += time.perf_counter() - start
            self.n_rows += len(batch)
            yield batch
            start = time.perf_counter()


def run(
    job: Job,
    out: Path | None,
    *,
    json_: bool,
    resume: bool,
    sort_into: Path | None,
    copy: bool,
) -> "tuple[Summary, Clock]":
    """Compute the rows, send them where they are to go, and count them.

    Parameters
    ----------
    job : Job
        What is to be done.
    out : pathlib.Path or None
        The file to write; otherwise the rows are printed.
    json_ : bool
        Print JSON lines, not tables.
    resume : bool
        Keep finished rows beside `out`, and go on with those that are there.
    sort_into : pathlib.Path or None
        The folder to sort the images into.
    copy : bool
        Whether they are copied there.
    """
    from wordsight.prediction import Summary  # noqa: PLC0415 - torch
    from wordsight.prediction_files import write_predictions  # noqa: PLC0415
    from wordsight.prediction_state import open_state  # noqa: PLC0415
    from wordsight.sorting import MARK, refuse_filled, sorting_into  # noqa: PLC0415

    summary, clock = Summary(), Clock()
    state: PredictionState | None = None
    with console.progress(), ExitStack() as opened:
        if resume and out is not None:
            console.set_resumable()
            key = job.depends_on()
            state = opened.enter_context(open_state(out, key, restart=job.overwrite))
            if not state.stands(out):
                refuse_existing(out, overwrite=job.overwrite)
            if sort_into is not None and not state.stands(sort_into / MARK):
                refuse_filled(sort_into, overwrite=job.overwrite)
            _complete(job, state, clock)
            rows = state.rows()
        else:
            rows = chain.from_iterable(clock.timed(job.batches()))
        rows = summary.count(rows)
        if sort_into is not None:
            seen, classes = map(_texts, (job.model.seen_, job.model.classes_))
            sorter = opened.enter_context(
                sorting_into(
                    sort_into,
                    seen=seen,
                    classes=classes,
                    copy=copy,
                    on_written=None if state is None else state.finish,
                )
            )
            rows = sorter.pass_on(rows, job.inputs.files())
        if out is None:
            _print_rows(rows, json_=json_, top=job.n_top > 0)
        else:
            finish = None if state is None else state.finish
            write_predictions(rows, out, top=job.n_top > 0, on_written=finish)
    if state is not None:
        state.remove()
    elif out is not None:
        discard_rows(out)
    return summary, clock


def _texts(names: "Iterable[Any]") -> list[str]:
    return [str(name) for name in names]


def _complete(job: Job, state: "PredictionState", clock: Clock) -> None:
    """Compute the rows that an earlier run left undone."""
    if state.n_rows:
        console.say(f"Going on after {state.n_rows} rows that are there already.")
    for batch in clock.timed(job.batches(state.n_rows)):
        state.append(batch)
    state.commit()


def _print_rows(rows: "Iterator[Prediction]", *, json_: bool, top: bool) -> None:
    if json_:
        from wordsight.prediction_files import json_line  # noqa: PLC0415 - torch

        for row in rows:
            console.print_line(json_line(row, top=top))
        return
    columns = ["image", "label", "probability", "novel", "nearest words, or error"]
    if top:
        columns.insert(3, "most probable classes")
    while some := list(islice(rows, ROWS_A_TABLE)):
        console.print_table(None, columns, [_cells(row, top=top) for row in some])


def _cells(row: "Prediction", *, top: bool) -> tuple[str, ...]:
    if row.error is not None:
        return (row.path, *[""] * (4 if top else 3), row.error)
    best = ", ".join(f"{name} {proba:.2f}" for name, proba in row.top_classes)
    novel = f"{'yes' if row.is_novel else 'no'} ({row.novelty_proba:.2f})"
    near = ", ".join(row.nearest_words)
    said = (row.path, str(row.label), f"{row.probability:.2f}")
    return (*said, *([best] if top else []), novel, near)


def conclude(summary: "Summary", clock: Clock, out: Path | None, sort_into: Path | None) -> None:
    """Say what became of the images; that none could be read is a failure.

    Parameters
    ----------
    summary : Summary
        Counts of all rows.
    clock : Clock
        Of those computed in this run.
    out, sort_into : pathlib.Path or None
        What was made.
    """
    where = f"; the reasons are in {out}" if out else ""
    if summary.n_failed == summary.n_rows:
        raise WordsightError(
            f"none of the {summary.n_rows} images could be read{where}; mend them, or name others"
        )
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
