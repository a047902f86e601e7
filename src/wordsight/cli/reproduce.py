"""``wordsight reproduce``: rerun the experiments of the papers, and write a report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli import console
from wordsight.cli.options import Device, Json, Overwrite
from wordsight.cli.options import names as listed
from wordsight.exceptions import InputError

if TYPE_CHECKING:
    from wordsight.experiments.runner import Reproduction
    from wordsight.words.vectors import WordVectors

__all__ = ["reproduce"]

_LISTED = ("name", "what", "source")


def reproduce(
    data: Annotated[
        Path | None,
        typer.Argument(
            help="CIFAR-10: a parquet folder, or the official archive.",
            show_default="the archive kept by: wordsight data fetch cifar10",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of the report.")] = Path("report"),
    words: Annotated[
        Path | None,
        typer.Option(
            help="Word vectors of the class names.",
            show_default="acl2012_cifar.txt beside the images, or the vocabulary in the package",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Run this experiment alone; several with commas.", metavar="NAME"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds, from 0.", min=1)] = 1,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="400 atoms and 1,000 training images a class: minutes."),
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="The folder for finished work, used again by later runs.",
            show_default="cache in the folder of the report",
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the experiments, and end.")] = False,
    overwrite: Overwrite = False,
    device: Device = None,
    json_: Json = False,
) -> None:
    """Rerun the papers' experiments on CIFAR-10 and write a report beside the published numbers.

    Examples
    --------
    wordsight reproduce cifar10/ --out report/
    wordsight reproduce cifar10/ --quick --only outliers,pipeline
    wordsight reproduce --list
    """
    from wordsight.experiments.catalogue import EXPERIMENTS, experiments_named  # noqa: PLC0415
    from wordsight.experiments.report import check_report, write_report  # noqa: PLC0415
    from wordsight.experiments.runner import Reproduction  # noqa: PLC0415
    from wordsight.experiments.setting import Setting  # noqa: PLC0415

    if list_:
        listed_ = [(one.name, one.title, one.source) for one in EXPERIMENTS]
        if json_:
            console.print_json([dict(zip(_LISTED, one, strict=True)) for one in listed_])
        else:
            console.print_table(None, _LISTED, listed_)
        return
    experiments = experiments_named(listed(only))
    check_report(out, overwrite=overwrite)
    place = _data(data)
    plan = Reproduction.prepare(
        place,
        _words(words, place),
        Setting.quick() if quick else Setting(),
        range(seeds),
        experiments,
        cache or out / "cache",
        device=device,
    )
    _say_plan(plan)
    console.set_resumable()
    with console.progress():
        results = plan.run(
            console.command_line(),
            left_out=[one.title for one in EXPERIMENTS if one not in experiments],
            say=console.say,
        )
    for problem in write_report(results, experiments, out, overwrite=overwrite):
        console.warn(problem)
    if json_:
        console.print_json(
            {
                "report": str(out / "index.html"),
                "results": str(out / "results.json"),
                "experiments": [one.name for one in experiments],
                "seeds": list(plan.seeds),
            }
        )
    else:
        console.print_line(str(out / "index.html"))


def _data(given: Path | None) -> Path:
    """Return the images given, or the archive that was fetched."""
    if given is not None:
        return given
    from wordsight.data.download import ARCHIVES, default_cache  # noqa: PLC0415

    place = default_cache() / ARCHIVES["cifar10"].file_name
    if not place.exists():
        raise InputError(
            "no images were named, and none were fetched; name CIFAR-10, or get it with: "
            "wordsight data fetch cifar10"
        )
    return place


def _words(given: Path | None, data: Path) -> "WordVectors":
    from wordsight.experiments.runner import find_words  # noqa: PLC0415
    from wordsight.words.vectors import WordVectors  # noqa: PLC0415

    place = given or find_words(data)
    if place is None:
        console.say(
            "The paper's word vectors are not at hand: using the vocabulary in the package "
            "(--words)."
        )
        return WordVectors.default()
    return WordVectors.load(place)


def _say_plan(plan: "Reproduction") -> None:
    from wordsight.experiments.runner import duration  # noqa: PLC0415

    console.say(
        f"{len(plan.experiments)} experiments on {plan.data_name}, seeds "
        f"{', '.join(map(str, plan.seeds))}, word vectors from {Path(plan.words.source).name}:"
    )
    for one in plan.experiments:
        console.say(f"  {one.name}: {one.title} ({one.source})")
    seconds = plan.estimate_seconds()
    if seconds > console.WORTH_SAYING:
        console.say(
            f"This will take about {duration(seconds)} on two cores, less what is kept from "
            f"earlier runs; up to {plan.estimate_bytes() / 1e9:.1f} GB will be kept in "
            f"{plan.store.directory}."
        )
