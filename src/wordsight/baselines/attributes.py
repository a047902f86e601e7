"""Direct attribute prediction, the numbers of a word vector being the attributes."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit

from wordsight.baselines.base import ZeroShotPeer, check_positive
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.words.vectors import WordVectors

__all__ = ["DirectAttributePrediction", "class_log_scores"]


def class_log_scores(
    log_odds: NDArray[np.float64],
    has: NDArray[np.bool_],
    prior: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Log of Π_m p(a_m = a_m^z | x) / p(a_m = a_m^z), direct attribute prediction.

    Parameters
    ----------
    log_odds : ndarray, shape (n, n_attributes)
        Of p(a_m = 1 | x).
    has : ndarray of bool, shape (n_classes, n_attributes)
        a_m^z, the attributes of the candidate classes.
    prior : ndarray, shape (n_attributes,)
        p(a_m = 1), between 0 and 1: the share of seen classes that have the attribute.

    Returns
    -------
    ndarray, shape (n, n_classes)
        Equal to log p(z | x) up to a constant of the image, classes being as likely beforehand.

    References
    ----------
    Lampert, Nickisch, Harmeling: "Learning to Detect Unseen Object Classes by Between-Class
    Attribute Transfer", CVPR 2009, Eq. 2.
    """
    sign = np.where(has, 1.0, -1.0)
    log_prior = np.where(has, np.log(prior), np.log1p(-prior)).sum(axis=1)
    scores = [log_expit(log_odds * row).sum(axis=1) for row in sign]
    result: NDArray[np.float64] = np.stack(scores, axis=1) - log_prior
    return result


class DirectAttributePrediction(ZeroShotPeer):
    """Predict each attribute on its own, and take the class whose attributes are the likeliest.

    Attributes come as numbers here, as the standard benchmark has them or as word vectors do: a
    class has one where its number is above the mean over the seen classes. Those that all seen
    classes have, or none, are left out.

    Parameters
    ----------
    words : WordVectors, mapping of str to array, path or None, default None
        Attributes of the classes, as vectors under their names; None is the vocabulary in the
        package.
    unseen : sequence of str, default ()
        Names of classes to be recognised without an image.
    alpha : float, default 1e-3
        Weight of the penalty of each attribute's logistic regression.
    on_missing : {"error", "compose"}, default "compose"
        What to do with a name that has no vector of its own.

    Attributes
    ----------
    means_ : ndarray, shape (d,)
        Above which a class has an attribute.
    varies_ : ndarray of bool, shape (d,)
        Which attributes are learned.
    prior_ : ndarray, shape (n_learned,)
        Share of the seen classes that have each.
    coef_ : ndarray, shape (n_learned, F)
    intercept_ : ndarray, shape (n_learned,)

    References
    ----------
    Lampert, Nickisch, Harmeling, CVPR 2009; attributes that are not given as yes or no are split
    at their mean, as Xian et al. do ("Zero-Shot Learning: A Comprehensive Evaluation of the Good,
    the Bad and the Ugly", 2018).
    """

    means_: NDArray[np.float64]
    varies_: NDArray[np.bool_]
    prior_: NDArray[np.float64]
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]

    def __init__(
        self,
        words: WordVectors | Mapping[str, Any] | str | None = None,
        unseen: Sequence[str] = (),
        *,
        alpha: float = 1e-3,
        on_missing: Literal["error", "compose"] = "compose",
    ) -> None:
        self.words = words
        self.unseen = unseen
        self.alpha = alpha
        self.on_missing = on_missing

    def _check_parameters(self) -> None:
        check_positive(alpha=self.alpha)

    def _fit(self, X: NDArray[Any], codes: NDArray[np.int64], W: NDArray[np.float64]) -> None:
        self.means_ = W.mean(axis=0)
        has = self._attributes(W)
        self.varies_ = np.asarray(has.any(axis=0) & ~has.all(axis=0))
        has = has[:, self.varies_]
        self.prior_ = has.mean(axis=0)
        # classes that agree in an attribute share its regression
        found = [SoftmaxClassifier(self.alpha).fit(X, column[codes]) for column in has.T]
        self.coef_ = np.stack([one.coef_[1] - one.coef_[0] for one in found]).astype(np.float64)
        self.intercept_ = np.array([one.intercept_[1] - one.intercept_[0] for one in found])

    def _attributes(self, W: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray(self.means_ < W)

    def _scores(self, X: NDArray[Any], W: NDArray[np.float64]) -> NDArray[np.float64]:
        log_odds: NDArray[np.float64] = X @ self.coef_.T + self.intercept_
        return class_log_scores(log_odds, self._attributes(W)[:, self.varies_], self.prior_)
