"""The process that makes a layout: ``python -m wordsight.app.refining TASK RESULT KIND SEED``."""

import contextlib
import os
import sys
from pathlib import Path
from typing import cast

import numpy as np
from safetensors.numpy import load_file

from wordsight.exploration.layout import LayoutKind, layout
from wordsight.storage import atomic_path, save_tensors

__all__ = ["main", "refine"]


def refine(task: Path, result: Path, kind: LayoutKind, random_state: int) -> None:
    """Make a layout of the points and words in one file, and put it into another.

    Parameters
    ----------
    task : pathlib.Path
        Holds ``points`` and ``words``.
    result : pathlib.Path
        Appears whole or not at all.
    kind : {"pca", "tsne", "umap"}
    random_state : int
    """
    given = load_file(task)
    made = layout(given["points"], given["words"], kind=kind, random_state=random_state)
    points, words = map(np.ascontiguousarray, made)
    with atomic_path(result) as temporary:
        save_tensors(temporary, {"points": points, "words": words})


def main(arguments: list[str]) -> None:
    """Make one layout, giving way to everything else on the machine."""
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(10)
    task, result, kind, seed = arguments
    refine(Path(task), Path(result), cast(LayoutKind, kind), int(seed))


if __name__ == "__main__":
    main(sys.argv[1:])
