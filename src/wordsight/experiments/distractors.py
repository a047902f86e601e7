"""Distractor words: accuracy on unseen images when wrong names stand beside the right ones."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordsight.experiments.canvas import GREY, below, blank, over_seeds, tidy
from wordsight.experiments.experiment import Experiment, Number, Outcome, Picture
from wordsight.experiments.setting import CLASSES, UNSEEN
from wordsight.geometry import sq_dist
from wordsight.metrics import macro_accuracy
from wordsight.plots import INK, SEEN_COLOUR, UNSEEN_COLOUR
from wordsight.words.vectors import WordVectors

if TYPE_CHECKING:
    from wordsight.experiments.lab import Lab

__all__ = ["COUNTS", "EXPERIMENT", "accuracy_against", "class_names", "neighbours", "random_words"]

COUNTS = (0, 1, 2, 5, 10, 12, 20)
"""Numbers of distractor words; 2, 12 and 20 are the published ones."""

N_RANDOM = 20
"""Draws of random words, over which accuracy is averaged."""

FREQUENT = 5000
"""Random words come from so many of the most frequent ones, where a vocabulary has more."""

PUBLISHED = {"cat": {0: 0.923, 2: 0.630, 12: 0.307}, "truck": {2: 0.775, 20: 0.503}}
"""By the word whose neighbours are added, then by their number."""


def class_names(names: Iterable[str] = CLASSES) -> list[str]:
    """Return what is no distractor: the ten classes and their plurals.

    A seen class is a right name of other images, and "cats" is a right name of a cat.
    """
    return [spelling for name in names for spelling in (name, name + "s")]


def neighbours(words: WordVectors, name: str, n: int) -> list[str]:
    """Return the words nearest to a name by cosine, the nearest first, without `class_names`."""
    return [word for word, _ in words.most_similar(name, n, exclude=class_names())]


def random_words(words: WordVectors, n: int, rng: np.random.RandomState) -> list[str]:
    """Draw different words from the most frequent ones, without `class_names`.

    There is no part of speech in a vocabulary of word vectors, so verbs and adjectives are drawn
    too where it has any.
    """
    hidden = set(class_names())
    pool = [word for word in words.words[:FREQUENT] if word not in hidden]
    return [pool[row] for row in rng.permutation(len(pool))[:n]]


def accuracy_against(
    to_unseen: NDArray[np.float64],
    to_distractors: NDArray[np.float64],
    labels: NDArray[np.str_],
    unseen: Sequence[str],
    counts: Sequence[int] = COUNTS,
) -> list[float]:
    """Accuracy when the first k distractors are candidates beside the unseen classes.

    Parameters
    ----------
    to_unseen : ndarray, shape (n, len(unseen))
        Squared distances of mapped images of unseen classes to the words of these classes.
    to_distractors : ndarray, shape (n, m)
        ... and to distractor words. An image that is nearer to one of these is wrong.
    labels : ndarray of str, shape (n,)
    unseen : sequence of str
    counts : sequence of int
        The values of k; those above m are left out.

    Returns
    -------
    list of float
        Averaged over the unseen classes, one a count.
    """
    candidates = np.array([*unseen, *(["a distractor"] * to_distractors.shape[1])])
    dist = np.concatenate([to_unseen, to_distractors], axis=1)
    found = []
    for k in counts:
        if k <= to_distractors.shape[1]:
            nearest = candidates[dist[:, : len(unseen) + k].argmin(axis=1)]
            accuracy = macro_accuracy(labels, nearest, list(unseen))
            assert accuracy is not None  # the test images hold every class
            found.append(accuracy)
    return found


def _measure(
    mapped: NDArray[Any], labels: NDArray[np.str_], words: WordVectors, rng: np.random.RandomState
) -> dict[str, Any]:
    """Accuracies by kind of distractor for one map into the space of `words`."""

    def dist(names: Sequence[str]) -> NDArray[np.float64]:
        return sq_dist(mapped, words.vectors_for(names)[1])

    to_unseen = dist(UNSEEN)
    found: dict[str, Any] = {"distractors": {}}
    for name in UNSEEN:
        near = neighbours(words, name, max(COUNTS))
        found["distractors"][name] = near
        found[name] = accuracy_against(to_unseen, dist(near), labels, UNSEEN)
    draws = [
        accuracy_against(to_unseen, dist(random_words(words, max(COUNTS), rng)), labels, UNSEEN)
        for _ in range(N_RANDOM)
    ]
    found["random"] = np.mean(draws, axis=0).tolist()
    found["random_sd"] = np.std(draws, axis=0, ddof=1).tolist()
    return found


def _maps(lab: "Lab") -> Iterator[tuple[str, NDArray[Any], NDArray[np.str_], WordVectors]]:
    """Yield name, mapped test images, labels and words of each of the three maps."""
    for name, split in (("two_layer", lab.split("two_layer")), ("linear", lab.split("linear"))):
        yield name, split.test, split.test_labels, lab.words
    scores = lab.seen_scores(UNSEEN)
    default = WordVectors.default()
    W_seen = default.vectors_for(scores.seen)[1]
    yield "default", scores.test @ W_seen, scores.test_labels, default


def _run(lab: "Lab") -> Outcome:
    details: dict[str, Any] = {"counts": list(COUNTS)}
    numbers: dict[str, float] = {}
    for name, mapped, labels, words in _maps(lab):
        chosen = np.isin(labels, UNSEEN)
        rng = lab.random_state(f"distractors {name}")
        found = _measure(mapped[chosen], labels[chosen], words, rng)
        details[name] = found
        numbers[f"{name}_none"] = found["cat"][0]
        for kind, k in _REPORTED:
            if COUNTS.index(k) < len(found[kind]):
                numbers[f"{name}_{kind}_{k}"] = found[kind][COUNTS.index(k)]
    setting = {"n_random_draws": N_RANDOM, "random_among_most_frequent": FREQUENT}
    return Outcome(numbers, details, setting)


_REPORTED = (("cat", 2), ("cat", 12), ("truck", 2), ("truck", 20), ("random", 20))
_SPACES = {
    "two_layer": "two-layer map, the paper's words",
    "linear": "linear map, the paper's words",
    "default": "linear map, default vocabulary",
}
_SOURCE = "NIPS 2013, figure of distractor words"
_REASON = (
    "The vocabulary that the paper drew its distractors from is not published with its vectors;"
    " ours come from the 106 words that are, where neighbours of these classes are dense."
)

_REASON_OF_MAP = "The paper gives neither hidden units nor penalty nor seed of its map."


def _numbers() -> Iterator[Number]:
    for space, where in _SPACES.items():
        for kind, k in (("cat", 0), *_REPORTED):
            what = "no distractors" if k == 0 else f"{k} neighbours of “{kind}”"
            if kind == "random":
                what = f"{k} random words"
            printed = PUBLISHED.get(kind, {}).get(k) if space == "two_layer" else None
            yield Number(
                f"{space}_none" if k == 0 else f"{space}_{kind}_{k}",
                f"Unseen accuracy with {what} ({where})",
                published=printed,
                source="" if printed is None else _SOURCE,
                reason="" if printed is None else _REASON if k else _REASON_OF_MAP,
            )


_LINES = (  # kind, colour, marker, where its name stands beside its last point
    ("random", GREY, "s", "random words"),
    ("truck", SEEN_COLOUR, "o", "neighbours of “truck”"),
    ("cat", UNSEEN_COLOUR, "^", "neighbours of “cat”"),
)


_HOLLOW: dict[str, Any] = {
    "linestyle": "none",
    "markersize": 12,
    "markerfacecolor": "none",
    "markeredgewidth": 1.8,
}


def _draw(outcomes: Sequence[Outcome]) -> list[Picture]:
    figure, cells = blank(12.0, 4.9, len(_SPACES))
    for axes, (space, where) in zip(cells, _SPACES.items(), strict=True):
        tidy(axes, where[0].upper() + where[1:], x="Distractor words")
        for kind, colour, marker, name in _LINES:
            mean, sd = over_seeds(outcomes, space, kind)
            if kind == "random":
                sd = over_seeds(outcomes, space, "random_sd")[0]
            axes.errorbar(
                COUNTS[: len(mean)],
                mean,
                yerr=sd,
                color=colour,
                marker=marker,
                markersize=6,
                linewidth=1.8,
                capsize=3,
                label=name,
            )
            printed = PUBLISHED.get(kind, {}) if space == "two_layer" else {}
            axes.plot(
                list(printed), list(printed.values()), marker, markeredgecolor=colour, **_HOLLOW
            )
        axes.set(xlim=(-0.8, 20.8), ylim=(0.0, 1.0), xticks=(0, 2, 5, 10, 12, 20))
    cells[0].set_ylabel("Accuracy on unseen images", fontsize=11.5, color=INK)
    handles, _ = cells[0].get_legend_handles_labels()
    name = "published (of the same shape)"
    (hollow,) = cells[0].plot([], [], "o", markeredgecolor=INK, label=name, **_HOLLOW)
    below(figure, [*handles, hollow])
    caption = (
        "Images of cats and trucks, both unseen, named by the nearest of the two words and a"
        " number of distractor words. Filled marks: ours, bars are one standard deviation (over"
        f" seeds; for random words over {N_RANDOM} draws). Hollow marks: NIPS 2013."
    )
    return [Picture("distractors", caption, figure)]


EXPERIMENT = Experiment(
    name="distractors",
    title="Distractor words",
    source=_SOURCE,
    about=(
        "Cat and truck are unseen. Their test images are named by the nearest candidate word"
        " (Euclidean): the two right words and a number of distractors. Distractors are the words"
        " nearest to “cat” or to “truck” by cosine, or random ones (mean over"
        f" {N_RANDOM} draws). The ten classes and their plurals are never distractors: they are"
        " right names. The paper's 106 words are all nouns; in the default vocabulary, another"
        f" space with its own linear map, random words are among the {FREQUENT:,} most frequent of"
        " any part of speech, as it marks none. Accuracy is the mean of the two classes'."
    ),
    numbers=tuple(_numbers()),
    run=_run,
    draw=_draw,
)
