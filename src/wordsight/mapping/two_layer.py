"""`TwoLayerMap`: the NIPS 2013 map from image features to word vectors, θ2 tanh(θ1 x + b1) + b2."""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import fmin_l_bfgs_b
from sklearn.utils.validation import check_is_fitted

from wordsight.compute import RidgeFactor, resolve_device
from wordsight.exceptions import InputError
from wordsight.mapping.alpha import group_rows
from wordsight.mapping.base import HeldOutFit, RegressionMap, checked_held_out
from wordsight.mapping.layers import Layers, LayersProblem, loss_and_gradient
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.warm_start import hidden_start, linear_start
from wordsight.parameters import checked_random_state
from wordsight.progress import report
from wordsight.rows import StoredRows, by_blocks, column_mean, draw_held_out

__all__ = ["Layers", "TwoLayerMap", "loss_and_gradient"]

EVERY = 2
"""Iterations between two looks at the held-out rows."""

MEMORY = 10
"""Pairs of vectors that L-BFGS keeps: with 12,800 features and 200 hidden units 41 MB a pair."""


class TwoLayerMap(RegressionMap):
    """Map image features into the space of word vectors through one hidden layer.

    The map of the paper's NIPS 2013 version, ``f(x) = θ2 tanh(θ1 x)``, with biases and a penalty.
    It minimises ``1/n Σ ‖y − θ2 tanh(θ1 x + b1) − b2‖² + weight_decay (‖θ1‖² + ‖θ2‖²)`` by L-BFGS.

    It starts from the linear map: hidden units are random mixtures of the coordinates of points
    mapped by ridge regression, and θ2 is the best there is for them, so that the start is about
    as good as the linear map and training can only better it. The ridge regression's factor L
    also makes the problem round: steps are counted in ``U = (θ1 − θ1ˢᵗᵃʳᵗ) L``. It ends when
    held-out rows, on which otherwise only the start's bend is chosen, are mapped no better, and
    the best parameters are kept.

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
        The penalised loss of the parameters kept.
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
        X : ndarray or StoredRows, shape (n, F)
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
        random_state = checked_random_state(self.random_state)
        if held_out is not None:
            held_out = checked_held_out(held_out, len(X))
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
        X : ndarray or StoredRows, shape (n, F)
        Y : ndarray, shape (n, d)
        held_out : ndarray of bool, shape (n,)

        Returns
        -------
        HeldOutFit
            With the factor of the rows that were learned from.
        """
        X, Y = self._checked(X, Y)
        held_out = checked_held_out(held_out, len(X))
        random_state = checked_random_state(self.random_state)
        factor = self._fit(X, Y, np.flatnonzero(~held_out), random_state, None, None, None)
        mapped = self._map(X)
        return HeldOutFit(mapped[~held_out], mapped[held_out], factor)

    def _map(self, X: NDArray[Any] | StoredRows) -> NDArray[Any]:
        def work(x: NDArray[Any]) -> NDArray[Any]:
            hidden = np.tanh(x @ self.coef_hidden_.T + self.intercept_hidden_)
            mapped: NDArray[Any] = hidden @ self.coef_.T + self.intercept_
            return mapped

        return by_blocks(work, X)

    def _fit(
        self,
        X: NDArray[Any] | StoredRows,
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
        if linear is None or (self.precondition and factor is None):
            coef, factor = linear_start(X, Y, kept, device, self.alpha, factor)
        if linear is not None:
            coef = np.asarray(linear.coef_, dtype=np.float64)
        mean = column_mean(X) if factor is None else factor.mean_x.cpu().numpy()
        start = hidden_start(
            X, Y, kept, stopping, coef, mean, self.n_hidden, self.weight_decay, random_state
        )
        problem = LayersProblem(
            X,
            Y,
            kept,
            Layers(*(part.to(device) for part in start)),
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

    def _minimise(self, problem: LayersProblem, stopping: NDArray[np.int64]) -> Layers:
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
        self.n_iter_ = self.best_iter_ = int(facts["nit"])
        self.loss_ = float(loss)
        best = np.asarray(last, dtype=np.float64)
        if len(stopping):
            if self.n_iter_ % EVERY:
                watch.look(self.n_iter_, best)
            best, self.best_iter_ = watch.best, watch.best_iteration
            self.loss_ = problem.loss(best)
        self.held_out_errors_ = watch.errors
        return problem.layers(best)

    def _check_parameters(self) -> None:
        for name in ("n_hidden", "max_iter", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise InputError(f"{name}={value!r} was given; expected a whole number from 1")
        if not (_is_number(self.weight_decay) and 0 <= self.weight_decay < np.inf):
            raise InputError(
                f"weight_decay={self.weight_decay!r} was given; expected a number from 0"
            )
        for name in ("tol", "held_out_fraction"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value < 1):
                raise InputError(f"{name}={value!r} was given; expected a share from 0 to below 1")
        if self.alpha is not None and not (_is_number(self.alpha) and 0 < self.alpha < np.inf):
            raise InputError(f"alpha={self.alpha!r} was given; expected None or a number above 0")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _check_shapes(
    X: NDArray[Any] | StoredRows,
    Y: NDArray[Any],
    linear: LinearMap | None,
    factor: RidgeFactor | None,
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


class _Watch:
    """Held-out rows, and the parameters that map them best so far."""

    def __init__(
        self, problem: LayersProblem, rows: NDArray[np.int64], tol: float, patience: int
    ) -> None:
        self._problem, self._rows = problem, rows
        self._tol, self._patience = tol, patience
        self._lowest, self._to_beat, self._looks_without_gain = np.inf, np.inf, 0
        self.errors: list[tuple[int, float]] = []
        self.best, self.best_iteration = problem.start(), 0

    def look(self, iteration: int, flat: NDArray[np.float64]) -> bool:
        """Look at the held-out rows; say whether to stop."""
        if not len(self._rows):
            return False
        error = self._problem.error(flat, self._rows)
        if error < self._lowest:
            self._lowest, self.best, self.best_iteration = error, flat.copy(), iteration
        self.errors.append((iteration, error))
        if error < self._to_beat * (1.0 - self._tol):
            self._to_beat, self._looks_without_gain = error, 0
        else:
            self._looks_without_gain += 1
        return self._looks_without_gain >= self._patience
