"""`VisualMap` against ridge regression from words to features, and in the model."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight import CombinedNovelty, CrossModalClassifier, LinearMap, StackingNovelty, VisualMap
from wordsight.classifiers.trials import ClassTrials
from wordsight.exceptions import InputError
from wordsight.mapping.base import fit_held_out, moved_words
from wordsight.rows import StoredRows

RNG = np.random.default_rng(0)
C, D, F, N = 9, 6, 30, 900
WORDS = RNG.normal(size=(C, D)) + 0.5
CODES = np.arange(N) % C
X = WORDS[CODES] @ RNG.normal(size=(D, F)) + 1.5 * RNG.normal(size=(N, F)) + 3.0
Y = WORDS[CODES]
HELD_OUT = np.asarray(np.arange(N) % 7 == 0)


@parametrize_with_checks([VisualMap(), VisualMap(0.1)])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("alpha", [1e-4, 0.3, 20.0])
@pytest.mark.parametrize("d", [3, D, 40])  # fewer and more dimensions than classes
def test_the_nearest_word_is_the_nearest_prototype_among_features(alpha: float, d: int) -> None:
    rng = np.random.default_rng(d)
    words, unseen = rng.normal(size=(C, d)), rng.normal(size=(5, d))
    mapping = VisualMap(alpha).fit(X, words[CODES])
    # the same regression by scikit-learn, whose penalty is on the sum over rows
    ridge = Ridge(alpha * N).fit(words[CODES], X)
    every = np.concatenate([words, unseen])
    among_features = cdist(X, ridge.predict(every), "sqeuclidean")
    among_points = cdist(mapping.predict(X), mapping.words(every), "sqeuclidean")
    # equal up to a constant for each image
    apart = among_features - among_points
    np.testing.assert_allclose(apart, np.repeat(apart[:, :1], len(every), axis=1), rtol=1e-6)
    np.testing.assert_array_equal(among_points.argmin(1), among_features.argmin(1))
    assert mapping.predict(X).shape[1] == min(d, C - 1)


def test_the_basis_is_orthonormal_and_spans_the_prototypes() -> None:
    mapping = VisualMap(0.1).fit(X, Y)
    U = mapping.coef_.T
    np.testing.assert_allclose(U.T @ U, np.eye(U.shape[1]), atol=1e-12)
    B = Ridge(0.1 * N).fit(Y, X).coef_
    np.testing.assert_allclose(U @ (U.T @ B), B, atol=1e-10)
    np.testing.assert_allclose(mapping.word_coef_, U.T @ B, atol=1e-10)
    np.testing.assert_allclose(mapping.predict(X).mean(0), 0.0, atol=1e-10)


def test_points_do_not_depend_on_the_ridge_term_and_words_are_pulled_together() -> None:
    weak, strong = (VisualMap(alpha).fit(X, Y) for alpha in (1e-3, 10.0))
    np.testing.assert_array_equal(weak.predict(X), strong.predict(X))
    assert np.linalg.norm(strong.words(WORDS)) < 0.5 * np.linalg.norm(weak.words(WORDS))


def test_the_order_and_the_precision_of_rows_do_not_matter() -> None:
    order = RNG.permutation(N)
    mapping = VisualMap(0.1).fit(X, Y)
    for other in (
        VisualMap(0.1).fit(X[order], Y[order]),
        VisualMap(0.1).fit(X.astype(np.float32), Y),
    ):
        np.testing.assert_allclose(
            cdist(other.predict(X.astype(other.coef_.dtype)), other.words(WORDS)),
            cdist(mapping.predict(X), mapping.words(WORDS)),
            rtol=1e-4,
        )
    single = VisualMap(0.1).fit(X.astype(np.float32), Y).predict(X.astype(np.float32))
    assert single.dtype == np.float32


class Kept(StoredRows):
    """An array that is read as if it were on disk."""

    def __init__(self, array: NDArray[np.float32]) -> None:
        self._array, self.largest = array, 0

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._array), self._array.shape[1]

    def __getitem__(self, rows: slice | NDArray[Any]) -> NDArray[np.float32]:
        read = self._array[rows].copy()
        self.largest = max(self.largest, len(read))
        return read


@pytest.mark.parametrize("alpha", [0.1, "auto"])
def test_stored_rows_are_read_a_few_at_a_time(alpha: Any) -> None:
    table = np.tile(X, (4, 1)).astype(np.float32)
    targets, held_out = np.tile(Y, (4, 1)), np.tile(HELD_OUT, 4)
    stored = Kept(table)
    ours, theirs = VisualMap(alpha, random_state=0), VisualMap(alpha, random_state=0)
    found, expected = (
        fit_held_out(each, rows, targets, held_out)
        for each, rows in ((ours, stored), (theirs, table))
    )
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    for one, other in ((found.rest, expected.rest), (found.held_out, expected.held_out)):
        np.testing.assert_allclose(
            cdist(one, ours.words(WORDS)), cdist(other, theirs.words(WORDS)), rtol=1e-3
        )
    assert 0 < stored.largest <= 1024


def test_held_out_rows_are_not_learned_from() -> None:
    changed = X.copy()
    changed[HELD_OUT] += 100.0
    one, other = VisualMap(0.1), VisualMap(0.1)
    found = one.fit_held_out(X, Y, HELD_OUT)
    other.fit_held_out(changed, Y, HELD_OUT)
    again = VisualMap(0.1).fit(X[~HELD_OUT], Y[~HELD_OUT])
    for mapping in (other, again):
        np.testing.assert_allclose(
            cdist(mapping.predict(X), mapping.words(WORDS)),
            cdist(one.predict(X), one.words(WORDS)),
            rtol=1e-7,
        )
    np.testing.assert_array_equal(found.held_out, one.predict(X)[HELD_OUT])
    np.testing.assert_array_equal(found.rest, one.predict(X)[~HELD_OUT])


def test_the_ridge_term_chosen_scores_best_by_brute_force() -> None:
    """Each fold of classes left out, by scikit-learn and with prototypes among features."""
    noisy = X + 6.0 * np.random.default_rng(1).normal(size=X.shape)  # no fold is easy
    mapping = VisualMap(n_class_folds=3, random_state=0)
    mapping.fit_held_out(noisy, Y, HELD_OUT)
    fold_of_class = np.arange(C) % 3
    np.random.RandomState(0).shuffle(fold_of_class)
    rank = np.argsort(np.lexsort(WORDS.T[::-1]))  # classes in the order of np.unique
    fold = fold_of_class[rank[CODES]]
    for alpha, said in mapping.alpha_scores_.items():
        scores = []
        for k in range(3):
            rest = ~HELD_OUT & (fold != k)
            ridge = Ridge(alpha * rest.sum()).fit(Y[rest], noisy[rest])
            accuracies = []
            for inside in (fold == k, fold != k):
                rows, group = HELD_OUT & inside, np.unique(CODES[inside])
                near = group[cdist(noisy[rows], ridge.predict(WORDS[group])).argmin(1)]
                right = near == CODES[rows]
                accuracies.append(np.mean([right[CODES[rows] == c].mean() for c in group]))
            scores.append(np.mean(accuracies))
        assert said == pytest.approx(np.mean(scores))
        assert len(set(scores)) == 3 and max(scores) < 0.95
    assert mapping.alpha_scores_[mapping.alpha_] == max(mapping.alpha_scores_.values())


def test_words_in_the_middle_are_no_hubs() -> None:
    """Shigeto et al.: images mapped to words gather about the mean, where some word wins often."""
    rng = np.random.default_rng(2)
    words = rng.normal(size=(60, 40))
    turn = rng.normal(size=(40, 80))

    def images(codes: NDArray[np.int64]) -> NDArray[np.float64]:
        return words[codes] @ turn + 12.0 * rng.normal(size=(len(codes), 80))

    codes = np.arange(1200) % 30
    seen, new = images(codes), images(np.arange(1500) % 60)
    counts = []
    for mapping in (LinearMap(30.0), VisualMap(0.3)):
        mapping.fit(seen, words[codes])
        points = mapping.predict(new)
        nearest = cdist(points, moved_words(mapping, words)).argmin(1)
        counts.append(np.bincount(nearest, minlength=60).max())
    assert counts[1] < 0.7 * counts[0]


def test_refusals() -> None:
    for options in ({"alpha": 0.0}, {"alpha": "best"}, {"held_out_fraction": 1.0}):
        with pytest.raises(InputError, match=f"{next(iter(options))}="):
            VisualMap(**options).fit(X, Y)
    with pytest.raises(InputError, match="n_class_folds=0"):
        VisualMap(n_class_folds=0).fit(X, Y)
    mapping = VisualMap(0.1).fit(X, Y)
    with pytest.raises(InputError, match=r"shape \(9, 5\) were given; expected rows of 6"):
        mapping.words(WORDS[:, 1:])
    with pytest.raises(InputError, match="held_out of type"):
        mapping.fit_held_out(X, Y, np.ones(N, dtype=bool))


# In the model

NAMES = list("abcdefghi")
TABLE = dict(zip(NAMES, WORDS, strict=True))
SEEN = CODES < 6


def model(**options: Any) -> CrossModalClassifier:
    options = {"mapping": VisualMap(0.1), "calibration_fraction": 0.3, **options}
    labels = np.array(NAMES)[CODES]
    return CrossModalClassifier(TABLE, ["g", "h"], random_state=0, **options).fit(
        X[SEEN], labels[SEEN]
    )


def prototypes(made: CrossModalClassifier, words: NDArray[Any]) -> NDArray[np.float64]:
    """b + B w among features, up to what is orthogonal to B: the map's own numbers undone."""
    mapping: Any = made.mapping_
    return np.asarray(mapping.words(words) @ mapping.coef_)


@pytest.mark.parametrize("gate", [None, StackingNovelty("euclidean"), CombinedNovelty()])
def test_the_model_compares_points_with_moved_words(gate: Any) -> None:
    made = model(novelty=gate)
    mapping: Any = made.mapping_
    np.testing.assert_array_equal(made.word_vectors_, [TABLE[str(c)] for c in made.classes_])
    found = made.recognise(X[~SEEN])
    assert found.mapped.shape[1] == 5
    moved = mapping.words(made.word_vectors_)
    nearest = cdist(found.mapped, moved[6:]).argmin(1)
    assert found.unseen_label is not None
    np.testing.assert_array_equal(found.unseen_label, np.array(["g", "h"])[nearest])
    # and unseen classes are told apart, which words that were not moved could not do
    only = CODES[~SEEN] < 8
    right = found.unseen_label[only] == np.array(NAMES)[CODES[~SEEN]][only]
    assert right.mean() > 0.8
    member: Any = made.novelty_
    for each in [member, *getattr(member, "detectors_", [])]:
        if hasattr(each, "centers_"):
            np.testing.assert_allclose(each.centers_, moved[:6])
        if hasattr(each, "unseen_centers_"):
            np.testing.assert_allclose(each.unseen_centers_, moved[6:])
    assert made.held_out_accuracy_ > 0.8
    assert 0.02 < made.is_novel(X[SEEN]).mean() < 0.2


def test_the_variance_is_that_of_held_out_points_about_moved_words() -> None:
    made = model()
    S, words = made.map(X[SEEN]), moved_words(made.mapping_, made.word_vectors_[:6])
    assert made.variance_ == pytest.approx(((S - words[CODES[SEEN]]) ** 2).mean(), rel=0.1)


def test_classes_added_are_moved_too() -> None:
    made = model()
    added = model().add_classes({"z": WORDS[8]})
    np.testing.assert_array_equal(added.word_vectors_[-1], WORDS[8])
    part: Any = added.unseen_classifier_
    mapping: Any = added.mapping_
    np.testing.assert_allclose(part.word_vectors_[-1], mapping.words(WORDS[8:])[0])
    before = made.predict_proba(X)
    np.testing.assert_array_equal(added.remove_classes(["z"]).predict_proba(X), before)


def test_nearest_words_are_sought_among_moved_ones() -> None:
    made = model()
    S = made.map(X[~SEEN])
    near = made.nearest_words(S, 2)
    apart = cdist(S, moved_words(made.mapping_, WORDS), "cosine")
    expected = np.array(NAMES)[np.argsort(apart, axis=1)[:, :2]]
    assert near == expected.tolist()
    other = model(mapping=LinearMap(0.1))
    S = other.map(X[~SEEN])
    assert other.nearest_words(S, 3) == other.words_.nearest(S, 3)[0]


def test_trials_hold_out_a_class_from_the_moved_words_on() -> None:
    mapping = VisualMap(0.3).fit(X, Y)
    made = ClassTrials(mapping, X, CODES, WORDS, HELD_OUT, np.random.RandomState(0))
    found = made.at(mapping.alpha_)
    assert len(found) == C
    for code, trial in enumerate(found):
        rest = (code != CODES) & ~HELD_OUT
        alone = VisualMap(0.3).fit(X[rest], Y[rest])
        np.testing.assert_allclose(
            cdist(trial.novel, trial.unseen_centers[code][None]),
            cdist(alone.predict(X[code == CODES]), alone.words(WORDS[[code]])),
        )
        centers = np.array([trial.centers[c] for c in range(C) if c != code])
        np.testing.assert_allclose(
            cdist(trial.held_out, centers),
            cdist(
                alone.predict(X[(code != CODES) & HELD_OUT]),
                alone.words(np.delete(WORDS, code, axis=0)),
            ),
        )
