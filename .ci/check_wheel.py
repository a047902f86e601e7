"""Check that a wheel holds the package, its vocabulary, model and licence, and nothing else.

Given a second wheel of the same tree, check that the two are the same, byte for byte.
"""

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
    "wordsight/models/cifar10/config.json",
    "wordsight/models/cifar10/model.safetensors",
    "wordsight/models/cifar10/README.md",
)
LIMITS = {"wordsight/words/": 3_000_000, "wordsight/models/": 3_000_000}  # bytes below each


def main(path: str, *again: str) -> None:
    """Say what is wrong with the wheel at `path`, and exit with 1, or say its size."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        missing = [name for name in NEEDED if name not in names]
        foreign = [name for name in names if not name.startswith(("wordsight/", "wordsight-"))]
        sizes = {
            place: sum(one.file_size for one in wheel.infolist() if one.filename.startswith(place))
            for place in LIMITS
        }
        licence = any(name.endswith("LICENSE") for name in names)
    large = {place: size for place, size in sizes.items() if size > LIMITS[place]}
    if missing or foreign or large or not licence:
        sys.exit(f"{path}: missing {missing}, foreign {foreign}, too large {large}")
    for other in again:
        if Path(other).read_bytes() != Path(path).read_bytes():
            sys.exit(f"{path} and {other} were built from one tree and differ")
    sys.stdout.write(f"{Path(path).name}: {Path(path).stat().st_size / 1e6:.1f} MB, complete\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
