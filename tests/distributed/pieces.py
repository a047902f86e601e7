"""Work for the workers of a cluster, which import this module."""

import os
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import Moments, partial
from wordsight.exceptions import DataError, InputError
from wordsight.threads import n_threads


def square(number: int, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return number**2


def about_threads() -> tuple[int, int, int]:
    return torch.get_num_threads(), n_threads(), os.getpid()


def bad_data(number: int) -> int:
    if number == 2:
        raise DataError("image 2 is bad; mend it")
    return number


def bug(number: int) -> int:
    if number == 2:
        raise ZeroDivisionError("somebody\nforgot something")
    return number


def misuse() -> NoReturn:
    raise InputError("no such class; name another")


def dies(number: int, folder: str | None = None) -> int:
    """End the process without a word: always, or once."""
    mark = None if folder is None else Path(folder, f"died-{number}")
    if number == 2 and (mark is None or not mark.exists()):
        if mark is not None:
            mark.touch()
        os._exit(1)
    return number


def moments_of(start: int, stop: int, folder: str | None = None) -> Moments:
    if folder is not None:
        dies(2 if start else 0, folder)
    X = table()[start:stop]
    return partial(X, X[:, :2])


def table() -> NDArray[np.float32]:
    return np.random.default_rng(0).integers(-9, 9, (8192, 7)).astype(np.float32)
