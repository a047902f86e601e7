"""The random-vector control: at chance without a leak, off it with one."""

import numpy as np
from numpy.typing import NDArray

from experiments.small_lab import small_lab
from wordsight.experiments.setting import CLASSES, PUBLISHED_PAIRS
from wordsight.experiments.word_vectors import EXPERIMENT, UnseenImages, random_accuracies

PAIR = ("cat", "truck")
SEEN = CLASSES[:8]


def images(seen: tuple[str, ...], like: dict[str, str], noise: float) -> UnseenImages:
    """Images of the pair whose scores say that they are like one of the seen classes."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.array(PAIR), 300)
    scores = np.array([[float(like[label] == name) for name in seen] for label in labels])
    return UnseenImages(PAIR, seen, scores + noise * rng.normal(size=scores.shape), labels)


def table(seed: int) -> dict[str, NDArray[np.float64]]:
    return dict(zip(CLASSES, np.random.default_rng(seed).normal(size=(10, 50)), strict=True))


def test_the_nearest_unseen_word_wins() -> None:
    flat = {name: np.zeros(2) for name in CLASSES}
    flat |= {"cat": np.array([1.0, 0.0]), "truck": np.array([0.0, 1.0])}
    flat |= {"dog": np.array([0.9, 0.1]), "ship": np.array([0.2, 0.6])}
    assert images(SEEN, {"cat": "dog", "truck": "ship"}, 0.0).accuracy(flat) == 1.0
    assert images(SEEN, {"cat": "ship", "truck": "dog"}, 0.0).accuracy(flat) == 0.0
    assert images(SEEN, {"cat": "dog", "truck": "dog"}, 0.0).accuracy(flat) == 0.5


def test_swapping_the_unseen_vectors_turns_an_accuracy_round() -> None:
    pair = images(SEEN, {"cat": "dog", "truck": "ship"}, 0.3)
    for seed in range(5):
        one = table(seed)
        other = one | {"cat": one["truck"], "truck": one["cat"]}
        assert pair.accuracy(one) + pair.accuracy(other) == 1.0


def test_without_a_leak_draws_go_anywhere_and_their_mean_to_chance() -> None:
    # the two classes are as different as can be, but nobody knows which is which
    pair = images(SEEN, {"cat": "dog", "truck": "ship"}, 0.1)
    draws = random_accuracies([pair], 50, 1.0, 1000, np.random.RandomState(0))[:, 0]
    assert draws.min() < 0.1 and draws.max() > 0.9
    error = draws.std(ddof=1) / np.sqrt(len(draws))
    assert abs(draws.mean() - 0.5) < 3.5 * error


def test_a_map_that_learned_from_the_unseen_classes_is_found_out() -> None:
    # the same images under a map of all ten classes, unseen ones with their labels among them
    leaky = images(CLASSES, {"cat": "cat", "truck": "truck"}, 0.1)
    draws = random_accuracies([leaky], 50, 1.0, 50, np.random.RandomState(0))[:, 0]
    assert draws.mean() > 0.95


def test_a_small_leak_is_found_out_too() -> None:
    whole = images(CLASSES, {"cat": "dog", "truck": "ship"}, 0.0)
    of_unseen = images(CLASSES, {"cat": "cat", "truck": "truck"}, 0.0)
    mixed = UnseenImages(PAIR, CLASSES, whole.scores + 0.2 * of_unseen.scores, whole.labels)
    draws = random_accuracies([mixed], 50, 1.0, 400, np.random.RandomState(0))[:, 0]
    assert draws.mean() > 0.5 + 0.03


def test_one_draw_serves_all_pairs() -> None:
    pair = images(SEEN, {"cat": "dog", "truck": "ship"}, 0.5)
    draws = random_accuracies([pair, pair], 20, 1.0, 30, np.random.RandomState(1))
    np.testing.assert_array_equal(draws[:, 0], draws[:, 1])
    assert len(np.unique(draws[:, 0])) > 1


def test_numbers_of_a_laboratory() -> None:
    lab = small_lab(n_draws=200)
    outcome = EXPERIMENT.run(lab)
    assert abs(outcome.numbers["random_mean"] - 0.5) < 4 * outcome.numbers["random_standard_error"]
    for one in outcome.details["random"]:
        assert sum(one["histogram"]) == 200
    pairs = ["_".join(pair) for pair in PUBLISHED_PAIRS]
    for source in ("paper", "default", "random"):
        mean = np.mean([outcome.numbers[f"{source}_{pair}"] for pair in pairs])
        assert np.isclose(mean, outcome.numbers[f"{source}_mean"])
    # its words are the default ones
    assert outcome.details["paper"] == outcome.details["default"]


def test_accuracy_is_that_of_the_map_to_the_words() -> None:
    lab = small_lab()
    scores = lab.seen_scores(PAIR)
    split = lab.split("linear")
    chosen = np.isin(split.test_labels, PAIR)
    distance = np.linalg.norm(
        split.test[chosen, np.newaxis] - lab.word_vectors(PAIR)[np.newaxis], axis=2
    )
    right = np.array(PAIR)[distance.argmin(1)] == split.test_labels[chosen]
    words = dict(zip(CLASSES, lab.word_vectors(CLASSES), strict=True))
    assert np.isclose(UnseenImages.of(scores).accuracy(words), right.mean())
