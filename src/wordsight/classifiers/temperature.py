"""The temperature of a softmax: how sure its probabilities are, learned on held-out images."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from wordsight.exceptions import InputError
from wordsight.parameters import is_auto, is_between

__all__ = ["Temperature", "check_temperature", "likeliest_temperature"]

Temperature = float | Literal["auto"]
"""What logits are divided by; "auto" is learned on held-out images."""

WIDEST = 1e3
"""How far a temperature may lie from the spread of the logits, either way: where all held-out
images are told apart, no temperature is low enough."""


def check_temperature(temperature: Temperature) -> None:
    """Raise `InputError` for what is no temperature."""
    if not (is_auto(temperature) or is_between(temperature, 0, np.inf)):
        raise InputError(
            f"temperature={temperature!r} was given; expected 'auto' or a number above 0"
        )


def likeliest_temperature(logits: NDArray[Any], codes: NDArray[np.int64]) -> float:
    """Return the temperature τ with which ``softmax(logits / τ)`` makes labels likeliest.

    Labels are not changed by it, only how sure the classifier is of them (Guo, Pleiss, Sun,
    Weinberger: "On Calibration of Modern Neural Networks", ICML 2017, section 4.2).

    Parameters
    ----------
    logits : ndarray, shape (n, C)
        Of images that the classifier was not trained on.
    codes : ndarray of int, shape (n,)
        Their classes, as columns of `logits`.

    Returns
    -------
    float
        Above 0; 1 where there is nothing to tell it from.
    """
    z = np.asarray(logits, dtype=np.float64)
    z = z - z.max(axis=1, keepdims=True)
    spread = float(np.abs(z).mean()) if z.size else 0.0
    if not spread > 0:
        return 1.0
    rows = np.arange(len(z))

    def loss(log_sharpness: float) -> float:
        return -float(log_softmax(z * np.exp(log_sharpness), axis=1)[rows, codes].mean())

    middle, reach = -np.log(spread), np.log(WIDEST)
    found = minimize_scalar(
        loss, bounds=(middle - reach, middle + reach), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(-found.x))
