"""``wordsight explain``: why an image is what a model says it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordsight.cli import console
from wordsight.cli.images import Limit, Seed, as_words, check_picture, look_at
from wordsight.cli.options import (
    CachePath,
    CachePrecision,
    Debug,
    Device,
    Json,
    ModelPath,
    Overwrite,
    Quiet,
)

if TYPE_CHECKING:
    from wordsight.exploration.evidence import Evidence
    from wordsight.exploration.explaining import Explanation
    from wordsight.exploration.gallery import Gallery

__all__ = ["explain"]

SHOWN_CLASSES = 10


def explain(
    model: ModelPath,
    image: Annotated[Path, typer.Argument(help="An image file.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Also name the images nearest to it in these, such as the training data."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Which images of the data.",
            show_default="train, or all of the data where there is none",
        ),
    ] = None,
    limit: Limit = None,
    nearest: Annotated[
        int, typer.Option(help="How many nearest words and images to name.", min=1)
    ] = 5,
    out: Annotated[Path | None, typer.Option(help="Draw it all, too: this PNG file.")] = None,
    cache: CachePath = None,
    cache_precision: CachePrecision = "float32",
    seed: Seed = 0,
    json_: Json = False,
    overwrite: Overwrite = False,
    device: Device = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say why an image is what a model says it is: each factor of Eq. 2, and what lies near."""
    if out is not None:
        check_picture(out, overwrite=overwrite)

    from wordsight import persistence  # noqa: PLC0415 - torch
    from wordsight.exploration import explaining  # noqa: PLC0415

    loaded = persistence.load_model(model, device=device)
    gallery = None
    found = explaining.explain(loaded, image, k=nearest)  # a broken image is told before long work
    if data is not None:
        gallery = look_at(
            loaded, data, split, default="train", limit=limit, seed=seed,
            cache=cache, precision=cache_precision,
        )  # fmt: skip
        found = explaining.explain(loaded, image, gallery, k=nearest)
    if out is not None:
        _draw(image, found, gallery, out)
    if json_:
        console.print_json(_as_json(image, found))
    else:
        _print(image, found)
    if out is not None:
        console.say(f"Wrote {out}.")


def _draw(image: Path, found: "Explanation", gallery: "Gallery | None", out: Path) -> None:
    from wordsight.data.decoding import decode  # noqa: PLC0415 - PIL, matplotlib
    from wordsight.exploration.explained_picture import explained_picture  # noqa: PLC0415
    from wordsight.plots import save_figure  # noqa: PLC0415

    pixels = decode(image.read_bytes(), None, image.name)
    save_figure(explained_picture(pixels, found, gallery), out)


def _as_json(image: Path, found: "Explanation") -> dict[str, Any]:
    return {
        "image": str(image),
        "label": found.label,
        "probability": found.probability,
        "verdict": found.verdict,
        "gate": found.gate,
        "detector": found.detector,
        "is_novel": found.is_novel,
        "novelty_score": found.novelty_score,
        "novelty_proba": found.novelty_proba,
        "score": found.score,
        "threshold": found.threshold,
        "classes": [vars(one) for one in found.classes],
        "evidence": None if found.evidence is None else vars(found.evidence),
        "nearest_words": [
            {"word": word, "similarity": value} for word, value in found.nearest_words
        ],
        "nearest_images": [
            {"name": one.name, "label": one.label, "similarity": one.similarity}
            for one in found.nearest_images
        ],
    }


def _print(image: Path, found: "Explanation") -> None:
    shown = found.classes[:SHOWN_CLASSES]
    left = len(found.classes) - len(shown)
    console.print_table(
        f"{image}: {found.label}, {found.probability:.2f}",
        ["class", "kind", "p(class | image, kind)", "p(class | image)"],
        [(one.name, one.kind, f"{one.given_kind:.3f}", f"{one.probability:.3f}") for one in shown],
        right=2,
    )
    if left:
        console.print_line(f"and {left} less probable classes\n")
    facts = [
        ("verdict", found.verdict),
        ("novelty score", f"{found.novelty_score:.3g} (above 0 is novel)"),
        ("detector", f"{found.detector}: {found.score:.4g}, novel below {found.threshold:.4g}"),
        ("p(unseen | image)", f"{found.novelty_proba:.3f}, as the detector estimates it"),
        ("gate", found.gate),
        ("nearest words", as_words(found.nearest_words)),
    ]
    if found.evidence is not None:
        facts.append(("evidence", _evidence(found.evidence)))
    console.print_table(None, ["what", "value"], facts)
    if found.nearest_images:
        console.print_table(
            "The images mapped nearest to it",
            ["image", "class", "similarity"],
            [(one.name, one.label or "", f"{one.similarity:.3f}") for one in found.nearest_images],
            right=1,
        )


def _evidence(evidence: "Evidence") -> str:
    """Say which quadrants speak for a class, the one that says most first."""
    from wordsight.exploration.evidence import QUADRANTS  # noqa: PLC0415

    parts = sorted(zip(evidence.quadrants, QUADRANTS, strict=True), key=lambda part: -abs(part[0]))
    told = ", ".join(f"{value:+.2f} {where}" for value, where in parts)
    return (
        f"log odds of {evidence.name} against {evidence.against}: {evidence.log_odds:+.2f} = "
        f"{told}, {evidence.anyway:+.2f} anyway"
    )
