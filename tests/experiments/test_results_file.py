"""results.json: nothing is lost on the way, and what is damaged is refused in one sentence."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.exceptions import DataError, InputError
from wordsight.experiments.experiment import Experiment, Number, Outcome
from wordsight.experiments.results import ExperimentResults, Results, RunRecord, StageRecord
from wordsight.experiments.setting import Setting

ACCURACY = Number("accuracy", "cat and truck told apart", 0.914, "NIPS Fig. 3", "few images", True)
CHANCE = Number("chance", "random words", higher_is_better=None)


def sample() -> Results:
    """Two seeds of one experiment."""
    runs = [
        RunRecord(
            0, 1.5, {"accuracy": 0.1 + 0.2}, {"curve": [[0, 1.0], [1, 0.5]]}, {"alpha": 1e-2}
        ),
        RunRecord(7, 2.5, {"accuracy": 1 / 3, "chance": 0.5}, {"names": ["Müller", None]}, {}),
    ]
    return Results(
        version="0.1.0",
        command="wordsight reproduce data --seeds 2",
        setting=Setting().as_dict(),
        seeds=(0, 7),
        data={"name": "CIFAR-10", "fingerprint": "ab12", "counts": {"train": 50000}},
        words="acl2012_cifar.txt",
        machine={"cores": 2},
        stages=(StageRecord("features", 0, 60.0), StageRecord("words", None, 0.25)),
        experiments=(
            ExperimentResults("pairs", "Pairs", "Fig. 3", "About", (ACCURACY, CHANCE), tuple(runs)),
        ),
        left_out=("Outliers",),
        peak_bytes=7_000_000_000,
    )


def test_what_is_read_equals_what_was_written(tmp_path: Path) -> None:
    results = sample()
    results.write(tmp_path / "results.json")
    read = Results.read(tmp_path / "results.json")
    assert read == results
    assert read.text() == results.text() == (tmp_path / "results.json").read_text("utf-8")


def test_every_number_stands_with_its_seed_setting_and_seconds(tmp_path: Path) -> None:
    sample().write(tmp_path / "results.json")
    content = json.loads((tmp_path / "results.json").read_bytes())
    (experiment,) = content["experiments"]
    first, second = experiment["runs"]
    assert (first["seed"], first["seconds"], first["setting"]) == (0, 1.5, {"alpha": 0.01})
    assert first["numbers"] == {"accuracy": 0.30000000000000004}  # to the last bit
    assert (second["seed"], second["numbers"]["chance"]) == (7, 0.5)
    assert content["setting"]["table_atoms"] == [400, 800, 1600]
    assert content["stages"][0] == {"name": "features", "seed": 0, "seconds": 60.0}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(details=st.dictionaries(st.text(), JSON, max_size=4))
def test_the_layout_is_json(details: dict[str, Any]) -> None:
    """The standard library's reader is the oracle."""
    results = sample()
    (experiment,) = results.experiments
    run = replace(experiment.runs[0], details=details)
    results = replace(results, experiments=(replace(experiment, runs=(run,)),))
    content = json.loads(results.text())
    assert content["experiments"][0]["runs"][0]["details"] == details


def test_time_in_all_is_that_of_stages_and_runs() -> None:
    assert sample().seconds == 60.0 + 0.25 + 1.5 + 2.5


def test_full_size_is_not_a_changed_setting() -> None:
    assert sample().changed_setting == {}
    quick = replace(sample(), setting=Setting.quick().as_dict())
    assert quick.changed_setting["n_atoms"] == (400, 1600)
    assert quick.changed_setting["train_per_class"] == (1000, None)
    assert "alpha" not in quick.changed_setting


def test_records_of_an_experiment_and_its_outcome() -> None:
    experiment = Experiment("pairs", "Pairs", "Fig. 3", "About", (ACCURACY,), lambda _lab: outcome)
    outcome = Outcome({"accuracy": np.float64(0.5)}, {"points": ((1, 2.0),)}, {"k": 20})
    run = RunRecord.of(outcome, 3, 1.0)
    assert (run.seed, run.seconds) == (3, 1.0)
    # as it will be read back: pictures are drawn from the same values either way
    assert run.outcome() == Outcome({"accuracy": 0.5}, {"points": [[1, 2.0]]}, {"k": 20})
    assert type(run.numbers["accuracy"]) is float
    results = ExperimentResults.of(experiment, [run])
    assert (results.name, results.title, results.source) == ("pairs", "Pairs", "Fig. 3")
    assert (results.about, results.numbers, results.runs) == ("About", (ACCURACY,), (run,))


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome({"accuracy": math.nan}), r"seed 4: numbers\.accuracy is nan"),
        (Outcome({}, {"curve": [1.0, [math.inf]]}), r"details\.curve\[1\]\[0\] is inf"),
        (Outcome({}, {"points": np.zeros(3)}), r"details\.points is a ndarray"),
        (Outcome({}, {}, {"k": {1: 2}}), r"setting\.k is a dict"),
    ],
)
def test_what_json_cannot_hold_is_refused_when_it_is_measured(
    outcome: Outcome, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        RunRecord.of(outcome, 4, 1.0)


Content = dict[str, Any]


def drop_seconds(content: Content) -> None:
    del content["experiments"][0]["runs"][1]["seconds"]


def text_for_a_number(content: Content) -> None:
    content["experiments"][0]["runs"][0]["numbers"]["accuracy"] = "0.9"


def truth_for_a_seed(content: Content) -> None:
    content["seeds"] = [True, 7]


def unknown_field(content: Content) -> None:
    content["stages"][0]["minutes"] = 1


def repeated_seed(content: Content) -> None:
    content["seeds"] = [0, 7, 7]


def repeated_experiment(content: Content) -> None:
    content["experiments"] *= 2


def unlisted_seed(content: Content) -> None:
    content["experiments"][0]["runs"][0]["seed"] = 3


def unlisted_number(content: Content) -> None:
    content["experiments"][0]["runs"][0]["numbers"]["other"] = 0.5


def name_that_is_a_path(content: Content) -> None:
    content["experiments"][0]["name"] = "../pairs"


def another_version(content: Content) -> None:
    content["format"] = "wordsight results, version 99"


def list_for_an_experiment(content: Content) -> None:
    content["experiments"] = [[]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop_seconds, r"experiments\[0\]\.runs\[1\]\.seconds is missing"),
        (text_for_a_number, r"runs\[0\]\.numbers\.accuracy has a value of another kind"),
        (truth_for_a_seed, r"seeds\[0\] has a value of another kind"),
        (unknown_field, r"stages\[0\]\.minutes is not known"),
        (repeated_seed, "the seed 7 stands there 2 times"),
        (repeated_experiment, "the experiment pairs stands there 2 times"),
        (unlisted_seed, "pairs has a run with the unlisted seed 3"),
        (unlisted_number, "pairs has the unlisted number other"),
        (name_that_is_a_path, "'../pairs' is no name of an experiment"),
        (another_version, '"format" is not'),
        (list_for_an_experiment, r"experiments\[0\] is not an object"),
    ],
)
def test_content_that_does_not_fit_is_refused(
    damage: Callable[[Content], None], message: str, tmp_path: Path
) -> None:
    content = json.loads(sample().text())
    damage(content)
    (tmp_path / "results.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(DataError, match=message) as caught:
        Results.read(tmp_path / "results.json")
    assert str(tmp_path / "results.json") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        sample().text().encode()[:-20],
        sample().text().replace("0.5\n", "NaN\n").encode(),
        sample().text().replace("2.5", "1e999").encode(),
        sample().text().replace("[1, 0.5]", "[1, 1e999]").encode(),
        b"[" * 100_000,
    ],
    ids=["empty", "not text", "list", "string", "cut", "nan", "infinite", "in details", "deep"],
)
def test_a_damaged_file_is_refused(text: bytes, tmp_path: Path) -> None:
    assert text != sample().text().encode()
    (tmp_path / "results.json").write_bytes(text)
    with pytest.raises(DataError, match="damaged"):
        Results.read(tmp_path / "results.json")


def test_a_missing_file_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        Results.read(tmp_path / "results.json")
