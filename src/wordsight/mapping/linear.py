"""`LinearMap`: the paper's map from image features to word vectors, in closed form (Eq. 1)."""

from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import RidgeFactor, blocks, resolve_device
from wordsight.exceptions import InputError, WordsightError
from wordsight.mapping.alpha import (
    HeldOutClasses,
    best_of,
    climb,
    group_rows,
    score,
    squared_error,
)
from wordsight.mapping.base import HeldOutFit, RegressionMap, checked_held_out
from wordsight.mapping.refined import solve
from wordsight.mapping.sums import (
    DEFAULT_ALPHA,
    SMALL,
    RowSums,
    Statistics,
    factor_of,
    less,
    ridge,
    solution,
    together,
)
from wordsight.parameters import checked_random_state, is_auto, is_between, is_count
from wordsight.progress import report
from wordsight.rows import READ, StoredRows, by_blocks, draw_held_out

__all__ = ["DEFAULT_ALPHA", "LinearMap", "ridge"]


class LinearMap(RegressionMap):
    """Map image features linearly into the space of word vectors.

    The paper's Eq. 1, ``J(θ) = Σ_y Σ_i ‖w_y − θ x⁽ⁱ⁾‖²``, with a bias and a ridge term, without
    which 12,800 features of 40,000 images leave it badly posed. It is solved in closed form from
    additive statistics: one pass over the features.

    Parameters
    ----------
    alpha : float or "auto", default "auto"
        Ridge term of ``1/n Σ ‖y − θ x − b‖² + alpha ‖θ‖²``, in units of a feature's variance.
        ``"auto"`` chooses it on held-out images, told apart among the classes the map was trained
        on and, with classes held out in turn as if they were unseen, among those. Nothing but X
        and Y is ever looked at: of truly unseen classes it knows nothing.
    held_out_fraction : float, default 0.1
        Share of each class's images that ``alpha="auto"`` holds out.
    n_class_folds : int, default 4
        How often ``alpha="auto"`` holds out classes; each class is left out once. It needs two
        classes a fold, and uses fewer folds where there are fewer classes.
    device : str or None, default None
        ``"cpu"`` (None) or ``"cuda"``.
    random_state : int, RandomState or None, default None
        Draws the held-out images and the class folds.

    Attributes
    ----------
    coef_ : ndarray, shape (d, F)
        θ.
    intercept_ : ndarray, shape (d,)
        The bias.
    alpha_ : float
        The ridge term used.
    alpha_scores_ : dict of float to float
        With ``"auto"``: what each ridge term tried scored, from 0 to 1; where targets are no class
        vectors, minus the squared error. Equal scores are decided by the squared error.

    Examples
    --------
    >>> import numpy as np
    >>> from wordsight import LinearMap
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> theta = np.arange(8.0).reshape(2, 4)
    >>> mapped = LinearMap(alpha=1e-9).fit(X, X @ theta.T).predict(X)
    >>> bool(np.allclose(mapped, X @ theta.T))
    True
    """

    def __init__(
        self,
        alpha: float | Literal["auto"] = "auto",
        *,
        held_out_fraction: float = 0.1,
        n_class_folds: int = 4,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.alpha = alpha
        self.held_out_fraction = held_out_fraction
        self.n_class_folds = n_class_folds
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, Y: Any) -> Self:
        """Learn the map.

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)
            Features; float32 stays float32, and may be memory-mapped.
        Y : ndarray, shape (n, d) or (n,)
            The word vector of the class of each row.

        Returns
        -------
        LinearMap
            Itself.
        """
        X, Y = self._checked(X, Y)
        random_state = checked_random_state(self.random_state)
        held_out = np.zeros(len(X), dtype=bool)
        if self.alpha == "auto":
            classes = group_rows(Y, self.n_class_folds, random_state)
            codes = np.zeros(len(X), dtype=np.int64) if classes is None else classes.codes
            held_out = draw_held_out(codes, self.held_out_fraction, random_state)
        self._fit(X, Y, held_out)
        return self

    def fit_held_out(self, X: Any, Y: Any, held_out: NDArray[np.bool_]) -> HeldOutFit:
        """Learn the map from all rows, and map each held-out one by the map of all the others.

        That map need not be learned: for least squares, leaving out row i moves its residual
        from ``y − s`` to ``(y − s) / (1 − hᵢᵢ)``, where hᵢᵢ is the row's leverage (the identity
        behind the PRESS statistic; Allen 1974). So the held-out points are just those that new
        images of the same classes would be mapped to.

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)
        Y : ndarray, shape (n, d)
        held_out : ndarray of bool, shape (n,)
            With ``alpha="auto"`` the ridge term, too, is chosen on these rows.

        Returns
        -------
        HeldOutFit
        """
        X, Y = self._checked(X, Y)
        held_out = checked_held_out(held_out, len(X))
        factor = self._fit(X, Y, held_out)
        rows = np.flatnonzero(held_out)
        mapped = self._map(X)
        leverage = _leverage(X, rows, factor)[:, None]
        alone = (mapped[rows] - leverage * Y[rows]) / (1.0 - leverage)
        return HeldOutFit(mapped[~held_out], alone.astype(X.dtype), factor)

    def _map(self, X: NDArray[Any] | StoredRows) -> NDArray[Any]:
        return by_blocks(lambda x: x @ self.coef_.T + self.intercept_, X)  # S = X θᵀ + b

    def _check_parameters(self) -> None:
        if not (is_auto(self.alpha) or is_between(self.alpha, 0, np.inf)):
            raise InputError(f"alpha={self.alpha!r} was given; expected 'auto' or a number above 0")
        if not is_between(self.held_out_fraction, 0, 1):
            raise InputError(
                f"held_out_fraction={self.held_out_fraction!r} was given; expected a share of the "
                "images between 0 and 1"
            )
        if not is_count(self.n_class_folds):
            raise InputError(
                f"n_class_folds={self.n_class_folds!r} was given; expected a whole number from 1"
            )

    def _fit(
        self, X: NDArray[Any] | StoredRows, Y: NDArray[Any], held_out: NDArray[np.bool_]
    ) -> RidgeFactor:
        """Fit on all rows, choosing the ridge term on the held-out ones; return the factor."""
        random_state = checked_random_state(self.random_state)
        classes = group_rows(Y, self.n_class_folds, random_state)
        folds = np.zeros(len(X), dtype=np.int64)
        if classes is not None and self.alpha == "auto":
            folds = classes.fold_of_class[classes.codes]
        folds[held_out] = -1
        sums = RowSums(X, Y, resolve_device(self.device))
        parts = [sums.over(np.flatnonzero(folds == k)) for k in range(int(folds.max()) + 1)]
        total = reduce(together, parts)
        trial = _Trial(parts, total, X, Y, held_out, classes)
        self.alpha_, self.alpha_scores_ = self._choose_alpha(trial)
        del parts, trial  # a quarter of a gigabyte each, with 12,800 features
        if held_out.any():
            total = together(total, sums.over(np.flatnonzero(held_out)), overwrite=True)
        report("solving the map", 0, 1)
        (self.coef_, self.intercept_), factor = solve(total, self.alpha_, X.dtype)
        report("solving the map", 1, 1)
        return factor

    def _choose_alpha(self, trial: "_Trial") -> tuple[float, dict[float, float]]:
        if self.alpha != "auto":
            return float(self.alpha), {}
        unit = max(trial.total.mean_variance(), np.finfo(float).tiny)
        if not trial.held_out.any():
            return DEFAULT_ALPHA * unit, {}
        scores = climb(trial.score, unit)
        return best_of(scores), {alpha: first for alpha, (first, _second) in scores.items()}


def _leverage(
    X: NDArray[Any] | StoredRows, rows: NDArray[np.int64], factor: RidgeFactor
) -> NDArray[np.float64]:
    """Return hᵢᵢ = 1/n + (xᵢ − x̄)ᵀ (n C + n alpha I)⁻¹ (xᵢ − x̄) of some rows, below 1."""
    leverage = np.empty(len(rows))
    for cut in blocks(len(rows), 512):
        centred = torch.as_tensor(X[rows[cut]]).to(factor.mean_x) - factor.mean_x
        inside = factor.whiten(centred.T).square().sum(0)
        leverage[cut] = ((1.0 + inside) / len(X)).cpu().numpy()
    # a row with a column to itself has leverage 1: nothing is known of it without itself
    return np.minimum(leverage, 1.0 - 1e-9)


@dataclass(frozen=True)
class _Trial:
    """What a ridge term is tried on: statistics by fold of classes, and held-out images."""

    parts: list[Statistics]
    total: Statistics
    X: NDArray[Any] | StoredRows
    Y: NDArray[Any]
    held_out: NDArray[np.bool_]
    classes: HeldOutClasses | None

    def score(self, alpha: float) -> tuple[float, float]:
        """Score a ridge term, averaged over the folds of classes left out in turn.

        The second number, the squared error, decides where the first are equal.
        """
        scores = []
        for fold, part in enumerate(self.parts):
            moments = self.total if len(self.parts) == 1 else less(self.total, part)
            try:
                scores.append(self._score_fold(fold, moments, alpha))
            except WordsightError:  # singular in this precision: no candidate
                return -np.inf, -np.inf
            report(f"trying the ridge term {alpha:.2g}", fold + 1, len(self.parts))
        first, second = np.mean(scores, axis=0).tolist()
        return first, second

    def _score_fold(self, fold: int, moments: Statistics, alpha: float) -> tuple[float, float]:
        # choosing among broad tops needs no double precision; small systems cost nothing anyway
        dtype = torch.float32 if len(moments.sum_x) > SMALL else torch.float64
        factor = factor_of(moments, alpha, dtype, overwrite=moments is not self.total)
        coef, intercept = solution(moments, factor, self.X.dtype)
        del factor  # before rows are read
        rows, Y = np.flatnonzero(self.held_out), self.Y[self.held_out]
        # a block at a time, which of an array, too, saves a copy of all of them
        mapped = np.concatenate(
            [self.X[rows[cut]] @ coef.T + intercept for cut in blocks(len(rows), READ)]
        )
        if self.classes is None:
            return -squared_error(mapped, Y, np.zeros(len(Y), dtype=bool)), 0.0
        codes = self.classes.codes[self.held_out]
        left_out = (self.classes.fold_of_class[codes] == fold) & (len(self.parts) > 1)
        return score(mapped, codes, self.classes, fold), -squared_error(mapped, Y, left_out)
