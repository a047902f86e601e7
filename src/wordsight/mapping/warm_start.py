"""Where the training of two layers starts: hidden units made of the linear map's coordinates."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import RidgeFactor, blocks, in_order, partial
from wordsight.mapping.layers import BLOCK, Layers, take_rows
from wordsight.mapping.sums import DEFAULT_ALPHA, SMALL, RowSums, factor_of, ridge
from wordsight.progress import report
from wordsight.rows import StoredRows

__all__ = ["hidden_start", "linear_start"]

SCALES = (1.0, 0.3, 0.1)
"""Standard deviations of what goes into tanh that are tried: from bent to nearly straight."""

SPREAD = 0.5
"""Standard deviation of the hidden biases, as a share of that."""

N_PENALTIES = 6
"""Penalties of θ2 that are tried, from `weight_decay` upwards in steps of ten."""


def linear_start(
    X: NDArray[Any] | StoredRows,
    Y: NDArray[Any],
    rows: NDArray[np.int64],
    device: torch.device,
    alpha: float | None,
    factor: RidgeFactor | None = None,
) -> tuple[NDArray[np.float64], RidgeFactor]:
    """Solve the ridge regression of some rows (Eq. 1).

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
    Y : ndarray, shape (n, d)
    rows : ndarray of int
        The rows to learn from.
    device : torch.device
    alpha : float or None
        Ridge term; None is a hundredth of the features' mean variance.
    factor : RidgeFactor, optional
        Of the covariance of X, with a ridge term of its own: spares computing one.

    Returns
    -------
    coef : ndarray of float64, shape (d, F)
    factor : RidgeFactor
    """
    if factor is not None:
        return _solve(X, Y, rows, factor), factor
    sums = RowSums(X, Y, device).over(rows)
    unit = max(sums.mean_variance(), np.finfo(float).tiny)
    report("solving the map", 0, 1)
    # it only has to make the problem round, and each step of the training multiplies with it
    large = X.dtype == np.float32 and X.shape[1] > SMALL
    factor = factor_of(
        sums,
        DEFAULT_ALPHA * unit if alpha is None else float(alpha),
        torch.float32 if large else torch.float64,
    )
    coef, _intercept = ridge(sums, factor)
    report("solving the map", 1, 1)
    return coef, factor


def _solve(
    X: NDArray[Any] | StoredRows, Y: NDArray[Any], rows: NDArray[np.int64], factor: RidgeFactor
) -> NDArray[np.float64]:
    """Solve with a factor that is there already, in a pass over the rows."""
    mean_x = factor.mean_x
    like = torch.empty(0, dtype=torch.float32 if X.dtype == np.float32 else torch.float64)
    like = like.to(mean_x.device)
    mean_y = Y[rows].mean(0, dtype=np.float64)

    def part(cut: slice) -> torch.Tensor:
        y = torch.as_tensor(Y[rows[cut]] - mean_y).to(like)
        return y.T @ take_rows(X, rows[cut], like)

    cross = torch.zeros(Y.shape[1], X.shape[1], dtype=torch.float64, device=mean_x.device)
    for product in in_order(part, blocks(len(rows), BLOCK)):
        cross += product
    return factor.solve((cross / len(rows)).T).double().T.cpu().numpy()


def hidden_start(
    X: NDArray[Any] | StoredRows,
    Y: NDArray[Any],
    rows: NDArray[np.int64],
    held_out: NDArray[np.int64],
    coef: NDArray[np.float64],
    mean: NDArray[np.float64],
    n_hidden: int,
    weight_decay: float,
    random_state: np.random.RandomState,
) -> Layers:
    """Make hidden units of random mixtures of the linear map's coordinates, and solve for θ2.

    How strongly tanh bends, and the penalty of θ2, are chosen on held-out rows: the linear map
    remembers its training rows and draws them nearer to their targets than new ones, and θ2
    fitted closely to those would lead the others astray. Where none are held out, the scale is
    that with the lowest loss.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
    Y : ndarray, shape (n, d)
    rows, held_out : ndarray of int
        The rows to learn from, and those to choose on.
    coef : ndarray of float64, shape (d, F)
        Of the linear map.
    mean : ndarray of float64, shape (F,)
        Of the features.
    n_hidden : int
    weight_decay : float
    random_state : RandomState

    Returns
    -------
    Layers
        On the processor.
    """
    centre = coef @ mean
    mapped, mapped_out = _mapped(X, rows, coef) - centre, _mapped(X, held_out, coef) - centre
    mixing = random_state.normal(size=(n_hidden, len(coef)))
    shift = SPREAD * random_state.normal(size=n_hidden)
    spread = (mapped @ mixing.T).std(0)
    # a unit that nothing moves stays one
    mixing /= np.where(spread > 1e-9 * max(spread.max(), 1e-300), spread, np.inf)[:, None]
    best: tuple[NDArray[np.float64], ...] | None = None
    lowest = np.inf
    for scale in SCALES:
        first = scale * mixing
        theta1 = first @ coef
        hidden = np.tanh(mapped @ first.T + scale * shift)
        hidden_out = np.tanh(mapped_out @ first.T + scale * shift)
        n_penalties = N_PENALTIES if len(held_out) else 1
        for theta2, b2 in _second_layers(hidden, Y[rows], weight_decay, n_penalties):
            if len(held_out):
                error = float(((hidden_out @ theta2.T + b2 - Y[held_out]) ** 2).sum())
            else:
                error = float(((hidden @ theta2.T + b2 - Y[rows]) ** 2).sum(1).mean())
                error += weight_decay * float((theta1**2).sum() + (theta2**2).sum())
            if best is None or error < lowest:
                best, lowest = (theta1, scale * shift - theta1 @ mean, theta2, b2), error
    assert best is not None
    return Layers(*(torch.from_numpy(np.ascontiguousarray(part)) for part in best))


def _mapped(
    X: NDArray[Any] | StoredRows, rows: NDArray[np.int64], coef: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Map some rows linearly, without a bias, shape (n_rows, d)."""
    weights = coef.astype(X.dtype)
    mapped = np.empty((len(rows), len(coef)))
    for cut in blocks(len(rows), BLOCK):
        mapped[cut] = X[rows[cut]] @ weights.T
    return mapped


def _second_layers(
    hidden: NDArray[np.float64], Y: NDArray[Any], weight_decay: float, count: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield the best θ2 and b2 for hidden units, by penalties from `weight_decay` upwards."""
    moments = partial(hidden, Y.astype(np.float64), shift=hidden.mean(0))
    least = max(weight_decay, 1e-9 * max(moments.mean_variance(), 1e-6))
    for step in range(count):
        yield ridge(moments, RidgeFactor(moments, least * 10.0**step))
