"""`ClassIndex`: very many classes told apart approximately, by an index of their words."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.word_directions import WordDirections
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.exceptions import InputError, MissingDependencyError
from wordsight.leading import Leading, check_k

if TYPE_CHECKING:
    import faiss

__all__ = ["CANDIDATES", "ClassIndex", "check_index"]

CANDIDATES = 100
"""Classes that are found for each image, where nobody says how many."""

_FEW = 5000
"""Up to so many words all are compared with: an index of them would save nothing."""

_A_LIST, _SHARE = 39, 20
"""Words a list at least, as faiss asks for; one in so many lists is looked through."""


def check_index(n_candidates: int) -> None:
    """Raise what tells that there can be no index: no faiss, or a number that makes no sense."""
    whole = isinstance(n_candidates, int | np.integer) and not isinstance(n_candidates, bool)
    if not whole or n_candidates < 1:
        raise InputError(f"n_candidates={n_candidates!r} was given; expected a whole number from 1")
    _faiss()


class ClassIndex:
    """Finds the nearest of very many words in a part of the time, and sometimes not quite.

    Words are put into lists by k-means, and only the lists nearest to a point are looked through
    (the inverted file of faiss). The classes found are measured exactly, so their order is right;
    what can be wrong is that a class is missing. Probabilities are those among the classes found:
    too high by what the others would have.

    Parameters
    ----------
    part : WordGaussians or WordDirections
        Fitted; without a correction for hubs, which the index knows nothing of.
    n_candidates : int, default 100
        How many classes are found for each point.
    n_probe : int or None, default None
        How many lists are looked through; None is one in twenty.

    Attributes
    ----------
    n_lists : int
        1 where there are so few words that all are compared with.

    References
    ----------
    Jégou, Douze, Schmid: "Product Quantization for Nearest Neighbor Search", PAMI 2011, section 4,
    for the inverted file.
    """

    def __init__(
        self,
        part: WordGaussians | WordDirections,
        n_candidates: int = CANDIDATES,
        n_probe: int | None = None,
    ) -> None:
        check_index(n_candidates)
        if isinstance(part, WordDirections) and part.correction is not None:
            raise InputError(
                f"an index of classes was asked for, and unseen classes are told apart with "
                f"correction={part.correction!r}: an index finds the nearest words, whatever hubs "
                "they are; leave one of the two out"
            )
        self._part = part
        self._n_candidates = int(n_candidates)
        words = _placed(part, part.word_vectors_).astype(np.float32)
        self.n_lists, self._index = _made(words, n_probe)

    def predict_proba(self, S: Any) -> NDArray[np.float64]:
        """Return P(y | unseen, x) of all classes, exactly, shape (n, C)."""
        return self._part.predict_proba(S)

    def top_k(self, S: Any, k: int, *, among: NDArray[np.int64] | None = None) -> Leading:
        """Return the k most probable of the classes found for each point.

        Exactly where some classes are chosen `among`, of which the index knows nothing.
        """
        check_k(k)
        if among is not None:
            return self._part.top_k(S, k, among=among)
        points = np.ascontiguousarray(S, dtype=np.float64)
        n_classes = len(self._part.word_vectors_)
        k = min(k, n_classes)
        n_found = min(max(k, self._n_candidates), n_classes)
        placed = _placed(self._part, points)
        _distances, found = self._index.search(placed.astype(np.float32), n_found)
        columns = np.sort(found.astype(np.int64), axis=1)  # equally near ones in their order
        is_there = columns >= 0
        who, place = np.nonzero(is_there)
        score = np.full(columns.shape, -np.inf)
        measured = self._part.directed(points) if isinstance(self._part, WordDirections) else points
        score[who, place] = self._part.scores().pairs(measured[who], columns[who, place])
        order = np.argsort(-score, axis=1, kind="stable")[:, :k]
        best = score.max(axis=1, keepdims=True)
        weight = np.exp(score - np.where(np.isfinite(best), best, 0.0))
        with np.errstate(invalid="ignore"):
            proba = weight / weight.sum(axis=1, keepdims=True)
        leading = Leading(
            np.take_along_axis(columns, order, 1), np.take_along_axis(proba, order, 1)
        )
        return self._completed(leading, points, is_there.sum(axis=1) < k)

    def _completed(
        self, leading: Leading, points: NDArray[np.float64], lacks: NDArray[np.bool_]
    ) -> Leading:
        """Look at all classes where the lists held fewer than were asked for."""
        if lacks.any():
            exact = self._part.top_k(points[lacks], leading.columns.shape[1])
            leading.columns[lacks], leading.proba[lacks] = exact
        return leading


def _placed(part: WordGaussians | WordDirections, rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return words or points as they lie in the index, where the nearest is the most probable."""
    if isinstance(part, WordDirections):
        return part.directed(rows)
    # centred, as an offset costs precision
    placed: NDArray[np.float64] = rows - part.word_vectors_.mean(axis=0)
    return placed


def _made(
    words: NDArray[np.float32], n_probe: int | None
) -> "tuple[int, faiss.IndexFlatL2 | faiss.IndexIVFFlat]":
    faiss = _faiss()
    words = np.ascontiguousarray(words)
    n, d = words.shape
    flat = faiss.IndexFlatL2(d)
    if n <= _FEW:
        flat.add(words)
        return 1, flat
    n_lists = min(int(4 * n**0.5), n // _A_LIST)
    made = faiss.IndexIVFFlat(flat, d, n_lists)
    made.train(words)  # from a fixed seed
    made.add(words)
    made.nprobe = max(1, n_lists // _SHARE) if n_probe is None else n_probe
    return n_lists, made


def _faiss() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the wrapper it is made with
            import faiss  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingDependencyError(
            "an index of classes needs faiss: pip install 'wordsight[index]'"
        ) from error
    # one thread: the same lists everywhere, and no quarrel with the threads of torch
    faiss.omp_set_num_threads(1)
    return faiss
