"""Ask a model what a word looks like: the images nearest to it, and their colour.

The paper, section 4: the grounded word space can be queried "for prototypical visual instances of a
word or the average color of concrete nouns".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.exceptions import InputError
from wordsight.exploration.colours import mean_colour
from wordsight.exploration.gallery import Gallery

__all__ = ["Answer", "ask", "contact_sheet"]

_GAP = 6
_INK, _PAPER = "#222222", "#ffffff"


@dataclass(frozen=True)
class Answer:
    """What a model says to a word.

    Attributes
    ----------
    word : str
    parts : tuple of str
        What the word's vector is the mean of; empty where it has its own.
    indices : ndarray of int64, shape (k,)
        Images of the gallery that are mapped nearest to the word, the nearest first.
    similarities : ndarray of float64, shape (k,)
        Cosines of mapped point and word.
    average_colour : (int, int, int)
        Red, green and blue, 0 to 255, of these images together, in linear light.
    nearest_words : tuple of (str, float)
        Words nearest to the word, and their cosines; not itself.
    """

    word: str
    parts: tuple[str, ...]
    indices: NDArray[np.int64]
    similarities: NDArray[np.float64]
    average_colour: tuple[int, int, int]
    nearest_words: tuple[tuple[str, float], ...]


def ask(
    model: CrossModalClassifier, gallery: Gallery, word: str, k: int = 20, *, n_words: int = 10
) -> Answer:
    """Find the images that a word means to a model.

    Parameters
    ----------
    model : CrossModalClassifier
    gallery : Gallery
        Of this model.
    word : str
        Any word or name with a vector, a class of the model or not.
    k : int, default 20
        How many images.
    n_words : int, default 10
        How many words near it to name.

    Returns
    -------
    Answer

    Raises
    ------
    MissingWordError
        The word has no vector; spellings near it are named.
    """
    query = model.query(word)
    indices, similarities = gallery.nearest(query.vector, k)
    return Answer(
        word=word,
        parts=query.parts,
        indices=indices,
        similarities=similarities,
        average_colour=mean_colour(gallery.colours[indices]),
        nearest_words=tuple(model.words_near(word, n_words)),
    )


def contact_sheet(
    gallery: Gallery,
    indices: Sequence[int] | NDArray[np.int64],
    *,
    captions: Sequence[str] | None = None,
    columns: int = 5,
    size: int = 128,
) -> Image.Image:
    """Lay images out in rows, each with a caption, in the order given.

    Parameters
    ----------
    gallery : Gallery
    indices : sequence of int
        Which images.
    captions : sequence of str, optional
        A line for each; by default its class, where it has one.
    columns : int, default 5
    size : int, default 128
        Pixels of the longer side of each image; small images are enlarged without smoothing.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    chosen = [int(i) for i in indices]
    if not chosen or columns < 1:
        raise InputError(
            f"{len(chosen)} images in {columns} columns were asked for; expected 1 or more"
        )
    if captions is None:
        labels = gallery.labels
        captions = ["" if labels is None else str(labels[i]) for i in chosen]
    if len(captions) != len(chosen):
        raise InputError(f"{len(captions)} captions were given for {len(chosen)} images")
    font = ImageFont.load_default(size=max(10, size // 10))
    line = int(font.getbbox("Äg")[3]) + 4 if any(captions) else 0
    columns = min(columns, len(chosen))
    n_rows = -(-len(chosen) // columns)
    step_x, step_y = size + _GAP, size + line + _GAP
    sheet = Image.new("RGB", (columns * step_x + _GAP, n_rows * step_y + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, (i, caption) in enumerate(zip(chosen, captions, strict=True)):
        row, column = divmod(place, columns)
        left, top = _GAP + column * step_x, _GAP + row * step_y
        picture = Image.fromarray(gallery.image(i, size))
        sheet.paste(picture, (left + (size - picture.width) // 2, top + size - picture.height))
        pen.text((left, top + size + 1), _fitting(caption, font, size), fill=_INK, font=font)
    return sheet


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut a text to a width in pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
