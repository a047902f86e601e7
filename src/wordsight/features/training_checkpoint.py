"""The state of a training after its last whole epoch, in one file that appears whole or not at all.

Weights and momentum are tensors of a safetensors file, all else is JSON in its header: one file, so
that they always belong to the same epoch. Every epoch draws its random numbers from a generator of
its own, seeded by the number of the epoch: that number is all there is to know of them.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wordsight.exceptions import DataError, InputError
from wordsight.storage import atomic_path

__all__ = ["FILE_NAME", "TrainingCheckpoint", "TrainingState"]

FORMAT = "wordsight-training"
FILE_NAME = "training.safetensors"


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands.

    Attributes
    ----------
    n_epochs_done : int
    losses : list of float
        Mean loss of each epoch done.
    weights, momentum : Tensor of float32, in one dimension
        Of the network and its classifier; of the optimiser.
    """

    n_epochs_done: int
    losses: list[float]
    weights: torch.Tensor
    momentum: torch.Tensor


class TrainingCheckpoint:
    """Keeps the state of one training in a folder, and finds it again.

    Parameters
    ----------
    folder : path-like
        Made where it is missing.
    settings : mapping
        All that the training depends on, as JSON knows it. A state that was kept under other
        settings is not gone on with.
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.path = Path(folder) / FILE_NAME
        self._settings: dict[str, Any] = json.loads(json.dumps(dict(settings)))

    def save(self, state: TrainingState) -> None:
        """Keep the state of an epoch in place of that of the one before."""
        about = {
            "settings": self._settings,
            "n_epochs_done": state.n_epochs_done,
            "losses": state.losses,
        }
        with atomic_path(self.path) as temporary:
            try:
                save_file(
                    {"weights": state.weights, "momentum": state.momentum},
                    temporary,
                    metadata={"format": FORMAT, "training": json.dumps(about)},
                )
            except SafetensorError as error:
                # a full disk comes as one of these, and whoever writes files expects an OSError
                raise OSError(str(error)) from error

    def load(self) -> TrainingState | None:
        """Return the state that was kept, or None where there is none yet.

        Raises
        ------
        InputError
            It is that of a training with other settings or images.
        DataError
            The file is damaged, or none that Wordsight wrote.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                header = dict(file.metadata() or {})
                if header.get("format") != FORMAT:
                    raise ValueError("not written by a training")
                about = json.loads(header["training"])
                state = TrainingState(
                    int(about["n_epochs_done"]),
                    [float(loss) for loss in about["losses"]],
                    file.get_tensor("weights"),
                    file.get_tensor("momentum"),
                )
            settings = dict(about["settings"])
        except (OSError, SafetensorError, ValueError, LookupError, TypeError) as error:
            raise DataError(
                f"{self.path} is damaged or no training that was kept ({error}); remove it to "
                "start afresh, or name another folder"
            ) from error
        self._check(settings)
        return state

    def _check(self, kept: dict[str, Any]) -> None:
        names = [*self._settings, *(name for name in kept if name not in self._settings)]
        changed = [name for name in names if kept.get(name) != self._settings.get(name)]
        if changed:
            said = ", ".join(
                f"{name} was {_shown(kept.get(name))} and is {_shown(self._settings.get(name))}"
                for name in changed
            )
            raise InputError(
                f"{self.path} was kept by another training ({said}); name another folder, or "
                "remove this file to start afresh"
            )


def _shown(value: Any) -> str:
    return str(value) if not isinstance(value, str) else repr(value[:12])
