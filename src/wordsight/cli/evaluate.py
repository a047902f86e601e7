"""``wordsight evaluate``: score a model on labelled images."""

import json
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordsight.box import PREFIX
from wordsight.cli import console
from wordsight.cli.classes import SHOWN
from wordsight.cli.cluster import Asked, bytes_to_recognise, joined, on_cluster
from wordsight.cli.images import named_split, say_skipped
from wordsight.cli.options import (
    CachePath,
    CachePrecision,
    DataPath,
    Device,
    Json,
    ModelPath,
    OnBroken,
    Overwrite,
)
from wordsight.exceptions import InputError
from wordsight.storage import atomic_path, check_writable, refuse_existing

if TYPE_CHECKING:
    from wordsight.classifiers.cross_modal import CrossModalClassifier
    from wordsight.evaluation import Evaluation, Look, Observed

__all__ = ["evaluate"]

_MAPPED = 1000
"""Images on the map of a card, which is a small picture."""


@on_cluster
def evaluate(
    model: ModelPath,
    data: DataPath,
    split: Annotated[
        str | None,
        typer.Option(
            help="Which images of the data to score.",
            show_default="test, or all of the data where there is none",
        ),
    ] = None,
    json_: Json = False,
    on_broken: OnBroken = "error",
    out: Annotated[
        Path | None, typer.Option(help="Write the JSON object to this file, too.")
    ] = None,
    update_card: Annotated[
        bool,
        typer.Option(
            "--update-card", help="Write the scores into the model's README.md, with pictures."
        ),
    ] = False,
    cache: CachePath = None,
    cache_precision: CachePrecision = "float32",
    overwrite: Overwrite = False,
    device: Device = None,
    *,
    spread: Asked | None = None,
) -> None:
    """Score a model on labelled images of seen and unseen classes.

    Examples
    --------
    wordsight evaluate model/ photos/
    wordsight evaluate model/ photos/ --json --out scores.json
    wordsight evaluate model/ photos/ --cluster auto --run run/
    """
    if update_card and str(model).startswith(PREFIX):
        raise InputError(
            f"{model} comes with the package, and its card is not written to; name a directory"
        )
    if spread is not None and cache is not None:
        raise InputError(
            "--cache and --cluster were given, and a cluster keeps what it finished in --run; give "
            "--cluster alone"
        )
    if out is not None:
        refuse_existing(out, overwrite=overwrite)
        check_writable(out)

    from wordsight import evaluation, persistence  # noqa: PLC0415 - imports torch
    from wordsight.features.cache import FeatureCache  # noqa: PLC0415
    from wordsight.training import open_split  # noqa: PLC0415

    kept = None if cache is None else FeatureCache(cache, cache_precision)

    loaded = persistence.load_model(model, device=device)
    dataset, taken = open_split(data, split, "test")
    if taken is None:
        console.say(f"{data} has no test split: scoring all of it, also what was trained on")
    needs = partial(bytes_to_recognise, loaded, model)
    with joined(spread, needs) as cluster, console.progress():
        by: Look | None = None
        if cluster is not None:
            from wordsight.distributed.evaluation import looking_on  # noqa: PLC0415

            by = looking_on(*cluster, loaded, _depends_on(loaded, model), on_broken=on_broken)
        start = perf_counter()
        observed = evaluation.observe(
            loaded,
            dataset,
            on_broken=on_broken,
            cache=kept,
            n_mapped=_MAPPED if update_card else 0,
            by=by,
        )
        found = evaluation.score(observed, start)
    say_skipped(found["skipped"])
    console.say_broken([(one["name"], one["reason"]) for one in found["broken"]])
    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_text(_json(found) + "\n", encoding="utf-8")
    if update_card:
        with console.progress():
            _update_card(model, observed, found, named_split(data, taken))
    if json_:
        console.print_line(_json(found))
    else:
        _print(found)


def _depends_on(model: "CrossModalClassifier", path: Path) -> dict[str, str]:
    """Return all that answers depend on beside the images."""
    from wordsight.prediction_state import depends_on  # noqa: PLC0415

    return depends_on(path, model, "", among=None, n_nearest=0, device=None)


def _json(found: "Evaluation") -> str:
    return json.dumps(found, ensure_ascii=False, allow_nan=False)


def _update_card(path: Path, observed: "Observed", found: "Evaluation", scored_on: str) -> None:
    from wordsight.evaluation import for_card  # noqa: PLC0415
    from wordsight.persistence import load_model, save_model  # noqa: PLC0415
    from wordsight.plots.model_pictures import PictureSettings, card_pictures  # noqa: PLC0415

    # loaded anew: where the scores were computed is no setting of the model
    model = load_model(path)
    about: dict[str, Any] = {**model.about_, "scores": for_card(found), "scored_on": scored_on}
    pictures = card_pictures(model, observed, PictureSettings(data=scored_on))
    save_model(model, path, about=about, pictures=pictures, overwrite=True)


def _print(found: "Evaluation") -> None:
    chance = found["chance"]
    rows: list[tuple[str, float | None, float | None]] = [
        ("seen classes alone", found["seen_only_accuracy"], chance["seen_only"]),
        ("unseen classes alone", found["unseen_only_accuracy"], chance["unseen_only"]),
        ("seen, among all classes", found["seen_accuracy"], chance["all"]),
        ("unseen, among all classes", found["unseen_accuracy"], chance["all"]),
        ("harmonic mean of these two", found["harmonic_mean"], chance["all"]),
        ("all, among all classes", found["overall_accuracy"], chance["all"]),
        ("area under the seen–unseen curve (AUSUC)", found["ausuc"], None),
        ("unseen, at 70 % seen", found["unseen_at_70_seen"], None),
        ("novelty, area under the ROC curve (AUROC)", found["novelty_auroc"], 0.5),
        ("seen images called novel", found["seen_called_novel"], None),
        ("expected calibration error of p(y | x)", found["calibration_error"], None),
    ]
    console.print_table(
        f"{found['n_images']} images, {found['seconds']:.1f} seconds",
        ["accuracy (mean over classes)", "score", "chance"],
        [(name, _number(score), _number(by_chance)) for name, score, by_chance in rows],
        right=2,
    )
    each = [
        (name, _number(score), _number(chance["all"])) for name, score in found["per_class"].items()
    ]
    console.print_table(None, ["class", "accuracy", "chance"], each[:SHOWN], right=2)
    if len(each) > SHOWN:
        console.say(f"… and {len(each) - SHOWN:,} more classes; --json names them all.")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
