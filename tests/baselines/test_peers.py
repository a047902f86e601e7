"""The peers: one contract, and each against its published formula."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_sylvester
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight.baselines.attributes import DirectAttributePrediction
from wordsight.baselines.base import ZeroShotPeer
from wordsight.baselines.conse import ConSE
from wordsight.baselines.devise import DeViSE, ranking_loss
from wordsight.baselines.eszsl import ESZSL
from wordsight.baselines.nearest_word import NearestWord
from wordsight.baselines.sae import SAE
from wordsight.exceptions import InputError, MissingWordError
from wordsight.mapping.linear import LinearMap

# every label that scikit-learn's checks train on
LABELS = [
    *(str(number) for number in range(-2, 12)),
    *(str(float(number)) for number in range(-2, 12)),
    *("one", "two", "three", "a", "b", "c", "True", "False"),
]
WORDS = dict(zip(LABELS, np.random.default_rng(0).normal(size=(len(LABELS), 9)), strict=True))
PEERS: list[ZeroShotPeer] = [
    NearestWord(WORDS, random_state=0),
    NearestWord(WORDS, metric="euclidean", mapping=LinearMap(0.1)),
    ESZSL(WORDS),
    SAE(WORDS),
    ConSE(WORDS),
    DeViSE(WORDS, random_state=0, learning_rate=0.1),
    DirectAttributePrediction(WORDS),
]
ANIMALS = ["ant", "bee", "cow", "dog", "eel", "fox", "gnu"]
WORLD = dict(zip(ANIMALS, np.random.default_rng(3).normal(size=(7, 6)), strict=True))
SEEN, UNSEEN = ["ant", "bee", "cow", "dog", "eel"], ["fox", "gnu"]


@pytest.fixture(params=PEERS, ids=lambda peer: type(peer).__name__)
def peer(request: pytest.FixtureRequest) -> ZeroShotPeer:
    chosen: ZeroShotPeer = clone(request.param)
    chosen.set_params(words=WORLD, unseen=UNSEEN)
    return chosen


def images(names: list[str], n: int = 60, seed: int = 0) -> tuple[NDArray[Any], NDArray[np.str_]]:
    """Features that a word and noise make."""
    turn = np.random.default_rng(7).normal(size=(6, 12))
    y = np.repeat(names, n)
    noise = np.random.default_rng(seed).normal(size=(len(y), 12))
    return np.array([WORLD[name] for name in y]) @ turn + 0.3 * noise + 2.0, y


@parametrize_with_checks(PEERS)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def test_unseen_classes_are_recognised_by_name(peer: ZeroShotPeer) -> None:
    peer.fit(*images(SEEN))
    assert peer.classes_.tolist() == SEEN + UNSEEN
    new, y = images(UNSEEN, seed=1)
    assert (peer.predict_among(new, UNSEEN) == y).mean() > 0.7
    known, label = images(SEEN, seed=1)
    assert (peer.predict_among(known, SEEN) == label).mean() > 0.9
    scores = peer.class_scores(new)
    assert (peer.predict(new) == peer.classes_[scores.argmax(1)]).all()
    margin = peer.novelty_score(new)
    np.testing.assert_array_equal(margin > 0, np.isin(peer.predict(new), UNSEEN))


def test_classes_change_without_training(peer: ZeroShotPeer) -> None:
    X, y = images(SEEN)
    whole = clone(peer).fit(X, y)
    peer.set_params(unseen=["gnu"]).fit(X, y)
    peer.add_classes({"fox": WORLD["fox"]}).remove_classes(["gnu"]).add_classes(["gnu"])
    assert peer.classes_.tolist() == whole.classes_.tolist()
    np.testing.assert_array_equal(peer.class_scores(X), whole.class_scores(X))
    with pytest.raises(InputError, match="ant is a class of the model already"):
        peer.add_classes(["ant"])


def test_rows_are_scored_on_their_own(peer: ZeroShotPeer) -> None:
    peer.fit(*images(SEEN))
    new, _y = images(UNSEEN, 5, seed=1)
    scores = peer.class_scores(new)
    alone = np.concatenate([peer.class_scores(row[None]) for row in new])
    np.testing.assert_allclose(alone, scores, atol=1e-9)


def test_what_every_peer_refuses(peer: ZeroShotPeer) -> None:
    X, y = images([*SEEN, "fox"])
    with pytest.raises(InputError, match="images of fox were given for training"):
        peer.fit(X, y)
    with pytest.raises(InputError, match="only one class was given"):
        clone(peer).fit(*images(["ant"]))
    with pytest.raises(MissingWordError, match="zebra"):
        clone(peer).set_params(unseen=["zebra"]).fit(*images(SEEN))
    peer.fit(*images(SEEN))
    with pytest.raises(InputError, match=r"okapi was asked for; expected some of .* ant, bee"):
        peer.predict_among(X, ["okapi"])
    with pytest.raises(InputError, match="no unseen class"):
        peer.remove_classes(UNSEEN).novelty_score(X)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (ESZSL(alpha=0), "alpha=0 was given"),
        (ESZSL(word_alpha=-1), "word_alpha=-1"),
        (SAE(weight=float("nan")), "weight=nan"),
        (ConSE(n_top=0), "n_top=0"),
        (DeViSE(margin=True), "margin=True"),
        (DeViSE(n_epochs=1.5), "n_epochs=1.5"),  # type: ignore[arg-type]
        (DirectAttributePrediction(alpha="x"), "alpha='x'"),  # type: ignore[arg-type]
        (NearestWord(metric="taxicab"), "'cosine' or 'euclidean'"),  # type: ignore[arg-type]
    ],
)
def test_parameters_out_of_range(wrong: ZeroShotPeer, match: str) -> None:
    with pytest.raises(InputError, match=match):
        wrong.set_params(words=WORLD).fit(*images(SEEN))


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    unit: NDArray[Any] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


W = np.array([WORLD[name] for name in SEEN])


def test_eszsl_is_the_published_formula_on_centred_data() -> None:
    X, y = images(SEEN, 40)
    gamma, lam = 0.05, 0.3
    model = ESZSL(WORLD, UNSEEN, alpha=gamma, word_alpha=lam).fit(X, y)
    Y = np.where(y[:, None] == np.array(SEEN), 1.0, -1.0)
    C, Y, S = X - X.mean(0), Y - Y.mean(0), _unit(W)
    left = np.linalg.inv(C.T @ C + gamma * len(X) * np.eye(12))
    V = left @ C.T @ Y @ S @ np.linalg.inv(S.T @ S + lam * np.eye(6))
    new, _y = images(UNSEEN, seed=1)
    every = _unit(np.array(list(WORLD.values())))
    np.testing.assert_allclose(
        model.class_scores(new), (new - X.mean(0)) @ V @ every.T, rtol=1e-6, atol=1e-9
    )


def test_sae_solves_its_sylvester_equation() -> None:
    X, y = images(SEEN, 40)
    model = SAE(WORLD, weight=0.7).fit(X, y)
    S = _unit(W)[np.unique(y, return_inverse=True)[1]]
    C, S = (X - X.mean(0)).T, (S - S.mean(0)).T
    # S Sᵀ has as many directions as classes less one: a trace of a term makes the others unique
    expected = solve_sylvester(S @ S.T + 1e-9 * np.eye(6), 0.7 * C @ C.T, 1.7 * S @ C.T)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-5, atol=1e-7)


def test_conse_by_hand() -> None:
    X, y = images(SEEN)
    model = ConSE(WORLD, UNSEEN, n_top=2).fit(X, y)
    new, _y = images(UNSEEN, 4, seed=1)
    proba = model.classifier_.predict_proba(new)
    for row, p in zip(model.class_scores(new), proba, strict=True):
        first, second = np.argsort(p)[[-1, -2]]
        f = (p[first] * W[first] + p[second] * W[second]) / (p[first] + p[second])
        every = np.array(list(WORLD.values()))
        np.testing.assert_allclose(
            row, every @ f / np.linalg.norm(f) / np.linalg.norm(every, axis=1), atol=1e-12
        )


def test_ranking_loss_by_hand() -> None:
    scores = torch.tensor([[1.0, 0.95, 0.2], [0.3, 0.1, 0.5]])
    # image 0: max(0, 0.1 − 1 + 0.95) + 0; image 1, of class 1: 0.1 − 0.1 + 0.3, 0.1 − 0.1 + 0.5
    found = ranking_loss(scores, torch.tensor([0, 1]), 0.1)
    assert float(found) == pytest.approx((0.05 + 0.8) / 2)


def test_devise_depends_on_its_seed_alone() -> None:
    X, y = images(SEEN, 20)
    first, again, other = (
        DeViSE(WORLD, n_epochs=3, random_state=seed).fit(X, y).coef_ for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    slow = DeViSE(WORLD, learning_rate=1e-3, random_state=0)
    losses = [clone(slow).set_params(n_epochs=n).fit(X, y).loss_ for n in (1, 30)]
    assert losses[1] < 0.5 * losses[0]


def test_attributes_are_learned_class_against_class() -> None:
    X, y = images(SEEN)
    model = DirectAttributePrediction(WORLD, UNSEEN).fit(X, y)
    has = W.mean(0) < W
    assert model.varies_.all()
    np.testing.assert_allclose(model.prior_, has.mean(0))
    # an attribute's regression tells the classes that have it from the others
    odds = X @ model.coef_.T + model.intercept_
    assert ((odds > 0) == has[np.unique(y, return_inverse=True)[1]]).mean() > 0.95


def test_nearest_word_is_the_nearest_to_a_ridge_regression() -> None:
    X, y = images(SEEN)
    model = NearestWord(WORLD, UNSEEN, mapping=LinearMap(0.5), metric="euclidean").fit(X, y)
    targets = np.array([WORLD[name] for name in y])
    S = Ridge(0.5 * len(X)).fit(X, targets).predict(X)
    far = np.linalg.norm(S[:, None] - np.array(list(WORLD.values())), axis=2)
    np.testing.assert_allclose(model.class_scores(X), -far, atol=1e-6)
