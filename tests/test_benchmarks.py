"""The benchmark runs, and agrees with the literal rendering that it times."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_benchmark_writes_its_numbers(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(tmp_path / "out.json")]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    record = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["encoding"]
    assert record["largest_difference"] < 1e-4
    ours, literal, bare = record["contenders"]
    assert set(ours["ratios"]) == {1.0}
    assert min(literal["ratios"]) > 1.0
    assert len(bare["seconds"]) == len(bare["ratios"]) == 2
    assert all(each["name"] in done.stdout for each in (ours, literal, bare))
