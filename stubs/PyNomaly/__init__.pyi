# The part of PyNomaly that the tests and benchmarks use.
from typing import Any, Self

from numpy.typing import NDArray

class LocalOutlierProbability:
    local_outlier_probabilities: NDArray[Any]
    def __init__(
        self, data: NDArray[Any], extent: int = ..., n_neighbors: int = ..., **options: object
    ) -> None: ...
    def fit(self) -> Self: ...
