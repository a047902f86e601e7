"""A run over the shards of a data set: what is done, what failed and what is left is in a folder.

The folder holds ``run.json``, which says what the run is of, and a part for each finished shard
whose name is a digest of all it depends on: the settings, the shard and the files it is read from.
So a second start finds what is valid, under names that it expects; with another setting, or when
an image has changed, it expects other names. What no longer counts is removed.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from wordsight.data.sharding import Shard
from wordsight.distributed.cluster import Cluster, Failed
from wordsight.distributed.parts import Content, Part, PartFolder
from wordsight.exceptions import DataError, InputError, WordsightError
from wordsight.features.images import part_of
from wordsight.progress import report

__all__ = [
    "LEARNED",
    "MANIFEST",
    "FailedShard",
    "Piece",
    "Run",
    "RunReport",
    "ShardState",
    "check_folder",
    "show",
]

FORMAT = "wordsight-run 1"
MANIFEST = "run.json"
PARTS = "parts"
FAILURES = "failures"
LEARNED = "learned"
"""Folders of a run: finished shards, what is said of those that failed, and what is learned from
all images before a shard can be done."""

Kind = Literal["predict", "evaluate", "features", "fit"]
"""What a run is of."""

State = Literal["done", "damaged", "failed", "left"]
"""How it stands with a shard."""

Work = Callable[..., tuple[Content, dict[str, Any]]]
"""Makes the content of a shard's part, and the facts about it."""


@dataclass(frozen=True)
class FailedShard:
    """A shard that could not be done.

    Attributes
    ----------
    number : int
        Which shard, from 0.
    n_images : int
    first_row : int
        Where its first image stands in the data set.
    reason : str
    attempts : int
    """

    number: int
    n_images: int
    first_row: int
    reason: str
    attempts: int


@dataclass(frozen=True)
class Piece:
    """A shard, and how large its data set is.

    Attributes
    ----------
    shard : Shard
    n_whole : int
        Images of the data set.
    """

    shard: Shard
    n_whole: int


@dataclass(frozen=True)
class _Named:
    """A shard and the name of its part."""

    number: int
    shard: Shard
    n_whole: int
    name: str


@dataclass
class Run:
    """What is done of a job, in a folder that several starts share.

    Parameters
    ----------
    folder : PartFolder
    kind : {"predict", "evaluate", "features", "fit"}
    settings : dict of str to str
        All that results depend on beside the images, by what it is called to a person.
    pieces : sequence of Piece
    max_failed : int, default 0
        How many shards may fail before the run ends with an error.

    Attributes
    ----------
    failed : list of FailedShard
        Those that could not be done.
    n_kept : int
        Shards that were there already.
    """

    folder: PartFolder
    kind: Kind
    settings: Mapping[str, str]
    pieces: Sequence[Piece]
    max_failed: int = 0
    failed: list[FailedShard] = field(default_factory=list)
    n_kept: int = 0

    def __post_init__(self) -> None:
        if self.max_failed < 0:
            raise InputError(
                f"max_failed={self.max_failed} was given; expected the number of shards that may "
                "fail, 0 or more"
            )
        key = hashlib.blake2b(digest_size=16)
        key.update(json.dumps([FORMAT, self.kind, dict(self.settings)], sort_keys=True).encode())
        self.key = key.hexdigest()
        self._named = [
            _Named(number, one.shard, one.n_whole, f"{number:08d}-{self._digest(one)}")
            for number, one in enumerate(self.pieces)
        ]

    def _digest(self, piece: Piece) -> str:
        text = f"{self.key} {piece.n_whole} {piece.shard.identity()}"
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def names(self) -> list[str]:
        """Return the names of the parts, in the order of the shards."""
        return [f"{PARTS}/{one.name}" for one in self._named]

    def begin(self) -> None:
        """Take over the folder: remove what belongs to other settings, say what this run is of.

        Raises
        ------
        InputError
            The folder holds a run of another kind, or no run and other files.
        """
        check_folder(self.folder, self.kind)
        wanted = {one.name for one in self._named}
        for name in sorted(self.folder.names(PARTS) - wanted):
            self.folder.remove(f"{PARTS}/{name}")
        # what failed is tried again
        self.folder.remove(FAILURES)
        # of a start that was killed while it wrote
        for place in ("", LEARNED):
            self.folder.clear_unfinished(place)
        about = {
            "format": FORMAT,
            "kind": self.kind,
            "settings": dict(self.settings),
            "parts": [[one.name, one.shard.first_row, one.shard.n_images] for one in self._named],
        }
        self.folder.write(MANIFEST, json.dumps(about, ensure_ascii=False).encode())

    def complete(self, cluster: Cluster, work: Work, *shared: Any, doing: str) -> None:
        """Do what is not done yet.

        Parameters
        ----------
        cluster : Cluster
        work : callable (shard, *shared)
            Returns the content of a part and facts about it, on a worker.
        *shared : object
            What is the same for all shards.
        doing : str
            What is said of it while it goes on.

        Raises
        ------
        WordsightError
            More shards than `max_failed` failed; the others are done, and stay.
        """
        there = self.folder.names(PARTS)
        brought = [cluster.share(one) for one in shared]
        n_all = sum(one.shard.n_images for one in self.pieces)
        n_done = 0
        calls = ((self.folder.url, one, one.name in there, work, *brought) for one in self._named)
        report(doing, 0, n_all)
        for outcome in cluster.run(_do_shard, calls):
            one = self._named[outcome.index]
            if isinstance(outcome.value, Failed):
                self._note(one, outcome.value)
            else:
                self.n_kept += outcome.value
            n_done += one.shard.n_images
            report(doing, n_done, n_all)
        self.failed.sort(key=lambda one: one.number)
        self._refuse_failures()
        # of workers, or earlier starts, that were lost while they wrote
        for folder in ("", LEARNED, PARTS):
            self.folder.clear_unfinished(folder)

    def _note(self, one: _Named, failed: Failed) -> None:
        found = FailedShard(
            one.number, one.shard.n_images, one.shard.first_row, failed.reason, failed.attempts
        )
        self.failed.append(found)
        self.folder.write(f"{FAILURES}/{one.name}", json.dumps(asdict(found)).encode())

    def _refuse_failures(self) -> None:
        if len(self.failed) <= self.max_failed:
            return
        first = self.failed[0]
        raise WordsightError(
            f"{len(self.failed)} of {len(self.pieces)} shards failed, and {self.max_failed} may; "
            f"the first, of images {first.first_row} to {first.first_row + first.n_images - 1}, "
            f"after {first.attempts} attempts: {first.reason.rstrip('.')}; mend what is wrong and "
            "start again, which does these alone, or allow more (--max-failed)"
        )

    def parts(self) -> Iterator[tuple[Shard, Part | FailedShard]]:
        """Yield each shard and its part, in order, or why there is none."""
        failed = {one.number: one for one in self.failed}
        for one in self._named:
            if one.number in failed:
                yield one.shard, failed[one.number]
            else:
                yield one.shard, self.folder.read(f"{PARTS}/{one.name}")


def check_folder(folder: PartFolder, kind: Kind) -> None:
    """Raise `InputError` where a folder holds a run of another kind, or other files."""
    names = folder.names()
    if MANIFEST not in names:
        if names - {PARTS, FAILURES, LEARNED}:
            raise InputError(
                f"{folder.url} is not empty, and holds no run; name a new folder (--run)"
            )
        return
    try:
        known = _manifest(folder)["kind"]
    except DataError:  # cut short: the parts tell what they are of by their names
        return
    if known != kind:
        raise InputError(
            f"{folder.url} holds a run of {known}, and this one is of {kind}; name another folder "
            "(--run)"
        )


def _do_shard(url: str, one: _Named, there: bool, work: Work, *shared: Any) -> bool:
    """Do a shard on a worker, unless it is done and its part is whole; say whether it was."""
    folder, name = PartFolder(url), f"{PARTS}/{one.name}"
    if there and folder.facts(name) is not None:
        return True
    seconds, n_read = time.process_time(), _bytes_read()
    with part_of(one.n_whole):
        content, facts = work(one.shard, *shared)
    cost = {
        "cpu_seconds": round(time.process_time() - seconds, 3),
        "bytes_read": _bytes_read() - n_read,
        "peak": _peak_memory(),
    }
    folder.write(name, content, {**facts, "n_images": one.shard.n_images, **cost})
    return False


def _bytes_read() -> int:
    """Return how much this process has read from files so far; 0 where that is unknown."""
    try:
        counts = Path("/proc/self/io").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(counts.split("rchar:")[1].split()[0])


def _peak_memory() -> int:
    """Return the most memory that this process had at once, in bytes; 0 where that is unknown."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _manifest(folder: PartFolder) -> dict[str, Any]:
    try:
        found = json.loads(folder.read(MANIFEST).content)
    except ValueError as error:
        raise DataError(
            f"{folder.url}/{MANIFEST} is damaged; give the same command again"
        ) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DataError(
            f"{folder.url} holds a run of another version of Wordsight; name another folder"
        )
    return found


@dataclass(frozen=True)
class ShardState:
    """How it stands with a shard.

    Attributes
    ----------
    number, first_row, n_images : int
    state : {"done", "damaged", "failed", "left"}
    reason : str or None
        Why it failed.
    """

    number: int
    first_row: int
    n_images: int
    state: State
    reason: str | None = None


@dataclass(frozen=True)
class RunReport:
    """How it stands with a run.

    Attributes
    ----------
    kind : str
    settings : dict of str to str
    shards : list of ShardState
    n_bytes : int
        Of the parts.
    worker_peak : int
        The most memory that a worker had at once, in bytes.
    cpu_seconds : float
        Processor time of the workers.
    n_read : int
        Bytes that they read.
    """

    kind: str
    settings: dict[str, str]
    shards: list[ShardState]
    n_bytes: int
    worker_peak: int
    cpu_seconds: float
    n_read: int

    def counts(self) -> dict[str, tuple[int, int]]:
        """Count the shards and the images in each state."""
        states: Iterable[State] = ("done", "damaged", "failed", "left")
        return {
            state: (
                sum(one.state == state for one in self.shards),
                sum(one.n_images for one in self.shards if one.state == state),
            )
            for state in states
        }


def show(url: str) -> RunReport:
    """Say how it stands with a run; each part is read and checked.

    Parameters
    ----------
    url : str
        Its folder, or the address of it.

    Raises
    ------
    InputError
        There is no run.
    DataError
        What says what the run is of is damaged.
    """
    folder = PartFolder(url)
    if MANIFEST not in folder.names():
        raise InputError(f"{url} holds no run; name the folder that was given as --run")
    manifest = _manifest(folder)
    there, failures = folder.names(PARTS), folder.names(FAILURES)
    shards, n_bytes, peak, seconds, n_read = [], 0, 0, 0.0, 0
    for number, (name, first_row, n_images) in enumerate(manifest["parts"]):
        state, reason = _state(folder, name, there, failures)
        facts = None
        if state == "done":
            facts = folder.facts(f"{PARTS}/{name}")
            state = "damaged" if facts is None else state
        if facts is not None:
            n_bytes += folder.size(f"{PARTS}/{name}")
            peak = max(peak, int(facts["peak"]))
            seconds += float(facts["cpu_seconds"])
            n_read += int(facts["bytes_read"])
        shards.append(ShardState(number, first_row, n_images, state, reason))
        report("checking the parts", number + 1, len(manifest["parts"]))
    return RunReport(manifest["kind"], manifest["settings"], shards, n_bytes, peak, seconds, n_read)


def _state(
    folder: PartFolder, name: str, there: set[str], failures: set[str]
) -> tuple[State, str | None]:
    if name in there:
        return "done", None
    if name in failures:
        return "failed", json.loads(folder.read(f"{FAILURES}/{name}").content)["reason"]
    return "left", None
