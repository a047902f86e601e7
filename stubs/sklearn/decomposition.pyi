from typing import Any

from numpy.typing import ArrayLike, NDArray

class PCA:
    def __init__(
        self,
        n_components: int | float | str | None = ...,
        *,
        svd_solver: str = ...,
        random_state: int | None = ...,
    ) -> None: ...
    def fit_transform(self, X: ArrayLike, y: object = ...) -> NDArray[Any]: ...
