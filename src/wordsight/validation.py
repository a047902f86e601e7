"""Arrays that users give to estimators: scikit-learn's checks, refused in one sentence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from wordsight.exceptions import InputError
from wordsight.rows import StoredRows

__all__ = ["checked_labels", "validated"]

_MEND = {
    "contains NaN": "leave these images out, or mend their features",
    "contains infinity": "leave these images out, or mend their features",
    "features as input": "give the features that it was fitted on",
    "0 sample(s)": "give at least one image",
    "inconsistent numbers of samples": "give one label, or one row of targets, for each image",
}
"""What to do about a refusal that says so."""


def validated(estimator: object, X: Any, y: Any = "no_validation", **options: Any) -> Any:
    """Check arrays as `sklearn.utils.validation.validate_data` does.

    Parameters
    ----------
    estimator : estimator
        Learns, or is compared with, the number and names of features.
    X : array-like, shape (n, F)
    y : array-like, optional
    **options
        As for scikit-learn's function.

    Returns
    -------
    ndarray, or two of them where y is given

    Raises
    ------
    InputError
        NaN, infinity, a wrong shape, another number of features or of labels: one sentence, which
        begins as scikit-learn's does.

    Notes
    -----
    Stored rows are returned as they are: whoever stored them has checked them.
    """
    if isinstance(X, StoredRows):
        return _stored(estimator, X, y, **options)
    try:
        return validate_data(estimator, X, y, **options)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(_sentence(str(error), X)) from error


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
        check_classification_targets(labels)
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
