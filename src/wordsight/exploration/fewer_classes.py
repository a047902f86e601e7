"""A model with fewer unseen classes, for a page that has no room for very many."""

import numpy as np

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.exploration.gallery import Gallery

__all__ = ["with_fewer_classes"]


def with_fewer_classes(
    model: CrossModalClassifier, gallery: Gallery | None, n_classes: int
) -> tuple[CrossModalClassifier, Gallery | None]:
    """Leave out the unseen classes that fewest images are nearest to.

    What an image is called stays the same where its class stays; its probability rises.

    Parameters
    ----------
    model : CrossModalClassifier
        Stays as it is.
    gallery : Gallery or None
        Of this model. Without one the first unseen classes stay.
    n_classes : int
        How many may stay; seen ones always do.

    Returns
    -------
    CrossModalClassifier
        The same where there are no more classes.
    Gallery or None
        The images as that model sees them.
    """
    n_seen = len(model.seen_)
    room = max(0, n_classes - n_seen)
    if len(model.unseen_) <= room:
        return model, gallery
    counts = np.zeros(len(model.unseen_), dtype=np.int64)
    if gallery is not None:
        nearest = gallery.recognition.unseen_column
        assert nearest is not None  # there are unseen classes
        counts += np.bincount(nearest - n_seen, minlength=len(counts))
        if gallery.labels is not None:  # what is true should be seen to be missed
            counts += np.isin(model.unseen_, gallery.labels)
    gone = np.argsort(-counts, kind="stable")[room:]
    fewer = model.branch().remove_classes(model.unseen_[gone].tolist())
    return fewer, None if gallery is None else gallery.updated(fewer)
