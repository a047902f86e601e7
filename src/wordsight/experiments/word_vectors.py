"""Whose word vectors? The paper's, the default vocabulary's, and random ones: the leak test."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from wordsight.experiments.canvas import GREY, below, blank, over_seeds, tidy
from wordsight.experiments.experiment import Experiment, Number, Outcome, Picture
from wordsight.experiments.setting import CLASSES, PUBLISHED_PAIRS
from wordsight.geometry import sq_dist
from wordsight.metrics import macro_accuracy
from wordsight.plots import INK, SEEN_COLOUR, UNSEEN_COLOUR
from wordsight.words.vectors import WordVectors

if TYPE_CHECKING:
    from wordsight.experiments.lab import Lab, SeenScores

__all__ = ["CHANCE", "EXPERIMENT", "UnseenImages", "random_accuracies"]

CHANCE = 0.5
"""Of two classes told apart."""

N_BINS = 41
"""Bins between accuracy 0 and 1 in which draws are counted for the picture; chance is the middle
of one."""


@dataclass(frozen=True)
class UnseenImages:
    """The test images of one pair's unseen classes, by their scores for the seen classes.

    Attributes
    ----------
    unseen, seen : tuple of str
    scores : ndarray, shape (n, n_seen)
    labels : ndarray of str, shape (n,)
    """

    unseen: tuple[str, ...]
    seen: tuple[str, ...]
    scores: NDArray[Any]
    labels: NDArray[np.str_]

    @classmethod
    def of(cls, scores: "SeenScores") -> Self:
        """Pick them out of all test images."""
        chosen = np.isin(scores.test_labels, scores.unseen)
        return cls(scores.unseen, scores.seen, scores.test[chosen], scores.test_labels[chosen])

    def accuracy(self, table: Mapping[str, NDArray[Any]]) -> float:
        """Accuracy, averaged over the classes, when the nearest unseen word is the name.

        Parameters
        ----------
        table : mapping of str to ndarray, shape (d,)
            Word vectors of all classes.
        """
        # ridge is linear in its targets: the map to words is the map to classes, times their words
        mapped = self.scores @ np.stack([table[name] for name in self.seen])
        dist = sq_dist(mapped, np.stack([table[name] for name in self.unseen]))
        found = macro_accuracy(self.labels, np.asarray(self.unseen)[dist.argmin(axis=1)])
        assert found is not None  # there is an image
        return found


def random_accuracies(
    pairs: Sequence[UnseenImages],
    dimension: int,
    scale: float,
    n_draws: int,
    rng: np.random.RandomState,
) -> NDArray[np.float64]:
    """Return the unseen accuracy of each pair under random word vectors.

    One draw, of a Gaussian vector for each of the ten classes, serves all pairs, so that rows
    have a mean of their own.

    Parameters
    ----------
    pairs : sequence of UnseenImages
    dimension : int
        d.
    scale : float
        The standard deviation of each coordinate.
    n_draws : int
    rng : RandomState

    Returns
    -------
    ndarray, shape (n_draws, len(pairs))
    """
    found = np.empty((n_draws, len(pairs)))
    for row in found:
        drawn = rng.normal(scale=scale, size=(len(CLASSES), dimension))
        table = dict(zip(CLASSES, drawn, strict=True))
        row[:] = [pair.accuracy(table) for pair in pairs]
    return found


def _table(words: WordVectors) -> dict[str, NDArray[Any]]:
    return dict(zip(CLASSES, words.vectors_for(CLASSES)[1], strict=True))


def _summary(draws: NDArray[np.float64]) -> dict[str, Any]:
    """Describe one row of draws by mean, spread, standard error of the mean and histogram."""
    sd = float(draws.std(ddof=1)) if len(draws) > 1 else 0.0
    return {
        "mean": float(draws.mean()),
        "sd": sd,
        "standard_error": sd / float(np.sqrt(len(draws))),
        "histogram": np.histogram(draws, bins=N_BINS, range=(0.0, 1.0))[0].tolist(),
    }


def _run(lab: "Lab") -> Outcome:
    pairs = [UnseenImages.of(lab.seen_scores(pair)) for pair in PUBLISHED_PAIRS]
    tables = {"paper": _table(lab.words), "default": _table(WordVectors.default())}
    numbers: dict[str, float] = {}
    details: dict[str, Any] = {"pairs": [_name(pair) for pair in PUBLISHED_PAIRS]}
    for source, table in tables.items():
        row = [pair.accuracy(table) for pair in pairs]
        details[source] = row
        numbers |= _keyed(source, row)
        numbers[f"{source}_mean"] = float(np.mean(row))
    rows = np.stack(list(tables["paper"].values()))
    scale = float(np.sqrt(np.mean(np.square(rows))))
    draws = random_accuracies(
        pairs, rows.shape[1], scale, lab.setting.n_draws, lab.random_state("word vectors")
    )
    summaries = [_summary(column) for column in draws.T]
    overall = _summary(draws.mean(axis=1))
    numbers |= _keyed("random", [summary["mean"] for summary in summaries])
    numbers |= _keyed("random_sd", [summary["sd"] for summary in summaries])
    numbers["random_mean"] = overall["mean"]
    numbers["random_standard_error"] = overall["standard_error"]
    details |= {"random": summaries, "random_over_pairs": overall}
    return Outcome(numbers, details, {"n_draws": lab.setting.n_draws, "scale": scale})


def _name(pair: Sequence[str]) -> str:
    return "–".join(pair)


def _keyed(source: str, row: Sequence[float]) -> dict[str, float]:
    keys = (f"{source}_{'_'.join(pair)}" for pair in PUBLISHED_PAIRS)
    return dict(zip(keys, row, strict=True))


def _numbers() -> Iterator[Number]:
    kinds = (
        ("paper", "the paper's vectors", True),
        ("default", "the default vocabulary", True),
        ("random", "random vectors, mean over draws", None),
        ("random_sd", "random vectors, standard deviation over draws", None),
    )
    for key, what, better in kinds:
        for pair in PUBLISHED_PAIRS:
            full = f"{key}_{'_'.join(pair)}"
            yield Number(full, f"{_name(pair)}, {what}", higher_is_better=better)
        if key != "random_sd":
            yield Number(f"{key}_mean", f"Mean of the five pairs, {what}", higher_is_better=better)
    what = "Standard error of the mean of the five pairs, random vectors"
    yield Number("random_standard_error", what, higher_is_better=None)


def _draw(outcomes: Sequence[Outcome]) -> list[Picture]:
    names = outcomes[0].details["pairs"]
    figure, (axes,) = blank(9.5, 6.2)
    tidy(axes, "Two unseen classes told apart, by whose word vectors", x="Unseen accuracy")
    axes.grid(visible=False, axis="y")
    axes.axvline(CHANCE, color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
    axes.text(CHANCE + 0.01, -0.45, "chance", va="center", fontsize=10.5, color=INK)
    for place in range(len(names)):
        _draw_random(axes, place, [outcome.details["random"][place] for outcome in outcomes])
    for source, colour, marker, label in (
        ("paper", UNSEEN_COLOUR, "D", "the paper's vectors"),
        ("default", SEEN_COLOUR, "s", "default vocabulary"),
    ):
        mean, sd = over_seeds(outcomes, source)
        axes.errorbar(
            mean,
            np.arange(len(names)),
            xerr=sd,
            color=colour,
            marker=marker,
            markersize=9,
            markeredgecolor="white",
            linestyle="none",
            capsize=3,
            zorder=4,
            label=label,
        )
    axes.set(xlim=(0.0, 1.0), ylim=(len(names) - 0.4, -0.6))
    axes.set_yticks(range(len(names)), names)
    handles, labels = axes.get_legend_handles_labels()
    below(figure, list(dict(zip(labels, handles, strict=True)).values()))
    caption = (
        "Accuracy on test images of five pairs of unseen classes (linear map). Grey: how often"
        " random word vectors give each accuracy (heights go as the square root). Their mean, with"
        " its standard error, must stand at chance where nothing leaks into the map."
    )
    return [Picture("word-vectors", caption, figure)]


def _draw_random(axes: Axes, place: int, summaries: Sequence[dict[str, Any]]) -> None:
    """Draw the random draws of one pair, of all seeds together, about the height `place`."""
    counts = np.sum([summary["histogram"] for summary in summaries], axis=0)
    height = 0.34 * np.sqrt(counts / counts.max())
    axes.bar(
        (np.arange(N_BINS) + 0.5) / N_BINS,
        2 * height,
        width=1 / N_BINS,
        bottom=place - height,
        color="#C9C9C9",
        label="random vectors, one draw",
    )
    error = np.sqrt(np.sum([summary["standard_error"] ** 2 for summary in summaries]))
    axes.errorbar(
        np.mean([summary["mean"] for summary in summaries]),
        place,
        xerr=error / len(summaries),
        color=INK,
        marker="o",
        markersize=7,
        markerfacecolor=GREY,
        linestyle="none",
        capsize=3,
        zorder=3,
        label="their mean",
    )


EXPERIMENT = Experiment(
    name="word-vectors",
    title="Word vectors, and the leak test",
    source="The paper's word vectors are those of Huang et al. (2012); the control is ours",
    about=(
        "Unseen accuracy of the five published pairs with the paper's word vectors, with those of"
        " the default vocabulary, and with random Gaussian vectors in place of all ten words, of"
        " the same dimension and scale. One random draw can land anywhere: it splits the two"
        " classes at a random place, and where the two differ it gets most images right or most"
        " wrong. But swapping the two unseen vectors, which is as likely a draw, turns an accuracy"
        " a into 1 − a. So the expectation is chance, 0.5, exactly, unless the map has learned"
        " something of the unseen classes, their labels or their place among the words. The mean"
        " over draws must be within three points of 0.5."
    ),
    numbers=tuple(_numbers()),
    run=_run,
    draw=_draw,
)
