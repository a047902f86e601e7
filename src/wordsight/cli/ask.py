"""``wordsight ask``: what a word looks like to a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordsight.cli import console
from wordsight.cli.images import Limit, Seed, as_words, check_picture, look_at
from wordsight.cli.options import (
    CachePath,
    CachePrecision,
    DataPath,
    Debug,
    Device,
    Json,
    ModelPath,
    Overwrite,
    Quiet,
)
from wordsight.storage import atomic_path

if TYPE_CHECKING:
    from wordsight.exploration.asking import Answer
    from wordsight.exploration.gallery import Gallery

__all__ = ["ask"]


def ask(
    model: ModelPath,
    data: DataPath,
    word: Annotated[
        str, typer.Argument(help='Any word with a vector, or several: zebra, "red vehicle".')
    ],
    images: Annotated[
        int, typer.Option("--images", "-n", help="How many images to find.", min=1)
    ] = 20,
    nearest: Annotated[int, typer.Option(help="How many nearest words to name.", min=0)] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Draw the images found on a contact sheet: this PNG file.")
    ] = None,
    prototype: Annotated[
        Path | None,
        typer.Option(
            help="Draw what the word looks like to the model without any image: this PNG file."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Which images of the data to look at.",
            show_default="test, or all of the data where there is none",
        ),
    ] = None,
    limit: Limit = None,
    words: Annotated[
        Path | None,
        typer.Option(
            help="Word vectors to find the word in: those the model was trained with.",
            show_default="what the model keeps of its own",
        ),
    ] = None,
    cache: CachePath = None,
    cache_precision: CachePrecision = "float32",
    seed: Seed = 0,
    json_: Json = False,
    overwrite: Overwrite = False,
    device: Device = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Find the images that a word means to a model, and their average colour.

    The word need not be one of the model's classes.
    """
    for path in (out, prototype):
        if path is not None:
            check_picture(path, overwrite=overwrite)

    from wordsight import persistence  # noqa: PLC0415 - torch
    from wordsight.exploration import asking  # noqa: PLC0415

    loaded = persistence.load_model(model, words=words, device=device)
    loaded.query(word)  # a word without a vector is told before the long work
    drawn = None if prototype is None else loaded.prototype(word)
    gallery = look_at(
        loaded, data, split, default="test", limit=limit, seed=seed,
        cache=cache, precision=cache_precision,
    )  # fmt: skip
    answer = asking.ask(loaded, gallery, word, images, n_words=nearest)
    if out is not None:
        captions = [
            _caption(label, similarity) for _name, label, similarity in _rows(answer, gallery)
        ]
        sheet = asking.contact_sheet(gallery, answer.indices, captions=captions)
        with atomic_path(out) as temporary:
            sheet.save(temporary, format="PNG")
    if prototype is not None and drawn is not None:
        _save_enlarged(drawn, prototype)
    if json_:
        console.print_json(_as_json(answer, gallery))
    else:
        _print(answer, gallery)
    for path in (out, prototype):
        if path is not None:
            console.say(f"Wrote {path}.")


def _rows(answer: "Answer", gallery: "Gallery") -> list[tuple[str, str | None, float]]:
    """Return name, class and similarity of each image found."""
    labels = gallery.labels
    return [
        (gallery.name(i), None if labels is None else str(labels[i]), similarity)
        for i, similarity in zip(answer.indices.tolist(), answer.similarities.tolist(), strict=True)
    ]


def _caption(label: str | None, similarity: float) -> str:
    return f"{label or ''} {similarity:.2f}".strip()


def _hexadecimal(colour: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _as_json(answer: "Answer", gallery: "Gallery") -> dict[str, Any]:
    return {
        "word": answer.word,
        "parts": list(answer.parts),
        "images": [
            {"name": name, "label": label, "similarity": similarity}
            for name, label, similarity in _rows(answer, gallery)
        ],
        "average_colour": list(answer.average_colour),
        "nearest_words": [
            {"word": word, "similarity": value} for word, value in answer.nearest_words
        ],
        "n_images": len(gallery),
        "broken": [{"name": one.name, "reason": one.reason} for one in gallery.broken],
    }


def _print(answer: "Answer", gallery: "Gallery") -> None:
    composed = f", the mean of {' and '.join(answer.parts)}" if answer.parts else ""
    console.print_table(
        f"The images nearest to {answer.word!r}{composed}, of {len(gallery)}",
        ["image", "class", "similarity"],
        [
            (name, label or "", f"{similarity:.3f}")
            for name, label, similarity in _rows(answer, gallery)
        ],
        right=1,
    )
    red, green, blue = answer.average_colour
    facts = [("average colour", f"{_hexadecimal(answer.average_colour)} ({red}, {green}, {blue})")]
    if answer.nearest_words:
        facts.append(("nearest words", as_words(answer.nearest_words)))
    console.print_table(None, ["what", "value"], facts)


def _save_enlarged(drawn: Any, path: Path) -> None:
    """Write a small picture so large that its pixels can be told apart."""
    from PIL import Image  # noqa: PLC0415

    factor = max(1, 500 // max(drawn.shape[:2]))
    picture = Image.fromarray(drawn.repeat(factor, axis=0).repeat(factor, axis=1))
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")
