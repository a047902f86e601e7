"""All experiments, in the order of the report."""

from collections.abc import Sequence

from wordsight.exceptions import InputError
from wordsight.experiments import (
    attributes,
    departures,
    dictionaries,
    distractors,
    novelty_trade_off,
    outliers,
    pipeline,
    semantic_space,
    unseen_pairs,
    word_vectors,
)
from wordsight.experiments.experiment import Experiment

__all__ = ["EXPERIMENTS", "experiments_named"]

EXPERIMENTS: tuple[Experiment, ...] = (
    unseen_pairs.EXPERIMENT,
    novelty_trade_off.EXPERIMENT,
    pipeline.EXPERIMENT,
    departures.EXPERIMENT,
    semantic_space.EXPERIMENT,
    outliers.EXPERIMENT,
    distractors.EXPERIMENT,
    attributes.EXPERIMENT,
    word_vectors.EXPERIMENT,
    dictionaries.EXPERIMENT,
)


def experiments_named(names: Sequence[str]) -> tuple[Experiment, ...]:
    """Return the experiments of some names, in the order of the report; all where none is named.

    Raises
    ------
    InputError
        An unknown name; the error lists the known ones.
    """
    known = {one.name: one for one in EXPERIMENTS}
    for name in names:
        if name not in known:
            raise InputError(f"there is no experiment {name!r}; known are: {', '.join(known)}")
    return tuple(one for one in EXPERIMENTS if not names or one.name in names)
