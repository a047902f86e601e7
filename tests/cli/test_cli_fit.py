"""``wordsight fit``: what it says, what it leaves out, what the model then is."""

import inspect
import json
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from cli.runs import SEEN, SMALL, UNSEEN, Runner, check_failed, contents
from tiny_vision_model import write_vision_model
from wordsight import CrossModalClassifier, PatchFeatures, load_model, open_dataset
from wordsight.cli.fit import fit
from wordsight.data.scenes import make_scenes
from wordsight.mapping.linear import LinearMap
from wordsight.novelty.gaussian import GaussianNovelty
from wordsight.training import (
    DETECTORS,
    UNSEEN_CLASSIFIERS,
    MapKind,
    NoveltyKind,
    SeenKind,
    UnseenKind,
)


def config_of(model: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((model / "config.json").read_text(encoding="utf-8"))
    return config


def test_it_says_what_it_does(scenes: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "model"
    arguments = ("--unseen", "red circle, gold star", "--unseen", "zebra", "--out", out, *SMALL)
    done = run("fit", scenes, *arguments)
    assert (done.code, done.out) == (0, f"{out}\n")
    assert contents(tmp_path) == {
        "model", "model/config.json", "model/model.safetensors", "model/README.md",
    }  # fmt: skip
    for said in (
        "the train split of scenes",
        "left out: 20 images of red circle",
        "left out: 20 images of gold star",
        "4 seen classes: blue circle, blue star, gold circle, red star",
        "3 unseen classes, by name alone: red circle, gold star, zebra",
        "80 images of 16 × 16",
        "20 atoms",
        "Trained in",
        f"wordsight evaluate {out} {scenes}",
        f"wordsight predict {out}",
    ):
        assert said in done.err
    assert "will take" not in done.err  # far less than a minute
    config = config_of(out)
    assert config["seen"] == list(SEEN)
    assert config["unseen"] == [*UNSEEN, "zebra"]
    about = config["about"]
    assert about["data"] == "scenes"
    assert about["left_out"] == {"red circle": 20, "gold star": 20}
    assert about["class_counts"] == dict.fromkeys(SEEN, 20)
    assert about["n_images"] == 80
    assert 0 < about["seconds"] < 60
    # nothing says where on this machine it was made
    card = (out / "README.md").read_text(encoding="utf-8")
    assert str(tmp_path) not in json.dumps(config) + card
    assert "wordsight fit scenes --unseen 'red circle, gold star'" in card


def test_the_model_is_that_of_the_python_names(scenes: Path, tmp_path: Path, run: Runner) -> None:
    """Every option, given to the estimators by hand, gives the same predictions bit for bit."""
    out = tmp_path / "model"
    done = run(
        "fit", scenes, "--out", out, "--unseen", ",".join(UNSEEN), "--split", "train",
        "--image-size", "16", "--n-atoms", "12", "--n-patches", "1500", "--dictionary", "kmeans",
        "--encoder", "triangle", "--alpha", "0.5", "--novelty", "per-class",
        "--gate", "probability", "--false-novel-rate", "0.3", "--calibration-fraction", "0.2",
        "--softmax-alpha", "0.01", "--on-missing", "compose", "--on-broken", "error",
        "--seed", "3", "--device", "cpu",
    )  # fmt: skip
    assert done.code == 0, done.err
    from wordsight import SoftmaxClassifier  # noqa: PLC0415

    expected = CrossModalClassifier(
        None,
        UNSEEN,
        features=PatchFeatures(
            12, n_patches=1500, dictionary="kmeans", encoder="triangle", image_size=16,
            random_state=3,
        ),
        mapping=LinearMap(0.5, random_state=3),
        novelty=GaussianNovelty(rule="per_class", false_novel_rate=0.3),
        seen_classifier=SoftmaxClassifier(0.01),
        gate="probability",
        false_novel_rate=0.3,
        calibration_fraction=0.2,
        random_state=3,
    ).fit(open_dataset(scenes, split="train").only_classes(SEEN))  # fmt: skip
    images, _ = make_scenes(5, [*SEEN, *UNSEEN], image_size=(16, 16), split="test")
    np.testing.assert_array_equal(
        load_model(out).predict_proba(images), expected.predict_proba(images)
    )


def offered(option: str) -> tuple[Any, ...]:
    annotation = inspect.signature(fit).parameters[option].annotation
    return get_args(get_args(annotation)[0])


def test_every_part_of_the_settings_can_be_asked_for() -> None:
    assert get_args(offered("novelty")[0]) == tuple(DETECTORS) == get_args(NoveltyKind)
    assert offered("seen_classifier") == get_args(SeenKind)
    assert offered("unseen_classifier") == tuple(UNSEEN_CLASSIFIERS) == get_args(UnseenKind)
    assert offered("map_kind") == get_args(MapKind)


def test_a_network_is_trained_on_seen_classes(scenes: Path, tmp_path: Path, run: Runner) -> None:
    out, kept = tmp_path / "model", tmp_path / "kept"
    arguments = (
        "fit", scenes, "--out", out, "--unseen", ",".join(UNSEEN), "--features", "conv",
        "--width", "3", "--blocks", "1", "--epochs", "2", "--image-size", "16",
        "--checkpoint", kept, "--false-novel-rate", "0.2",
    )  # fmt: skip
    done = run(*arguments)
    assert done.code == 0, done.err
    assert "a residual network of width 3, 1 blocks a stage, trained for 2 epochs" in done.err
    features = config_of(out)["parts"]["features"]
    assert features["kind"] == "ConvFeatures"
    assert {"width": 3, "n_blocks": 1, "n_epochs": 2}.items() <= features["params"].items()
    assert features["fitted"]["n_trained_"] == 4 * 18  # a tenth of each class is held out
    assert kept.exists()
    assert run("evaluate", out, scenes).code == 0
    # the training is found again, and ends with the same numbers
    again = tmp_path / "again"
    done = run(*(again if one == out else one for one in arguments))
    assert done.code == 0, done.err
    name = "model.safetensors"
    assert (again / name).read_bytes() == (out / name).read_bytes()


def test_an_encoder_by_its_name(scenes: Path, tmp_path: Path, run: Runner) -> None:
    folder = write_vision_model(tmp_path / "tiny", 24)
    out = tmp_path / "model"
    options = ("--features", f"transformers:{folder}", "--false-novel-rate", "0.2")
    done = run("fit", scenes, "--out", out, "--unseen", ",".join(UNSEEN), *options)
    assert done.code == 0, done.err
    assert "80 images of 24 × 24" in done.err  # what the model's own preparation asks for
    assert config_of(out)["parts"]["features"]["fitted"]["image_size_"] == [24, 24]
    done = run("predict", out, scenes / "test", "--json")
    assert done.code == 0, done.err
    assert done.out.count("\n") == 6 * 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--features", "resnet"), "features='resnet' was given; expected patches, conv"),
        (("--features", "timm:../weights"), "names no model of the library's own list"),
        (("--features", "transformers:/no/such"), "cannot be loaded"),
        (("--checkpoint", "kept"), "only conv is trained step by step"),
        (("--features", "conv", "--width", "0"), "width=0 was given"),
        (("--features", "conv", "--cache", "kept"), "a cache was given for features of ConvFeatur"),
    ],
)
def test_features_that_cannot_be_had(
    scenes: Path,
    tmp_path: Path,
    run: Runner,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("fit", scenes, "--out", "model", *options)
    check_failed(done, 1 if "/no/such" in options[-1] else 2, said)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "where", "kind"),
    [
        (("--novelty", "loop"), ("parts", "novelty", "kind"), "LocalOutlierProbability"),
        (("--novelty", "stacking"), ("parts", "novelty", "kind"), "StackingNovelty"),
        (("--novelty", "energy"), ("parts", "novelty", "kind"), "SoftmaxNovelty"),
        (
            ("--novelty", "conformal-per-class", "--false-novel-rate", "0.4"),
            ("parts", "novelty", "params", "per_class"),
            True,
        ),
        (("--novelty", "gaussian"), ("parts", "novelty", "params", "rule"), "mixture"),
        (("--map", "two-layer"), ("parts", "mapping", "kind"), "TwoLayerMap"),
        (
            ("--map", "two-layer", "--hidden", "9"),
            ("parts", "mapping", "params", "n_hidden"),
            9,
        ),
        (
            ("--map", "two-layer", "--weight-decay", "0.02"),
            ("parts", "mapping", "params", "weight_decay"),
            0.02,
        ),
        (
            ("--map", "two-layer", "--alpha", "0.3"),
            ("parts", "mapping", "params", "alpha"),
            0.3,
        ),
        (("--mirror",), ("parts", "features", "params", "mirror"), True),
        (("--seen-classifier", "shares"), ("parts", "seen_classifier", "kind"), "ShareClassifier"),
        (
            ("--temperature", "auto"),
            ("parts", "seen_classifier", "params", "temperature"),
            "auto",
        ),
        (("--tune", "--false-novel-rate", "0.4"), ("false_novel_rate",), 0.4),
        (("--map", "visual"), ("parts", "mapping", "kind"), "VisualMap"),
        (("--map", "visual", "--alpha", "0.3"), ("parts", "mapping", "params", "alpha"), 0.3),
        (("--unseen-classifier", "gaussian"), ("unseen_classifier",), None),
        (("--unseen-classifier", "cosine"), ("unseen_classifier", "centre"), False),
        (("--unseen-classifier", "centred"), ("unseen_classifier", "centre"), True),
        (("--unseen-classifier", "csls"), ("unseen_classifier", "correction"), "csls"),
        (
            ("--unseen-classifier", "inverted-softmax"),
            ("unseen_classifier", "correction"),
            "inverted_softmax",
        ),
        (("--dictionary", "random"), ("parts", "features", "params", "dictionary"), "random"),
        (("--random-state", "5"), ("params", "random_state"), 5),
        (("--split", "test", "--calibration-fraction", "0.4"), ("about", "n_images"), 30),
    ],
)
def test_other_choices(
    scenes: Path, tmp_path: Path, run: Runner, options: tuple[str, ...], where: Any, kind: object
) -> None:
    out = tmp_path / "model"
    done = run("fit", scenes, "--out", out, *SMALL, *options)
    assert done.code == 0, done.err
    value: Any = config_of(out)
    for key in where:
        value = value[key]
    assert value == kind


OPEN = SMALL[: SMALL.index("--false-novel-rate")]
"""The same, with the threshold left to be chosen."""


def test_what_is_chosen_is_told(scenes: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "model"
    options = ("--tune", "--unseen", "zebra", "--seen-classifier", "shares")
    done = run("fit", scenes, "--out", out, *OPEN, *options, "--calibration-fraction", "0.3")
    assert done.code == 0, done.err
    assert "novelty: chosen, tuned for the best harmonic mean" in done.err
    tuned = config_of(out)["about"]["tuned"]
    assert f"gate {tuned['gate']}, {tuned['false_novel_rate']:.1%} of seen images" in done.err
    assert config_of(out)["parts"]["mapping"]["params"]["alpha"] == tuned["alpha"]
    assert config_of(out)["false_novel_rate"] == tuned["false_novel_rate"]
    assert "no image of an unseen class had a part in it" in (out / "README.md").read_text()

    kept = ("--tune", "--keep-seen", "0.25", "--calibration-fraction", "0.3", "--overwrite")
    done = run("fit", scenes, "--out", out, *OPEN, *kept)
    assert done.code == 0, done.err
    assert "tuned for a seen accuracy of 0.25" in done.err
    assert config_of(out)["keep_seen"] == 0.25


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--keep-seen", "0.7"), "--keep-seen 0.7 was given without --tune; give both"),
        (
            ("--tune", "--keep-seen", "0.7", "--false-novel-rate", "0.1"),
            "the threshold serves one of them",
        ),
        (("--tune", "--keep-seen", "7"), "keep_seen=7.0 was given; expected a share"),
        (("--tune", "--novelty", "energy"), "the gate energy looks at logits"),
        (("--temperature", "warm"), "--temperature warm was given; expected auto, or a number"),
    ],
)
def test_what_cannot_be_chosen_is_refused(
    scenes: Path, tmp_path: Path, run: Runner, options: tuple[str, ...], reason: str
) -> None:
    out = tmp_path / "model"
    done = run("fit", scenes, "--out", out, *OPEN, *options)
    assert done.code == 2
    assert reason in done.err
    assert not out.exists()


def test_data_without_splits_are_taken_whole(scenes: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "model"
    done = run("fit", scenes / "train", "--out", out, *SMALL)
    assert done.code == 0
    assert "all of train" in done.err
    assert "no unseen class" in done.err
    assert config_of(out)["about"]["split"] is None


def test_words_of_a_file(scenes: Path, tmp_path: Path, class_words: Path, run: Runner) -> None:
    out = tmp_path / "model"
    done = run("fit", scenes, "--words", class_words, "--unseen", "zebra", "--out", out, *SMALL)
    assert done.code == 0, done.err
    assert load_model(out).word_vectors_.shape == (7, 3)
    assert config_of(out)["words"]["source"] == "words.txt"


def test_classes_without_a_vector_are_left_out(
    scenes: Path, tmp_path: Path, class_words: Path, run: Runner
) -> None:
    words = class_words.read_text(encoding="utf-8").replace("7 3", "9 3")
    class_words.write_text(words + "red_circle 1 2 0\nred_star 2 1 0\n", encoding="utf-8")
    out = tmp_path / "model"
    arguments = ("--words", class_words, "--on-missing", "skip", "--unseen", "zebra,okapi")
    done = run("fit", scenes, *arguments, "--out", out, *SMALL, "--calibration-fraction", "0.2")
    assert done.code == 0, done.err
    for name in ("blue circle", "blue star", "gold circle", "gold star", "okapi"):
        assert f"left out: {name}, which has no word vector" in done.err
    assert config_of(out)["seen"] == ["red circle", "red star"]
    assert config_of(out)["unseen"] == ["zebra"]


def test_an_output_is_replaced_when_asked(scenes: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "model"
    out.mkdir()
    (out / "config.json").write_text("old", encoding="utf-8")
    arguments = ("fit", scenes, "--out", out, *SMALL)
    check_failed(run(*arguments), 2, "exists already", "--overwrite")
    assert contents(tmp_path) == {"model", "model/config.json"}
    assert run(*arguments, "--overwrite").code == 0
    assert config_of(out)["seen"]


def test_what_is_no_model_is_not_replaced(scenes: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "thesis.txt").write_text("precious", encoding="utf-8")
    done = run("fit", scenes, "--out", out, *SMALL, "--overwrite")
    check_failed(done, 2, "holds other things than a model", "thesis.txt")
    assert contents(tmp_path) == {"thesis", "thesis/thesis.txt"}


def test_broken_images(scenes: Path, tmp_path: Path, run: Runner) -> None:
    data = tmp_path / "data"
    shutil.copytree(scenes / "train", data)
    for number in range(12):
        (data / "red star" / f"{number:05d}.png").write_bytes(b"no picture")
    out = tmp_path / "model"
    arguments = ("fit", data, "--out", out, *SMALL)
    check_failed(run(*arguments), 1, "red star/00000.png", "--on-broken skip")
    assert not out.exists()
    done = run(*arguments, "--on-broken", "skip")
    assert done.code == 0, done.err
    assert "12 images cannot be read" in done.err
    named = [line for line in done.err.splitlines() if "red star/000" in line]
    assert len(named) == 10
    assert "and 2 more" in done.err
    assert config_of(out)["about"]["class_counts"]["red star"] == 8
    assert config_of(out)["about"]["n_images"] == 108


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_cache_serves_fit_and_evaluate(
    scenes: Path, tmp_path: Path, run: Runner, precision: str
) -> None:
    cache = ("--cache", tmp_path / "cache", "--cache-precision", precision)
    done = run("fit", scenes, "--out", tmp_path / "model", *SMALL, *cache)
    assert done.code == 0, done.err
    shards = {place: place.stat().st_mtime_ns for place in (tmp_path / "cache").rglob("*.npy")}
    assert shards
    assert run("fit", scenes, "--out", tmp_path / "again", *SMALL, *cache).code == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("model", "again")]
    assert weights[0] == weights[1]
    scored = [
        run("evaluate", tmp_path / "model", scenes, "--json", *extra).out for extra in ((), cache)
    ]
    plain, kept = (json.loads(text) for text in scored)
    assert kept["n_images"] == plain["n_images"]
    assert kept["overall_accuracy"] == pytest.approx(plain["overall_accuracy"], abs=0.02)
    left = {place: place.stat().st_mtime_ns for place in (tmp_path / "cache").rglob("*.npy")}
    assert {place: left[place] for place in shards} == shards


def test_a_model_in_half_precision_stays_so(
    scenes: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    out = tmp_path / "half"
    unseen = ",".join(UNSEEN)
    done = run("fit", scenes, "--unseen", unseen, "--out", out, *SMALL, "--precision", "float16")
    assert done.code == 0, done.err

    def size(place: Path) -> int:
        return (place / "model.safetensors").stat().st_size

    small = size(out)
    assert small < size(model)
    assert run("evaluate", out, scenes, "--update-card").code == 0
    assert size(out) == small
    assert json.loads(run("info", out, "--json").out)["precision"] == "float16"
