"""Direct attribute prediction: by hand on two attributes, probabilities against scikit-learn."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from experiments.small_lab import small_lab
from wordsight.baselines.attributes import class_log_scores
from wordsight.exceptions import DataError
from wordsight.experiments.attribute_prediction import (
    AttributeTable,
    attribute_log_odds,
    platt,
)
from wordsight.experiments.attributes import EXPERIMENT, by_attributes, by_words
from wordsight.experiments.setting import CLASSES, PUBLISHED_PAIRS

# the product


def test_two_attributes_by_hand() -> None:
    # p(a1 | x) = .9, p(a2 | x) = .2; priors .5 and .25
    log_odds = logit(np.array([[0.9, 0.2]]))
    has = np.array([[True, False], [False, True], [True, True]])
    found = np.exp(class_log_scores(log_odds, has, np.array([0.5, 0.25])))
    by_hand = [
        (0.9 / 0.5) * (0.8 / 0.75),
        (0.1 / 0.5) * (0.2 / 0.25),
        (0.9 / 0.5) * (0.2 / 0.25),
    ]
    np.testing.assert_allclose(found, [by_hand])


def test_certainty_stays_finite() -> None:
    found = class_log_scores(
        np.array([[2000.0, -2000.0]]),
        np.array([[True, False], [False, True]]),
        np.array([0.5, 0.5]),
    )
    np.testing.assert_allclose(found, [[2 * np.log(2), -4000 + 2 * np.log(2)]])


# probabilities


def test_a_known_logistic_is_found_again() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=20_000) * 0.3
    has = rng.random(len(scores)) < expit(6.0 * scores - 1.5)
    slope, intercept = platt(scores, has)
    assert slope == pytest.approx(6.0, abs=0.3)
    assert intercept == pytest.approx(-1.5, abs=0.08)


def test_the_fit_is_scikit_learns_on_smoothed_targets() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=60) * 0.02 + 3.0  # of an awkward scale and place
    has = rng.random(60) < expit(100 * (scores - 3.0) - 1)
    target = np.where(has, (has.sum() + 1) / (has.sum() + 2), 1 / ((~has).sum() + 2))
    centred = (scores - 3.0) / 0.02
    oracle = LogisticRegression(C=1e8, tol=1e-10, max_iter=10_000).fit(
        np.concatenate([centred, centred])[:, np.newaxis],
        np.repeat([1, 0], 60),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope, intercept = platt(scores, has)
    np.testing.assert_allclose(
        slope * scores + intercept, oracle.coef_[0, 0] * centred + oracle.intercept_[0], atol=1e-4
    )


def test_separated_scores_stay_finite_and_no_surer_than_the_targets_allow() -> None:
    has = np.array([False] * 5 + [True] * 3)
    slope, intercept = platt(has.astype(float), has)
    # two places only: each gets its target
    assert expit(slope + intercept) == pytest.approx(4 / 5, abs=1e-6)
    assert expit(intercept) == pytest.approx(1 / 7, abs=1e-6)


def test_scores_that_say_nothing_give_the_share() -> None:
    slope, intercept = platt(np.zeros(40), np.arange(40) < 10)
    target = (10 * 11 / 12 + 30 * 1 / 32) / 40
    assert slope * 0.7 + intercept == pytest.approx(logit(target), abs=1e-6)


def test_each_attribute_has_probabilities_of_its_own() -> None:
    rng = np.random.default_rng(2)
    train, test = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
    has = np.stack([train[:, 0] + rng.normal(size=200) > 0, train[:, 1] < rng.normal(size=200)], 1)
    found = attribute_log_odds(train, has, test)
    for m in range(2):
        slope, intercept = platt(train[:, m], has[:, m])
        np.testing.assert_allclose(found[:, m], slope * test[:, m] + intercept)
    assert platt(train[:, 1], has[:, 1])[0] < 0 < platt(train[:, 0], has[:, 0])[0]


# the table


def test_the_table_in_the_package() -> None:
    table = AttributeTable.load()
    assert len(table.names) == 25
    assert table.classes == CLASSES
    # no attribute twice, also not by its negation
    for one, other in combinations(table.has.T, 2):
        assert (one == other).any() and (one != other).any()
    rows = Counter(map(tuple, table.has.tolist()))
    assert max(rows.values()) == 1


@pytest.mark.parametrize("pair", PUBLISHED_PAIRS)
def test_attributes_vary_over_the_seen_classes_of_published_pairs(pair: tuple[str, str]) -> None:
    table = AttributeTable.load()
    assert table.varying_over([name for name in CLASSES if name not in pair]).names == table.names


def test_an_attribute_that_seen_classes_share_is_left_out() -> None:
    table = AttributeTable.load()
    seen = [name for name in CLASSES if name not in ("airplane", "bird")]
    left = table.varying_over(seen)
    assert set(table.names) - set(left.names) == {"flies"}
    assert left.has.shape == (10, 24)
    np.testing.assert_array_equal(
        left.of_classes(["ship"])[0], [left_ship(name) for name in left.names]
    )


def left_ship(name: str) -> bool:
    table = AttributeTable.load()
    return bool(table.has[CLASSES.index("ship"), table.names.index(name)])


@pytest.mark.parametrize(
    ("owners", "message"),
    [
        ({"x": ["a"], "y": ["b", "dragon"]}, "names dragon"),
        ({"x": ["a"], "y": ["b"], "z": []}, "gives z to all classes or none"),
        ({"x": ["a"], "y": ["b"], "z": ["a", "b", "c"]}, "gives z to all classes or none"),
        ({"x": ["a"]}, "two classes the same attributes"),
    ],
)
def test_a_broken_table_is_refused(owners: dict[str, list[str]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        AttributeTable.of(owners, ["a", "b", "c"])


# both ways on one laboratory


def test_class_scores_against_a_plain_loop() -> None:
    lab = small_lab()
    pair = ("deer", "ship")
    table = AttributeTable.load()
    scores, held_out = lab.seen_scores(pair), lab.held_out_scores(pair)
    found = by_attributes(table, held_out, scores, pair)
    owned = dict(zip(CLASSES, table.has, strict=True))
    expected = np.zeros((len(scores.test), 2))
    for m in range(25):
        sign = np.array([1.0 if owned[name][m] else -1.0 for name in scores.seen])
        has = np.array([owned[str(name)][m] for name in held_out.train_labels])
        slope, intercept = platt(held_out.train @ sign, has)
        p = expit(slope * (scores.test @ sign) + intercept)
        prior = np.mean([owned[name][m] for name in scores.seen])
        for z, name in enumerate(pair):
            expected[:, z] += np.log(p / prior if owned[name][m] else (1 - p) / (1 - prior))
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_candidates_may_come_in_any_order() -> None:
    lab = small_lab()
    scores, held_out = lab.seen_scores(("cat", "dog")), lab.held_out_scores(("cat", "dog"))
    table = AttributeTable.load()
    one = by_attributes(table, held_out, scores, ("cat", "dog"))
    other = by_attributes(table, held_out, scores, ("dog", "cat"))
    np.testing.assert_array_equal(one, other[:, ::-1])


def test_words_score_by_distance() -> None:
    lab = small_lab()
    split, scores = lab.split("linear"), lab.seen_scores(("cat", "truck"))
    W = lab.word_vectors(CLASSES)
    found = by_words(lab.word_vectors(scores.seen), scores, W)
    distance = np.linalg.norm(split.test[:, np.newaxis] - W[np.newaxis], axis=2)
    np.testing.assert_allclose(found, -(distance**2), rtol=1e-4)


def test_means_and_harmonic_means_are_of_their_parts() -> None:
    numbers = EXPERIMENT.run(small_lab()).numbers
    for way in ("dap", "words"):
        parts = [numbers[f"{way}_{'_'.join(pair)}"] for pair in PUBLISHED_PAIRS]
        assert numbers[f"{way}_mean"] == pytest.approx(np.mean(parts))
        seen, unseen = numbers[f"{way}_ten_seen"], numbers[f"{way}_ten_unseen"]
        expected = 2 * seen * unseen / (seen + unseen)
        assert numbers[f"{way}_ten_harmonic_mean"] == pytest.approx(expected)
