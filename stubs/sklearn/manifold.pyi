from typing import Any

from numpy.typing import ArrayLike, NDArray

class TSNE:
    def __init__(
        self,
        n_components: int = ...,
        *,
        perplexity: float = ...,
        init: str | NDArray[Any] = ...,
        learning_rate: float | str = ...,
        max_iter: int | None = ...,
        metric: str = ...,
        random_state: int | None = ...,
        n_jobs: int | None = ...,
    ) -> None: ...
    def fit_transform(self, X: ArrayLike, y: object = ...) -> NDArray[Any]: ...

def trustworthiness(
    X: ArrayLike, X_embedded: ArrayLike, *, n_neighbors: int = ..., metric: str = ...
) -> float: ...
