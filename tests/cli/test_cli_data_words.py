"""``wordsight data``, ``words``, ``info`` and ``demo``."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.runs import SEEN, UNSEEN, Runner, check_failed
from wordsight import WordVectors, open_dataset
from wordsight.data.scenes import make_scenes


def test_data_info(scenes: Path, run: Runner) -> None:
    done = run("data", "info", scenes, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "n_images": 150,
        "splits": {"train": 120, "test": 30},
        "class_counts": dict.fromkeys(sorted([*SEEN, *UNSEEN]), 25),
        "heights": {"smallest": 16, "median": 16.0, "largest": 16},
        "widths": {"smallest": 16, "median": 16.0, "largest": 16},
        "n_broken": 0,
        "broken": [],
        "n_ignored": 0,
    }
    one = json.loads(run("data", "info", scenes, "--split", "test", "--json").out)
    assert (one["n_images"], one["class_counts"]["red star"]) == (30, 5)
    table = run("data", "info", scenes).out
    for said in ("150", "train (120), test (30)", "16 pixels", "red circle", "25"):
        assert said in table


def test_data_info_names_the_broken(scenes: Path, tmp_path: Path, run: Runner) -> None:
    data = tmp_path / "data"
    shutil.copytree(scenes / "test", data)
    (data / "red star" / "00001.png").write_bytes(b"")
    (data / "notes.txt").write_text("", encoding="utf-8")
    found = json.loads(run("data", "info", data, "--json").out)
    assert (found["n_broken"], found["n_ignored"], found["splits"]) == (1, 1, {})
    assert found["broken"][0]["name"] == str(data / "red star" / "00001.png")
    assert "00001.png" in run("data", "info", data).out


def test_data_info_without_labels(scenes: Path, run: Runner) -> None:
    assert "no labels" in run("data", "info", scenes / "test" / "red star").out


def test_data_scenes_are_the_pictures_of_the_demo(tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "scenes"
    done = run(
        *("data", "scenes", out, "--classes", "red circle,gold star", "--train", 3, "--test", 2),
        *("--image-size", 16, "--seed", 7),
    )
    assert (done.code, done.out) == (0, f"{out}\n")
    drawn, labels = make_scenes(
        2, ["red circle", "gold star"], image_size=(16, 16), random_state=7, split="test"
    )
    written = open_dataset(out, split="test")
    assert written.labels is not None
    assert sorted(written.labels) == sorted(labels)
    star = drawn[labels == "gold star"][1]
    np.testing.assert_array_equal(np.asarray(Image.open(out / "test/gold star/00001.png")), star)
    assert len(open_dataset(out, split="train")) == 6
    again = run("data", "scenes", out)
    check_failed(again, 2, "exists already")
    check_failed(run("data", "scenes", tmp_path / "new", "--classes", "mauve cow"), 2, "mauve cow")
    assert not (tmp_path / "new").exists()


@pytest.fixture
def server() -> Iterator[str]:
    """A server that sends the wrong file."""

    class Wrong(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"wrong")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Wrong) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/file.tar.gz"
        httpd.shutdown()


def test_fetch_without_a_network(tmp_path: Path, run: Runner) -> None:
    # port 9 discards: nobody listens there
    done = run(
        "data", "fetch", "cifar10", "--cache", tmp_path, "--url", "http://127.0.0.1:9/x.tar.gz"
    )
    check_failed(done, 1, "cannot download", f"put it at {tmp_path / 'cifar-10-binary.tar.gz'}")
    assert list(tmp_path.iterdir()) == []


def test_fetch_takes_no_other_file(tmp_path: Path, server: str, run: Runner) -> None:
    done = run("data", "fetch", "cifar100", "--cache", tmp_path, "--url", server)
    assert done.code == 1
    assert len(done.errors) == 1
    assert not (tmp_path / "cifar-100-binary.tar.gz").exists()
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(b"mine")
    done = run("data", "fetch", "cifar100", "--cache", tmp_path, "--url", server)
    check_failed(done, 1, "not the official")
    assert (tmp_path / "cifar-100-binary.tar.gz").read_bytes() == b"mine"


def test_words_near_is_the_order_of_cosines(class_words: Path, run: Runner) -> None:
    done = run("words", "near", "circle", "--words", class_words, "--json", "-n", "6")
    found = json.loads(done.out)
    table = WordVectors.load(class_words)
    point = table.vector_for("circle")
    cosines = {
        word: float(vector @ point / np.linalg.norm(vector) / np.linalg.norm(point))
        for word, vector in zip(table.words, table.vectors, strict=True)
        if word != "circle"
    }
    assert [one["similarity"] for one in found] == pytest.approx(
        sorted(cosines.values(), reverse=True)
    )
    assert {one["word"]: one["similarity"] for one in found} == pytest.approx(cosines)


def test_words_near_composes_names(class_words: Path, run: Runner) -> None:
    arguments = ("--words", class_words, "--metric", "euclidean", "-n", "1", "--json")
    # (1, 0, 0) and (0, 1, 0): their mean is as near to either as to (1, 1, 0)
    (found,) = json.loads(run("words", "near", "red blue", *arguments).out)
    assert found["similarity"] == pytest.approx(-np.sqrt(0.5))


def test_words_near_in_the_default_vocabulary(run: Runner) -> None:
    done = run("words", "near", "cat")
    assert done.code == 0
    assert "dog" in done.out
    assert len(done.out.split()) > 20


def test_words_near_a_missing_word(run: Runner) -> None:
    check_failed(run("words", "near", "automobil"), 2, "no word vector for", "automobile")


def test_words_info(class_words: Path, run: Runner) -> None:
    done = run("words", "info", class_words, "--json")
    assert json.loads(done.out) == {
        "n_words": 7,
        "dimension": 3,
        "format": "word2vec-text",
        "source": "words.txt",
        "first_words": ["red", "blue", "gold", "circle", "star", "zebra", "truck"],
    }
    assert "word2vec-text" in run("words", "info", class_words).out
    assert json.loads(run("words", "info", "--json").out)["dimension"] == 50


def test_words_convert(class_words: Path, tmp_path: Path, run: Runner) -> None:
    source = WordVectors.load(class_words)
    for ending in ("bin", "vec.gz", "safetensors"):
        out = tmp_path / f"converted.{ending}"
        assert run("words", "convert", class_words, out).out == f"{out}\n"
        found = WordVectors.load(out)
        assert found.words == source.words
        np.testing.assert_array_equal(found.vectors, source.vectors)
    glove = tmp_path / "glove.txt"
    assert run("words", "convert", class_words, glove, "--format", "glove").code == 0
    assert glove.read_text(encoding="utf-8").startswith("red ")


def test_words_convert_only_some(class_words: Path, tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "few.txt"
    done = run("words", "convert", class_words, out, "--only", "zebra,red circle")
    assert done.code == 0
    assert set(WordVectors.load(out).words) == {"zebra", "red", "circle"}
    check_failed(run("words", "convert", class_words, out), 2, "exists already")
    assert run("words", "convert", class_words, out, "--overwrite").code == 0
    assert len(WordVectors.load(out)) == 7
    none = tmp_path / "none.txt"
    check_failed(run("words", "convert", class_words, none, "--only", "okapi"), 2, "okapi")
    check_failed(run("words", "convert", class_words, tmp_path / "x.doc"), 2, "x.doc")
    assert {path.name for path in tmp_path.iterdir()} == {"few.txt", "words.txt"}


def test_info(model: Path, run: Runner) -> None:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    assert json.loads(run("info", model, "--json").out) == config
    done = run("info", model)
    assert (done.code, done.err) == (0, "")
    for said in ("red circle", "unseen", "PatchFeatures, 160", "wiki50", "20 images of gold star"):
        assert said in done.out


def test_demo_is_not_begun_where_its_output_exists(tmp_path: Path, run: Runner) -> None:
    out = tmp_path / "demo"
    out.mkdir()
    (out / "mine").write_text("mine", encoding="utf-8")
    check_failed(run("demo", "--out", out, "--seed", "1"), 2, "demo")
    done = run("demo", "--out", out, "--overwrite")  # what is there was not made by a demo
    check_failed(done, 2, "demo")
    assert (out / "mine").read_text(encoding="utf-8") == "mine"
