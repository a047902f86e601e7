"""What is written comes back, whatever it is; and the harness finds what it is there to find.

Word vectors, parquet and pictures have round trips of their own beside their readers' tests.
"""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from fuzzing import SECONDS, FaultError, Target, mutant, try_all, try_in_child
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from wordsight.features.cache import FeatureCache
from wordsight.prediction import Prediction
from wordsight.prediction_state import open_state
from wordsight.unfinished import state_path
from wordsight.words.descriptions import read_descriptions

FEW = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
NUMBERS = st.floats(allow_nan=False)
ROWS = st.builds(
    Prediction,
    TEXTS,
    TEXTS,
    NUMBERS,
    st.booleans(),
    NUMBERS,
    st.lists(TEXTS, max_size=3).map(tuple),
)


@FEW
@given(chunks=st.lists(st.lists(ROWS, min_size=1, max_size=4), max_size=3))
def test_unfinished_predictions(chunks: list[list[Prediction]], tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    state_path(out).unlink(missing_ok=True)
    for chunk in chunks:
        with open_state(out, {"model": "one"}) as state:
            state.append(chunk)
            state.commit()
    with open_state(out, {"model": "one"}) as state:
        assert list(state.rows()) == [row for chunk in chunks for row in chunk]


@FEW
@given(
    table=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
        elements=st.floats(width=32, allow_nan=False),
    )
)
def test_cached_features_and_dictionaries(table: NDArray[np.float32], tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    place = tmp_path / "shard.npy"
    cache.save_shard(place, table)
    assert cache.has_shard(place, *table.shape)
    np.testing.assert_array_equal(np.load(place), table)
    cache.save_dictionary("key", {"atoms": table, "counts": np.arange(3)})
    found = cache.load_dictionary("key")
    np.testing.assert_array_equal(found["atoms"], table)
    np.testing.assert_array_equal(found["counts"], np.arange(3))


@FEW
@given(
    given_texts=st.dictionaries(
        TEXTS.filter(str.strip),
        st.lists(TEXTS.filter(str.strip), min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    ),
    escaped=st.booleans(),
)
@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_descriptions(
    given_texts: dict[str, list[str]], escaped: bool, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"classes.{ending}"
    if ending == "json":
        text = json.dumps(given_texts, ensure_ascii=escaped)
    else:
        yaml = pytest.importorskip("yaml")
        text = yaml.safe_dump(given_texts, allow_unicode=not escaped, width=10**6)
        assume(yaml.safe_load(text) == given_texts)  # PyYAML folds a break that ends a key
    path.write_text(text, encoding="utf-8", newline="")
    # runs of white space within a text count as one space
    expected = {name: tuple(" ".join(t.split()) for t in ts) for name, ts in given_texts.items()}
    assert read_descriptions(path) == expected


def test_what_a_reader_raises_is_a_fault_with_its_number(tmp_path: Path) -> None:
    def attempt(data: bytes) -> bool:
        if data[:1] != b"a":
            raise KeyError("first byte")
        return True

    target = Target([b"abcdef"], attempt)
    tally = try_all("x", target, range(200), tmp_path / "at")
    wrong = [number for number in range(200) if mutant(target, number)[0][:1] != b"a"]
    assert tally["tried"] == 200
    assert 20 < len(wrong) < 180
    assert tally["read"] == 200 - len(wrong)
    assert [int(said.split()[1].rstrip(":")) for said in tally["faults"]] == wrong
    assert [mutant(target, k) for k in range(200)] == [mutant(target, k) for k in range(200)]


def test_a_process_that_dies_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()  # where it wants to make one
    with pytest.raises(FaultError, match="exit 1 at mutant none: Traceback"):
        try_in_child({"images": 1}, tmp_path)


def test_the_time_of_each_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[int] = []
    monkeypatch.setattr(signal, "alarm", said.append)
    try_all("x", Target([b"a"], lambda _data: True), range(3), tmp_path / "at")
    assert said == [SECONDS] * 3 + [0]
