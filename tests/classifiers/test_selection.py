"""Choosing ridge term, gate and threshold on seen classes held out, for a goal."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.naive_bayes import GaussianNB  # type: ignore[import-untyped]

from wordsight import (
    CombinedNovelty,
    CrossModalClassifier,
    GaussianNovelty,
    Goal,
    LinearMap,
    ShareClassifier,
    SoftmaxNovelty,
    StackingNovelty,
    TwoLayerMap,
)
from wordsight.classifiers import selection
from wordsight.classifiers.selection import (
    GATES,
    RATES,
    Curve,
    curves_of,
    judge,
    threshold_keeping,
)
from wordsight.exceptions import InputError
from wordsight.metrics import harmonic_mean, seen_unseen_accuracy, seen_unseen_curve
from wordsight.novelty.combined import Trial

RNG = np.random.default_rng(0)
NAMES = list("abcdefgh")
UNSEEN = ["g", "h"]
WORDS = dict(zip(NAMES, RNG.normal(size=(8, 5)), strict=True))
TURN = RNG.normal(size=(5, 20))


def images(names: list[str], n: int, seed: int) -> tuple[NDArray[Any], NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    y = rng.choice(names, size=n)
    X = np.array([WORDS[name] for name in y]) @ TURN + 4.0 * rng.normal(size=(n, 20))
    return X, y


X, Y = images(NAMES[:6], 900, 1)
NEW, TRUE = images(NAMES, 3000, 2)
SEEN = ~np.isin(TRUE, UNSEEN)


def model(**options: Any) -> CrossModalClassifier:
    return CrossModalClassifier(WORDS, UNSEEN, calibration_fraction=0.3, random_state=0, **options)


KEPT = 3 * np.sqrt(0.25 / 270)  # three standard errors of the 270 images a threshold is set on
TUNED = model().fit(X, Y, tune=True)


def accuracies(made: CrossModalClassifier) -> tuple[float, float]:
    found = seen_unseen_accuracy(TRUE, made.predict(NEW), seen=made.seen_, unseen=UNSEEN)
    assert found[0] is not None
    assert found[1] is not None
    return found[0], found[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("best",), "a goal of kind 'best'"),
        (("harmonic_mean", 0.5), "it takes no number"),
        (("keep_seen",), r"expected a share between 0 and 1, such as Goal\('keep_seen', 0.7\)"),
        (("false_novel_rate", 1.5), "false_novel_rate=1.5"),
    ],
)
def test_what_is_no_goal_is_refused(arguments: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Goal(*arguments)


def curve(seen: NDArray[Any], unseen: NDArray[Any], n_images: int = 1000) -> Curve:
    return Curve(np.asarray(seen), np.asarray(unseen), n_images)


def test_each_goal_is_judged_by_hand() -> None:
    # two classes held out, with the same seen accuracy and unseen ones that differ by 0.2
    curves = [curve(0.9 * (1 - RATES), RATES - 0.1), curve(0.9 * (1 - RATES), RATES + 0.1)]
    kept = judge(0.5, "some", curves, Goal("keep_seen", 0.63))
    assert (kept.alpha, kept.gate) == (0.5, "some")
    assert kept.false_novel_rate == pytest.approx(0.3)
    assert kept.seen_accuracy == pytest.approx(0.63)
    assert kept.value == kept.unseen_accuracy == pytest.approx(0.3)
    fixed = judge(None, "some", curves, Goal("false_novel_rate", 0.4))
    assert fixed.false_novel_rate == pytest.approx(0.4)
    by_hand = (harmonic_mean(0.54, 0.3) + harmonic_mean(0.54, 0.5)) / 2
    assert fixed.value == fixed.harmonic_mean == pytest.approx(by_hand)
    best = judge(None, "some", curves, Goal())
    every = [
        (harmonic_mean(0.9 * (1 - r), r - 0.1) + harmonic_mean(0.9 * (1 - r), r + 0.1)) / 2
        for r in RATES
    ]
    assert best.false_novel_rate == RATES[int(np.argmax(every))]
    assert best.value == pytest.approx(max(every))


def test_a_share_that_few_images_cannot_support_is_not_chosen() -> None:
    curves = [curve(1 - RATES, 1 - RATES, n_images=9)]  # best where nothing is called novel
    assert judge(None, "some", curves, Goal()).false_novel_rate == pytest.approx(0.1)


def test_curves_by_hand() -> None:
    """One dimension: words at 0 and 4, a class held out at 10."""
    centers = {"a": np.array([0.0, 0.0]), "b": np.array([4.0, 0.0])}
    points = np.array([[0.0, 0.0], [1.0, 0.0], [3.9, 0.0], [1.5, 0.0]])
    trial = Trial(
        rest=points,
        rest_labels=np.array(["a", "a", "b", "b"]),
        held_out=points,
        held_out_labels=np.array(["a", "a", "b", "b"]),
        novel=np.array([[9.0, 0.0], [1.4, 0.0]]),
        novel_labels=np.array(["c", "c"]),
        centers=centers,
        unseen_centers={"c": np.array([10.0, 0.0])},
    )
    (found,) = curves_of(StackingNovelty("euclidean", side="seen"), [trial])
    # scores 0, −1, −0.1, −1.5; the last of b is nearer to a, and wrong wherever it ends up
    at = np.searchsorted(RATES, 0.5)  # the threshold lies between −1 and −0.1
    assert found.seen_accuracy[at] == pytest.approx(0.5 * (1 / 2) + 0.5 * (1 / 2))
    assert found.unseen_accuracy[at] == pytest.approx(1.0)
    assert found.seen_accuracy[0] == pytest.approx(0.5 * 1 + 0.5 * (1 / 2))
    assert found.unseen_accuracy[0] == pytest.approx(0.5)  # 5 away is novel, 1.4 is not
    assert found.n_images == 4


def test_the_threshold_that_keeps_an_accuracy_by_hand() -> None:
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    right = np.array([True, True, False, True, True, True])
    labels = np.array(["a", "a", "a", "b", "b", "b"])
    # with the threshold at 2, a has 2 of 3 and b 1 of 3; at 1, b has 2 of 3
    assert threshold_keeping(0.5, scores, right, labels) == 2.0
    assert threshold_keeping(0.51, scores, right, labels) == 1.0
    assert threshold_keeping(0.84, scores, right, labels) is None


def test_the_operating_point_chosen_is_near_the_best_there_is() -> None:
    best = seen_unseen_curve(
        TRUE,
        TUNED.recognise(NEW).seen_label,
        TUNED.recognise(NEW).unseen_label,  # type: ignore[arg-type]
        TUNED.recognise(NEW).novelty_score,
        seen=TUNED.seen_,
        unseen=UNSEEN,
    ).best_harmonic_mean
    assert harmonic_mean(*accuracies(TUNED)) > 0.8 * best
    usual = model(mapping=LinearMap(0.01)).fit(X, Y)
    assert harmonic_mean(*accuracies(TUNED)) > harmonic_mean(*accuracies(usual))
    called = TUNED.is_novel(NEW[SEEN]).mean()
    assert called == pytest.approx(TUNED.false_novel_rate_, abs=0.05)


def test_what_was_chosen_is_the_best_of_what_was_tried() -> None:
    chosen = TUNED.selection_
    assert chosen is not None
    assert {one.gate for one in chosen.candidates} == set(GATES)
    assert len({one.alpha for one in chosen.candidates}) > 1
    assert chosen.best == max(chosen.candidates, key=lambda one: one.value)
    assert TUNED.mapping_.alpha_ == chosen.best.alpha  # type: ignore[attr-defined]
    assert type(TUNED.novelty_) is type(GATES[chosen.best.gate])
    assert len(chosen.trials) == 6


@pytest.mark.parametrize("seen_classifier", [None, ShareClassifier()])
def test_a_seen_accuracy_is_kept(seen_classifier: Any) -> None:
    made = model(seen_classifier=seen_classifier).fit(X, Y, tune=Goal("keep_seen", 0.6))
    assert accuracies(made)[0] == pytest.approx(0.6, abs=KEPT)
    assert made.keep_seen_ == 0.6
    made.remove_classes(["g"]).add_classes(["g"])  # the threshold is set anew
    assert accuracies(made)[0] == pytest.approx(0.6, abs=KEPT)


def test_a_seen_accuracy_is_kept_with_any_classifier() -> None:
    made = model(seen_classifier=GaussianNB()).fit(X, Y, tune=Goal("keep_seen", 0.5))
    assert accuracies(made)[0] == pytest.approx(0.5, abs=KEPT)


def test_more_than_can_be_kept_is_told_and_nothing_is_called_novel() -> None:
    with pytest.warns(UserWarning, match=r"a seen accuracy of 0.999 was to be kept, .* it is 0\."):
        made = model().fit(X, Y, tune=Goal("keep_seen", 0.999))
    assert made.is_novel(NEW[SEEN]).mean() < 0.02


def test_a_share_of_false_alarms_is_what_was_asked_for() -> None:
    made = model().fit(X, Y, tune=Goal("false_novel_rate", 0.25))
    assert made.false_novel_rate_ == 0.25
    assert made.is_novel(NEW[SEEN]).mean() == pytest.approx(0.25, abs=0.05)


def test_what_is_given_is_not_chosen() -> None:
    made = model(mapping=LinearMap(0.3), novelty=GaussianNovelty()).fit(X, Y, tune=True)
    assert made.selection_ is not None
    (only,) = made.selection_.candidates
    assert (only.alpha, only.gate) == (0.3, "given")
    assert isinstance(made.novelty_, GaussianNovelty)
    bent = model(mapping=TwoLayerMap(4, max_iter=2, random_state=0), novelty=StackingNovelty())
    assert [one.alpha for one in bent.fit(X, Y, tune=True).selection_.candidates] == [None]  # type: ignore[union-attr]


def test_unseen_classes_have_no_part_in_the_choice() -> None:
    """Whatever is unseen, the same ridge term, gate and share of false alarms are chosen."""
    for unseen in ([], ["g"]):
        other = model().set_params(unseen=unseen).fit(X, Y, tune=True)
        assert other.selection_ is not None
        assert TUNED.selection_ is not None
        assert other.selection_.candidates == TUNED.selection_.candidates


def test_the_weights_of_a_combined_gate_are_judged_on_classes_they_were_not_learned_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learned_on: list[int] = []
    weigh = CombinedNovelty.weigh

    def counted(self: CombinedNovelty, tables: Any) -> CombinedNovelty:
        learned_on.append(len(tables))
        return weigh(self, tables)

    monkeypatch.setattr(CombinedNovelty, "weigh", counted)
    assert TUNED.selection_ is not None
    found = selection._scores_of(CombinedNovelty(), TUNED.selection_.trials)
    assert learned_on == [5] * 6
    assert len(found) == 6


def test_the_same_seed_chooses_the_same() -> None:
    again = model().fit(X, Y, tune=True)
    assert again.selection_ is not None
    assert TUNED.selection_ is not None
    assert again.selection_.candidates == TUNED.selection_.candidates
    np.testing.assert_array_equal(again.predict_proba(NEW), TUNED.predict_proba(NEW))


def test_what_cannot_be_tuned_is_refused_before_any_work() -> None:
    with pytest.raises(InputError, match="SoftmaxNovelty looks at logits, and tune tries gates"):
        model(novelty=SoftmaxNovelty()).fit(X, Y, tune=True)
    few = np.isin(Y, ["a", "b"])
    with pytest.raises(InputError, match="holding out seen classes, and 2 are too few"):
        model().fit(X[few], Y[few], tune=True)
