"""``wordsight predict``: a row for every input, in every format."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cli.runs import SEEN, UNSEEN, Runner, check_failed
from wordsight import load_model
from wordsight.data.scenes import make_scenes

FIELDS = [
    "path", "label", "probability", "is_novel", "novelty_proba", "nearest_words", "error",
]  # fmt: skip
ODD = ('com"ma, quote".png', "naïve – 猫.png", "two\nlines.png", "two\rlines.png", "=1+1.png")


@pytest.fixture(scope="module")
def pictures() -> Any:
    return make_scenes(1, [*SEEN, *UNSEEN], image_size=(16, 16), split="test")[0]


@pytest.fixture
def folder(tmp_path: Path, pictures: Any) -> Path:
    """Pictures with odd names, one of them broken, at two depths, and a file that is none."""
    folder = tmp_path / "some folder"
    (folder / "deep" / "er").mkdir(parents=True)
    for name, pixels in zip(ODD, pictures, strict=False):
        Image.fromarray(pixels).save(folder / name)
    Image.fromarray(pictures[5]).save(folder / "deep" / "er" / "last.png")
    (folder / "broken.png").write_bytes(b"\x89PNG but no more")
    (folder / "notes.txt").write_text("not an image", encoding="utf-8")
    return folder


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of any of the formats, in one form."""
    if path.suffix == ".parquet":
        return [dict(row) for row in pq.read_table(path).to_pylist()]
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert reader.fieldnames == FIELDS
    return rows


def test_every_format_says_the_same(
    folder: Path, model: Path, tmp_path: Path, pictures: Any, run: Runner
) -> None:
    files = [tmp_path / f"out.{ending}" for ending in ("csv", "parquet", "jsonl", "ndjson")]
    for out in files:
        done = run("predict", model, folder, "--out", out, "--nearest", "3")
        assert (done.code, done.out) == (0, f"{out}\n")
        assert "1 of 7 images could not be read" in done.err
    table, lines, others = map(read, files[1:])
    assert lines == others == table
    assert [list(row) for row in lines] == [FIELDS] * 7
    assert sorted(row["path"] for row in lines) == sorted(
        [*(str(folder / name) for name in ODD), str(folder / "broken.png"),
         str(folder / "deep" / "er" / "last.png")]
    )  # fmt: skip
    said = load_model(model).recognise(pictures)
    for row, plain in zip(lines, read_csv(files[0]), strict=True):
        assert plain["path"] == row["path"]
        if row["path"].endswith("broken.png"):
            assert all(row[name] is None for name in FIELDS[1:5])
            assert row["nearest_words"] == []
            assert row["error"]
            assert plain == {
                **dict.fromkeys(FIELDS, ""),
                "path": row["path"],
                "error": row["error"],
            }
            continue
        number = 5 if row["path"].endswith("last.png") else ODD.index(Path(row["path"]).name)
        assert row["label"] == plain["label"] == said.label[number]
        assert row["probability"] == pytest.approx(said.probability[number], abs=1e-6)
        assert float(plain["probability"]) == pytest.approx(row["probability"], abs=1e-5)
        assert row["is_novel"] is bool(said.is_novel[number])
        assert plain["is_novel"] == ("true" if row["is_novel"] else "false")
        assert row["novelty_proba"] == pytest.approx(said.novelty_proba[number], abs=1e-6)
        assert len(row["nearest_words"]) == 3
        assert plain["nearest_words"].split(" ") == row["nearest_words"]
        assert (row["error"], plain["error"]) == (None, "")


def test_rows_are_in_the_order_of_the_inputs(
    folder: Path, model: Path, tmp_path: Path, pictures: Any, run: Runner
) -> None:
    archive = tmp_path / "pixels.npz"
    np.savez(archive, images=pictures[:2])
    broken = tmp_path / "bad.npz"
    broken.write_bytes(b"PK")
    inputs = [folder / ODD[1], archive, tmp_path / "none.png", folder / "broken.png", broken]
    done = run("predict", model, *inputs, folder / "deep", folder / ODD[0], "--json")
    assert done.code == 0
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["path"] for row in rows] == [
        str(folder / ODD[1]), f"{archive}#0", f"{archive}#1", str(tmp_path / "none.png"),
        str(folder / "broken.png"), str(broken), str(folder / "deep" / "er" / "last.png"),
        str(folder / ODD[0]),
    ]  # fmt: skip
    assert [row["error"] is None for row in rows] == [
        True, True, True, False, False, False, True, True,
    ]  # fmt: skip
    assert "3 of 8 images could not be read" in done.err


def test_a_table_by_default(folder: Path, model: Path, run: Runner) -> None:
    done = run("predict", model, folder / "deep", folder / "broken.png")
    assert done.code == 0
    for said in ("label", "last.png", "broken.png", "nearest words"):
        assert said in done.out


def test_classes_on_demand(folder: Path, model: Path, run: Runner) -> None:
    def labels(*options: str) -> set[str]:
        done = run("predict", model, folder / "deep", *options, "--json", "--nearest", "0")
        assert done.code == 0, done.err
        rows = [json.loads(line) for line in done.out.splitlines()]
        assert all(row["nearest_words"] == [] for row in rows)
        return {row["label"] for row in rows}

    assert labels("--also", "zebra,pickup truck", "--among", "zebra") == {"zebra"}
    assert labels("--also", "zebra", "--also", "bicycle", "--among", "bicycle") == {"bicycle"}
    assert labels("--among", "red star, blue star") <= {"red star", "blue star"}
    assert labels("--gate", "probability") <= {*SEEN, *UNSEEN}
    assert labels("--gate", "hard", "--device", "cpu") <= {*SEEN, *UNSEEN}


def test_among_is_a_probability_among_these(folder: Path, model: Path, run: Runner) -> None:
    options = ("--among", "gold star", "--json")
    done = run("predict", model, folder / "deep", *options)
    assert json.loads(done.out)["probability"] == pytest.approx(1.0)


def test_words_of_a_file(
    scenes: Path, folder: Path, tmp_path: Path, class_words: Path, run: Runner
) -> None:
    trained = tmp_path / "trained"
    small = ("--atoms", "20", "--patches", "2000", "--image-size", "16", "--false-novel-rate", ".2")
    done = run("fit", scenes, "--words", class_words, "--out", trained, *small)
    assert done.code == 0, done.err
    done = run("predict", trained, folder / "deep", "--words", class_words, "--also", "truck",
               "--json", "--nearest", "7")  # fmt: skip
    assert done.code == 0, done.err
    near = json.loads(done.out)["nearest_words"]
    assert set(near) == {"red", "blue", "gold", "circle", "star", "zebra", "truck"}


def test_all_failed_is_a_failure_and_the_rows_are_written(
    folder: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    out = tmp_path / "out.csv"
    done = run("predict", model, folder / "broken.png", folder / "notes.txt", "--out", out)
    check_failed(done, 1, "none of the 2 images could be read", "out.csv")
    assert [bool(row["error"]) for row in read_csv(out)] == [True, True]
    done = run("predict", model, folder / "broken.png", "--json")
    assert done.code == 1
    assert json.loads(done.out)["error"]


def test_no_image_at_all_is_misuse(model: Path, tmp_path: Path, run: Runner) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "out.csv"
    check_failed(run("predict", model, empty, "--out", out), 2, "empty", "no images")
    check_failed(run("predict", model, tmp_path / "none", "--out", out), 2, "no file or folder")
    assert not out.exists()


def test_outputs_that_are_refused(folder: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine", encoding="utf-8")
    check_failed(run("predict", model, folder, "--out", out), 2, "exists already", "--overwrite")
    assert out.read_text(encoding="utf-8") == "mine"
    done = run("predict", model, folder, "--out", out, "--overwrite")
    assert done.code == 0
    assert len(read_csv(out)) == 7
    check_failed(run("predict", model, folder, "--out", tmp_path / "out.xls"), 2, "out.xls", ".csv")
    both = ("--json", "--out", tmp_path / "out.jsonl")
    check_failed(run("predict", model, folder, *both), 2, "one of them")


def test_memory_does_not_grow_a_row_is_written_as_it_comes(
    folder: Path, model: Path, tmp_path: Path, run: Runner
) -> None:
    # more rows than a parquet row group and a batch of images hold
    copy = tmp_path / "many.npy"
    np.save(copy, np.zeros((4100, 16, 16, 3), dtype=np.uint8))
    out = tmp_path / "out.parquet"
    assert run("predict", model, copy, "--out", out, "--nearest", "0").code == 0
    table = pq.read_table(out)
    assert table.num_rows == 4100
    assert table["path"][4099].as_py() == f"{copy}#4099"
    assert pq.ParquetFile(out).num_row_groups == 2


def test_class_folders_mean_nothing(scenes: Path, model: Path, tmp_path: Path, run: Runner) -> None:
    data = tmp_path / "data"
    shutil.copytree(scenes / "test", data / "test")
    done = run("predict", model, data, "--json")
    assert len(done.out.splitlines()) == 30
