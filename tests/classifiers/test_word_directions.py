"""`WordDirections` by hand on three words, in the model, and what does not change it."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight import CrossModalClassifier, LinearMap, WordDirections
from wordsight.classifiers.word_directions import mean_of_nearest, soft_maximum
from wordsight.exceptions import InputError

RNG = np.random.default_rng(0)
W = RNG.normal(size=(6, 7)) + 1.0
NAMES = [f"word{k}" for k in range(6)]
SEEN = RNG.normal(size=(4, 7)) + 1.0
LABELS = np.arange(120) % 4
POINTS = SEEN[LABELS] + RNG.normal(size=(120, 7))
S = RNG.normal(size=(50, 7)) + 1.0
CORRECTIONS: list[Any] = [None, "csls", "inverted_softmax"]


def fitted(correction: Any = None, **options: Any) -> WordDirections:
    model = WordDirections(correction=correction, **options)
    return model.fit(W, NAMES, seen_words=SEEN, points=POINTS, labels=LABELS)


@parametrize_with_checks([WordDirections(), WordDirections(centre=False, temperature=0.1)])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


# Three words along the axes and points of length 1, so that cosines are coordinates

AXES = np.eye(3)
NEAR = np.array([[0.6, 0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.8, 0.6]])
"""Three reference points."""


def by_hand(correction: Any, **options: Any) -> WordDirections:
    model = WordDirections(centre=False, correction=correction, **options)
    return model.fit(AXES, ["a", "b", "c"], points=NEAR)


def test_csls_by_hand() -> None:
    model = by_hand("csls", n_neighbors=2, temperature=0.5)
    # the two nearest reference points of each word
    np.testing.assert_allclose(model.hubness_, [0.7, 0.8, 0.3])
    point = [[2 / 3, 2 / 3, 1 / 3]]  # its two nearest words: r(s) = 2/3
    expected = [4 / 3 - 2 / 3 - 0.7, 4 / 3 - 2 / 3 - 0.8, 2 / 3 - 2 / 3 - 0.3]
    np.testing.assert_allclose(model.similarity(point), [expected])
    odds = np.exp(np.array(expected) / 0.5)
    np.testing.assert_allclose(model.predict_proba(point), [odds / odds.sum()])
    # by the cosine b, a hub, would be as good as a
    assert model.predict(point).tolist() == ["a"]
    assert by_hand("csls", n_neighbors=9).hubness_ == pytest.approx([1.4 / 3, 2.2 / 3, 0.2])


def test_inverted_softmax_by_hand() -> None:
    t = 0.2
    model = by_hand("inverted_softmax", temperature=t)
    point = np.array([2 / 3, 2 / 3, 1 / 3])
    mass = np.array(
        [
            np.exp(0.6 / t) + np.exp(0.8 / t) + 1.0,
            2 * np.exp(0.8 / t) + np.exp(0.6 / t),
            np.exp(0.6 / t) + 2.0,
        ]
    )
    share = np.exp(point / t) / mass  # Smith et al.: exp(β s) over its sum at the reference
    np.testing.assert_allclose(model.predict_proba([point]), [share / share.sum()])


def test_the_soft_maximum_lies_between_mean_and_maximum() -> None:
    rows = RNG.normal(size=(5, 30))
    np.testing.assert_allclose(soft_maximum(rows, 1e6), rows.mean(1), atol=1e-5)
    np.testing.assert_allclose(soft_maximum(rows, 1e-6), rows.max(1), atol=1e-5)
    np.testing.assert_allclose(mean_of_nearest(rows, 1), rows.max(1))
    np.testing.assert_allclose(mean_of_nearest(rows, 99), rows.mean(1))


def test_the_cosine_is_scipys_counted_from_the_centre() -> None:
    plain = WordDirections(centre=False).fit(W, NAMES)
    np.testing.assert_allclose(plain.similarity(S), 1 - cdist(S, W, "cosine"))
    centre = SEEN.mean(0)
    np.testing.assert_allclose(
        fitted().similarity(S), 1 - cdist(S - centre, W - centre, "cosine"), atol=1e-12
    )
    own = WordDirections().fit(W, NAMES)
    np.testing.assert_array_equal(own.centre_, W.mean(0))


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_lengths_do_not_matter_to_a_cosine(correction: Any) -> None:
    model = WordDirections(centre=False, correction=correction)
    model.fit(W, NAMES, seen_words=SEEN, points=POINTS, labels=LABELS)
    again = WordDirections(centre=False, correction=correction).fit(
        4.0 * W, NAMES, seen_words=SEEN, points=0.25 * POINTS, labels=LABELS
    )
    np.testing.assert_allclose(again.predict_proba(1e3 * S), model.predict_proba(S), rtol=1e-9)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_what_is_said_of_an_image_does_not_depend_on_the_others(correction: Any) -> None:
    model = fitted(correction)
    whole = model.predict_proba(S)
    alone = np.concatenate([model.predict_proba(row[None]) for row in S])
    np.testing.assert_allclose(alone, whole, rtol=1e-10)
    crowded = model.predict_proba(np.concatenate([S, np.tile(W[0], (500, 1))]))[: len(S)]
    np.testing.assert_allclose(crowded, whole, rtol=1e-10)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_the_order_of_words_and_of_reference_points_does_not_matter(correction: Any) -> None:
    model, order = fitted(correction, temperature=0.1), RNG.permutation(6)
    again = WordDirections(correction=correction, temperature=0.1)
    rows = RNG.permutation(len(POINTS))
    again.fit(W[order], np.array(NAMES)[order], seen_words=SEEN[::-1], points=POINTS[rows])
    np.testing.assert_allclose(again.predict_proba(S), model.predict_proba(S), rtol=1e-9)
    assert again.predict(S).tolist() == model.predict(S).tolist()


@pytest.mark.parametrize("correction", ["csls", "inverted_softmax"])
def test_a_hub_wins_less_often(correction: Any) -> None:
    """A map pulls images towards the middle; a word that lies there is near to all of them."""
    rng = np.random.default_rng(1)
    middle = np.ones(20)
    words = np.stack([middle, *(middle + 1.2 * rng.normal(size=(5, 20)))])
    seen = middle + 1.2 * rng.normal(size=(10, 20))

    def pulled(to: Any) -> Any:
        return middle + 0.4 * (to - middle) + 0.4 * rng.normal(size=to.shape)

    points, new = pulled(seen[np.arange(400) % 10]), pulled(words[np.arange(600) % 6])
    plain = WordDirections(centre=False).fit(words, np.arange(6)).predict(new)
    model = WordDirections(centre=False, correction=correction, temperature=0.05)
    less = model.fit(words, np.arange(6), points=points).predict(new)
    assert (plain == 0).sum() > 300 > (less == 0).sum()  # a hundred are of it
    right = np.arange(600) % 6
    assert (less == right).mean() > (plain == right).mean() + 0.1


def test_the_temperature_is_the_most_likely_one() -> None:
    """One weight of a logistic regression on the cosines' differences between two words."""
    rng = np.random.default_rng(3)
    seen = rng.normal(size=(2, 5))
    labels = np.arange(3000) % 2
    points = seen[labels] + 1.5 * rng.normal(size=(3000, 5))
    model = WordDirections(centre=False)
    model.fit(seen, ["a", "b"], seen_words=seen, points=points, labels=labels)
    cosines = 1 - cdist(points, seen, "cosine")
    logistic: Any = LogisticRegression
    exact = logistic(C=np.inf, fit_intercept=False)
    exact.fit((cosines[:, 1] - cosines[:, 0])[:, None], labels)
    assert model.temperature_ == pytest.approx(1 / exact.coef_[0, 0], rel=5e-3)


def test_the_temperature_of_the_inverted_softmax_by_brute_force() -> None:
    """Half of each class's points say what hubs are to the other half."""
    rng = np.random.default_rng(7)
    seen = rng.normal(size=(3, 4))
    labels = np.repeat([0, 1, 2], 40)
    points = seen[labels] + rng.normal(size=(120, 4))
    model = WordDirections(centre=False, correction="inverted_softmax")
    model.fit(seen, list("abc"), seen_words=seen, points=points, labels=labels)
    cosines, even = 1 - cdist(points, seen, "cosine"), np.arange(120) % 2 == 0

    def log_likelihood(t: float) -> float:
        total = 0.0
        for half in (even, ~even):
            share = np.exp(cosines[half] / t) / np.exp(cosines[~half] / t).mean(0)
            share /= share.sum(1, keepdims=True)
            total += np.log(share[np.arange(60), labels[half]]).sum()
        return total

    tried = np.geomspace(0.02, 20, 3000)
    best = tried[np.argmax([log_likelihood(t) for t in tried])]
    assert model.temperature_ == pytest.approx(best, rel=0.01)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_learned_probabilities_are_as_often_right_as_they_say(correction: Any) -> None:
    rng = np.random.default_rng(4)
    seen = rng.normal(size=(6, 8))
    labels = np.arange(6000) % 6
    points = seen[labels] + 1.8 * rng.normal(size=(6000, 8))
    model = WordDirections(correction=correction)
    model.fit(seen, np.arange(6), seen_words=seen, points=points[:900], labels=labels[:900])
    proba = model.predict_proba(points)
    right = proba.argmax(1) == labels
    assert proba.max(1).mean() == pytest.approx(right.mean(), abs=0.05)


def test_without_points_there_is_nothing_to_learn_from() -> None:
    assert WordDirections().fit(W, NAMES).temperature_ == 1.0
    assert WordDirections(temperature=0.3).fit(W, NAMES).temperature_ == 0.3
    one = WordDirections().fit(W, NAMES, seen_words=SEEN, points=POINTS[:1], labels=[0])
    assert one.temperature_ == 1.0


def test_classes_that_are_easy_leave_the_temperature_finite() -> None:
    model = WordDirections().fit(W, NAMES, seen_words=SEEN, points=SEEN, labels=range(4))
    assert 1e-3 <= model.temperature_ < 1e-2
    proba = model.predict_proba(1e200 * S)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(1), 1.0)


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({"correction": "hubs"}, {}, "correction='hubs' was given; expected None, 'csls'"),
        ({"n_neighbors": 0}, {}, "n_neighbors=0"),
        ({"temperature": 0.0}, {}, "temperature=0.0"),
        ({"temperature": True}, {}, "temperature=True"),
        ({"centre": "yes"}, {}, "centre='yes'"),
        ({"correction": "csls"}, {}, "none were given; give points="),
        ({}, {"points": POINTS[:, 1:]}, r"points of shape \(120, 6\) was given; .* 7 numbers"),
        ({}, {"seen_words": [[np.inf] * 7]}, "seen_words holds NaN or infinity"),
        ({}, {"points": [["x"] * 7]}, "points is no table of numbers"),
        (
            {},
            {"points": POINTS, "seen_words": SEEN[:3], "labels": LABELS},
            "labels of shape .* 120 points of 3 seen classes",
        ),
        ({}, {"points": POINTS, "seen_words": SEEN, "labels": [0]}, r"labels of shape \(1,\)"),
    ],
)
def test_refusals(options: Any, given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        WordDirections(**options).fit(W, NAMES, **given)


# In the model

WORDS = dict(zip("abcdefgh", np.random.default_rng(5).normal(size=(8, 5)), strict=True))


def images(n: int = 400) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(6)
    y = np.array(list("abcd"))[np.arange(n) % 4]
    X = np.array([WORDS[name] for name in y]) @ rng.normal(size=(5, 12))
    return X + 0.8 * rng.normal(size=X.shape), y


def model(correction: Any = "csls", **options: Any) -> CrossModalClassifier:
    return CrossModalClassifier(
        WORDS,
        ["e", "f"],
        mapping=LinearMap(0.01),
        unseen_classifier=WordDirections(correction=correction),
        calibration_fraction=0.3,
        random_state=0,
        **options,
    ).fit(*images())


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_the_model_hands_on_seen_words_and_held_out_points(correction: Any) -> None:
    made = model(correction)
    assert made.reference_points_.shape == (120, 5)
    part = made.unseen_classifier_
    assert isinstance(part, WordDirections)
    alone = WordDirections(correction=correction).fit(
        made.word_vectors_[4:],
        ["e", "f"],
        seen_words=made.word_vectors_[:4],
        points=made.reference_points_,
        labels=made.reference_codes_,
    )
    found = made.recognise(images()[0])
    np.testing.assert_array_equal(found.unseen_proba, alone.predict_proba(found.mapped))
    assert part.temperature_ != 1.0


def test_the_reference_is_of_seen_images_held_out_and_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = images()
    whole = model()
    monkeypatch.setattr("wordsight.classifiers.cross_modal.N_REFERENCE", 50)
    some = model()
    assert some.reference_points_.shape == (50, 5)
    kept = {row.tobytes() for row in whole.reference_points_}
    assert {row.tobytes() for row in some.reference_points_} < kept
    # the nearest seen word is that of the class about as often as among all held-out images
    near = cdist(whole.reference_points_, whole.word_vectors_[:4]).argmin(1)
    right = (near == whole.reference_codes_).mean()
    assert right == pytest.approx(whole.held_out_accuracy_)
    assert CrossModalClassifier(WORDS, random_state=0).fit(X, y).reference_points_ is None


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_classes_come_and_go(correction: Any) -> None:
    X, _y = images()
    made = model(correction)
    before = made.predict_proba(X)
    made.add_classes(["g", "h"])
    whole = CrossModalClassifier(WORDS, ["e", "f", "g", "h"]).set_params(
        **{k: v for k, v in made.get_params(deep=False).items() if k not in ("words", "unseen")}
    )
    np.testing.assert_array_equal(made.predict_proba(X), whole.fit(*images()).predict_proba(X))
    np.testing.assert_array_equal(made.remove_classes(["g", "h"]).predict_proba(X), before)
