"""Options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wordsight.cli import console
from wordsight.exceptions import DataError, InputError

if TYPE_CHECKING:
    from wordsight.words.vectors import WordVectors

__all__ = [
    "CLASSES",
    "EVERY_COMMAND",
    "RUNNING",
    "CachePath",
    "CachePrecision",
    "DataPath",
    "Debug",
    "Device",
    "Json",
    "JsonLines",
    "ModelPath",
    "OnBroken",
    "Overwrite",
    "Quiet",
    "TextModel",
    "Verbose",
    "WordsFile",
    "described",
    "names",
]

CLASSES = "Words and classes"
RUNNING = "Running"
EVERY_COMMAND = "Every command"
"""Panels of help; the last is shown last."""

# all of these may also stand before the command
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show where in the code an error comes from (also: WORDSIGHT_DEBUG=1).",
        callback=console.set_debug,
        rich_help_panel=EVERY_COMMAND,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Say nothing but results and errors.",
        callback=console.set_quiet,
        rich_help_panel=EVERY_COMMAND,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Say what is done, on what, and how long it takes.",
        callback=console.set_verbose,
        rich_help_panel=EVERY_COMMAND,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON value on stdout, and nothing else.",
        callback=console.set_json,
        rich_help_panel=EVERY_COMMAND,
    ),
]
JsonLines = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON lines on stdout, one for each row, and nothing else.",
        callback=console.set_json,
        rich_help_panel=EVERY_COMMAND,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an output that exists.", rich_help_panel=RUNNING),
]
Device = Annotated[
    str | None,
    typer.Option(
        help="Where to compute: cpu, cuda, cuda:1.", show_default="cpu", rich_help_panel=RUNNING
    ),
]
OnBroken = Annotated[
    Literal["error", "skip"],
    typer.Option(help="What to do with an image that cannot be read.", rich_help_panel=RUNNING),
]
WordsFile = Annotated[
    Path | None,
    typer.Option(
        help="Word vectors: word2vec, GloVe, fastText .vec (plain or .gz) or .safetensors.",
        show_default="the vocabulary in the package",
        rich_help_panel=CLASSES,
    ),
]
TextModel = Annotated[
    Path | None,
    typer.Option(
        help="The folder of a sentence-transformers model on this machine, which turns "
        "descriptions into vectors (pip install 'wordsight[text]').",
        rich_help_panel=CLASSES,
    ),
]
ModelPath = Annotated[
    Path,
    typer.Argument(
        help="A model directory, made by: wordsight fit; or box:cifar10, the model in the box."
    ),
]
DataPath = Annotated[
    Path,
    typer.Argument(
        help="Labelled images: a folder of class folders, a parquet file or folder, a .tar archive "
        "or a folder of them, a CIFAR binary archive, a .npy or .npz file."
    ),
]


CachePath = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        help="A folder where features are kept and found again, also after an interrupt and by "
        "other commands; with it, memory hardly grows with the number of images.",
        show_default="none",
        rich_help_panel=RUNNING,
    ),
]
CachePrecision = Annotated[
    Literal["float32", "float16"],
    typer.Option(
        help="How the cache stores features: float16 takes half the room and rounds each by at "
        "most 1 part in 2,048.",
        rich_help_panel=RUNNING,
    ),
]


def names(given: list[str] | None) -> list[str]:
    """Split comma lists, which may also be given several times; spaces within a name stay.

    ``@FILE`` stands for the names in a file, one a line, which may hold commas.
    """
    found: list[str] = []
    for text in given or []:
        found += _names_in(Path(text[1:])) if text.startswith("@") else _split(text)
    return found


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _names_in(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no text in UTF-8; give a text with a name a line") from error
    except OSError as error:
        raise InputError(
            f"the names in {file} cannot be read ({error.strerror}); give a text with a name a line"
        ) from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise InputError(f"{file} holds no names; give a text with a name a line")
    return found


def described(
    descriptions: Path, text_model: Path | None, option: str, cache: Path | None = None
) -> "WordVectors":
    """Return the vectors of the classes that a file describes.

    Parameters
    ----------
    descriptions : pathlib.Path
        As `read_descriptions` takes it.
    text_model : pathlib.Path or None
        The folder of the text model, which has to be given.
    option : str
        The option that named the file, for the error.
    cache : pathlib.Path, optional
        Where vectors of texts are kept.
    """
    if text_model is None:
        raise InputError(
            f"{option} needs --text-model: name the folder of a "
            "sentence-transformers model on this machine"
        )
    from wordsight.words.descriptions import describe, read_descriptions  # noqa: PLC0415 - scipy
    from wordsight.words.text_encoder import SentenceEncoder  # noqa: PLC0415

    texts = read_descriptions(descriptions)
    return describe(texts, SentenceEncoder(text_model, cache=cache))
