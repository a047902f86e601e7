"""`Job`: where a run is kept, how its data are cut and what of it may fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wordsight.data.dataset import Dataset
from wordsight.data.sharding import Shard, cut
from wordsight.distributed.parts import PartFolder
from wordsight.distributed.run import Kind, Run

__all__ = ["BATCHES", "Job"]

BATCHES = 512
"""Shards hold a multiple of this many images, as do the batches in which images are encoded: they
then fall as they do on one machine, and results come out the same to the last bit."""


@dataclass
class Job:
    """Where a run is kept, how its data are cut and what of it may fail.

    Attributes
    ----------
    folder : PartFolder
    shard_images : int
        Images of a shard at most.
    max_failed : int
        Shards that may fail.
    last : Run or None
        The run that was made last.
    """

    folder: PartFolder
    shard_images: int = 4096
    max_failed: int = 0
    last: Run | None = None

    def cut(self, dataset: Dataset) -> list[Shard]:
        """Cut a data set into shards."""
        return cut(dataset, max(self.shard_images, BATCHES), multiple_of=BATCHES)

    def run(self, kind: Kind, settings: Mapping[str, str], shards: Sequence[Shard]) -> Run:
        """Describe a run in the folder."""
        cuts = {**settings, "images a shard (--shard-images)": str(self.shard_images)}
        self.last = Run(self.folder, kind, cuts, shards, self.max_failed)
        return self.last
