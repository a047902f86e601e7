"""Many classes from the command line: names in files, the best classes, an index."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cli.runs import SEEN, UNSEEN, Runner, check_failed
from wordsight import WordVectors, load_model, open_dataset, save_model


@pytest.fixture
def photos(scenes: Path) -> Path:
    return scenes / "test" / "red circle"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A file as a person would leave it: blanks, empty lines, a mark of UTF-8, Windows' lines."""
    file = tmp_path / "names.txt"
    file.write_bytes("\ufeffzebra\r\n\r\n  polar bear \r\nlobster".encode())
    return file


def test_names_from_a_file(model: Path, photos: Path, names: Path, run: Runner) -> None:
    by_file = run("predict", model, photos, "--also", f"@{names}", "--json", "--top", "20")
    by_hand = run(
        "predict", model, photos, "--also", "zebra,polar bear", "--also", "lobster", "--json",
        "--top", "20",
    )  # fmt: skip
    assert by_file.code == 0
    assert by_file.out == by_hand.out
    row = json.loads(by_file.out.splitlines()[0])
    named = {one["class"] for one in row["top_classes"]}
    assert named == {*SEEN, *UNSEEN, "zebra", "polar bear", "lobster"}


def test_classes_from_a_file_are_added_and_removed(
    model: Path, names: Path, tmp_path: Path, run: Runner
) -> None:
    larger, smaller = tmp_path / "larger", tmp_path / "smaller"
    assert run("classes", model, "--add", f"@{names}", "--out", larger).code == 0
    assert load_model(larger).unseen_.tolist() == [*UNSEEN, "zebra", "polar bear", "lobster"]
    assert run("classes", larger, "--remove", f"@{names}", "--out", smaller).code == 0
    assert load_model(smaller).unseen_.tolist() == [*UNSEEN]


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [(None, 2, "cannot be read"), (b" \n\n", 2, "holds no names"), (b"caf\xe9\n", 1, "UTF-8")],
)
def test_a_file_without_names_is_told(
    content: bytes | None, code: int, said: str, model: Path, photos: Path, tmp_path: Path,
    run: Runner,
) -> None:  # fmt: skip
    file = tmp_path / "names.txt"
    if content is not None:
        file.write_bytes(content)
    check_failed(run("predict", model, photos, "--also", f"@{file}"), code, said)


def test_the_best_classes_in_every_format(
    model: Path, photos: Path, tmp_path: Path, run: Runner
) -> None:
    files = {ending: tmp_path / f"out.{ending}" for ending in ("csv", "parquet", "jsonl")}
    for out in files.values():
        assert run("predict", model, photos, "--out", out, "--top", "3").code == 0
    lines = [json.loads(line) for line in files["jsonl"].read_text("utf-8").splitlines()]
    assert pq.read_table(files["parquet"]).to_pylist() == lines
    with files["csv"].open(encoding="utf-8", newline="") as file:
        plain = list(csv.DictReader(file))
    proba = load_model(model).predict_proba(open_dataset(sorted(photos.iterdir())))
    classes = [*SEEN, *UNSEEN]
    for row, line, expected in zip(plain, lines, proba, strict=True):
        best = np.argsort(-expected, kind="stable")[:3]
        top = line["top_classes"]
        assert top[0]["class"] == line["label"] == classes[best[0]]
        np.testing.assert_allclose([one["probability"] for one in top], expected[best], rtol=1e-9)
        cells = json.loads(row["top_classes"])
        assert [name for name, _ in cells] == [one["class"] for one in top]
        np.testing.assert_allclose([p for _, p in cells], expected[best], rtol=1e-5, atol=1e-300)
    shown = run("predict", model, photos, "--top", "2")
    assert "most probable classes" in shown.out
    assert run("predict", model, photos).out.count("most probable classes") == 0
    check_failed(run("predict", model, photos, "--top", "-1"), 2, "--top")


def test_the_best_of_some_classes(model: Path, photos: Path, run: Runner) -> None:
    few = f"{SEEN[0]},{UNSEEN[0]}"
    done = run("predict", model, photos, "--among", few, "--top", "5", "--json")
    for line in map(json.loads, done.out.splitlines()):
        assert {one["class"] for one in line["top_classes"]} == {SEEN[0], UNSEEN[0]}
        assert sum(one["probability"] for one in line["top_classes"]) == pytest.approx(1.0)
        assert line["label"] == line["top_classes"][0]["class"]


def test_an_interrupted_run_keeps_the_best_classes(
    model: Path, photos: Path, tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, plain = tmp_path / "out.jsonl", tmp_path / "plain.jsonl"
    begin = ("predict", model, photos, "--top", "2", "--resume", "--out", out)

    def full(*_given: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("wordsight.prediction_files._json_lines", full)
        patch.setitem(sys.modules["wordsight.prediction_files"].ENDINGS, ".jsonl", full)
        assert run(*begin).code == 1
    check_failed(run(*begin[:4], "3", *begin[5:]), 2, "--top")
    assert run(*begin).code == 0
    assert run("predict", model, photos, "--top", "2", "--out", plain).code == 0
    assert out.read_bytes() == plain.read_bytes()


def test_an_index_says_what_the_exact_way_does(
    model: Path, photos: Path, names: Path, run: Runner
) -> None:
    pytest.importorskip("faiss")
    given = ("predict", model, photos, "--also", f"@{names}", "--json")
    exact, by_index = run(*given), run(*given, "--index")
    lines = (map(json.loads, each.out.splitlines()) for each in (exact, by_index))
    for one, other in zip(*lines, strict=True):
        assert one.pop("probability") == pytest.approx(other.pop("probability"))
        assert one == other


def test_without_faiss_it_is_told(
    model: Path, photos: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    check_failed(run("predict", model, photos, "--index"), 1, "wordsight[index]")


@pytest.fixture(scope="module")
def large(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows the vocabulary's words by name: 5,000 of them."""
    loaded = load_model(model)
    letters = list(WordVectors.default().words[:5000])
    loaded.add_classes(letters)
    return save_model(loaded, tmp_path_factory.mktemp("large") / "model")


@pytest.mark.slow
def test_no_table_names_thousands(large: Path, run: Runner) -> None:
    for words in (("classes", large, "--nearest", "1"), ("info", large)):
        done = run(*words)
        assert done.code == 0
        assert len(done.out.splitlines()) < 1100
        assert "and 4,006 more classes; --json names them all" in done.err
    everything = json.loads(run("classes", large, "--json", "--nearest", "2").out)
    assert len(everything) == 5006
    assert all(len(row["nearest_words"]) == 2 for row in everything)


def test_predict_and_evaluate_among_thousands(
    large: Path, scenes: Path, photos: Path, tmp_path: Path, run: Runner
) -> None:
    done = run("predict", large, photos, "--json", "--top", "2")
    loaded, data = load_model(large), open_dataset(sorted(photos.iterdir()))
    proba = loaded.predict_proba(data)
    for line, expected in zip(done.out.splitlines(), proba, strict=True):
        row = json.loads(line)
        assert row["label"] == loaded.classes_[expected.argmax()]
        assert row["probability"] == pytest.approx(expected.max(), rel=1e-9)
        assert len(row["top_classes"]) == 2
    found = json.loads(run("evaluate", large, scenes, "--json").out)
    assert set(found["per_class"]) == {*SEEN, *UNSEEN}
    assert len(found["confusion"]["classes"]) < 60
    assert found["chance"]["all"] == 1 / 5006
