"""Scores against hand-computed points, a naive sweep, scikit-learn and the published curves."""

import json
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle

from wordsight import metrics
from wordsight.exceptions import InputError

SEEN = ["dog", "horse", "ship"]
UNSEEN = ["cat", "truck"]

# two by two images of each kind; novelty scores tie between the first dog and the second cat
Y_TRUE = ["dog", "dog", "ship", "ship", "cat", "cat", "truck", "truck"]
AS_SEEN = ["dog", "dog", "ship", "dog", "dog", "dog", "ship", "ship"]
AS_UNSEEN = ["cat", "cat", "truck", "truck", "cat", "cat", "truck", "cat"]
NOVELTY = [0.4, 0.1, 0.3, 0.2, 0.9, 0.4, 0.6, 0.8]


def images(seed: int, n: int = 40, levels: int = 6) -> dict[str, Any]:
    """Random labels and predictions with many tied scores and at least one image of either kind."""
    rng = np.random.default_rng(seed)
    true = np.array([*rng.choice(SEEN + UNSEEN, size=n - 2), "dog", "cat"])
    return {
        "y_true": true,
        "seen_predictions": np.where(rng.random(n) < 0.6, true, rng.choice(SEEN, size=n)),
        "unseen_predictions": np.where(rng.random(n) < 0.6, true, rng.choice(UNSEEN, size=n)),
        "novelty_score": rng.integers(levels, size=n) / 4.0 + 0.3 * np.isin(true, UNSEEN),
    }


def naive_point(
    data: dict[str, Any], threshold: float, average: str = "macro"
) -> tuple[float, float]:
    """Seen and unseen accuracy of one hard gate, by counting."""
    novel = data["novelty_score"] >= threshold
    predicted = np.where(novel, data["unseen_predictions"], data["seen_predictions"])
    right = predicted == data["y_true"]
    result = []
    for classes in (SEEN, UNSEEN):
        if average == "micro":
            result.append(float(right[np.isin(data["y_true"], classes)].mean()))
            continue
        present = [name for name in classes if name in data["y_true"]]
        result.append(float(np.mean([right[data["y_true"] == name].mean() for name in present])))
    return result[0], result[1]


def on_their_side(data: dict[str, Any]) -> dict[str, Any]:
    """Make predictions of either kind come from the classes of that kind only."""
    data["seen_predictions"] = np.where(
        np.isin(data["seen_predictions"], SEEN), data["seen_predictions"], "ship"
    )
    data["unseen_predictions"] = np.where(
        np.isin(data["unseen_predictions"], UNSEEN), data["unseen_predictions"], "truck"
    )
    return data


def curve_of(data: dict[str, Any], **options: Any) -> metrics.SeenUnseenCurve:
    return metrics.seen_unseen_curve(**data, seen=SEEN, unseen=UNSEEN, **options)


@given(seed=st.integers(0, 10_000), average=st.sampled_from(["macro", "micro"]))
def test_the_curve_is_a_naive_sweep(seed: int, average: Literal["macro", "micro"]) -> None:
    data = on_their_side(images(seed))
    curve = curve_of(data, average=average)
    thresholds = [np.inf, *sorted(set(data["novelty_score"].tolist()), reverse=True)]
    assert curve.thresholds.tolist() == thresholds
    points = [naive_point(data, threshold, average) for threshold in thresholds]
    seen, unseen = (np.array(side) for side in zip(*points, strict=True))
    np.testing.assert_allclose(curve.seen_accuracy, seen, atol=1e-12)
    np.testing.assert_allclose(curve.unseen_accuracy, unseen, atol=1e-12)
    area = sum(
        (seen[i] - seen[i + 1]) * (unseen[i] + unseen[i + 1]) / 2 for i in range(len(seen) - 1)
    )
    assert curve.area == pytest.approx(area, abs=1e-12)
    harmonic = [2 * a * b / (a + b) if a + b else 0.0 for a, b in points]
    assert curve.best_harmonic_mean == pytest.approx(max(harmonic), abs=1e-12)
    a, b = naive_point(data, curve.best_threshold, average)
    assert metrics.harmonic_mean(a, b) == pytest.approx(max(harmonic), abs=1e-12)


@given(seed=st.integers(0, 10_000))
def test_the_area_is_the_auroc_of_a_perfect_classifier(seed: int) -> None:
    """With every image right on its own side, the micro curve is the ROC curve."""
    data = images(seed)
    is_unseen = np.isin(data["y_true"], UNSEEN)
    data["seen_predictions"] = np.where(is_unseen, "dog", data["y_true"])
    data["unseen_predictions"] = np.where(is_unseen, data["y_true"], "cat")
    expected = oracle.roc_auc_score(is_unseen, data["novelty_score"])
    assert curve_of(data, average="micro").area == pytest.approx(expected, abs=1e-12)
    assert metrics.novelty_auroc(is_unseen, data["novelty_score"]) == pytest.approx(expected)


def test_a_perfect_gate_has_the_product_of_the_two_accuracies() -> None:
    data = on_their_side(images(3))
    is_unseen = np.isin(data["y_true"], UNSEEN)
    data["novelty_score"] = is_unseen + np.arange(len(is_unseen)) / 1000
    curve = curve_of(data)
    product = curve.seen_accuracy[0] * curve.unseen_accuracy[-1]
    assert curve.area == pytest.approx(product)
    data["novelty_score"] = -data["novelty_score"]
    assert curve_of(data).area == pytest.approx(0.0)
    # all scores tied: one straight line between the two ends
    data["novelty_score"] = np.zeros(len(is_unseen))
    assert curve_of(data).area == pytest.approx(product / 2)


def test_a_hand_computed_curve() -> None:
    """Falling scores: cat .9, truck .8 (wrong), truck .6, {dog, cat} .4, ship .3, ship .2 (wrong),
    dog .1. A dog or ship is worth 1/4, and so is a cat or truck; one ship and one truck are wrong.
    """
    curve = metrics.seen_unseen_curve(Y_TRUE, AS_SEEN, AS_UNSEEN, NOVELTY, seen=SEEN, unseen=UNSEEN)
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1]
    assert curve.seen_accuracy.tolist() == [0.75, 0.75, 0.75, 0.75, 0.5, 0.25, 0.25, 0.0]
    assert curve.unseen_accuracy.tolist() == [0.0, 0.25, 0.25, 0.5, 0.75, 0.75, 0.75, 0.75]
    # a trapezoid .25 wide between .5 and .75, then a rectangle .5 wide and .75 high
    assert curve.area == 0.25 * 0.625 + 0.5 * 0.75
    assert curve.best_harmonic_mean == pytest.approx(0.6)
    assert curve.best_threshold == 0.6
    assert curve.unseen_at_seen(0.75) == 0.5
    assert curve.unseen_at_seen(0.70) == pytest.approx(0.5 + 0.25 * 0.05 / 0.25)
    assert curve.unseen_at_seen(0.5) == 0.75
    assert curve.unseen_at_seen(0.0) == 0.75
    assert curve.unseen_at_seen(0.76) is None
    with pytest.raises(InputError, match=r"in \[0, 1\]"):
        curve.unseen_at_seen(70)


@pytest.mark.parametrize("tens", range(1, 40))
def test_the_vertical_part_counts_also_where_seen_accuracy_is_rounded(tens: int) -> None:
    """Seven of ten seen images right: 0.7 up to rounding, and unseen ones found at no cost."""
    true = ["dog"] * 10 * tens + ["cat"] * 4
    as_seen = ["dog"] * 7 * tens + ["ship"] * (3 * tens + 4)
    novelty = [*np.linspace(0.1, 0.2, 10 * tens), 1.0, 1.0, 1.0, 1.0]
    curve = metrics.seen_unseen_curve(
        true, as_seen, ["cat"] * len(true), novelty, seen=SEEN, unseen=UNSEEN
    )
    assert curve.unseen_at_seen(0.70) == 1.0


@pytest.mark.parametrize(
    ("seen", "unseen", "area", "best"),
    [
        (
            [0.825, 0.715, 0.613, 0.515, 0.420, 0.339, 0.255, 0.182, 0.113, 0.058, 0.0],
            [0.0, 0.372, 0.551, 0.690, 0.770, 0.821, 0.861, 0.891, 0.912, 0.923, 0.927],
            0.563,
            0.59,
        ),
        (
            [0.825, 0.796, 0.752, 0.686, 0.573, 0.0],
            [0.0, 0.044, 0.139, 0.263, 0.438, 0.927],
            0.449,
            0.50,
        ),
    ],
    ids=["gaussian", "loop"],
)
def test_the_published_curves_have_their_published_areas(
    seen: list[float], unseen: list[float], area: float, best: float
) -> None:
    """NIPS 2013 version, cat and truck unseen."""
    thresholds = np.arange(len(seen), 0, -1, dtype=float)
    curve = metrics.SeenUnseenCurve(thresholds, np.array(seen), np.array(unseen))
    assert round(curve.area, 3) == area
    assert round(curve.best_harmonic_mean, 2) == best


@given(seed=st.integers(0, 10_000), data=st.data())
def test_order_scale_of_score_and_names_do_not_matter(seed: int, data: st.DataObject) -> None:
    given_images = on_their_side(images(seed))
    before = metrics.scores(**given_images, y_pred=given_images["seen_predictions"], **kinds())
    order = np.array(data.draw(st.permutations(range(40))))
    other = {"dog": "z", "horse": "y", "ship": "x", "cat": "w", "truck": "v"}
    changed = {
        name: values[order]
        if name == "novelty_score"
        else np.array([other[str(value)] for value in values[order]])
        for name, values in given_images.items()
    }
    changed["novelty_score"] = np.exp(3.0 * changed["novelty_score"]) - 5.0
    after = metrics.scores(
        **changed,
        y_pred=changed["seen_predictions"],
        seen=[other[name] for name in SEEN],
        unseen=[other[name] for name in UNSEEN],
    )
    assert after["confusion"]["matrix"] == before["confusion"]["matrix"]
    assert list(after["per_class"].values()) == list(before["per_class"].values())
    for key in before.keys() - {"per_class", "confusion"}:
        assert dict(after)[key] == pytest.approx(dict(before)[key], abs=1e-12), key


def kinds() -> dict[str, list[str]]:
    return {"seen": SEEN, "unseen": UNSEEN}


def test_all_scores_by_hand() -> None:
    # the gate at .4: novel are both cats, both trucks and the first dog
    y_pred = ["cat", "dog", "ship", "dog", "cat", "cat", "truck", "cat"]
    result = metrics.scores(Y_TRUE, y_pred, AS_SEEN, AS_UNSEEN, NOVELTY, **kinds())
    assert result == {
        "n_images": 8,
        "seen_only_accuracy": 0.75,
        "unseen_only_accuracy": 0.75,
        "seen_accuracy": 0.5,
        "unseen_accuracy": 0.75,
        "harmonic_mean": pytest.approx(0.6),
        "overall_accuracy": 0.625,
        "ausuc": 0.53125,
        "unseen_at_70_seen": pytest.approx(0.55),
        "best_harmonic_mean": pytest.approx(0.6),
        # of 16 pairs 15 are in the right order and one is tied
        "novelty_auroc": 15.5 / 16,
        "seen_called_novel": 0.25,
        "per_class": {"dog": 0.5, "horse": None, "ship": 0.5, "cat": 1.0, "truck": 0.5},
        "confusion": {
            "classes": ["dog", "horse", "ship", "cat", "truck"],
            "matrix": [
                [1, 0, 0, 1, 0],
                [0, 0, 0, 0, 0],
                [1, 0, 1, 0, 0],
                [0, 0, 0, 2, 0],
                [0, 0, 0, 1, 1],
            ],
        },
    }
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize("kind", ["seen", "unseen"])
def test_without_images_of_one_kind_scores_are_none(kind: str) -> None:
    rows = slice(0, 4) if kind == "unseen" else slice(4, 8)
    result = metrics.scores(
        Y_TRUE[rows], AS_SEEN[rows], AS_SEEN[rows], AS_UNSEEN[rows], NOVELTY[rows], **kinds()
    )
    undefined = {key for key, value in result.items() if value is None}
    assert undefined == {
        f"{kind}_only_accuracy",
        f"{kind}_accuracy",
        "harmonic_mean",
        "ausuc",
        "unseen_at_70_seen",
        "best_harmonic_mean",
        "novelty_auroc",
        *(["seen_called_novel"] if kind == "seen" else []),
    }
    json.dumps(result, allow_nan=False)
    with pytest.raises(InputError, match=f"no image of a {kind} class"):
        metrics.seen_unseen_curve(
            Y_TRUE[rows], AS_SEEN[rows], AS_UNSEEN[rows], NOVELTY[rows], seen=SEEN, unseen=UNSEEN
        )


@given(seed=st.integers(0, 10_000))
def test_accuracies_and_confusion_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = SEEN + UNSEEN
    true = rng.choice(classes, size=30)
    predicted = np.where(rng.random(30) < 0.5, true, rng.choice(true, size=30))
    assert metrics.accuracy(true, predicted) == oracle.accuracy_score(true, predicted)
    assert metrics.macro_accuracy(true, predicted) == pytest.approx(
        oracle.balanced_accuracy_score(true, predicted)
    )
    order = rng.permutation(classes)
    matrix = metrics.confusion_matrix(true, predicted, order)
    np.testing.assert_array_equal(matrix, oracle.confusion_matrix(true, predicted, labels=order))
    recall = metrics.per_class_accuracy(true, predicted, order)
    for row, name in zip(matrix, order, strict=True):
        assert recall[name] == (
            None if row.sum() == 0 else matrix.diagonal()[order == name] / row.sum()
        )


def test_small_definitions() -> None:
    assert metrics.harmonic_mean(0.0, 0.0) == 0.0
    assert metrics.harmonic_mean(0.5, 0.0) == 0.0
    assert metrics.harmonic_mean(0.3, 0.6) == pytest.approx(0.4)
    # nine of ten dogs and none of one cat: 9/11 of the images, 45 % of the classes
    true, predicted = ["dog"] * 10 + ["cat"], ["dog"] * 9 + ["cat", "dog"]
    assert metrics.accuracy(true, predicted) == pytest.approx(9 / 11)
    assert metrics.macro_accuracy(true, predicted) == pytest.approx(0.45)
    assert metrics.macro_accuracy(true, predicted, ["ship"]) is None
    assert metrics.seen_unseen_accuracy(true, predicted, SEEN, UNSEEN) == (0.9, 0.0)


@given(flags=st.lists(st.booleans(), min_size=1, max_size=30), seed=st.integers(0, 999))
def test_auroc_counts_pairs(flags: list[bool], seed: int) -> None:
    novelty: NDArray[np.float64] = np.random.default_rng(seed).integers(5, size=len(flags)) / 2.0
    unseen = [s for s, flag in zip(novelty, flags, strict=True) if flag]
    seen = [s for s, flag in zip(novelty, flags, strict=True) if not flag]
    pairs = [(u > s) + 0.5 * (u == s) for u in unseen for s in seen]
    expected = sum(pairs) / len(pairs) if pairs else None
    assert metrics.novelty_auroc(flags, novelty) == expected


def test_bad_input_is_refused() -> None:
    good: dict[str, Any] = {
        "y_true": Y_TRUE,
        "y_pred": AS_SEEN,
        "seen_predictions": AS_SEEN,
        "unseen_predictions": AS_UNSEEN,
        "novelty_score": NOVELTY,
        **kinds(),
    }
    bad: list[tuple[dict[str, Any], str]] = [
        ({"y_pred": AS_SEEN[1:]}, "7 predictions were given for 8 images"),
        ({"seen_predictions": AS_SEEN[1:]}, "7 predictions were given for 8 images"),
        ({"unseen_predictions": AS_UNSEEN[1:]}, "7 predictions were given for 8 images"),
        ({"novelty_score": NOVELTY[1:]}, r"shape \(7,\) were given for 8 images"),
        ({"novelty_score": [*NOVELTY[1:], np.nan]}, "1 of 8 novelty scores are NaN or infinite"),
        ({"y_pred": ["frog", *AS_SEEN[1:]]}, "'frog' is not among the 5 classes"),
        ({"y_true": ["frog", *Y_TRUE[1:]]}, "'frog' is neither a seen nor an unseen class"),
        ({"seen_predictions": AS_UNSEEN}, "'cat', 'truck' among seen_predictions is no seen class"),
        ({"unseen_predictions": AS_SEEN}, "'dog', 'ship' among unseen_predictions is no unseen"),
        ({"seen": [*SEEN, "cat"]}, "'cat' cannot be both seen and unseen"),
        ({"seen": [*SEEN, "dog"]}, "a name twice"),
        ({"y_true": [Y_TRUE]}, r"class names of shape \(1, 8\)"),
    ]
    for change, message in bad:
        with pytest.raises(InputError, match=message):
            metrics.scores(**{**good, **change})
    with pytest.raises(InputError, match="no images were given"):
        metrics.accuracy([], [])
    with pytest.raises(InputError, match="'macro' or 'micro'"):
        curve_of(on_their_side(images(0)), average="mean")
    with pytest.raises(InputError, match="one flag an image"):
        metrics.novelty_auroc([], [])
