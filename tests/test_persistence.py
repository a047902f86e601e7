"""Model directories: bit for bit the same, nothing executed, and every damage told apart."""

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import Ridge

from wordsight import persistence
from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.selection import Goal
from wordsight.classifiers.shares import ShareClassifier
from wordsight.classifiers.softmax import SoftmaxClassifier
from wordsight.classifiers.word_directions import WordDirections
from wordsight.classifiers.word_gaussian import WordGaussians
from wordsight.exceptions import DataError, InputError, MissingWordError, WordsightError
from wordsight.features.patch_features import PatchFeatures
from wordsight.mapping.linear import LinearMap
from wordsight.mapping.two_layer import TwoLayerMap
from wordsight.mapping.visual import VisualMap
from wordsight.novelty.combined import CombinedNovelty
from wordsight.novelty.confidence import SoftmaxNovelty
from wordsight.novelty.conformal import ConformalNovelty
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.novelty.loop import LocalOutlierProbability
from wordsight.novelty.mahalanobis import FeatureMahalanobisNovelty, MahalanobisNovelty
from wordsight.novelty.neighbour_distance import FeatureNeighbourDistance, NeighbourDistance
from wordsight.novelty.shares import ShareNovelty
from wordsight.novelty.stacking import StackingNovelty
from wordsight.persistence import load_model, save_model
from wordsight.words.vectors import WordVectors

SEEN = ["car", "dog", "ship"]
WORDS = WordVectors(
    [*SEEN, "truck", "cat", "bird", "pickup"],
    np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32),
)
QUERIES = np.random.default_rng(3).normal(size=(40, 6)) * 3


def fitted(words: Any = WORDS, seen: Any = SEEN, **options: Any) -> CrossModalClassifier:
    rng = np.random.default_rng(1)
    codes = np.arange(120) % len(seen)
    X = rng.normal(size=(len(seen), 6))[codes] * 2 + rng.normal(size=(120, 6))
    options = {
        "unseen": ["truck", "cat"],
        "mapping": LinearMap(0.01),
        "random_state": 0,
        **options,
    }
    tune = options.pop("tune", False)
    return CrossModalClassifier(words, **options).fit(X, np.array(seen)[codes], tune=tune)


def fitted_on_images() -> CrossModalClassifier:
    images = pictures()
    names = np.array([SEEN[k % 3] for k in range(len(images))])
    features = PatchFeatures(6, n_patches=200, max_iter=2, random_state=0)
    return CrossModalClassifier(
        WORDS, ["truck"], features=features, mapping=LinearMap(0.1), random_state=0
    ).fit(images, names)


def pictures(n: int = 120, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 10, 3), dtype=np.uint8)


def assert_same(one: CrossModalClassifier, other: CrossModalClassifier, X: Any = QUERIES) -> None:
    assert one.classes_.tolist() == other.classes_.tolist()
    mine, theirs = one.recognise(X), other.recognise(X)
    for name in ("mapped", "seen_proba", "unseen_proba", "novelty_score", "novelty_proba", "proba"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
    assert mine.label.tolist() == theirs.label.tolist()


KINDS: dict[str, Callable[[], CrossModalClassifier]] = {
    "mixture": fitted,
    "per_class": lambda: fitted(novelty=GaussianNovelty("per_class")),
    "loop": lambda: fitted(novelty=LocalOutlierProbability(10, sqrt2=False)),
    "stacking": lambda: fitted(novelty=StackingNovelty()),
    "mahalanobis": lambda: fitted(novelty=MahalanobisNovelty()),
    "mahalanobis of features": lambda: fitted(novelty=FeatureMahalanobisNovelty()),
    "neighbours": lambda: fitted(novelty=NeighbourDistance(5)),
    "neighbours of features": lambda: fitted(novelty=FeatureNeighbourDistance(5)),
    "energy": lambda: fitted(novelty=SoftmaxNovelty()),
    "conformal": lambda: fitted(novelty=ConformalNovelty(StackingNovelty("euclidean"))),
    "conformal in classes": lambda: fitted(
        novelty=ConformalNovelty(per_class=True), false_novel_rate=0.3
    ),
    "combined": lambda: fitted(novelty=CombinedNovelty()),
    "stacking after changes": lambda: fitted(novelty=StackingNovelty()).add_classes(
        {"gnu": np.ones(5)}
    ),
    "probability gate": lambda: fitted(gate="probability"),
    "chosen ridge": lambda: fitted(mapping=LinearMap(random_state=0)),
    "two layers": lambda: fitted(mapping=TwoLayerMap(7, max_iter=4, random_state=0)),
    "two layers and words compared": lambda: fitted(
        mapping=TwoLayerMap(7, max_iter=4, random_state=0), novelty=StackingNovelty()
    ),
    "visual": lambda: fitted(mapping=VisualMap(0.1)),
    "visual with all that looks at words": lambda: fitted(
        mapping=VisualMap(random_state=0),
        novelty=CombinedNovelty(),
        unseen_classifier=WordDirections(correction="csls"),
    ),
    "visual and neighbours": lambda: fitted(
        mapping=VisualMap(0.1), novelty=ConformalNovelty(NeighbourDistance(5))
    ),
    "visual and features": lambda: fitted(
        mapping=VisualMap(0.1), novelty=FeatureMahalanobisNovelty()
    ),
    "shares": lambda: fitted(seen_classifier=ShareClassifier()),
    "shares and features": lambda: fitted(
        seen_classifier=ShareClassifier(), novelty=FeatureMahalanobisNovelty()
    ),
    "shares and logits": lambda: fitted(
        seen_classifier=ShareClassifier(), novelty=SoftmaxNovelty("confidence")
    ),
    "shares in a gate": lambda: fitted(novelty=ShareNovelty("margin")),
    "temperature": lambda: fitted(
        seen_classifier=SoftmaxClassifier(temperature="auto", random_state=0)
    ),
    "tuned": lambda: fitted(tune=True, calibration_fraction=0.3),
    "tuned to keep": lambda: fitted(
        tune=Goal("keep_seen", 0.5), novelty=StackingNovelty(), calibration_fraction=0.3
    ),
    "own variance": lambda: fitted(unseen_classifier=WordGaussians(7.5), gate="probability"),
    "cosine": lambda: fitted(unseen_classifier=WordDirections(centre=False)),
    "csls": lambda: fitted(unseen_classifier=WordDirections(correction="csls", n_neighbors=3)),
    "inverted softmax": lambda: fitted(
        unseen_classifier=WordDirections(correction="inverted_softmax", temperature=0.3)
    ),
    "no unseen class": lambda: fitted(unseen=()),
    "integer labels": lambda: fitted(
        words={str(k): np.eye(5)[k] for k in range(5)}, seen=[0, 1, 2], unseen=["4"]
    ),
    "numbers without an unseen class": lambda: fitted(
        words={str(float(k)): np.eye(5)[k] for k in range(5)}, seen=[0.0, 1.0, 2.0], unseen=[]
    ),
    "after changes": lambda: fitted().add_classes({"gnu": np.ones(5)}).remove_classes(["truck"]),
    "default vocabulary": lambda: fitted(words=None),
    "odd names": lambda: fitted(
        words={name: np.eye(5)[k] for k, name in enumerate(["a|b", "naïve 猫\n", '"`{}\\', "🦓"])},
        seen=['"`{}\\', "a|b", "naïve 猫\n"],
        unseen=["🦓"],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_predicts_bit_for_bit_the_same(kind: str, tmp_path: Path) -> None:
    model = KINDS[kind]()
    loaded = load_model(save_model(model, tmp_path / "model"))
    assert_same(model, loaded)
    assert loaded.gate == model.gate
    assert loaded.n_calibration_ == model.n_calibration_
    assert loaded.held_out_accuracy_ == model.held_out_accuracy_
    # and once more from the model that was loaded
    assert_same(model, load_model(save_model(loaded, tmp_path / "again")))
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "model" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_model_of_images(tmp_path: Path) -> None:
    model = fitted_on_images()
    loaded = load_model(save_model(model, tmp_path / "model"), device="cpu")
    assert_same(model, loaded, pictures(20, seed=5))
    features: Any = loaded.features_
    assert features.image_size_ == (8, 10)
    with pytest.raises(InputError, match="9 × 10"):
        loaded.predict(np.zeros((1, 9, 10, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "kind",
    [
        "mixture",
        "after changes",
        "own variance",
        "csls",
        "visual",
        "default vocabulary",
        "tuned to keep",
        "shares",
    ],
)
def test_classes_can_be_changed_after_loading(kind: str, tmp_path: Path) -> None:
    model = KINDS[kind]()
    loaded = load_model(save_model(model, tmp_path / "model"))
    for each in (model, loaded):
        each.add_classes(["bird", "pickup truck"]).remove_classes(["cat"])
    assert_same(model, loaded)


def test_an_unseen_classifier_of_unnamed_kind_is_the_one_there_used_to_be(tmp_path: Path) -> None:
    model = fitted(unseen_classifier=WordGaussians(7.5))
    config = save_model(model, tmp_path / "model") / "config.json"
    entry = json.loads(config.read_text(encoding="utf-8"))
    assert entry["unseen_classifier"] == {"kind": "WordGaussians", "variance": 7.5}
    entry["unseen_classifier"] = {"variance": 7.5}
    config.write_text(json.dumps(entry), encoding="utf-8")
    assert_same(model, load_model(tmp_path / "model"))


def test_models_from_before_there_was_a_temperature_or_a_choice(tmp_path: Path) -> None:
    model = fitted()
    config = save_model(model, tmp_path / "model") / "config.json"
    entry = json.loads(config.read_text(encoding="utf-8"))
    del entry["parts"]["seen_classifier"]["fitted"]["temperature_"]
    del entry["parts"]["seen_classifier"]["params"]["temperature"]
    del entry["false_novel_rate"], entry["keep_seen"]
    config.write_text(json.dumps(entry), encoding="utf-8")
    loaded = load_model(tmp_path / "model")
    assert_same(model, loaded)
    assert loaded.false_novel_rate_ == 0.1
    assert loaded.keep_seen_ is None


def test_the_card_tells_what_was_chosen(tmp_path: Path) -> None:
    model = KINDS["tuned to keep"]()
    card = (save_model(model, tmp_path / "model") / "README.md").read_text(encoding="utf-8")
    assert "so that a seen accuracy of 0.5 is kept" in card
    shares = save_model(KINDS["shares"](), tmp_path / "other")
    assert "the shares of their words" in (shares / "README.md").read_text(encoding="utf-8")


def test_the_most_frequent_words_are_kept(tmp_path: Path) -> None:
    names = [*WORDS.words, *(f"word{k}" for k in range(20_100))]
    vectors = np.concatenate([WORDS.vectors, np.ones((20_100, 5), dtype=np.float32)])
    model = fitted(words=WordVectors(names, vectors, source="a large table"))
    loaded = load_model(save_model(model, tmp_path / "model"))
    assert loaded.words_.words == tuple(names[:20_000])
    assert loaded.words_.source == "a large table"
    loaded.add_classes(["word19992"])
    with pytest.raises(MissingWordError, match="word19993"):
        loaded.add_classes(["word19993"])
    loaded.use_words(model.words_).add_classes(["word20099"])


def test_words_may_be_given_on_loading(tmp_path: Path) -> None:
    save_model(fitted(), tmp_path / "model")
    loaded = load_model(tmp_path / "model", words={"gnu": np.ones(5)})
    assert loaded.add_classes(["gnu"]).classes_[-1] == "gnu"
    with pytest.raises(InputError, match="3 dimensions were given; this model's have 5"):
        load_model(tmp_path / "model", words={"gnu": np.ones(3)})
    with pytest.raises(InputError, match="device='tpu'"):
        load_model(tmp_path / "model", device="tpu")


# What stands in the directory


def test_configuration_says_what_the_model_is(tmp_path: Path) -> None:
    save_model(fitted(novelty=GaussianNovelty(block_size=77)), tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    assert config["format"] == "wordsight-model"
    assert config["version"] == 1
    assert config["seen"] == SEEN
    assert config["unseen"] == ["truck", "cat"]
    assert config["n_features"] == 6
    assert config["n_calibration"] == 12
    assert config["parts"]["features"] is None
    assert config["parts"]["novelty"]["params"]["block_size"] == 77
    assert config["parts"]["mapping"]["params"]["alpha"] == 0.01
    assert "device" not in config["parts"]["mapping"]["params"]


ABOUT = {
    "data": "shared/pictures",
    "command": "wordsight fit shared/pictures",
    "n_images": 120,
    "class_counts": {"car": 41, "dog": 42, "ship": 37},
    "left_out": {"truck": 13},
    "seconds": 12.3,
    "scores": {"harmonic_mean": 0.4567, "n_images": 99, "ausuc": None},
    "scored_on": "test split",
}


def test_card_tells_classes_data_and_numbers(tmp_path: Path) -> None:
    save_model(fitted(), tmp_path / "model", about=ABOUT)
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    for line in (
        "| car | seen | 41 |",
        "| truck | unseen | 0 |",
        "- Data: shared/pictures, 120 images.",
        "- Left out: 13 images of truck, which is to stay unseen.",
        "- Features: 6, given ready.",
        "12 held-out seen images so that about 10 % of seen images",
        "- Time: 12 s.",
        "On 99 test images (test split):",
        "| harmonic mean | 0.457 |",
        "- Command: `wordsight fit shared/pictures`",
    ):
        assert line in card, line
    assert load_model(tmp_path / "model").about_ == ABOUT


def test_card_of_a_model_of_images_and_odd_names(tmp_path: Path) -> None:
    save_model(fitted_on_images(), tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "PatchFeatures, 48 of each image of 8 × 10 pixels" in card
    save_model(KINDS["odd names"](), tmp_path / "odd", about={"scores": {"ausuc": 0.5}})
    card = (tmp_path / "odd" / "README.md").read_text(encoding="utf-8")
    assert "| a\\|b | seen |  |" in card
    assert "| naïve 猫  | seen |  |" in card


def test_nothing_is_pickled_and_nothing_executed(tmp_path: Path) -> None:
    model = fitted_on_images()
    save_model(model, tmp_path / "model")
    for path in (tmp_path / "model").iterdir():
        start = path.read_bytes()[:2]
        assert start[:1] != b"\x80"  # a pickle's first byte
        assert start != b"PK"
    script = """
import sys
import wordsight.persistence
def hook(event, args):
    if event.startswith(("pickle.", "os.exec", "os.system", "os.posix_spawn", "subprocess.")):
        raise SystemExit(f"{event} {args!r:.200}")
sys.addaudithook(hook)
model = wordsight.persistence.load_model(sys.argv[1])
print(",".join(model.classes_))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "car,dog,ship,truck"


# Writing


def test_two_saves_are_the_same_bytes(tmp_path: Path) -> None:
    model = fitted()
    for name in ("one", "two"):
        save_model(model, tmp_path / name, about=ABOUT)
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_directory_that_exists_is_replaced_only_when_asked(tmp_path: Path) -> None:
    target = save_model(fitted(), tmp_path / "model")
    before = (target / "config.json").read_bytes()
    other = fitted(unseen=["bird"])
    with pytest.raises(InputError, match="exists already"):
        save_model(other, target)
    assert (target / "config.json").read_bytes() == before
    save_model(other, target, overwrite=True)
    assert load_model(target).unseen_.tolist() == ["bird"]
    assert os.listdir(tmp_path) == ["model"]  # noqa: PTH208


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_failure_in_the_middle_leaves_the_old_model(
    stop: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = save_model(fitted(), tmp_path / "model")

    def write_half(path: Path, *_given: Any) -> None:
        path.write_bytes(b"half")
        raise stop

    monkeypatch.setattr(persistence, "save_tensors", write_half)
    with pytest.raises((KeyboardInterrupt, WordsightError)) as caught:
        save_model(fitted(unseen=["bird"]), target, overwrite=True)
    if isinstance(stop, OSError):
        assert "No space left" in str(caught.value)
    with pytest.raises((KeyboardInterrupt, WordsightError)):
        save_model(fitted(), tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert_same(load_model(target), fitted())


class TunedMap(LinearMap):
    """A map of somebody's own."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CrossModalClassifier(WORDS), "not fitted"),
        (lambda: fitted(mapping=Ridge()), "mapping is a Ridge, which cannot be saved"),
        (lambda: fitted(mapping=TunedMap(0.1)), "mapping is a TunedMap, which cannot be saved"),
        (
            lambda: fitted().add_classes({"\ud800": np.ones(5)}),
            "cannot be written as UTF-8",
        ),
    ],
)
def test_what_cannot_be_saved_leaves_nothing(
    make: Callable[[], CrossModalClassifier], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        save_model(make(), tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "about",
    [
        {"scores": {"ausuc": float("nan")}},
        {"seconds": "long"},
        {"data": Path("x")},
        {"left_out": ["cat"]},
        {"scores": 3},
    ],
)
def test_a_description_that_cannot_be_written(about: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be described"):
        save_model(fitted(), tmp_path / "model", about=about)
    assert not list(tmp_path.iterdir())


# Reading what is damaged


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(fitted(), tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def model_dir(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "model")
    return tmp_path / "model"


def refused(directory: Path, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_model(directory)
    assert "\n" not in str(caught.value)


def test_directories_that_hold_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no model at"):
        load_model(tmp_path / "nowhere")
    refused(tmp_path, "holds no Wordsight model")
    file = tmp_path / "file"
    file.write_text("x")
    refused(file, "holds no Wordsight model")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no Wordsight model"),
        ("{", "holds no Wordsight model"),
        ("[" * 100_000, "holds no Wordsight model"),
        ('{"a":' * 100_000, "holds no Wordsight model"),
        ("\xff", "holds no Wordsight model"),
        ("9" * 10_000, "holds no Wordsight model"),
        ("[1, 2]", "was not made by Wordsight"),
        ("null", "was not made by Wordsight"),
        ('{"model_type": "bert"}', "was not made by Wordsight"),
        ('{"format": "wordsight-model", "version": 2}', "version 2, and this Wordsight .* reads"),
        ('{"format": "wordsight-model"}', "version None"),
        ('{"format": "wordsight-model", "version": NaN}', "holds no Wordsight model"),
        ('{"format": "wordsight-model", "version": 1}', "damaged or was changed by hand"),
    ],
)
def test_configurations_that_are_none(text: str, message: str, model_dir: Path) -> None:
    (model_dir / "config.json").write_bytes(text.encode("latin-1"))
    refused(model_dir, message)


def put(config: Any, value: Any, *place: str) -> None:
    for key in place[:-1]:
        config = config[key]
    config[place[-1]] = value


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("n_features", 10**12),
        ("n_features", 7),
        ("n_features", -6),
        ("n_features", "6"),
        ("n_features", 6.0),
        ("n_features", None),
        ("n_calibration", -1),
        ("held_out_accuracy", "high"),
        ("variance", 0.0),
        ("variance", -1.0),
        ("variance", 10**400),
        ("variance", "1"),
        ("seen", ["car", "dog"]),
        ("seen", ["dog", "car", "ship"]),
        ("seen", ["car", "car", "ship"]),
        ("seen", ["car", 1, "ship"]),
        ("seen", [["car"], ["dog"], ["ship"]]),
        ("seen", [{}, {}, {}]),
        ("seen", "cds"),
        ("seen", []),
        ("seen", [None, None, None]),
        ("unseen", ["truck"]),
        ("unseen", ["truck", "dog"]),
        ("unseen", ["truck", "truck"]),
        ("unseen", ["truck", 3]),
        ("unseen", "ab"),
        ("params", {"gait": "hard"}),
        ("params", {"gate": "soft"}),
        ("params", []),
        ("parts", {}),
        ("parts", None),
        ("words", {"kept": "default"}),
        ("words", {}),
        ("words", {"kept": "some"}),
        ("about", 3),
        ("unseen_classifier", {"variance": 0}),
        ("unseen_classifier", {"width": 1}),
        ("parts.mapping", None),
        ("parts.mapping.kind", "os.system"),
        ("parts.mapping.kind", ["LinearMap"]),
        ("parts.mapping.params", {"beta": 1}),
        ("parts.mapping.fitted", {}),
        ("parts.mapping.fitted.flat_", 1),
        ("parts.mapping.fitted.alpha_", "auto"),
        ("parts.novelty.kind", "LocalOutlierProbability"),
        ("parts.novelty.kind", "SoftmaxClassifier"),
        ("parts.novelty.params.rule", "per_class"),
        ("parts.novelty.params.rule", "other"),
        ("parts.novelty.params.block_size", 0),
        ("parts.novelty.params.block_size", 1.5),
        ("parts.novelty.fitted.offset_", None),
        ("parts.novelty.fitted.offset_", True),
        ("parts.novelty.fitted.offset_", [1.0]),
        ("parts.seen_classifier.fitted.n_iter_", 0.5),
        ("parts.features", {"kind": "PatchFeatures", "params": {}, "fitted": {}}),
    ],
)
def test_changed_configurations_are_refused(place: str, value: Any, model_dir: Path) -> None:
    path = model_dir / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    put(config, value, *place.split("."))
    path.write_text(json.dumps(config))
    refused(model_dir, "damaged or was changed by hand|has shape")


def test_infinity_by_way_of_a_large_number_is_refused(model_dir: Path) -> None:
    path = model_dir / "config.json"
    text = path.read_text(encoding="utf-8")
    assert '"n_features": 6' in text
    path.write_text(text.replace('"n_features": 6', '"n_features": 1e999'))
    refused(model_dir, "damaged")


def change_tensors(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tensors = load_file(directory / "model.safetensors")
    change(tensors)
    save_file(tensors, directory / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("mapping.coef_"), "mapping.coef_"),
        (lambda t: t.pop("words.table"), "words.table"),
        (lambda t: t.update({"mapping.coef_": np.ones((5, 7))}), r"coef_ has shape \(5, 7\)"),
        (lambda t: t.update({"mapping.coef_": np.ones(30)}), r"coef_ has shape \(30,\)"),
        (lambda t: t.update({"words.seen": np.ones((3, 4))}), "has shape"),
        (lambda t: t.update({"words.unseen": np.ones((3, 5))}), "has shape"),
        (lambda t: t.update({"mapping.coef_": np.full((5, 6), np.nan)}), "NaN or infinity"),
        (lambda t: t.update({"novelty.priors_": np.full(3, np.inf)}), "NaN or infinity"),
        (lambda t: t.update({"novelty.priors_": np.zeros(3)}), "positive variance and prior"),
        (lambda t: t.update({"novelty.variances_": np.full(3, -1.0)}), "positive variance"),
        (lambda t: t.update({"mapping.coef_": np.ones((5, 6), np.int64)}), "coef_ as int64"),
        (lambda t: t.update({"mapping.coef_": np.ones((5, 6), np.float16)}), "coef_ as float16"),
        (lambda t: t.update({"mapping.intercept_": np.full(5, 1e200)}), "too |large|damaged"),
        (lambda t: t.update({"words.names": np.ones(9, np.uint8)}), "damaged"),
        (
            lambda t: t.update({"words.names": np.frombuffer(b"[" * 99_999, np.uint8)}),
            "damaged",
        ),
        (lambda t: t.update({"words.names": np.frombuffer(b'["a","b"]', np.uint8)}), "damaged"),
        (lambda t: t.update({"words.table": np.ones((7, 4))}), "has shape"),
        (lambda t: t.clear(), "damaged"),
    ],
)
def test_changed_tensors_are_refused(
    change: Callable[[dict[str, Any]], object], message: str, model_dir: Path
) -> None:
    change_tensors(model_dir, change)
    refused(model_dir, message)


def test_a_model_of_images_whose_parts_do_not_fit(tmp_path: Path) -> None:
    target = save_model(fitted_on_images(), tmp_path / "model")
    text = (target / "config.json").read_text(encoding="utf-8")
    for place, value in (
        ("params.patch_size", 5),
        ("params.patch_size", 10**6),
        ("params.encoder", "triangle"),
        ("params.encoder", "magic"),
        ("params.stride", 0),
        ("fitted.image_size_", [8]),
        ("fitted.image_size_", [8, 10**9]),
        ("fitted.image_size_", [2, 2]),
        ("fitted.image_size_", "88"),
    ):
        config = json.loads(text)
        put(config, value, "parts", "features", *place.split("."))
        (target / "config.json").write_text(json.dumps(config))
        refused(target, "damaged or was changed by hand")


def test_two_layers_say_what_they_are_and_must_fit_together(tmp_path: Path) -> None:
    mapping = TwoLayerMap(7, weight_decay=0.002, max_iter=4, random_state=0)
    model = fitted(mapping=mapping)
    target = save_model(model, tmp_path / "model")
    kept: Any = model.mapping_
    assert (
        f"- Map: TwoLayerMap, 7 hidden units, weight decay 0.002, iteration {kept.best_iter_} of "
        f"{kept.n_iter_} kept."
    ) in (target / "README.md").read_text(encoding="utf-8")
    loaded: Any = load_model(target).mapping_
    assert (loaded.loss_, loaded.n_iter_) == (kept.loss_, kept.n_iter_)
    text = (target / "config.json").read_text(encoding="utf-8")
    for place, value in (
        ("params.n_hidden", 8),
        ("params.weight_decay", -1),
        ("fitted.n_iter_", 0.5),
        ("fitted.flat_", 0),
    ):
        config = json.loads(text)
        put(config, value, "parts", "mapping", *place.split("."))
        (target / "config.json").write_text(json.dumps(config))
        refused(target, "damaged or was changed by hand")
    (target / "config.json").write_text(text)
    change_tensors(target, lambda t: t.update({"mapping.coef_": np.ones((5, 8))}))
    refused(target, r"coef_ has shape \(5, 8\)")


def test_a_reference_for_hubs_that_is_none(tmp_path: Path) -> None:
    target = save_model(KINDS["csls"](), tmp_path / "model")
    text = (target / "config.json").read_text(encoding="utf-8")
    for place, value in (
        ("correction", "magic"),
        ("n_neighbors", 1.5),
        ("temperature", 0),
        ("centre", "yes"),
        ("kind", "WordVectors"),
        ("kind", ["WordGaussians"]),
    ):
        config = json.loads(text)
        put(config, value, "unseen_classifier", place)
        (target / "config.json").write_text(json.dumps(config))
        refused(target, "damaged or was changed by hand")
    (target / "config.json").write_text(text)
    whole = (target / "model.safetensors").read_bytes()
    for change, message in (
        (lambda t: t.pop("reference.points"), "give points="),
        (lambda t: t.pop("reference.codes"), "reference.codes"),
        (lambda t: t.update({"reference.codes": t["reference.codes"] + 1}), "not there"),
        (lambda t: t.update({"reference.points": np.ones((12, 4))}), "has shape"),
    ):
        change_tensors(target, change)
        refused(target, message)
        (target / "model.safetensors").write_bytes(whole)


def test_a_map_of_words_that_does_not_fit(tmp_path: Path) -> None:
    target = save_model(KINDS["visual"](), tmp_path / "model")
    assert "- Map: VisualMap, ridge term 0.1." in (target / "README.md").read_text("utf-8")
    whole = (target / "model.safetensors").read_bytes()
    for change, message in (
        (lambda t: t.pop("mapping.word_coef_"), "word_coef_"),
        (lambda t: t.update({"mapping.word_coef_": np.ones((2, 4))}), "has shape"),
        (lambda t: t.update({"mapping.word_mean_": np.ones(2)}), "has shape"),
        (lambda t: t.update({"mapping.coef_": np.ones((3, 6))}), "has shape"),
        (lambda t: t.update({"novelty.centers_": np.ones((3, 5))}), "has shape"),
    ):
        change_tensors(target, change)
        refused(target, message)
        (target / "model.safetensors").write_bytes(whole)


def test_truncated_files_are_refused(model_dir: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        whole = (model_dir / name).read_bytes()
        cuts = {*range(0, 16), *range(16, len(whole) - 2, max(1, len(whole) // 60))}
        for cut in sorted({*cuts, len(whole) - 3}):
            (model_dir / name).write_bytes(whole[:cut])
            refused(model_dir, "damaged|holds no Wordsight model")
        (model_dir / name).write_bytes(whole)
    (model_dir / "model.safetensors").unlink()
    refused(model_dir, "missing, truncated or damaged")


def loads_or_says_why(directory: Path) -> None:
    try:
        model = load_model(directory)
    except WordsightError as error:
        assert "\n" not in str(error)
    else:
        assert len(model.predict(QUERIES)) == len(QUERIES)


@settings(
    deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0.0, 1.0, exclude_max=True), value=st.integers(0, 255))
def test_any_changed_byte_of_the_configuration(
    place: float, value: int, saved: Path, model_dir: Path
) -> None:
    data = bytearray((saved / "config.json").read_bytes())
    data[int(place * len(data))] = value
    (model_dir / "config.json").write_bytes(data)
    loads_or_says_why(model_dir)


@settings(
    deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_tensors_header(
    place: float, bit: int, saved: Path, model_dir: Path
) -> None:
    data = bytearray((saved / "model.safetensors").read_bytes())
    size = 8 + struct.unpack("<Q", data[:8])[0]
    data[int(place * size)] ^= 1 << bit
    (model_dir / "model.safetensors").write_bytes(data)
    loads_or_says_why(model_dir)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_numbers(
    place: float, bit: int, saved: Path, model_dir: Path
) -> None:
    data = bytearray((saved / "model.safetensors").read_bytes())
    start = 8 + struct.unpack("<Q", data[:8])[0]
    data[start + int(place * (len(data) - start))] ^= 1 << bit
    (model_dir / "model.safetensors").write_bytes(data)
    try:
        model = load_model(model_dir)
    except WordsightError:
        return
    assert model.classes_.tolist() == [*SEEN, "truck", "cat"]


@pytest.mark.parametrize("kind", ["folder of a user", "model with notes", "file"])
def test_overwriting_never_loses_what_is_no_model(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    if kind == "model with notes":
        save_model(fitted(), target)
    if kind == "file":
        target.write_text("precious")
    else:
        target.mkdir(exist_ok=True)
        (target / "thesis.txt").write_text("precious")
    before = sorted(place.name for place in tmp_path.rglob("*"))
    with pytest.raises(InputError, match="holds other things than a model"):
        save_model(fitted(), target, overwrite=True)
    assert sorted(place.name for place in tmp_path.rglob("*")) == before
