"""Names in, vectors out: look-up, composition, what is missing, neighbours."""

import copy
import re
import time
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from wordsight.exceptions import DataError, InputError, MissingWordError
from wordsight.words.selection import Selection
from wordsight.words.similarity import nearest_rows
from wordsight.words.spelling import lookup_order, near_spellings
from wordsight.words.vectors import WordVectors

Table = NDArray[np.floating]


def _table(*words: str) -> WordVectors:
    """Return a table whose i-th word (from 1) has the vector (i, 1)."""
    return WordVectors(words, [[row, 1] for row in range(1, len(words) + 1)])


def test_the_table_cannot_be_changed_nor_follows_the_array_it_was_made_of() -> None:
    given_array = np.ones((2, 3), dtype=np.float32)
    words = WordVectors(["cat", "dog"], given_array)
    given_array[:] = 7
    assert np.array_equal(words.vectors, np.ones((2, 3)))
    with pytest.raises(ValueError, match="read-only"):
        words.vectors[0] = 0
    for name in ("words", "vectors", "source", "another"):
        with pytest.raises(AttributeError):
            setattr(words, name, ())


@pytest.mark.parametrize(
    ("given_type", "kept"),
    [
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float32),
        (int, np.float32),
    ],
)
def test_precision(given_type: type, kept: type) -> None:
    assert WordVectors(["cat"], np.ones((1, 2), given_type)).vectors.dtype == kept


def test_small_facts() -> None:
    words = WordVectors(["cat", "dog"], np.ones((2, 3)), source="a test")
    assert (len(words), words.dimension, words.source) == (2, 3, "a test")
    assert words.words == ("cat", "dog")
    assert repr(words) == "WordVectors(2 words, 3-d, 'a test')"
    assert "cat" in words
    assert "CAT" in words
    assert "cow" not in words
    assert cast(object, 3) not in words


def test_copies_are_the_table_itself() -> None:
    words = _table("cat", "dog")
    assert copy.copy(words) is words
    assert copy.deepcopy(words) is words


def test_a_table_sent_to_another_process_is_its_equal() -> None:
    words = _table("cat", "dog")
    make, (names, vectors, source) = words.__reduce__()
    sent = make(names, vectors.copy(), source)
    assert sent.words == words.words
    assert np.array_equal(sent.vector_for("dog"), [2, 1])
    assert not sent.vectors.flags.writeable


@pytest.mark.parametrize(
    ("words", "vectors", "expected"),
    [
        (["cat"], np.ones((2, 3)), "1 words and 2 vectors"),
        (["cat", "cat"], np.ones((2, 3)), "'cat' is given twice"),
        (["caf\u00e9", "cafe\u0301"], np.ones((2, 3)), "is given twice"),
        (["cat", ""], np.ones((2, 3)), "'' is none"),
        (["cat", 3], np.ones((2, 3)), "3 is none"),
        (["cat", "\ud800"], np.ones((2, 3)), "cannot be written as UTF-8"),
        ("cat", np.ones((3, 3)), "is one string"),
        (["cat"], np.ones(3), r"shape \(3,\)"),
        (["cat"], np.ones((1, 0)), r"shape \(1, 0\)"),
        (["cat"], [["a", "b"]], "not a table of numbers"),
        (["cat", "dog"], [[1, 2], [3]], "not a table of numbers"),
        (["cat", "dog"], [[1, 2], [3, np.nan]], "word vector 1 holds a number that is not finite"),
        (["cat"], [[1, -np.inf]], "not finite"),
    ],
)
def test_what_is_no_table_is_refused(words: list[str], vectors: ArrayLike, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        WordVectors(words, vectors)


@pytest.mark.parametrize(
    ("words", "name", "found"),
    [
        (("cat", "Cat", "CAT"), "CAT", 3),
        (("Cat", "CAT", "cat"), "cAT", 3),  # lower case comes first
        (("CAT", "Cat"), "cat", 2),  # then capitals
        (("CAT",), "cat", 1),
        (("New_York",), "new york", 1),
        (("pickup_truck", "pickup truck"), "pickup truck", 2),
        (("pickup-truck", "pickup_truck"), "pickup truck", 2),  # of the three _ comes first
        (("pickup truck", "pickup-truck"), "pickup_truck", 2),
        (("pickup truck",), "pickup-truck", 1),
        (("Pickup_truck", "pickup_truck"), "Pickup Truck", 2),
        (("caf\u00e9",), "cafe\u0301", 1),
        (("cafe\u0301",), "caf\u00e9", 1),
        (("\u00e9tude",), "E\u0301TUDE", 1),
    ],
)
def test_the_order_of_look_up(words: tuple[str, ...], name: str, found: int) -> None:
    assert np.array_equal(_table(*words).vector_for(name), [found, 1])


def test_composed_is_the_mean_of_the_parts_unless_the_whole_is_there() -> None:
    parts = WordVectors(["pickup", "Truck"], [[1.0, 4.0], [3.0, 0.0]])
    for name in ("pickup truck", "pickup_truck", "pickup-truck", "PICKUP  truck"):
        assert np.array_equal(parts.vector_for(name, on_missing="compose"), [2, 2])
    whole = _table("pickup", "truck", "pickup_truck")
    assert np.array_equal(whole.vector_for("pickup truck", on_missing="compose"), [3, 1])


def test_one_missing_name() -> None:
    words = _table("airplane", "automobile", "cat")
    with pytest.raises(MissingWordError) as caught:
        words.vectors_for(["cat", "aeroplane"])
    assert str(caught.value) == (
        "no word vector for 'aeroplane'; near: airplane (use on_missing='skip' or 'compose')"
    )
    assert caught.value.exit_code == 2
    with pytest.raises(MissingWordError) as caught:
        words.vector_for("aeroplane")
    assert str(caught.value) == (
        "no word vector for 'aeroplane'; near: airplane"
        " (name another word, or give word vectors that have it)"
    )
    with pytest.raises(MissingWordError) as caught:
        words.vector_for("my cat")
    assert str(caught.value) == "no word vector for 'my cat'; near: cat (use on_missing='compose')"


def test_all_missing_names_are_in_one_error() -> None:
    with pytest.raises(MissingWordError) as caught:
        _table("airplane", "cat").vectors_for(["aeroplane", "cat", "qqq", "aeroplane"])
    assert str(caught.value) == (
        "no word vectors for 'aeroplane', near: airplane; 'qqq'"
        " (use on_missing='skip' or 'compose')"
    )
    with pytest.raises(MissingWordError) as many:
        _table("airplane").vectors_for([f"name{number}" for number in range(50)])
    assert all(f"'name{number}'" in str(many.value) for number in range(50))


def test_the_missing_part_of_a_composed_name_is_named() -> None:
    words = _table("truck", "pick", "cat")
    with pytest.raises(MissingWordError) as caught:
        words.vectors_for(["pickup truck", "cat"], on_missing="compose")
    assert str(caught.value) == (
        "no word vector for 'pickup truck', nor for its part 'pickup'; near: pick"
        " (use on_missing='skip')"
    )


def test_skip_keeps_the_order_and_leaves_out_what_is_missing() -> None:
    words = _table("a", "b", "c")
    kept, table = words.vectors_for(["c", "x", "a", "a b", "C"], on_missing="skip")
    assert kept == ["c", "a", "C"]
    assert np.array_equal(table, [[3, 1], [1, 1], [3, 1]])
    kept, table = words.vectors_for(["x"], on_missing="skip")
    assert (kept, table.shape) == ([], (0, 2))


def test_a_class_at_zero_is_refused() -> None:
    words = WordVectors(["unknown", "up", "down", "cat"], [[0, 0], [1, 2], [-1, -2], [3, 4]])
    with pytest.raises(DataError, match="'unknown' is all zeros"):
        words.vector_for("unknown")
    with pytest.raises(DataError, match="'up down' is all zeros"):
        words.vectors_for(["cat", "up down"], on_missing="compose")


def test_misuse_of_look_up() -> None:
    words = _table("cat")
    with pytest.raises(InputError, match=r"names='cat' is one string"):
        words.vectors_for("cat")
    with pytest.raises(InputError, match="3 is a int"):
        words.vectors_for(cast(list[str], [3]))
    with pytest.raises(InputError, match="on_missing='ignore' is unknown; use error or skip"):
        words.vectors_for(["cat"], on_missing=cast(Literal["skip"], "ignore"))
    with pytest.raises(InputError, match="on_missing='skip' is unknown; use error or compose"):
        words.vector_for("cat", on_missing=cast(Literal["error"], "skip"))


def test_subset() -> None:
    words = WordVectors(["cat", "pickup", "truck"], np.eye(3), source="a test")
    part = words.subset(["Truck", "cat"])
    assert part.words == ("Truck", "cat")
    assert np.array_equal(part.vectors, np.eye(3)[[2, 0]])
    assert part.source == "a test"
    assert part.vectors.dtype == np.float64
    composed = words.subset(["pickup truck", "cat"], on_missing="compose")
    assert np.array_equal(composed.vector_for("pickup truck"), [0, 0.5, 0.5])
    assert len(words.subset(["cat", "cow"], on_missing="skip")) == 1


def test_coerce(tmp_path: Path) -> None:
    words = _table("cat", "dog")
    assert WordVectors.coerce(words) is words
    assert WordVectors.coerce(None) is WordVectors.default()
    words.save(tmp_path / "words.txt")
    for path in (tmp_path / "words.txt", str(tmp_path / "words.txt")):
        assert np.array_equal(WordVectors.coerce(path).vectors, words.vectors)
    mapped = WordVectors.coerce({"cat": np.array([1.0, 2.0]), "dog": [3, 4]})
    assert np.array_equal(mapped.vector_for("dog"), [3, 4])
    with pytest.raises(InputError, match="given as int"):
        WordVectors.coerce(3)
    with pytest.raises(InputError, match="is empty"):
        WordVectors.coerce({})
    with pytest.raises(InputError, match=r"'dog' has shape \(2,\), and that of 'cat' \(3,\)"):
        WordVectors.coerce({"cat": [1, 2, 3], "dog": [1, 2]})


@pytest.mark.parametrize(
    "name", ["w.txt", "w.vec", "w.txt.gz", "w.bin", "w.bin.gz", "w.safetensors"]
)
def test_save_and_load(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = WordVectors(["b", "a"], rng.normal(size=(2, 5)).astype(np.float32), source="a test")
    words.save(tmp_path / "deeper" / name)
    read = WordVectors.load(tmp_path / "deeper" / name)
    assert read.words == words.words
    assert np.array_equal(read.vectors, words.vectors)
    assert read.source == ("a test" if name.endswith("safetensors") else name)
    assert [path.name for path in (tmp_path / "deeper").iterdir()] == [name]


def test_neighbours_of_hand_computed_points() -> None:
    words = WordVectors(
        ["east", "far east", "north east", "north", "west", "none"],
        [[1, 0], [9, 0], [1, 1], [0, 1], [-1, 0], [0, 0]],
    )
    near = words.most_similar("far east", 5)
    assert [word for word, _ in near] == ["east", "north east", "north", "none", "west"]
    np.testing.assert_allclose(
        [similarity for _, similarity in near], [1, 0.5**0.5, 0, 0, -1], atol=1e-7
    )
    near = words.most_similar("far east", 2, metric="euclidean")
    assert [word for word, _ in near] == ["east", "north east"]
    np.testing.assert_allclose([similarity for _, similarity in near], [-8, -(65**0.5)])
    assert words.most_similar([2, 0.1], 1, exclude=["far east"])[0][0] == "east"
    assert words.most_similar([2, 0.1], 1, exclude=["East", "no such"])[0][0] == "far east"
    assert len(words.most_similar("east", 99)) == 5


def test_nearest_words_of_many_points() -> None:
    words = WordVectors(["east", "north", "west"], [[1, 0], [0, 1], [-1, 0]])
    near, similarities = words.nearest([[5, 1], [-1, 3], [0, 0]], 2)
    assert near[:2] == [["east", "north"], ["north", "west"]]
    np.testing.assert_allclose(
        similarities, [[5 / 26**0.5, 1 / 26**0.5], [3 / 10**0.5, 1 / 10**0.5], [0, 0]]
    )
    near, similarities = words.nearest(np.array([[5, 1]]), 9, metric="euclidean")
    assert near == [["east", "north", "west"]]
    np.testing.assert_allclose(similarities, [[-(17**0.5), -5, -(37**0.5)]])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_do_not_depend_on_the_blocks(metric: str) -> None:
    rng = np.random.default_rng(0)
    table, points = rng.normal(size=(70_000, 4)), rng.normal(size=(200, 4))
    rows, similarities = nearest_rows(table, points, 7, metric=metric)
    for point, found, values in zip(points[::20], rows[::20], similarities[::20], strict=True):
        if metric == "cosine":
            exact = table @ point / np.linalg.norm(table, axis=1) / np.linalg.norm(point)
        else:
            exact = -np.linalg.norm(table - point, axis=1)
        assert found.tolist() == np.argsort(-exact)[:7].tolist()
        np.testing.assert_allclose(values, exact[found], rtol=1e-12)


def _ranked(table: Table, points: Table, k: int, metric: str) -> tuple[NDArray[np.intp], Table]:
    """Measure every row in double precision and sort; equally near ones as in the table."""
    table, points = table.astype(np.float64), points.astype(np.float64)
    values = np.empty((len(points), len(table)))
    for at, point in enumerate(points):
        if metric == "cosine":
            long = np.linalg.norm(table, axis=1) * np.linalg.norm(point)
            values[at] = np.where(long > 0, table @ point / np.where(long > 0, long, 1), 0)
        else:
            values[at] = -np.linalg.norm(table - point, axis=1)
    rows = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(values, rows, axis=1)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n", "k"), [(1, 1), (3, 9), (100, 100), (4095, 1), (4097, 3), (8191, 40), (12_305, 5)]
)
def test_nearest_rows_are_those_of_a_full_sort(n: int, k: int, dtype: type, metric: str) -> None:
    rng = np.random.default_rng(n)
    table: Table = rng.normal(size=(n, 7)).astype(dtype)
    points: Table = rng.normal(size=(70, 7)).astype(dtype)
    rows, similarities = nearest_rows(table, points, k, metric=metric)
    expected, values = _ranked(table, points, k, metric)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(similarities, values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_differences_too_small_for_single_precision_decide(metric: str) -> None:
    """300 rows within 1e-9 of one another: their order shows in double precision alone."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6000, 5))
    points = 3.0 * rng.normal(size=(4, 5))
    close = rng.permutation(6000)[:300]
    # at an angle to the point, where the cosine has a slope
    table[close] = points[0] * 1.01 + 0.3 * rng.normal(size=5) + 1e-9 * rng.normal(size=(300, 5))
    rows, _similarities = nearest_rows(table, points, 8, metric=metric)
    assert np.isin(rows[0], close).all()
    np.testing.assert_array_equal(rows, _ranked(table, points, 8, metric)[0])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_of_equally_near_rows_the_first_are_taken(metric: str) -> None:
    rng = np.random.default_rng(0)
    table = np.repeat(rng.normal(size=(20, 3)), 500, axis=0)[rng.permutation(10_000)]
    point = table[[77]] + 0.01
    rows, _similarities = nearest_rows(table, np.repeat(point, 70, 0), 30, metric=metric)
    same = np.flatnonzero((table == table[77]).all(axis=1))
    np.testing.assert_array_equal(rows, np.tile(same[:30], (70, 1)))
    if metric == "cosine":  # all rows are equally near to a point of zeros
        rows, similarities = nearest_rows(table, 0 * point, 3, metric=metric)
        assert rows.tolist() == [[0, 1, 2]]
        many = np.concatenate([np.zeros((200, 3)), point])
        rows, _similarities = nearest_rows(table, many, 1, metric=metric)
        assert rows.ravel().tolist() == [*[0] * 200, same[0]]
        assert not similarities.any()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(
    ("scale", "offset"), [(1e-40, 0), (1e-17, 0), (1e25, 0), (1e100, 0), (1, 1e5)]
)
def test_neighbours_at_any_scale(scale: float, offset: float, metric: str) -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(3000, 6)) * scale + offset
    table[[5, 9]] = 0
    points = rng.normal(size=(5, 6)) * scale + offset
    rows, similarities = nearest_rows(table, points, 4, metric=metric)
    expected, values = _ranked(table, points, 4, metric)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(similarities, values, rtol=1e-9)


def test_neighbours_of_a_point_do_not_depend_on_its_company() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(9000, 50)).astype(np.float32)
    points = rng.normal(size=(130, 50)).astype(np.float32)
    rows, similarities = nearest_rows(table, points, 5, metric="cosine")
    for at in (0, 63, 64, 129):
        alone = nearest_rows(table, points[[at]], 5, metric="cosine")
        np.testing.assert_array_equal(alone[0][0], rows[at])
        np.testing.assert_array_equal(alone[1][0], similarities[at])


def test_a_point_on_a_word_is_at_distance_zero() -> None:
    # far from the origin the expanded square would lose all digits
    words = WordVectors(["a", "b"], [[1e6, 1e6], [1e6, 1e6 + 1]])
    assert words.most_similar([1e6, 1e6], metric="euclidean") == [("a", 0.0), ("b", -1.0)]


def test_misuse_of_neighbours() -> None:
    words = _table("cat", "dog")
    with pytest.raises(InputError, match=r"points of shape \(1, 3\).*\(n, 2\)"):
        words.most_similar([1, 2, 3])
    with pytest.raises(InputError, match="not finite"):
        words.nearest([[1, np.nan]])
    with pytest.raises(InputError, match="no direction"):
        words.most_similar([0, 0])
    with pytest.raises(InputError, match="metric='manhattan' is unknown"):
        words.most_similar("cat", metric="manhattan")
    with pytest.raises(InputError, match="n=0"):
        words.most_similar("cat", 0)
    with pytest.raises(InputError, match="0 nearest words"):
        words.nearest([[1, 2]], 0)
    with pytest.raises(MissingWordError, match="'cow'"):
        words.most_similar("cow")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("truk", "truck"),
        ("automobil", "automobile"),
        ("aeroplanes", "aeroplane"),
        ("Elefant", "elephant"),
        ("kangoroo", "kangaroo"),
        ("motorcylce", "motorcycle"),
        ("chimpanzeee", "chimpanzee"),
        ("televison", "television"),
    ],
)
def test_near_spellings_in_the_default_vocabulary(typed: str, meant: str) -> None:
    assert meant in WordVectors.default().near_spellings(typed)[:3]


def test_near_spellings_are_quick_and_leave_out_the_name() -> None:
    words = WordVectors.default()
    words.near_spellings("aeroplane")
    start = time.process_time()
    near = words.near_spellings("skyscraper", 8)
    assert time.process_time() - start < 0.1
    assert "skyscraper" not in near
    assert len(near) <= 8
    assert words.near_spellings("qxzqxzqxz") == []


def test_near_spellings_of_odd_names() -> None:
    assert near_spellings([], "cat") == []
    assert near_spellings(["cat"], "") == []
    assert near_spellings(["Cat", "cat", "dog"], "cat") == ["Cat"]
    assert near_spellings(["caf\u00e9s", "\U0001f431"], "caf\u00e9") == ["caf\u00e9s"]


@given(name=st.text(alphabet="aB \u00e9\u0301_-", min_size=1, max_size=8))
def test_a_selection_takes_every_spelling_that_look_up_tries(name: str) -> None:
    spellings = lookup_order(name)
    assert len(set(spellings)) == len(spellings)
    selection = Selection([name])
    assert not selection.complete
    assert all(selection.take(spelling) for spelling in spellings[1:])
    assert not selection.complete
    assert selection.take(spellings[0])
    assert selection.complete


def test_near_spellings_hold_no_line_breaks_in_errors() -> None:
    with pytest.raises(MissingWordError) as caught:
        WordVectors.default().vectors_for(["aeroplan", "xx", "pickup truckk"])
    assert re.fullmatch(r"no word vectors for .*", str(caught.value))
