from collections.abc import Sequence
from typing import Any, Literal, Self

from numpy.typing import NDArray
from sklearn.base import BaseEstimator

class MLPRegressor(BaseEstimator):
    coefs_: list[NDArray[Any]]
    intercepts_: list[NDArray[Any]]
    loss_: float
    def __init__(
        self,
        *,
        hidden_layer_sizes: Sequence[int] = ...,
        activation: Literal["identity", "logistic", "tanh", "relu"] = ...,
        solver: Literal["lbfgs", "sgd", "adam"] = ...,
        alpha: float = ...,
        max_iter: int = ...,
        max_fun: int = ...,
        tol: float = ...,
        random_state: int | None = ...,
    ) -> None: ...
    def fit(self, X: Any, y: Any) -> Self: ...
    def predict(self, X: Any) -> NDArray[Any]: ...
