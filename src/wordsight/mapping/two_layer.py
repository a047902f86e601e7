"""`TwoLayerMap`: the NIPS 2013 map from image features to word vectors, θ2 tanh(θ1 x + b1) + b2."""

from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import fmin_l_bfgs_b
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MultiOutputMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from wordsight.compute import RidgeFactor, blocks, in_order, partial, resolve_device, scratch
from wordsight.exceptions import InputError
from wordsight.mapping.alpha import draw_held_out, group_rows
from wordsight.mapping.base import HeldOutFit
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.sums import DEFAULT_ALPHA, SMALL, RowSums, factor_of, ridge
from wordsight.progress import report
from wordsight.validation import validated

__all__ = ["Layers", "TwoLayerMap", "loss_and_gradient", "squared_error"]

BLOCK = 2048
"""Rows a block: with 12,800 features 105 MB, of which each core holds one."""

EVERY = 2
"""Iterations between two looks at the held-out rows."""

MEMORY = 10
"""Pairs of vectors that L-BFGS keeps: with 12,800 features and 200 hidden units 41 MB a pair."""

SPREAD = 0.5
"""Standard deviation of the hidden biases at the start, beside one of 1 of what they add to."""


START_PENALTIES = 6
"""Penalties of θ2 tried at the start, from `weight_decay` upwards in steps of ten."""


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
    X: NDArray[Any],
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
    X : ndarray, shape (n, F)
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
    size = float(layers.theta1.square().sum() + layers.theta2.square().sum())
    return loss / n + weight_decay * size, total


def squared_error(
    layers: Layers,
    X: NDArray[Any],
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


def _in_precision(layers: Layers, X: NDArray[Any]) -> Layers:
    dtype = torch.float32 if X.dtype == np.float32 else torch.float64
    return Layers(*(part.to(dtype) for part in layers))


def _forward(
    layers: Layers, X: NDArray[Any], Y: NDArray[Any], rows: NDArray[np.int64]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return some rows of X, their hidden units, and f(x) − y."""
    x = _take(X, rows, layers.theta1)
    hidden = torch.addmm(layers.b1, x, layers.theta1.T).tanh_()
    y = torch.as_tensor(np.ascontiguousarray(Y[rows])).to(layers.theta1)
    return x, hidden, torch.addmm(layers.b2, hidden, layers.theta2.T).sub_(y)


def _take(X: NDArray[Any], rows: NDArray[np.int64], like: torch.Tensor) -> torch.Tensor:
    """Copy some rows into a buffer of this thread's own."""
    buffer = scratch("rows", (len(rows), X.shape[1]), torch.empty(0, dtype=like.dtype))
    # without "clip", NumPy goes by way of another copy
    np.take(X, rows, axis=0, out=buffer.numpy(), mode="clip")
    return buffer.to(like.device)


class TwoLayerMap(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    MultiOutputMixin,
    RegressorMixin,
    BaseEstimator,
):
    """Map image features into the space of word vectors through one hidden layer.

    The map of the paper's NIPS 2013 version, ``f(x) = θ2 tanh(θ1 x)``, with biases and a penalty.
    It minimises ``1/n Σ ‖y − θ2 tanh(θ1 x + b1) − b2‖² + weight_decay (‖θ1‖² + ‖θ2‖²)`` by L-BFGS.

    It starts from the linear map: hidden units are random mixtures of the coordinates of points
    mapped by ridge regression, and θ2 is the best there is for them, so that the start is about
    as good as the linear map and training can only better it. The ridge regression's factor L
    also makes the problem round: steps are counted in ``U = (θ1 − θ1ˢᵗᵃʳᵗ) L``. It ends when
    held-out rows, which only this uses, are mapped no better, and the best parameters are kept.

    Parameters
    ----------
    n_hidden : int, default 200
        Hidden units, as in the authors' released code.
    weight_decay : float, default 1e-4
        Weight of the penalty, as in the authors' released code.
    max_iter : int, default 200
        Iterations of L-BFGS at most.
    tol : float, default 1e-4
        Share of itself by which the error on held-out rows must fall to count as a gain; where no
        rows are held out, the share by which the loss must fall in an iteration.
    patience : int, default 5
        Stop after so many looks at the held-out rows without a gain. There is a look at every
        second iteration.
    held_out_fraction : float, default 0.1
        Share of each class's rows held out to stop on; 0 for none.
    alpha : float or None, default None
        Ridge term of the linear map to start from; None is a hundredth of the features' mean
        variance.
    precondition : bool, default True
        Whether the problem is made round. The answer is the same where it is found.
    device : str or None, default None
        ``"cpu"`` (None) or ``"cuda"``.
    random_state : int, RandomState or None, default None
        Draws the held-out rows and the hidden units at the start.

    Attributes
    ----------
    coef_hidden_ : ndarray, shape (n_hidden, F)
        θ1.
    intercept_hidden_ : ndarray, shape (n_hidden,)
        b1.
    coef_ : ndarray, shape (d, n_hidden)
        θ2.
    intercept_ : ndarray, shape (d,)
        b2.
    n_iter_ : int
        Iterations taken.
    best_iter_ : int
        The iteration whose parameters were kept; 0 is the start.
    loss_ : float
        The penalised loss of the last iteration.
    held_out_errors_ : list of (int, float)
        Iterations, and the mean squared distance of held-out rows from their targets there.

    Examples
    --------
    >>> import numpy as np
    >>> from wordsight import TwoLayerMap
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> theta = np.arange(8.0).reshape(2, 4) / 8
    >>> Y = np.tanh(X @ theta.T)
    >>> model = TwoLayerMap(20, random_state=0).fit(X, Y)
    >>> bool(((model.predict(X) - Y) ** 2).mean() < 0.01 * Y.var())
    True
    """

    def __init__(
        self,
        n_hidden: int = 200,
        *,
        weight_decay: float = 1e-4,
        max_iter: int = 200,
        tol: float = 1e-4,
        patience: int = 5,
        held_out_fraction: float = 0.1,
        alpha: float | None = None,
        precondition: bool = True,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_hidden = n_hidden
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.tol = tol
        self.patience = patience
        self.held_out_fraction = held_out_fraction
        self.alpha = alpha
        self.precondition = precondition
        self.device = device
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        Y: Any,
        *,
        held_out: NDArray[np.bool_] | None = None,
        linear: LinearMap | None = None,
        factor: RidgeFactor | None = None,
    ) -> Self:
        """Learn the map.

        Parameters
        ----------
        X : ndarray, shape (n, F)
            Features; float32 stays float32, and may be memory-mapped.
        Y : ndarray, shape (n, d) or (n,)
            The word vector of the class of each row.
        held_out : ndarray of bool, shape (n,), optional
            The rows to stop on; by default they are drawn.
        linear : LinearMap, optional
            A fitted map to start from. It must not have been trained on the rows to stop on, or
            they look better than new ones and the training stops at once: so `held_out` must be
            given beside it, unless nothing is held out.
        factor : RidgeFactor, optional
            Of the covariance of X, of all rows or most: spares computing one.

        Returns
        -------
        TwoLayerMap
            Itself.
        """
        X, Y = self._checked(X, Y)
        random_state = check_random_state(self.random_state)
        if held_out is not None:
            held_out = _checked_mask(held_out, len(X))
        elif linear is not None and self.held_out_fraction > 0:
            raise InputError(
                "linear= was given without held_out=; name the rows that the linear map was not "
                "trained on, which the training stops on, or set held_out_fraction=0"
            )
        _check_shapes(X, Y, linear, factor)
        self._fit(X, Y, np.arange(len(X)), random_state, held_out, linear, factor)
        return self

    def fit_held_out(self, X: Any, Y: Any, held_out: NDArray[np.bool_]) -> HeldOutFit:
        """Learn the map without some rows, and map them.

        They stay unused: other rows are held out to stop on.

        Parameters
        ----------
        X : ndarray, shape (n, F)
        Y : ndarray, shape (n, d)
        held_out : ndarray of bool, shape (n,)

        Returns
        -------
        HeldOutFit
            With the factor of the rows that were learned from.
        """
        X, Y = self._checked(X, Y)
        held_out = _checked_mask(held_out, len(X))
        random_state = check_random_state(self.random_state)
        factor = self._fit(X, Y, np.flatnonzero(~held_out), random_state, None, None, None)
        mapped = self._map(X)
        return HeldOutFit(mapped[~held_out], mapped[held_out], factor)

    def predict(self, X: Any) -> NDArray[Any]:
        """Map features into word space.

        Parameters
        ----------
        X : ndarray, shape (n, F)

        Returns
        -------
        ndarray, shape (n, d), or (n,) where Y of `fit` had one dimension
            The mapped points ``S = tanh(X θ1ᵀ + b1) θ2ᵀ + b2``.
        """
        check_is_fitted(self)
        X = validated(self, X, reset=False, dtype=[np.float32, np.float64])
        mapped = self._map(X)
        return mapped[:, 0] if self.flat_ else mapped

    def transform(self, X: Any) -> NDArray[Any]:
        """Map features into word space: `predict` under the name that pipelines call."""
        mapped = self.predict(X)
        return mapped.reshape(len(mapped), -1)

    def _map(self, X: NDArray[Any]) -> NDArray[Any]:
        hidden = np.tanh(X @ self.coef_hidden_.T + self.intercept_hidden_)
        mapped: NDArray[Any] = hidden @ self.coef_.T + self.intercept_
        return mapped

    def _fit(
        self,
        X: NDArray[Any],
        Y: NDArray[Any],
        rows: NDArray[np.int64],
        random_state: np.random.RandomState,
        stop_on: NDArray[np.bool_] | None,
        linear: LinearMap | None,
        factor: RidgeFactor | None,
    ) -> RidgeFactor | None:
        """Learn from some rows, part of which are only stopped on; return the factor used."""
        if stop_on is None:
            stop_on = np.zeros(len(X), dtype=bool)
            stop_on[rows] = self._draw(Y[rows], random_state)
        kept, stopping = rows[~stop_on[rows]], rows[stop_on[rows]]
        device = resolve_device(self.device)
        coef, factor = self._linear_start(X, Y, kept, device, linear, factor)
        mean = X.mean(0, dtype=np.float64) if factor is None else factor.mean_x.cpu().numpy()
        start = self._hidden_start(X, Y, kept, stopping, coef, mean, random_state)
        problem = _Problem(
            X,
            Y,
            kept,
            Layers(*(torch.from_numpy(part).to(device) for part in start)),
            torch.from_numpy(mean).to(device),
            factor if self.precondition else None,
            self.weight_decay,
        )
        best = self._minimise(problem, stopping)
        # in C order, as a saved model is read: a product's last bits depend on the layout
        self.coef_hidden_, self.intercept_hidden_, self.coef_, self.intercept_ = (
            np.ascontiguousarray(part.cpu().numpy(), dtype=X.dtype) for part in best
        )
        return factor

    def _draw(self, Y: NDArray[Any], random_state: np.random.RandomState) -> NDArray[np.bool_]:
        classes = group_rows(Y, 1, random_state)
        codes = np.zeros(len(Y), dtype=np.int64) if classes is None else classes.codes
        return draw_held_out(codes, self.held_out_fraction, random_state)

    def _linear_start(
        self,
        X: NDArray[Any],
        Y: NDArray[Any],
        rows: NDArray[np.int64],
        device: torch.device,
        linear: LinearMap | None,
        factor: RidgeFactor | None,
    ) -> tuple[NDArray[np.float64], RidgeFactor | None]:
        """Return θ of the linear map to start from, and the factor that makes the problem round."""
        if factor is None and (linear is None or self.precondition):
            sums = RowSums(X, Y, device).over(rows)
            unit = max(sums.mean_variance(), np.finfo(float).tiny)
            alpha = DEFAULT_ALPHA * unit if self.alpha is None else float(self.alpha)
            report("solving the map", 0, 1)
            large = X.dtype == np.float32 and X.shape[1] > SMALL
            factor = factor_of(sums, alpha, torch.float32 if large else torch.float64)
            coef = ridge(sums, factor)[0] if linear is None else None
            report("solving the map", 1, 1)
        elif factor is not None and linear is None:
            coef = _solve(X, Y, rows, factor)
        else:
            coef = None
        if coef is None:
            assert linear is not None
            coef = np.asarray(linear.coef_, dtype=np.float64)
        return coef, factor

    def _hidden_start(
        self,
        X: NDArray[Any],
        Y: NDArray[Any],
        rows: NDArray[np.int64],
        stopping: NDArray[np.int64],
        coef: NDArray[np.float64],
        mean: NDArray[np.float64],
        random_state: np.random.RandomState,
    ) -> tuple[NDArray[np.float64], ...]:
        """Make hidden units of random mixtures of the linear map's coordinates; solve for θ2."""
        linear = _mapped(X, rows, coef)
        mixing = random_state.normal(size=(self.n_hidden, len(coef)))
        spread = (linear @ mixing.T).std(0)
        # a unit that nothing moves stays one
        mixing /= np.where(spread > 1e-9 * max(spread.max(), 1e-300), spread, np.inf)[:, None]
        theta1 = mixing @ coef
        b1 = SPREAD * random_state.normal(size=self.n_hidden) - theta1 @ mean
        hidden = np.tanh(linear @ mixing.T + b1)
        hidden_stopping = np.tanh(_mapped(X, stopping, coef) @ mixing.T + b1)
        moments = partial(hidden, Y[rows].astype(np.float64), shift=hidden.mean(0))
        least = max(self.weight_decay, 1e-9 * max(moments.mean_variance(), 1e-6))
        # the linear map remembers its training rows: held-out ones lie farther out, where hidden
        # units that were fitted closely to training rows go astray
        candidates = 10.0 ** np.arange(START_PENALTIES if len(stopping) else 1)
        best, lowest = (moments.cross.T.cpu().numpy(), Y.mean(0)), np.inf
        for step in candidates:
            theta2, b2 = ridge(moments, RidgeFactor(moments, least * step))
            error = float(((hidden_stopping @ theta2.T + b2 - Y[stopping]) ** 2).sum())
            if error < lowest:
                best, lowest = (theta2, b2), error
        return theta1, b1, np.ascontiguousarray(best[0]), best[1]

    def _minimise(self, problem: "_Problem", stopping: NDArray[np.int64]) -> Layers:
        watch = _Watch(problem, stopping, self.tol, self.patience)
        iteration = 0

        def tell(flat: NDArray[np.float64]) -> None:
            nonlocal iteration
            iteration += 1
            report("training the two-layer map", min(iteration, self.max_iter), self.max_iter)
            if iteration % EVERY == 0 and watch.look(iteration, flat):
                raise StopIteration  # what SciPy takes for a wish to stop

        start = problem.start()
        report("training the two-layer map", 0, self.max_iter)
        watch.look(0, start)
        last, loss, facts = fmin_l_bfgs_b(
            problem.loss_and_gradient,
            start,
            m=MEMORY,
            factr=0.0 if len(stopping) else self.tol / np.finfo(float).eps,
            pgtol=0.0,
            maxiter=self.max_iter,
            maxfun=2 * self.max_iter + 20,
            callback=tell,
        )
        self.n_iter_ = int(facts["nit"])
        self.loss_ = float(loss)
        if self.n_iter_ % EVERY:
            watch.look(self.n_iter_, np.asarray(last))
        self.held_out_errors_ = watch.errors
        self.best_iter_ = watch.best_iteration if len(stopping) else self.n_iter_
        return problem.layers(watch.best if len(stopping) else np.asarray(last))

    def _checked(self, X: Any, Y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        X, Y = validated(
            self, X, Y, multi_output=True, y_numeric=True, dtype=[np.float32, np.float64]
        )
        for name in ("n_hidden", "max_iter", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise InputError(f"{name}={value!r} was given; expected a whole number from 1")
        for name in ("weight_decay", "tol"):
            value = getattr(self, name)
            if not (isinstance(value, int | float | np.number) and 0 <= float(value) < np.inf):
                raise InputError(f"{name}={value!r} was given; expected a number from 0")
        if not 0 <= self.held_out_fraction < 1:
            raise InputError(
                f"held_out_fraction={self.held_out_fraction!r} was given; expected a share of the "
                "images from 0 to below 1"
            )
        if self.alpha is not None and not (
            isinstance(self.alpha, int | float | np.number) and 0 < float(self.alpha) < np.inf
        ):
            raise InputError(f"alpha={self.alpha!r} was given; expected None or a number above 0")
        self.flat_ = Y.ndim == 1
        return X, Y.reshape(len(Y), -1).astype(X.dtype, copy=False)

    @property
    def _n_features_out(self) -> int:
        # the name under which scikit-learn's set_output looks for it
        return len(self.coef_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _checked_mask(held_out: Any, n_rows: int) -> NDArray[np.bool_]:
    mask: NDArray[Any] = np.asarray(held_out)
    if mask.dtype != np.bool_ or mask.shape != (n_rows,) or mask.all():
        raise InputError(
            f"held_out of type {mask.dtype} and shape {mask.shape} was given for "
            f"{n_rows} images; expected one bool for each, false for at least one of them"
        )
    return mask


def _check_shapes(
    X: NDArray[Any], Y: NDArray[Any], linear: LinearMap | None, factor: RidgeFactor | None
) -> None:
    if linear is not None:
        check_is_fitted(linear)
        expected = (Y.shape[1], X.shape[1])
        if np.shape(linear.coef_) != expected:
            raise InputError(
                f"linear= maps by a matrix of shape {np.shape(linear.coef_)}, and {expected} is "
                "expected of these X and Y; give a map fitted on the same features and words"
            )
    if factor is not None and len(factor.mean_x) != X.shape[1]:
        raise InputError(
            f"factor= is of {len(factor.mean_x)} features, and X has {X.shape[1]}; give the factor "
            "of the same features"
        )


def _mapped(
    X: NDArray[Any], rows: NDArray[np.int64], coef: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Map some rows linearly, without a bias."""
    weights = coef.astype(X.dtype)
    mapped = np.empty((len(rows), len(coef)))
    for cut in blocks(len(rows), BLOCK):
        mapped[cut] = X[rows[cut]] @ weights.T
    return mapped


def _solve(
    X: NDArray[Any], Y: NDArray[Any], rows: NDArray[np.int64], factor: RidgeFactor
) -> NDArray[np.float64]:
    """Solve the ridge regression of some rows with a factor that is there already."""
    mean_x = factor.mean_x
    cross = torch.zeros(Y.shape[1], X.shape[1], dtype=torch.float64, device=mean_x.device)
    mean_y = Y[rows].mean(0, dtype=np.float64).astype(Y.dtype)
    for cut in blocks(len(rows), BLOCK):
        x = _take(X, rows[cut], cross if X.dtype == np.float64 else cross.float())
        y = torch.from_numpy(np.ascontiguousarray(Y[rows[cut]] - mean_y)).to(x)
        cross += y.T @ x
    return factor.solve((cross / len(rows)).T).double().T.cpu().numpy()


class _Watch:
    """Held-out rows, and the parameters that map them best so far."""

    def __init__(
        self, problem: "_Problem", rows: NDArray[np.int64], tol: float, patience: int
    ) -> None:
        self._problem, self._rows = problem, rows
        self._tol, self._patience = tol, patience
        self._to_beat, self._looks_without_gain = np.inf, 0
        self.errors: list[tuple[int, float]] = []
        self.best, self.best_iteration = problem.start(), 0

    def look(self, iteration: int, flat: NDArray[np.float64]) -> bool:
        """Look at the held-out rows; say whether to stop."""
        if not len(self._rows):
            return False
        error = self._problem.error(flat, self._rows)
        if all(error < other for _iteration, other in self.errors):
            self.best, self.best_iteration = flat.copy(), iteration
        self.errors.append((iteration, error))
        if error < self._to_beat * (1.0 - self._tol):
            self._to_beat, self._looks_without_gain = error, 0
        else:
            self._looks_without_gain += 1
        return self._looks_without_gain >= self._patience


class _Problem:
    """The loss as a function of one flat vector (U, c, θ2, b2), in which it is nearly round.

    With ``C + alpha I = L Lᵀ``, ``θ1 = θ1ˢᵗᵃʳᵗ + (L⁻ᵀ U)ᵀ``. Features are counted from their mean,
    ``b1 = c − θ1 x̄``, so that biases are nearly independent of the coefficients.
    """

    def __init__(
        self,
        X: NDArray[Any],
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
        theta1, b1, theta2, b2 = self._start
        return _flat(Layers(torch.zeros_like(theta1.T), b1 + theta1 @ self._mean, theta2, b2))

    def layers(self, flat: NDArray[np.float64]) -> Layers:
        """Return the parameters that a flat vector stands for."""
        U, c, theta2, b2 = self._unflat(flat)
        moved = U if self._factor is None else self._factor.unwhiten(U).double()
        theta1 = self._start.theta1 + moved.T
        return Layers(theta1, c - theta1 @ self._mean, theta2, b2)

    def loss_and_gradient(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, slope = loss_and_gradient(
            self.layers(flat), self._X, self._Y, self._weight_decay, rows=self._rows
        )
        about_mean = (slope.theta1 - torch.outer(slope.b1, self._mean)).T
        if self._factor is not None:
            about_mean = self._factor.whiten(about_mean).double()
        return loss, _flat(Layers(about_mean, slope.b1, slope.theta2, slope.b2))

    def error(self, flat: NDArray[np.float64], rows: NDArray[np.int64]) -> float:
        return squared_error(self.layers(flat), self._X, self._Y, rows=rows)

    def _unflat(self, flat: NDArray[np.float64]) -> Layers:
        whole = torch.from_numpy(flat.copy()).to(self._mean.device)
        theta1, b1, theta2, b2 = self._start
        shapes = [theta1.T.shape, b1.shape, theta2.shape, b2.shape]
        parts = torch.split(whole, [shape.numel() for shape in shapes])
        return Layers(*(part.view(shape) for part, shape in zip(parts, shapes, strict=True)))


def _flat(layers: Layers) -> NDArray[np.float64]:
    return torch.cat([part.flatten() for part in layers]).cpu().numpy()
