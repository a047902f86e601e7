"""``wordsight plot``: pictures of a model, and of what it says of images."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from wordsight.cli import console
from wordsight.cli.images import Limit, named_split, say_skipped
from wordsight.cli.options import (
    CachePath,
    CachePrecision,
    Debug,
    Device,
    Json,
    ModelPath,
    OnBroken,
    Overwrite,
    Quiet,
    names,
)
from wordsight.exceptions import InputError
from wordsight.storage import atomic_path, check_writable, refuse_existing

if TYPE_CHECKING:
    from wordsight.classifiers.cross_modal import CrossModalClassifier
    from wordsight.evaluation import Observed
    from wordsight.features.cache import FeatureCache
    from wordsight.plots.model_pictures import Kind, Picture, PictureSettings

__all__ = ["plot"]

_KINDS = ("map", "curve", "confusion", "reliability", "filters", "words")  # known without torch
_OF_MODEL = ("filters", "words")
_WIDEST = 12_000  # pixels: more would take gigabytes
_ENDINGS = (".png", ".svg", ".pdf")


def plot(
    model: ModelPath,
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Labelled images, as for evaluate; filters and words need none.",
            show_default=False,
        ),
    ] = None,
    what: Annotated[
        list[str] | None,
        typer.Option(
            help="Which pictures, separated by commas: map, curve, confusion, reliability, "
            "filters, words, or all.",
            show_default="all that there is data for",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(help="A file for one picture, .png, .svg or .pdf by its ending; or a folder."),
    ] = Path("pictures"),
    format_: Annotated[
        Literal["png", "svg", "pdf"], typer.Option("--format", help="Of the files in a folder.")
    ] = "png",
    split: Annotated[
        str | None,
        typer.Option(
            help="Which images of the data to look at.",
            show_default="test, or all of the data where there is none",
        ),
    ] = None,
    limit: Limit = None,
    layout: Annotated[
        Literal["tsne", "pca", "umap"],
        typer.Option(help="How the map is laid out; umap needs umap-learn."),
    ] = "tsne",
    title: Annotated[
        str | None, typer.Option(help="In place of the title of the one picture asked for.")
    ] = None,
    width: Annotated[
        float, typer.Option(help="Width in centimetres; text keeps its size.", min=8, max=100)
    ] = 16.0,
    dpi: Annotated[
        int, typer.Option(help="Dots an inch, of PNG and of what has pixels.", min=50, max=1200)
    ] = 200,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", "--random-state", help="Draws the images of --limit, and the map.", min=0
        ),
    ] = 0,
    cache: CachePath = None,
    cache_precision: CachePrecision = "float32",
    on_broken: OnBroken = "error",
    json_: Json = False,
    overwrite: Overwrite = False,
    device: Device = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draw a model, and what it says of labelled images, as PNG, SVG or PDF.

    Examples
    --------
    wordsight plot model/ photos/ --what curve --out curve.svg
    wordsight plot model/ photos/ --out pictures/
    wordsight plot model/ --what words --out words.pdf
    """
    asked = _asked(what, data)
    if title is not None and len(asked) > 1:
        raise InputError(f"--title was given for {len(asked)} pictures; name one with --what")
    if (pixels := int(width / 2.54 * dpi)) > _WIDEST:
        raise InputError(
            f"--width {width:g} and --dpi {dpi} are {pixels:,} pixels; give less, {_WIDEST:,} at "
            "most"
        )
    places = _places(asked, out, format_)
    for path in places.values():
        refuse_existing(path, overwrite=overwrite)
        check_writable(path)

    from wordsight import persistence  # noqa: PLC0415 - torch
    from wordsight.features.cache import FeatureCache  # noqa: PLC0415
    from wordsight.plots.model_pictures import PictureSettings  # noqa: PLC0415

    loaded = persistence.load_model(model, device=device)
    settings = PictureSettings(
        model=model.resolve().name, title=title, width=width, layout=layout, random_state=seed
    )
    drawing = _Drawing(loaded, settings, skips=what is None or names(what) == ["all"])
    # first what needs no images: a picture that cannot be drawn is told before the long work
    drawing.draw([kind for kind in asked if kind in _OF_MODEL], None)
    rest = [kind for kind in asked if kind not in _OF_MODEL]
    if rest and data is not None:
        kept = None if cache is None else FeatureCache(cache, cache_precision)
        with console.progress():
            drawing.draw(rest, drawing.look_at(data, split, limit, kept, on_broken))
    _write(drawing.done, places, dpi, json_)


def _asked(what: list[str] | None, data: Path | None) -> "list[Kind]":
    """Return the pictures asked for, each once, in the order asked for."""
    possible: list[Any] = [kind for kind in _KINDS if data is not None or kind in _OF_MODEL]
    kinds: list[Any] = list(dict.fromkeys(names(what)))
    if what is None or kinds == ["all"]:
        return possible
    for kind in kinds:
        if kind not in _KINDS:
            raise InputError(
                f"--what {kind} was given; expected one of: {', '.join(_KINDS)}, or all"
            )
        if kind not in possible:
            raise InputError(
                f"--what {kind} shows what a model says of labelled images, and no data were "
                "given; name them after the model"
            )
    return kinds


def _places(kinds: "list[Kind]", out: Path, ending: str) -> "dict[Kind, Path]":
    """Return where each picture goes: into the file named, or into the folder named."""
    is_file = out.suffix != "" and not out.is_dir()
    if not is_file:
        return {kind: out / f"{kind}.{ending}" for kind in kinds}
    if out.suffix.lower() not in _ENDINGS:
        raise InputError(
            f"--out {out} was given; expected a name that ends in .png, .svg or .pdf, or a folder"
        )
    if len(kinds) > 1:
        raise InputError(
            f"--out {out} is one file for {len(kinds)} pictures ({', '.join(kinds)}); name one "
            "with --what, or give a folder"
        )
    return dict.fromkeys(kinds, out)


class _Drawing:
    """Pictures of one model, drawn so far."""

    def __init__(
        self, model: "CrossModalClassifier", settings: "PictureSettings", *, skips: bool
    ) -> None:
        self.model = model
        self.settings = settings
        self.skips = skips
        self.done: dict[Kind, Picture] = {}

    def draw(self, kinds: "list[Kind]", observed: "Observed | None") -> None:
        """Draw; where all were asked for, what cannot be drawn is told of and left out."""
        from wordsight.plots.model_pictures import draw  # noqa: PLC0415

        for kind in kinds:
            try:
                self.done[kind] = draw(kind, self.model, observed, self.settings)
            except InputError as error:
                if not self.skips:
                    raise
                console.say(f"Left out {kind}: {error}")

    def look_at(
        self,
        data: Path,
        split: str | None,
        limit: int | None,
        cache: "FeatureCache | None",
        on_broken: Literal["error", "skip"],
    ) -> "Observed":
        """Let the model see the images; say what was left out."""
        from wordsight.evaluation import observe  # noqa: PLC0415
        from wordsight.plots.model_pictures import N_MAPPED  # noqa: PLC0415
        from wordsight.training import open_split  # noqa: PLC0415

        dataset, taken = open_split(data, split, "test")
        observed = observe(
            self.model,
            dataset,
            on_broken=on_broken,
            cache=cache,
            limit=limit,
            n_mapped=N_MAPPED,
            random_state=self.settings.random_state,
        )
        self.settings = replace(self.settings, data=named_split(data, taken))
        say_skipped(observed.skipped)
        console.say_broken([(one.name, one.reason) for one in observed.broken])
        return observed


def _write(
    pictures: "dict[Kind, Picture]", places: "dict[Kind, Path]", dpi: int, as_json: bool
) -> None:
    """Write all pictures, none before all are there, and say which."""
    contents = {
        kind: one.encoded(places[kind].suffix[1:].lower(), dpi=dpi)
        for kind, one in pictures.items()
    }
    for kind, content in contents.items():
        with atomic_path(places[kind]) as temporary:
            temporary.write_bytes(content)
    if as_json:
        console.print_json(
            [
                {
                    "what": kind,
                    "path": str(places[kind]),
                    "title": one.title,
                    "numbers": one.numbers,
                }
                for kind, one in pictures.items()
            ]
        )
        return
    for kind in contents:
        console.print_line(str(places[kind]))
