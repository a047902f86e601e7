"""Features of images on a cluster: each shard's are encoded by a worker and lie in a part."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from wordsight.data.dataset import Dataset
from wordsight.data.sharding import Shard
from wordsight.distributed.cluster import Cluster
from wordsight.distributed.cost import where_to_sum
from wordsight.distributed.job import Job
from wordsight.distributed.parts import Content, PartFolder
from wordsight.distributed.rows import ClusterRows, FeaturePart
from wordsight.distributed.run import LEARNED, Run, check_folder
from wordsight.distributed.worker import placed
from wordsight.exceptions import DataError, InputError
from wordsight.features.cache import Precision
from wordsight.rows import StoredRows

__all__ = ["ClusterFeatures"]


@runtime_checkable
class InTwoSteps(Protocol):
    """Features that are fitted in two steps, between which all images are encoded anywhere."""

    def begin(self, images: Any) -> Any:
        """Learn what encoding depends on."""

    def raw(self, images: Any) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows and features, not standardised."""

    def learn_scale(self, raw: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Learn the standardisation from all raw features."""


@dataclass
class ClusterFeatures:
    """Fits features, and encodes all training images on a cluster.

    `CrossModalClassifier.fit` takes it as `cache`.

    Attributes
    ----------
    cluster : Cluster
    job : Job
    settings : dict of str to str
        All that features depend on beside the images.
    precision : {"float32", "float16"}
        How features are stored.
    on_choice : callable, optional
        Told where the softmax is trained, and why.
    """

    cluster: Cluster
    job: Job
    settings: Mapping[str, str]
    precision: Precision = "float32"
    on_choice: Callable[[str], None] | None = None

    def fit_features(self, features: Any, images: Any) -> StoredRows:
        """Fit features, and return those of all images, standardised.

        Parameters
        ----------
        features : PatchFeatures or EncodedFeatures
        images : Dataset
            In files that each worker sees.

        Returns
        -------
        ClusterRows, shape (n, F)

        Raises
        ------
        InputError
            The features are learned from labels, or the images lie in memory.
        WordsightError
            A shard failed.
        """
        if not isinstance(features, InTwoSteps):
            raise InputError(
                f"a cluster was given to train with {type(features).__name__}, which is trained on "
                "one machine; train it there, write its features on the cluster (wordsight "
                "features MODEL DATA --cluster) and fit on these"
            )
        if not isinstance(images, Dataset):
            raise InputError(
                f"{type(images).__name__} was given to a cluster; give a data set in files, from "
                "open_dataset"
            )
        pieces = self.job.cut(images)
        check_folder(self.job.folder, "fit")
        learned = self._learn(features, images, [piece.shard.identity() for piece in pieces])
        about = {**self.settings, "learned from all images": learned, "stored as": self.precision}
        run = self.job.run("fit", about, pieces)
        run.max_failed = 0  # a model of fewer images than were asked for is another model
        run.begin()
        run.complete(
            self.cluster,
            _encode_shard,
            features,
            self.precision,
            doing="computing features on the cluster",
        )
        rows = self._rows(run)
        rows.sums_here, reason = where_to_sum(self.cluster, rows)
        if self.on_choice is not None:
            self.on_choice(reason)
        return rows.standardised(*features.learn_scale(rows))

    def _learn(self, features: InTwoSteps, images: Dataset, identity: list[str]) -> str:
        """Learn what encoding depends on, or take it from an earlier start of the same run.

        Returns a digest of what it was learned from.
        """
        folder = self.job.folder
        text = json.dumps([sorted(self.settings.items()), identity])
        digest = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
        name = f"{LEARNED}/{digest}"
        kept = _kept(folder, name)
        if kept is None:
            before = set(vars(features))
            features.begin(images)
            learned = {key: vars(features)[key] for key in set(vars(features)) - before}
            arrays = {key: one for key, one in learned.items() if isinstance(one, np.ndarray)}
            plain = {key: one for key, one in learned.items() if _is_plain(one)}
            for other in folder.names(LEARNED):
                folder.remove(f"{LEARNED}/{other}")
            folder.write(name, save_tensors(arrays), plain)
            kept = {**arrays, **plain}
        for key, value in kept.items():
            # JSON knows no tuples
            setattr(features, key, tuple(value) if isinstance(value, list) else value)
        return digest

    def _rows(self, run: Run) -> ClusterRows:
        parts, width = [], 0
        for name in run.names():
            facts = run.folder.facts(name)
            if facts is None:
                raise DataError(f"{run.folder.url}/{name} is damaged; give the same command again")
            parts.append(FeaturePart(name, int(facts["n_rows"])))
            width = max(width, int(facts["n_features"]))
        return ClusterRows(self.cluster, run.folder, parts, width)


def _is_plain(value: Any) -> bool:
    """Tell what is learned, beside arrays, from what is only kept to be fast."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


def _kept(folder: PartFolder, name: str) -> dict[str, Any] | None:
    try:
        part = folder.read(name)
    except DataError:
        return None
    return {**load_tensors(part.content), **part.facts}


def _encode_shard(
    shard: Shard, features: InTwoSteps, precision: Precision
) -> tuple[Content, dict[str, Any]]:
    """Encode the images of a shard; memory holds the features of all of them."""
    made: NDArray[Any] | None = None
    n_rows = 0
    for _rows, part in placed(features).raw(shard.open()):
        if made is None:
            made = np.empty((shard.n_images, part.shape[1]), dtype=precision)
        with np.errstate(over="ignore"):
            made[n_rows : n_rows + len(part)] = part
        n_rows += len(part)
    if made is None:
        made = np.empty((0, 0), dtype=precision)
    if precision == "float16" and not np.isfinite(made[:n_rows]).all():
        raise InputError(
            "a feature is too large for float16 (above 65,504); keep features in float32"
        )
    return as_npy(made[:n_rows]), {"n_rows": n_rows, "n_features": made.shape[1]}


def as_npy(array: NDArray[Any]) -> list[bytes | memoryview]:
    """Return an array as the bytes of a .npy file, without a copy of it."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return [header.getvalue(), np.ascontiguousarray(array).data.cast("B")]
