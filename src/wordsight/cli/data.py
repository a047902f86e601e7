"""``wordsight data``: what a data set holds, and fetching known ones."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from wordsight.cli import console
from wordsight.cli.options import Json, names
from wordsight.progress import report

if TYPE_CHECKING:
    from wordsight.data.report import DatasetReport, SizeSummary

__all__ = ["app", "fetch", "info", "scenes"]

app = typer.Typer(
    help="Look at data sets, and fetch known ones.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def info(
    data: Annotated[
        Path,
        typer.Argument(
            help="Images: a folder, a parquet file or folder, a .tar archive or a folder of them, "
            "a CIFAR archive, a .npy or .npz file."
        ),
    ],
    split: Annotated[
        str | None, typer.Option(help="Look at one split alone.", show_default="all of the data")
    ] = None,
    json_: Json = False,
) -> None:
    """Print classes, counts, sizes and the images that cannot be read; decodes every image.

    Examples
    --------
    wordsight data info photos/
    wordsight data info photos/ --split test
    """
    from wordsight.data.open import available_splits, open_dataset  # noqa: PLC0415 - pyarrow

    splits = {name: len(open_dataset(data, split=name)) for name in available_splits(data)}
    dataset = open_dataset(data, split=split)
    with console.progress():
        found = dataset.inspect(lambda done, total: report("reading the images", done, total))
    if json_:
        console.print_json(_plain(found, splits))
    else:
        _print(found, splits)


def _plain(found: "DatasetReport", splits: dict[str, int]) -> dict[str, Any]:
    return {
        "n_images": found.n_images,
        "splits": splits,
        "class_counts": found.class_counts,
        "heights": asdict(found.heights) if found.heights else None,
        "widths": asdict(found.widths) if found.widths else None,
        "n_broken": len(found.broken),
        "broken": [{"name": one.name, "reason": one.reason} for one in found.broken],
        "n_ignored": found.n_ignored,
    }


def _print(found: "DatasetReport", splits: dict[str, int]) -> None:
    rows = [
        ("images", str(found.n_images)),
        ("splits", ", ".join(f"{name} ({n})" for name, n in splits.items()) or "none"),
        ("classes", str(len(found.class_counts)) if found.class_counts else "no labels"),
        ("heights", _sizes(found.heights)),
        ("widths", _sizes(found.widths)),
        ("broken", str(len(found.broken))),
        ("other files, ignored", str(found.n_ignored)),
    ]
    console.print_table(None, ["what", "value"], rows)
    if found.class_counts:
        counts = [(name, str(count)) for name, count in found.class_counts.items()]
        console.print_table(None, ["class", "images"], counts, right=1)
    if found.broken:
        console.print_table(
            None, ["broken image", "reason"], [(one.name, one.reason) for one in found.broken]
        )


def _sizes(side: "SizeSummary | None") -> str:
    if side is None:
        return "–"
    if side.smallest == side.largest:
        return f"{side.smallest} pixels"
    return f"{side.smallest} to {side.largest} pixels, median {side.median:g}"


@app.command()
def fetch(
    name: Annotated[Literal["cifar10", "cifar100"], typer.Argument(help="The data set.")],
    cache: Annotated[
        Path | None,
        typer.Option(
            help="The folder to keep it in.",
            show_default="WORDSIGHT_CACHE, or the place for caches of this system",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="Get the same file from elsewhere.", show_default="the authors' own site"
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Download an official archive, going on where it was cut off, and verify it.

    Examples
    --------
    wordsight data fetch cifar10
    wordsight data fetch cifar100 --cache downloads/
    """
    from wordsight.data.download import fetch as fetch_data  # noqa: PLC0415

    with console.progress("bytes"):
        path = fetch_data(
            name,
            cache,
            progress=lambda done, total: report(f"fetching {name}", done, total or 0),
            url=url,
        )
    if json_:
        console.print_json({"name": name, "path": str(path), "n_bytes": path.stat().st_size})
    else:
        console.print_line(str(path))
    console.say(f"Next: wordsight data info {path}")


@app.command()
def scenes(
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    classes: Annotated[
        list[str] | None,
        typer.Option(
            help="Which classes, separated by commas, such as: red circle,blue star.",
            show_default="all 30",
        ),
    ] = None,
    train: Annotated[int, typer.Option(help="Pictures of each class under train/.")] = 100,
    test: Annotated[int, typer.Option(help="Pictures of each class under test/.")] = 20,
    image_size: Annotated[int, typer.Option(help="Height and width, in pixels.")] = 32,
    random_state: Annotated[
        int, typer.Option("--seed", "--random-state", help="Draws everything that is random.")
    ] = 0,
    json_: Json = False,
) -> None:
    """Draw synthetic pictures, coloured shapes in class folders, to try things on.

    Examples
    --------
    wordsight data scenes scenes/
    wordsight data scenes few/ --classes "red star,blue circle" --train 20
    """
    from wordsight.data.scenes import SCENE_CLASSES, UNSEEN, write_scenes  # noqa: PLC0415 - pillow

    drawn = names(classes) if classes else list(SCENE_CLASSES)
    written = write_scenes(
        out,
        train,
        test,
        drawn,
        image_size=(image_size, image_size),
        random_state=random_state,
    )
    if json_:
        console.print_json({"out": str(out), "classes": drawn, **written})
    else:
        console.print_line(str(out))
    console.say(f"Drew {written['train']} pictures to train on and {written['test']} to test on.")
    if not classes:
        console.say(f"Classes that the demo leaves unseen: {','.join(UNSEEN)}")
