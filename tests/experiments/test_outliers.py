"""The most novel images: counted by hand, and detectors in raw features against an oracle."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from experiments.small_lab import N_TRAIN, small_lab
from wordsight.experiments.outliers import EXPERIMENT, reference_set, scores_in_blocks, seen_share
from wordsight.experiments.setting import CLASSES, UNSEEN
from wordsight.novelty.gaussian import GaussianNovelty


def test_shares_counted_by_hand() -> None:
    ordinary = np.array([5.0, 1.0, 3.0, 2.0, 4.0])
    is_seen = np.array([True, False, True, True, False])
    # from the most novel on: unseen, seen, seen, unseen, seen
    assert seen_share(ordinary, is_seen, [1, 2, 3, 4, 5]) == [0.0, 1 / 2, 2 / 3, 2 / 4, 3 / 5]


def test_a_perfect_detector_and_its_opposite() -> None:
    is_seen = np.arange(50) < 40
    assert seen_share(is_seen.astype(float), is_seen, [10, 50]) == [0.0, 0.8]
    assert seen_share(-is_seen.astype(float), is_seen, [10, 40]) == [1.0, 1.0]


def test_the_reference_set_is_of_seen_classes_in_equal_parts() -> None:
    data = small_lab().features()
    points, labels = reference_set(data, 7, np.random.RandomState(0))
    names, counts = np.unique(labels, return_counts=True)
    assert set(names) == set(CLASSES) - set(UNSEEN)
    assert set(counts) == {7}
    assert points.dtype == np.float64
    # each row is an image of that class, and no image comes twice
    matches = (points[:, np.newaxis] == data.train[np.newaxis]).all(axis=2)
    assert (matches.sum(axis=1) == 1).all()
    assert (data.train_labels[matches.argmax(axis=1)] == labels).all()
    assert len(np.unique(matches.argmax(axis=1))) == len(points)
    again, _ = reference_set(data, 7, np.random.RandomState(1))
    assert not np.array_equal(points, again)


def test_classes_with_fewer_images_give_what_they_have() -> None:
    points, _ = reference_set(small_lab().features(), 10 * N_TRAIN, np.random.RandomState(0))
    assert len(points) == 8 * N_TRAIN


def test_blocks_change_nothing() -> None:
    data = small_lab().features()
    points, labels = reference_set(data, 20, np.random.RandomState(0))
    detector = GaussianNovelty(block_size=16).fit(points, labels)
    np.testing.assert_allclose(
        scores_in_blocks(detector, data.test, 7), detector.score_samples(data.test), rtol=1e-12
    )


def test_raw_features_against_densities_of_scipy() -> None:
    lab = small_lab()
    data = lab.features()
    of_class = []
    for name in CLASSES[:8]:
        own = data.train[data.train_labels == name].astype(np.float64)
        mean = own.mean(axis=0)
        sd = np.sqrt(np.mean((own - mean) ** 2))
        of_class.append(norm.logpdf(data.test, mean, sd).sum(axis=1))
    novel = np.argsort(logsumexp(of_class, axis=0))[:100]
    share = np.mean(~np.isin(data.test_labels[novel], UNSEEN))
    outcome = EXPERIMENT.run(lab)
    assert outcome.numbers["raw_gaussian"] == share
    assert outcome.numbers["base_rate"] == 0.8
    assert outcome.setting["n_most"] == 100


def test_published_shares_are_low_is_good() -> None:
    numbers = {number.key: number for number in EXPERIMENT.numbers}
    assert numbers["two_layer_per_class"].published == 0.12
    assert numbers["two_layer_per_class"].higher_is_better is False
    assert numbers["raw_per_class"].published == 0.78
