"""Check that a wheel holds the package, its vocabulary and its licence, and nothing else."""

import sys
import zipfile
from pathlib import Path

NEEDED = (
    "wordsight/py.typed",
    "wordsight/words/wiki50.safetensors",
    "wordsight/cli/__init__.py",
    "wordsight/app/static/index.html",
    "wordsight/app/static/explorer.js",
    "wordsight/app/static/explorer.css",
    "wordsight/experiments/attributes.json",
    "wordsight/experiments/report.html",
)
VOCABULARY_LIMIT = 3_000_000  # bytes


def main(path: str) -> None:
    """Say what is wrong with the wheel at `path`, and exit with 1, or say its size."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        missing = [name for name in NEEDED if name not in names]
        foreign = [name for name in names if not name.startswith(("wordsight/", "wordsight-"))]
        vocabulary = wheel.getinfo(NEEDED[1]).file_size if not missing else 0
        licence = any(name.endswith("LICENSE") for name in names)
    if missing or foreign or not licence or vocabulary > VOCABULARY_LIMIT:
        sys.exit(f"{path}: missing {missing}, foreign {foreign}, vocabulary {vocabulary} bytes")
    sys.stdout.write(f"{Path(path).name}: {Path(path).stat().st_size / 1e6:.1f} MB, complete\n")


if __name__ == "__main__":
    main(sys.argv[1])
