"""`SoftmaxClassifier`: softmax regression on the image features, P(y | seen, x) of Eq. 2."""

import math
from dataclasses import dataclass
from functools import partial as partial_function
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import fmin_l_bfgs_b
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from wordsight.classifiers.temperature import (
    Temperature,
    check_temperature,
    likeliest_temperature,
)
from wordsight.compute import (
    SPARE,
    RidgeFactor,
    blocks,
    column_bounds,
    in_order,
    one_thread,
    partial,
    resolve_device,
)
from wordsight.exact_sums import grid_of, on_grid_
from wordsight.exceptions import InputError
from wordsight.few_rows import FewRows, ThinFactor, are_few
from wordsight.parameters import checked_random_state, is_between, is_count
from wordsight.progress import report
from wordsight.rows import (
    READ,
    ChosenRows,
    SpreadRows,
    StoredRows,
    by_blocks,
    column_mean,
    cuts,
    draw_held_out,
)
from wordsight.validation import checked_labels, validated

__all__ = ["SoftmaxClassifier", "loss_and_gradient"]

IN_CACHE = 1_600_000
"""Bytes of rows that stay near a core from one product with them to the next: 31 rows of 12,800
features. Both products of a pass then cost one reading of the features, and half the time."""

HELD_OUT = 0.1
"""Share of each class's rows that a temperature is learned on, where none are named."""

BLOCK = 512
"""Rows a block at most: with 12,800 features, 26 MB, of which stored rows need two a core. Each
core works on a block of its own: with several on one block, waiting for one another took longer
than the work."""


def loss_and_gradient(
    coef: torch.Tensor,
    intercept: torch.Tensor,
    X: NDArray[Any] | StoredRows,
    codes: torch.Tensor,
    alpha: float,
) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Return the penalised mean log loss and its gradient, in one pass over the rows.

    ``1/n Σ −log p(yᵢ | xᵢ) + alpha/2 ‖coef‖²``. Sums over rows are double precision; products run
    in the precision of X.

    Parameters
    ----------
    coef : Tensor of float64, shape (C, F)
    intercept : Tensor of float64, shape (C,)
    X : ndarray or StoredRows, shape (n, F)
    codes : Tensor of int64, shape (n,)
        Class of each row.
    alpha : float

    Returns
    -------
    loss : float
    coef_gradient : Tensor of float64, shape (C, F)
    intercept_gradient : Tensor of float64, shape (C,)
    """
    grids = _Grids.of(X, len(coef))
    if isinstance(X, SpreadRows):
        work = partial_function(_loss_of_part, coef.cpu().numpy(), intercept.cpu().numpy(), grids)
        found = X.fold(work, _added, codes.cpu().numpy(), small=True)
    else:
        found = _loss_sums(coef, intercept, X, codes, grids)
    coef_slope, intercept_slope = (part.to(coef) for part in found[1:])
    loss = float(found[0]) / len(X) + 0.5 * alpha * float(coef.square().sum())
    return loss, coef_slope / len(X) + alpha * coef, intercept_slope / len(X)


_Sums = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class _Grids:
    """Grids of the sums of losses and of their gradients, by what the first rows are like."""

    loss: torch.Tensor
    across: torch.Tensor
    along: torch.Tensor

    @classmethod
    def of(cls, X: NDArray[Any] | StoredRows, n_classes: int) -> "Self | None":
        if X.dtype == np.float64:  # a block is as good as the sum: nothing is rounded away
            return None
        n = float(len(X))
        return cls(
            grid_of(SPARE * n * (1.0 + math.log(n_classes))),
            grid_of(n * column_bounds(X[:READ])),
            grid_of(n),
        )


def _loss_of_part(
    coef: NDArray[np.float64],
    intercept: NDArray[np.float64],
    grids: _Grids | None,
    X: StoredRows,
    codes: NDArray[np.int64],
) -> _Sums:
    # new memory: what comes from another process is read-only, and torch has no such tensors
    return _loss_sums(torch.tensor(coef), torch.tensor(intercept), X, torch.tensor(codes), grids)


def _added(a: _Sums, b: _Sums) -> _Sums:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _loss_sums(
    coef: torch.Tensor,
    intercept: torch.Tensor,
    X: NDArray[Any] | StoredRows,
    codes: torch.Tensor,
    grids: _Grids | None,
) -> _Sums:
    """Return the log losses of the rows and their gradients, each summed."""
    dtype = torch.float32 if X.dtype == np.float32 else torch.float64
    filters = coef.T.to(dtype)

    def part(cut: slice) -> _Sums:
        block = _block(X, cut, coef.device)
        target = codes[cut, None]
        across = torch.zeros(coef.shape, dtype=dtype, device=coef.device)
        log_proba = torch.empty(len(block), len(coef), dtype=torch.float64, device=coef.device)
        hit = torch.zeros_like(log_proba).scatter_(1, target, 1.0)
        along = torch.zeros_like(intercept)
        few = len(block) if block.is_cuda else max(8, IN_CACHE // (4 * block.shape[1]))
        for rows in blocks(len(block), few):  # read once for both products
            x = block[rows]
            log_proba[rows] = torch.log_softmax((x @ filters).double() + intercept, 1)
            residual = log_proba[rows].exp().sub_(hit[rows])
            across.addmm_(residual.T.to(dtype), x)
            along += residual.sum(0)
        lost, across = -log_proba.gather(1, target).sum(), across.double()
        if grids is not None:
            on_grid_(lost, grids.loss)
            on_grid_(across, grids.across)
            on_grid_(along, grids.along)
        return lost, across, along

    loss = torch.zeros((), dtype=torch.float64, device=coef.device)
    coef_slope, intercept_slope = torch.zeros_like(coef), torch.zeros_like(intercept)
    for lost, across, along in in_order(part, cuts(X, BLOCK)):
        loss += lost
        coef_slope += across
        intercept_slope += along
    return loss, coef_slope, intercept_slope


def _block(X: NDArray[Any] | StoredRows, cut: slice, device: torch.device) -> torch.Tensor:
    """Return some rows as a tensor, without a copy where that can be had."""
    x = X[cut]
    # torch has no read-only tensors and warns of them: memory-mapped rows are copied
    return torch.as_tensor(x if x.flags.writeable else x.copy()).to(device)


def _factor_of(
    X: NDArray[Any] | StoredRows, one_hot: NDArray[Any], alpha: float, device: torch.device
) -> RidgeFactor:
    """Factor the covariance of the features, to make the problem round."""
    shift = column_mean(X)
    if are_few(*X.shape):
        rows = FewRows.take(X, one_hot, np.arange(len(X)), shift, device)
        return ThinFactor(rows, max(alpha, 1e-6 * rows.mean_variance()))
    moments = partial(X, one_hot, shift=shift, device=device)
    return RidgeFactor(moments, max(alpha, 1e-6 * moments.mean_variance()))


class SoftmaxClassifier(ClassifierMixin, BaseEstimator):
    """Softmax regression with an L2 penalty, made for many features.

    Minimises ``1/n Σ −log p(yᵢ | xᵢ) + alpha/2 ‖coef‖²`` by L-BFGS. The problem is first made
    round: the Hessian of the loss is at most half the covariance of the features (Böhning 1992),
    so in the coordinates that whiten ``C + alpha I`` a few passes suffice where plain L-BFGS
    needs hundreds; and it starts from the ridge regression on one-hot targets, which that same
    factor solves.

    Parameters
    ----------
    alpha : float, default 1e-3
        Weight of the penalty. Relative to a feature's variance: the defaults suit standardised
        features.
    max_iter : int, default 200
        Iterations of L-BFGS at most.
    tol : float, default 1e-4
        Stop when no entry of the gradient, in the whitened coordinates, is larger. Below about
        1e-5, rounding stops a fit to features in single precision first.
    temperature : float or "auto", default 1.0
        What logits are divided by in `predict_proba`. A softmax is too sure of new images;
        ``"auto"`` is the temperature with which the labels of a tenth of the images are likeliest,
        by a softmax trained on the others. Labels do not depend on it.
    device : str or None, default None
        ``"cpu"`` (None) or ``"cuda"``.
    random_state : int, RandomState or None, default None
        Draws that tenth.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    temperature_ : float
    coef_ : ndarray, shape (C, F)
    intercept_ : ndarray, shape (C,)
    n_iter_ : int
        Iterations taken.
    loss_ : float
        The penalised loss reached.

    Examples
    --------
    >>> import numpy as np
    >>> from wordsight import SoftmaxClassifier
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> SoftmaxClassifier().fit(X, ["cat", "cat", "dog", "dog"]).predict([[1.5]])
    array(['dog'], dtype='<U3')
    """

    def __init__(
        self,
        alpha: float = 1e-3,
        *,
        max_iter: int = 200,
        tol: float = 1e-4,
        temperature: Temperature = 1.0,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.temperature = temperature
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, factor: RidgeFactor | None = None) -> Self:
        """Learn the classifier.

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)
            Features; float32 stays float32, and may be memory-mapped.
        y : array-like, shape (n,)
            Class names.
        factor : RidgeFactor, optional
            Of the covariance of the rows of X, with any ridge term: spares computing one.

        Returns
        -------
        SoftmaxClassifier
            Itself.
        """
        X, codes = self._checked(X, y)
        held_out = np.zeros(len(codes), dtype=bool)
        if self.temperature == "auto":
            held_out = draw_held_out(codes, HELD_OUT, checked_random_state(self.random_state))
        self._fit(X, codes, held_out, factor)
        return self

    def fit_held_out(
        self, X: Any, y: Any, held_out: NDArray[np.bool_], *, factor: RidgeFactor | None = None
    ) -> NDArray[Any]:
        """Learn the classifier, and what it says of rows it was not trained on.

        It is trained without the held-out rows first, and goes on from there with all of them.

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)
        y : array-like, shape (n,)
        held_out : ndarray of bool, shape (n,)
            With ``temperature="auto"`` the temperature is learned on these rows.
        factor : RidgeFactor, optional
            As for `fit`.

        Returns
        -------
        ndarray, shape (n_held_out, C)
            Logits of the held-out rows, of the classifier that was trained without them.
        """
        X, codes = self._checked(X, y)
        return self._fit(X, codes, held_out, factor)

    def learn_temperature(self, X: Any, y: Any) -> Self:
        """Learn the temperature on rows that the classifier was not trained on.

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)
        y : array-like, shape (n,)
            Of `classes_`.

        Returns
        -------
        SoftmaxClassifier
            Itself; as it was where its temperature is a number.
        """
        if self.temperature == "auto":
            codes = np.searchsorted(self.classes_, np.asarray(y))
            self.temperature_ = likeliest_temperature(self.logits(X), codes)
        return self

    def _checked(self, X: Any, y: Any) -> tuple[NDArray[Any] | StoredRows, NDArray[np.int64]]:
        check_temperature(self.temperature)
        checked_random_state(self.random_state)  # also where nothing is drawn
        X, y = validated(self, X, y, dtype=[np.float32, np.float64])
        y = checked_labels(y, len(y))
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"only one class was given ({self.classes_[0]}); expected at least two to tell "
                "apart: add images of another class"
            )
        for name in ("alpha", "tol"):
            value = getattr(self, name)
            if not is_between(value, 0, np.inf):
                raise InputError(f"{name}={value!r} was given; expected a number above 0")
        if not is_count(self.max_iter):
            raise InputError(
                f"max_iter={self.max_iter!r} was given; expected a whole number from 1"
            )
        return X, codes

    def _fit(
        self,
        X: NDArray[Any] | StoredRows,
        codes: NDArray[np.int64],
        held_out: NDArray[np.bool_],
        factor: RidgeFactor | None,
    ) -> NDArray[Any]:
        """Train on all rows, first without the held-out ones; return the logits of these."""
        device = resolve_device(self.device)
        one_hot = np.eye(len(self.classes_), dtype=X.dtype)[codes]
        if factor is None:
            factor = _factor_of(X, one_hot, self.alpha, device)
        targets = torch.from_numpy(codes).to(device)
        whole = _WhitenedProblem(X, targets, factor, self.alpha)
        logits = np.empty((0, len(self.classes_)), dtype=X.dtype)
        if not held_out.any():
            start = whole.ridge_start(one_hot)
        else:
            rest = np.flatnonzero(~held_out)
            chosen = X.chosen(rest) if isinstance(X, SpreadRows) else ChosenRows(X, rest)
            some = _WhitenedProblem(chosen, targets[rest], factor, self.alpha)
            # nor may it start from what the labels of the others have gone into
            start = self._minimise(some, some.ridge_start(one_hot[rest]))
            self._take(some.solution(start), X.dtype)
            logits = by_blocks(self._logits, X, np.flatnonzero(held_out))
        if self.temperature != "auto":
            self.temperature_ = float(self.temperature)
        else:
            self.temperature_ = likeliest_temperature(logits, codes[held_out])
        self._take(whole.solution(self._minimise(whole, start)), X.dtype)
        return logits

    def _take(self, solution: tuple[NDArray[Any], NDArray[Any]], dtype: Any) -> None:
        # in C order, as a saved model is read: a product's last bits depend on the layout
        self.coef_, self.intercept_ = (np.ascontiguousarray(part, dtype=dtype) for part in solution)

    def _minimise(
        self, problem: "_WhitenedProblem", start: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        iteration = 0

        def tell(_u: object) -> None:
            nonlocal iteration
            iteration += 1
            report("training the softmax", min(iteration, self.max_iter), self.max_iter)

        with one_thread():  # what is not shared among the cores is too little to be
            best, loss, facts = fmin_l_bfgs_b(
                problem.loss_and_gradient,
                start,
                m=20,
                factr=0.0,
                pgtol=self.tol,
                maxiter=self.max_iter,
                callback=tell,
            )
        self.n_iter_ = int(facts["nit"])
        self.loss_ = float(loss)
        return np.asarray(best, dtype=np.float64)

    def logits(self, X: Any) -> NDArray[Any]:
        """Return what the softmax takes the exponential of, shape (n, C), in any number of classes.

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)

        Returns
        -------
        ndarray, shape (n, C)
            In the order of `classes_`.
        """
        check_is_fitted(self)
        X = validated(self, X, reset=False, dtype=[np.float32, np.float64])
        return by_blocks(self._logits, X)

    def _logits(self, X: NDArray[Any]) -> NDArray[Any]:
        logits: NDArray[Any] = X @ self.coef_.T + self.intercept_
        return logits

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Return the logits, shape (n, C); for two classes the difference, shape (n,)."""
        logits = self.logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return P(y | seen, x).

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)

        Returns
        -------
        ndarray of float64, shape (n, C)
            Rows sum to 1; columns are in the order of `classes_`.
        """
        logits = self.logits(X).astype(np.float64)
        logits -= logits.max(1, keepdims=True)
        logits /= self.temperature_
        proba = np.exp(logits)
        proba /= proba.sum(1, keepdims=True)
        return proba

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row."""
        best = self.logits(X).argmax(1)
        names: NDArray[Any] = self.classes_[best]
        return names


class _WhitenedProblem:
    """The softmax problem in coordinates U in which it is nearly round.

    With ``C + alpha I = L Lᵀ`` and coef = (L⁻ᵀ U)ᵀ, the Hessian with respect to U is at most about
    half the identity. Logits are counted from the mean features, so that the bias is nearly
    independent of the coefficients.
    """

    def __init__(
        self, X: NDArray[Any] | StoredRows, codes: torch.Tensor, factor: RidgeFactor, alpha: float
    ) -> None:
        self._X, self._codes, self._factor, self._alpha = X, codes, factor, alpha
        self._mean = factor.mean_x
        self._n_classes = int(codes.max()) + 1

    def solution(self, flat: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
        coef, intercept = self._unpack(flat)
        return coef.cpu().numpy(), intercept.cpu().numpy()

    def _unpack(self, flat: NDArray[np.float64]) -> tuple[torch.Tensor, torch.Tensor]:
        U = torch.from_numpy(flat).to(self._mean.device).view(-1, self._n_classes)
        coef = self._factor.unwhiten(U[:-1]).double().T
        return coef, U[-1] - coef @ self._mean

    def loss_and_gradient(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        coef, intercept = self._unpack(flat)
        loss, coef_slope, intercept_slope = loss_and_gradient(
            coef, intercept, self._X, self._codes, self._alpha
        )
        about_mean = coef_slope - torch.outer(intercept_slope, self._mean)
        slope = torch.cat([self._factor.whiten(about_mean.T).double(), intercept_slope[None]])
        return loss, slope.flatten().cpu().numpy()

    def ridge_start(self, one_hot: NDArray[Any]) -> NDArray[np.float64]:
        """Return the ridge solution on one-hot targets, scaled to be good logits."""
        n = len(one_hot)
        share = torch.from_numpy(one_hot.mean(0, dtype=np.float64)).to(self._mean)

        grids = _Grids.of(self._X, self._n_classes)
        grid = None if grids is None else grids.across
        if isinstance(self._X, SpreadRows):
            work = partial_function(_cross_of, grid)
            cross = self._X.fold(work, torch.add, one_hot, small=True).to(self._mean)
        else:
            cross = _cross_of(grid, self._X, one_hot, self._mean.device)
        cross = cross.T / n - torch.outer(self._mean, share)
        U = self._factor.whiten(cross).double()
        bias = share.log()
        # the slope of a logit is about 1 / (p (1 − p)) times that of its probability
        scale = 1.0 / (share * (1.0 - share)).clamp(min=1e-6)
        return torch.cat([U * scale * 0.5, bias[None]]).flatten().cpu().numpy()


def _cross_of(
    grid: torch.Tensor | None,
    X: NDArray[Any] | StoredRows,
    one_hot: NDArray[Any],
    device: torch.device | None = None,
) -> torch.Tensor:
    """Return the sum of ``y xᵀ``, shape (C, F), in double precision."""
    where = device or torch.device("cpu")

    def part(cut: slice) -> torch.Tensor:
        return torch.as_tensor(one_hot[cut]).to(where).T @ _block(X, cut, where)

    cross = torch.zeros(one_hot.shape[1], X.shape[1], dtype=torch.float64, device=where)
    for product in in_order(part, cuts(X, BLOCK)):
        cross += product.double() if grid is None else on_grid_(product.double(), grid)
    return cross
