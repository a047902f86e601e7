"""ConSE: words of seen classes mixed by how probable the softmax finds them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from wordsight.baselines.base import ZeroShotPeer
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.exceptions import InputError
from wordsight.geometry import cosine
from wordsight.words.vectors import WordVectors

__all__ = ["ConSE"]


class ConSE(ZeroShotPeer):
    """Map an image to the mean of the words of its most probable seen classes.

    f(x) = Σ_t p(y_t | x) w_{y_t} / Σ_t p(y_t | x) over the T most probable seen classes y_t of a
    softmax; the word of the highest cosine with it wins. Nothing but the softmax is learned.

    Parameters
    ----------
    words : WordVectors, mapping of str to array, path or None, default None
        Word vectors of the class names; None is the vocabulary in the package.
    unseen : sequence of str, default ()
        Names of classes to be recognised without an image.
    n_top : int, default 10
        T; all seen classes where there are fewer.
    classifier : classifier or None, default None
        With `predict_proba`; None is `SoftmaxClassifier`.
    on_missing : {"error", "compose"}, default "compose"
        What to do with a name that has no vector of its own.

    Attributes
    ----------
    classifier_ : classifier
    seen_vectors_ : ndarray, shape (n_seen, d)

    References
    ----------
    Norouzi, Mikolov, Bengio, Singer, Shlens, Frome, Corrado, Dean: "Zero-Shot Learning by Convex
    Combination of Semantic Embeddings", ICLR 2014, Eq. 3.
    """

    seen_vectors_: NDArray[np.float64]

    def __init__(
        self,
        words: WordVectors | Mapping[str, Any] | str | None = None,
        unseen: Sequence[str] = (),
        *,
        n_top: int = 10,
        classifier: Any = None,
        on_missing: Literal["error", "compose"] = "compose",
    ) -> None:
        self.words = words
        self.unseen = unseen
        self.n_top = n_top
        self.classifier = classifier
        self.on_missing = on_missing

    def _check_parameters(self) -> None:
        if not isinstance(self.n_top, int | np.integer) or self.n_top < 1:
            raise InputError(f"n_top={self.n_top!r} was given; expected a whole number above 0")

    def _fit(self, X: NDArray[Any], codes: NDArray[np.int64], W: NDArray[np.float64]) -> None:
        part = self.classifier
        self.classifier_ = SoftmaxClassifier() if part is None else clone(part)
        self.classifier_.fit(X, codes)
        self.seen_vectors_ = W

    def _scores(self, X: NDArray[Any], W: NDArray[np.float64]) -> NDArray[np.float64]:
        proba = np.array(self.classifier_.predict_proba(X), dtype=np.float64)
        if self.n_top < proba.shape[1]:
            least = np.partition(proba, -self.n_top, axis=1)[:, [-self.n_top]]
            proba[proba < least] = 0.0
        # divided by the sum of what is left, which no cosine can tell
        return cosine(proba @ self.seen_vectors_, W)
