"""Direct attribute prediction (Lampert et al., 2009): classes told apart by what they have."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from wordsight.exceptions import DataError
from wordsight.experiments.setting import CLASSES

__all__ = ["AttributeTable", "attribute_log_odds", "platt"]

_FILE = "attributes.json"


@dataclass(frozen=True)
class AttributeTable:
    """Binary attributes of classes.

    Attributes
    ----------
    names : tuple of str
        The attributes.
    classes : tuple of str
    has : ndarray of bool, shape (len(classes), len(names))
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    has: NDArray[np.bool_]

    @classmethod
    def load(cls) -> "AttributeTable":
        """Read the attributes of the ten classes.

        Raises
        ------
        DataError
            A class that is unknown, an attribute of all classes or none, or two classes with the
            same attributes.
        """
        text = files("wordsight.experiments").joinpath(_FILE).read_text(encoding="utf-8")
        return cls.of(json.loads(text)["attributes"])

    @classmethod
    def of(cls, owners: dict[str, list[str]], classes: Sequence[str] = CLASSES) -> "AttributeTable":
        """Make the table from the classes that have each attribute; errors as for `load`."""
        unknown = {name for some in owners.values() for name in some} - set(classes)
        if unknown:
            raise DataError(
                f"{_FILE} names {', '.join(sorted(unknown))}; expected only {', '.join(classes)}"
            )
        has = np.array([[name in some for some in owners.values()] for name in classes])
        idle = [name for name, use in zip(owners, _varies(has), strict=True) if not use]
        if idle:
            raise DataError(f"{_FILE} gives {', '.join(idle)} to all classes or none; leave it out")
        if len(np.unique(has, axis=0)) < len(classes):
            raise DataError(f"{_FILE} gives two classes the same attributes; add one that differs")
        return cls(tuple(owners), tuple(classes), has)

    def of_classes(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return the rows of some classes, shape (len(names), n_attributes)."""
        return self.has[[self.classes.index(name) for name in names]]

    def varying_over(self, seen: Sequence[str]) -> "AttributeTable":
        """Leave out the attributes that all of the seen classes have, or none: nothing is learned.

        Parameters
        ----------
        seen : sequence of str
        """
        varies = _varies(self.of_classes(seen))
        names = tuple(name for name, keep in zip(self.names, varies, strict=True) if keep)
        return AttributeTable(names, self.classes, self.has[:, varies])


def _varies(has: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which columns hold both values."""
    n_with = has.sum(axis=0)
    return np.asarray((n_with > 0) & (n_with < len(has)))


def platt(scores: NDArray[np.floating], has: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit P(attribute | score) = 1 / (1 + exp(−(a · score + b))) to images with known attributes.

    By maximum likelihood of Platt's smoothed targets, (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2), which
    keep a and b finite where scores separate perfectly.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Of images that the scorer has not learned from.
    has : ndarray of bool, shape (n,)
        True of some and false of others.

    Returns
    -------
    slope, intercept : float
        a and b.

    References
    ----------
    Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    """
    n_with = int(has.sum())
    target = np.where(has, (n_with + 1) / (n_with + 2), 1 / (len(has) - n_with + 2))
    x = scores.astype(np.float64)
    unit = float(x.std()) or 1.0  # both parameters are then of the same order
    x = np.stack([x / unit, np.ones(len(x))])

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Mean cross-entropy and its gradient."""
        z = line @ x
        entropy = float(np.mean(np.logaddexp(0.0, z) - target * z))
        gradient: NDArray[np.float64] = x @ (expit(z) - target) / len(z)
        return entropy, gradient

    slope, intercept = minimize(loss, np.zeros(2), jac=True, method="BFGS", tol=1e-9).x
    return float(slope) / unit, float(intercept)


def attribute_log_odds(
    train: NDArray[np.floating],
    train_has: NDArray[np.bool_],
    test: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Turn attribute scores into log odds, each attribute by its own `platt`.

    Parameters
    ----------
    train : ndarray, shape (n, n_attributes)
        Scores of images that the scorer has not learned from.
    train_has : ndarray of bool, shape (n, n_attributes)
        Their attributes.
    test : ndarray, shape (m, n_attributes)

    Returns
    -------
    ndarray, shape (m, n_attributes)
        log p(a = 1 | x) / p(a = 0 | x).
    """
    fitted = [platt(column, has) for column, has in zip(train.T, train_has.T, strict=True)]
    slope, intercept = np.array(fitted).T
    odds: NDArray[np.float64] = test * slope + intercept
    return odds
