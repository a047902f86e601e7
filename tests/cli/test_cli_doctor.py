"""``wordsight doctor``: what it finds here, and in an installation that is broken."""

import importlib.metadata
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cli.runs import Runner
from wordsight import __version__, doctor
from wordsight.data.download import ARCHIVES


def test_a_working_installation(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WORDSIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WORDSIGHT_TOKEN", "s3cret")
    monkeypatch.setenv("HF_TOKEN", "s3cret")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ARCHIVES["cifar10"].file_name).write_bytes(bytes(3_000_000))
    done = run("doctor", "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["works"] is True
    assert found["versions"]["wordsight"] == __version__
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["numpy"] == np.__version__
    assert found["processors"]["threads of torch"] == torch.get_num_threads()
    assert found["processors"]["devices"][0] == "cpu"
    assert len(found["processors"]["devices"]) == 1 + torch.cuda.device_count()
    folders = found["folders"]
    assert folders["downloads (WORDSIGHT_CACHE)"] == "~/cache (1 files, 3.0 MB)"
    assert folders["cifar10"] == "there"
    assert folders["cifar100"] == "not there: wordsight data fetch cifar100"
    assert folders["environment"]["WORDSIGHT_CACHE"] == "~/cache"
    assert "s3cret" not in done.out
    assert str(tmp_path) not in done.out
    assert float(found["self-check"]["fit and predict"].split()[1]) >= 0


def test_for_people_it_prints_tables_and_a_verdict(run: Runner) -> None:
    done = run("doctor")
    assert (done.code, done.err) == (0, "")
    for text in (f"wordsight       {__version__}", "devices", "cpu", "pip install 'wordsight["):
        assert text in done.out
    assert done.out.endswith("Wordsight works here.\n")


def test_an_extra_that_is_missing_does_not_fail(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = importlib.metadata.version

    def without_numba(name: str) -> str:
        if name == "numba":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_numba)
    monkeypatch.setattr(doctor, "_try_it", lambda found: None)
    found = json.loads(run("doctor", "--json").out)
    assert found["works"] is True
    assert found["extras"]["fast"] == "missing: pip install 'wordsight[fast]'"
    assert {
        "what": "numba of the extra fast",
        "advice": "where you want it: pip install 'wordsight[fast]'",
        "is_needed": False,
    } in found["findings"]


@pytest.mark.parametrize("broken", ["numpy", "torch"])
def test_a_part_that_is_older_or_not_there(
    run: Runner, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    version = importlib.metadata.version

    def changed(name: str) -> str:
        if name == broken == "torch":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.9.9" if name == broken else version(name)

    monkeypatch.setattr(importlib.metadata, "version", changed)
    monkeypatch.setattr(
        importlib.metadata, "requires", lambda _: ["numpy>=1.26", "torch>=2.5", "x; extra=='dev'"]
    )
    monkeypatch.setattr(doctor, "_try_it", lambda found: None)
    done = run("doctor")
    assert done.code == 1
    (error,) = done.errors
    assert "needs is broken" in error
    said = {
        "numpy": "broken: numpy is 1.9.9, and >=1.26 is needed; pip install 'numpy>=1.26'",
        "torch": "broken: torch is not installed; install Wordsight again",
    }
    assert said[broken] in done.out


def test_what_cannot_be_imported_is_a_finding(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wordsight.compute", "wordsight.classifiers.cross_modal"):
        monkeypatch.setitem(sys.modules, name, None)
    done = run("doctor", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert found["works"] is False
    broken = [one["what"] for one in found["findings"] if one["is_needed"]]
    assert [text.split(":")[0] for text in broken] == ["computing fails", "a small training fails"]
    assert found["self-check"]["fit and predict"] == "fails"


@pytest.mark.parametrize(
    ("version", "wanted", "older"),
    [("1.26.0", ">=1.26", False), ("1.25.9", ">=1.26", True), ("2.0", ">=1.26", False),
     ("2.13.0+cpu", ">=2.5", False), ("1.7.2", ">=1.7", False), ("3", "", False)],
)  # fmt: skip
def test_versions_are_compared_number_by_number(version: str, wanted: str, older: bool) -> None:
    assert doctor._is_older(version, wanted) is older


def test_memory_is_that_of_the_system() -> None:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert doctor._memory()["memory"] == f"{pages / 1e9:.1f} GB"
