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
    "text": 5000, "binary": 5000, "glove": 5000, "safetensors": 5000, "json": 5000,
    "text.gz": 2000, "binary.gz": 2000, "dictionary": 3000, "shard": 2000, "tar": 1500,
    "parquet": 3000, "yaml": 2000, "config": 4000, "tensors": 2000, "tar.gz": 500, "state": 500,
    "npy": 2500, "npz": 1500, "webdataset": 3000, "mat5": 5000, "mat7.3": 1500,
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
