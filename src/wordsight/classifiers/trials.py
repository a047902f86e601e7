"""Seen classes held out in turn, as if they were unseen: what a gate can learn from."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from wordsight.compute import Moments, RidgeFactor, partial
from wordsight.few_rows import are_few
from wordsight.mapping.base import SemanticMap, moved_words
from wordsight.mapping.left_out import ClassScorer, ridge_leaving_out
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.visual import VisualMap
from wordsight.novelty.combined import Trial, check_classes_suffice
from wordsight.progress import report
from wordsight.rows import StoredRows, by_blocks, column_mean

__all__ = ["ClassTrials"]

N_TRIALS = 10
"""Classes held out at most, one at a time: each is a map of its own."""


class ClassTrials:
    """Maps without each of some seen classes, of images that they have not learned from.

    Parameters
    ----------
    mapping : SemanticMap
        The maps without a class are like it. All `LinearMap` come from one Gram matrix.
    X : ndarray or StoredRows, shape (n, F)
    codes : ndarray of int, shape (n,)
        The class of each row, from 0.
    W : ndarray, shape (n_classes, d)
        Their word vectors.
    held_out : ndarray of bool, shape (n,)
        Rows that no map learns from.
    random_state : RandomState
        Draws the classes, where there are more than ten.
    """

    def __init__(
        self,
        mapping: SemanticMap,
        X: NDArray[Any] | StoredRows,
        codes: NDArray[np.int64],
        W: NDArray[Any],
        held_out: NDArray[np.bool_],
        random_state: np.random.RandomState,
    ) -> None:
        check_classes_suffice(len(W))
        self._mapping, self._X, self._codes, self._W = mapping, X, codes, W
        self._held_out = held_out
        self._out = np.sort(random_state.permutation(len(W))[:N_TRIALS])

    def unit(self) -> float:
        """Return the mean variance of a feature, in which ridge terms are counted."""
        if not are_few(*self._X.shape):
            return self._moments.mean_variance()
        return float(np.asarray(self._X[:], dtype=np.float64).var(axis=0).mean())

    def at(self, alpha: float | None) -> list[Trial]:
        """Return what the maps with a ridge term say; classes are named by their codes.

        Parameters
        ----------
        alpha : float or None
            Of a `LinearMap` or a `VisualMap`; None leaves the parameters of the map as they are.
        """
        if isinstance(self._mapping, LinearMap) and alpha and not are_few(*self._X.shape):
            maps = self._linear(alpha)
        else:
            maps = self._refitted(alpha)
        trials = []
        for number, (code, (S, words)) in enumerate(zip(self._out, maps, strict=True)):
            kept = self._codes != code
            rest, held_out = kept & ~self._held_out, kept & self._held_out
            trials.append(
                Trial(
                    rest=S[rest],
                    rest_labels=self._codes[rest],
                    held_out=S[held_out],
                    held_out_labels=self._codes[held_out],
                    novel=S[~kept],
                    novel_labels=self._codes[~kept],
                    centers={c: words[c] for c in range(len(words)) if c != code},
                    unseen_centers={int(code): words[code]},
                )
            )
            report("holding out classes", number + 1, len(self._out))
        return trials

    @cached_property
    def _moments(self) -> Moments:
        X = self._X
        return partial(X, np.zeros((len(X), 1), dtype=X.dtype), shift=column_mean(X))

    def _linear(self, alpha: float) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield all rows as the map without each class maps them, and the words.

        All maps are solved side by side.
        """
        X = self._X
        single = torch.float32 if X.dtype == np.float32 else torch.float64
        factor = RidgeFactor(self._moments, alpha, single)
        scorers = ridge_leaving_out(
            X,
            self._codes,
            [(int(code),) for code in self._out],
            self._moments,
            factor,
            rows_left_out=np.flatnonzero(self._held_out),
        )
        for scorer in scorers:
            # ridge regression is linear in its targets: scores of classes times words are the map
            scores = by_blocks(_scorer(scorer), X)
            yield scores @ self._W[scorer.classes], self._W

    def _refitted(self, alpha: float | None) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield the same of any map, learned anew without each class."""
        X, codes, W = self._X, self._codes, self._W
        for code in self._out:
            rows = np.flatnonzero((codes != code) & ~self._held_out)
            again: Any = clone(self._mapping)
            if alpha and isinstance(again, LinearMap | VisualMap):
                again.set_params(alpha=alpha)
            if isinstance(again, VisualMap):  # which reads a few rows at a time
                again.fit_held_out(X, W[codes], (codes == code) | self._held_out)
            else:
                again.fit(X[rows], W[codes[rows]])
            yield by_blocks(again.predict, X), moved_words(again, W)


def _scorer(one: ClassScorer) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda x: x @ one.coef + one.intercept
