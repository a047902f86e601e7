"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]


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
