"""Dictionaries of patches: OMP-1 (gain-shape vector quantisation), k-means, random patches.

Source: Coates & Ng, "The Importance of Encoding Versus Training with Sparse Coding and Vector
Quantization", ICML 2011, section 3; k-means as in Coates, Lee & Ng, AISTATS 2011.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch

from wordsight.compute import blocks, in_order, scratch
from wordsight.exceptions import InputError
from wordsight.progress import report

__all__ = ["DictionaryKind", "kmeans", "learn_dictionary", "omp1", "random_atoms"]

DictionaryKind = Literal["omp1", "kmeans", "random"]

BLOCK = 256
"""Patches whose products with all atoms are held at a time (1.6 MB with 1,600 atoms)."""

Step = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor, float]]
"""Of a block of patches and the atoms: sums (K, p), counts (K,) and the block's objective."""


def learn_dictionary(
    patches: torch.Tensor,
    n_atoms: int,
    kind: DictionaryKind,
    *,
    max_iter: int,
    tol: float,
    random_state: np.random.RandomState,
) -> torch.Tensor:
    """Learn `n_atoms` atoms from whitened patches.

    Parameters
    ----------
    patches : Tensor, shape (n, p)
    n_atoms : int
    kind : {"omp1", "kmeans", "random"}
    max_iter : int
        Passes over the patches at most.
    tol : float
        Stop when the objective improves by less than this share of itself.
    random_state : RandomState

    Returns
    -------
    Tensor, shape (n_atoms, p)
        Rows of unit length, except with ``"kmeans"``, whose rows are centroids.

    Raises
    ------
    InputError
        Fewer patches than atoms.
    """
    check_enough(len(patches), n_atoms)
    if kind == "random":
        return random_atoms(patches, n_atoms, random_state)
    if kind == "kmeans":
        return kmeans(patches, n_atoms, max_iter=max_iter, tol=tol, random_state=random_state)
    return omp1(patches, n_atoms, max_iter=max_iter, tol=tol, random_state=random_state)


def check_enough(n_patches: int, n_atoms: int) -> None:
    """Raise `InputError` where there are fewer patches than atoms, or too few for a covariance."""
    if n_patches < max(n_atoms, 2):
        raise InputError(
            f"{n_patches} patches were given for {n_atoms} atoms; expected at least "
            f"{max(n_atoms, 2)}: use more images, a larger n_patches or fewer atoms"
        )


def random_atoms(
    patches: torch.Tensor, n_atoms: int, random_state: np.random.RandomState
) -> torch.Tensor:
    """Return `n_atoms` of the patches, scaled to unit length."""
    chosen = random_state.choice(len(patches), n_atoms, replace=False)
    return _unit_rows(patches[torch.from_numpy(chosen)])


def omp1(
    patches: torch.Tensor,
    n_atoms: int,
    *,
    max_iter: int,
    tol: float,
    random_state: np.random.RandomState,
) -> torch.Tensor:
    """Learn unit atoms that each patch is best approximated by a multiple of one of.

    Minimises ``Σ ‖p − s d‖²`` over one atom d and one scalar s a patch by turns: the best atom has
    the largest ``|p · d|``, then s is that product; the best d for given s is the s-weighted sum
    of its patches, scaled to unit length.

    Parameters
    ----------
    patches : Tensor, shape (n, p)
    n_atoms : int
    max_iter, tol : int, float
        When to stop, as in `learn_dictionary`.
    random_state : RandomState
        Draws the first atoms and those that take the place of empty ones.

    Returns
    -------
    Tensor, shape (n_atoms, p)
    """
    atoms = torch.from_numpy(random_state.standard_normal((n_atoms, patches.shape[1])))
    return _alternate(
        patches,
        _unit_rows(atoms.to(patches)),
        _omp1_step,
        lambda sums, _counts: _unit_rows(sums),
        stage="learning the dictionary (OMP-1)",
        max_iter=max_iter,
        tol=tol,
        random_state=random_state,
    )


def kmeans(
    patches: torch.Tensor,
    n_atoms: int,
    *,
    max_iter: int,
    tol: float,
    random_state: np.random.RandomState,
) -> torch.Tensor:
    """Learn the centroids of Lloyd's algorithm, started from random patches.

    Parameters
    ----------
    patches : Tensor, shape (n, p)
    n_atoms : int
    max_iter, tol : int, float
        When to stop, as in `learn_dictionary`.
    random_state : RandomState
        Draws the first centroids and those that take the place of empty ones.

    Returns
    -------
    Tensor, shape (n_atoms, p)
    """
    chosen = torch.from_numpy(random_state.choice(len(patches), n_atoms, replace=False))
    return _alternate(
        patches,
        patches[chosen].clone(),
        _kmeans_step,
        lambda sums, counts: sums / counts.clamp(min=1)[:, None],
        stage="learning the dictionary (k-means)",
        max_iter=max_iter,
        tol=tol,
        random_state=random_state,
    )


def _alternate(
    patches: torch.Tensor,
    atoms: torch.Tensor,
    step: Step,
    update: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    *,
    stage: str,
    max_iter: int,
    tol: float,
    random_state: np.random.RandomState,
) -> torch.Tensor:
    """Assign and update by turns until the objective stands still."""
    previous = np.inf
    for iteration in range(max_iter):
        sums, counts, objective = _pass(patches, atoms, step)
        atoms = update(sums, counts)
        empty = torch.nonzero(counts == 0).flatten()
        if len(empty):
            redrawn = torch.from_numpy(random_state.choice(len(patches), len(empty)))
            atoms[empty] = update(patches[redrawn], torch.ones(len(empty)).to(patches))
        report(stage, iteration + 1, max_iter)
        if not len(empty) and previous - objective <= tol * abs(objective):
            report(stage, max_iter, max_iter)
            break
        previous = objective
    return atoms


def _pass(
    patches: torch.Tensor, atoms: torch.Tensor, step: Step
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Sum a step over all patches, in the order of the blocks whatever the number of threads."""
    sums = torch.zeros_like(atoms)
    counts = torch.zeros(len(atoms), dtype=atoms.dtype, device=atoms.device)
    objective = 0.0
    cuts = blocks(len(patches), BLOCK)
    for some, count, part in in_order(lambda cut: step(patches[cut], atoms), cuts):
        sums += some
        counts += count
        objective += part
    return sums, counts, objective


def _omp1_step(
    patches: torch.Tensor, atoms: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, float]:
    products = _products(patches, atoms)
    size = torch.abs(products, out=scratch("sizes", tuple(products.shape), products))
    best = _argmax(size)
    gain = products.gather(1, best[:, None])
    # what is left of ‖p‖² once the best multiple of the best atom is taken away
    objective = float(patches.square().sum() - gain.square().sum())
    return *_grouped(gain * patches, best, len(atoms)), objective


def _kmeans_step(
    patches: torch.Tensor, atoms: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, float]:
    closeness = _products(patches, atoms).sub_(0.5 * atoms.square().sum(1))
    best = _argmax(closeness)
    gain = closeness.gather(1, best[:, None]).sum()
    objective = float(patches.square().sum() - 2.0 * gain)
    return *_grouped(patches, best, len(atoms)), objective


def _products(patches: torch.Tensor, atoms: torch.Tensor) -> torch.Tensor:
    shape = (len(patches), len(atoms))
    return torch.mm(patches, atoms.T, out=scratch("products", shape, patches))


def _argmax(values: torch.Tensor) -> torch.Tensor:
    """Return the column of the largest value of each row."""
    if values.device.type == "cpu":
        # ten times as fast as torch's on a processor
        return torch.from_numpy(np.argmax(values.numpy(), axis=1))
    return values.argmax(1)


def _grouped(
    patches: torch.Tensor, group: torch.Tensor, n_groups: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum and count the patches of each group."""
    sums = torch.zeros(n_groups, patches.shape[1], dtype=patches.dtype, device=patches.device)
    sums.index_add_(0, group, patches)
    return sums, torch.bincount(group, minlength=n_groups).to(patches)


def _unit_rows(rows: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(rows, dim=1)
