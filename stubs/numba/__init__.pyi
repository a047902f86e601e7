# The part of numba that is used: a decorator that keeps the function's type.
from collections.abc import Callable
from typing import TypeVar

_F = TypeVar("_F", bound=Callable[..., object])

def njit(
    signature: str, *, nogil: bool = ..., error_model: str = ...
) -> Callable[[_F], _F]: ...
