"""Running experiments: for every seed a laboratory, for every outcome a place to be kept."""

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from wordsight import __version__
from wordsight.compute import n_threads
from wordsight.data.dataset import Dataset
from wordsight.data.open import available_splits, open_dataset
from wordsight.exceptions import InputError
from wordsight.experiments.experiment import Experiment, Outcome
from wordsight.experiments.lab import Lab, choose_images
from wordsight.experiments.results import ExperimentResults, Results, RunRecord, StageRecord
from wordsight.experiments.setting import CLASSES, Setting
from wordsight.experiments.store import Store
from wordsight.features.images import fingerprint
from wordsight.words.vectors import WordVectors

__all__ = ["Reproduction", "find_words"]

PAPER_WORDS = "acl2012_cifar.txt"
"""Where word vectors lie beside the images under this name, they are the paper's own."""

SHARED_SECONDS = 520.0
"""Of the features and of the splits, for a seed at full size on two cores."""

TYPICAL_SECONDS = {
    "novelty-trade-off": 12.0,
    "pipeline": 12.0,
    "departures": 20.0,
    "outliers": 40.0,
    "dictionaries": 540.0,
}
"""Of experiments at full size on two cores; of the others some seconds."""

SOME_SECONDS = 4.0
FULL_SIZE = 60_000 * 1600

KEPT = 0.2
"""A step that takes less than this share of its estimate was not done, but found."""

BYTES_A_NUMBER = 4


def find_words(data: Path) -> Path | None:
    """Return the paper's word vectors, where they lie with the images or beside their folder."""
    for folder in (data, data.parent, data / "word_vectors", data.parent / "word_vectors"):
        place = folder / PAPER_WORDS
        if place.is_file():
            return place
    return None


class _Clock:
    """How long the rest will take, from estimates and from what the work before it took.

    Parameters
    ----------
    estimates : list of float
        Seconds of each step.
    """

    def __init__(self, estimates: list[float]) -> None:
        self._estimates = estimates
        self._n_done = 0
        self._estimated, self._spent = 0.0, 0.0
        self._last = perf_counter()

    def tick(self) -> None:
        """Note that a step is done."""
        now = perf_counter()
        spent, expected = now - self._last, self._estimates[self._n_done]
        if spent > KEPT * expected:  # what was kept tells nothing of this machine
            self._spent += spent
            self._estimated += expected
        self._last = now
        self._n_done += 1

    def left(self) -> float:
        """Return the seconds that the steps to come may take, if none of them is kept."""
        pace = self._spent / self._estimated if self._estimated else 1.0
        return pace * sum(self._estimates[self._n_done :])


@dataclass
class Reproduction:
    """The experiments to run, and all that they are run on.

    Attributes
    ----------
    train, test : Dataset
    words : WordVectors
    setting : Setting
    seeds : tuple of int
    experiments : tuple of Experiment
    store : Store
        Where finished work is kept.
    data_name : str
    device : str or None
    """

    train: Dataset
    test: Dataset
    words: WordVectors
    setting: Setting
    seeds: tuple[int, ...]
    experiments: tuple[Experiment, ...]
    store: Store
    data_name: str
    device: str | None = None

    @classmethod
    def prepare(
        cls,
        data: Path,
        words: WordVectors,
        setting: Setting,
        seeds: Sequence[int],
        experiments: Sequence[Experiment],
        cache: Path,
        *,
        device: str | None = None,
    ) -> "Reproduction":
        """Open the images and see that nothing is missing, before the long work.

        Parameters
        ----------
        data : pathlib.Path
            CIFAR-10, in any form that `open_dataset` takes, with training and test images.
        words : WordVectors
        setting : Setting
        seeds : sequence of int
        experiments : sequence of Experiment
        cache : pathlib.Path
            A folder for finished work.
        device : str or None

        Returns
        -------
        Reproduction

        Raises
        ------
        InputError
            No training or test images, one of the ten classes missing, or without a word vector.
        """
        splits = available_splits(data)
        if not {"train", "test"} <= set(splits):
            raise InputError(
                f"{data.name} has no {'test' if 'train' in splits else 'train'} split; expected "
                "CIFAR-10 with its training and test images"
            )
        parts = {split: open_dataset(data, split=split) for split in ("train", "test")}
        for split, images in parts.items():
            choose_images(images, 1, 0, f"{data.name} ({split})")
        words.vectors_for(list(CLASSES))
        return cls(
            parts["train"],
            parts["test"],
            words,
            setting,
            tuple(seeds),
            tuple(experiments),
            Store(cache),
            data.name,
            device,
        )

    def estimate_seconds(self) -> float:
        """Estimate the time of work that is not kept yet, on two cores, within a factor of two."""
        return sum(self._all_estimates())

    def estimate_bytes(self) -> int:
        """Return what the kept features take on disk, nearly all of what is kept."""
        n_features = 8 * self.setting.n_atoms
        return self._n_images() * n_features * BYTES_A_NUMBER * len(self.seeds)

    def _n_images(self) -> int:
        """Count the images that are chosen, for each seed."""
        images = 0
        for data, most in (
            (self.train, self.setting.train_per_class),
            (self.test, self.setting.test_per_class),
        ):
            images += len(data) if most is None else min(len(data), most * len(CLASSES))
        return images

    def _all_estimates(self) -> list[float]:
        """Return the seconds of each experiment with each seed, in the order of running."""
        size = self._n_images() * self.setting.n_atoms / FULL_SIZE
        of_seed = [size * TYPICAL_SECONDS.get(one.name, SOME_SECONDS) for one in self.experiments]
        of_seed[0] += size * SHARED_SECONDS  # the first one waits for what all share
        return of_seed * len(self.seeds)

    def run(
        self,
        command: str,
        *,
        left_out: Sequence[str] = (),
        say: Callable[[str], None] = lambda text: None,
    ) -> Results:
        """Run what is not kept yet, and return the results of all.

        Parameters
        ----------
        command : str
            For the report.
        left_out : sequence of str
            Titles of experiments that are not run, for the report.
        say : callable
            Is told, in a line, what begins and how long all that is left may take.

        Returns
        -------
        Results
        """
        clock = _Clock(self._all_estimates())
        runs: dict[str, list[RunRecord]] = {one.name: [] for one in self.experiments}
        stages: list[StageRecord] = []
        n_done, n_all = 0, len(self.seeds) * len(self.experiments)
        for seed in self.seeds:
            lab = self._lab(seed)
            for one in self.experiments:
                left = duration(clock.left())
                say(f"[{n_done + 1}/{n_all}] seed {seed}: {one.title} (about {left} left)")
                runs[one.name].append(self._run_one(one, lab))
                clock.tick()
                n_done += 1
            stages += [StageRecord(name, seed, s) for name, s in sorted(lab.stage_seconds.items())]
        return Results(
            version=__version__,
            command=command,
            setting=self.setting.as_dict(),
            seeds=self.seeds,
            data=self._about_data(),
            words=self.words.source,
            machine=_machine(self.device),
            stages=tuple(stages),
            experiments=tuple(
                ExperimentResults.of(one, runs[one.name]) for one in self.experiments
            ),
            left_out=tuple(left_out),
            peak_bytes=_peak_bytes(),
        )

    def _lab(self, seed: int) -> Lab:
        return Lab(
            self.train,
            self.test,
            self.words,
            self.setting,
            seed,
            self.store,
            device=self.device,
            name=self.data_name,
        )

    def _run_one(self, experiment: Experiment, lab: Lab) -> RunRecord:
        def make() -> dict[str, Any]:
            outcome = experiment.run(lab)
            return {
                "numbers": {key: float(value) for key, value in outcome.numbers.items()},
                "details": dict(outcome.details),
                "setting": dict(outcome.setting),
                # where only outcomes are kept, their report still tells what the rest took
                "stages": dict(lab.stage_seconds),
            }

        kept = lab.kept_value(experiment.name, {"version": experiment.version}, make)
        found: Mapping[str, Any] = kept.value
        lab.stage_seconds.update(found["stages"])
        outcome = Outcome(found["numbers"], found["details"], found["setting"])
        return RunRecord.of(outcome, lab.seed, kept.seconds)

    def _about_data(self) -> dict[str, Any]:
        return {
            "name": self.data_name,
            "fingerprint": {
                "train": fingerprint(self.train, None)[:16],
                "test": fingerprint(self.test, None)[:16],
            },
            "counts": {
                "train": self.train.class_counts(),
                "test": self.test.class_counts(),
            },
        }


def duration(seconds: float) -> str:
    """Return seconds as a person would say them."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes"


def _machine(device: str | None) -> dict[str, Any]:
    return {
        "device": device or "cpu",
        "cores": n_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _peak_bytes() -> int | None:
    """Return the most memory that this process has held; None where the system does not say."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
