"""All ten classes of CIFAR-10 as seen: the check of the features against Coates & Ng (2011).

``python -m benchmarks.ten_classes DATA SEED`` prints one JSON object with the test accuracy of the
softmax and of the kind of classifier that their published accuracy is of, a linear one-vs-all SVM
with squared hinge loss, ``½ ‖w‖² + C · mean(hinge²)``. Its C is chosen on a tenth of the training
images, from their 100 upwards; test images have no part in it.
"""

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import fmin_l_bfgs_b

from wordsight import PatchFeatures, SoftmaxClassifier, open_dataset
from wordsight.compute import RidgeFactor, blocks, in_order, partial

CHOICES = (100.0, 200.0, 400.0)
ROWS = 2048

Weights = NDArray[np.float64]
"""Coordinates of coefficients and intercepts, whitened and flat."""


class L2SVM:
    """One-vs-all linear SVMs with squared hinge loss, by L-BFGS in whitened coordinates.

    Parameters
    ----------
    X : ndarray, shape (n, F)
    targets : ndarray, shape (n, k)
        +1 for the class of a row, −1 for the others.
    factor : RidgeFactor
        Of the covariance of X; it shapes the way and not the end.
    """

    def __init__(
        self, X: NDArray[np.float32], targets: NDArray[np.float32], factor: RidgeFactor
    ) -> None:
        self.X, self.targets, self.factor = X, targets, factor

    def train(self, rows: NDArray[np.int64], C: float, start: Weights | None = None) -> Weights:
        """Minimise the objective over some rows."""
        size = (self.X.shape[1] + 1) * self.targets.shape[1]
        begin = np.zeros(size) if start is None else start
        best, _loss, _facts = fmin_l_bfgs_b(
            lambda flat: self._objective(flat, rows, C),
            begin,
            m=20,
            factr=0.0,
            pgtol=1e-4 * C,
            maxiter=200,
        )
        return np.asarray(best, dtype=np.float64)

    def scores(self, X: NDArray[np.float32], weights: Weights) -> NDArray[Any]:
        """Return the score of each class, shape (n, k)."""
        W, b = self._unpack(weights)
        found: NDArray[Any] = X @ W.float().numpy() + b.numpy()
        return found

    def _unpack(self, flat: Weights) -> tuple[torch.Tensor, torch.Tensor]:
        U = torch.from_numpy(flat).view(-1, self.targets.shape[1])
        W = self.factor.unwhiten(U[:-1])
        return W, U[-1] - self.factor.mean_x @ W

    def _objective(
        self, flat: Weights, rows: NDArray[np.int64], C: float
    ) -> tuple[float, NDArray[np.float64]]:
        W, b = self._unpack(flat)
        filters, bias = W.float(), b.float()

        def part(cut: slice) -> tuple[float, torch.Tensor, torch.Tensor]:
            some = rows[cut]
            x, t = torch.from_numpy(self.X[some]), torch.from_numpy(self.targets[some])
            hinge = (1.0 - t * (x @ filters + bias)).clamp(min=0.0)
            slope = -2.0 * hinge * t
            return float(hinge.double().square().sum()), slope.T @ x, slope.double().sum(0)

        loss, across, along = 0.0, torch.zeros_like(W.T), torch.zeros_like(b)
        for lost, more, most in in_order(part, blocks(len(rows), ROWS)):
            loss += lost
            across += more
            along += most
        weight = C / len(rows)
        W_slope = weight * across.T + W
        b_slope = weight * along
        U_slope = self.factor.whiten(W_slope - torch.outer(self.factor.mean_x, b_slope))
        total = weight * loss + 0.5 * float(W.square().sum())
        return total, torch.cat([U_slope, b_slope[None]]).flatten().numpy()


def measure(data: Path, seed: int) -> dict[str, Any]:
    """Learn features from the training images, and both classifiers on them."""
    start = perf_counter()
    train, test = (open_dataset(data / "cifar10", split=split) for split in ("train", "test"))
    assert train.labels is not None and test.labels is not None
    encoder = PatchFeatures(image_size=32, random_state=seed)
    X = encoder.fit_transform(train)
    Xt = encoder.transform(test)
    classes, codes = np.unique(train.labels, return_inverse=True)
    targets = (2.0 * np.eye(len(classes))[codes] - 1.0).astype(np.float32)
    factor = RidgeFactor(partial(X, targets), 1.0 / CHOICES[0])
    softmax = SoftmaxClassifier().fit(X, train.labels, factor=factor)
    svm = L2SVM(X, targets, factor)
    held_out, rest = np.split(np.random.RandomState(seed).permutation(len(X)), [len(X) // 10])
    accuracies: dict[float, float] = {}
    weights: Weights | None = None
    for C in CHOICES:
        weights = svm.train(rest, C, weights)
        right = svm.scores(X[held_out], weights).argmax(1) == codes[held_out]
        accuracies[C] = float(right.mean())
    C = max(accuracies, key=lambda choice: accuracies[choice])
    weights = svm.train(np.arange(len(X)), C, weights)
    chosen = classes[svm.scores(Xt, weights).argmax(1)]
    return {
        "softmax_accuracy": float((softmax.predict(Xt) == test.labels).mean()),
        "l2_svm_accuracy": float((chosen == test.labels).mean()),
        "C": C,
        "held_out_accuracies": {f"{choice:g}": value for choice, value in accuracies.items()},
        "seconds": perf_counter() - start,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(measure(given.data, given.seed)) + "\n")
