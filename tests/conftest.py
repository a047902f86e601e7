"""Fixtures shared by all tests."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # a process for each core: more threads than that would only wait for each other
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import pytest

_ROOT = Path(__file__).resolve().parents[1]


_LONG = (
    "test_benchmarks.py", "test_cli_predict_many.py", "test_crash.py", "test_ray.py",
    "test_quick_path.py", "test_types_for_users.py", "test_mutated_files.py", "test_guides.py",
)  # fmt: skip
"""Files with tests of minutes: they come first, so that no process waits for another's last."""


@pytest.hookimpl(tryfirst=True)  # before any is left out by its markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What has to run alone is slow as well: fast tests run beside one another."""
    for item in items:
        if item.get_closest_marker("alone"):
            item.add_marker("slow")
    items.sort(
        key=lambda item: _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG)
    )


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with CIFAR-10 and the word vectors; skips, saying why, where it is absent."""
    folder = Path(os.environ.get("WORDSIGHT_DATA", _ROOT.parent / "shared" / "data"))
    if not (folder / "cifar10").is_dir():
        message = f"REAL DATA ABSENT: there is no {folder}/cifar10; set WORDSIGHT_DATA"
        if os.environ.get("WORDSIGHT_REQUIRE_DATA"):
            pytest.fail(message)
        pytest.skip(message)
    return folder
