"""Novelty as doubt of the softmax over seen classes."""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from wordsight.exceptions import InputError
from wordsight.novelty.base import Centers, LogisticNovelty, Sees
from wordsight.parameters import is_between

__all__ = ["SoftmaxNovelty"]

_RULES = ("confidence", "energy", "entropy")


class SoftmaxNovelty(LogisticNovelty):
    """Novel is what the classifier of seen classes is not sure of.

    It looks at logits z, one for each seen class:

    * ``rule="confidence"``: the score is log max_y p(y) = max_y z_y − log Σ_y exp z_y;
    * ``rule="energy"``: it is the negative free energy τ log Σ_y exp(z_y / τ), which also tells
      how large the logits are at all;
    * ``rule="entropy"``: it is Σ_y p(y) log p(y).

    Parameters
    ----------
    rule : {"confidence", "energy", "entropy"}, default "energy"
    temperature : float, default 1.0
        τ, by which logits are divided before anything else.
    false_novel_rate : float, default 0.1
        The fraction of seen images that may be called novel.

    Attributes
    ----------
    scale_ : float
        Standard deviation of the training points' scores.
    offset_ : float
        The threshold on the score.

    References
    ----------
    Hendrycks, Gimpel: "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
    Neural Networks", ICLR 2017; Liu, Wang, Owens, Li: "Energy-based Out-of-distribution Detection",
    NeurIPS 2020, Eq. 4.
    """

    sees: ClassVar[Sees] = "logits"

    def __init__(
        self,
        rule: Literal["confidence", "energy", "entropy"] = "energy",
        *,
        temperature: float = 1.0,
        false_novel_rate: float = 0.1,
    ) -> None:
        self.rule = rule
        self.temperature = temperature
        self.false_novel_rate = false_novel_rate

    def _fit(
        self, points: NDArray[np.float64], labels: NDArray[Any] | None, centers: Centers | None
    ) -> None:
        self._check_parameters()
        self._set_scale(self._score(points))

    def _check_parameters(self) -> None:
        if self.rule not in _RULES:
            raise InputError(f"rule={self.rule!r} is unknown; choose one of {', '.join(_RULES)}")
        if not is_between(self.temperature, 0, np.inf):
            raise InputError(f"temperature={self.temperature!r} was given; give a number above 0")

    def _score(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        z = points / self.temperature
        total = logsumexp(z, axis=1)
        score: NDArray[np.float64]
        if self.rule == "energy":
            score = self.temperature * total
        else:
            log_proba = z - total[:, None]
            if self.rule == "confidence":
                score = log_proba.max(axis=1)
            else:
                score = (np.exp(log_proba) * log_proba).sum(axis=1)
        return score
