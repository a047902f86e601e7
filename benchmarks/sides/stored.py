"""Features in a .npy file, read a few rows at a time as those of a cache are."""

from pathlib import Path

import numpy as np

from wordsight.features.cache import CachedFeatures


def stored(place: str) -> CachedFeatures:
    """Open a table; pages of a memory map that stays open would count as memory in use."""
    n_rows, n_features = np.load(place, mmap_mode="r").shape
    return CachedFeatures([Path(place)], [n_rows], n_features, np.arange(n_rows))
