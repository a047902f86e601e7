"""What `docs/edge-cases.md` says of the edges, through the public names."""

import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wordsight
from wordsight.baselines.attributes import DirectAttributePrediction
from wordsight.baselines.conse import ConSE
from wordsight.baselines.devise import DeViSE
from wordsight.baselines.eszsl import ESZSL
from wordsight.baselines.nearest_word import NearestWord
from wordsight.baselines.sae import SAE
from wordsight.cli import main
from wordsight.exceptions import BrokenImageError, InputError, MissingWordError, WordsightError

ws: Any = wordsight
"""Without its types, which forbid much of what is given here."""

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
Y = np.repeat(["cat", "dog", "ship"], 20)
VECTORS = {"cat": [1, 0, 0.0], "dog": [0, 1, 0.0], "ship": [0, 0, 1.0], "zebra": [1, 1, 0.0]}
WORDS = ws.WordVectors(list(VECTORS), list(VECTORS.values()))
IMAGES = RNG.integers(0, 256, (30, 8, 10, 3), dtype=np.uint8)

COMPOSED = "caf\u00e9"
COMBINING = unicodedata.normalize("NFD", COMPOSED)
ACCENTED = ws.WordVectors([COMPOSED, "cat", "dog", "zebra"], np.eye(4))

GATES: list[Any] = [
    ws.GaussianNovelty(), ws.LocalOutlierProbability(), ws.MahalanobisNovelty(),
    ws.NeighbourDistance(n_neighbors=5), ws.ConformalNovelty(), ws.StackingNovelty(),
    ws.LengthNovelty(), ws.SoftmaxNovelty(), ws.ShareNovelty(), ws.CombinedNovelty(),
]  # fmt: skip
PEERS: list[Any] = [
    ConSE(WORDS, ["zebra"]), DeViSE(WORDS, ["zebra"]), ESZSL(WORDS, ["zebra"]),
    NearestWord(WORDS, ["zebra"]), SAE(WORDS, ["zebra"]),
    DirectAttributePrediction(WORDS, ["zebra"]),
]  # fmt: skip


def type_name(thing: object) -> str:
    return type(thing).__name__


def model(words: Any = WORDS, unseen: Any = ("zebra",), **options: Any) -> Any:
    options = {"random_state": 0, "false_novel_rate": 0.3, **options}
    return ws.CrossModalClassifier(words, list(unseen), **options)


def features(**options: Any) -> Any:
    return ws.PatchFeatures(6, n_patches=200, max_iter=2, random_state=0, **options)


@pytest.fixture(scope="module")
def fitted() -> Any:
    return model().fit(X, Y)


def assert_probabilities(proba: NDArray[Any], n_images: int) -> None:
    assert proba.shape == (n_images, 4)
    assert np.isfinite(proba).all()
    assert (proba >= 0).all()
    np.testing.assert_allclose(proba.sum(1), 1.0, rtol=1e-12)


def with_one(value: float) -> NDArray[Any]:
    changed = X.copy()
    changed[3, 2] = value
    return changed


# numbers


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_everywhere(value: float, fitted: Any) -> None:
    bad = with_one(value)
    wrong: list[Callable[[], Any]] = [
        lambda: model().fit(bad, Y),
        lambda: fitted.predict(bad),
        lambda: ws.WordVectors(["a"], [[value]]),
        lambda: WORDS.nearest([[value, 0, 0]]),
        lambda: fitted.branch().add_classes({"yak": [value, 0, 0]}),
        lambda: ws.metrics.novelty_auroc([True, False], [value, 0.0]),
    ]
    for do in wrong:
        with pytest.raises(InputError, match=r"NaN|infinit|finite"):
            do()


@pytest.mark.parametrize("peer", PEERS, ids=type_name)
def test_peers_refuse_what_is_no_number_and_what_overflows(peer: Any) -> None:
    for bad in (with_one(np.nan), X * 1e160, (X * 1e30).astype(np.float32), X[:0]):
        with pytest.raises(InputError, match=r"NaN|overflow|at least one image"):
            peer.fit(bad, Y[: len(bad)])


@pytest.mark.parametrize("gate", GATES, ids=type_name)
def test_gates_refuse_what_is_no_number_what_is_far_and_no_images(gate: Any) -> None:
    points, labels = X[:, :3], Y
    for bad in (with_one(np.inf)[:, :3], points * 1e160, points[:0]):
        with pytest.raises(InputError, match=r"infinity|standardise|at least one image"):
            gate.fit(bad, labels[: len(bad)], centers=VECTORS_OF_SEEN)
    gate.fit(points, labels, centers=VECTORS_OF_SEEN)
    with pytest.raises(InputError, match="give at least one image"):
        gate.score_samples(points[:0])


VECTORS_OF_SEEN = {name: VECTORS[name] for name in ("cat", "dog", "ship")}


@pytest.mark.parametrize("gate", GATES, ids=type_name)
@pytest.mark.parametrize(
    "points",
    [
        np.ones((60, 3)),
        np.zeros((60, 3)),
        np.repeat(X[::20, :3], 20, axis=0),
        X[:, :3] * 1e-310,
        X[:, :3].astype(np.float16),
    ],
    ids=["constant", "zero", "duplicates", "subnormal", "float16"],
)
def test_gates_stay_finite(gate: Any, points: NDArray[Any]) -> None:
    gate.fit(points, Y, centers=VECTORS_OF_SEEN)
    for queries in (points, X[:, :3], np.zeros((2, 3))):
        assert np.isfinite(gate.score_samples(queries)).all()
        proba = gate.novelty_proba(queries)
        assert ((proba >= 0) & (proba <= 1)).all()


@pytest.mark.parametrize(
    "given",
    [
        X * 1e-310,
        np.c_[X, X[:, 0] * 5e-320],
        X * 1e-200,
        np.ones((60, 5)),
        np.zeros((60, 5)),
        np.c_[X, np.ones(60)],
        np.repeat(X[::20], 20, axis=0),
        X.astype(np.float16),
        X.astype(">f4"),
        (10 * X).astype(int),
        X > 0,
        X.astype(str),
    ],
    ids=[
        "subnormal", "one subnormal", "tiny", "all constant", "all zero", "one constant",
        "duplicates", "float16", "big-endian", "whole numbers", "booleans", "text",
    ],
)  # fmt: skip
def test_probabilities_stay_probabilities(given: NDArray[Any]) -> None:
    assert_probabilities(model().fit(given, Y).predict_proba(given), len(given))


@pytest.mark.parametrize(
    "given", [X * 1e141, X * 1e300, (X * 1e16).astype(np.float32)], ids=["141", "300", "float32"]
)
def test_features_whose_squares_overflow_are_refused(given: NDArray[Any], fitted: Any) -> None:
    wrong: list[Callable[[], Any]] = [
        lambda: model().fit(given, Y),
        lambda: fitted.predict(given),
    ]
    for do in wrong:
        with pytest.raises(InputError, match=r"sums of squares overflow.*standardise"):
            do()


def test_complex_numbers_are_refused(fitted: Any) -> None:
    with pytest.raises(InputError, match="Complex data not supported; give real numbers"):
        fitted.predict(X + 0j)


@pytest.mark.parametrize("scale", [1e120, 1e-120])
def test_features_of_any_size_short_of_that_are_not(scale: float) -> None:
    assert_probabilities(model().fit(X * scale, Y).predict_proba(X * scale), len(X))


def test_single_precision_without_a_square_is_refused() -> None:
    with pytest.raises(WordsightError, match="standardise the others"):
        model().fit((X * 1e-40).astype(np.float32), Y)


def test_half_precision_is_that_of_the_same_numbers(fitted: Any) -> None:
    half = X.astype(np.float16)
    assert (fitted.predict_proba(half) == fitted.predict_proba(half.astype(np.float32))).all()


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1.0, 1e200, 1e300])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_words_of_any_length_are_ranked_as_at_length_one(scale: float, metric: str) -> None:
    table = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 0.0]])
    words = ws.WordVectors(["east", "north-east", "north", "west"], table * scale)
    near, similarity = words.nearest(np.array([[2.0, 0.1]]) * scale, 4, metric=metric)
    difference = table - [2.0, 0.1]
    expected = (
        table @ [2.0, 0.1] / np.linalg.norm(table, axis=1) / np.linalg.norm([2.0, 0.1])
        if metric == "cosine"
        else -np.linalg.norm(difference, axis=1) * scale
    )
    order = np.argsort(-expected)
    assert near == [[words.words[row] for row in order]]
    # a subnormal number has few digits
    np.testing.assert_allclose(similarity[0], expected[order], rtol=1e-5, atol=1e-5 * scale)


def test_short_and_long_words_of_one_table() -> None:
    words = ws.WordVectors(["tiny", "one", "huge"], [[1e-310, 0.0], [0.8, 0.6], [0.0, 1e300]])
    similar = dict(words.most_similar("tiny"))
    assert similar["one"] == pytest.approx(0.8)
    assert similar["huge"] == pytest.approx(0.0)
    assert dict(words.most_similar("huge"))["one"] == pytest.approx(0.6)


# arrays


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    copied = array.copy()
    copied.setflags(write=False)
    return copied


@pytest.mark.parametrize(
    "view",
    [
        read_only,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[::-1].copy()[::-1],
        np.asfortranarray,
        lambda a: a.astype(a.dtype.newbyteorder(">")),
    ],
    ids=["read-only", "gaps", "backwards", "column-major", "big-endian"],
)
def test_how_an_array_lies_in_memory_does_not_matter(
    view: Callable[[NDArray[Any]], NDArray[Any]], fitted: Any
) -> None:
    np.testing.assert_allclose(fitted.predict_proba(view(X)), fitted.predict_proba(X), rtol=1e-12)
    again = model().fit(view(X), Y)
    np.testing.assert_allclose(again.predict_proba(X), fitted.predict_proba(X), rtol=1e-9)
    encoder = features().fit(IMAGES)
    np.testing.assert_allclose(encoder.transform(view(IMAGES)), encoder.transform(IMAGES))
    np.testing.assert_allclose(
        features().fit(view(IMAGES)).transform(IMAGES), encoder.transform(IMAGES), rtol=1e-5
    )


def test_nothing_given_is_written_to() -> None:
    given, images = X.copy(), IMAGES.copy()
    model().fit(given, Y).predict(given)
    features().fit(images).transform(images)
    assert (given == X).all()
    assert (images == IMAGES).all()


def test_no_images_at_all(fitted: Any) -> None:
    wrong: list[Callable[[], Any]] = [
        lambda: model().fit(X[:0], []),
        lambda: fitted.predict(X[:0]),
        lambda: features().fit(IMAGES[:0]),
        lambda: ws.metrics.accuracy([], []),
    ]
    for do in wrong:
        with pytest.raises(InputError, match="at least one"):
            do()
    with pytest.raises(InputError, match="holds no images"):
        ws.open_dataset(IMAGES[:0])
    assert features().fit(IMAGES).transform(IMAGES[:0]).shape == (0, 48)


def test_a_kind_of_image_that_is_not_there_has_no_score() -> None:
    seen, unseen = ws.metrics.seen_unseen_accuracy(["a"], ["a"], seen=["a"], unseen=["b"])
    assert (seen, unseen) == (1.0, None)


def test_a_class_with_one_image() -> None:
    kept = np.arange(41)  # 20 cats, 20 dogs, one ship
    lone = model().fit(X[kept], Y[kept])
    assert list(lone.seen_) == ["cat", "dog", "ship"]
    assert_probabilities(lone.predict_proba(X), len(X))


def test_too_few_images_or_classes() -> None:
    with pytest.raises(InputError, match="give more images or a larger calibration_fraction"):
        model().fit(X[::20], Y[::20])
    with pytest.raises(InputError, match="only one class was given"):
        model().fit(X[:20], Y[:20])


def test_one_image_a_class_is_no_regression() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ws.WordGaussians().fit(RNG.normal(size=(200, 3)), [f"class {k}" for k in range(200)])


@pytest.mark.slow
def test_ten_thousand_classes(tmp_path: Path) -> None:
    many = [f"class {number}" for number in range(10_000)]
    grown = model().fit(X, Y)
    grown.add_classes(dict(zip(many, RNG.normal(size=(len(many), 3)), strict=True)))
    proba = grown.predict_proba(X)
    assert proba.shape == (len(X), 10_004)
    np.testing.assert_allclose(proba.sum(1), 1.0, rtol=1e-9)
    ws.save_model(grown, tmp_path / "model")
    assert (ws.load_model(tmp_path / "model").predict(X) == grown.predict(X)).all()
    assert list(grown.remove_classes(many).classes_) == ["cat", "dog", "ship", "zebra"]
    codes = np.repeat(np.arange(len(many)), 2)
    names = np.array(many)[codes]
    assert ws.metrics.macro_accuracy(names, names) == 1.0


# images


@pytest.mark.parametrize("side", [1, 6])
def test_images_smaller_than_a_patch(side: int) -> None:
    with pytest.raises(InputError, match="need at least 7 × 7"):
        features().fit(IMAGES[:, :side, :side])
    assert features().fit(IMAGES[:, :7, :7]).transform(IMAGES[:, :7, :7]).shape == (30, 48)


def test_one_pixel_in_a_file_is_one_colour(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (10, 20, 30)).save(tmp_path / "one.png")
    data = ws.open_dataset([tmp_path / "one.png"])
    (batch,) = data.batches((9, 7))
    assert batch.images.shape == (1, 9, 7, 3)
    assert (batch.images == [10, 20, 30]).all()


@pytest.mark.slow
def test_sixteen_megapixels_are_read_and_more_than_a_hundred_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4000, 4000), (10, 20, 30)).save(tmp_path / "large.png")
    (batch,) = ws.open_dataset([tmp_path / "large.png"]).batches((32, 32))
    assert (batch.images == [10, 20, 30]).all()
    Image.new("L", (10_001, 10_000)).save(tmp_path / "huge.png")
    with pytest.raises(BrokenImageError, match="100 megapixels"):
        list(ws.open_dataset([tmp_path / "huge.png"]).batches((32, 32)))


@pytest.mark.parametrize(
    "images",
    [np.full((30, 8, 8, 3), 7, np.uint8), np.repeat(IMAGES[:1], 30, axis=0), IMAGES[:1]],
    ids=["one colour", "duplicates", "one image"],
)
def test_features_of_images_without_variety_are_finite(images: NDArray[Any]) -> None:
    assert np.isfinite(features().fit(images).transform(images)).all()


def test_images_of_fractions_are_refused() -> None:
    fractions = (IMAGES / 255).astype(np.float16)
    wrong: list[Callable[[], Any]] = [
        lambda: features().fit(fractions),
        lambda: ws.open_dataset(fractions),
    ]
    for do in wrong:
        with pytest.raises(InputError, match="uint8"):
            do()


# names


def test_two_spellings_of_a_name_are_one_class() -> None:
    both = np.repeat([COMPOSED, COMBINING, "dog"], 20)
    with pytest.raises(InputError, match=r"spell 'café' in two ways.*NFC"):
        model(ACCENTED, []).fit(X, both)
    with pytest.raises(InputError, match="the same classes are named unseen"):
        model(ACCENTED, [COMBINING]).fit(X, np.repeat([COMPOSED, "cat", "dog"], 20))
    with pytest.raises(InputError, match="named unseen twice"):
        model(ACCENTED, [COMPOSED, COMBINING]).fit(X, np.repeat(["zebra", "cat", "dog"], 20))
    seen = model(ACCENTED).fit(X, np.repeat([COMPOSED, "cat", "dog"], 20))
    with pytest.raises(InputError, match="already"):
        seen.branch().add_classes([COMBINING])
    asked = seen.predict_among(X, [COMBINING, "cat"])
    assert (asked == seen.predict_among(X, [COMPOSED, "cat"])).all()
    unseen = model(ACCENTED, [COMPOSED]).fit(X, np.repeat(["zebra", "cat", "dog"], 20))
    assert list(unseen.remove_classes([COMBINING]).unseen_) == []


def test_peers_find_classes_in_either_spelling() -> None:
    peer: Any = ConSE(ACCENTED, [COMPOSED]).fit(X, np.repeat(["zebra", "cat", "dog"], 20))
    assert set(peer.predict_among(X, [COMBINING])) == {COMPOSED}
    with pytest.raises(InputError, match="yak was asked for"):
        peer.predict_among(X, ["yak"])


def test_scores_know_that_two_spellings_are_one_name() -> None:
    metrics = ws.metrics
    true, predicted = [COMPOSED, "cat"], [COMBINING, "dog"]
    assert metrics.accuracy(true, predicted) == 0.5
    assert metrics.per_class_accuracy(true, predicted) == {COMPOSED: 1.0, "cat": 0.0}


def test_data_gives_composed_names(tmp_path: Path) -> None:
    for number, name in enumerate([COMPOSED, COMBINING]):
        tmp_path.joinpath("photos", name).mkdir(parents=True)
        Image.fromarray(IMAGES[number]).save(tmp_path / "photos" / name / f"{number}.png")
    for data in (
        ws.open_dataset(tmp_path / "photos"),
        ws.open_dataset(IMAGES[:2], labels=[COMPOSED, COMBINING]),
        ws.open_dataset(IMAGES[:2], labels=[0, 0], class_names=[COMBINING]),
        ws.open_dataset(parquet_of([COMPOSED, COMBINING], tmp_path / "table.parquet")),
    ):
        assert data.class_names == (COMPOSED,)
        assert list(data.labels) == [COMPOSED, COMPOSED]
    with pytest.raises(InputError, match="twice"):
        ws.open_dataset(IMAGES[:2], labels=[0, 1], class_names=[COMPOSED, COMBINING])


def parquet_of(labels: list[str], place: Path) -> Path:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    Image.fromarray(IMAGES[0]).save(place.with_suffix(".png"))
    image = {"bytes": place.with_suffix(".png").read_bytes(), "path": None}
    pq.write_table(pa.table({"image": [image] * len(labels), "label": labels}), place)
    return place


@pytest.mark.parametrize(
    "name",
    ["", "x" * 1001, "nul\0", "\udc80"],
    ids=["empty", "1,001 characters", "NUL", "surrogate"],
)
def test_names_that_no_class_can_bear(name: str, fitted: Any) -> None:
    with pytest.raises(InputError, match=r"class name .*(?:1 to 1,000 characters|UTF-8)") as told:
        fitted.branch().add_classes({name: [1, 2, 3]})
    assert len(str(told.value)) < 300
    labels = Y.astype(object)
    labels[labels == "cat"] = name
    with pytest.raises(InputError, match="class name"):
        model({**VECTORS, name: [1, 1, 1]}).fit(X, labels)


def test_a_name_of_a_thousand_characters_is_one(fitted: Any, tmp_path: Path) -> None:
    name = "y" * 1000
    grown = fitted.branch().add_classes({name: [-1, -1, -1]})
    ws.save_model(grown, tmp_path / "model")
    assert name in list(ws.load_model(tmp_path / "model").classes_)


def test_a_missing_word_of_any_length_is_told_shortly() -> None:
    for name in ("x" * 100_000, "a b " * 5000):
        with pytest.raises(MissingWordError) as told:
            WORDS.vector_for(name)
        assert len(str(told.value)) < 300
    table = ws.WordVectors(["x" * 100_000, "y"], np.eye(2))
    assert (table.vector_for("x" * 100_000) == [1, 0]).all()  # a table may hold it


# the command line


@pytest.mark.slow
def test_predict_with_names_and_images_at_the_edge(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Image.new("RGB", (1, 1), (10, 20, 30)).save(tmp_path / "one.png")
    image, table = str(tmp_path / "one.png"), str(tmp_path / "one.csv")
    assert main(["predict", image, "--also", "zebra", "--out", table]) == 0
    for also in ("x" * 1001, "zebra,zebra", "\udc80"):
        capsys.readouterr()
        assert main(["predict", image, "--also", also]) in (1, 2)
        told = capsys.readouterr().err
        assert told.count("wordsight: error: ") == 1
        assert "Traceback" not in told
        assert len(told) < 600
