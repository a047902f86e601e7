"""`Job`: where a run is kept, how its data are cut and what of it may fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wordsight.data.dataset import Dataset
from wordsight.data.sharding import cut
from wordsight.distributed.parts import PartFolder
from wordsight.distributed.run import Kind, Piece, Run

__all__ = ["BATCHES", "Job"]

BATCHES = 2048
"""Shards hold a multiple of this many images. So do the blocks in which images are encoded and rows
are summed: these then fall as they do on one machine, and come out the same to the last bit."""


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

    def cut(self, dataset: Dataset) -> list[Piece]:
        """Cut a data set into shards."""
        shards = cut(dataset, max(self.shard_images, BATCHES), multiple_of=BATCHES)
        return [Piece(shard, len(dataset)) for shard in shards]

    def run(self, kind: Kind, settings: Mapping[str, str], pieces: Sequence[Piece]) -> Run:
        """Describe a run in the folder."""
        cuts = {**settings, "images a shard (--shard-images)": str(self.shard_images)}
        self.last = Run(self.folder, kind, cuts, pieces, self.max_failed)
        return self.last
