"""How long training takes, estimated from a product that is timed on the machine at hand.

Nearly all time goes into matrix products, whose operations can be counted beforehand. With n
images, m patches an image, p = 108 numbers a patch, K atoms, F features and C classes:

* dictionary: ``2 · n_patches · p · K`` a pass, about 15 passes;
* features: ``2 · n · m · p · K``, and as much again for threshold and pooling; twice that where
  mirror images are encoded, too;
* map: ``2 · n · F²`` for the statistics, of which about half is computed; and a factorisation of
  ``F³ / 3``, which runs at half the speed, for each ridge term tried in each fold (about 4 × 4),
  and two in double precision, each at half the speed again;
* two-layer map with H hidden units: ``4 · n · F · H`` an iteration, and ``2 · F² · H`` to keep the
  problem round, about 30 iterations, at half the speed;
* classes held out in turn, T of them at most ten, where a gate learns from that or the model is
  tuned: the statistics once more, and for each ridge term a factorisation and about 30 steps of
  conjugate gradients for ``T · C`` columns, ``2 · F² + 4 · n · F / 5`` each, at a third of the
  speed; as much again for the gates;
* softmax: ``4 · n · F · C`` an iteration, about 30 iterations, at a tenth of the speed, since the
  features are read from memory each time.

The speed is that of a product of the encoder's shape; decoding adds half a millisecond an image
and pass.
"""

from time import perf_counter

import torch

from wordsight.compute import resolve_device

__all__ = ["RIDGE_TERMS_TRIED", "count_operations", "estimate_seconds", "measure_speed"]

RIDGE_TERMS_TRIED = 4
"""How many ridge terms a search along the grid takes, mostly."""

N_TRIALS = 10
TRIAL_STEPS = 30

PATCH_SIZE = 6
DICTIONARY_PASSES = 15
FACTORISATIONS = 16
TWO_LAYER_PASSES = 30
SOFTMAX_PASSES = 30
SECONDS_TO_DECODE = 5e-4
SECONDS_AT_LEAST = 1.0
_ATOMS = 400
"""Of the product that is timed where there is no dictionary."""


def estimate_seconds(
    *,
    n_images: int,
    n_classes: int,
    image_size: int,
    n_atoms: int,
    n_patches: int,
    values_per_atom: int,
    learns_dictionary: bool,
    tries_alpha: bool,
    n_features: int | None = None,
    looks: int = 1,
    n_hidden: int = 0,
    ridge_terms_on_trials: int = 0,
    trains_softmax: bool = True,
    device: str | None = None,
) -> float:
    """Estimate the seconds that training takes, as the module describes.

    Parameters
    ----------
    n_images, n_classes : int
        To learn from.
    image_size : int
        Height and width, in pixels.
    n_atoms, n_patches : int
        Of the dictionary, and to learn it from; 0 atoms where features are made otherwise.
    values_per_atom : int
        2 with the sign split, else 1.
    learns_dictionary, tries_alpha : bool
        Whether the dictionary takes passes over its patches, and whether the ridge term is
        searched for.
    n_features : int or None, default None
        F, where features are made otherwise than by a dictionary; how long that takes is not
        counted.
    looks : int, default 1
        How often each image is encoded.
    n_hidden : int, default 0
        Hidden units of the map; 0 for the linear one.
    ridge_terms_on_trials : int, default 0
        With how many ridge terms classes are held out in turn.
    trains_softmax : bool, default True
        Whether there is a softmax to train.
    device : str or None
        Where to compute.

    Returns
    -------
    float
    """
    operations = count_operations(
        n_images=n_images,
        n_classes=n_classes,
        image_size=image_size,
        n_atoms=n_atoms,
        n_patches=n_patches,
        n_features=4 * values_per_atom * n_atoms if n_features is None else n_features,
        n_passes=DICTIONARY_PASSES if learns_dictionary else 0,
        n_factorisations=FACTORISATIONS if tries_alpha else 0,
        looks=looks,
        n_hidden=n_hidden,
        ridge_terms_on_trials=ridge_terms_on_trials,
        softmax_passes=SOFTMAX_PASSES if trains_softmax else 0,
    )
    decoding = 2 * n_images * SECONDS_TO_DECODE * (image_size / 32) ** 2
    return SECONDS_AT_LEAST + decoding + operations / measure_speed(n_atoms or _ATOMS, device)


def count_operations(
    *,
    n_images: int,
    n_classes: int,
    image_size: int,
    n_atoms: int,
    n_patches: int,
    n_features: int,
    n_passes: int,
    n_factorisations: int,
    looks: int = 1,
    n_hidden: int = 0,
    ridge_terms_on_trials: int = 0,
    softmax_passes: int = SOFTMAX_PASSES,
) -> float:
    """Count multiplications and additions, slower ones by the time they take.

    Parameters
    ----------
    n_images, n_classes : int
        Images to learn from, and their classes.
    image_size : int
        Height and width in pixels.
    n_atoms, n_patches : int
        Atoms of the dictionary, and the patches it is learned from.
    n_features : int
        F.
    n_passes : int
        Passes over the patches.
    n_factorisations : int
        Cholesky factors of F × F.
    looks : int, default 1
        How often each image is encoded.
    n_hidden : int, default 0
        Hidden units of the map; 0 for the linear one.
    ridge_terms_on_trials : int, default 0
        With how many ridge terms classes are held out in turn.
    softmax_passes : int
        Iterations of the softmax.

    Returns
    -------
    float
        Operations.
    """
    p = 3 * PATCH_SIZE**2
    per_image = max(image_size - PATCH_SIZE + 1, 1) ** 2
    F = float(n_features)
    dictionary = 2.0 * n_patches * p * n_atoms * n_passes
    features = 2 * 2.0 * looks * n_images * per_image * p * n_atoms
    statistics = 2.0 * n_images * F**2 / 2
    factor = 2 * F**3 / 3
    solving = factor * n_factorisations + 2 * 2 * factor
    layers = 2 * (4.0 * n_images * F + 2.0 * F**2) * n_hidden * TWO_LAYER_PASSES
    columns = min(n_classes, N_TRIALS) * n_classes
    steps = 3 * TRIAL_STEPS * columns * (2.0 * F**2 + 4.0 * n_images * F / 5)
    trials = ridge_terms_on_trials * (factor + 2 * steps)
    trials += statistics if ridge_terms_on_trials else 0.0
    softmax = 10 * 4.0 * n_images * F * n_classes * softmax_passes
    return dictionary + features + statistics + solving + trials + layers + softmax


def measure_speed(n_atoms: int, device: str | None = None, *, seconds: float = 0.2) -> float:
    """Time a float32 product of patches and atoms; return its operations a second.

    Parameters
    ----------
    n_atoms : int
    device : str or None
        Where to compute.
    seconds : float, default 0.2
        How long to go on.

    Returns
    -------
    float
    """
    where = resolve_device(device)
    patches = torch.rand(4096, 3 * PATCH_SIZE**2, device=where)
    atoms = torch.rand(patches.shape[1], max(n_atoms, 1), device=where)
    product = patches @ atoms  # the first one also sets things up
    _wait(where)
    start, count = perf_counter(), 0
    while (spent := perf_counter() - start) < seconds or count == 0:
        torch.matmul(patches, atoms, out=product)
        _wait(where)
        count += 1
    return 2.0 * patches.numel() * atoms.shape[1] * count / spent


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
