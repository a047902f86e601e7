"""Killed anywhere, on a full disk or a read-only one: nothing is lost, torn or left over."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

KILLS = 10
"""Of each command, at random moments. `trials.py --kills 50` takes two minutes."""

TRIALS = Path(__file__).with_name("trials.py")


def run(*options: object) -> dict[str, Any]:
    """Run trials in a process of its own, which has no threads before it forks."""
    done = subprocess.run(
        [sys.executable, str(TRIALS), *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    if not said["small disks"]:
        message = (
            "NO SMALL DISKS: this user may not mount any, so that full and read-only disks were "
            "only imitated"
        )
        assert not os.environ.get("WORDSIGHT_REQUIRE_SMALL_DISKS"), message
        warnings.warn(pytest.PytestWarning(message), stacklevel=2)
    assert said["failed"] == [], json.dumps(said["failed"][:3])
    assert done.returncode == 0, done.stderr
    return said


def test_a_few_trials_are_survived() -> None:
    only = ("--only", "features --resume")
    said = run(*only, "--kills", 1, "--steps", 1, "--failures", 0, "--disks", 1)
    assert said["survived"] >= 2


@pytest.mark.slow
def test_all_trials_are_survived() -> None:
    said = run("--kills", KILLS, "--steps", 1, "--failures", 1, "--disks", 1)
    kinds = said["of each kind: trials, stopped, survived"]
    assert kinds["time"][0] == 4 * KILLS
    assert kinds["time"][1] > 2 * KILLS  # most are killed before they have ended
    assert kinds["step"][1] == kinds["step"][0] > 15
