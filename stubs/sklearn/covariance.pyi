from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

class LedoitWolf:
    covariance_: NDArray[np.float64]
    shrinkage_: float
    def __init__(self, *, assume_centered: bool = ...) -> None: ...
    def fit(self, X: ArrayLike, y: Any = ...) -> Self: ...

def ledoit_wolf(
    X: ArrayLike, *, assume_centered: bool = ..., block_size: int = ...
) -> tuple[NDArray[np.float64], float]: ...
