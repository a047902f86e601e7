"""Distractor words: who steals which image, which words may be distractors."""

import numpy as np
import pytest

from wordsight.experiments.distractors import (
    EXPERIMENT,
    FREQUENT,
    accuracy_against,
    neighbours,
    random_words,
)
from wordsight.experiments.setting import CLASSES
from wordsight.geometry import sq_dist
from wordsight.words.vectors import WordVectors

PAIR = ("cat", "truck")


def test_a_distractor_steals_the_images_that_are_nearer_to_it() -> None:
    # on a line: the words cat at 0 and truck at 10
    images = np.array([[0.0], [1.0], [2.0], [3.0], [9.0], [10.0]])
    labels = np.array(["cat"] * 4 + ["truck"] * 2)
    to_unseen = sq_dist(images, np.array([[0.0], [10.0]]))
    # at 3 it steals the cats at 2 and 3; at 8.9 the truck at 9; at 100 none
    to_distractors = sq_dist(images, np.array([[3.0], [8.9], [100.0]]))
    found = accuracy_against(to_unseen, to_distractors, labels, PAIR, counts=(0, 1, 2, 3))
    assert found == [1.0, (0.5 + 1.0) / 2, (0.5 + 0.5) / 2, 0.5]


def test_a_wrong_image_stays_wrong_and_a_class_counts_once() -> None:
    images = np.array([[0.0], [0.0], [0.0], [0.0]])  # all at the cat, whatever they are
    labels = np.array(["cat", "cat", "cat", "truck"])
    to_unseen = sq_dist(images, np.array([[0.0], [10.0]]))
    assert accuracy_against(to_unseen, np.empty((4, 0)), labels, PAIR, counts=(0,)) == [0.5]


def test_more_distractors_never_help() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.array(PAIR), 200)
    to_unseen, to_distractors = rng.random((400, 2)), rng.random((400, 30))
    found = accuracy_against(to_unseen, to_distractors, labels, PAIR, counts=range(31))
    assert len(found) == 31
    assert (np.diff(found) <= 0).all() and found[-1] < found[0]


def test_counts_beyond_the_distractors_are_left_out() -> None:
    labels = np.array(["cat", "truck"])
    found = accuracy_against(np.eye(2), np.ones((2, 3)), labels, PAIR, counts=(0, 3, 4, 20))
    assert len(found) == 2


def test_neighbours_are_by_angle_and_never_a_class_or_its_plural() -> None:
    angle = {"cat": 0.0, "cats": 0.1, "dog": 0.2, "kitten": 0.3, "mouse": 0.5, "far": 2.0}
    length = {"kitten": 9.0}  # far away by distance, near by angle
    vectors = [
        length.get(word, 1.0) * np.array([np.cos(turn), np.sin(turn)])
        for word, turn in angle.items()
    ]
    assert neighbours(WordVectors(list(angle), vectors), "cat", 2) == ["kitten", "mouse"]


def test_random_words_are_frequent_different_and_no_class() -> None:
    names = [*CLASSES, "cats", *(f"word{i}" for i in range(FREQUENT))]
    words = WordVectors(names, np.ones((len(names), 2)))
    drawn = random_words(words, len(names), np.random.RandomState(0))
    assert sorted(drawn) == sorted(names[11:FREQUENT])
    assert drawn[:3] != names[11:14]  # in another order
    assert drawn[:20] == random_words(words, 20, np.random.RandomState(0))


@pytest.mark.parametrize(
    ("key", "value"),
    [("none", 0.923), ("cat_2", 0.63), ("cat_12", 0.307), ("truck_2", 0.775), ("truck_20", 0.503)],
)
def test_published_numbers_stand_beside_the_two_layer_map_alone(key: str, value: float) -> None:
    printed = {number.key: number.published for number in EXPERIMENT.numbers}
    assert printed[f"two_layer_{key}"] == value
    assert printed[f"linear_{key}"] is None
    assert printed[f"default_{key}"] is None
