"""Symmetric systems solved through a near factor: many columns side by side."""

from collections.abc import Callable

import torch

from wordsight.exceptions import WordsightError
from wordsight.progress import report

__all__ = ["conjugate_gradients"]


def conjugate_gradients(
    times: Callable[[torch.Tensor], torch.Tensor],
    nearly_solve: Callable[[torch.Tensor], torch.Tensor],
    target: torch.Tensor,
    tol: float,
    doing: str,
    *,
    max_steps: int,
) -> torch.Tensor:
    """Solve for all columns side by side, each with steps of its own length until it is solved.

    Parameters
    ----------
    times : callable
        Multiplies columns with the matrix, or each with its own.
    nearly_solve : callable
        Multiplies columns with the inverse of a matrix near to that.
    target : Tensor, shape (F, k)
        Right-hand sides; their precision is that of the solution.
    tol : float
        Norm of the residual of each column, relative to its right-hand side.
    doing : str
        What is being done, for progress and for the error.
    max_steps : int

    Returns
    -------
    Tensor, shape (F, k)

    Raises
    ------
    WordsightError
        Not all columns are solved after `max_steps` steps.
    """
    aim = tol * target.norm(dim=0).clamp(min=1e-30)
    solution = nearly_solve(target).to(target.dtype)
    residual = target - times(solution)
    direction = torch.zeros_like(target)
    fit = torch.ones_like(aim)
    for step in range(max_steps):
        unsolved = ~(residual.norm(dim=0) <= aim)  # nor is one that is not a number
        report(doing, int((~unsolved).sum()), len(unsolved))
        if not unsolved.any():
            return solution
        guess = nearly_solve(residual).to(target.dtype)
        fit_before, fit = fit, torch.linalg.vecdot(residual, guess, dim=0)
        # a column that is solved rests: its residual, all rounding, gives no direction
        turn = torch.where(unsolved, fit / fit_before, 0.0) if step else torch.zeros_like(fit)
        direction = (guess + direction * turn) * unsolved
        across = times(direction)
        bend = torch.linalg.vecdot(direction, across, dim=0)
        length = torch.where(unsolved, fit / bend, 0.0)
        solution += length * direction
        residual -= length * across
    raise WordsightError(
        f"while {doing}, the maps were not solved to {tol:g} in {max_steps} steps; use a larger "
        "alpha"
    )
