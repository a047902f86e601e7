"""The most novel test images: how many are of seen classes, in word space and raw features."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordsight.experiments.canvas import GREY, THIRD_COLOUR, below, blank, over_seeds, tidy
from wordsight.experiments.experiment import Experiment, Number, Outcome, Picture
from wordsight.experiments.novelty_trade_off import DETECTORS, detector_named
from wordsight.experiments.setting import UNSEEN
from wordsight.novelty.base import NoveltyDetector
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.plots import INK, SEEN_COLOUR, UNSEEN_COLOUR

if TYPE_CHECKING:
    from wordsight.experiments.lab import Features, Lab

__all__ = ["EXPERIMENT", "N_MOST", "reference_set", "scores_in_blocks", "seen_share"]

N_MOST = 100
"""Images that the paper counts."""

FURTHEST = 2000
"""The picture goes on to so many: there are as many test images of unseen classes."""

N_REFERENCE = 500
"""Training images a class that detectors learn from in raw features, where each has 100 kB."""

METHODS = ("per_class", "gaussian", "loop")
"""Names in `DETECTORS`, the rule of the NIPS version first."""

ROWS = 2000
"""Test images scored at once in raw features."""


def seen_share(
    ordinary: NDArray[np.float64], is_seen: NDArray[np.bool_], counts: Sequence[int]
) -> list[float]:
    """Share of seen classes among the most novel images.

    Parameters
    ----------
    ordinary : ndarray, shape (n,)
        `score_samples`: low is novel. Of equal scores the first image is taken first.
    is_seen : ndarray of bool, shape (n,)
        Whether the image really is of a seen class.
    counts : sequence of int
        How many of the most novel images; from 1 to n.

    Returns
    -------
    list of float
        One a count.
    """
    seen_so_far = np.cumsum(is_seen[np.argsort(ordinary, kind="stable")])
    return [float(seen_so_far[count - 1] / count) for count in counts]


def reference_set(
    features: "Features", per_class: int, rng: np.random.RandomState
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Draw training images of seen classes.

    In float64, which detectors compute in, so that they make no copy of their own.

    Returns
    -------
    features : ndarray of float64, shape (n, F)
    labels : ndarray of str, shape (n,)
    """
    rows = []
    for name in np.setdiff1d(features.train_labels, UNSEEN):
        of_class = np.flatnonzero(features.train_labels == name)
        rows.append(np.sort(rng.permutation(of_class)[:per_class]))
    chosen = np.concatenate(rows)
    return features.train[chosen].astype(np.float64), features.train_labels[chosen]


def scores_in_blocks(
    detector: NoveltyDetector, points: NDArray[Any], n_rows: int = ROWS
) -> NDArray[np.float64]:
    """Return `score_samples` of many wide points with little memory, shape (n,)."""
    starts = range(0, len(points), n_rows)
    return np.concatenate([detector.score_samples(points[i : i + n_rows]) for i in starts])


def _detectors() -> Iterator[tuple[str, NoveltyDetector]]:
    """Yield the detectors, unfitted."""
    for method in METHODS:
        detector = detector_named(method)
        if isinstance(detector, GaussianNovelty):
            detector.block_size = 1024  # small, for the sake of raw features
        yield method, detector


def _run(lab: "Lab") -> Outcome:
    features = lab.features()
    is_seen = ~np.isin(features.test_labels, UNSEEN)
    n_most = min(N_MOST, len(is_seen))
    grid = np.geomspace(1, min(FURTHEST, len(is_seen)), 80).round().astype(int)
    counts = np.unique([n_most, *grid]).tolist()
    shares: dict[str, list[float]] = {}
    for space, method, ordinary in _scores(lab, features):
        shares[f"{space}_{method}"] = seen_share(ordinary, is_seen, counts)
    base = float(is_seen.mean())
    numbers = {key: share[counts.index(n_most)] for key, share in shares.items()}
    return Outcome(
        numbers | {"base_rate": base},
        {"counts": counts, "shares": shares, "base_rate": base},
        {"n_most": n_most, "raw_reference_per_class": N_REFERENCE, "n_neighbors": 20, "extent": 3},
    )


def _scores(lab: "Lab", features: "Features") -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """Yield space, method and scores of the test images, one detector in memory at a time."""
    for kind in ("two_layer", "linear"):
        split = lab.split("two_layer" if kind == "two_layer" else "linear")
        centers = dict(zip(split.seen, lab.word_vectors(split.seen), strict=True))
        for method, detector in _detectors():
            detector.fit(split.rest, split.rest_labels, centers=centers)
            yield kind, method, detector.score_samples(split.test)
    points, labels = reference_set(features, N_REFERENCE, lab.random_state("outliers"))
    for method, detector in _detectors():
        yield "raw", method, scores_in_blocks(detector.fit(points, labels), features.test)


_SOURCE = "NIPS 2013, section on outlier detection"
_SPACES = {
    "two_layer": "word space, two-layer map",
    "linear": "word space, linear map",
    "raw": "raw features",
}
_PUBLISHED = {"two_layer": 0.12, "raw": 0.78}
_REASON = (
    "Which detector counted, and how its 100 were chosen, is not known; the published maps and "
    "features are not public."
)


def _numbers() -> Iterator[Number]:
    for method in METHODS:
        for space, space_name in _SPACES.items():
            printed = _PUBLISHED.get(space) if method == "per_class" else None
            yield Number(
                f"{space}_{method}",
                f"Seen among the {N_MOST} most novel ({DETECTORS[method]}, {space_name})",
                published=printed,
                source="" if printed is None else _SOURCE,
                reason=_REASON if space == "two_layer" and printed else "",
                # raw features are there to be worse: neither way is better
                higher_is_better=None if space == "raw" else False,
            )
    yield Number("base_rate", "Seen among all test images", higher_is_better=None)


_COLOURS = {"two_layer": UNSEEN_COLOUR, "linear": THIRD_COLOUR, "raw": SEEN_COLOUR}
_WIDTHS = {"two_layer": 2.6, "linear": 1.6, "raw": 2.1}


def _draw(outcomes: Sequence[Outcome]) -> list[Picture]:
    # seeds share one count of test images, and with it the grid
    counts = outcomes[0].details["counts"]
    figure, cells = blank(13.0, 5.2, 3)
    for axes, method in zip(cells, METHODS, strict=True):
        tidy(axes, DETECTORS[method], x="Most novel test images")
        for space, colour in _COLOURS.items():
            mean, sd = over_seeds(outcomes, "shares", f"{space}_{method}")
            style = (0, (5, 2)) if space == "linear" else "-"
            axes.plot(
                counts,
                mean,
                color=colour,
                linewidth=_WIDTHS[space],
                linestyle=style,
                label=_SPACES[space],
            )
            axes.fill_between(counts, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)
        base = float(np.mean([outcome.details["base_rate"] for outcome in outcomes]))
        axes.axhline(
            base, color=GREY, linestyle=":", linewidth=1.6, label="all test images (a blind draw)"
        )
        axes.set_xscale("log")
        axes.set(xlim=(8, FURTHEST), ylim=(0, 1))
        axes.set_xticks([10, 100, 1000, 2000], ["10", "100", "1,000", "2,000"])
        axes.minorticks_off()
    for space, value in _PUBLISHED.items():
        cells[0].plot(
            N_MOST,
            value,
            linestyle="none",
            marker="D" if space == "raw" else "o",
            markersize=11,
            markerfacecolor="white",
            markeredgecolor=_COLOURS[space],
            markeredgewidth=2,
            zorder=5,
            label=f"published: {_SPACES[space].split(',')[0]}",
        )
    cells[0].set_ylabel("Share really of seen classes", fontsize=11.5, color=INK)
    below(figure, cells[0].get_legend_handles_labels()[0], n_columns=3)
    caption = (
        "Cat and truck are unseen; test images are ordered from the most novel on. Share of"
        " images that are really of seen classes (low is good) among the first 10, 100, …."
        " Shaded: one standard deviation over seeds. Published values (NIPS 2013, of 100 images)"
        " stand with the Gaussian rule of that version."
    )
    return [Picture("outliers", caption, figure)]


EXPERIMENT = Experiment(
    name="outliers",
    title="The most novel images",
    source=_SOURCE,
    about=(
        f"With cat and truck unseen, the {N_MOST} test images that a novelty detector calls most"
        " novel: how many are of seen classes after all? In word space the Gaussians stand at the"
        " words of the seen classes, and LoOP compares with all training images that the map was"
        " fitted to. In raw features the Gaussians stand at class means, and both detectors learn"
        f" from {N_REFERENCE} training images a class, drawn by the seed. A blind draw gives the"
        " share of seen classes among all test images."
    ),
    numbers=tuple(_numbers()),
    run=_run,
    draw=_draw,
    version=2,
)
