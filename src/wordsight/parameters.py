"""What estimators take as numbers: an array or a text is told of, and reaches no arithmetic."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from wordsight.exceptions import InputError

__all__ = ["checked_random_state", "is_auto", "is_between", "is_count"]


def is_between(value: Any, low: float, high: float) -> bool:
    """Say whether a value is a number strictly between two others."""
    return isinstance(value, Real) and not isinstance(value, bool) and low < float(value) < high


def is_count(value: Any, least: int = 1) -> bool:
    """Say whether a value is a whole number that is not too small."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def is_auto(value: Any) -> bool:
    """Say whether a value is ``"auto"``; an array is not compared item by item."""
    return isinstance(value, str) and value == "auto"


def checked_random_state(random_state: Any) -> np.random.RandomState:
    """Return what draws random numbers, as scikit-learn does, or say what is wrong with it."""
    try:
        found: np.random.RandomState = check_random_state(random_state)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"random_state={random_state!r} was given; expected None, a whole number from 0 to "
            f"{2**32 - 1} or a numpy.random.RandomState"
        ) from error
    return found
