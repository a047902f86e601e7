"""Attributes against word vectors: the same scores, split and classes, two kinds of knowledge."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wordsight.baselines.attributes import class_log_scores
from wordsight.experiments.attribute_prediction import (
    AttributeTable,
    attribute_log_odds,
)
from wordsight.experiments.canvas import below, blank, over_seeds, tidy
from wordsight.experiments.experiment import Experiment, Number, Outcome, Picture
from wordsight.experiments.setting import CLASSES, PUBLISHED_PAIRS, UNSEEN
from wordsight.geometry import sq_dist
from wordsight.metrics import harmonic_mean, macro_accuracy, seen_unseen_accuracy
from wordsight.plots import INK, SEEN_COLOUR, UNSEEN_COLOUR

if TYPE_CHECKING:
    from wordsight.experiments.lab import Lab, SeenScores

__all__ = ["EXPERIMENT", "by_attributes", "by_words"]


def by_attributes(
    table: AttributeTable, held_out: "SeenScores", scores: "SeenScores", candidates: Sequence[str]
) -> NDArray[np.float64]:
    """Score classes by their attributes.

    Parameters
    ----------
    table : AttributeTable
        Attributes that all seen classes share are left out.
    held_out : SeenScores
        Its `train` are images that its ridge has not learned from; they set probabilities.
    scores : SeenScores
        Its `test` images are scored.
    candidates : sequence of str

    Returns
    -------
    ndarray, shape (n_test, len(candidates))
        High is likely.
    """
    kept = table.varying_over(scores.seen)
    has_seen = kept.of_classes(scores.seen)
    # ridge is linear in its targets: that on attributes ±1 is that on classes, times their ±1
    signs = np.where(has_seen, 1.0, -1.0)
    log_odds = attribute_log_odds(
        held_out.train @ signs,
        has_seen[[scores.seen.index(name) for name in held_out.train_labels]],
        scores.test @ signs,
    )
    return class_log_scores(log_odds, kept.of_classes(candidates), has_seen.mean(axis=0))


def by_words(
    W_seen: NDArray[np.float64], scores: "SeenScores", W: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Score classes by their word vectors: minus the squared distance, shape (n_test, len(W))."""
    return -sq_dist(scores.test @ W_seen, W)


def _named(scored: NDArray[np.float64], candidates: Sequence[str]) -> NDArray[np.str_]:
    named: NDArray[np.str_] = np.asarray(candidates)[scored.argmax(axis=1)]
    return named


def _both(
    lab: "Lab", table: AttributeTable, pair: Sequence[str], candidates: Sequence[str]
) -> dict[str, NDArray[np.str_]]:
    """Name the test images of all classes, by attributes and by words."""
    scores = lab.seen_scores(pair)
    words = by_words(lab.word_vectors(scores.seen), scores, lab.word_vectors(candidates))
    attributes = by_attributes(table, lab.held_out_scores(pair), scores, candidates)
    return {"dap": _named(attributes, candidates), "words": _named(words, candidates)}


def _run(lab: "Lab") -> Outcome:
    table = AttributeTable.load()
    found: dict[str, list[float]] = {"dap": [], "words": []}
    dropped: dict[str, list[str]] = {}
    for pair in PUBLISHED_PAIRS:
        labels = lab.seen_scores(pair).test_labels
        chosen = np.isin(labels, pair)
        for way, named in _both(lab, table, pair, pair).items():
            accuracy = macro_accuracy(labels[chosen], named[chosen])
            assert accuracy is not None  # the test images hold every class
            found[way].append(accuracy)
        left = table.varying_over([name for name in CLASSES if name not in pair]).names
        dropped["–".join(pair)] = [name for name in table.names if name not in left]
    numbers = {f"{way}_mean": float(np.mean(row)) for way, row in found.items()}
    for way, row in found.items():
        numbers |= {_key(way, pair): v for pair, v in zip(PUBLISHED_PAIRS, row, strict=True)}
    numbers |= _among_ten(lab, table)
    details: dict[str, Any] = {
        "pairs": ["–".join(pair) for pair in PUBLISHED_PAIRS],
        "accuracy": found,
        "dropped": dropped,
        "attributes": list(table.names),
        "classes": list(table.classes),
        "has": table.has.astype(int).tolist(),
    }
    return Outcome(numbers, details)


def _among_ten(lab: "Lab", table: AttributeTable) -> dict[str, float]:
    """Seen and unseen accuracy for cat and truck when all ten classes are candidates, no gate."""
    labels = lab.seen_scores(UNSEEN).test_labels
    seen = [name for name in CLASSES if name not in UNSEEN]
    numbers = {}
    for way, named in _both(lab, table, UNSEEN, CLASSES).items():
        on_seen, on_unseen = seen_unseen_accuracy(labels, named, seen, UNSEEN)
        assert on_seen is not None and on_unseen is not None  # there is an image of every class
        numbers[f"{way}_ten_seen"] = on_seen
        numbers[f"{way}_ten_unseen"] = on_unseen
        numbers[f"{way}_ten_harmonic_mean"] = harmonic_mean(on_seen, on_unseen)
    return numbers


def _key(way: str, pair: Sequence[str]) -> str:
    return f"{way}_{'_'.join(pair)}"


_WAYS = {"dap": "25 attributes", "words": "the paper's word vectors"}


def _numbers() -> Iterator[Number]:
    for way, name in _WAYS.items():
        for pair in PUBLISHED_PAIRS:
            yield Number(_key(way, pair), f"{'–'.join(pair)} told apart by {name}")
        yield Number(f"{way}_mean", f"Mean of the five pairs, {name}")
        for part in ("seen", "unseen", "harmonic_mean"):
            what = f"Cat and truck unseen, among all ten classes without a gate, {name}"
            yield Number(f"{way}_ten_{part}", f"{what}: {part.replace('_', ' ')}")


def _draw(outcomes: Sequence[Outcome]) -> list[Picture]:
    bars = (
        "Test images of five pairs of unseen classes told apart by attributes (direct attribute"
        " prediction) and by the paper's word vectors, on the same scores of the linear map. Thin"
        " lines: one standard deviation over seeds."
    )
    table = (
        "The attributes, chosen by us: a filled cell says that a class has it. The last two"
        " classes are the paper's unseen ones."
    )
    return [
        Picture("attributes", bars, _bars(outcomes)),
        Picture("attribute-table", table, _matrix(outcomes[0])),
    ]


def _bars(outcomes: Sequence[Outcome]) -> Figure:
    pairs = outcomes[0].details["pairs"]
    figure, (axes,) = blank(10.0, 5.2)
    tidy(axes, "Attributes or word vectors", y="Unseen accuracy")
    axes.grid(visible=False, axis="x")
    for shift, way, colour, hatch in (
        (-0.2, "dap", SEEN_COLOUR, "///"),
        (0.2, "words", UNSEEN_COLOUR, ""),
    ):
        mean, sd = over_seeds(outcomes, "accuracy", way)
        places = np.arange(len(pairs)) + shift
        axes.bar(places, mean, 0.37, color=colour, edgecolor="white", hatch=hatch, label=_WAYS[way])
        axes.errorbar(places, mean, yerr=sd, color=INK, linestyle="none", capsize=3)
        for place, value, error in zip(places, mean, sd, strict=True):
            y = value + error + 0.012
            axes.text(place, y, f"{value:.3f}", ha="center", va="bottom", fontsize=10, color=INK)
    axes.axhline(0.5, color=INK, linestyle=(0, (4, 3)), linewidth=1.2, label="chance")
    axes.set_xticks(range(len(pairs)), pairs)
    axes.set(ylim=(0, 1.05), xlim=(-0.6, len(pairs) - 0.4))
    below(figure, axes.get_legend_handles_labels()[0])
    return figure


def _matrix(outcome: Outcome) -> Figure:
    attributes, classes = outcome.details["attributes"], outcome.details["classes"]
    figure, (axes,) = blank(10.5, 5.6)
    tidy(axes, f"{len(attributes)} attributes of {len(classes)} classes")
    for row, cells in enumerate(outcome.details["has"]):
        colour = UNSEEN_COLOUR if classes[row] in UNSEEN else SEEN_COLOUR
        for column, has in enumerate(cells):
            axes.plot(
                column,
                row,
                marker="s",
                markersize=14,
                markerfacecolor=colour if has else "white",
                markeredgecolor=colour if has else "#CCCCCC",
            )
    axes.grid(visible=False)
    axes.set(xlim=(-0.7, len(attributes) - 0.3), ylim=(len(classes) - 0.4, -0.6))
    axes.set_xticks(
        range(len(attributes)), attributes, rotation=50, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


EXPERIMENT = Experiment(
    name="attributes",
    title="Attributes against word vectors",
    source="NIPS 2013, comparison with Lampert et al. (2009), with attributes of our own",
    about=(
        "Direct attribute prediction with 25 binary attributes of the ten classes. Both ways start"
        " from the same ridge regression on the seen classes: times their attributes it scores"
        " attributes, times their word vectors it maps into the word space. Attribute scores"
        " become probabilities by Platt's method on training images that the regression has not"
        " learned from; a class scores the product over its attributes of p(a given x) / p(a),"
        " where p(a) is the share of seen classes with the attribute. An attribute that all seen"
        " classes share is left out. Attributes are knowledge that somebody wrote down for these"
        " classes; word vectors come from text alone."
    ),
    numbers=tuple(_numbers()),
    run=_run,
    draw=_draw,
)
