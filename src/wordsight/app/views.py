"""What the explorer's views are told: a state and its images as values ready for JSON."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight import __version__
from wordsight.app.answers import (
    AboutAnswer,
    AskAnswer,
    Curve,
    ExplainAnswer,
    GateAnswer,
    Kind,
    MapAnswer,
    NearWord,
    PreviewAnswer,
    SessionAnswer,
    Share,
)
from wordsight.app.layouts import Layout, Layouts
from wordsight.app.session import Session, State
from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.queries import WordQuery
from wordsight.data.decoding import MAX_PIXELS
from wordsight.exploration.asking import Answer
from wordsight.exploration.explaining import Explanation, explain
from wordsight.exploration.teaching import Preview
from wordsight.mapping.base import moved_words
from wordsight.metrics import harmonic_mean, seen_unseen_curve

__all__ = [
    "about_view",
    "asked_view",
    "explained_view",
    "gate_view",
    "map_view",
    "preview_view",
    "session_view",
    "word_view",
]

_CURVE_POINTS = 1000


def session_view(session: Session, state: State) -> SessionAnswer:
    """Return what holds of the whole session: the model, its classes, the data, the limits."""
    model, gallery = state.model, state.gallery
    n_seen = len(model.seen_)
    trained_on = getattr(model, "about_", {}).get("data")
    return {
        "version": __version__,
        "model": {
            "name": session.name,
            "gate": model.gate,
            "detector": type(model.novelty_).__name__,
            "threshold": _short(state.threshold),
            "map": type(model.mapping_).__name__,
            "n_features": int(model.n_features_in_),
            "trained_on": None if trained_on is None else str(trained_on),
            "describes": model.words_.is_described,
            "has_text_model": session.encoder is not None,
        },
        "classes": [
            {"name": name, "kind": _kind(column, n_seen), "added": name in state.added}
            for column, name in enumerate(state.classes)
        ],
        "data": None
        if gallery is None
        else {
            "name": session.data_name,
            "n": len(gallery.rows),
            "n_broken": len(gallery.broken),
            "labelled": gallery.labels is not None,
            "class_names": list(gallery.data.class_names),
        },
        "limits": {
            "upload_bytes": session.limits.upload_bytes,
            "image_pixels": MAX_PIXELS,
            "classes": session.limits.classes,
        },
        "revision": state.revision,
        "can_undo": session.can_undo,
    }


def map_view(state: State, layouts: Layouts, initial: CrossModalClassifier) -> MapAnswer:
    """Return the semantic map: where images and words lie, and what the images are taken for.

    Parameters
    ----------
    state : State
    layouts : Layouts
    initial : CrossModalClassifier
        The model whose words were laid out with the images.
    """
    gallery, model = state.images(), state.model
    now = layouts.current
    n_seen = len(model.seen_)
    places = _word_places(model, initial, layouts, now)
    return {
        "revision": state.revision,
        "layout": {"kind": now.kind, "refining": layouts.refining, "progress": None},
        "points": {
            "x": _rounded(now.points[:, 0]),
            "y": _rounded(now.points[:, 1]),
            "label": _codes(gallery.labels, gallery.data.class_names, len(gallery.rows)),
            "predicted": gallery.recognition.column.tolist(),
            "novelty": _rounded(state.scores, 7),
            "novel": (gallery.novelty_score > 0).astype(int).tolist(),
            "proba": _rounded(gallery.recognition.probability, 3),
        },
        "words": [
            {"name": name, "kind": _kind(column, n_seen), "x": _short(x), "y": _short(y)}
            for column, (name, (x, y)) in enumerate(
                zip(state.classes, places.tolist(), strict=True)
            )
        ],
        "class_names": list(gallery.data.class_names),
    }


def gate_view(state: State) -> GateAnswer:
    """Return all that the gate's view needs to work out any threshold by itself."""
    gallery, model = state.images(), state.model
    n_seen, n_images = len(model.seen_), len(gallery.rows)
    score = np.array(_rounded(state.scores, 7))
    unseen_guess = gallery.recognition.unseen_column
    if unseen_guess is None:
        unseen_guess = np.full(n_images, -1)
    seen_guess = gallery.seen_proba.argmax(1)
    truth = np.array(_codes(gallery.labels, state.classes, n_images))
    return {
        "revision": state.revision,
        "score": score.tolist(),
        "seen_guess": seen_guess.tolist(),
        "unseen_guess": unseen_guess.tolist(),
        "truth": truth.tolist(),
        "threshold": _short(state.threshold),
        "curve": _curve(score, seen_guess, unseen_guess, truth, n_seen, len(state.classes)),
    }


def about_view(state: State, i: int) -> AboutAnswer:
    """Return what is to be said of one image of the data."""
    gallery = state.images()
    explained = explain(state.model, i, gallery)
    ranked = _ranked(explained)
    return {
        "i": i,
        "row": int(gallery.rows[i]),
        "name": gallery.name(i),
        "label": None if gallery.labels is None else str(gallery.labels[i]) or None,
        "predicted": ranked[0]["name"],
        "probability": ranked[0]["p"],
        "novelty_score": _short(explained.novelty_score + state.threshold),
        "novelty_proba": _short(explained.novelty_proba),
        "is_novel": explained.is_novel,
        "top": ranked[:5],
        "nearest_words": _words(explained.nearest_words),
        "revision": state.revision,
    }


def explained_view(state: State, explained: Explanation) -> ExplainAnswer:
    """Return what a model says of one image, and what of the data is nearest to it."""
    return {
        "revision": state.revision,
        "novelty_score": _short(explained.novelty_score + state.threshold),
        "novelty_proba": _short(explained.novelty_proba),
        "is_novel": explained.is_novel,
        "threshold": _short(state.threshold),
        "classes": _ranked(explained),
        "nearest_words": _words(explained.nearest_words),
        "nearest_images": [
            {"i": near.index, "label": near.label or None, "similarity": _short(near.similarity)}
            for near in explained.nearest_images
        ],
    }


def asked_view(state: State, answer: Answer) -> AskAnswer:
    """Return the images nearest to a word."""
    return {
        "word": answer.word,
        "parts": list(answer.parts),
        "images": [
            {"i": int(i), "similarity": _short(value)}
            for i, value in zip(answer.indices, answer.similarities, strict=True)
        ],
        "average_colour": [int(value) for value in answer.average_colour],
        "nearest_words": _words(answer.nearest_words),
        "revision": state.revision,
    }


def preview_view(state: State, preview: Preview) -> PreviewAnswer:
    """Return what a class would take from the others, were it taught."""
    return {
        "name": preview.name,
        "source": preview.source,
        "parts": list(preview.parts),
        "neighbours": _words(preview.neighbours),
        "n_taken": preview.n_taken,
        "taken_from": [
            {"name": name, "count": count} for name, count in preview.taken_from.items()
        ],
        "examples": preview.examples.tolist(),
        "already": False,
        "revision": state.revision,
    }


def word_view(state: State, query: WordQuery) -> PreviewAnswer:
    """Return what `preview_view` does, as far as it is known without images."""
    model = state.model
    near = model.words_.most_similar(query.word_vector, 10, exclude=[query.word, *query.parts])
    described = model.words_.is_described
    return {
        "name": query.word,
        "source": "description" if described else "composed" if query.parts else "word",
        "parts": list(query.parts),
        "neighbours": _words(near),
        "n_taken": 0,
        "taken_from": [],
        "examples": [],
        "already": query.word in state.classes,
        "revision": state.revision,
    }


def _word_places(
    model: CrossModalClassifier,
    initial: CrossModalClassifier,
    layouts: Layouts,
    now: Layout,
) -> NDArray[np.float32]:
    """Return where the words of all classes lie; those that came later do not move the others."""
    known = {
        (str(name), vector.tobytes()): place
        for name, vector, place in zip(
            initial.classes_, initial.word_vectors_, now.words, strict=True
        )
    }
    keys = [
        (str(name), vector.tobytes())
        for name, vector in zip(model.classes_, model.word_vectors_, strict=True)
    ]
    new = [row for row, key in enumerate(keys) if key not in known]
    places = np.array([known.get(key, (0.0, 0.0)) for key in keys], dtype=np.float32)
    if new:
        moved = moved_words(model.mapping_, model.word_vectors_[new])
        places[new] = layouts.place(moved, now)
    return places


def _curve(
    score: NDArray[np.float64],
    seen_guess: NDArray[np.int64],
    unseen_guess: NDArray[np.int64],
    truth: NDArray[np.int64],
    n_seen: int,
    n_classes: int,
) -> Curve | None:
    """Return the seen–unseen curve; None where images of either kind are missing.

    Its thresholds are such that an image is novel where its score is above them: they lie half way
    between the scores of two images, and so stand for the same images as the curve's own do.
    """
    known = truth >= 0
    if n_classes == n_seen or not (truth[known] < n_seen).any() or not (truth >= n_seen).any():
        return None
    curve = seen_unseen_curve(
        truth[known], seen_guess[known], unseen_guess[known], score[known],
        seen=np.arange(n_seen), unseen=np.arange(n_seen, n_classes),
    )  # fmt: skip
    levels = curve.thresholds[1:]  # falling; the first of the curve is infinite
    above = np.concatenate([levels[:1], (levels[:-1] + levels[1:]) / 2, levels[-1:] - 1.0])
    means = [
        harmonic_mean(*pair)
        for pair in zip(curve.seen_accuracy, curve.unseen_accuracy, strict=True)
    ]
    best = int(np.argmax(means))
    shown = np.linspace(0, len(above) - 1, min(len(above), _CURVE_POINTS)).round().astype(int)
    shown = np.unique([*shown.tolist(), best])
    return {
        "threshold": _rounded(above[shown], 7),
        "seen": _rounded(curve.seen_accuracy[shown]),
        "unseen": _rounded(curve.unseen_accuracy[shown]),
        "area": _short(curve.area),
        "best": {
            "threshold": _short(above[best], 7),
            "harmonic_mean": _short(means[best]),
            "seen": _short(curve.seen_accuracy[best]),
            "unseen": _short(curve.unseen_accuracy[best]),
        },
    }


def _ranked(explained: Explanation) -> list[Share]:
    """Return the classes of one image, the most probable first."""
    return [
        {"name": share.name, "kind": share.kind, "p": _short(share.probability)}
        for share in explained.classes
    ]


def _codes(labels: ArrayLike | None, names: Any, n_images: int) -> list[int]:
    """Return the place of each label in `names`, −1 where it has none."""
    if labels is None:
        return [-1] * n_images
    place = {str(name): code for code, name in enumerate(names)}
    return [place.get(name, -1) for name in np.asarray(labels).tolist()]


def _words(near: Any) -> list[NearWord]:
    return [{"word": str(word), "similarity": _short(value)} for word, value in near]


def _kind(column: int, n_seen: int) -> Kind:
    return "seen" if column < n_seen else "unseen"


def _short(value: Any, digits: int = 5) -> float:
    """Return a number with so many significant digits: what a page shows, in few bytes."""
    return float(f"{float(value):.{digits}g}")


def _rounded(values: Any, digits: int = 4) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in np.asarray(values).tolist()]
