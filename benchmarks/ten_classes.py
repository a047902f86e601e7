"""All ten classes of CIFAR-10 as seen: the check of the features against Coates & Ng (2011).

``python -m benchmarks.ten_classes DATA SEED`` prints one JSON object with the test accuracy of the
softmax and of the classifier that their published accuracy is of, a linear one-vs-all SVM with
squared hinge loss and C = 100.
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

C = 100.0
"""Of ``½ ‖w‖² + C · mean(hinge²)``: the constant of Coates & Ng's published experiments."""

ROWS = 2048


def l2_svm(
    X: NDArray[np.float32], targets: NDArray[np.float32], factor: RidgeFactor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Train one-vs-all linear SVMs with squared hinge loss, by L-BFGS in whitened coordinates.

    Parameters
    ----------
    X : ndarray, shape (n, F)
    targets : ndarray, shape (n, k)
        +1 for the class of a row, −1 for the others.
    factor : RidgeFactor
        Of the covariance of X; it shapes the way and not the end.

    Returns
    -------
    coef : ndarray, shape (F, k)
    intercept : ndarray, shape (k,)
    """
    n_classes = targets.shape[1]

    def unpack(flat: NDArray[np.float64]) -> tuple[torch.Tensor, torch.Tensor]:
        U = torch.from_numpy(flat).view(-1, n_classes)
        W = factor.unwhiten(U[:-1])
        return W, U[-1] - factor.mean_x @ W

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        W, b = unpack(flat)
        filters, bias = W.float(), b.float()

        def part(cut: slice) -> tuple[float, torch.Tensor, torch.Tensor]:
            x, t = torch.from_numpy(X[cut]), torch.from_numpy(targets[cut])
            hinge = (1.0 - t * (x @ filters + bias)).clamp(min=0.0)
            slope = -2.0 * hinge * t
            return float(hinge.double().square().sum()), slope.T @ x, slope.double().sum(0)

        loss, across, along = 0.0, torch.zeros_like(W.T), torch.zeros_like(b)
        for lost, some, more in in_order(part, blocks(len(X), ROWS)):
            loss += lost
            across += some
            along += more
        total = C * loss / len(X) + 0.5 * float(W.square().sum())
        W_slope = C * across.T / len(X) + W
        b_slope = C * along / len(X)
        U_slope = factor.whiten(W_slope - torch.outer(factor.mean_x, b_slope))
        return total, torch.cat([U_slope, b_slope[None]]).flatten().numpy()

    start = np.zeros((X.shape[1] + 1) * n_classes)
    best, _loss, _facts = fmin_l_bfgs_b(
        objective, start, m=20, factr=0.0, pgtol=1e-4 * C, maxiter=200
    )
    W, b = unpack(np.asarray(best, dtype=np.float64))
    return W.numpy(), b.numpy()


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
    factor = RidgeFactor(partial(X, targets), 1.0 / C)
    softmax = SoftmaxClassifier().fit(X, train.labels, factor=factor)
    coef, intercept = l2_svm(X, targets, factor)
    chosen = classes[(Xt @ coef.astype(np.float32) + intercept).argmax(1)]
    return {
        "softmax_accuracy": float((softmax.predict(Xt) == test.labels).mean()),
        "l2_svm_accuracy": float((chosen == test.labels).mean()),
        "seconds": perf_counter() - start,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(measure(given.data, given.seed)) + "\n")
