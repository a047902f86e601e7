"""Running experiments: for every seed a laboratory, for every outcome a place to be kept."""

import platform
import resource
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
from wordsight.features.checkpoint import fingerprint
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
BYTES_A_NUMBER = 4


def find_words(data: Path) -> Path | None:
    """Return the paper's word vectors, where they lie with the images or beside their folder."""
    for folder in (data, data.parent, data / "word_vectors", data.parent / "word_vectors"):
        place = folder / PAPER_WORDS
        if place.is_file():
            return place
    return None


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
        return sum(self._estimate(one, seed) for seed in self.seeds for one in self.experiments) + (
            self._size() * SHARED_SECONDS * len(self.seeds)
        )

    def estimate_bytes(self) -> int:
        """Return what the kept features take on disk, nearly all of what is kept."""
        images = self._size() * FULL_SIZE / self.setting.n_atoms
        return int(images * 8 * self.setting.n_atoms * BYTES_A_NUMBER * len(self.seeds))

    def _size(self) -> float:
        """Return the size of the work, as a share of the full size."""
        images = 0.0
        for data, most in (
            (self.train, self.setting.train_per_class),
            (self.test, self.setting.test_per_class),
        ):
            images += len(data) if most is None else min(len(data), most * len(CLASSES))
        return images * self.setting.n_atoms / FULL_SIZE

    def _estimate(self, experiment: Experiment, seed: int) -> float:
        return self._size() * TYPICAL_SECONDS.get(experiment.name, SOME_SECONDS)

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
        start = perf_counter()
        runs: dict[str, list[RunRecord]] = {one.name: [] for one in self.experiments}
        stages: list[StageRecord] = []
        n_done, n_all = 0, len(self.seeds) * len(self.experiments)
        for seed in self.seeds:
            lab = self._lab(seed)
            for one in self.experiments:
                left = self._left(n_done, n_all, perf_counter() - start)
                say(f"[{n_done + 1}/{n_all}] seed {seed}: {one.title} ({left})")
                runs[one.name].append(self._run_one(one, lab))
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

    def _left(self, n_done: int, n_all: int, spent: float) -> str:
        if not n_done:
            return f"about {duration(self.estimate_seconds())} in all"
        seed, place = divmod(n_done, len(self.experiments))
        weights = [self._estimate(one, 0) for one in self.experiments]
        weights[0] += self._size() * SHARED_SECONDS  # the first one waits for what all share
        whole = sum(weights)
        done = seed * whole + sum(weights[:place])
        left = max(len(self.seeds) * whole - done, 0.0)
        return f"about {duration(spent * left / done)} left"

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


def _peak_bytes() -> int:
    """Return the most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
