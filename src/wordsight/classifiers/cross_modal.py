"""`CrossModalClassifier`: the paper's model, p(y | x) over seen and unseen classes (Eq. 2)."""

import copy
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from wordsight.classifiers.class_index import CANDIDATES, ClassIndex, check_index
from wordsight.classifiers.class_words import ClassWords, check_classes
from wordsight.classifiers.many_classes import ManyClasses
from wordsight.classifiers.queries import AnswersWords
from wordsight.classifiers.recognition import Recognition
from wordsight.classifiers.selection import GATES, Goal, Selection, select, threshold_keeping
from wordsight.classifiers.shares import ShareClassifier
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.classifiers.trials import ClassTrials
from wordsight.classifiers.word_directions import WordDirections
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.compute import blocks
from wordsight.exceptions import InputError
from wordsight.features.cache import FeatureCache, FeatureMaker
from wordsight.features.images import is_images
from wordsight.features.patch_features import PatchFeatures
from wordsight.geometry import sq_dist
from wordsight.leading import MANY
from wordsight.mapping.base import HeldOutFit, SemanticMap, fit_held_out, moved_words
from wordsight.mapping.linear import LinearMap
from wordsight.novelty.base import NoveltyDetector
from wordsight.novelty.combined import CombinedNovelty, check_classes_suffice
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.parameters import checked_random_state, is_between
from wordsight.rows import READ, StoredRows, by_blocks, draw_held_out
from wordsight.validation import checked_labels, validated
from wordsight.words.vectors import WordVectors

__all__ = ["CrossModalClassifier", "join"]

Gate = Literal["hard", "probability"]

N_REFERENCE = 1000
"""Held-out images kept for the unseen classifier at most: memory and files stay small."""


def join(
    seen_proba: NDArray[Any], unseen_proba: NDArray[Any], novel: NDArray[Any]
) -> NDArray[np.float64]:
    """Join the two classifiers through the gate: the paper's Eq. 2.

    ``p(y | x) = p(y | V = s, x) P(V = s | x) + p(y | V = u, x) P(V = u | x)``, where a class that
    is seen has no share in the second term, and one that is unseen none in the first.

    Parameters
    ----------
    seen_proba : ndarray, shape (n, n_seen)
        p(y | V = s, x).
    unseen_proba : ndarray, shape (n, n_unseen)
        p(y | V = u, x).
    novel : ndarray, shape (n,)
        P(V = u | x).

    Returns
    -------
    ndarray of float64, shape (n, n_seen + n_unseen)
        Rows sum to 1.
    """
    if not unseen_proba.shape[1]:
        return np.asarray(seen_proba, dtype=np.float64)  # V = u has no class to go to
    seen = seen_proba * (1.0 - novel)[:, None]
    unseen = unseen_proba * novel[:, None]
    return np.hstack([seen, unseen])


class CrossModalClassifier(AnswersWords, ClassifierMixin, BaseEstimator):
    """Recognise seen classes and, by their names alone, unseen ones.

    Images become features X; a map takes them to points S among the word vectors W; a novelty
    detector gives P(V = u | x), the probability that an image is of no seen class; a softmax on X
    tells seen classes apart, and Gaussians around word vectors the unseen ones. Eq. 2 (`join`)
    makes of these one p(y | x) over all classes.

    The threshold between ordinary and novel is set on seen images that the detector and the map
    were not trained on; no unseen image, and no label of one, is needed anywhere.

    Parameters
    ----------
    words : WordVectors, mapping of str to array, path or None, default None
        Word vectors of the class names; None is the vocabulary in the package.
    unseen : sequence of str, default ()
        Names of classes to be recognised without an image.
    features : transformer or None, default None
        Makes features of images; None is `PatchFeatures` with the paper's settings. Not used
        where ready features are given (two dimensions). One that learns from labels says so by a
        parameter `held_out` of its `fit`: it is then given the labels, and which images to leave
        alone, those that the threshold is set on.
    mapping : SemanticMap or None, default None
        None is ``LinearMap(alpha="auto")``.
    novelty : NoveltyDetector or None, default None
        None is `GaussianNovelty`.
    seen_classifier : classifier or None, default None
        None is `SoftmaxClassifier`; a `ShareClassifier` looks at mapped points, and takes no
        training of its own.
    unseen_classifier : WordGaussians, WordDirections or None, default None
        None is `WordGaussians` with the variance of the held-out images about their word vectors.
    gate : {"hard", "probability"}, default "hard"
        Whether P(V = u | x) in Eq. 2 is the detector's verdict, 0 or 1 (Eq. 3), or its
        probability.
    false_novel_rate : float, default 0.1
        Share of seen images that may be called novel.
    calibration_fraction : float, default 0.1
        Share of each class's images held out to set the threshold and choose the ridge term. The
        novelty detector is not trained on them; the default map and classifiers are.
    on_missing : {"error", "compose"}, default "compose"
        What to do with a name that has no vector of its own: refuse it, or take the mean of its
        parts ("pickup truck").
    random_state : int, RandomState or None, default None
        Draws the held-out images, and everything random in the parts made by default.

    Attributes
    ----------
    classes_ : ndarray, shape (n_seen + n_unseen,)
        Seen classes, then unseen ones, in the order of the columns of `predict_proba`.
    seen_, unseen_ : ndarray
        The two kinds of classes.
    features_, mapping_, novelty_, seen_classifier_, unseen_classifier_ : estimators
        The fitted parts; `features_` is None after a fit on ready features.
    word_vectors_ : ndarray, shape (n_seen + n_unseen, d)
        W, in the order of `classes_`; a map that moves words (`VisualMap`) does not change it.
    words_ : WordVectors
        What `add_classes` looks names up in.
    calibration_points_, calibration_labels_ : ndarray or None
        What a novelty detector that compares with the words of unseen classes sees of the held-out
        images, and their classes: it is calibrated anew when the unseen classes change.
    reference_points_, reference_codes_ : ndarray or None
        Up to 1,000 of the held-out images, mapped, and their classes as rows of `seen_`: kept for
        an unseen classifier whose `fit` takes ``points``, which is fitted anew when the unseen
        classes change.
    calibration_right_ : ndarray of bool or None
        Whether the classifier of seen classes is right on these: kept after ``tune`` for a seen
        accuracy to keep.
    n_calibration_ : int
        Images the threshold was set on.
    false_novel_rate_ : float
        Share of seen images that may be called novel: the parameter, or what ``tune`` chose.
    keep_seen_ : float or None
        The seen accuracy that the threshold keeps on held-out images, where ``tune`` was to.
    selection_ : Selection or None
        What ``tune`` chose, and among what; not saved.
    held_out_accuracy_ : float
        Share of these images whose nearest seen word is that of their class.
    variance_ : float
        Mean squared distance, a coordinate, of held-out images from their word vectors.
    class_index_ : ClassIndex or None
        By what unseen classes are found after `use_index`; not saved.
    about_ : dict
        What a saved model says of its training; empty after `fit`.
    precision_ : str
        What the large arrays of a saved model are stored as; "float32" after `fit`.

    Examples
    --------
    >>> import numpy as np
    >>> from wordsight import CrossModalClassifier
    >>> words = {"cat": [0.0, 1.0], "dog": [0.3, 1.0], "car": [1.0, 0.0], "truck": [1.0, 0.4]}
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["dog", "car"], 100)
    >>> X = np.array([words[name] for name in y]) @ rng.normal(size=(2, 5))
    >>> X += 0.1 * rng.normal(size=X.shape)
    >>> model = CrossModalClassifier(words, ["cat"], random_state=0).fit(X, y)
    >>> list(map(str, model.add_classes(["truck"]).classes_))
    ['car', 'dog', 'cat', 'truck']
    """

    _index: tuple[int, int | None] | None = None
    """What `use_index` was given."""

    def __init__(
        self,
        words: WordVectors | Mapping[str, Any] | str | None = None,
        unseen: Sequence[str] = (),
        *,
        features: Any = None,
        mapping: Any = None,
        novelty: Any = None,
        seen_classifier: Any = None,
        unseen_classifier: Any = None,
        gate: Gate = "hard",
        false_novel_rate: float = 0.1,
        calibration_fraction: float = 0.1,
        on_missing: Literal["error", "compose"] = "compose",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.words = words
        self.unseen = unseen
        self.features = features
        self.mapping = mapping
        self.novelty = novelty
        self.seen_classifier = seen_classifier
        self.unseen_classifier = unseen_classifier
        self.gate = gate
        self.false_novel_rate = false_novel_rate
        self.calibration_fraction = calibration_fraction
        self.on_missing = on_missing
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        cache: FeatureCache | FeatureMaker | None = None,
        tune: bool | Goal = False,
    ) -> Self:
        """Learn from images of seen classes.

        Parameters
        ----------
        X : Dataset, ndarray of uint8 (n, height, width, 3), or ndarray (n, F)
            A labelled data set, images, or ready features.
        y : array-like, shape (n,)
            Class names; a data set brings its own.
        cache : FeatureCache or FeatureMaker, optional
            Where the features of images, the longest part, are kept and found again; they then
            never lie in memory all at once, and an interrupted fit goes on where it was. Or what
            makes them elsewhere, such as on a cluster.
        tune : bool or Goal, default False
            Whether to choose the ridge term (where the map leaves it open), the gate (where
            `novelty` is None) and its threshold for a goal, on seen classes held out in turn as if
            they were unseen; True is the best harmonic mean. It takes several maps.

        Returns
        -------
        CrossModalClassifier
            Itself.

        Raises
        ------
        InputError
            Labels of an unseen class among `y`, fewer than two classes, a name without a word
            vector, too few images for the false-novel rate asked for.
        """
        self._check_parameters()
        self._index = None
        goal = (Goal() if tune else None) if isinstance(tune, bool) else tune
        labels = self._labels(X, y)
        seen, codes = np.unique(labels, return_inverse=True)
        unseen = list(map(str, self.unseen))
        check_classes(seen, unseen)
        words = WordVectors.coerce(self.words)
        self._class_words = ClassWords.look_up(words, seen, unseen, on_missing=self.on_missing)
        if goal is not None:
            self._check_tunable(len(seen))
        held_out = self._draw_held_out(codes)
        features = self._learn_features(X, labels, cache, held_out)
        self._learn_recognition(features, labels, codes, held_out, goal)
        self.about_: dict[str, Any] = {}
        self.precision_ = "float32"
        return self

    def _draw_held_out(self, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Draw the images for the threshold; too few are refused now, before the long work."""
        held_out = draw_held_out(
            codes, self.calibration_fraction, checked_random_state(self.random_state)
        )
        if not held_out.any():
            raise InputError(
                f"none of the {len(codes)} images can be held out to set the threshold on "
                f"(calibration_fraction={self.calibration_fraction:g}, and an image of each class "
                "stays in training); give more images or a larger calibration_fraction"
            )
        detector = GaussianNovelty() if self.novelty is None else self.novelty
        counts = np.bincount(codes[held_out], minlength=int(codes.max()) + 1)
        detector.check_enough(counts, self.false_novel_rate)
        return held_out

    def _learn_features(
        self,
        X: Any,
        labels: NDArray[Any],
        cache: FeatureCache | FeatureMaker | None,
        held_out: NDArray[np.bool_],
    ) -> Any:
        if not is_images(X):
            self.features_ = None
            return _rows(validated(self, X, dtype=[np.float32, np.float64]))
        self.features_ = self._part(self.features, PatchFeatures)
        found: Any
        if isinstance(cache, FeatureMaker):
            found = cache.fit_features(self.features_, X)
        elif cache is None:
            extra: dict[str, Any] = {}
            if has_fit_parameter(self.features_, "held_out"):
                # what learns from labels is surer of images it learned from than of new ones: no
                # threshold may be set on these
                extra = {"y": labels, "held_out": held_out}
            found = np.asarray(self.features_.fit_transform(X, **extra))
        else:
            self._check_cacheable()
            found = self.features_.fit_stored(X, cache)
        if len(found) != len(labels):
            raise InputError(
                f"{len(found)} images could be read of the {len(labels)} that are labelled; "
                "leave the broken ones out first: data, broken = data.intact()"
            )
        self.n_features_in_ = found.shape[1]
        return found

    def _learn_recognition(
        self,
        X: NDArray[Any] | StoredRows,
        labels: NDArray[Any],
        codes: NDArray[np.int64],
        held_out: NDArray[np.bool_],
        goal: Goal | None,
    ) -> None:
        """Fit the map, the gate and the two classifiers on features of seen images."""
        W = self._class_words.seen_vectors.astype(X.dtype, copy=False)
        self.mapping_: SemanticMap = self._part(self.mapping, LinearMap)
        self.novelty_: NoveltyDetector = self._part(self.novelty, GaussianNovelty)
        self.seen_classifier_ = self._part(self.seen_classifier, SoftmaxClassifier)
        self.false_novel_rate_ = self.false_novel_rate
        self.keep_seen_: float | None = None
        draw = checked_random_state(self.random_state)
        trials = None
        if goal is not None or isinstance(self.novelty_, CombinedNovelty):
            trials = ClassTrials(self.mapping_, X, codes, W, held_out, draw)
        self.selection_: Selection | None = None
        if goal is not None and trials is not None:
            self._choose(goal, trials)
        found = fit_held_out(self.mapping_, X, W[codes], held_out)
        words = moved_words(self.mapping_, W)
        centers = dict(zip(self._class_words.seen.tolist(), words, strict=True))
        right = self._learn_seen(X, labels, held_out, found, centers)
        look = self.novelty_.sees != "mapped"
        X_rest, X_held_out = (X[~held_out], X[held_out]) if look else (X[:0], X[:0])
        rest = self._gate_points(X_rest, found.rest)

        # The threshold: from images of seen classes that neither map nor detector has met.
        self.novelty_.fit(rest, labels[~held_out], centers=centers)
        if isinstance(self.novelty_, CombinedNovelty) and trials is not None:
            learned = getattr(self.mapping_, "alpha_", None)
            self.novelty_.learn_weights(
                self.selection_.trials if self.selection_ else trials.at(learned)
            )
        self._calibrate(self._gate_points(X_held_out, found.held_out), labels[held_out], right)
        self.n_calibration_ = int(held_out.sum())

        nearest = sq_dist(found.held_out, words).argmin(1)
        self.held_out_accuracy_ = float((nearest == codes[held_out]).mean())
        spread = float(((found.held_out - words[codes[held_out]]) ** 2).mean())
        self.variance_ = spread if np.isfinite(spread) and spread > 0 else 1.0
        self._keep_reference(found.held_out, codes[held_out])
        self._set_classes(self._class_words)

    def _keep_reference(self, points: NDArray[Any], codes: NDArray[np.int64]) -> None:
        """Keep some held-out images where the unseen classifier looks at them."""
        self.reference_points_: Any = None
        self.reference_codes_: Any = None
        if _takes_points(self.unseen_classifier):
            draw = checked_random_state(self.random_state)
            rows = np.sort(draw.permutation(len(points))[:N_REFERENCE])
            self.reference_points_ = np.ascontiguousarray(points[rows])
            self.reference_codes_ = codes[rows]

    def _choose(self, goal: Goal, trials: ClassTrials) -> None:
        """Choose ridge term, gate and share of false alarms on classes held out."""
        gates = GATES if self.novelty is None else {"given": self.novelty_}
        chosen = select(self.mapping_, trials, goal, gates=gates)
        self.selection_ = chosen
        if isinstance(self.mapping_, LinearMap) and chosen.best.alpha is not None:
            self.mapping_.set_params(alpha=chosen.best.alpha)
        self.novelty_ = chosen.novelty
        self.false_novel_rate_ = chosen.best.false_novel_rate
        self.keep_seen_ = goal.value if goal.kind == "keep_seen" else None

    def _learn_seen(
        self,
        X: NDArray[Any] | StoredRows,
        labels: NDArray[Any],
        held_out: NDArray[np.bool_],
        found: HeldOutFit,
        centers: Mapping[Any, NDArray[Any]],
    ) -> NDArray[np.bool_] | None:
        """Fit the classifier of seen classes; tell where it is right on held-out images.

        None where that is not known, and nobody asks.
        """
        part = self.seen_classifier_
        inside = labels[held_out]
        if isinstance(part, ShareClassifier):
            part.fit(found.held_out, inside, centers=centers)
            return np.asarray(part.predict(found.held_out) == inside)
        if self.novelty_.sees == "logits":
            # what a softmax says of images it was trained on tells nothing of new ones
            rest, new = X[~held_out], X[held_out]
            if isinstance(part, SoftmaxClassifier) and part.temperature == "auto":
                # nor is it as sure of these as of images that features were trained on
                part.fit_held_out(rest, labels[~held_out], np.zeros(len(rest), dtype=bool))
                part.learn_temperature(new, inside)
            else:
                part.fit(rest, labels[~held_out])
            return np.asarray(part.predict(new) == inside)
        asks = self.keep_seen_ is not None
        if isinstance(part, SoftmaxClassifier) and (asks or part.temperature == "auto"):
            logits = part.fit_held_out(X, labels, held_out, factor=found.factor)
            return np.asarray(part.classes_[logits.argmax(1)] == inside)
        right = None
        if asks:
            alone = clone(part).fit(X[~held_out], labels[~held_out])
            right = np.asarray(alone.predict(X[held_out]) == inside)
        self._fit_seen(X, labels, found)
        return right

    def _calibrate(
        self, points: NDArray[Any], labels: NDArray[Any], right: NDArray[np.bool_] | None
    ) -> None:
        """Set the threshold; keep what it is set on where it will have to be set again."""
        self.novelty_.calibrate(points, self.false_novel_rate_, y=labels)
        if self.keep_seen_ is not None and right is not None:
            scores = self.novelty_.score_samples(points)
            threshold = threshold_keeping(self.keep_seen_, scores, right, labels)
            if threshold is None:
                threshold = float(scores.min())
                warnings.warn(
                    f"a seen accuracy of {self.keep_seen_:g} was to be kept, and on held-out "
                    f"images it is {right.mean():.3f} with none called novel; the threshold calls "
                    "none of them novel",
                    stacklevel=2,
                )
            self.novelty_.set_threshold(threshold)
        self.calibration_points_: Any = None
        self.calibration_labels_: Any = None
        self.calibration_right_: Any = None
        if self.novelty_.compares_words:
            self.calibration_points_, self.calibration_labels_ = points, labels
            self.calibration_right_ = right if self.keep_seen_ is not None else None

    def _gate_points(self, X: NDArray[Any] | StoredRows, S: NDArray[Any]) -> NDArray[Any]:
        """Return what the novelty detector looks at: features, logits or mapped points."""
        if self.novelty_.sees == "features":
            return np.asarray(X[:])
        if self.novelty_.sees == "logits":
            return by_blocks(self._logits, S if self._seen_by_points else X)
        return S

    @property
    def _seen_by_points(self) -> bool:
        """Whether the classifier of seen classes looks at mapped points in place of features."""
        return isinstance(self.seen_classifier_, ShareClassifier)

    def _logits(self, X: NDArray[Any]) -> NDArray[np.float64]:
        if isinstance(self.seen_classifier_, SoftmaxClassifier | ShareClassifier):
            return np.asarray(self.seen_classifier_.logits(X), dtype=np.float64)
        proba = np.asarray(self.seen_classifier_.predict_proba(X), dtype=np.float64)
        return np.log(np.maximum(proba, np.finfo(np.float64).tiny))

    def _fit_seen(
        self, X: NDArray[Any] | StoredRows, labels: NDArray[Any], found: HeldOutFit
    ) -> None:
        extra: dict[str, Any] = {}
        if found.factor is not None and has_fit_parameter(self.seen_classifier_, "factor"):
            extra["factor"] = found.factor
        if isinstance(X, StoredRows) and not isinstance(self.seen_classifier_, SoftmaxClassifier):
            X = X[:]  # one from elsewhere knows arrays alone
        self.seen_classifier_.fit(X, labels, **extra)

    def _part(self, given: Any, default: type[Any]) -> Any:
        """Return an unfitted copy of a part, or the default one with this model's seed."""
        if given is not None:
            return clone(given)
        part = default()
        if "random_state" in part.get_params():
            part.set_params(random_state=self.random_state)
        return part

    # What is recognised

    @property
    def classes_(self) -> NDArray[Any]:
        """Seen classes, then unseen ones."""
        return self._class_words.classes

    @property
    def seen_(self) -> NDArray[Any]:
        """Classes with images."""
        return self._class_words.seen

    @property
    def unseen_(self) -> NDArray[Any]:
        """Classes known by name alone."""
        return self._class_words.unseen

    @property
    def word_vectors_(self) -> NDArray[Any]:
        """W, in the order of `classes_`."""
        return self._class_words.vectors

    @property
    def words_(self) -> WordVectors:
        """What names are looked up in."""
        return self._class_words.words

    def add_classes(self, names: Iterable[str] | Mapping[str, Any] | WordVectors) -> Self:
        """Recognise more classes from now on, without training.

        Parameters
        ----------
        names : iterable of str, mapping of str to array (d,), or WordVectors
            Names to be looked up in `words_`, or names with their vectors. A table is to be of the
            source that the model was trained with, such as `describe` makes by one encoder.

        Returns
        -------
        CrossModalClassifier
            Itself.

        Raises
        ------
        InputError
            A class that is there already, a name without a vector, a vector of another dimension
            than the model's, words beside descriptions. The model is then as it was.
        """
        check_is_fitted(self, "seen_classifier_")
        return self._set_classes(self._class_words.with_classes(names, on_missing=self.on_missing))

    def remove_classes(self, names: Iterable[str]) -> Self:
        """Recognise some unseen classes no longer.

        Parameters
        ----------
        names : iterable of str

        Returns
        -------
        CrossModalClassifier
            Itself.

        Raises
        ------
        InputError
            A class that is not there, or a seen one. The model is then as it was.
        """
        check_is_fitted(self, "seen_classifier_")
        return self._set_classes(self._class_words.without_classes(names))

    def use_words(self, words: WordVectors) -> Self:
        """Look names up in another table from now on, of the same word space."""
        check_is_fitted(self, "seen_classifier_")
        if words.dimension != self.word_vectors_.shape[1]:
            raise InputError(
                f"word vectors of {words.dimension} dimensions were given; this model's have "
                f"{self.word_vectors_.shape[1]}: give the table it was trained with"
            )
        self._class_words = replace(self._class_words, words=words)
        return self

    def branch(self) -> Self:
        """Return a model of the same fitted parts that changes apart from this one.

        Classes added to it, and a threshold moved in it, leave this model as it is; what was
        learned from images is shared, so that it costs next to nothing.
        """
        check_is_fitted(self, "seen_classifier_")
        twin = copy.copy(self)
        # the one part that a change of classes or of the threshold touches
        twin.novelty_ = copy.deepcopy(self.novelty_)
        return twin

    def move_threshold(self, novelty_score: float) -> Self:
        """Call novel, from now on, what had a `Recognition.novelty_score` above this until now.

        Parameters
        ----------
        novelty_score : float
            0 leaves the threshold where it is; below 0, more images are novel. It is kept when
            the model is saved. A detector that compares with the words of unseen classes
            (``novelty_.compares_words``) sets its threshold anew when these change.

        Returns
        -------
        CrossModalClassifier
            Itself.
        """
        check_is_fitted(self, "seen_classifier_")
        self.novelty_.set_threshold(self.novelty_.offset_ - novelty_score)
        return self

    def restore(
        self,
        class_words: ClassWords,
        *,
        n_features: int,
        n_calibration: int,
        held_out_accuracy: float,
        variance: float,
        reference: tuple[NDArray[Any], NDArray[np.int64]] | None = None,
    ) -> Self:
        """Put back what a saved model knew of its classes; its fitted parts are set already.

        Parameters
        ----------
        class_words : ClassWords
            Seen and unseen classes and their word vectors.
        n_features : int
            F.
        n_calibration : int
            Images that were held out to calibrate the novelty detector.
        held_out_accuracy : float
            Share of these whose nearest seen word is that of their class.
        variance : float
            σ² of the Gaussians around the words of unseen classes.
        reference : (ndarray, ndarray), optional
            `reference_points_` and `reference_codes_`, where they were kept.

        Returns
        -------
        CrossModalClassifier
            Itself.
        """
        self.n_features_in_ = n_features
        self.n_calibration_ = n_calibration
        self.held_out_accuracy_ = held_out_accuracy
        self.variance_ = variance
        self.reference_points_, self.reference_codes_ = reference or (None, None)
        return self._set_classes(class_words, calibrate=False)

    def use_index(
        self, n_candidates: int | None = CANDIDATES, *, n_probe: int | None = None
    ) -> Self:
        """Find the nearest unseen classes by an index from now on: faster, and not quite exact.

        It needs the extra ``index`` (faiss), is made anew when the unseen classes change, and is
        not saved. `predict`, `top_k` and the labels of `recognise` go by it; `predict_proba` and a
        choice among some classes are exact as before.

        Parameters
        ----------
        n_candidates : int or None, default 100
            How many classes are found for each image: probabilities are those among them. None
            takes the index away.
        n_probe : int or None, default None
            How many of the index's lists are looked through; None is one in twenty.

        Returns
        -------
        CrossModalClassifier
            Itself.

        Raises
        ------
        InputError
            Unseen classes are told apart with a correction for hubs; a number out of range.
        MissingDependencyError
            faiss is not installed.
        """
        check_is_fitted(self, "seen_classifier_")
        settings = None if n_candidates is None else (n_candidates, n_probe)
        self.class_index_ = self._indexed(self.unseen_classifier_, settings)
        self._index = settings
        return self

    @staticmethod
    def _indexed(
        part: WordGaussians | WordDirections | None, settings: tuple[int, int | None] | None
    ) -> ClassIndex | None:
        if settings is None:
            return None
        check_index(settings[0])
        return None if part is None else ClassIndex(part, *settings)

    def _set_classes(self, class_words: ClassWords, *, calibrate: bool = True) -> Self:
        """Tell the unseen classes apart by their words; all or nothing changes."""
        unseen_classifier: WordGaussians | WordDirections | None = None
        unseen_words = moved_words(self.mapping_, class_words.unseen_vectors)
        if len(class_words.unseen):
            part = self.unseen_classifier
            part = WordGaussians(variance=self.variance_) if part is None else clone(part)
            extra: dict[str, Any] = {}
            if _takes_points(part):
                extra = {
                    "seen_words": moved_words(self.mapping_, class_words.seen_vectors),
                    "points": self.reference_points_,
                    "labels": self.reference_codes_,
                }
            # codes, not names: its classes then stay in the order of the columns
            codes = np.arange(len(class_words.unseen))
            unseen_classifier = part.fit(unseen_words, codes, **extra)
        class_index = self._indexed(unseen_classifier, self._index)
        self._class_words = class_words
        self.unseen_classifier_ = unseen_classifier
        self.class_index_ = class_index
        if calibrate and self.novelty_.compares_words:  # the scores are others now
            self.novelty_.set_unseen(unseen_words)
            self._calibrate(
                self.calibration_points_, self.calibration_labels_, self.calibration_right_
            )
        return self

    # Recognising

    def recognise(self, X: Any) -> Recognition:
        """Return everything the model has to say of some images, computed once.

        From 4,097 unseen classes on, its tables of images and classes are made only where they are
        asked for (`unseen_proba`, `proba`).

        Parameters
        ----------
        X : Dataset, ndarray of uint8 (n, height, width, 3), or ndarray (n, F)

        Returns
        -------
        Recognition
        """
        return self._recognise_features(self._features_of(X))

    def recognise_again(self, found: Recognition) -> Recognition:
        """Return what the model has to say now of images that it recognised before.

        After `add_classes`, `remove_classes` or `move_threshold`, without a look at the images:
        mapped points and p(y | V = s, x) are as they were.

        Parameters
        ----------
        found : Recognition
            From this model, or from one that it was branched off.

        Returns
        -------
        Recognition
        """
        if found.n_seen != len(self.seen_):
            raise InputError(
                f"images recognised by a model of {found.n_seen} seen classes were given to one of "
                f"{len(self.seen_)}; give what this model recognised"
            )
        if self.novelty_.sees == "mapped":
            judged = self.novelty_.score_and_proba(found.mapped)
        else:  # its scores depend on no word
            judged = self.novelty_.judge(found.threshold - found.novelty_score)
        return self._joined(found.mapped, found.seen_proba, judged)

    def recalled(
        self,
        *,
        mapped: NDArray[Any],
        seen_proba: NDArray[np.float64],
        novelty_score: NDArray[np.float64],
        novelty_proba: NDArray[np.float64],
    ) -> Recognition:
        """Return a recognition by this very model, of which some parts were kept.

        Parameters
        ----------
        mapped, seen_proba, novelty_score, novelty_proba : ndarray
            As of the `Recognition`.

        Returns
        -------
        Recognition
        """
        return self._joined(mapped, seen_proba, (-novelty_score, novelty_proba))

    def stream(
        self, X: Any, *, cache: FeatureCache | None = None
    ) -> Iterator[tuple[NDArray[np.int64], Recognition]]:
        """Yield rows and what is recognised in them, a few images at a time.

        Memory does not grow with the number of images. A data set that skips broken images skips
        their rows. With a cache, features of images are kept there and found again.
        """
        for rows, features in self.feature_blocks(X, cache=cache):
            yield rows, self._recognise_features(features)

    def feature_blocks(
        self, X: Any, *, cache: FeatureCache | None = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
        """Yield rows and the features that the map sees of these images, a few at a time.

        Memory does not grow with the number of images. A data set that skips broken images skips
        their rows. With a cache, features of images are kept there and found again.
        """
        check_is_fitted(self, "seen_classifier_")
        if is_images(X) and self.features_ is not None:
            extra = {}
            if cache is not None:
                self._check_cacheable()
                extra = {"cache": cache}
            yield from self.features_.stream(X, **extra)
            return
        features = self._features_of(X)
        for cut in blocks(len(features), 1024):
            yield np.arange(cut.start, cut.stop), features[cut]

    def _features_of(self, X: Any) -> NDArray[Any] | StoredRows:
        check_is_fitted(self, "seen_classifier_")
        if is_images(X):
            if self.features_ is None:
                raise InputError(
                    "images were given to a model that was trained on ready features; give it "
                    f"features of shape (n, {self.n_features_in_}) from the same encoder"
                )
            return np.asarray(self.features_.transform(X))
        return _rows(validated(self, X, reset=False, dtype=[np.float32, np.float64]))

    def _recognise_features(self, X: NDArray[Any] | StoredRows) -> Recognition:
        return self._joined(*self._factors(X))

    def _factors(
        self, X: NDArray[Any] | StoredRows
    ) -> tuple[NDArray[Any], NDArray[Any], tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return mapped points, p(y | V = s, x), and the scores and verdict of the gate."""
        S = by_blocks(self.mapping_.predict, X)
        seen_proba = by_blocks(
            self.seen_classifier_.predict_proba, S if self._seen_by_points else X
        )
        return S, seen_proba, self.novelty_.score_and_proba(self._gate_points(X, S))

    def _parts(self, X: Any) -> Iterator[Recognition]:
        """Yield what is recognised, some images at a time, for answers that are small."""
        S, seen_proba, (score, novelty_proba) = self._factors(self._features_of(X))
        for rows in [*blocks(len(S), READ)] or [slice(0, 0)]:
            yield self._joined(S[rows], seen_proba[rows], (score[rows], novelty_proba[rows]))

    def _joined(
        self,
        S: NDArray[Any],
        seen_proba: NDArray[np.float64],
        judged: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> Recognition:
        """Join what is known of seen classes and of novelty with the unseen classes."""
        unseen = self.unseen_classifier_
        score, novelty_proba = judged
        novel = novelty_proba if self.gate == "probability" else (score < 0).astype(np.float64)
        if unseen is not None and (self.class_index_ is not None or len(self.unseen_) > MANY):
            return ManyClasses(
                classes=self.classes_,
                n_seen=len(self.seen_),
                mapped=S,
                seen_proba=seen_proba,
                novelty_score=-score,
                novelty_proba=novelty_proba,
                novel=novel,
                unseen=self.class_index_ or unseen,
                join=join,
                threshold=float(self.novelty_.offset_),
            )
        unseen_proba = np.empty((len(S), 0)) if unseen is None else unseen.predict_proba(S)
        return Recognition(
            classes=self.classes_,
            n_seen=len(self.seen_),
            mapped=S,
            seen_proba=seen_proba,
            unseen_proba=unseen_proba,
            novelty_score=-score,
            novelty_proba=novelty_proba,
            proba=join(seen_proba, unseen_proba, novel),
            threshold=float(self.novelty_.offset_),
        )

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each image, seen or unseen, shape (n,)."""
        return np.concatenate([part.label for part in self._parts(X)])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return p(y | x) of Eq. 2, shape (n, n_seen + n_unseen), in the order of `classes_`."""
        return self.recognise(X).proba

    def novelty_proba(self, X: Any) -> NDArray[np.float64]:
        """Return P(V = u | x), shape (n,), as the novelty detector estimates it."""
        return self.recognise(X).novelty_proba

    def is_novel(self, X: Any) -> NDArray[np.bool_]:
        """Say which images the detector takes for ones of no seen class, shape (n,)."""
        return self.recognise(X).is_novel

    def map(self, X: Any) -> NDArray[Any]:
        """Return the mapped points S, shape (n, d), or (n, m) where the map moves the words."""
        return np.asarray(by_blocks(self.mapping_.predict, self._features_of(X)))

    def predict_among(self, X: Any, classes: Sequence[str]) -> NDArray[Any]:
        """Return the most probable of some classes.

        Parameters
        ----------
        X : Dataset, images or features
        classes : sequence of str
            Where all are seen, or all unseen, the gate has nothing to decide and is left out.

        Returns
        -------
        ndarray, shape (n,)
        """
        return np.concatenate([part.among(classes) for part in self._parts(X)])

    def top_k(self, X: Any, k: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return the k most probable classes of each image, exactly.

        Memory does not grow with the number of unseen classes times that of images: from 4,097
        unseen classes on they pass by in blocks.

        Parameters
        ----------
        X : Dataset, images or features
        k : int
            At least 1; all classes where there are fewer.

        Returns
        -------
        classes : ndarray, shape (n, k)
            The most probable first; of equally probable ones the first of `classes_`.
        probabilities : ndarray of float64, shape (n, k)
            p(y | x).
        """
        found = [part.top_k(k) for part in self._parts(X)]
        columns = np.concatenate([each.columns for each in found])
        return self.classes_[columns], np.concatenate([each.proba for each in found])

    # Checks

    def _check_cacheable(self) -> None:
        if not isinstance(self.features_, PatchFeatures):
            raise InputError(
                f"a cache was given for features of {type(self.features_).__name__}; expected "
                "PatchFeatures, or no cache (ConvFeatures keeps its training with checkpoint)"
            )

    def _check_tunable(self, n_seen: int) -> None:
        """Refuse what cannot be tuned before the long work."""
        check_classes_suffice(n_seen)
        if self.novelty is not None and self.novelty.sees != "mapped":
            raise InputError(
                f"{type(self.novelty).__name__} looks at {self.novelty.sees}, and tune tries gates "
                "on mapped points; give one that looks at these, or novelty=None to have one chosen"
            )

    def _check_parameters(self) -> None:
        if self.gate not in ("hard", "probability"):
            raise InputError(f"gate={self.gate!r} was given; expected 'hard' or 'probability'")
        if self.on_missing not in ("error", "compose"):
            raise InputError(
                f"on_missing={self.on_missing!r} was given; expected 'error' or 'compose' (a "
                "class cannot be skipped: leave its name out instead)"
            )
        if isinstance(self.unseen, str):
            raise InputError(
                f"unseen={self.unseen!r} is one text; expected a list: unseen=[{self.unseen!r}]"
            )
        if not is_between(self.calibration_fraction, 0, 1):
            raise InputError(
                f"calibration_fraction={self.calibration_fraction!r} was given; expected a "
                "share of the images between 0 and 1"
            )

    def _labels(self, X: Any, y: Any) -> NDArray[Any]:
        if y is None:
            y = getattr(X, "labels", None)
        if y is None:
            raise InputError(
                "requires y to be passed, but the target y is None: give the class name of each "
                "image, or a data set that has labels"
            )
        if not is_images(X):
            X, y = validated(self, X, y, dtype=[np.float32, np.float64])
        return checked_labels(y, len(X))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _takes_points(unseen_classifier: Any) -> bool:
    return unseen_classifier is not None and has_fit_parameter(unseen_classifier, "points")


def _rows(X: Any) -> NDArray[Any] | StoredRows:
    """Return features as an array, or as they are where they stay on disk."""
    return X if isinstance(X, StoredRows) else np.asarray(X)
