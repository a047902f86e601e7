from typing import Any, Self

from numpy.typing import ArrayLike, NDArray

class KMeans:
    cluster_centers_: NDArray[Any]
    inertia_: float
    labels_: NDArray[Any]
    def __init__(
        self,
        n_clusters: int = ...,
        *,
        init: str | ArrayLike = ...,
        n_init: int | str = ...,
        max_iter: int = ...,
        tol: float = ...,
        random_state: int | None = ...,
    ) -> None: ...
    def fit(self, X: ArrayLike) -> Self: ...

class MiniBatchKMeans:
    cluster_centers_: NDArray[Any]
    n_steps_: int
    def __init__(
        self,
        n_clusters: int = ...,
        *,
        init: str | ArrayLike = ...,
        n_init: int | str = ...,
        max_iter: int = ...,
        batch_size: int = ...,
        random_state: int | None = ...,
    ) -> None: ...
    def fit(self, X: ArrayLike) -> Self: ...
