"""The two layers θ2 tanh(θ1 x + b1) + b2, their loss and its gradient, in blocks of rows."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import RidgeFactor, blocks, in_order, scratch
from wordsight.rows import StoredRows, take

__all__ = ["Layers", "LayersProblem", "loss_and_gradient", "squared_error", "take_rows"]

BLOCK = 2048
"""Rows a block: with 12,800 features 105 MB, of which each core holds one."""


class Layers(NamedTuple):
    """The parameters of the map, or a gradient with respect to them.

    Attributes
    ----------
    theta1 : Tensor of float64, shape (n_hidden, F)
    b1 : Tensor of float64, shape (n_hidden,)
    theta2 : Tensor of float64, shape (d, n_hidden)
    b2 : Tensor of float64, shape (d,)
    """

    theta1: torch.Tensor
    b1: torch.Tensor
    theta2: torch.Tensor
    b2: torch.Tensor


def loss_and_gradient(
    layers: Layers,
    X: NDArray[Any] | StoredRows,
    Y: NDArray[Any],
    weight_decay: float,
    *,
    rows: NDArray[np.int64] | None = None,
    block_size: int = BLOCK,
) -> tuple[float, Layers]:
    """Return the penalised squared error and its gradient, in one pass over the rows.

    ``1/n Σ ‖yᵢ − θ2 tanh(θ1 xᵢ + b1) − b2‖² + weight_decay (‖θ1‖² + ‖θ2‖²)``. Sums over blocks of
    rows are double precision; products run in the precision of X.

    Parameters
    ----------
    layers : Layers
    X : ndarray or StoredRows, shape (n, F)
        May be memory-mapped; only a block of rows for each core is ever copied.
    Y : ndarray, shape (n, d)
    weight_decay : float
    rows : ndarray of int, optional
        The rows to learn from; by default all.
    block_size : int
        Rows a block.

    Returns
    -------
    loss : float
    gradient : Layers
    """
    chosen = np.arange(len(X)) if rows is None else rows
    inside = _in_precision(layers, X)

    def part(cut: slice) -> tuple[float, Layers]:
        x, hidden, residual = _forward(inside, X, Y, chosen[cut])
        lost = float(residual.double().square().sum())
        across2, along2 = residual.T @ hidden, residual.sum(0)
        slope = residual @ inside.theta2  # back through θ2, then through tanh: tanh' = 1 − tanh²
        slope.mul_(hidden.square_().neg_().add_(1.0))
        return lost, Layers(slope.T @ x, slope.sum(0), across2, along2)

    loss = 0.0
    total = Layers(*map(torch.zeros_like, layers))
    for lost, slopes in in_order(part, blocks(len(chosen), block_size)):
        loss += lost
        for whole, slope in zip(total, slopes, strict=True):
            whole.add_(slope)
    n = len(chosen)
    for whole in total:
        whole.mul_(2.0 / n)
    total.theta1.add_(layers.theta1, alpha=2.0 * weight_decay)
    total.theta2.add_(layers.theta2, alpha=2.0 * weight_decay)
    return loss / n + weight_decay * _size(layers), total


def squared_error(
    layers: Layers,
    X: NDArray[Any] | StoredRows,
    Y: NDArray[Any],
    *,
    rows: NDArray[np.int64] | None = None,
    block_size: int = BLOCK,
) -> float:
    """Return ``1/n Σ ‖yᵢ − f(xᵢ)‖²``, the loss without its penalty.

    Parameters
    ----------
    layers, X, Y, rows, block_size
        As for `loss_and_gradient`.

    Returns
    -------
    float
    """
    chosen = np.arange(len(X)) if rows is None else rows
    inside = _in_precision(layers, X)

    def part(cut: slice) -> float:
        return float(_forward(inside, X, Y, chosen[cut])[-1].double().square().sum())

    return sum(in_order(part, blocks(len(chosen), block_size))) / len(chosen)


def _size(layers: Layers) -> float:
    return float(layers.theta1.square().sum() + layers.theta2.square().sum())


def _in_precision(layers: Layers, X: NDArray[Any] | StoredRows) -> Layers:
    dtype = torch.float32 if X.dtype == np.float32 else torch.float64
    return Layers(*(part.to(dtype) for part in layers))


def _forward(
    layers: Layers, X: NDArray[Any] | StoredRows, Y: NDArray[Any], rows: NDArray[np.int64]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return some rows of X, their hidden units, and f(x) − y."""
    x = take_rows(X, rows, layers.theta1)
    hidden = torch.addmm(layers.b1, x, layers.theta1.T).tanh_()
    y = torch.as_tensor(np.ascontiguousarray(Y[rows])).to(layers.theta1)
    return x, hidden, torch.addmm(layers.b2, hidden, layers.theta2.T).sub_(y)


def take_rows(
    X: NDArray[Any] | StoredRows, rows: NDArray[np.int64], like: torch.Tensor
) -> torch.Tensor:
    """Copy some rows into a buffer of this thread's own, which the next call overwrites.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
        May be memory-mapped, read-only and of any layout.
    rows : ndarray of int
    like : Tensor
        Gives the type, that of X, and the device.

    Returns
    -------
    Tensor, shape (len(rows), F)
    """
    buffer = scratch("rows", (len(rows), X.shape[1]), torch.empty(0, dtype=like.dtype))
    take(X, rows, buffer.numpy())
    return buffer.to(like.device)


class LayersProblem:
    """The loss as a function of one flat vector (U, c, θ2, b2), in which it is nearly round.

    With ``C + alpha I = L Lᵀ``, ``θ1 = θ1ˢᵗᵃʳᵗ + (L⁻ᵀ U)ᵀ``. Features are counted from their mean,
    ``b1 = c − θ1 x̄``, so that biases are nearly independent of the coefficients.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
    Y : ndarray, shape (n, d)
    rows : ndarray of int
        The rows to learn from.
    start : Layers
    mean : Tensor of float64, shape (F,)
        x̄.
    factor : RidgeFactor or None
        L; None is the identity.
    weight_decay : float
    """

    def __init__(
        self,
        X: NDArray[Any] | StoredRows,
        Y: NDArray[Any],
        rows: NDArray[np.int64],
        start: Layers,
        mean: torch.Tensor,
        factor: RidgeFactor | None,
        weight_decay: float,
    ) -> None:
        self._X, self._Y, self._rows = X, Y, rows
        self._start, self._mean, self._factor = start, mean, factor
        self._weight_decay = weight_decay

    def start(self) -> NDArray[np.float64]:
        """Return the flat vector of the layers to start from."""
        theta1, b1, theta2, b2 = self._start
        return _flat(Layers(torch.zeros_like(theta1.T), b1 + theta1 @ self._mean, theta2, b2))

    def layers(self, flat: NDArray[np.float64]) -> Layers:
        """Return the parameters that a flat vector stands for."""
        U, c, theta2, b2 = self._unflat(flat)
        moved = U if self._factor is None else self._factor.unwhiten(U).double()
        theta1 = self._start.theta1 + moved.T
        return Layers(theta1, c - theta1 @ self._mean, theta2, b2)

    def loss_and_gradient(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the penalised loss and its gradient with respect to the flat vector."""
        loss, slope = loss_and_gradient(
            self.layers(flat), self._X, self._Y, self._weight_decay, rows=self._rows
        )
        about_mean = (slope.theta1 - torch.outer(slope.b1, self._mean)).T
        if self._factor is not None:
            about_mean = self._factor.whiten(about_mean).double()
        return loss, _flat(Layers(about_mean, slope.b1, slope.theta2, slope.b2))

    def loss(self, flat: NDArray[np.float64]) -> float:
        """Return the penalised loss alone."""
        layers = self.layers(flat)
        error = squared_error(layers, self._X, self._Y, rows=self._rows)
        return error + self._weight_decay * _size(layers)

    def error(self, flat: NDArray[np.float64], rows: NDArray[np.int64]) -> float:
        """Return the squared error of other rows."""
        return squared_error(self.layers(flat), self._X, self._Y, rows=rows)

    def _unflat(self, flat: NDArray[np.float64]) -> Layers:
        whole = torch.from_numpy(flat.copy()).to(self._mean.device)
        theta1, b1, theta2, b2 = self._start
        shapes = [theta1.T.shape, b1.shape, theta2.shape, b2.shape]
        parts = torch.split(whole, [shape.numel() for shape in shapes])
        return Layers(*(part.view(shape) for part, shape in zip(parts, shapes, strict=True)))


def _flat(layers: Layers) -> NDArray[np.float64]:
    return torch.cat([part.flatten() for part in layers]).cpu().numpy()
