"""Seen classes held out in turn, as if they were unseen: what a gate can learn from."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from wordsight.compute import RidgeFactor, partial
from wordsight.few_rows import are_few
from wordsight.mapping.base import SemanticMap, moved_words
from wordsight.mapping.left_out import ClassScorer, ridge_leaving_out
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.visual import VisualMap
from wordsight.novelty.combined import Trial, check_classes_suffice
from wordsight.progress import report
from wordsight.rows import StoredRows, by_blocks, column_mean

__all__ = ["hold_out_classes"]

N_TRIALS = 10
"""Classes held out at most, one at a time: each is a map of its own."""


def hold_out_classes(
    mapping: SemanticMap,
    X: NDArray[Any] | StoredRows,
    codes: NDArray[np.int64],
    W: NDArray[Any],
    held_out: NDArray[np.bool_],
    random_state: np.random.RandomState,
) -> list[Trial]:
    """Learn the map without each of some seen classes, and map what it has not learned from.

    Parameters
    ----------
    mapping : SemanticMap
        Fitted; the maps without a class are like it. A `LinearMap` keeps the ridge term chosen, and
        all of its maps come from one Gram matrix; a `VisualMap` keeps its ridge term, too.
    X : ndarray or StoredRows, shape (n, F)
    codes : ndarray of int, shape (n,)
        The class of each row, from 0.
    W : ndarray, shape (n_classes, d)
        Their word vectors.
    held_out : ndarray of bool, shape (n,)
        Rows that no map learns from.
    random_state : RandomState
        Draws the classes, where there are more than ten.

    Returns
    -------
    list of Trial
        Classes are named by their codes.
    """
    check_classes_suffice(len(W))
    out = np.sort(random_state.permutation(len(W))[:N_TRIALS])
    if isinstance(mapping, LinearMap) and not are_few(*X.shape):
        maps = _linear(mapping, X, codes, W, held_out, out)
    else:
        maps = _refitted(mapping, X, codes, W, held_out, out)
    trials = []
    for number, (code, (S, words)) in enumerate(zip(out, maps, strict=True)):
        kept = codes != code
        rest = kept & ~held_out
        trials.append(
            Trial(
                rest=S[rest],
                rest_labels=codes[rest],
                held_out=S[kept & held_out],
                novel=S[~kept],
                centers={c: words[c] for c in range(len(W)) if c != code},
                unseen_centers=words[[code]],
            )
        )
        report("holding out classes", number + 1, len(out))
    return trials


def _linear(
    mapping: LinearMap,
    X: NDArray[Any] | StoredRows,
    codes: NDArray[np.int64],
    W: NDArray[Any],
    held_out: NDArray[np.bool_],
    out: NDArray[np.int64],
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield all rows as the map without each class maps them, and the words.

    All maps are solved side by side.
    """
    shift = column_mean(X)
    moments = partial(X, np.zeros((len(X), 1), dtype=X.dtype), shift=shift)
    single = torch.float32 if X.dtype == np.float32 else torch.float64
    factor = RidgeFactor(moments, mapping.alpha_, single)
    rows = np.flatnonzero(held_out)
    splits = [(int(code),) for code in out]
    scorers = ridge_leaving_out(X, codes, splits, moments, factor, rows_left_out=rows)
    for scorer in scorers:
        # ridge regression is linear in its targets: scores of classes times words are the map
        scores = by_blocks(_scorer(scorer), X)
        yield scores @ W[scorer.classes], W


def _scorer(one: ClassScorer) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda x: x @ one.coef + one.intercept


def _refitted(
    mapping: SemanticMap,
    X: NDArray[Any] | StoredRows,
    codes: NDArray[np.int64],
    W: NDArray[Any],
    held_out: NDArray[np.bool_],
    out: NDArray[np.int64],
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield the same of any map, learned anew without each class."""
    for code in out:
        rows = np.flatnonzero((codes != code) & ~held_out)
        again: Any = clone(mapping)
        if isinstance(mapping, LinearMap | VisualMap):
            again.set_params(alpha=mapping.alpha_)
        if isinstance(again, VisualMap):  # which reads a few rows at a time
            again.fit_held_out(X, W[codes], (codes == code) | held_out)
        else:
            again.fit(X[rows], W[codes[rows]])
        yield by_blocks(again.predict, X), moved_words(again, W)
