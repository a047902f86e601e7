"""`CrossModalClassifier` in scikit-learn's world, with images or features, and what it refuses."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.exceptions import InputError, MissingWordError
from wordsight.features.patch_features import PatchFeatures
from wordsight.mapping.linear import LinearMap

# every label that scikit-learn's checks train on
LABELS = [
    *(str(number) for number in range(-2, 12)),
    *(str(float(number)) for number in range(-2, 12)),
    *("one", "two", "three", "a", "b", "c", "True", "False"),
]
WORDS = dict(zip(LABELS, np.random.default_rng(0).normal(size=(len(LABELS), 4)), strict=True))


@parametrize_with_checks(
    [CrossModalClassifier(WORDS, calibration_fraction=0.5, false_novel_rate=0.5)]
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


WORLD = {
    "red": [1.0, 0.0, 0.2],
    "green": [0.0, 1.0, 0.1],
    "blue": [0.1, 0.3, 1.0],
    "yellow": [1.0, 1.0, 0.1],
    "dark blue": [0.2, 0.3, 0.9],
}


def pictures(n: int = 120, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Noise tinted red, green or blue."""
    rng = np.random.default_rng(seed)
    y = np.array([["red", "green", "blue"][k % 3] for k in range(n)])
    tint = {"red": [120, 0, 0], "green": [0, 120, 0], "blue": [0, 0, 120]}
    noise = rng.integers(0, 120, (n, 12, 12, 3))
    return (noise + np.array([tint[name] for name in y])[:, None, None]).astype(np.uint8), y


def small_features() -> PatchFeatures:
    return PatchFeatures(8, n_patches=300, max_iter=3, random_state=0)


def on_images(**options: Any) -> CrossModalClassifier:
    options = {"features": small_features(), "random_state": 0, **options}
    return CrossModalClassifier(WORLD, ["yellow"], **options)


def test_images_a_data_set_and_ready_features_give_the_same() -> None:
    images, y = pictures()
    new, _y = pictures(20, seed=1)
    encoder = small_features()
    features, new_features = encoder.fit_transform(images), encoder.transform(new)
    options: dict[str, Any] = {"mapping": LinearMap(0.1)}
    from_features = on_images(**options).fit(features, y).predict_proba(new_features)
    from_images = on_images(**options).fit(images, y).predict_proba(new)
    np.testing.assert_allclose(from_images, from_features, atol=1e-6)
    data = on_images(**options).fit(Dataset(ArraySource(images, y)))
    np.testing.assert_allclose(
        data.predict_proba(Dataset(ArraySource(new))), from_features, atol=1e-6
    )
    streamed = np.concatenate([found.proba for _rows, found in data.stream(new)])
    np.testing.assert_allclose(streamed, from_features, atol=1e-6)
    pipeline = make_pipeline(small_features(), on_images(**options)).fit(images, y)
    np.testing.assert_allclose(pipeline.predict_proba(new), from_features, atol=1e-6)


def test_parameters_are_those_of_scikit_learn() -> None:
    model = on_images(mapping=LinearMap(0.5))
    assert model.get_params()["mapping__alpha"] == 0.5
    copy = clone(model).set_params(mapping__alpha=0.7, gate="probability")
    assert copy.mapping.alpha == 0.7
    assert model.mapping.alpha == 0.5


def test_labels_keep_their_type_until_a_class_is_unseen() -> None:
    X = np.random.default_rng(0).normal(size=(120, 5))
    model = CrossModalClassifier(WORDS, random_state=0).fit(X, np.arange(120) % 3)
    assert model.predict(X).dtype.kind == "i"
    assert model.add_classes(["one"]).classes_.tolist() == ["0", "1", "2", "one"]
    assert model.remove_classes(["one"]).classes_.tolist() == [0, 1, 2]


def test_integer_and_list_features() -> None:
    X = np.random.default_rng(0).integers(0, 50, (120, 5))
    y = [["a", "b"][k % 2] for k in range(120)]
    one = CrossModalClassifier(WORDS, ["c"], random_state=0).fit(X.tolist(), y)
    other = CrossModalClassifier(WORDS, ["c"], random_state=0).fit(
        X.astype(np.float32), np.array(y)
    )
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-6)


# Refusals

FEATURES = np.random.default_rng(0).normal(size=(120, 5))
NAMES = np.array([["red", "green", "blue"][k % 3] for k in range(120)])


def refuse(message: str, X: Any = FEATURES, y: Any = NAMES, **options: Any) -> None:
    options = {"words": WORLD, "random_state": 0, **options}
    with pytest.raises(InputError, match=message) as caught:
        CrossModalClassifier(**options).fit(X, y)
    assert "\n" not in str(caught.value)


def test_images_of_an_unseen_class_never_reach_training() -> None:
    refuse("images of blue were given for training, and .* named unseen", unseen=["blue"])
    refuse("images of red, blue were given", unseen=["red", "yellow", "blue"])


def test_classes_that_make_no_sense() -> None:
    refuse(r"only one class was given \(red\)", y=np.full(120, "red"))
    refuse("yellow is named unseen twice", unseen=["yellow", "yellow"])
    refuse(r"unseen='yellow' is one text; expected a list: unseen=\['yellow'\]", unseen="yellow")


def test_every_class_without_a_vector_is_named_with_near_spellings() -> None:
    y = np.where(NAMES == "red", "reed", NAMES)
    model = CrossModalClassifier(WORLD, ["yelow", "xyzzy"])
    with pytest.raises(
        MissingWordError, match=r"'reed', near: .*red.*'yelow', near: yellow.*'xyzzy'"
    ):
        model.fit(FEATURES, y)
    with pytest.raises(MissingWordError, match=r"light blue.*its part 'light'"):
        model.set_params(unseen=["light blue"]).fit(FEATURES, NAMES)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_features_that_are_not_finite(wrong: float) -> None:
    broken = FEATURES.copy()
    broken[3, 3] = wrong
    refuse("Input X contains (NaN|infinity).*leave these images out", X=broken)
    model = CrossModalClassifier(WORLD).fit(FEATURES, NAMES)
    with pytest.raises(InputError, match=r"contains (NaN|infinity)"):
        model.predict(broken)


def test_shapes_that_do_not_fit() -> None:
    refuse("0 sample", X=FEATURES[:0], y=NAMES[:0])
    refuse("inconsistent numbers of samples", y=NAMES[1:])
    refuse("Reshape your data", X=FEATURES[0], y=NAMES[:1])
    refuse("requires y to be passed", y=None)
    refuse("Unknown label type", y=FEATURES[:, 0])
    model = CrossModalClassifier(WORLD).fit(FEATURES, NAMES)
    with pytest.raises(InputError, match=r"X has 4 features.*expecting 5"):
        model.predict(FEATURES[:, 1:])
    with pytest.raises(InputError, match=r"trained on ready features; .*\(n, 5\)"):
        model.predict(pictures()[0])


def test_images_that_do_not_fit() -> None:
    images, y = pictures()
    refuse(r"labels of shape \(119,\) were given for 120 images", X=images, y=y[1:])
    refuse("no images were given", X=images[:0], y=y[:0])
    refuse("uint8", X=images.astype(float), y=y, features=small_features())
    model = on_images().fit(images, y)
    with pytest.raises(InputError, match="10 × 12 pixels were given"):
        model.predict(images[:, 1:-1])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("gate", "soft"),
        ("on_missing", "skip"),
        ("calibration_fraction", 0.0),
        ("calibration_fraction", 1.0),
        ("false_novel_rate", 0.0),
        ("false_novel_rate", "many"),
    ],
)
def test_parameters_out_of_range(parameter: str, value: Any) -> None:
    refuse(f"{parameter}=", **{parameter: value})


def test_words_that_are_none() -> None:
    refuse("word vectors are given as int", words=3)
    refuse("empty", words={})


def test_nothing_is_asked_of_a_model_that_is_not_fitted() -> None:
    model = CrossModalClassifier(WORLD)
    for ask in (
        lambda: model.predict(FEATURES),
        lambda: model.add_classes(["yellow"]),
        lambda: model.remove_classes(["yellow"]),
        lambda: next(model.stream(FEATURES)),
    ):
        with pytest.raises(ValueError, match="not fitted yet"):
            ask()
    assert not hasattr(model, "classes_")
