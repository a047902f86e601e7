"""Dictionaries and encoders: ten classes told apart with each, after Coates & Ng (ICML 2011).

What the features owe to the dictionary and what to the encoder: OMP-1, k-means and random patches,
each with the soft threshold and with the triangle, at several sizes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from wordsight.experiments.canvas import below, blank, tidy
from wordsight.experiments.dictionary_table import (
    DICTIONARIES,
    ENCODERS,
    IN_WORDS,
    MAX_ITER,
    PATCHES_AN_ATOM,
    VERSION,
    Table,
)
from wordsight.experiments.experiment import Experiment, Number, Outcome, Picture
from wordsight.experiments.setting import Setting
from wordsight.metrics import accuracy
from wordsight.plots import SEEN_COLOUR, UNSEEN_COLOUR

if TYPE_CHECKING:
    from wordsight.experiments.lab import Lab

__all__ = ["EXPERIMENT"]

TEN_CLASSES = "ten_classes_all_images"

COLOURS = {"soft_threshold": SEEN_COLOUR, "triangle": UNSEEN_COLOUR}
MARKS = {"soft_threshold": "o", "triangle": "^"}
LINES = {"soft_threshold": "-", "triangle": "--"}


@dataclass(frozen=True)
class Published:
    """An accuracy in print.

    Attributes
    ----------
    value : float
    source : str
        Where, and how it was measured.
    """

    value: float
    source: str


PUBLISHED = {
    ("omp1", "soft_threshold", 1600): Published(
        0.7996, "Coates & Ng, ICML 2011: L2-SVM, all 50,000 training images"
    ),
    ("random", "soft_threshold", 1600): Published(
        0.785, "Coates & Ng, ICML 2011: .781 to .79, L2-SVM, all 50,000 training images"
    ),
    ("kmeans", "triangle", 1600): Published(
        0.779, "Coates, Lee & Ng, AISTATS 2011: L2-SVM, all 50,000 training images"
    ),
}

REASON = (
    "The published value is of a classifier trained on all 5,000 images of each class, an L2-SVM; "
    "ours is ridge regression, trained on as many as the setting of the table says (2,000 by "
    "default), so that 18 classifiers take minutes."
)


def _key(dictionary: str, encoder: str, n_atoms: int) -> str:
    return f"{dictionary} {encoder} {n_atoms}"


def _numbers() -> Iterator[Number]:
    for kind in DICTIONARIES:
        for encoder in ENCODERS:
            for size in Setting().table_atoms:
                published = PUBLISHED.get((kind, encoder, size))
                yield Number(
                    _key(kind, encoder, size),
                    f"{IN_WORDS[kind]}, {IN_WORDS[encoder]}, {size:,} atoms",
                    *(() if published is None else (published.value, published.source, REASON)),
                )
    best = PUBLISHED["omp1", "soft_threshold", 1600]
    yield Number(
        TEN_CLASSES,
        "OMP-1, soft threshold, on all training images that the laboratory has (ridge regression)",
        best.value,
        best.source,
        "Ridge regression in place of an L2-SVM.",
    )


NUMBERS = tuple(_numbers())


def _run(lab: "Lab") -> Outcome:
    """Measure the accuracy of each dictionary, encoder and size."""
    table = Table(lab)
    rows: list[dict[str, Any]] = []
    for kind in DICTIONARIES:
        for sizes in table.dictionaries(kind):
            found = table.accuracies(kind, sizes)
            for size, of_size in zip(sizes, found.tolist(), strict=True):
                for encoder, value in zip(ENCODERS, of_size, strict=True):
                    rows.append(
                        {"dictionary": kind, "encoder": encoder, "n_atoms": size, "accuracy": value}
                    )
    numbers = {
        _key(row["dictionary"], row["encoder"], row["n_atoms"]): row["accuracy"] for row in rows
    }
    scores = lab.seen_scores(())
    said = np.asarray(scores.seen, dtype=np.str_)[scores.test.argmax(1)]
    numbers[TEN_CLASSES] = accuracy(scores.test_labels, said)
    return Outcome(
        # of other sizes than the usual ones only the details tell
        {number.key: numbers[number.key] for number in NUMBERS if number.key in numbers},
        {"table": rows},
        {
            "classifier": "ridge regression on one-hot targets",
            "alpha": lab.setting.alpha,
            "n_atoms": list(table.sizes),
            "training images of each class": lab.setting.table_train_per_class,
            "patches an atom, at most": PATCHES_AN_ATOM,
            "passes over the patches, at most": min(MAX_ITER, lab.setting.max_iter),
        },
    )


def _draw(outcomes: Sequence[Outcome]) -> list[Picture]:
    """Draw accuracy against the number of atoms: a panel a dictionary, a line an encoder."""
    figure, panels = blank(12.0, 5.2, len(DICTIONARIES))
    for panel, kind in zip(panels, DICTIONARIES, strict=True):
        title = IN_WORDS[kind][:1].upper() + IN_WORDS[kind][1:]
        tidy(panel, title, x="Atoms", y="" if panel is not panels[0] else "Accuracy, ten classes")
        sizes = sorted(_values(outcomes, kind, ENCODERS[0]))
        panel.set_xscale("log", base=2)
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
        panel.minorticks_off()
        panel.margins(x=0.12)
        for encoder in ENCODERS:
            _draw_line(panel, kind, encoder, outcomes)
    handles = [_mark(encoder, IN_WORDS[encoder]) for encoder in ENCODERS]
    shown = {encoder for _kind, encoder, size in PUBLISHED if size in sizes}
    handles += [
        _mark(encoder, f"{IN_WORDS[encoder]}, published", published=True)
        for encoder in ENCODERS
        if encoder in shown
    ]
    below(figure, handles)
    return [Picture("dictionaries", _caption(outcomes, bool(shown)), figure)]


def _caption(outcomes: Sequence[Outcome], with_published: bool) -> str:
    text = "Accuracy on test images of all ten classes by dictionary, encoder and number of atoms"
    if len(outcomes) > 1:
        text += f"; mean and standard deviation of {len(outcomes)} seeds"
    if not with_published:
        return f"{text}."
    return (
        f"{text}. Stars: published, with all 50,000 training images and an L2-SVM (soft threshold:"
        " Coates & Ng, ICML 2011; k-means with the triangle: Coates, Lee & Ng, AISTATS 2011)."
    )


def _values(outcomes: Sequence[Outcome], kind: str, encoder: str) -> dict[int, list[float]]:
    """Return the accuracies of all seeds by the number of atoms."""
    found: dict[int, list[float]] = {}
    for outcome in outcomes:
        for row in outcome.details["table"]:
            if (row["dictionary"], row["encoder"]) == (kind, encoder):
                found.setdefault(int(row["n_atoms"]), []).append(float(row["accuracy"]))
    return found


def _draw_line(panel: Axes, kind: str, encoder: str, outcomes: Sequence[Outcome]) -> None:
    values = dict(sorted(_values(outcomes, kind, encoder).items()))
    spread = [float(np.std(of_size, ddof=1)) for of_size in values.values() if len(of_size) > 1]
    panel.errorbar(
        list(values),
        [float(np.mean(of_size)) for of_size in values.values()],
        yerr=spread or None,
        color=COLOURS[encoder],
        marker=MARKS[encoder],
        linestyle=LINES[encoder],
        linewidth=1.8,
        markersize=8,
        capsize=4,
    )
    for (of, by, size), published in PUBLISHED.items():
        if (of, by) == (kind, encoder) and size in values:
            star = _mark(encoder, published=True)
            star.set_data([size], [published.value])
            panel.add_line(star)
            panel.update_datalim([(size, published.value)])
    panel.autoscale_view()


def _mark(encoder: str, label: str = "", *, published: bool = False) -> Line2D:
    """Return the mark of an encoder: on its line, or hollow for a published value."""
    mark = Line2D([], [], color=COLOURS[encoder], zorder=4, label=label)
    if published:
        mark.set(linestyle="none", marker="*", markersize=16)
        mark.set(markerfacecolor="white", markeredgewidth=1.5)
    else:
        mark.set(linestyle=LINES[encoder], marker=MARKS[encoder], markersize=8)
    return mark


EXPERIMENT = Experiment(
    name="dictionaries",
    title="Dictionaries and encoders",
    source="Coates & Ng, ICML 2011, and Coates, Lee & Ng, AISTATS 2011, which the paper builds on",
    about=(
        "Features from dictionaries learned by OMP-1 and by k-means and from random patches, each "
        "with the soft threshold and with the triangle, at several sizes; on each, ridge "
        "regression tells all ten classes apart. All share the whitening, the training images "
        "(drawn from each class) and the ridge term; dictionaries are learned without labels from "
        "patches of all training images. The OMP-1 dictionary of the laboratory's size is its own."
    ),
    numbers=NUMBERS,
    run=_run,
    draw=_draw,
    version=VERSION,
)
