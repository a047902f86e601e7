"""``wordsight features``: write what a model's encoder sees in images to a file."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordsight.cli import console
from wordsight.cli.cluster import Asked, bytes_to_recognise, joined, on_cluster
from wordsight.cli.options import (
    RUNNING,
    CachePath,
    CachePrecision,
    Device,
    Json,
    ModelPath,
    OnBroken,
    Overwrite,
)
from wordsight.exceptions import InputError
from wordsight.storage import check_writable, refuse_existing
from wordsight.unfinished import state_path

if TYPE_CHECKING:
    from wordsight.feature_files import FeatureRow, Written

__all__ = ["features"]


@on_cluster
def features(
    model: ModelPath,
    data: Annotated[
        Path,
        typer.Argument(
            help="Images, with or without labels: a folder (of class folders), an image, a parquet "
            "file or folder, a CIFAR binary archive, a .npy or .npz file."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The parquet file to write.")],
    split: Annotated[
        str | None,
        typer.Option(help="Which images of the data to take.", show_default="all of the data"),
    ] = None,
    on_broken: OnBroken = "error",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep finished rows beside the output until it is whole, and go on with those "
            "that an interrupted run left.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    cache: CachePath = None,
    cache_precision: CachePrecision = "float32",
    json_: Json = False,
    overwrite: Overwrite = False,
    device: Device = None,
    *,
    spread: Asked | None = None,
) -> None:
    """Write what a model's encoder sees in images to a file, a row for each image.

    Examples
    --------
    wordsight features model/ photos/ --split train --out features.parquet
    wordsight features box:cifar10 photos/ --out features.parquet --resume --json
    wordsight features model/ photos/ --out f.parquet --cluster auto --run run/
    """
    if spread is not None and (resume or cache is not None):
        raise InputError(
            f"{'--resume' if resume else '--cache'} and --cluster were given, and a cluster keeps "
            "what it finished in --run; give --cluster alone"
        )
    if resume and cache is not None:
        raise InputError(
            "--resume and --cache were given, and either makes an interrupted run go on; give one"
        )
    # one that the rows beside it are of may stand: that is looked at later
    may_stand = resume and state_path(out).exists()
    refuse_existing(out, overwrite=overwrite or may_stand)
    check_writable(out)

    from wordsight import feature_files, persistence  # noqa: PLC0415 - imports torch
    from wordsight.data.open import open_dataset  # noqa: PLC0415
    from wordsight.features.cache import FeatureCache  # noqa: PLC0415

    feature_files.check_feature_file(out, data)
    kept = None if cache is None else FeatureCache(cache, cache_precision)
    loaded = persistence.load_model(model, device=device)
    about = feature_files.about_features(loaded, model)
    dataset = open_dataset(data, split=split)
    console.say(
        f"{about['n_features']} features of {len(dataset)} images by {about['encoder']}, of "
        f"{about['image_size'][0]} × {about['image_size'][1]} pixels."
    )
    console.say_estimate(feature_files.estimate_seconds(loaded, len(dataset)))
    if resume or kept is not None:
        console.set_resumable()
    start = perf_counter()
    rows: Iterator[list[FeatureRow]] | None = None
    with joined(spread, partial(bytes_to_recognise, loaded, model)) as cluster, console.progress():
        if cluster is not None:
            from wordsight.distributed.feature_rows import feature_rows_on  # noqa: PLC0415

            rows = feature_rows_on(*cluster, loaded, dataset, {k: str(v) for k, v in about.items()})
        written = feature_files.write_features(
            loaded,
            dataset,
            out,
            about=about,
            on_broken=on_broken,
            cache=kept,
            resume=feature_files.depends_on(model, data, dataset, device=device)
            if resume
            else None,
            overwrite=overwrite,
            rows=rows,
        )
    console.say_broken([(one.name, one.reason) for one in written.broken])
    if json_:
        console.print_json(_made(out, about, written, perf_counter() - start))
    else:
        console.print_line(str(out))


def _made(out: Path, about: dict[str, Any], written: "Written", seconds: float) -> dict[str, Any]:
    """Describe the file for ``--json``."""
    return {
        "features": str(out),
        **about,
        "n_images": written.n_images,
        "class_counts": written.class_counts,
        "n_resumed": written.n_resumed,
        "broken": [{"name": one.name, "reason": one.reason} for one in written.broken],
        "seconds": seconds,
    }
