"""What a word looks like to a model: patches that pull towards it, or the images nearest to it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.exploration.asking import contact_sheet
from wordsight.exploration.gallery import Gallery

__all__ = ["prototype"]


def prototype(
    model: CrossModalClassifier, word: str, gallery: Gallery | None = None, **options: Any
) -> NDArray[np.uint8]:
    """Draw what a word looks like to a model.

    Parameters
    ----------
    model : CrossModalClassifier
    word : str
        Any word or name with a vector.
    gallery : Gallery, optional
        Of this model: for one that cannot draw by itself (`CrossModalClassifier.can_draw`), the
        nine images nearest to the word are shown instead.
    **options
        Of `CrossModalClassifier.prototype`.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    MissingWordError
        The word has no vector; spellings near it are named.
    InputError
        The model cannot draw, and there is no gallery.
    """
    if gallery is None or model.can_draw:
        return model.prototype(word, **options)
    indices, _similarities = gallery.nearest(model.query(word).vector, 9)
    sheet = contact_sheet(gallery, indices, captions=[""] * len(indices), columns=3)
    return np.asarray(sheet)
