"""Local outlier probabilities: novel is what lies in a thinner place than its neighbours do."""

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from wordsight.exceptions import InputError
from wordsight.novelty.base import Centers, NoveltyDetector
from wordsight.novelty.neighbours import SearchesTrainingPoints

__all__ = ["LocalOutlierProbability"]

# Where all neighbours of a point are duplicates of each other, the expected distance is 0 and is
# taken as this fraction of the mean over training points instead ...
_SMALLEST_PDIST_FRACTION = 1e-8
# ... and where all training points are duplicates, as this: any distance at all is an outlier.
_SMALLEST_PDIST = 1e-100
# lof is a ratio minus 1 and carries rounding of about 1e-15; a smaller spread is none
_SMALLEST_SPREAD = 1e-12


class LocalOutlierProbability(SearchesTrainingPoints, NoveltyDetector):
    """LoOP in train and test form: the reference set is the mapped training points.

    With C(f) the k training points nearest to f (Euclidean; a training point is not its own
    neighbour, a new point keeps all k):

    * σ(f) = sqrt(Σ_{q ∈ C(f)} d(f, q)² / k), pdist(f) = λ σ(f)
    * lof(f) = pdist(f) / mean_{q ∈ C(f)} pdist(q) − 1
    * Z = λ sqrt(mean of lof² over the training points)
    * LoOP(f) = max(0, erf(lof(f) / (Z √2)))

    `novelty_proba` is LoOP and does not depend on the threshold. `score_samples` is −lof, which
    falls as LoOP rises but goes on telling points apart where LoOP is 0.

    Parameters
    ----------
    n_neighbors : int, default 20
        k.
    extent : float, default 3.0
        λ, in standard deviations. It cancels in lof, and scales Z: a larger one gives smaller
        probabilities.
    sqrt2 : bool, default True
        With the √2 of Kriegel et al.; False leaves it out, as Eq. 2 of the NIPS version does.
    false_novel_rate : float, default 0.1
        The fraction of seen images that may be called novel. `fit` puts `offset_` at this
        quantile of the training points' scores, each without itself; `calibrate` sets it on
        held-out points.

    Attributes
    ----------
    training_points_ : ndarray of shape (n, d)
        The reference set.
    training_pdist_ : ndarray of shape (n,)
        Their probabilistic distances pdist, in units of the word space.
    training_novelty_proba_ : ndarray of shape (n,)
        LoOP of the training points scored against each other. It equals what PyNomaly finds for
        the same data; `novelty_proba` of the same points is lower, as each then finds itself.
    spread_ : float
        Z.
    offset_ : float
        The threshold on the score.

    Notes
    -----
    Neighbours are exact (see `wordsight.novelty.neighbours`): pairs are scored in single precision,
    on one thread for each core, and what may be a neighbour by the bounded error of a score is
    measured in double precision by differences. No n × n table is held. Of training points equally
    far away as the k-th, those that come first count. Duplicates: an expected distance of 0 is
    taken as 1e-8 of the mean over training points (PyNomaly: as 1e-8), so that scores are always
    finite.

    References
    ----------
    Kriegel, Kröger, Schubert, Zimek: "LoOP: Local Outlier Probabilities", CIKM 2009; used by
    Socher et al., NIPS 2013, with k = 20, λ = 3.
    """

    training_pdist_: NDArray[np.float64]
    training_novelty_proba_: NDArray[np.float64]
    spread_: float

    def __init__(
        self,
        n_neighbors: int = 20,
        *,
        extent: float = 3.0,
        sqrt2: bool = True,
        false_novel_rate: float = 0.1,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.extent = extent
        self.sqrt2 = sqrt2
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self._check_parameters(len(points))
        # a copy: the caller may write to the array later, and the reference set must not change
        self.training_points_ = points.copy()
        distances, neighbours = self._neighbours(None)
        self.training_pdist_ = self._pdist(distances)
        lof = self._lof(self.training_pdist_, neighbours)
        self.spread_ = self.extent * max(float(np.sqrt(np.mean(lof**2))), _SMALLEST_SPREAD)
        self.training_novelty_proba_ = self._proba(-lof)
        self.offset_ = float(np.quantile(-lof, self.false_novel_rate))

    def _check_parameters(self, n_points: int) -> None:
        self._check_neighbors(n_points)
        if not (isinstance(self.extent, numbers.Real) and 0.0 < self.extent < np.inf):
            raise InputError(f"extent={self.extent!r} was given; give a number above 0, such as 3")

    def _pdist(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """λ σ(f), with σ the root of the mean squared distance to the neighbours."""
        pdist: NDArray[np.float64] = self.extent * np.sqrt(np.mean(distances**2, axis=1))
        return pdist

    def _lof(self, pdist: NDArray[np.float64], neighbours: NDArray[np.intp]) -> NDArray[np.float64]:
        """Probabilistic distances over the mean of the neighbours', − 1."""
        floor = _SMALLEST_PDIST_FRACTION * self.training_pdist_.mean() or _SMALLEST_PDIST
        expected = np.maximum(self.training_pdist_[neighbours].mean(axis=1), floor)
        lof: NDArray[np.float64] = pdist / expected - 1.0
        return lof

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        distances, neighbours = self._neighbours(points)
        return -self._lof(self._pdist(distances), neighbours)

    def _proba(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = self.spread_ * np.sqrt(2.0) if self.sqrt2 else self.spread_
        return np.maximum(0.0, erf(-scores / scale))
