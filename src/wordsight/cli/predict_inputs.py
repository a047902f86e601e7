"""What ``wordsight predict`` is given: a model or none, and inputs, also as a list to be read."""

import sys
from pathlib import Path

from wordsight.box import BOX, PREFIX, is_model_directory
from wordsight.exceptions import InputError

__all__ = ["model_and_inputs", "with_list"]

STANDARD_INPUT = "-"


def model_and_inputs(given: list[str], model: Path | None) -> tuple[Path, list[str]]:
    """Tell the model from what is to be predicted.

    The first argument is the model where it is a model directory, or nothing that could be
    predicted while other arguments are; without one, the model in the box is used.
    """
    if model is not None:
        return model, given
    from wordsight.prediction_inputs import is_input  # noqa: PLC0415 - numpy

    first, rest = given[0], given[1:]
    if first.startswith(PREFIX) or is_model_directory(first):
        if not rest:
            raise InputError(
                f"{first} is a model, and no images were named; name them after it, or name the "
                f"model by --model if the images in {first} are meant"
            )
        _refuse_both(Path(first))
        return Path(first), rest
    if rest and first != STANDARD_INPUT and not is_input(first):
        return Path(first), rest  # whose absence or damage is told when it is loaded
    return Path(BOX), given


def _refuse_both(folder: Path) -> None:
    """Raise `InputError` where a model directory holds images that its card says nothing of."""
    from wordsight.data.files import is_image_name  # noqa: PLC0415 - numpy

    images = [path.name for path in folder.glob("*") if is_image_name(path.name)]
    card = folder / "README.md"
    told = card.read_text(encoding="utf-8", errors="replace") if images and card.is_file() else ""
    if any(name not in told for name in images):
        raise InputError(
            f"{folder} holds a model and images ({images[0]}), so it is not clear which is meant; "
            f"give the model as --model {folder}, and the images as inputs"
        )


def with_list(inputs: list[str], *, null: bool) -> list[str]:
    """Put the list of files on standard input in its place."""
    places = [place for place, path in enumerate(inputs) if path == STANDARD_INPUT]
    if null and not places:
        raise InputError("--null was given and no list of files; ask for one with -")
    if not places:
        return inputs
    if len(places) > 1:
        raise InputError("- was given twice, and standard input can be read once; give it once")
    from wordsight.prediction_inputs import names_in  # noqa: PLC0415 - numpy

    names = names_in(sys.stdin.buffer.read(), null=null)
    return [*inputs[: places[0]], *names, *inputs[places[0] + 1 :]]
