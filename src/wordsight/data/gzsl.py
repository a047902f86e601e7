"""The standard benchmark's files: features, attributes and the proposed split of Xian et al."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.data.matlab import read_mat
from wordsight.exceptions import DataError, InputError

__all__ = ["FEATURES_FILE", "SPLITS_FILE", "StandardSplit", "open_gzsl"]

FEATURES_FILE = "res101.mat"
SPLITS_FILE = "att_splits.mat"

_PARTS = ("trainval_loc", "test_seen_loc", "test_unseen_loc")


@dataclass(frozen=True)
class StandardSplit:
    """One data set of the standard benchmark.

    Attributes
    ----------
    name : str
        Of its folder.
    features : ndarray of float32, shape (n, F)
    labels : ndarray of str, shape (n,)
    classes : ndarray of str, shape (n_classes,)
        In the order of the file.
    attributes : ndarray of float64, shape (n_classes, d)
        A vector for each class, its word vector here.
    train, test_seen, test_unseen : ndarray of int64
        Rows to learn from, of seen classes to test on, and of unseen ones.
    digest : str
        SHA-256 of the split: of labels, classes and the three lists of rows, whatever features
        come with it.
    """

    name: str
    features: NDArray[np.float32]
    labels: NDArray[np.str_]
    classes: NDArray[np.str_]
    attributes: NDArray[np.float64]
    train: NDArray[np.int64]
    test_seen: NDArray[np.int64]
    test_unseen: NDArray[np.int64]
    digest: str

    @property
    def seen(self) -> list[str]:
        """Classes to learn from, sorted."""
        return sorted(set(self.labels[self.train].tolist()))

    @property
    def unseen(self) -> list[str]:
        """Classes without a training image, sorted."""
        return sorted(set(self.labels[self.test_unseen].tolist()))

    @property
    def words(self) -> dict[str, NDArray[np.float64]]:
        """The vector of each class under its name."""
        return dict(zip(self.classes.tolist(), self.attributes, strict=True))


def open_gzsl(folder: str | os.PathLike[str]) -> StandardSplit:
    """Read ``res101.mat`` and ``att_splits.mat`` of a folder.

    Parameters
    ----------
    folder : path-like
        Of one data set, such as ``AWA2``.

    Returns
    -------
    StandardSplit

    Raises
    ------
    InputError
        The folder, or one of the files, is not there.
    DataError
        A file is broken, lacks a variable, or its numbers do not fit together: features turned
        over, a label without a class, a row in two parts of the split, an unseen class among the
        training images.

    References
    ----------
    Xian, Lampert, Schiele, Akata: "Zero-Shot Learning: A Comprehensive Evaluation of the Good, the
    Bad and the Ugly", 2018; the "proposed split" version 2.0.
    """
    place = Path(folder)
    for name in (FEATURES_FILE, SPLITS_FILE):
        if not (place / name).is_file():
            raise InputError(
                f"there is no {name} in {place}; give the folder of one data set of the proposed "
                "splits, such as xlsa17/data/AWA2"
            )
    found = _variables(place / FEATURES_FILE, ("features", "labels"))
    split = _variables(place / SPLITS_FILE, ("att", "allclasses_names", *_PARTS))
    classes = np.char.strip(split["allclasses_names"].astype(np.str_).reshape(-1))
    codes = _rows(place / FEATURES_FILE, "labels", found["labels"], len(classes))
    features = _features(place / FEATURES_FILE, found["features"], len(codes))
    attributes = _attributes(place / SPLITS_FILE, split["att"], len(classes))
    parts = [_rows(place / SPLITS_FILE, name, split[name], len(codes)) for name in _PARTS]
    _check_parts(place, parts, codes, classes)
    digest = hashlib.sha256()
    for rows in (codes, *map(np.sort, parts)):
        digest.update(rows.astype("<i8").tobytes() + b"|")
    digest.update("|".join(classes.tolist()).encode())
    train, test_seen, test_unseen = map(np.sort, parts)
    return StandardSplit(
        name=place.resolve().name,
        features=features,
        labels=classes[codes],
        classes=classes,
        attributes=attributes,
        train=train,
        test_seen=test_seen,
        test_unseen=test_unseen,
        digest=digest.hexdigest(),
    )


def _variables(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    found = read_mat(path, names)
    lacking = [name for name in names if name not in found]
    if lacking:
        raise DataError(
            f"{path} has no {', '.join(lacking)}; expected the file of the proposed splits by "
            "that name"
        )
    return found


def _rows(path: Path, name: str, values: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Return numbers that count from 1 as rows from 0."""
    try:
        flat = values.reshape(-1).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {name} holds no numbers; fetch the file again") from error
    if not len(flat) or not np.isfinite(flat).all() or (flat != np.round(flat)).any():
        raise DataError(f"{path}: {name} is no list of whole numbers; fetch the file again")
    if flat.min() < 1 or flat.max() > n:
        raise DataError(
            f"{path}: {name} counts from {flat.min():g} to {flat.max():g}, and there are {n} to "
            "count, from 1; fetch both files of one data set"
        )
    return flat.astype(np.int64) - 1


def _features(path: Path, values: NDArray[Any], n: int) -> NDArray[np.float32]:
    if values.ndim != 2 or values.shape[1] != n or values.dtype.kind not in "fiu":
        turned = values.ndim == 2 and values.shape[0] == n
        more = ": it is turned over, save it with one column an image" if turned else ""
        raise DataError(
            f"{path}: features have shape {values.shape}, and there are labels of {n} images; "
            f"expected one column an image{more}"
        )
    features = np.ascontiguousarray(values.T, dtype=np.float32)
    _check_finite(path, "features", features)
    return features


def _attributes(path: Path, values: NDArray[Any], n_classes: int) -> NDArray[np.float64]:
    if values.ndim != 2 or values.shape[1] != n_classes or values.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: att has shape {values.shape}, and there are {n_classes} classes; expected "
            "one column a class"
        )
    attributes = np.ascontiguousarray(values.T, dtype=np.float64)
    _check_finite(path, "att", attributes)
    return attributes


def _check_finite(path: Path, name: str, values: NDArray[Any]) -> None:
    wrong = np.count_nonzero(~np.isfinite(values))
    if wrong:
        raise DataError(f"{path}: {wrong} numbers of {name} are NaN or infinite; fetch it again")


def _check_parts(
    place: Path,
    parts: list[NDArray[np.int64]],
    codes: NDArray[np.int64],
    classes: NDArray[np.str_],
) -> None:
    """Refuse a split that tests on what was learned, or learns what is to be unseen."""
    if len(set(classes.tolist())) < len(classes):
        raise DataError(f"{place}/{SPLITS_FILE} names a class twice; fetch the file again")
    every = np.concatenate(parts)
    if len(np.unique(every)) < len(every):
        raise DataError(
            f"{place}/{SPLITS_FILE} has an image twice among {', '.join(_PARTS)}; fetch it again"
        )
    learned, seen, unseen = (set(codes[rows].tolist()) for rows in parts)
    leaked = classes[sorted(learned & unseen)]
    if len(leaked):
        raise DataError(
            f"{place}/{SPLITS_FILE} learns from images of {', '.join(leaked)}, which are to be "
            "unseen; take the proposed split, not the standard one"
        )
    strange = classes[sorted(seen - learned)]
    if len(strange):
        raise DataError(
            f"{place}/{SPLITS_FILE} tests {', '.join(strange)} as seen without a training image; "
            "fetch it again"
        )
