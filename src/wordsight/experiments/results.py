"""results.json: every number of a reproduction with its seed, its setting and its seconds."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from wordsight.exceptions import DataError, InputError
from wordsight.experiments.experiment import Experiment, Number, Outcome
from wordsight.experiments.json_records import decode, json_value, layout, parse, plain_fields
from wordsight.experiments.setting import Setting
from wordsight.storage import atomic_path

__all__ = ["ExperimentResults", "Results", "RunRecord", "StageRecord"]

_FORMAT = "wordsight results, version 1"


@dataclass(frozen=True)
class StageRecord:
    """Work that experiments share, done once.

    Attributes
    ----------
    name : str
        Such as "features".
    seed : int or None
        None where it serves all seeds.
    seconds : float
        Those it took when it was done, which may have been in an earlier run.
    """

    name: str
    seed: int | None
    seconds: float


@dataclass(frozen=True)
class RunRecord:
    """What one experiment found with one seed.

    Attributes
    ----------
    seed : int
    seconds : float
        Without those of the stages that it shares with others.
    numbers : dict of str to float
        By the keys of the experiment's numbers; one that is missing was not measured.
    details, setting : dict
        As in `Outcome`; JSON values only.

    Raises
    ------
    InputError
        Something is not a JSON value, or not finite.
    """

    seed: int
    seconds: float
    numbers: Mapping[str, float]
    details: Mapping[str, Any]
    setting: Mapping[str, Any]

    def __post_init__(self) -> None:
        _to_json(self, "numbers", "details", "setting", where=f"the run with seed {self.seed}: ")

    @classmethod
    def of(cls, outcome: Outcome, seed: int, seconds: float) -> Self:
        """Return the record of an outcome."""
        return cls(seed, seconds, outcome.numbers, outcome.details, outcome.setting)

    def outcome(self) -> Outcome:
        """Return the outcome that this is the record of."""
        return Outcome(self.numbers, self.details, self.setting)


@dataclass(frozen=True)
class ExperimentResults:
    """What one experiment found with every seed.

    Attributes
    ----------
    name, title, source, about : str
        As in `Experiment`.
    numbers : tuple of Number
        In the order of the report.
    runs : tuple of RunRecord
        In the order of the seeds.
    """

    name: str
    title: str
    source: str
    about: str
    numbers: tuple[Number, ...]
    runs: tuple[RunRecord, ...]

    @classmethod
    def of(cls, experiment: Experiment, runs: Sequence[RunRecord]) -> Self:
        """Return the results of an experiment's runs."""
        return cls(
            experiment.name,
            experiment.title,
            experiment.source,
            experiment.about,
            tuple(experiment.numbers),
            tuple(runs),
        )


@dataclass(frozen=True)
class Results:
    """All that a report is written from.

    Attributes
    ----------
    version : str
        Of Wordsight.
    command : str
        What a user types to get the same.
    setting : dict
        `Setting.as_dict`.
    seeds : tuple of int
    data : dict
        ``name``, ``fingerprint``, ``counts`` and whatever else identifies the images.
    words : str
        Where the word vectors come from.
    machine : dict
        What the seconds depend on, by its name in the report.
    stages : tuple of StageRecord
        The work that experiments share.
    experiments : tuple of ExperimentResults
        In the order of the report.
    left_out : tuple of str
        Titles of the experiments that were not asked for.
    peak_bytes : int or None
        The most memory that the process held.

    Raises
    ------
    InputError
        Something is not a JSON value, or not finite.
    """

    version: str
    command: str
    setting: Mapping[str, Any]
    seeds: tuple[int, ...]
    data: Mapping[str, Any]
    words: str
    machine: Mapping[str, Any]
    stages: tuple[StageRecord, ...]
    experiments: tuple[ExperimentResults, ...]
    left_out: tuple[str, ...] = ()
    peak_bytes: int | None = None

    def __post_init__(self) -> None:
        _to_json(self, "setting", "data", "machine")
        for name in ("seeds", "stages", "experiments", "left_out"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @cached_property
    def seconds(self) -> float:
        """Those of all shared work and of all runs."""
        runs = [run.seconds for experiment in self.experiments for run in experiment.runs]
        return math.fsum([*(stage.seconds for stage in self.stages), *runs])

    @cached_property
    def changed_setting(self) -> dict[str, tuple[Any, Any]]:
        """What is not at full size, by name: the value here, and the value at full size."""
        full = json_value(Setting().as_dict(), "")
        return {
            name: (self.setting[name], value)
            for name, value in full.items()
            if name in self.setting and self.setting[name] != value
        }

    def text(self) -> str:
        """Return results.json: the same text for the same results."""
        content = {"format": _FORMAT, **plain_fields(self)}
        return layout(content) + "\n"

    def write(self, path: Path) -> None:
        """Write results.json, whole or not at all."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.text(), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read results.json.

        Raises
        ------
        InputError
            There is no such file.
        DataError
            It is damaged, or is something else.
        """
        if not path.is_file():
            raise InputError(f"there is no file {path}; name the results.json of a report")
        try:
            content = parse(path.read_bytes())
            if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
                raise ValueError(f'its "format" is not "{_FORMAT}"')
            results = decode(cls, content, "")
            _check(results)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path} is not the results.json of a report, or is damaged: {error}; write the "
                "report again"
            ) from error
        assert isinstance(results, cls)
        return results


def _to_json(record: Any, *names: str, where: str = "") -> None:
    """Bring fields of a frozen record to JSON values, so that what is read equals what was."""
    for name in names:
        object.__setattr__(record, name, json_value(getattr(record, name), where + name))


def _check(results: Results) -> None:
    """Raise ValueError where the parts do not belong together."""
    _check_distinct("seed", results.seeds)
    _check_distinct("experiment", [experiment.name for experiment in results.experiments])
    for experiment in results.experiments:
        _check_distinct(f"seed of {experiment.name}", [run.seed for run in experiment.runs])
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", experiment.name):
            raise ValueError(f"{experiment.name!r} is no name of an experiment")
        keys = {number.key for number in experiment.numbers}
        for run in experiment.runs:
            if run.seed not in results.seeds:
                raise ValueError(f"{experiment.name} has a run with the unlisted seed {run.seed}")
            if unknown := set(run.numbers) - keys:
                raise ValueError(f"{experiment.name} has the unlisted number {min(unknown)}")


def _check_distinct(what: str, values: Sequence[Any]) -> None:
    for value, times in Counter(values).items():
        if times > 1:
            raise ValueError(f"the {what} {value} stands there {times} times")
