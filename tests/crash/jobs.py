"""Small jobs of the commands that write, each as a user would begin it and begin it again."""

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.runs import SEEN, SMALL, UNSEEN

_FIT = ("fit", "{inputs}/scenes", "--unseen", ",".join(UNSEEN), *SMALL)


@dataclass(frozen=True)
class Job:
    """A command that makes something in an empty folder, or in place of something older.

    Attributes
    ----------
    name : str
    command : tuple of str
        ``{inputs}`` stands for the folder of `make_inputs`.
    again : tuple of str or None
        The command that a user gives after an interrupt; None is the same.
    older : tuple of tuple of str
        Commands whose results are there before.
    outputs : tuple of str
        What is made, which is the old, the new or nothing at any time.
    """

    name: str
    command: tuple[str, ...]
    outputs: tuple[str, ...]
    again: tuple[str, ...] | None = None
    older: tuple[tuple[str, ...], ...] = ()


FIT = (
    Job("fit", (*_FIT, "--out", "model"), ("model",)),
    Job("fit --cache", (*_FIT, "--cache", "cache", "--out", "model"), ("model",)),
    Job(
        "fit --overwrite",
        (*_FIT, "--out", "model", "--overwrite"),
        ("model",),
        older=((*_FIT, "--out", "model", "--seed", "5"),),
    ),
)
_PREDICT = ("predict", "{inputs}/model", "{inputs}/scenes")
PREDICT = (
    Job("predict", (*_PREDICT, "--out", "p.parquet"), ("p.parquet",)),
    Job("predict --resume", (*_PREDICT, "--out", "p.csv", "--resume"), ("p.csv",)),
    Job(
        "predict --resume --sort-into",
        (*_PREDICT, "--out", "p.jsonl", "--resume", "--sort-into", "sorted"),
        ("p.jsonl", "sorted"),
    ),
    Job(
        "predict --resume, then without",
        (*_PREDICT, "--out", "p.csv", "--resume"),
        ("p.csv",),
        again=(*_PREDICT, "--out", "p.csv"),
    ),
    Job(
        "predict --overwrite --sort-into",
        (*_PREDICT, "--out", "p.csv", "--sort-into", "sorted", "--overwrite"),
        ("p.csv", "sorted"),
        older=(
            ("predict", "{inputs}/other", "{inputs}/scenes/test", "--out", "p.csv"),
            ("predict", "{inputs}/other", "{inputs}/scenes/test", "--sort-into", "sorted"),
        ),
    ),
)
_FEATURES = ("features", "{inputs}/model", "{inputs}/scenes", "--out", "f.parquet")
FEATURES = (
    Job("features", _FEATURES, ("f.parquet",)),
    Job("features --resume", (*_FEATURES, "--resume"), ("f.parquet",)),
    Job("features --cache", (*_FEATURES, "--cache", "cache"), ("f.parquet",)),
    Job(
        "features --overwrite",
        (*_FEATURES, "--overwrite"),
        ("f.parquet",),
        older=(("features", "{inputs}/other", "{inputs}/scenes", "--out", "f.parquet"),),
    ),
)
_REPRODUCE = (
    "reproduce", "{inputs}/pictures", "--quick", "--only", "word-vectors", "--out", "report",
)  # fmt: skip
REPRODUCE = (
    Job("reproduce", _REPRODUCE, ()),
    Job(
        "reproduce --overwrite",
        (*_REPRODUCE, "--overwrite"),
        (),
        older=((*_REPRODUCE, "--seeds", "2"),),
    ),
)
CARD = (
    Job(
        "evaluate --update-card",
        ("evaluate", "model", "{inputs}/scenes", "--update-card", "--out", "scores.json"),
        ("model", "scores.json"),
        older=((*_FIT, "--out", "model"),),
    ),
)

CLASSES = (
    Job(
        "classes --overwrite",
        ("classes", "{inputs}/model", "--add", "red square", "--out", "model", "--overwrite"),
        ("model",),
        older=((*_FIT, "--out", "model"),),
    ),
)
_PLOT = (
    "plot",
    "{inputs}/model",
    "{inputs}/scenes",
    "--dpi",
    "50",
    "--overwrite",
    "--out",
    "drawn",
)
PLOT = (
    Job(
        "plot",
        (*_PLOT, "--what", "curve,confusion"),
        (),
        older=((*_PLOT, "--what", "curve"),),
    ),
)

JOBS: dict[str, tuple[Job, ...]] = {
    "fit": FIT,
    "predict": PREDICT,
    "features": FEATURES,
    "reproduce": REPRODUCE,
    "evaluate": CARD,
    "classes": CLASSES,
    "plot": PLOT,
}


def patch() -> None:
    """Make jobs quick, and let them keep rows as often as they can."""
    from experiments.ten_classes import TINY  # noqa: PLC0415
    from wordsight import cost, unfinished  # noqa: PLC0415
    from wordsight.experiments import drawn  # noqa: PLC0415
    from wordsight.experiments.setting import Setting  # noqa: PLC0415

    change = pytest.MonkeyPatch().setattr  # for good: the process ends with the job
    change(Setting, "quick", classmethod(lambda _cls: TINY))
    change(cost, "measure_speed", lambda *_args, **_more: 1e9)
    change(drawn, "_DPI", 20)
    change(unfinished, "SECONDS", 0.0)


def make_inputs(folder: Path) -> None:
    """Make the images and the models that jobs read."""
    from experiments.ten_classes import write_pictures  # noqa: PLC0415
    from wordsight.cli import main  # noqa: PLC0415
    from wordsight.data.scenes import write_scenes  # noqa: PLC0415

    patch()
    write_scenes(folder / "scenes", 20, 5, [*SEEN, *UNSEEN], image_size=(16, 16))
    write_pictures(folder / "pictures")
    for name, seed in (("model", "0"), ("other", "1")):
        made = main(arguments((*_FIT, "--out", str(folder / name), "--seed", seed, "-q"), folder))
        assert made == 0


def warm_up(folder: Path, only: str | None) -> None:
    """Make the inputs, and do every job once, or one of them, in this process."""
    with contextlib.redirect_stdout(io.StringIO()):
        make_inputs(folder)
        for number, job in enumerate(one for kinds in JOBS.values() for one in kinds):
            if only in (None, job.name):
                _do_here(job, folder, folder / "warm-up" / str(number))


def _do_here(job: Job, inputs: Path, place: Path) -> None:
    from wordsight.cli import main  # noqa: PLC0415

    place.mkdir(parents=True)
    os.chdir(place)
    codes = [main(["-q", *arguments(one, inputs)]) for one in (*job.older, job.command)]
    assert not any(codes), job.name


def arguments(command: tuple[str, ...], inputs: Path) -> list[str]:
    """Return a command with the place of its inputs."""
    return [part.format(inputs=inputs) for part in command]
