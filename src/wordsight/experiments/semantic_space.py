"""The word space with images of seen and unseen classes in it, in two dimensions (Fig. 2)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from wordsight.experiments.canvas import blank
from wordsight.experiments.experiment import Experiment, Number, Outcome, Picture
from wordsight.experiments.lab import Lab, Split
from wordsight.experiments.setting import CLASSES, UNSEEN
from wordsight.geometry import sq_dist
from wordsight.plots import INK, project

__all__ = ["EXPERIMENT", "share_near"]

POINTS_PER_CLASS = 150

ANIMALS = ("bird", "deer", "dog", "frog", "horse")
VEHICLES = ("airplane", "automobile", "ship")

# dark and light in turn, and a shape of its own for each class: colour is never the only sign
_LOOKS = {
    "airplane": ("#56B4E9", "o"),
    "automobile": ("#000000", "s"),
    "bird": ("#009E73", "^"),
    "deer": ("#8C6D31", "v"),
    "dog": ("#0072B2", "D"),
    "frog": ("#66A61E", "P"),
    "horse": ("#7B3294", "X"),
    "ship": ("#999999", "h"),
    "cat": ("#D55E00", "<"),
    "truck": ("#CC0066", ">"),
}


def share_near(split: Split, seen_words: NDArray[Any], name: str, group: Sequence[str]) -> float:
    """Return the share of a class's test images whose nearest seen word is one of a group.

    Parameters
    ----------
    split : Split
    seen_words : ndarray, shape (n_seen, d)
        In the order of ``split.seen``.
    name : str
        The class of the images.
    group : sequence of str
        Seen classes.

    Returns
    -------
    float
    """
    S = split.test[split.test_labels == name]
    nearest = np.array(split.seen)[sq_dist(S, seen_words).argmin(1)]
    return float(np.isin(nearest, group).mean())


def _run(lab: Lab) -> Outcome:
    split = lab.split("linear")
    seen_words = lab.word_vectors(split.seen)
    random_state = lab.random_state("semantic space")
    rows = np.concatenate(
        [
            random_state.permutation(np.flatnonzero(split.test_labels == name))[:POINTS_PER_CLASS]
            for name in CLASSES
        ]
    )
    flat = project(split.test[rows], lab.word_vectors(CLASSES), random_state=lab.seed)
    numbers = {
        "cat near animals": share_near(split, seen_words, "cat", ANIMALS),
        "cat near dog or horse": share_near(split, seen_words, "cat", ("dog", "horse")),
        "truck near vehicles": share_near(split, seen_words, "truck", VEHICLES),
    }
    details = {
        "points": flat.points.round(3).tolist(),
        "labels": split.test_labels[rows].tolist(),
        "words": flat.words.round(3).tolist(),
    }
    return Outcome(numbers, details, {"points per class": POINTS_PER_CLASS, "map": "linear"})


def _draw(outcomes: Sequence[Outcome]) -> list[Picture]:
    details = outcomes[0].details
    points, words = np.array(details["points"]), np.array(details["words"])
    labels = np.array(details["labels"])
    figure, (axes,) = blank(10.0, 8.6)
    for name in CLASSES:
        colour, mark = _LOOKS[name]
        unseen = name in UNSEEN
        axes.scatter(
            points[labels == name, 0],
            points[labels == name, 1],
            s=26,
            marker=mark,
            facecolors=colour if unseen else "none",
            edgecolors=colour,
            linewidths=0.8,
            alpha=0.9 if unseen else 0.6,
            zorder=3 if unseen else 2,
            label=f"{name} (unseen)" if unseen else name,
        )
    for name, place in zip(CLASSES, words, strict=True):
        unseen = name in UNSEEN
        axes.scatter(
            place[0],
            place[1],
            s=300 if unseen else 130,
            marker="*" if unseen else "s",
            color=_LOOKS[name][0],
            edgecolors="white",
            zorder=5,
        )
        axes.annotate(
            name,
            place,
            (0, 11),
            textcoords="offset points",
            ha="center",
            fontsize=13,
            fontweight="bold",
            color=INK,
            path_effects=[withStroke(linewidth=3, foreground="white")],
            zorder=6,
        )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#BBBBBB")
    axes.set_title("Word space: test images among words", loc="left", fontweight="bold", color=INK)
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return [
        Picture(
            "semantic-space",
            "Mapped test images (150 a class, marks of their true class) and word vectors "
            "(squares; stars for the unseen classes) in two dimensions by t-SNE; linear map, first "
            "seed. Filled marks are images of the unseen classes cat and truck.",
            figure,
        )
    ]


EXPERIMENT = Experiment(
    name="semantic-space",
    title="The word space, in two dimensions",
    source="ICLR 2013, Fig. 2",
    about=(
        "Test images are mapped into the word space by a linear map that has met neither cats nor "
        "trucks, and laid out with the words by t-SNE. The paper finds that images of seen classes "
        "gather round their words, and that cats lie near dog and horse, far from vehicles."
    ),
    numbers=(
        Number("cat near animals", "cats whose nearest seen word is an animal"),
        Number("cat near dog or horse", "cats whose nearest seen word is dog or horse"),
        Number("truck near vehicles", "trucks whose nearest seen word is a vehicle"),
    ),
    run=_run,
    draw=_draw,
)
