"""The whole model, p(y | x) over seen and unseen classes (Eq. 2), with each gate."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import join
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.experiments.canvas import blank
from wordsight.experiments.experiment import Experiment, Number, Outcome, Picture
from wordsight.experiments.lab import Lab, Split
from wordsight.experiments.novelty_trade_off import DETECTORS, MAPS, fitted_detector
from wordsight.metrics import harmonic_mean, macro_accuracy, seen_unseen_accuracy
from wordsight.plots import INK, SEEN_COLOUR, UNSEEN_COLOUR

__all__ = ["EXPERIMENT", "recognised"]

FALSE_NOVEL_RATE = 0.1
"""Share of held-out seen images that may be called novel: the library's default."""

GATES = {"hard": "verdict", "probability": "probability"}
_LAYERS = {"linear": "one layer", "two_layer": "two layers"}
_SCORES = {
    "seen": "seen accuracy",
    "unseen": "unseen accuracy",
    "overall": "overall accuracy",
    "harmonic": "harmonic mean",
}


def recognised(
    split: Split, novel: NDArray[Any], seen_words: NDArray[Any], unseen_words: NDArray[Any]
) -> NDArray[np.str_]:
    """Return the most probable class of each test image: Eq. 2 with a given P(V = u | x).

    Parameters
    ----------
    split : Split
    novel : ndarray, shape (n_test,)
        P(V = u | x), between 0 and 1.
    seen_words, unseen_words : ndarray, shapes (n_seen, d) and (n_unseen, d)

    Returns
    -------
    ndarray of str, shape (n_test,)
    """
    codes = {name: row for row, name in enumerate(split.seen)}
    targets = seen_words[[codes[str(name)] for name in split.held_out_labels]]
    # one variance for all unseen classes: that of images the map has not learned from
    gaussians = WordGaussians(float(((split.held_out - targets) ** 2).mean()))
    gaussians.fit(unseen_words, split.unseen)
    order = [gaussians.classes_.tolist().index(name) for name in split.unseen]
    unseen_proba = gaussians.predict_proba(split.test)[:, order]
    best = join(split.seen_proba, unseen_proba, novel).argmax(1)
    names: NDArray[np.str_] = np.array([*split.seen, *split.unseen])[best]
    return names


def _run(lab: Lab) -> Outcome:
    numbers: dict[str, float] = {}
    for kind in MAPS:
        split = lab.split(kind)
        words = lab.word_vectors(split.seen), lab.word_vectors(split.unseen)
        for name in DETECTORS:
            detector = fitted_detector(name, split, words[0])
            detector.calibrate(split.held_out, FALSE_NOVEL_RATE)
            gates = {
                "hard": (detector.predict(split.test) < 0).astype(float),
                "probability": detector.novelty_proba(split.test),
            }
            for gate, novel in gates.items():
                found = recognised(split, novel, *words)
                for score, value in _scores(split, found).items():
                    numbers[_key(score, name, gate, kind)] = value
    return Outcome(numbers, setting={"false_novel_rate": FALSE_NOVEL_RATE})


def _key(score: str, detector: str, gate: str, kind: str) -> str:
    return f"{score}, {detector}, {gate}, {kind}"


def _scores(split: Split, found: NDArray[np.str_]) -> dict[str, float]:
    seen, unseen = seen_unseen_accuracy(split.test_labels, found, split.seen, split.unseen)
    overall = macro_accuracy(split.test_labels, found, [*split.seen, *split.unseen])
    assert seen is not None and unseen is not None and overall is not None  # images of all classes
    return {
        "seen": seen,
        "unseen": unseen,
        "overall": overall,
        "harmonic": harmonic_mean(seen, unseen),
    }


def _draw(outcomes: Sequence[Outcome]) -> list[Picture]:
    figure, panels = blank(10.8, 4.9, 2)
    shown = (
        ("seen", SEEN_COLOUR, None),
        ("unseen", UNSEEN_COLOUR, "///"),
        ("harmonic", "white", None),
    )
    gates = [(name, gate) for name in DETECTORS for gate in GATES]
    for axes, kind in zip(panels, MAPS, strict=True):
        for place, (score, colour, hatch) in enumerate(shown):
            values = np.array(
                [[one.numbers[_key(score, *which, kind)] for which in gates] for one in outcomes]
            )
            axes.barh(
                np.arange(len(gates)) + 0.27 * (place - 1),
                values.mean(0),
                0.25,
                xerr=values.std(0, ddof=1) if len(outcomes) > 1 else None,
                color=colour,
                edgecolor=INK if colour == "white" else "white",
                hatch=hatch,
                label=_SCORES[score],
            )
            for row, value in enumerate(values.mean(0)):
                axes.text(value + 0.02, row + 0.27 * (place - 1), f"{value:.2f}", va="center")
        axes.set_yticks(
            range(len(gates)), [f"{DETECTORS[name]},\n{GATES[gate]}" for name, gate in gates]
        )
        axes.set_xlim(0, 1)
        axes.set_title(_LAYERS[kind].capitalize(), loc="left", fontweight="bold", color=INK)
        axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()  # of both, which share it
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return [
        Picture(
            "pipeline",
            "Accuracy over all ten classes, cat and truck unseen, for each gate: the detector's "
            "verdict (0 or 1) or its probability in Eq. 2. Means over the seeds.",
            figure,
        )
    ]


EXPERIMENT = Experiment(
    name="pipeline",
    title="The whole model: Eq. 2 with each gate",
    source="ICLR 2013, Eq. 2; NIPS 2013, section 5",
    about=(
        "Every test image gets its most probable class of all ten, cat and truck unseen. The "
        "detector's threshold is set on training images of seen classes that the map has not "
        "learned from, a tenth of which may be called novel. A gate is the detector's verdict or "
        "its probability P(V = u | x)."
    ),
    numbers=tuple(
        Number(
            _key(score, name, gate, kind),
            f"{what}: {DETECTORS[name]}, {GATES[gate]}, {_LAYERS[kind]}",
        )
        for kind in MAPS
        for name in DETECTORS
        for gate in GATES
        for score, what in _SCORES.items()
    ),
    run=_run,
    draw=_draw,
)
