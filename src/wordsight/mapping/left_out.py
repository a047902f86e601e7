"""Many ridge regressions, each with some classes left out, for little more than one.

Leaving out classes takes their rows from the sums, ``C → (n C − Σ x xᵀ) / n'``, and changes the
matrix little. So the factor of the whole makes each system nearly the identity, and conjugate
gradients solve all of them at once in a few steps, each of which multiplies with the one Gram
matrix and with the rows left out: nothing of size F × F is made for any of the splits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.compute import Moments, RidgeFactor, blocks
from wordsight.exceptions import InputError
from wordsight.mapping.conjugate_gradients import conjugate_gradients
from wordsight.rows import StoredRows

__all__ = ["ClassScorer", "ridge_leaving_out"]

BLOCK = 2048
SINGLE = 1e-5
"""Residuals that single precision reaches."""

MAX_STEPS = 200


@dataclass(frozen=True)
class ClassScorer:
    """Ridge regression on the one-hot codes of some classes.

    Attributes
    ----------
    classes : ndarray of int, shape (C,)
        The codes of the classes learned from.
    coef : ndarray, shape (F, C)
        In the precision of the features, as is the next.
    intercept : ndarray, shape (C,)
    """

    classes: NDArray[np.int64]
    coef: NDArray[Any]
    intercept: NDArray[Any]


def ridge_leaving_out(
    X: NDArray[Any] | StoredRows,
    codes: NDArray[np.int64],
    left_out: Sequence[Iterable[int]],
    moments: Moments,
    factor: RidgeFactor,
    *,
    rows_left_out: NDArray[np.int64] | None = None,
    tol: float = 1e-4,
) -> list[ClassScorer]:
    """Solve Eq. 1 for one-hot targets, once for each set of classes to leave out.

    Each solution minimises ``1/n' Σ ‖e_y − θ x − b‖² + alpha ‖θ‖²`` over the n' rows that are
    left. Since that is linear in its targets, the map to word vectors W of the same classes is
    ``θ_W = Wᵀ θ``: one solution serves every choice of words.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
        May be memory-mapped.
    codes : ndarray of int, shape (n,)
        Class of each row, from 0.
    left_out : sequence of iterable of int
        Classes to leave out, for each split.
    moments : Moments
        Of all rows of X; of its targets no use is made.
    factor : RidgeFactor
        Of the same moments; its ridge term is the one of all splits.
    rows_left_out : ndarray of int, optional
        Rows that no split learns from.
    tol : float
        Norm of the residual of each column, relative to its right-hand side. Single precision
        reaches about 1e-5; below that the systems are solved in double precision, at about twice
        the cost.

    Returns
    -------
    list of ClassScorer
        In the order of `left_out`.

    Raises
    ------
    InputError
        A split that leaves fewer than two classes.
    WordsightError
        The systems could not be solved to `tol`.
    """
    systems = _Systems.prepare(X, codes, left_out, moments, factor, rows_left_out)
    target = systems.right_hand_sides()
    if tol >= SINGLE:
        target = target.to(moments.shift.dtype)
    solution = conjugate_gradients(
        systems.times, factor.solve, target, tol, "leaving classes out", max_steps=MAX_STEPS
    )
    return systems.scorers(solution)


@dataclass
class _Split:
    """One system: the classes and columns it has, and its mean."""

    kept: NDArray[np.int64]
    out: list[int]
    columns: slice
    n: int
    mean: torch.Tensor


@dataclass
class _Systems:
    """All systems at once: what is common to them, and what each leaves out."""

    X: NDArray[Any] | StoredRows
    moments: Moments
    factor: RidgeFactor
    rows: dict[int, NDArray[np.int64]]
    """Rows of each class; under −1 those that no split learns from."""
    counts: NDArray[np.int64]
    means: torch.Tensor
    splits: list[_Split]

    @classmethod
    def prepare(
        cls,
        X: NDArray[Any] | StoredRows,
        codes: NDArray[np.int64],
        left_out: Sequence[Iterable[int]],
        moments: Moments,
        factor: RidgeFactor,
        rows_left_out: NDArray[np.int64] | None,
    ) -> "_Systems":
        codes = np.array(codes)
        if rows_left_out is not None:
            codes[rows_left_out] = -1
        n_classes = int(codes.max()) + 1
        rows = {c: np.flatnonzero(codes == c) for c in range(-1, n_classes)}
        counts = np.array([len(rows[c]) for c in range(n_classes)])
        # of rows counted from the moments' shift, so that single precision loses nothing
        sums = torch.stack([_sum(X, rows[c], moments.shift) for c in range(n_classes)])
        means = sums / torch.as_tensor(np.maximum(counts, 1)).to(sums)[:, None]
        splits: list[_Split] = []
        start = 0
        for some in left_out:
            out = sorted(set(some))
            kept = np.array([c for c in range(n_classes) if c not in out and counts[c]])
            if len(kept) < 2:
                raise InputError(
                    f"leaving out the classes {out} leaves {len(kept)} to learn from; expected "
                    "at least two"
                )
            n = int(counts[kept].sum())
            mean = sums[kept].sum(0) / n
            splits.append(_Split(kept, out, slice(start, start + len(kept)), n, mean))
            start += len(kept)
        return cls(X, moments, factor, rows, counts, means, splits)

    def right_hand_sides(self) -> torch.Tensor:
        """Return the covariances of features and one-hot targets, (F, all columns)."""
        parts = []
        for split in self.splits:
            share = torch.as_tensor(self.counts[split.kept] / split.n).to(self.means)
            parts.append((share[:, None] * (self.means[split.kept] - split.mean)).T)
        return torch.cat(parts, 1)

    def times(self, V: torch.Tensor) -> torch.Tensor:
        """Multiply the columns of each system with its own matrix, ``C' + alpha I``."""
        product = self.moments.gram.times(V)
        for code, rows in self.rows.items():
            for columns in self._columns_without(code, V.shape[1]):
                product[:, columns] -= self._gram_times(rows, V[:, columns])
        for split in self.splits:
            part, mean = V[:, split.columns], split.mean.to(V.dtype)
            product[:, split.columns] /= split.n
            product[:, split.columns] -= torch.outer(mean, mean @ part)
        return product.add_(V, alpha=self.factor.alpha)

    def _columns_without(self, code: int, n_columns: int) -> list[torch.Tensor]:
        """Return the columns of the systems that leave a class out, as one index or none."""
        if code < 0:
            return [torch.arange(n_columns)]
        found = [
            torch.arange(split.columns.start, split.columns.stop)
            for split in self.splits
            if code in split.out
        ]
        return [torch.cat(found)] if found else []

    def _gram_times(self, rows: NDArray[np.int64], V: torch.Tensor) -> torch.Tensor:
        product = torch.zeros_like(V)
        for cut in blocks(len(rows), BLOCK):
            x = (torch.from_numpy(self.X[rows[cut]]).to(V.device) - self.moments.shift).to(V.dtype)
            product += x.T @ (x @ V)
        return product

    def scorers(self, solution: torch.Tensor) -> list[ClassScorer]:
        found = []
        for split in self.splits:
            coef = solution[:, split.columns].double()
            share = torch.as_tensor(self.counts[split.kept] / split.n).to(coef)
            intercept = share - (split.mean + self.moments.shift.double()) @ coef
            found.append(
                ClassScorer(
                    split.kept,
                    np.ascontiguousarray(coef.cpu().numpy(), dtype=self.X.dtype),
                    intercept.cpu().numpy().astype(self.X.dtype),
                )
            )
        return found


def _sum(
    X: NDArray[Any] | StoredRows, rows: NDArray[np.int64], shift: torch.Tensor
) -> torch.Tensor:
    total = torch.zeros_like(shift, dtype=torch.float64)
    for cut in blocks(len(rows), BLOCK):
        total += (torch.from_numpy(X[rows[cut]]).to(shift) - shift).sum(0, dtype=torch.float64)
    return total
