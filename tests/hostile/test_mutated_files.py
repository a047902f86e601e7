"""Mutated files of every other kind: an object, or one sentence of Wordsight's own."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from fuzzing import try_in_child

pytest.importorskip("yaml")
pytest.importorskip("h5py")

import hostile_mat
import hostile_readers

TARGETS = hostile_readers.TARGETS | hostile_mat.TARGETS

# cheap formats get most of them: all together take less than a minute
COUNTS = {
    "text": 10_000, "binary": 10_000, "glove": 10_000, "safetensors": 10_000, "json": 10_000,
    "text.gz": 4000, "binary.gz": 4000, "dictionary": 6000, "shard": 4000, "tar": 3000,
    "parquet": 6000, "yaml": 4000, "config": 8000, "tensors": 4000, "tar.gz": 1000, "state": 1000,
    "npy": 5000, "npz": 3000, "webdataset": 6000, "mat5": 10_000, "mat7.3": 3000,
}  # fmt: skip


def _check_mutants(counts: Mapping[str, int], folder: Path) -> None:
    found = try_in_child(counts, folder)
    faults = {name: tally["faults"] for name, tally in found.items() if tally["faults"]}
    assert not faults
    for name, count in counts.items():
        assert found[name]["tried"] == count
        # neither is everything refused, nor everything read; the state cuts itself down instead
        assert found[name]["read"] >= count // 400, name
        assert found[name]["read"] < count or name == "state"


def test_every_target_has_its_number() -> None:
    assert COUNTS.keys() == TARGETS.keys()


def test_mutated_files(tmp_path: Path) -> None:
    _check_mutants(dict.fromkeys(TARGETS, 32), tmp_path)


@pytest.mark.slow
def test_very_many_mutated_files(tmp_path: Path) -> None:
    assert sum(COUNTS.values()) >= 50_000
    _check_mutants(COUNTS, tmp_path)
