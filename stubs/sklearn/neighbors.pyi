from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

class NearestNeighbors:
    def __init__(
        self,
        *,
        n_neighbors: int = ...,
        algorithm: str = ...,
        metric: str = ...,
        n_jobs: int | None = ...,
    ) -> None: ...
    def fit(self, X: ArrayLike, y: object = ...) -> Self: ...
    def kneighbors(
        self, X: ArrayLike | None = ..., n_neighbors: int | None = ...
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]: ...
