"""`VisualMap`: words mapped to features, so that images are compared with what words look like."""

from functools import reduce
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from wordsight.compute import Moments, blocks, merge, partial, resolve_device, without
from wordsight.exceptions import InputError, WordsightError
from wordsight.mapping.alpha import (
    HeldOutClasses,
    best_of,
    climb,
    group_rows,
    score,
    squared_error,
)
from wordsight.mapping.base import HeldOutFit, checked_held_out
from wordsight.mapping.sums import DEFAULT_ALPHA, covariance, factor_of
from wordsight.parameters import checked_random_state, is_auto, is_between, is_count
from wordsight.progress import report
from wordsight.rows import READ, StoredRows, by_blocks, column_mean, draw_held_out
from wordsight.validation import validated

__all__ = ["VisualMap"]

NEGLIGIBLE = 1e-10
"""Share of the largest singular value below which a direction is one of rounding."""


class VisualMap(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Map words linearly to features, and compare images with the prototypes found there.

    Ridge regression the other way round, ``min 1/n Σ ‖x − b − B w‖² + alpha ‖B‖²``. A regression
    pulls what it predicts towards the mean. Where images are mapped to words, as `LinearMap` does,
    images come to lie in the middle of the words, and words that lie there are hubs: nearest to
    many images. Where words are mapped to images, no word comes nearer to the images in general
    than it was (Shigeto et al.).

    The nearest prototype ``b + B w`` of an image x need not be sought among features. With U an
    orthonormal basis of the columns of B and x̄, w̄ the means,
    ``‖x − b − B w‖² = ‖Uᵀ(x − x̄) − UᵀB (w − w̄)‖² + (what is the same for all words)``.
    So images are mapped to ``S = Uᵀ(x − x̄)`` (`predict`), and `words` maps word vectors to
    ``UᵀB (w − w̄)``, of m dimensions, m at most that of the words and less than the number of
    classes. What compares points with words, compares S with these.

    Parameters
    ----------
    alpha : float or "auto", default "auto"
        Ridge term, in units of the variance of a coordinate of the words. ``"auto"`` chooses it as
        `LinearMap` does: on held-out images, and on classes held out in turn as if they were
        unseen. Points S do not depend on it, only the prototypes do.
    held_out_fraction : float, default 0.1
        Share of each class's images that ``alpha="auto"`` holds out.
    n_class_folds : int, default 4
        How often ``alpha="auto"`` holds out classes; each class is left out once.
    device : str or None, default None
        ``"cpu"`` (None) or ``"cuda"``.
    random_state : int, RandomState or None, default None
        Draws the held-out images and the class folds.

    Attributes
    ----------
    coef_ : ndarray, shape (m, F)
        Uᵀ.
    intercept_ : ndarray, shape (m,)
        −Uᵀx̄.
    word_coef_ : ndarray of float64, shape (m, d)
        UᵀB.
    word_mean_ : ndarray of float64, shape (d,)
        w̄.
    alpha_ : float
        The ridge term used.
    alpha_scores_ : dict of float to float
        With ``"auto"``: what each ridge term tried scored, as in `LinearMap`.

    References
    ----------
    Shigeto, Suzuki, Hara, Shimbo, Matsumoto: "Ridge Regression, Hubness, and Zero-Shot Learning",
    ECML PKDD 2015. Zhang, Xiang, Gong: "Learning a Deep Embedding Model for Zero-Shot Learning",
    CVPR 2017, which learns such a map by a network.

    Examples
    --------
    >>> import numpy as np
    >>> from wordsight import VisualMap
    >>> rng = np.random.default_rng(0)
    >>> words = rng.normal(size=(5, 3))
    >>> codes = np.arange(100) % 5
    >>> X = words[codes] @ rng.normal(size=(3, 8))
    >>> mapping = VisualMap(alpha=1e-9).fit(X, words[codes])
    >>> bool(np.allclose(mapping.predict(X), mapping.words(words)[codes]))
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
        VisualMap
            Itself.
        """
        X, W = self._checked(X, Y)
        draw = checked_random_state(self.random_state)
        classes = group_rows(W, self.n_class_folds, draw)
        held_out = np.zeros(len(X), dtype=bool)
        if self.alpha == "auto":
            codes = np.zeros(len(X), dtype=np.int64) if classes is None else classes.codes
            held_out = draw_held_out(codes, self.held_out_fraction, draw)
        sums = _Sums(X, W, resolve_device(self.device))
        total = self._choose(sums, held_out, classes)
        if held_out.any():
            total = merge(total, sums.over(np.flatnonzero(held_out)))
        return self._solve(total, sums.mean_x, X.dtype)

    def fit_held_out(self, X: Any, Y: Any, held_out: NDArray[np.bool_]) -> HeldOutFit:
        """Learn the map without some rows, and map all of them.

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)
        Y : ndarray, shape (n, d)
        held_out : ndarray of bool, shape (n,)
            With ``alpha="auto"`` the ridge term is chosen on these rows.

        Returns
        -------
        HeldOutFit
        """
        X, W = self._checked(X, Y)
        held_out = checked_held_out(held_out, len(X))
        classes = group_rows(W, self.n_class_folds, checked_random_state(self.random_state))
        sums = _Sums(X, W, resolve_device(self.device))
        self._solve(self._choose(sums, held_out, classes), sums.mean_x, X.dtype)
        mapped = self._map(X)
        return HeldOutFit(mapped[~held_out], mapped[held_out])

    def predict(self, X: Any) -> NDArray[Any]:
        """Map features to where `words` maps words.

        Parameters
        ----------
        X : ndarray or StoredRows, shape (n, F)

        Returns
        -------
        ndarray, shape (n, m)
            The mapped points S.
        """
        check_is_fitted(self)
        return self._map(validated(self, X, reset=False, dtype=[np.float32, np.float64]))

    def transform(self, X: Any) -> NDArray[Any]:
        """Map features: `predict` under the name that pipelines call."""
        return self.predict(X)

    def words(self, W: Any) -> NDArray[np.float64]:
        """Map word vectors to where images are compared with them.

        Parameters
        ----------
        W : array-like, shape (C, d)
            Of any classes, seen or not.

        Returns
        -------
        ndarray of float64, shape (C, m)
            What images of each class are expected to look like.
        """
        check_is_fitted(self)
        vectors = np.asarray(W, dtype=np.float64)
        if vectors.ndim != 2 or vectors.shape[1] != len(self.word_mean_):
            raise InputError(
                f"word vectors of shape {vectors.shape} were given; expected rows of "
                f"{len(self.word_mean_)} numbers, as the map was learned with"
            )
        moved: NDArray[np.float64] = (vectors - self.word_mean_) @ self.word_coef_.T
        return moved

    def _map(self, X: NDArray[Any] | StoredRows) -> NDArray[Any]:
        return by_blocks(lambda x: x @ self.coef_.T + self.intercept_, X)

    def _choose(
        self, sums: "_Sums", held_out: NDArray[np.bool_], classes: HeldOutClasses | None
    ) -> Moments:
        """Set the ridge term; return the sums over rows that were not held out."""
        folds = np.zeros(len(held_out), dtype=np.int64)
        if classes is not None and self.alpha == "auto":
            folds = classes.fold_of_class[classes.codes]
        folds[held_out] = -1
        parts = [sums.over(np.flatnonzero(folds == k)) for k in range(int(folds.max()) + 1)]
        total = reduce(merge, parts)
        self.alpha_scores_: dict[float, float] = {}
        if self.alpha != "auto":
            self.alpha_ = float(self.alpha)
            return total
        unit = max(total.mean_variance(), np.finfo(float).tiny)
        self.alpha_ = DEFAULT_ALPHA * unit
        if held_out.any():
            scores = climb(_Trial(sums, parts, total, held_out, classes).score, unit)
            self.alpha_ = best_of(scores)
            self.alpha_scores_ = {alpha: first for alpha, (first, _second) in scores.items()}
        return total

    def _solve(self, moments: Moments, mean_x: NDArray[np.float64], dtype: Any) -> Self:
        basis = _Basis(moments)
        origin = mean_x + (moments.sum_y / moments.n).cpu().numpy()  # targets are counted from it
        self.coef_ = np.ascontiguousarray(basis.directions.cpu().numpy(), dtype=dtype)
        self.intercept_ = (-(self.coef_.astype(np.float64) @ origin)).astype(dtype)
        # in C order, as a saved model is read: a product's last bits depend on the layout
        self.word_coef_ = np.ascontiguousarray(basis.word_coef(self.alpha_))
        self.word_mean_ = basis.word_mean
        return self

    def _checked(self, X: Any, Y: Any) -> tuple[NDArray[Any] | StoredRows, NDArray[np.float64]]:
        """Return features, and the words as a table of double precision."""
        X, Y = validated(
            self, X, Y, multi_output=True, y_numeric=True, dtype=[np.float32, np.float64]
        )
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
        return X, Y.reshape(len(Y), -1).astype(np.float64)

    @property
    def _n_features_out(self) -> int:
        # the name under which scikit-learn's set_output looks for it
        return len(self.coef_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class _Sums:
    """Moments of words, as what is known, and features, as what is to be told from them.

    Only d × d and d × F numbers are summed: features are read a block at a time.
    """

    def __init__(
        self, X: NDArray[Any] | StoredRows, W: NDArray[np.float64], device: torch.device
    ) -> None:
        self.X, self.W = X, W
        self.mean_x = column_mean(X)
        self._mean_w = W.mean(0)
        self._device = device
        self._done = 0

    def over(self, rows: NDArray[np.int64]) -> Moments:
        """Sum over some rows, features being counted from their mean."""
        total = self._block(rows[:0])
        for cut in blocks(len(rows), READ):
            total = merge(total, self._block(rows[cut]), overwrite=True)
            self._done += cut.stop - cut.start
            report("summing the features of each word", self._done, len(self.W))
        return total

    def _block(self, rows: NDArray[np.int64]) -> Moments:
        features = self.X[rows] - self.mean_x
        return partial(self.W[rows], features, shift=self._mean_w, device=self._device)


class _Basis:
    """The columns of B, in an orthonormal basis: they are the same for every ridge term."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self.word_mean = (moments.shift + moments.sum_x / moments.n).cpu().numpy()
        # Cov(w, x) = V D Uᵀ, and B = Cov(x, w) (Cov(w) + alpha I)⁻¹
        V, D, directions = torch.linalg.svd(covariance(moments), full_matrices=False)
        kept = max(int((NEGLIGIBLE * D[0] < D).sum()), 1)
        self._right = V[:, :kept] * D[:kept]  # V D, (d, m)
        self.directions = directions[:kept]  # Uᵀ, (m, F)

    def word_coef(self, alpha: float) -> NDArray[np.float64]:
        """Return UᵀB, shape (m, d)."""
        factor = factor_of(self._moments, alpha)
        coef: NDArray[np.float64] = factor.solve(self._right).T.cpu().numpy()
        return coef


class _Trial:
    """What a ridge term is tried on: for each fold of classes left out, held-out images mapped."""

    def __init__(
        self,
        sums: _Sums,
        parts: list[Moments],
        total: Moments,
        held_out: NDArray[np.bool_],
        classes: HeldOutClasses | None,
    ) -> None:
        rows = np.flatnonzero(held_out)
        self._W = sums.W[rows]
        self._classes = classes
        self._codes = None if classes is None else classes.codes[rows]
        folds = [total] if len(parts) == 1 else [without(total, part) for part in parts]
        self._bases = [_Basis(moments) for moments in folds]
        # the words' mean and the images' mean are those of the same rows
        means = [sums.mean_x + (m.sum_y / m.n).cpu().numpy() for m in folds]
        self._mapped = [np.empty((len(rows), len(basis.directions))) for basis in self._bases]
        for cut in blocks(len(rows), READ):
            features = np.asarray(sums.X[rows[cut]], dtype=np.float64)
            for basis, mean, mapped in zip(self._bases, means, self._mapped, strict=True):
                mapped[cut] = (features - mean) @ basis.directions.cpu().numpy().T

    def score(self, alpha: float) -> tuple[float, float]:
        """Score a ridge term, averaged over the folds, as `LinearMap` does."""
        try:
            scores = [self._score_fold(fold, alpha) for fold in range(len(self._bases))]
        except WordsightError:  # singular: no candidate
            return -np.inf, -np.inf
        first, second = np.mean(scores, axis=0).tolist()
        return first, second

    def _score_fold(self, fold: int, alpha: float) -> tuple[float, float]:
        basis, mapped = self._bases[fold], self._mapped[fold]
        coef = basis.word_coef(alpha)
        moved = (self._W - basis.word_mean) @ coef.T
        if self._classes is None or self._codes is None:
            return -squared_error(mapped, moved, np.zeros(len(moved), dtype=bool)), 0.0
        prototypes = (self._classes.prototypes - basis.word_mean) @ coef.T
        classes = HeldOutClasses(
            prototypes, self._classes.codes, self._classes.fold_of_class, self._classes.n_folds
        )
        left_out = (classes.fold_of_class[self._codes] == fold) & (len(self._bases) > 1)
        return score(mapped, self._codes, classes, fold), -squared_error(mapped, moved, left_out)
