"""What an experiment's numbers depend on, beside the data and the seed."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

__all__ = ["CLASSES", "PUBLISHED_PAIRS", "UNSEEN", "Setting"]

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "cat",
    "truck",
)
"""The ten classes of CIFAR-10, the paper's two unseen ones last: features are kept in this order,
so that those of the eight seen classes are one piece."""

UNSEEN = ("cat", "truck")
"""The pair that the paper's figures leave out."""

PUBLISHED_PAIRS = (
    ("cat", "dog"),
    ("airplane", "automobile"),
    ("automobile", "deer"),
    ("deer", "ship"),
    ("cat", "truck"),
)
"""The pairs of Fig. 3 (right) of the NIPS 2013 version."""


@dataclass(frozen=True)
class Setting:
    """What all experiments share; the defaults are the paper's, at full size.

    Attributes
    ----------
    n_atoms, n_patches, max_iter : int
        Of the dictionary.
    train_per_class, test_per_class : int or None
        Images of each class; None is all of them.
    alpha : float
        Ridge term of the linear map, in units of the mean variance of a feature.
    n_hidden : int
        Hidden units of the two-layer map.
    table_atoms : tuple of int
        Sizes of dictionary in the table of dictionaries and encoders.
    table_train_per_class : int or None
        Training images of each class in that table.
    n_draws : int
        Draws of random word vectors.
    """

    n_atoms: int = 1600
    n_patches: int = 400_000
    max_iter: int = 30
    train_per_class: int | None = None
    test_per_class: int | None = None
    alpha: float = 0.01
    n_hidden: int = 200
    table_atoms: tuple[int, ...] = (400, 800, 1600)
    table_train_per_class: int | None = 2000
    n_draws: int = 1000

    @classmethod
    def quick(cls) -> Self:
        """Return the small setting: 400 atoms and 1,000 training images a class, minutes in all."""
        return cls(
            n_atoms=400,
            n_patches=50_000,
            max_iter=10,
            train_per_class=1000,
            test_per_class=250,
            table_atoms=(100, 200, 400),
            table_train_per_class=250,
            n_draws=100,
        )

    def with_(self, **changes: Any) -> "Setting":
        """Return a copy with some values changed."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the values, ready for JSON."""
        return asdict(self)
