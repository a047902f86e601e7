"""The pictures of a model: what each kind needs, and how it is drawn from that."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.evaluation import Observed
from wordsight.exceptions import InputError
from wordsight.exploration.layout import LayoutKind
from wordsight.features.conv_features import ConvFeatures
from wordsight.features.patch_features import PatchFeatures
from wordsight.features.residual_network import ResidualNetwork
from wordsight.mapping.base import moved_words
from wordsight.metrics import (
    MANY_CLASSES,
    SeenUnseenCurve,
    confused_classes,
    confusion_of_many,
    harmonic_mean,
    seen_unseen_accuracy,
    seen_unseen_curve,
)
from wordsight.plots.confusion import confusion_diagram
from wordsight.plots.curve import curve_diagram
from wordsight.plots.figure import WIDTH, encoded
from wordsight.plots.filters import atoms_in_pixels, filter_mosaic
from wordsight.plots.map import map_diagram
from wordsight.plots.projection import project
from wordsight.plots.reliability import reliability_diagram
from wordsight.plots.words import cosine_similarities, words_diagram
from wordsight.reliability import reliability

__all__ = [
    "KINDS",
    "N_MAPPED",
    "OF_DATA",
    "Kind",
    "Picture",
    "PictureSettings",
    "card_pictures",
    "draw",
]

Kind = Literal["map", "curve", "confusion", "reliability", "filters", "words"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OF_DATA: tuple[Kind, ...] = ("map", "curve", "confusion", "reliability")
"""Kinds that show what a model says of labelled images; the others show the model alone."""

ON_CARD: tuple[Kind, ...] = ("curve", "confusion", "map", "reliability")
N_MAPPED = 1500
"""Images on a map: of more, one covers the other, and t-SNE takes minutes."""

_CARD_DPI = 110


@dataclass(frozen=True)
class PictureSettings:
    """How pictures are drawn.

    Attributes
    ----------
    data, model : str
        What is said of images, such as "cifar10, test split", and of the model alone: in titles.
    title : str or None
        In place of the title that a kind has.
    width : float
        In centimetres.
    layout : {"tsne", "pca", "umap"}
        Of the map.
    random_state : int
        The seed of the layout.
    """

    data: str = ""
    model: str = ""
    title: str | None = None
    width: float = WIDTH
    layout: LayoutKind = "tsne"
    random_state: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture of a model.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    title : str
    figure : Figure
    numbers : dict of str to float or int
        Those that it tells.
    """

    kind: Kind
    title: str
    figure: Figure
    numbers: dict[str, float] = field(default_factory=dict)

    def encoded(self, ending: str = "png", *, dpi: float) -> bytes:
        """Return the contents of a file: png, svg or pdf."""
        with _strange_letters_told_once():
            return encoded(self.figure, ending, dpi=dpi, title=self.title)


def draw(
    kind: Kind,
    model: CrossModalClassifier,
    observed: Observed | None = None,
    settings: PictureSettings | None = None,
) -> Picture:
    """Draw one picture of a model.

    Parameters
    ----------
    kind : {"map", "curve", "confusion", "reliability", "filters", "words"}
    model : CrossModalClassifier
        Fitted.
    observed : Observed, optional
        From `evaluation.observe`; needed by the first four, the map also needs `n_mapped`.
    settings : PictureSettings, optional

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        Another kind; nothing observed where it is needed; a curve without images of seen and of
        unseen classes; filters of a model whose features have none.
    """
    if kind not in KINDS:
        raise InputError(f"the picture {kind!r} was asked for; expected one of: {', '.join(KINDS)}")
    given = settings or PictureSettings()
    with _strange_letters_told_once(silent=True):
        if kind in _OF_MODEL:
            return _OF_MODEL[kind](model, given)
        if observed is None:
            raise InputError(
                f"a picture of kind {kind!r} shows what a model says of labelled images, and none "
                "were given; give a data set"
            )
        return _OF_OBSERVED[kind](model, observed, given)


def card_pictures(
    model: CrossModalClassifier, observed: Observed, settings: PictureSettings
) -> dict[str, bytes]:
    """Draw the pictures of a model card, as far as the images allow.

    Parameters
    ----------
    model : CrossModalClassifier
    observed : Observed
        With mapped points.
    settings : PictureSettings

    Returns
    -------
    dict of str to bytes
        By kind, PNG files.
    """
    pictures: dict[str, bytes] = {}
    for kind in ON_CARD:
        # a card shows what there is: without unseen images there is no curve
        with suppress(InputError):
            pictures[kind] = draw(kind, model, observed, settings).encoded("png", dpi=_CARD_DPI)
    return pictures


def _lacking(observed: Observed) -> str:
    """Return what a curve needs and is not there."""
    if not len(observed.unseen):
        return "the model has no unseen classes"
    of_unseen = np.isin(observed.true, observed.unseen)
    for there, kind, names in (
        (of_unseen.any(), "unseen", observed.unseen),
        (not of_unseen.all(), "seen", observed.seen),
    ):
        if not there:
            some = ", ".join(names[:5].tolist()) + (", …" if len(names) > 5 else "")
            return f"none of the images is of an {kind} class ({some})".replace("an seen", "a seen")
    return ""


def _titled(said: str, about: str, settings: PictureSettings) -> str:
    if settings.title is not None:
        return settings.title
    return f"{said}: {about}" if about else said


# of images


def _map(model: CrossModalClassifier, observed: Observed, settings: PictureSettings) -> Picture:
    true, sample = observed.true, observed.sample
    classes = confused_classes(true, observed.predicted, _classes(observed))
    is_shown = np.isin(_classes(observed), classes)
    words = moved_words(model.mapping_, model.word_vectors_[is_shown])
    projection = project(
        observed.mapped, words, kind=settings.layout, random_state=settings.random_state
    )
    how = {"tsne": "t-SNE", "pca": "principal components", "umap": "UMAP"}[settings.layout]
    some = f"{len(sample):,} of {len(true):,}" if len(sample) < len(true) else f"{len(true):,}"
    title = _titled(f"Semantic map, {some} images ({how})", settings.data, settings)
    is_novel = observed.novelty_score[sample] > 0
    figure = map_diagram(
        projection,
        classes,
        int(is_shown[: len(observed.seen)].sum()),
        true[sample],
        is_novel,
        title=title,
        width=settings.width,
    )
    return Picture("map", title, figure, {"n_images": len(sample), "n_novel": int(is_novel.sum())})


def _curve(model: CrossModalClassifier, observed: Observed, settings: PictureSettings) -> Picture:
    if lacking := _lacking(observed):
        raise InputError(
            f"a seen–unseen curve needs labelled images of seen and of unseen classes, and "
            f"{lacking}; give such data, or ask for another picture, such as confusion"
        )
    curve = _curve_of(observed)
    seen, unseen = seen_unseen_accuracy(
        observed.true, observed.predicted, observed.seen, observed.unseen
    )
    assert seen is not None  # images of both kinds are there
    assert unseen is not None
    title = _titled("Seen–unseen curve", settings.data, settings)
    figure = curve_diagram(curve, (seen, unseen), title=title, width=settings.width)
    numbers = {
        "ausuc": curve.area,
        "seen_accuracy": seen,
        "unseen_accuracy": unseen,
        "harmonic_mean": harmonic_mean(seen, unseen),
        "best_harmonic_mean": curve.best_harmonic_mean,
        "best_threshold": curve.best_threshold,
    }
    return Picture("curve", title, figure, numbers)


def _curve_of(observed: Observed) -> SeenUnseenCurve:
    return seen_unseen_curve(
        observed.true,
        observed.as_seen,
        observed.as_unseen,
        observed.novelty_score,
        seen=observed.seen,
        unseen=observed.unseen,
    )


def _confusion(
    model: CrossModalClassifier, observed: Observed, settings: PictureSettings
) -> Picture:
    title = _titled("Confusion matrix", settings.data, settings)
    classes, counts = confusion_of_many(observed.true, observed.predicted, _classes(observed))
    n_seen = int(np.isin(observed.seen, classes).sum())
    figure = confusion_diagram(counts, classes, n_seen, title=title, width=settings.width)
    numbers: dict[str, float] = {"n_images": int(counts.sum()), "n_right": int(np.trace(counts))}
    return Picture("confusion", title, figure, numbers)


def _reliability(
    model: CrossModalClassifier, observed: Observed, settings: PictureSettings
) -> Picture:
    title = _titled("How sure, how right", settings.data, settings)
    found = reliability(observed.is_right, observed.confidence)
    figure = reliability_diagram(found, title=title, width=settings.width)
    return Picture("reliability", title, figure, {"calibration_error": found.error})


# of the model alone


def _filters(model: CrossModalClassifier, settings: PictureSettings) -> Picture:
    filters, said = _filters_of(model.features_)
    title = _titled(said, settings.model, settings)
    figure = filter_mosaic(filters, title=title, width=settings.width)
    return Picture("filters", title, figure, {"n_filters": len(filters)})


def _filters_of(features: Any) -> tuple[NDArray[np.float64], str]:
    """Return filters (n, height, width, 3), and what they are."""
    if isinstance(features, PatchFeatures):
        atoms = atoms_in_pixels(features.dictionary_, features.whitener_)
        side = features.patch_size
        return atoms, f"{len(atoms):,} atoms of the dictionary, {side} × {side} pixels"
    if isinstance(features, ConvFeatures):
        network = ResidualNetwork.restored(features.width, features.n_blocks, features.weights_)
        weight = network.stem.weight.detach().numpy().astype(np.float64)
        filters = weight.transpose(0, 2, 3, 1)  # (width, 3, height, width): colours last
        side = filters.shape[1]
        return filters, f"{len(filters):,} filters of the first layer, {side} × {side} pixels"
    what = "ready features" if features is None else f"features of {type(features).__name__}"
    raise InputError(
        f"the model was trained on {what}, which have no filters to show; expected a model on "
        "PatchFeatures or ConvFeatures: ask for another picture, such as words"
    )


def _words(model: CrossModalClassifier, settings: PictureSettings) -> Picture:
    n_seen, names = len(model.seen_), [str(name) for name in model.classes_]
    if len(names) > MANY_CLASSES:
        raise InputError(
            f"the model has {len(names):,} classes, and a picture of how alike their words are "
            f"has room for {MANY_CLASSES:,}; ask for another picture, such as confusion"
        )
    title = _titled("Similarity of the classes’ words", settings.model, settings)
    figure = words_diagram(model.word_vectors_, names, n_seen, title=title, width=settings.width)
    numbers: dict[str, float] = {"n_classes": len(names)}
    if n_seen < len(names):
        nearest = cosine_similarities(model.word_vectors_)[n_seen:, :n_seen].max(1)
        numbers["unseen_to_nearest_seen"] = float(nearest.mean())
    return Picture("words", title, figure, numbers)


def _classes(observed: Observed) -> Sequence[str]:
    return [str(name) for name in (*observed.seen, *observed.unseen)]


_OF_MODEL: dict[Kind, Callable[[CrossModalClassifier, PictureSettings], Picture]] = {
    "filters": _filters,
    "words": _words,
}
_OF_OBSERVED: dict[Kind, Callable[[CrossModalClassifier, Observed, PictureSettings], Picture]] = {
    "map": _map,
    "curve": _curve,
    "confusion": _confusion,
    "reliability": _reliability,
}


@contextmanager
def _strange_letters_told_once(*, silent: bool = False) -> Iterator[None]:
    """Tell of letters that the font lacks in one sentence, not one for each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    lacking = [one for one in caught if "missing from" in str(one.message)]
    for one in caught:
        if one not in lacking:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if lacking and not silent:
        warnings.warn(
            "the picture's font (DejaVu Sans) lacks some letters of the class names, which are "
            "drawn as boxes; give such classes names in Latin, Greek or Cyrillic letters",
            stacklevel=3,
        )
