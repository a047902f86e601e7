"""The process that makes a layout: ``python -m wordsight.app.refining TASK RESULT KIND SEED``."""

import contextlib
import os
import sys
from pathlib import Path
from typing import cast

from wordsight.app.layouts import refine
from wordsight.exploration.layout import LayoutKind


def main(arguments: list[str]) -> None:
    """Make one layout, giving way to everything else on the machine."""
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(10)
    task, result, kind, seed = arguments
    refine(Path(task), Path(result), cast(LayoutKind, kind), int(seed))


if __name__ == "__main__":
    main(sys.argv[1:])
