"""The tables of `docs/beyond-the-paper.md`, from what was measured."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wordsight.experiments.setting import PUBLISHED_PAIRS

__all__ = ["TABLES"]

Record = Mapping[str, Any]
"""What `python -m benchmarks.beyond` writes: ``pairs``, ``all_pairs``, ``peers``, ``network``."""

METHODS = {
    "paper": "the paper's: Gaussian gate, nearest unseen word",
    "gaussian": "… unseen words by centred cosine",
    "stacking": "… and stacking by cosine",
    "stacking-centred": "… stacking by centred cosine",
    "stacking-euclidean": "… stacking by distance",
    "ours": "**ours**: ten scores weighed (`CombinedNovelty`)",
    "chosen": "the gate chosen, too",
    "perfect": "a gate that is never wrong",
}


Numbers = Callable[[str, str], list[float]]
"""By kind of features and method: one number a seed, or none."""


def _values(record: Record, kind: str, method: str, number: str, pair: str) -> list[float]:
    return [
        entry["methods"][method][number]
        for entry in record["pairs"]
        if entry["kind"] == kind and entry["pair"] == pair and number in entry["methods"][method]
    ]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def _mean_of_pairs(record: Record, kind: str, method: str, number: str) -> list[float]:
    """Return the mean over the published pairs with each seed that has them all."""
    by_pair = [_values(record, kind, method, number, "–".join(p)) for p in PUBLISHED_PAIRS]
    n_seeds = min(map(len, by_pair))
    return [float(np.mean([values[seed] for values in by_pair])) for seed in range(n_seeds)]


def _gates(record: Record, kind: str, number: str) -> str:
    head = ["method", *(" – ".join(pair) for pair in PUBLISHED_PAIRS), "mean"]
    rows = [
        [
            name,
            *(_spread(_values(record, kind, method, number, "–".join(p))) for p in PUBLISHED_PAIRS),
            _spread(_mean_of_pairs(record, kind, method, number)),
        ]
        for method, name in METHODS.items()
    ]
    return _table(head, rows)


def _operating(record: Record) -> str:
    numbers = {
        "harmonic_mean": "harmonic mean at the point chosen",
        "best_harmonic_mean": "the best there is",
        "seen_accuracy": "seen accuracy there",
        "unseen_accuracy": "unseen accuracy there",
        "false_novel_rate": "share of seen images to be called novel",
        "false_novel": "… that was called novel",
        "kept_seen_accuracy": "seen accuracy where 0.70 is to be kept",
        "kept_unseen_accuracy": "unseen accuracy there",
        "calibration_error_seen_alone": "calibration error of p(y given s, x), seen images",
        "calibration_error_joint": "… of p(y given x), 1 % unseen expected",
    }
    rows = []
    for number, name in numbers.items():
        for kind in ("plain", "mirror"):
            of_pairs = [_values(record, kind, "ours", number, "–".join(p)) for p in PUBLISHED_PAIRS]
            mean = _spread(_mean_of_pairs(record, kind, "ours", number))
            rows.append([name, kind, *map(_spread, of_pairs), mean])
    return _table(
        ["number", "features", *(" – ".join(pair) for pair in PUBLISHED_PAIRS), "mean"], rows
    )


def _asked(record: Record) -> str:
    """Return what was aimed at beside what was reached."""

    def of_pair(number: str, pair: str) -> Numbers:
        return lambda kind, method: _values(record, kind, method, number, pair)

    def of_mean(number: str) -> Numbers:
        return lambda kind, method: _mean_of_pairs(record, kind, method, number)

    aims: list[tuple[str, str, Numbers]] = [
        ("AUSUC, cat and truck unseen", "≥ 0.66", of_pair("ausuc", "cat–truck")),
        ("AUSUC, mean of the five pairs", "≥ 0.53", of_mean("ausuc")),
        (
            "best harmonic mean, cat and truck",
            "≥ 0.68",
            of_pair("best_harmonic_mean", "cat–truck"),
        ),
        (
            "harmonic mean at the point chosen, as a share of the best",
            "≥ 0.95",
            lambda kind, method: _share_of_best(record, kind, method),
        ),
        ("seen accuracy where 0.70 is to be kept", "0.69–0.72", of_mean("kept_seen_accuracy")),
        (
            "calibration error of p(y given s, x) on seen images",
            "≤ 0.03",
            of_mean("calibration_error_seen_alone"),
        ),
    ]
    rows = [
        [name, aim, *(_spread(of(k, m)) for k in ("plain", "mirror") for m in ("paper", "ours"))]
        for name, aim, of in aims
    ]
    pairs = {
        method: _spread([entry[key]["mean"] for entry in record["all_pairs"]])
        for method, key in (("paper", "nearest"), ("ours", "centred"))
    }
    told = "unseen classes told apart, mean of all 45 pairs (features of all classes)"
    rows.append([told, "≥ 0.02 above", pairs["paper"], pairs["ours"], "–", "–"])
    head = ["number", "aim", "paper's", "ours", "paper's, mirrored", "ours, mirrored"]
    return _table(head, rows)


def _share_of_best(record: Record, kind: str, method: str) -> list[float]:
    """Return the mean over the pairs of chosen over best harmonic mean, with each seed."""
    chosen, best = (
        [_values(record, kind, method, number, "–".join(pair)) for pair in PUBLISHED_PAIRS]
        for number in ("harmonic_mean", "best_harmonic_mean")
    )
    if not all(chosen):
        return []
    return np.divide(chosen, best).mean(axis=0).tolist()  # type: ignore[no-any-return]


def _all_pairs(record: Record) -> str:
    names = {
        "nearest": "nearest word (the paper's)",
        "cosine": "cosine",
        "centred": "cosine about the mean of the seen words",
        "csls": "… with CSLS",
        "inverted_softmax": "… with the inverted softmax",
    }
    rows = [
        [
            name,
            _spread([entry[key]["mean"] for entry in record["all_pairs"]]),
            _spread([entry[key]["worst"] for entry in record["all_pairs"]]),
        ]
        for key, name in names.items()
    ]
    return _table(["unseen classes told apart by", "mean of 45 pairs", "worst pair"], rows)


def _peers(record: Record) -> str:
    rows = []
    for method in dict.fromkeys(one["method"] for one in record["peers"]):
        mine = [one for one in record["peers"] if one["method"] == method]
        of_pair = [one for one in mine if one["pair"] == "cat–truck"]
        rows.append(
            [
                method,
                *(f"{np.mean([one[key] for one in mine]):.3f}" for key in _PEER_NUMBERS),
                *(f"{np.mean([one[key] for one in of_pair]):.3f}" for key in ("ausuc",)),
                f"{np.mean([one['seconds'] for one in mine]):.0f}",
            ]
        )
    head = [
        "method", "told apart (T1)", "U", "S", "H", "AUSUC", "AUSUC cat – truck", "seconds",
    ]  # fmt: skip
    return _table(head, rows)


def _network(record: Record) -> str:
    names = {
        "paper": "the paper's: Gaussian gate, nearest unseen word",
        "gaussian": "… unseen words by centred cosine",
        "mahalanobis": "… and tied covariance",
        "stacking": "… stacking by cosine",
        "stacking-centred": "… stacking by centred cosine",
        "stacking-euclidean": "… stacking by distance",
        "shares": "… shares",
        "confidence": "… confidence of the softmax",
        "energy": "… energy of the softmax",
        "feature-mahalanobis": "… tied covariance of features",
        "feature-neighbours": "… distance to neighbours among features",
        "combined": "… ten scores weighed (`CombinedNovelty`)",
        "ours": "**ours**: that, ridge term chosen, seen classes by shares",
    }
    numbers = (
        "seen_only_accuracy", "unseen_only_accuracy", "ausuc", "best_harmonic_mean",
        "novelty_auroc", "calibration_error_seen_alone",
    )  # fmt: skip
    tests = [one for one in record["network"] if not one["without"]]
    trials = [one for one in record["network"] if one["without"]]
    rows = [
        [
            name,
            *(_spread([one["methods"][method][number] for one in tests]) for number in numbers),
            _spread([one["methods"][method]["ausuc"] for one in trials]),
        ]
        for method, name in names.items()
    ]
    head = [
        "method", "seen alone", "told apart", "AUSUC", "best harmonic mean", "AUROC of the gate",
        "calibration error, seen", "AUSUC, deer – ship (training images)",
    ]  # fmt: skip
    return _table(head, rows)


_PEER_NUMBERS = ("zsl", "unseen", "seen", "harmonic_mean", "ausuc")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES: dict[str, Callable[[Record], str]] = {
    "asked": _asked,
    "gates": lambda record: _gates(record, "plain", "ausuc"),
    "gates-mirror": lambda record: _gates(record, "mirror", "ausuc"),
    "harmonic": lambda record: _gates(record, "plain", "best_harmonic_mean"),
    "operating": _operating,
    "all-pairs": _all_pairs,
    "peers": _peers,
    "network": _network,
}
"""By the names of the places in the page."""
