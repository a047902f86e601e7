"""What all experiments promise alike: all their numbers, JSON, pictures without a display."""

import json
from io import BytesIO

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from experiments.small_lab import small_lab
from wordsight.experiments.canvas import over_seeds
from wordsight.experiments.catalogue import EXPERIMENTS
from wordsight.experiments.experiment import Experiment, Outcome

# dictionaries are learned from images, which this laboratory has none of: see test_dictionaries
WITHOUT_IMAGES = [one for one in EXPERIMENTS if one.name != "dictionaries"]


@pytest.fixture(scope="module", params=WITHOUT_IMAGES, ids=lambda experiment: experiment.name)
def experiment(request: pytest.FixtureRequest) -> Experiment:
    found = request.param
    assert isinstance(found, Experiment)
    return found


@pytest.fixture(scope="module")
def outcomes(experiment: Experiment) -> list[Outcome]:
    return [experiment.run(small_lab(seed)) for seed in range(2)]


def test_outcomes_are_json(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        whole = [dict(outcome.numbers), dict(outcome.details), dict(outcome.setting)]
        assert json.loads(json.dumps(whole, allow_nan=False)) == whole
        assert all(type(value) is float for value in outcome.numbers.values())


def test_numbers_are_those_announced(experiment: Experiment, outcomes: list[Outcome]) -> None:
    keys = [number.key for number in experiment.numbers]
    assert len(set(keys)) == len(keys)
    if experiment.name == "distractors":  # the words here are too few for twenty distractors
        keys = [key for key in keys if ("_12" not in key and "_20" not in key) or "default" in key]
    for outcome in outcomes:
        # nobody reaches 70 % on the seen classes of this laboratory
        assert set(outcome.numbers) == {key for key in keys if "at 70 seen" not in key}
        lowest = {"rank correlation": -1.0}
        assert all(lowest.get(key, 0.0) <= value <= 1.0 for key, value in outcome.numbers.items())


def test_the_same_seed_gives_the_same_outcome(
    experiment: Experiment, outcomes: list[Outcome]
) -> None:
    assert experiment.run(small_lab(0)) == outcomes[0]
    assert outcomes[0].numbers != outcomes[1].numbers


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_pictures_are_drawn_from_kept_outcomes(
    experiment: Experiment, outcomes: list[Outcome], n_seeds: int
) -> None:
    kept = [
        Outcome(dict(one.numbers), json.loads(json.dumps(dict(one.details))))
        for one in outcomes[:n_seeds]
    ]
    pictures = experiment.draw(kept)
    assert pictures
    for picture in pictures:
        assert isinstance(picture.figure.canvas, FigureCanvasAgg)
        assert picture.caption.endswith(".")
        file = BytesIO()
        picture.figure.savefig(file, format="png", dpi=40)
        assert file.getvalue().startswith(b"\x89PNG")


def test_mean_and_spread_over_seeds() -> None:
    outcomes = [Outcome({}, {"a": {"b": row}}) for row in ([1.0, 4.0], [3.0, 4.0])]
    mean, sd = over_seeds(outcomes, "a", "b")
    np.testing.assert_allclose(mean, [2.0, 4.0])
    np.testing.assert_allclose(sd, [np.sqrt(2.0), 0.0])
    np.testing.assert_array_equal(over_seeds(outcomes[:1], "a", "b")[1], [0.0, 0.0])
