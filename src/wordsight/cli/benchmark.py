"""``wordsight benchmark``: the field's standard benchmark, on files as published."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordsight.cli import console
from wordsight.cli.options import Json, Overwrite
from wordsight.cli.options import names as listed
from wordsight.exceptions import InputError
from wordsight.storage import atomic_path, check_writable, refuse_existing

if TYPE_CHECKING:
    from wordsight.standard_benchmark import StandardScores

__all__ = ["app"]

app = typer.Typer(
    help="Compare methods on published features and splits.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_SCORES = (
    ("zsl", "T1"),
    ("unseen", "U"),
    ("seen", "S"),
    ("harmonic_mean", "H"),
    ("ausuc", "AUSUC"),
)


@app.callback()
def _root() -> None:
    pass


@app.command()
def gzsl(
    data: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of data sets of the proposed splits (AWA1, AWA2, CUB, SUN, aPY, FLO), "
            "each with res101.mat and att_splits.mat; or a folder of such folders."
        ),
    ],
    methods: Annotated[
        list[str] | None,
        typer.Option(help="Methods to compare, separated by commas.", show_default="all of them"),
    ] = None,
    random_state: Annotated[
        int, typer.Option("--seed", "--random-state", help="Draws everything that is random.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the scores to this file as JSON.")] = None,
    json_: Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Score Wordsight, the paper's method and its peers by generalised zero-shot learning.

    T1 is the accuracy among unseen classes alone; U and S are those of unseen and seen classes
    among all, H their harmonic mean. All are means over classes, in percent, beside what Xian et
    al. (2018) published where they did.

    Examples
    --------
    wordsight benchmark gzsl xlsa17/data/AWA2
    wordsight benchmark gzsl xlsa17/data --methods ESZSL --out scores.json
    """
    if out is not None:
        refuse_existing(out, overwrite=overwrite)
        check_writable(out)

    from wordsight.data.gzsl import open_gzsl  # noqa: PLC0415 - imports scipy
    from wordsight.standard_benchmark import METHODS, score_methods  # noqa: PLC0415 - and torch

    chosen = listed(methods) or list(METHODS)
    records = []
    for folder in _folders(data):
        split = open_gzsl(folder)
        console.say(
            f"{split.name}: {len(split.labels)} images of {split.features.shape[1]} numbers, "
            f"{len(split.seen)} seen and {len(split.unseen)} unseen classes of "
            f"{split.attributes.shape[1]}; split {split.digest[:16]}"
        )
        with console.progress():
            scores = score_methods(split, chosen, random_state=random_state)
        records.append(
            {
                "data": split.name,
                "split": split.digest,
                "n_train": len(split.train),
                "n_test_seen": len(split.test_seen),
                "n_test_unseen": len(split.test_unseen),
                "random_state": random_state,
                "scores": [each.record() for each in scores],
            }
        )
        if not json_:
            _print(split.name, split.digest, scores)
    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    if json_:
        console.print_json(records)


def _folders(data: list[Path]) -> list[Path]:
    from wordsight.data.gzsl import SPLITS_FILE  # noqa: PLC0415

    found: list[Path] = []
    for place in data:
        inside = sorted(file.parent for file in place.glob(f"*/{SPLITS_FILE}"))
        found += inside if inside and not (place / SPLITS_FILE).exists() else [place]
    twice = [place for number, place in enumerate(found) if place in found[:number]]
    if twice:
        raise InputError(f"{twice[0]} is named twice; name each data set once")
    return found


def _print(name: str, digest: str, scores: "list[StandardScores]") -> None:
    from wordsight.standard_benchmark import PUBLISHED  # noqa: PLC0415

    def cell(each: "StandardScores", score: str) -> str:
        known: dict[str, Any] = PUBLISHED.get(each.method, {}).get(score, {})
        value = f"{100 * getattr(each, score):.1f}"
        return f"{value} ({known[name]:.1f})" if name in known else value

    console.print_table(
        f"{name}, split {digest[:16]}; published in brackets",
        ["method", *(short for _score, short in _SCORES), "seconds"],
        [
            (each.method, *(cell(each, score) for score, _short in _SCORES), f"{each.seconds:.1f}")
            for each in scores
        ],
        right=len(_SCORES) + 1,
    )
