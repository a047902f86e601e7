"""The features that a model's encoder sees in images, as a parquet file: a row for each image.

What is written is what the model's map is given, standardised where the encoder standardises: what
`read_features` reads is to the model itself, or to another one in training, as good as the images.
"""

import base64
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wordsight import __version__
from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.cost import SECONDS_TO_DECODE
from wordsight.data.dataset import Dataset, OnBroken
from wordsight.data.feature_table import METADATA
from wordsight.data.skipping import SkipBroken
from wordsight.data.source import BrokenImage
from wordsight.exceptions import BrokenImageError, InputError
from wordsight.feature_choice import seconds_to_encode
from wordsight.features.cache import FeatureCache
from wordsight.prediction_inputs import Inputs
from wordsight.progress import report
from wordsight.storage import atomic_path, refuse_existing
from wordsight.unfinished import (
    RowKind,
    digest_of_bytes,
    digest_of_model,
    discard_rows,
    open_rows,
    versions,
)

__all__ = [
    "FeatureRow",
    "Written",
    "about_features",
    "check_feature_file",
    "depends_on",
    "estimate_seconds",
    "feature_rows",
    "write_features",
]

_log = logging.getLogger(__name__)

GROUP_BYTES = 32 << 20
"""Features that wait to be written together, as a row group."""

_GROUP_ROWS = 16_384

_COLUMNS: dict[str, Any] = {"use_dictionary": ["label"], "write_statistics": ["path", "label"]}
"""How columns are written: features tell nothing by their extremes, and hardly repeat."""


@dataclass(frozen=True, eq=False)
class FeatureRow:
    """What an encoder sees in an image, or why it sees nothing.

    Attributes
    ----------
    path : str
        The file, or the row of a table (``images.parquet#17``).
    label : str or None
        Its class, where the images have labels.
    features : ndarray of float32, shape (F,), or None
        None where the image cannot be read.
    error : str or None
        Why it cannot be read.
    """

    path: str
    label: str | None
    features: NDArray[np.float32] | None
    error: str | None = None


@dataclass
class Written:
    """What `write_features` has written.

    Attributes
    ----------
    n_images : int
        Rows of the file.
    class_counts : dict of str to int
        Images of each class; empty without labels.
    broken : list of BrokenImage
        Images that were left out.
    n_resumed : int
        Rows that an interrupted run had computed.
    """

    n_images: int = 0
    class_counts: dict[str, int] = field(default_factory=dict)
    broken: list[BrokenImage] = field(default_factory=list)
    n_resumed: int = 0

    def count(self, rows: Iterable[FeatureRow]) -> Iterator[FeatureRow]:
        """Count rows on their way to somewhere else; those of broken images go no further."""
        for place, row in enumerate(rows):
            if row.error is not None:
                self.broken.append(BrokenImage(place, row.path, row.error))
                continue
            self.n_images += 1
            if row.label is not None:
                self.class_counts[row.label] = self.class_counts.get(row.label, 0) + 1
            yield row


def check_feature_file(out: Path, data: Path) -> None:
    """Raise `InputError` where features of some data cannot go to `out`."""
    if out.suffix.lower() != ".parquet":
        raise InputError(
            f"cannot write features to {out.name!r}; name a file that ends in .parquet"
        )
    if data.is_dir() and data.resolve() in out.resolve().parents:
        raise InputError(
            f"{out} would lie in {data}, and be taken for images the next time; write it elsewhere"
        )


def about_features(model: CrossModalClassifier, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a file of features says of where they come from.

    Parameters
    ----------
    model : CrossModalClassifier
        Trained on images.
    path : path-like
        What it was loaded from.

    Returns
    -------
    dict
        ``model`` (its name) and ``model_digest``, ``encoder``, ``image_size`` (height and width),
        ``n_features``, ``wordsight`` (the version).

    Raises
    ------
    InputError
        The model was trained on ready features.
    """
    features = model.features_
    if features is None:
        raise InputError(
            f"{path} was trained on ready features and has no encoder; name a model that was "
            "trained on images"
        )
    name = getattr(features, "encoder_recipe_", None) or getattr(features, "encoder_name_", None)
    return {
        "model": os.fspath(path) if str(path).startswith("box:") else Path(path).resolve().name,
        "model_digest": digest_of_model(path),
        "encoder": name or type(features).__name__,
        "image_size": [int(side) for side in features.image_size_],
        "n_features": int(features.n_features_out_),
        "wordsight": __version__,
    }


def depends_on(
    model: str | os.PathLike[str],
    data: str | os.PathLike[str],
    dataset: Dataset,
    *,
    device: str | None,
) -> dict[str, str]:
    """Return all that the rows of a run depend on, by what it is called to a person.

    Parameters
    ----------
    model : path-like
        What it was loaded from.
    data : path-like
        What the images were opened from.
    dataset : Dataset
        Those taken.
    device : str or None
        Where the model computes.
    """
    chosen: list[NDArray[Any]] = [dataset.source_rows]
    if dataset.class_labels is not None:
        chosen += [dataset.class_labels.names, dataset.class_labels.codes]
    return {
        "model": digest_of_model(model),
        "device (--device)": str(device),
        "version of Wordsight or its libraries": versions(),
        "choice of images (--split)": digest_of_bytes(*chosen),
        "list of images, or images changed since": Inputs([data]).digest,
    }


def estimate_seconds(model: CrossModalClassifier, n_images: int) -> float:
    """Estimate how long encoding takes on this machine, from a few images that are timed."""
    height, width = model.features_.image_size_
    decoding = n_images * SECONDS_TO_DECODE * max(height, width) ** 2 / 32**2
    encoding, _n = seconds_to_encode(model.features_.transform, n_images, (height, width))
    return float(decoding + encoding)


def feature_rows(
    model: CrossModalClassifier,
    dataset: Dataset,
    *,
    cache: FeatureCache | None = None,
    start: int = 0,
) -> Iterator[list[FeatureRow]]:
    """Yield a row for every image, in order, as features are computed: some images at a time.

    Parameters
    ----------
    model : CrossModalClassifier
        Trained on images.
    dataset : Dataset
    cache : FeatureCache, optional
        Where features are kept and found again.
    start : int, default 0
        How many rows there are already. Where they are whole batches, the others come out bit for
        bit as if all had been computed at once.

    Yields
    ------
    list of FeatureRow
        A batch: what is broken before an image that can be read belongs to its batch.
    """
    if start >= len(dataset):
        return
    images = SkipBroken(dataset, start)
    made = model.feature_blocks(images, cache=cache)
    for batch in images.with_broken((rows, list(part)) for rows, part in made):
        yield [_row(dataset, one) for one in batch]


def _row(dataset: Dataset, one: tuple[int, NDArray[Any]] | BrokenImage) -> FeatureRow:
    row = one.row if isinstance(one, BrokenImage) else one[0]
    label = dataset.label(row)
    if isinstance(one, BrokenImage):
        return FeatureRow(one.name, label, None, one.reason)
    return FeatureRow(dataset.name(row), label, one[1].astype(np.float32, copy=False))


def write_features(
    model: CrossModalClassifier,
    dataset: Dataset,
    out: str | os.PathLike[str],
    *,
    about: Mapping[str, Any],
    on_broken: OnBroken = "error",
    cache: FeatureCache | None = None,
    resume: Mapping[str, str] | None = None,
    overwrite: bool = False,
    rows: Iterable[list[FeatureRow]] | None = None,
) -> Written:
    """Write the features of images to a parquet file, which appears whole or not at all.

    Memory holds some images and a row group of 32 megabytes.

    Parameters
    ----------
    model : CrossModalClassifier
        Trained on images.
    dataset : Dataset
        With or without labels.
    out : path-like
        Columns ``path``, ``label`` where there are labels, and ``features``, lists of F numbers.
    about : mapping
        What the file says of their origin, from `about_features`.
    on_broken : {"error", "skip"}, default "error"
        Whether an image that cannot be read ends the work, or has no row.
    cache : FeatureCache, optional
        Where features are kept and found again.
    resume : mapping of str to str, optional
        What the rows depend on, from `depends_on`: rows are then kept beside the output until it
        is whole, and those that an interrupted run left are not computed again.
    overwrite : bool, default False
        Replace an output, or rows of another run, that is there.
    rows : iterable of list of FeatureRow, optional
        What `feature_rows` yields, where that is computed elsewhere, such as on a cluster.

    Returns
    -------
    Written

    Raises
    ------
    InputError
        The output exists, rows beside it are of another run, or no image can be read.
    BrokenImageError
        An image cannot be read, and `on_broken` is "error".
    WordsightError
        The file cannot be written.
    """
    place, written = Path(out), Written()
    schema = _schema(about, labelled=dataset.class_labels is not None)
    if resume is None:
        refuse_existing(place, overwrite=overwrite)
        made = feature_rows(model, dataset, cache=cache) if rows is None else rows
        _write(written.count(_checked(chain.from_iterable(made), on_broken)), place, schema)
        discard_rows(place)
        return written
    with open_rows(place, resume, _KEPT, restart=overwrite) as kept:
        if not kept.stands(place):
            refuse_existing(place, overwrite=overwrite)
        written.n_resumed = kept.n_rows
        _log.info("%d of %d rows are there already", kept.n_rows, len(dataset))
        for batch in feature_rows(model, dataset, start=kept.n_rows):
            kept.append(list(_checked(batch, on_broken)))  # a whole batch, or nothing of it
        kept.commit()
        found = _checked(_told(kept.rows(), dataset), on_broken)
        _write(written.count(found), place, schema, on_written=kept.finish)
        kept.remove()
    return written


def _checked(rows: Iterable[FeatureRow], on_broken: OnBroken) -> Iterator[FeatureRow]:
    """Let rows pass; raise the first broken image, unless it is to be skipped."""
    for row in rows:
        if row.error is not None and on_broken == "error":
            raise BrokenImageError(row.path, row.error)
        yield row


def _told(rows: Iterable[FeatureRow], dataset: Dataset) -> Iterator[FeatureRow]:
    for n_done, row in enumerate(rows, 1):
        yield row
        report("writing features", n_done, len(dataset))


def _schema(about: Mapping[str, Any], *, labelled: bool) -> pa.Schema:
    fields: list[tuple[str, pa.DataType]] = [("path", pa.string())]
    if labelled:
        fields.append(("label", pa.string()))
    fields.append(("features", pa.list_(pa.float32(), int(about["n_features"]))))
    return pa.schema(fields, metadata={METADATA: json.dumps(dict(about)).encode()})


def _write(
    rows: Iterable[FeatureRow],
    place: Path,
    schema: pa.Schema,
    *,
    on_written: Callable[[Path], object] | None = None,
) -> None:
    n_features = schema.field("features").type.list_size
    at_once = max(1, min(_GROUP_ROWS, GROUP_BYTES // (4 * n_features)))
    waiting: list[FeatureRow] = []
    n_rows = 0
    with atomic_path(place) as temporary:
        with (
            temporary.open("wb") as file,
            pq.ParquetWriter(
                file, schema, use_dictionary=False, write_statistics=["path", "label"]
            ) as writer,
        ):
            for row in rows:
                waiting.append(row)
                if len(waiting) == at_once:
                    writer.write_table(_table(waiting, schema))
                    n_rows += len(waiting)
                    waiting.clear()
            if waiting:
                writer.write_table(_table(waiting, schema))
        if not n_rows and not waiting:
            raise InputError("none of the images can be read; give images that can")
        if on_written is not None:
            on_written(temporary)


def _table(rows: list[FeatureRow], schema: pa.Schema) -> pa.Table:
    values = pa.array(np.concatenate([row.features for row in rows if row.features is not None]))
    columns = {
        "path": pa.array([row.path for row in rows], pa.string()),
        "features": pa.FixedSizeListArray.from_arrays(values, type=schema.field("features").type),
    }
    if "label" in schema.names:
        columns["label"] = pa.array([row.label for row in rows], pa.string())
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _kept(row: FeatureRow) -> list[Any]:
    packed = None
    if row.features is not None:
        packed = base64.b64encode(row.features.astype("<f4").tobytes()).decode("ascii")
    return [row.path, row.label, packed, row.error]


def _found(values: list[Any]) -> FeatureRow:
    path, label, packed, error = values
    features = None
    if packed is not None:
        features = np.frombuffer(base64.b64decode(packed), dtype="<f4").astype(np.float32)
    return FeatureRow(path, label, features, error)


_KEPT = RowKind("wordsight-unfinished-features 1", "features", _kept, _found)
