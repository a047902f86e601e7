"""The nearest word: a linear map into word space, and no gate at all."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from wordsight.baselines.base import ZeroShotPeer
from wordsight.geometry import check_metric, similarity
from wordsight.mapping.linear import LinearMap
from wordsight.words.vectors import WordVectors

__all__ = ["NearestWord"]


class NearestWord(ZeroShotPeer):
    """Map images into word space and take the nearest of all words, seen or unseen.

    Eq. 1 of Socher et al. without their gate and softmax: what the literature calls CMT is this
    with a two-layer map, CMT* the same with a novelty gate.

    Parameters
    ----------
    words : WordVectors, mapping of str to array, path or None, default None
        Word vectors of the class names; None is the vocabulary in the package.
    unseen : sequence of str, default ()
        Names of classes to be recognised without an image.
    mapping : SemanticMap or None, default None
        None is ``LinearMap(alpha="auto")``.
    metric : {"cosine", "euclidean"}, default "cosine"
        By what words are near.
    on_missing : {"error", "compose"}, default "compose"
        What to do with a name that has no vector of its own.
    random_state : int, RandomState or None, default None
        Of the default map.

    Attributes
    ----------
    mapping_ : SemanticMap

    References
    ----------
    Socher et al., "Zero-Shot Learning Through Cross-Modal Transfer", ICLR 2013 workshop, Eq. 1.
    """

    def __init__(
        self,
        words: WordVectors | Mapping[str, Any] | str | None = None,
        unseen: Sequence[str] = (),
        *,
        mapping: Any = None,
        metric: Literal["cosine", "euclidean"] = "cosine",
        on_missing: Literal["error", "compose"] = "compose",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.words = words
        self.unseen = unseen
        self.mapping = mapping
        self.metric = metric
        self.on_missing = on_missing
        self.random_state = random_state

    def _fit(self, X: NDArray[Any], codes: NDArray[np.int64], W: NDArray[np.float64]) -> None:
        part = self.mapping
        self.mapping_ = LinearMap(random_state=self.random_state) if part is None else clone(part)
        self.mapping_.fit(X, W[codes].astype(X.dtype))

    def _scores(self, X: NDArray[Any], W: NDArray[np.float64]) -> NDArray[np.float64]:
        return similarity(self.mapping_.predict(X), W, self.metric)

    def _check_parameters(self) -> None:
        check_metric(self.metric)
