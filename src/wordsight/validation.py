"""Arrays that users give to estimators: scikit-learn's checks, refused in one sentence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from wordsight.exceptions import InputError
from wordsight.rows import StoredRows

__all__ = ["checked_labels", "validated"]

LARGEST_FEATURE = (1e15, 1e140)
"""The largest absolute value of a feature in single and in double precision."""

_MEND = {
    "contains NaN": "leave these images out, or mend their features",
    "Complex data": "give real numbers",
    "contains infinity": "leave these images out, or mend their features",
    "features as input": "give the features that it was fitted on",
    "0 sample(s)": "give at least one image",
    "inconsistent numbers of samples": "give one label, or one row of targets, for each image",
}
"""What to do about a refusal that says so."""


def validated(
    estimator: object,
    X: Any,
    y: Any = "no_validation",
    *,
    any_size: bool = False,
    **options: Any,
) -> Any:
    """Check arrays as `sklearn.utils.validation.validate_data` does.

    Parameters
    ----------
    estimator : estimator
        Learns, or is compared with, the number and names of features.
    X : array-like, shape (n, F)
    y : array-like, optional
    any_size : bool, default False
        Whether features may be so large that sums of their squares overflow: where only directions
        count.
    **options
        As for scikit-learn's function.

    Returns
    -------
    ndarray, or two of them where y is given

    Raises
    ------
    InputError
        NaN, infinity, numbers too large, a wrong shape, another number of features or of labels:
        one sentence, which begins as scikit-learn's does.

    Notes
    -----
    Stored rows are returned as they are: whoever stored them has checked them.
    """
    if isinstance(X, StoredRows):
        return _stored(estimator, X, y, **options)
    if isinstance(X, np.ndarray) and not X.dtype.isnative:
        X = X.astype(X.dtype.newbyteorder("="))  # of a foreign dtype the precision would be lost
    try:
        checked = validate_data(estimator, X, y, **options)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(_sentence(str(error), X)) from error
    limits = (np.inf, np.inf) if any_size else LARGEST_FEATURE
    if isinstance(checked, tuple):
        return _sound(checked[0], limits), checked[1]
    return _sound(checked, limits)


def _sound(X: Any, limits: tuple[float, float]) -> Any:
    """Return features as torch can read them; refuse those whose sums of squares overflow."""
    if not isinstance(X, np.ndarray) or X.dtype.kind != "f" or not X.size:
        return X
    limit = limits[X.dtype.itemsize > np.dtype(np.float32).itemsize]
    largest = max(float(X.max()), -float(X.min()))  # no copy, as np.abs would make one
    if largest > limit:
        raise InputError(
            f"a feature is as large as {largest:.3g}, and above {limit:g} sums of squares overflow "
            f"in {X.dtype}; standardise the features"
        )
    return X.copy() if min(X.strides) < 0 else X  # no tensor runs backwards


def _stored(estimator: object, X: StoredRows, y: Any, **options: Any) -> Any:
    """Check everything but the rows themselves."""
    # a table of no memory that looks like them: number and names of features are learned from it
    seen = np.broadcast_to(np.zeros((), dtype=X.dtype), X.shape)
    checked = validated(estimator, seen, y, **{**options, "ensure_all_finite": False})
    return (X, checked[1]) if isinstance(checked, tuple) else X


def checked_labels(y: Any, n_images: int) -> NDArray[Any]:
    """Return class labels as an array of shape (n_images,), or say what is wrong with them."""
    labels = np.asarray(y)
    if labels.shape != (n_images,):
        raise InputError(
            f"labels of shape {labels.shape} were given for {n_images} images; give one class name "
            "for each image"
        )
    try:
        # twice each: that a class may have one image alone is no sign of a regression
        check_classification_targets(np.concatenate([labels, labels]))
    except ValueError as error:
        raise InputError(str(error).splitlines()[0]) from error
    return labels


def _sentence(reason: str, X: Any) -> str:
    if reason.startswith("Expected 2D array"):
        return (
            f"features of shape {np.shape(X)} were given, and (n images, F features) is expected. "
            "Reshape your data: X.reshape(1, -1) for a single image"
        )
    if reason.startswith("The feature names"):
        return reason  # the names are in the lines that follow
    first = reason.splitlines()[0] if reason else "the features cannot be read as numbers"
    advice = next((what for sign, what in _MEND.items() if sign in first), "")
    return f"{first.rstrip('.')}; {advice}" if advice else first
