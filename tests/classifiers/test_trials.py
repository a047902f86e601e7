"""Seen classes held out as if they were unseen, and the gate that learns from them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from wordsight import CombinedNovelty, CrossModalClassifier, GaussianNovelty, LinearMap
from wordsight.classifiers import trials
from wordsight.classifiers.trials import ClassTrials
from wordsight.exceptions import InputError
from wordsight.mapping.two_layer import TwoLayerMap

RNG = np.random.default_rng(0)
WORDS = RNG.normal(size=(7, 4))
TURN = RNG.normal(size=(4, 15))


def images(codes: list[int], n: int = 80, seed: int = 0) -> tuple[NDArray[Any], NDArray[np.int64]]:
    y = np.repeat(codes, n)
    noise = np.random.default_rng(seed).normal(size=(len(y), 15))
    return WORDS[y] @ TURN + 1.5 * noise + 3.0, y


def _held_out(n: int) -> NDArray[np.bool_]:
    return np.asarray(np.arange(n) % 4 == 0)


def test_each_map_has_met_neither_its_class_nor_the_held_out_images() -> None:
    X, codes = images([0, 1, 2, 3, 4])
    held_out = _held_out(len(X))
    made = ClassTrials(LinearMap(), X, codes, WORDS[:5], held_out, np.random.RandomState(0))
    assert made.unit() == pytest.approx(X.var(axis=0).mean(), rel=1e-6)
    found = made.at(0.3)
    assert len(found) == 5
    for code, trial in enumerate(found):
        rest = (codes != code) & ~held_out
        alone = Ridge(0.3 * rest.sum()).fit(X[rest], WORDS[codes[rest]])
        np.testing.assert_allclose(trial.rest, alone.predict(X[rest]), atol=1e-3)
        inside = alone.predict(X[(codes != code) & held_out])
        np.testing.assert_allclose(trial.held_out, inside, atol=1e-3)
        np.testing.assert_allclose(trial.novel, alone.predict(X[codes == code]), atol=1e-3)
        np.testing.assert_array_equal(trial.unseen_centers[code], WORDS[code])
        np.testing.assert_array_equal(trial.rest_labels, codes[rest])
        np.testing.assert_array_equal(trial.held_out_labels, codes[(codes != code) & held_out])
        assert set(trial.novel_labels) == {code}
        assert sorted(trial.centers) == [c for c in range(5) if c != code]


@pytest.mark.parametrize(
    "mapping", [LinearMap("auto", random_state=0), TwoLayerMap(5, max_iter=3, random_state=0)]
)
def test_any_map_will_do(mapping: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, codes = images([0, 1, 2, 3])
    mapping.fit(X, WORDS[codes])
    arguments = (X, codes, WORDS[:4], _held_out(len(X)))
    alpha = getattr(mapping, "alpha_", None)
    found = ClassTrials(mapping, *arguments, np.random.RandomState(0)).at(alpha)
    monkeypatch.setattr(ClassTrials, "_linear", ClassTrials._refitted)
    again = ClassTrials(mapping, *arguments, np.random.RandomState(0)).at(alpha)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_allclose(one.novel, other.novel, atol=1e-3)


def test_of_many_classes_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "N_TRIALS", 2)
    X, codes = images([0, 1, 2, 3, 4])
    drawn = set()
    for seed in range(6):
        found = ClassTrials(
            LinearMap(), X, codes, WORDS[:5], _held_out(len(X)), np.random.RandomState(seed)
        ).at(0.3)
        assert len(found) == 2
        drawn |= {tuple(sorted(set(range(5)) - set(trial.centers))) for trial in found}
    assert len(drawn) > 2


def _model(**options: Any) -> CrossModalClassifier:
    words = {name: vector for name, vector in zip("abcdefg", WORDS, strict=True)}  # noqa: C416
    options = {"mapping": LinearMap(0.1), "calibration_fraction": 0.3, **options}
    return CrossModalClassifier(words, ["f", "g"], random_state=0, **options)


def test_the_weights_are_learned_when_the_model_is() -> None:
    X, codes = images([0, 1, 2, 3, 4], 400)
    y = np.array(list("abcde"))[codes]
    model = _model(novelty=CombinedNovelty()).fit(X, y)
    gate = model.novelty_
    assert isinstance(gate, CombinedNovelty)
    assert not np.allclose(gate.coef_, gate.coef_[0])
    new, _ = images([5, 6], 200, seed=1)
    plain = _model(novelty=GaussianNovelty()).fit(X, y)
    assert model.is_novel(new).mean() > plain.is_novel(new).mean()
    ordinary, _ = images([0, 1, 2, 3, 4], 100, seed=2)
    # the threshold is set on 200 images: three standard errors of a tenth of them
    assert model.is_novel(ordinary).mean() == pytest.approx(0.1, abs=0.065)


def test_unseen_classes_have_no_part_in_it() -> None:
    """Whatever is unseen, and however it is spelled in words, the weights are the same."""
    X, codes = images([0, 1, 2, 3, 4])
    y = np.array(list("abcde"))[codes]
    weights = []
    for unseen in ([], ["f"], ["g", "f"]):
        model = _model(novelty=CombinedNovelty()).set_params(unseen=unseen).fit(X, y)
        weights.append(model.novelty_.coef_)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[0], weights[2])


def test_too_few_classes_are_refused_before_any_work() -> None:
    X, codes = images([0, 1])

    class Slow(LinearMap):
        def fit_held_out(self, X: Any, Y: Any, held_out: Any) -> Any:
            pytest.fail("the map was learned")

    with pytest.raises(InputError, match="holding out seen classes, and 2 are too few"):
        _model(novelty=CombinedNovelty(), mapping=Slow()).fit(X, np.array(list("ab"))[codes])
