"""The numbers on CIFAR-10 that the documentation states, and the page that states them.

``python -m benchmarks.cifar10 DATA --work DIR`` runs, for each seed, the command line as a user
would, fit with cat and truck unseen, and evaluate; and `benchmarks.ten_classes`. Every
finished part is kept in the work folder as JSON, so that an interrupted run goes on; at the end
``docs/end-to-end.md`` is written from these files and from nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PyNomaly import LocalOutlierProbability as Peer

from wordsight import LocalOutlierProbability, load_model, open_dataset

WORDS = "word_vectors/acl2012_cifar.txt"
ROWS = (
    # what, score, asked for at least, reference
    ("cat and truck told apart, linear map", "unseen_only_accuracy", 0.92, "paper .914"),
    ("eight seen classes alone, softmax", "seen_only_accuracy", 0.83, "paper .825"),
    ("AUSUC, Gaussian gate", "ausuc", 0.54, "from the paper's curve: .563"),
)
INTRODUCTION = """# End to end on CIFAR-10

Written by `python -m benchmarks.cifar10 DATA --work DIR`: change that, not this page.

CIFAR-10, the word vectors of Huang et al. (50-d) and the paper's settings: 1,600 atoms, 12,800
features. Trained on the training images of the seen classes, scored on the 10,000 test images;
seeds {seeds}, mean ± standard deviation. No setting was picked by its score on test images, nor on
any image of an unseen class. Two methods, though, were changed after test scores of seed 0 had been
seen: the threshold moved to leave-one-out when .081 of seen test images were called novel for .1
asked, and the SVM's C came to be chosen on held-out training images when the fixed 100 gave .7986.
These two rows are therefore no blind test.

Ten classes as seen check the features against their source (`benchmarks/ten_classes.py`): the SVM's
C is chosen among 100, 200 and 400 on a tenth of the training images. One accuracy on 10,000 images
has a standard deviation of 0.004 from their number alone.

"""
LABELS = {"l2_svm": "L2-SVM on the features", "softmax": "softmax on the features"}
MORE = (
    "seen_accuracy",
    "unseen_accuracy",
    "harmonic_mean",
    "best_harmonic_mean",
    "overall_accuracy",
    "unseen_at_70_seen",
    "novelty_auroc",
)


def run(command: Sequence[str]) -> tuple[str, float, float]:
    """Run a command; return what it prints, its seconds and its peak memory in gigabytes."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {process.returncode}")
    return printed, time.perf_counter() - start, usage.ru_maxrss / 1e6


def fit_and_score(data: Path, model: Path, seed: int) -> dict[str, Any]:
    """Fit through the command line and evaluate on the test split."""
    wordsight = [sys.executable, "-m", "wordsight"]
    fit = [*wordsight, "fit", str(data / "cifar10"), "--words", str(data / WORDS)]
    fit += ["--unseen", "cat,truck", "--seed", str(seed), "--out", str(model), "--overwrite"]
    _printed, seconds, gigabytes = run(fit)
    scores = json.loads(
        run([*wordsight, "evaluate", str(model), str(data / "cifar10"), "--json"])[0]
    )
    return {"fit_seconds": seconds, "fit_gigabytes": gigabytes, "scores": scores}


def loop_against_pynomaly(data: Path, model: Path) -> dict[str, Any]:
    """Score mapped test images against themselves with both implementations of LoOP."""
    images = open_dataset(data / "cifar10", split="test").select(np.arange(1000))
    S = np.asarray(load_model(model).map(images), dtype=np.float64)
    ours = LocalOutlierProbability(n_neighbors=20).fit(S).training_novelty_proba_
    peer = Peer(S, extent=3, n_neighbors=20, use_numba=False, progress_bar=False).fit()
    gap = np.abs(ours - peer.local_outlier_probabilities.astype(np.float64)).max()
    return {"points": len(S), "largest_difference": float(gap)}


def kept(place: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the result in a file, or make it and keep it there."""
    if not place.exists():
        found = make()
        temporary = place.with_suffix(".tmp")
        temporary.write_text(json.dumps(found, indent=2))
        temporary.replace(place)
    result: dict[str, Any] = json.loads(place.read_text())
    return result


def mean_sd(values: Sequence[float], digits: int = 4) -> str:
    """Write values as mean ± standard deviation (n − 1)."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return f"{np.mean(values):.{digits}f} ± {sd:.{digits}f}"


def page(
    seeds: Sequence[int], results: dict[str, list[dict[str, Any]]], loop: dict[str, Any]
) -> str:
    """Write docs/end-to-end.md."""
    return INTRODUCTION.format(seeds=", ".join(map(str, seeds))) + "\n".join(
        [
            "| what | at least | reached | each seed | reference |",
            "|---|---|---|---|---|",
            *asked_rows(results, loop),
            "",
            "At the threshold for `false_novel_rate=0.1`, and over the seen–unseen curve, with cat",
            "and truck unseen:",
            "",
            "| score | reached |",
            "|---|---|",
            *(
                f"| {key.replace('_', ' ')} | {mean_sd(column(results['pair'], key))} |"
                for key in MORE
            ),
            "",
            "## Time and memory",
            "",
            f"From parquet files to a saved model, on {os.cpu_count()} cores of a shared machine:",
            "",
            "| seed | minutes | peak memory, GB |",
            "|---|---|---|",
            *(
                f"| {seed} | {one['fit_seconds'] / 60:.1f} | {one['fit_gigabytes']:.1f} |"
                for seed, one in zip(seeds, results["pair"], strict=True)
            ),
            "",
        ]
    )


def column(found: Sequence[dict[str, Any]], key: str) -> list[float]:
    """Return one score of each seed."""
    return [float(one["scores"][key]) for one in found]


def asked_rows(results: dict[str, list[dict[str, Any]]], loop: dict[str, Any]) -> list[str]:
    """Write the rows of what was asked for."""

    def row(what: str, asked: str, values: Sequence[float], reference: str) -> str:
        each = ", ".join(f"{value:.4f}" for value in values)
        return f"| {what} | {asked} | {mean_sd(values)} | {each} | {reference} |"

    rows = [
        row(what, f"{asked:.2f}", column(results["pair"], key), reference)
        for what, key, asked, reference in ROWS
    ]
    for name, asked, reference in (("l2_svm", "0.80", "Coates & Ng .7996"), ("softmax", "", "")):
        values = [float(one[f"{name}_accuracy"]) for one in results["ten"]]
        rows.append(row(f"ten classes as seen, {LABELS[name]}", asked, values, reference))
    called = column(results["pair"], "seen_called_novel")
    rows.append(row("seen test images called novel, asked 0.1", "0.08–0.12", called, ""))
    return [
        *rows,
        f"| LoOP against PyNomaly, largest difference over {loop['points']} mapped images "
        f"| at most 1e-6 | {loop['largest_difference']:.0e} | | |",
    ]


def main() -> None:
    """Run what is not there yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds cifar10/ and word_vectors/")
    parser.add_argument("--work", type=Path, required=True, help="where finished parts are kept")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, separated by commas")
    parser.add_argument("--out", type=Path, default=Path("docs/end-to-end.md"))
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    given.work.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[dict[str, Any]]] = {"pair": [], "ten": []}
    for seed in seeds:
        fit = partial(fit_and_score, given.data, given.work / f"model-{seed}", seed)
        results["pair"].append(kept(given.work / f"pair-{seed}.json", fit))
        ten = [sys.executable, "-m", "benchmarks.ten_classes", str(given.data), str(seed)]
        learn = partial(lambda command: json.loads(run(command)[0]), ten)
        results["ten"].append(kept(given.work / f"ten-{seed}.json", learn))
    first = given.work / f"model-{seeds[0]}"
    loop = kept(given.work / "loop.json", lambda: loop_against_pynomaly(given.data, first))
    given.out.write_text(page(seeds, results, loop), encoding="utf-8")


if __name__ == "__main__":
    main()
