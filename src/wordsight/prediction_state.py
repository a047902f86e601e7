"""The predictions of an interrupted run: what they depend on, and how they are kept."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.prediction import Prediction
from wordsight.unfinished import (
    RowKind,
    UnfinishedRows,
    digest_of_bytes,
    digest_of_model,
    open_rows,
    versions,
)

__all__ = ["PREDICTIONS", "PredictionState", "depends_on", "open_state"]

PredictionState = UnfinishedRows[Prediction]
"""The rows of an unfinished run."""

_FIELDS = [field.name for field in fields(Prediction)]


def _row(values: list[Any]) -> Prediction:
    row = dict(zip(_FIELDS, values, strict=True))
    row["nearest_words"] = tuple(row["nearest_words"])
    row["top_classes"] = tuple(map(tuple, row["top_classes"]))
    return Prediction(**row)


PREDICTIONS = RowKind(
    "wordsight-unfinished-predictions 1",
    "predictions",
    lambda row: [getattr(row, name) for name in _FIELDS],
    _row,
)
"""How rows are kept."""


def open_state(
    out: Path, key: Mapping[str, str], *, restart: bool = False
) -> AbstractContextManager[PredictionState]:
    """Open the predictions of a run that was not finished, or begin new ones, as `open_rows` does.

    Parameters
    ----------
    out : pathlib.Path
        The output, beside which they are kept.
    key : mapping of str to str
        What the rows depend on, from `depends_on`.
    restart : bool, default False
        Begin anew where the earlier run was another one; otherwise that is refused.
    """
    return open_rows(out, key, PREDICTIONS, restart=restart)


def depends_on(
    model_path: str | os.PathLike[str],
    model: CrossModalClassifier,
    inputs: str,
    *,
    among: Sequence[str] | None,
    n_nearest: int,
    device: str | None,
    n_top: int = 0,
    index: bool = False,
) -> dict[str, str]:
    """Return all that the rows of a run depend on, by what it is called to a person.

    Parameters
    ----------
    model_path : path-like
        Where the model was loaded from.
    model : CrossModalClassifier
        As it predicts: with the classes added to it.
    inputs : str
        The digest of the images.
    among, n_nearest, n_top
        As for `predict_all`.
    index : bool
        Whether unseen classes are found by an index.
    device : str or None
        Where it computes.

    Returns
    -------
    dict of str to str
    """
    classes = repr([str(name) for name in model.classes_])
    words = model.words_
    return {
        "model": digest_of_model(model_path),
        "classes (--also)": digest_of_bytes(
            classes.encode(), np.ascontiguousarray(model.word_vectors_)
        ),
        "word vectors (--words)": digest_of_bytes(
            "\n".join(words.words).encode(), np.ascontiguousarray(words.vectors)
        ),
        "gate (--gate)": str(model.gate),
        "choice of classes (--among)": repr(None if among is None else list(among)),
        "number of nearest words (--nearest)": str(n_nearest),
        "number of top classes (--top)": str(n_top),
        "index of classes (--index)": str(index),
        "device (--device)": str(device),
        "version of Wordsight or its libraries": versions(),
        "list of images, or images changed since": inputs,
    }
