"""How many iterations L-BFGS from zero needs to come near a loss, found by one run of it.

The library that is compared with does not tell the loss on its way, and runs of 100, 200, 300 ...
iterations to find it out would take longer than all the rest. This is the same method on the same
function (`scipy.optimize`, 10 corrections), with the loss looked at after each iteration.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from scipy.optimize import fmin_l_bfgs_b

BLOCK = 2048


class _Near(Exception):  # noqa: N818 - the aim
    pass


def prepare(
    X: str, codes: str, alpha: float, loss: float, max_iter: int
) -> Callable[[], dict[str, Any]]:
    """Load the features."""
    features, classes = torch.from_numpy(np.load(X)), torch.from_numpy(np.load(codes))
    n_classes = int(classes.max()) + 1
    state = {"loss": np.inf, "iterations": 0}

    def loss_and_gradient(flat: Any) -> tuple[float, Any]:
        found, slope = penalised_loss(
            torch.from_numpy(flat.reshape(n_classes, -1)), features, classes, alpha
        )
        state["loss"] = found
        return found, slope.numpy().ravel()

    def after_iteration(_flat: Any) -> None:
        state["iterations"] += 1
        if state["loss"] <= loss:
            raise _Near

    def work() -> dict[str, Any]:
        start = np.zeros(n_classes * (features.shape[1] + 1))
        with suppress(_Near):
            fmin_l_bfgs_b(
                loss_and_gradient,
                start,
                m=10,
                factr=0.0,
                pgtol=1e-12,
                maxiter=max_iter,
                maxfun=100 * max_iter,
                callback=after_iteration,
            )
        return {"iterations": np.array(state["iterations"]), "loss": np.array(state["loss"])}

    return work


def penalised_loss(
    weights: torch.Tensor, features: torch.Tensor, classes: torch.Tensor, alpha: float
) -> tuple[float, torch.Tensor]:
    """Return the mean log loss plus ``alpha/2 ‖coef‖²``, and its gradient.

    Parameters
    ----------
    weights : Tensor of float64, shape (C, F + 1)
        Coefficients, and the intercept in the last column.
    features : Tensor of float32, shape (n, F)
    classes : Tensor of int64, shape (n,)
    alpha : float
    """
    coef, intercept = weights[:, :-1], weights[:, -1]
    slope = torch.zeros_like(weights)
    loss = 0.0
    for start in range(0, len(features), BLOCK):
        x, target = features[start : start + BLOCK], classes[start : start + BLOCK, None]
        log_proba = torch.log_softmax((x @ coef.T.float()).double() + intercept, 1)
        loss -= float(log_proba.gather(1, target).sum())
        residual = log_proba.exp().scatter_add_(
            1, target, torch.full((len(x), 1), -1.0, dtype=torch.float64)
        )
        slope[:, :-1] += residual.float().T @ x
        slope[:, -1] += residual.sum(0)
    slope /= len(features)
    slope[:, :-1] += alpha * coef
    return loss / len(features) + 0.5 * alpha * float(coef.square().sum()), slope
