"""`CrossModalClassifier`: Eq. 2 put together by hand from its parts, and its threshold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression, Ridge

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.exceptions import InputError
from wordsight.mapping.base import HeldOutFit
from wordsight.mapping.linear import LinearMap
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.novelty.loop import LocalOutlierProbability
from wordsight.rows import draw_held_out

SEEN = ["car", "dog", "frog", "ship"]
UNSEEN = ["truck", "cat"]


@dataclass
class World:
    """Images whose features are linear in the vectors of their classes, and noise."""

    words: dict[str, NDArray[np.float64]]
    to_features: NDArray[np.float64]
    noise: float = 0.5

    def draw(
        self, classes: list[str], n: int, seed: int
    ) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
        rng = np.random.default_rng(seed)
        y = np.array([classes[k % len(classes)] for k in range(n)])
        X = np.stack([self.words[name] for name in y]) @ self.to_features
        return X + self.noise * rng.normal(size=X.shape), y


def make_world(d: int = 6, F: int = 12) -> World:
    rng = np.random.default_rng(0)
    words = {name: rng.normal(size=d) for name in [*SEEN, *UNSEEN, "bird"]}
    # unseen words stand outside the hull of the seen ones
    words["truck"] = 3.0 * words["car"]
    words["cat"] = 3.0 * words["dog"]
    return World(words, rng.normal(size=(d, F)))


WORLD = make_world()


def fitted(**options: Any) -> CrossModalClassifier:
    X, y = WORLD.draw(SEEN, 400, seed=1)
    options = {"mapping": LinearMap(0.01), "random_state": 0, **options}
    return CrossModalClassifier(WORLD.words, UNSEEN, **options).fit(X, y)


def queries() -> NDArray[np.float64]:
    return np.concatenate([WORLD.draw(SEEN, 60, seed=2)[0], WORLD.draw(UNSEEN, 60, seed=3)[0]])


def parts_by_hand(
    novelty: Any,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Fit each part alone and return its factor of Eq. 2 for the queries.

    All learn from all seen images, but the detector, whose threshold is set on the held-out ones.
    """
    X, y = WORLD.draw(SEEN, 400, seed=1)
    targets = np.stack([WORLD.words[name] for name in y]).astype(np.float32)
    mapping = Ridge(alpha=0.01 * len(X)).fit(X, targets)
    S = mapping.predict(queries())
    rest = ~draw_held_out(np.unique(y, return_inverse=True)[1], 0.1, np.random.RandomState(0))
    novelty.fit(mapping.predict(X[rest]), y[rest], centers={n: WORLD.words[n] for n in SEEN})
    seen = SoftmaxClassifier(tol=1e-8).fit(X, y).predict_proba(queries())
    W = np.stack([WORLD.words[name] for name in UNSEEN])
    unseen = WordGaussians(variance=0.25).fit(W, [0, 1]).predict_proba(S)
    return S, seen, unseen, novelty.score_samples(S)


@pytest.mark.parametrize(
    "novelty", [GaussianNovelty(), GaussianNovelty("per_class"), LocalOutlierProbability(15)]
)
def test_hard_gate_is_eq_2_of_the_parts(novelty: Any) -> None:
    model = fitted(
        novelty=novelty,
        seen_classifier=SoftmaxClassifier(tol=1e-8),
        unseen_classifier=WordGaussians(variance=0.25),
    )
    S, seen, unseen, score = parts_by_hand(novelty)
    np.testing.assert_allclose(model.map(queries()), S, rtol=1e-5, atol=1e-6)
    novel = score < model.novelty_.offset_
    assert 60 <= novel.sum() <= 80  # the unseen ones, and a few of the others
    expected = np.zeros((120, 6))
    expected[~novel, :4] = seen[~novel]
    expected[novel, 4:] = unseen[novel]
    np.testing.assert_allclose(model.predict_proba(queries()), expected, atol=1e-4)
    np.testing.assert_array_equal(model.is_novel(queries()), novel)
    names = np.array([*SEEN, *UNSEEN])
    np.testing.assert_array_equal(model.predict(queries()), names[expected.argmax(1)])


@pytest.mark.parametrize("novelty", [GaussianNovelty(), LocalOutlierProbability(15)])
def test_probability_gate_is_the_sum_of_eq_2(novelty: Any) -> None:
    model = fitted(
        novelty=novelty,
        gate="probability",
        seen_classifier=SoftmaxClassifier(tol=1e-8),
        unseen_classifier=WordGaussians(variance=0.25),
    )
    _S, seen, unseen, _score = parts_by_hand(novelty)
    novel = novelty.set_threshold(model.novelty_.offset_).novelty_proba(_S)
    expected = np.hstack([seen * (1 - novel)[:, None], unseen * novel[:, None]])
    np.testing.assert_allclose(model.predict_proba(queries()), expected, atol=2e-4)
    np.testing.assert_allclose(model.novelty_proba(queries()), novel, atol=2e-4)


@pytest.mark.parametrize("gate", ["hard", "probability"])
def test_unseen_classes_are_recognised_by_name_alone(gate: Any) -> None:
    model = fitted(gate=gate)
    X, y = WORLD.draw(UNSEEN, 200, seed=9)
    assert (model.predict(X) == y).mean() > 0.95
    X, y = WORLD.draw(SEEN, 400, seed=10)
    assert (model.predict(X) == y).mean() > 0.8  # about a tenth is called novel
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(1), 1.0, rtol=1e-12)
    assert model.classes_.tolist() == [*SEEN, *UNSEEN]  # seen sorted, unseen as they were named
    assert proba.shape == (400, 6)


def test_predict_among_leaves_the_gate_out() -> None:
    model = fitted()
    X, y = WORLD.draw(SEEN, 400, seed=10)
    assert (model.predict_among(X, SEEN) == y).mean() > 0.98
    among = model.predict_among(WORLD.draw(UNSEEN, 100, seed=4)[0], UNSEEN)
    assert set(among.tolist()) == set(UNSEEN)


def test_streaming_is_recognising() -> None:
    model = fitted()
    X = np.tile(queries(), (10, 1))  # more than one block
    rows, blocks = zip(*model.stream(X), strict=True)
    np.testing.assert_array_equal(np.concatenate(rows), np.arange(len(X)))
    assert len(rows) > 1
    np.testing.assert_allclose(
        np.concatenate([block.proba for block in blocks]), model.predict_proba(X), atol=1e-12
    )


# The threshold


@pytest.mark.parametrize("rate", [0.05, 0.2])
@pytest.mark.parametrize("novelty", [GaussianNovelty(), LocalOutlierProbability(15)])
def test_threshold_is_set_on_held_out_images_alone(novelty: Any, rate: float) -> None:
    X, y = WORLD.draw(SEEN, 400, seed=1)
    model = fitted(novelty=novelty, false_novel_rate=rate, calibration_fraction=0.2)
    codes = np.unique(y, return_inverse=True)[1]
    held_out = draw_held_out(codes, 0.2, np.random.RandomState(0))
    assert model.n_calibration_ == held_out.sum() == 80
    targets = np.stack([WORLD.words[name] for name in y])
    # each held-out image, mapped by a ridge regression on all the others
    alone = np.concatenate(
        [
            Ridge(alpha=0.01 * len(X))
            .fit(np.delete(X, row, 0), np.delete(targets, row, 0))
            .predict(X[row : row + 1])
            for row in np.flatnonzero(held_out)
        ]
    )
    words = np.stack([WORLD.words[name] for name in SEEN])
    nearest = np.array(SEEN)[((alone[:, None] - words) ** 2).sum(2).argmin(1)]
    assert model.held_out_accuracy_ == np.mean(nearest == y[held_out])
    mapped = Ridge(alpha=0.01 * len(X)).fit(X, targets).predict(X[~held_out])
    detector = novelty.fit(mapped, y[~held_out], centers={name: WORLD.words[name] for name in SEEN})
    expected = np.sort(detector.score_samples(alone))[int(rate * 81) - 1]
    assert model.novelty_.offset_ == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "novelty", [GaussianNovelty(), GaussianNovelty("per_class"), LocalOutlierProbability(15)]
)
@pytest.mark.parametrize("mapping", [LinearMap(random_state=0), LinearMap(1e-4)])
def test_the_rate_asked_for_is_the_rate_on_new_images(novelty: Any, mapping: Any) -> None:
    X, y = WORLD.draw(SEEN, 2000, seed=1)
    model = CrossModalClassifier(
        WORLD.words,
        UNSEEN,
        novelty=novelty,
        mapping=mapping,
        calibration_fraction=0.3,
        random_state=0,
    )
    novel = model.fit(X, y).is_novel(WORLD.draw(SEEN, 5000, seed=77)[0]).mean()
    # of 600 held-out images about a tenth falls under the true threshold, give or take
    low, high = binom.ppf(1e-4, 600, 0.1) / 600, binom.ppf(1 - 1e-4, 600, 0.1) / 600
    assert low <= novel <= high


def test_too_small_a_rate_is_refused_with_the_smallest_possible() -> None:
    with pytest.raises(InputError, match=r"false_novel_rate=0.01 is too small for 40 .* 1/41"):
        fitted(false_novel_rate=0.01)
    assert fitted(false_novel_rate=0.0245).n_calibration_ == 40


def test_nothing_to_hold_out_is_refused() -> None:
    X, y = WORLD.draw(SEEN, 4, seed=1)
    with pytest.raises(InputError, match="none of the 4 images can be held out"):
        CrossModalClassifier(WORLD.words, UNSEEN).fit(X, y)


def test_the_refusal_comes_before_the_work() -> None:
    class Unreachable(LinearMap):
        def fit_held_out(self, X: Any, Y: Any, held_out: Any) -> HeldOutFit:
            raise AssertionError

    with pytest.raises(InputError, match="too small"):
        fitted(false_novel_rate=0.001, mapping=Unreachable())


def test_same_seed_same_model() -> None:
    one, other = (fitted(mapping=LinearMap(random_state=5)) for _ in range(2))
    # sums over memory that lies elsewhere differ in their last bit, and L-BFGS lets that grow
    np.testing.assert_allclose(one.map(queries()), other.map(queries()), rtol=1e-9, atol=1e-12)
    assert one.novelty_.offset_ == pytest.approx(other.novelty_.offset_, rel=1e-9)
    np.testing.assert_allclose(
        one.predict_proba(queries()), other.predict_proba(queries()), atol=1e-3
    )


def test_another_seed_holds_out_other_images() -> None:
    assert fitted(random_state=1).novelty_.offset_ != fitted(random_state=2).novelty_.offset_


# Parts from elsewhere


def test_foreign_parts() -> None:
    model = fitted(mapping=Ridge(alpha=1.0), seen_classifier=LogisticRegression(max_iter=1000))
    X, y = WORLD.draw(UNSEEN, 100, seed=5)
    assert (model.predict(X) == y).mean() > 0.9
    X, y = WORLD.draw(SEEN, 100, seed=5)
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1.0)
    seen = LogisticRegression(max_iter=1000).fit(*WORLD.draw(SEEN, 400, seed=1))
    np.testing.assert_array_equal(model.predict_among(X, SEEN), seen.predict(X))


def test_given_parts_are_left_as_they_were() -> None:
    mapping, novelty = LinearMap(0.01), GaussianNovelty()
    fitted(mapping=mapping, novelty=novelty)
    assert not hasattr(mapping, "coef_")
    assert not hasattr(novelty, "offset_")
