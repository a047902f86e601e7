"""Every error message of the library: what was given, what is expected, what to do; one sentence.

The first half reads the source: each place that makes an error is found in the syntax tree, so a
new message is checked as soon as it is written. The second half makes many errors happen, and
checks what a user sees.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wordsight
from wordsight.baselines.conse import ConSE
from wordsight.compute import resolve_device
from wordsight.data.decoding import decode
from wordsight.data.scenes import make_scenes
from wordsight.exceptions import WordsightError
from wordsight.features.cache import FeatureCache
from wordsight.words.descriptions import read_descriptions

ws: Any = wordsight
"""Without its types, which forbid much of what is given here."""
ROOT = Path(wordsight.__file__).parent

ERRORS = {
    "InputError",
    "DataError",
    "WordsightError",
    "MissingWordError",
    "MissingDependencyError",
}

VERBS = (
    "add allow ask call change check choose compare copy describe drop end expect fetch fit "
    "free get give hold install keep leave lower make mark mend move name open pip predict "
    "put read remove rename resize return run save say scale score see set spell standardise "
    "take train try unpack update upgrade use wordsight wrap write "
)
DOES = re.compile(rf"(?:[;:(,] |\(|\b(?:or|and|so|then|instead) )(?:{'|'.join(VERBS.split())})\b")
EXPECTS = re.compile(r"\bexpected\b|; known (?:are|is)\b|; its splits are\b|; near: ")
ADVICE = {"advice", "expected", "EXPECTED", "hint", "_splits_listed"}
"""Fields that bring the expectation or the advice into a message."""

ABSENT = re.compile(
    r"\b(?:no|not|none|neither|twice|both|empty|without|nowhere|cannot|needs|zeros|more than"
    r"|too large|different|several|NaN|inside|one text|hold|None|were given)\b"
)
"""Words by which a message without a field says what was given: something that is not there."""

REASONS = {
    "{}: {}": "the name of a file before a message that is checked by itself",
    "it has another shape or type": "told in the warning of the cache",
    "its checksum differs": "told in the warning of the cache",
}
"""Messages that another one takes up."""


@dataclass(frozen=True)
class Message:
    """A message in the source; `text` has ``{}`` for each field."""

    place: str
    text: str
    fields: tuple[str, ...]


def _template(node: ast.expr) -> tuple[str, list[str]] | None:
    """Return the text and the fields of an expression that is a message, or nothing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, []
    if isinstance(node, ast.JoinedStr):
        text, fields = "", []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                text += "{}"
                fields.append(ast.unparse(part.value))
            else:
                assert isinstance(part, ast.Constant)
                text += str(part.value)
        return text, fields
    return None


def messages() -> Iterator[Message]:
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in ERRORS and node.args:
                found = _template(node.args[0])
                if found is not None:
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield Message(place, found[0], tuple(found[1]))


ALL = list(messages())


def test_the_messages_are_found() -> None:
    assert len(ALL) > 300
    assert len({message.place for message in ALL}) == len(ALL)


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.place)
def test_every_message_says_what_was_given_and_what_to_do(message: Message) -> None:
    text = message.text
    if text in REASONS:
        return
    assert "\n" not in text
    assert not text.endswith((".", "!", " ")), "one sentence, without a full stop"
    assert not re.search(r"\. [A-Z]", text), "one sentence"
    assert not re.match(r"[A-Z][a-z]+ [a-z]", text), "it goes on after 'error: '"
    assert len(text) <= 300
    assert message.fields or ABSENT.search(text), "says what was given"
    advised = any(name in ADVICE for field in message.fields for name in re.findall(r"\w+", field))
    assert advised or DOES.search(text) or EXPECTS.search(text), "says what to do"


X = np.random.default_rng(0).normal(size=(40, 5))
Y = np.repeat(["cat", "dog"], 20)
W = np.random.default_rng(1).normal(size=(2, 3))
TABLE = {"cat": W[0], "dog": W[1]}
HUGE = np.zeros((300, 300))
MANY = [f"class number {number}" for number in range(500)]
IMAGES = np.zeros((4, 16, 16, 3), np.uint8)


def fitted() -> Any:
    return ws.CrossModalClassifier(TABLE, random_state=0, false_novel_rate=0.3).fit(X, Y)


def file_of(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


untyped_cache: Any = FeatureCache


def detector() -> Any:
    return ws.GaussianNovelty().fit(X[:, :3], Y, centers=TABLE)


# what is done, and what of it has to be in the message
CALLS: dict[str, tuple[Callable[[Path], object], str]] = {
    "gate": (lambda _: ws.CrossModalClassifier(TABLE, gate="open").fit(X, Y), "'open'"),
    "unseen": (lambda _: ws.CrossModalClassifier(TABLE, unseen="cat").fit(X, Y), "'cat'"),
    "fraction": (
        lambda _: ws.CrossModalClassifier(TABLE, calibration_fraction=2).fit(X, Y),
        "calibration_fraction=2",
    ),
    "no labels": (lambda _: ws.CrossModalClassifier(TABLE).fit(X), "y"),
    "one class": (lambda _: ws.CrossModalClassifier(TABLE).fit(X[:20], Y[:20]), "cat"),
    "labels short": (lambda _: ws.CrossModalClassifier(TABLE).fit(X, Y[:3]), "3"),
    "nan": (lambda _: ws.CrossModalClassifier(TABLE).fit(X * np.nan, Y), "NaN"),
    "seen as unseen": (lambda _: ws.CrossModalClassifier(TABLE, unseen=["dog"]).fit(X, Y), "dog"),
    "rate": (lambda _: ws.CrossModalClassifier(TABLE, false_novel_rate=7).fit(X, Y), "7"),
    "rate as table": (
        lambda _: ws.CrossModalClassifier(TABLE, false_novel_rate=HUGE).fit(X, Y),
        "false_novel_rate",
    ),
    "no vector": (
        lambda _: ws.CrossModalClassifier(TABLE).fit(X, np.repeat(["cat", "dgo"], 20)),
        "'dgo'",
    ),
    "added twice": (lambda _: fitted().add_classes(["cat"]), "cat"),
    "removed": (lambda _: fitted().remove_classes(["cow"]), "cow"),
    "seen removed": (lambda _: fitted().remove_classes(["cat"]), "cat"),
    "vector": (lambda _: fitted().add_classes({"cow": np.zeros(7)}), "(7,)"),
    "zeros": (lambda _: fitted().add_classes({"cow": np.zeros(3)}), "cow"),
    "no numbers": (lambda _: fitted().add_classes({"cow": ["a", "b", "c"]}), "cow"),
    "features": (lambda _: fitted().predict(X[:, :2]), "2"),
    "images": (lambda _: fitted().predict(IMAGES), "features"),
    "among none": (lambda _: fitted().predict_among(X, MANY), "class number 0"),
    "goal": (lambda _: ws.Goal("best"), "'best'"),
    "goal of": (lambda _: ws.Goal("keep_seen", 7), "7"),
    "softmax": (lambda _: ws.SoftmaxClassifier(alpha=-1).fit(X, Y), "alpha=-1"),
    "softmax table": (lambda _: ws.SoftmaxClassifier(alpha=HUGE).fit(X, Y), "alpha="),
    "map": (lambda _: ws.LinearMap(alpha=-1).fit(X, X[:, :3]), "alpha=-1"),
    "map table": (lambda _: ws.LinearMap(alpha=HUGE).fit(X, X[:, :3]), "alpha="),
    "layers": (lambda _: ws.TwoLayerMap(n_hidden=0).fit(X, X[:, :3]), "n_hidden=0"),
    "centers": (lambda _: ws.GaussianNovelty().fit(X, Y, centers={"cat": X[0]}), "dog"),
    "centers shape": (lambda _: ws.GaussianNovelty().fit(X, Y, centers=HUGE), "(300, 300)"),
    "rule": (lambda _: ws.GaussianNovelty(rule="best").fit(X, Y, centers=X[:2]), "'best'"),
    "threshold": (lambda _: detector().set_threshold(np.nan), "nan"),
    "neighbours": (lambda _: ws.LocalOutlierProbability(n_neighbors=90).fit(X, Y), "90"),
    "point": (lambda _: detector().score_samples(X[:, :2]), "2"),
    "infinite": (lambda _: detector().score_samples(X[:, :3] / 0.0), "inf"),
    "atoms": (lambda _: ws.PatchFeatures(0).fit(IMAGES), "n_atoms=0"),
    "encoder": (lambda _: ws.PatchFeatures(9, encoder="x").fit(IMAGES), "'x'"),
    "floats": (lambda _: ws.PatchFeatures(9).fit(IMAGES / 255.0), "float64"),
    "grey": (lambda _: ws.PatchFeatures(9).fit(IMAGES[..., 0]), "(4, 16, 16)"),
    "no encoder": (lambda _: ws.EncodedFeatures("vgg").fit(IMAGES), "encoder=str"),
    "device": (lambda _: resolve_device("abacus"), "'abacus'"),
    "gpu": (lambda _: resolve_device("cuda:77"), "cuda:77"),
    "n_top": (lambda _: ConSE(TABLE, n_top=0).fit(X, Y), "n_top=0"),
    "path": (lambda here: ws.open_dataset(here / "none"), "none"),
    "empty": (ws.open_dataset, "no images"),
    "text": (lambda here: ws.open_dataset(file_of(here, "notes.txt", "hello")), "notes.txt"),
    "npy": (lambda here: ws.open_dataset(file_of(here, "x.npy", "hello")), "x.npy"),
    "parquet": (lambda here: ws.open_dataset(file_of(here, "x.parquet", "hello")), "x.parquet"),
    "objects": (lambda _: ws.open_dataset(object()), "object"),
    "mask": (lambda _: ws.open_dataset(IMAGES).select(np.ones(9, bool)), "(9,)"),
    "classes": (lambda _: ws.open_dataset(IMAGES).without_classes(["cat"]), "labels"),
    "label": (lambda _: ws.open_dataset(IMAGES, labels=np.arange(4), class_names=["a"]), "0 to 3"),
    "image": (lambda _: decode(b"", None, "photo.png"), "photo.png"),
    "scenes": (lambda _: make_scenes(1, ["red circel"]), "'red circel'"),
    "scene size": (lambda _: make_scenes(1, image_size=(0, 0)), "(0, 0)"),
    "no words": (lambda here: ws.WordVectors.load(here / "none.txt"), "none.txt"),
    "bad words": (
        lambda here: ws.WordVectors.load(file_of(here, "w.txt", "cat 1\ndog x")),
        "w.txt",
    ),
    "no word": (lambda _: ws.WordVectors.default().vector_for("zebbra"), "'zebbra'"),
    "many words": (lambda _: ws.WordVectors.default().vectors_for(MANY), "and 400 more"),
    "one text": (lambda _: ws.WordVectors.default().vectors_for("zebra"), "'zebra'"),
    "metric": (lambda _: ws.WordVectors.default().most_similar(np.ones(50), metric="l1"), "'l1'"),
    "shape": (lambda _: ws.WordVectors.default().most_similar(np.ones(3)), "(1, 3)"),
    "model": (lambda here: ws.load_model(here / "none"), "none"),
    "no model": (ws.load_model, "config.json"),
    "unfitted": (lambda here: ws.save_model(ws.CrossModalClassifier(TABLE), here / "m"), "fitted"),
    "exists": (lambda here: ws.save_model(fitted(), file_of(here, "m", "mine")), "m"),
    "cache": (lambda here: FeatureCache(file_of(here, "c", "mine")), "c"),
    "precision": (lambda here: untyped_cache(here, "int8"), "'int8'"),
    "json": (lambda here: read_descriptions(file_of(here, "d.json", "{")), "d.json"),
    "yaml": (lambda here: read_descriptions(file_of(here, "d.yaml", "a: [")), "d.yaml"),
    "scores": (lambda _: ws.metrics.accuracy(["a"], ["a", "b"]), "2 predictions"),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_a_user_sees(name: str, tmp_path: Path) -> None:
    call, given = CALLS[name]
    with pytest.raises(WordsightError) as caught, np.errstate(all="ignore"):
        call(tmp_path)
    text = str(caught.value)
    assert given in text
    assert "\n" not in text
    assert len(text) <= caught.value.longest
    assert "Traceback" not in text
    assert " at 0x" not in text, "the address of an object says nothing"
    assert not re.search(r"\bNone\b", text) or "is None" in text or "or None" in text
    assert DOES.search(text) or EXPECTS.search(text) or re.search(r"; near: ", text)


FITS: dict[str, Callable[[Any], object]] = {
    **dict.fromkeys(
        (
            "ConformalNovelty",
            "GaussianNovelty",
            "LengthNovelty",
            "LocalOutlierProbability",
            "MahalanobisNovelty",
            "NeighbourDistance",
            "ShareNovelty",
            "StackingNovelty",
        ),
        lambda one: one.fit(X[:, :3], Y, centers=TABLE),
    ),
    **dict.fromkeys(
        ("LinearMap", "TwoLayerMap", "VisualMap"),
        lambda one: one.fit(X, W[np.repeat([0, 1], 20)]),
    ),
    "SoftmaxClassifier": lambda one: one.fit(X, Y),
    "CrossModalClassifier": lambda one: one.set_params(words=TABLE).fit(X, Y),
    "PatchFeatures": lambda one: one.fit(IMAGES),
    "ConvFeatures": lambda one: one.fit(IMAGES, ["cat", "cat", "dog", "dog"]),
}


def numbers() -> Iterator[tuple[str, str]]:
    """Every parameter of an estimator that is a number."""
    for name in FITS:
        for parameter, default in getattr(ws, name)().get_params(deep=False).items():
            is_number = isinstance(default, int | float) and not isinstance(default, bool)
            if is_number or default == "auto" or parameter == "random_state":
                yield name, parameter


@pytest.mark.parametrize("bad", [HUGE, "text", [1], float("nan")], ids=lambda bad: str(bad)[:4])
@pytest.mark.parametrize(("name", "parameter"), list(numbers()))
def test_numbers_that_are_none(name: str, parameter: str, bad: Any) -> None:
    with pytest.raises(WordsightError) as caught:
        FITS[name](getattr(ws, name)(**{parameter: bad}))
    text = str(caught.value)
    assert text.startswith(parameter)
    assert len(text) <= caught.value.longest
    assert DOES.search(text) or EXPECTS.search(text)


def test_a_long_message_keeps_its_two_ends() -> None:
    error = WordsightError("cannot use x=[0,\n  " + "1, " * 1000 + "]; give\n less")
    text = str(error)
    assert len(text) <= error.longest == 400
    assert text.startswith("cannot use x=[0, 1,")
    assert text.endswith("1, ]; give less")
    assert " … " in text
    assert str(WordsightError("short")) == "short"
