"""``wordsight words``: look at word vectors and convert them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from wordsight.cli import console
from wordsight.cli.options import Json, Overwrite, WordsFile
from wordsight.cli.options import names as listed
from wordsight.exceptions import InputError
from wordsight.storage import check_writable, refuse_existing

__all__ = ["app", "convert", "info", "near"]

app = typer.Typer(
    help="Look at word vectors, and convert them.", no_args_is_help=True, rich_markup_mode=None
)

FILE_HELP = "word2vec text or binary, GloVe, fastText .vec (plain or .gz), or .safetensors."


@app.command()
def near(
    word: Annotated[
        str, typer.Argument(help="A word, or a name of several words, composed if need be.")
    ],
    words: WordsFile = None,
    n: Annotated[int, typer.Option("-n", "--n", help="How many words.", min=1)] = 10,
    metric: Annotated[
        Literal["cosine", "euclidean"], typer.Option(help="What near means.")
    ] = "cosine",
    json_: Json = False,
) -> None:
    """Print the words nearest to a word.

    Examples
    --------
    wordsight words near zebra
    wordsight words near "polar bear" -n 5 --metric euclidean
    """
    from wordsight.words.vectors import WordVectors  # noqa: PLC0415 - imports numpy

    table = WordVectors.coerce(words)
    point = table.vector_for(word, on_missing="compose")
    found = table.most_similar(point, n, metric=metric, exclude=[word])
    if json_:
        console.print_json([{"word": name, "similarity": value} for name, value in found])
        return
    rows = [(name, f"{value:.4f}") for name, value in found]
    console.print_table(None, ["word", "similarity"], rows, right=1)


@app.command()
def info(
    file: Annotated[
        Path | None, typer.Argument(help=FILE_HELP, show_default="the vocabulary in the package")
    ] = None,
    json_: Json = False,
) -> None:
    """Print how many words a file holds, their dimension and its format.

    Examples
    --------
    wordsight words info
    wordsight words info vectors.txt
    """
    from wordsight.words.formats import detect_format  # noqa: PLC0415
    from wordsight.words.vectors import WordVectors  # noqa: PLC0415
    from wordsight.words.vocabulary import DEFAULT_VOCABULARY  # noqa: PLC0415

    table = WordVectors.coerce(file)
    facts = {
        "n_words": len(table),
        "dimension": table.dimension,
        "format": detect_format(DEFAULT_VOCABULARY if file is None else file),
        "source": table.source,
        "first_words": list(table.words[:10]),
    }
    if json_:
        console.print_json(facts)
        return
    facts["first_words"] = ", ".join(table.words[:10])
    rows = [(name.replace("_", " "), str(value)) for name, value in facts.items()]
    console.print_table(None, ["what", "value"], rows)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help=FILE_HELP, metavar="IN")],
    out: Annotated[
        Path,
        typer.Argument(
            help="The file to write: .txt, .vec, .bin (each also with .gz) or .safetensors.",
            metavar="OUT",
        ),
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(help="Keep what looking up these names needs, separated by commas."),
    ] = None,
    format_: Annotated[
        Literal["word2vec-text", "word2vec-binary", "glove", "safetensors"] | None,
        typer.Option("--format", help="How to write it.", show_default="by the ending of the name"),
    ] = None,
    overwrite: Overwrite = False,
    json_: Json = False,
) -> None:
    """Write word vectors in another format, or fewer of them.

    Examples
    --------
    wordsight words convert vectors.txt vectors.safetensors
    wordsight words convert vectors.txt few.txt --only "zebra,polar bear"
    """
    refuse_existing(out, overwrite=overwrite)
    check_writable(out)

    from wordsight.words.vectors import WordVectors  # noqa: PLC0415

    names = listed(only) if only else None
    table = WordVectors.load(source, only=names)
    if names is not None:
        table.vectors_for(names, on_missing="compose")  # says which are missing
    if not len(table):
        raise InputError(f"{source} holds no words to keep; name a file that does")
    table.save(out, format_)
    if json_:
        console.print_json({"out": str(out), "n_words": len(table), "dimension": table.dimension})
    else:
        console.print_line(str(out))
    console.say(f"Wrote {len(table)} words of {table.dimension} dimensions.")
