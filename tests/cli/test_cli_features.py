"""``wordsight features`` in this process."""

import json
from pathlib import Path

import pytest

from cli.runs import Runner, check_failed
from wordsight.data.feature_table import read_features


def test_a_file_is_made_and_described(
    run: Runner, model: Path, scenes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "f.parquet"
    made = run("features", model, scenes, "--split", "test", "--out", out, "--json")
    said = json.loads(made.out)
    table = read_features(out)
    assert table.about is not None
    assert {name: said[name] for name in table.about} == table.about
    assert (said["features"], said["n_images"]) == (str(out), 30)
    assert table.features.shape == (30, said["n_features"])
    assert set(said["class_counts"].values()) == {5}
    plain = run("features", model, scenes, "--split", "test", "--out", out, "--overwrite")
    assert (plain.code, plain.out) == (0, f"{out}\n")


def test_going_on_and_a_cache_change_nothing(
    run: Runner, model: Path, scenes: Path, tmp_path: Path
) -> None:
    outs = [tmp_path / f"{number}.parquet" for number in range(3)]
    options: list[tuple[str, ...]] = [(), ("--resume",), ("--cache", str(tmp_path / "cache"))]
    for out, some in zip(outs, options, strict=True):
        assert run("features", model, scenes, "--out", out, *some).code == 0
    assert len({out.read_bytes() for out in outs}) == 1
    assert not list(tmp_path.glob(".unfinished*"))


@pytest.mark.parametrize(
    ("out", "options", "said"),
    [
        ("f.csv", (), "cannot write features to 'f.csv'; name a file that ends in .parquet"),
        ("there.parquet", (), "there.parquet exists already"),
        ("there.parquet", ("--resume",), "there.parquet exists already"),
        ("f.parquet", ("--resume", "--cache", "c"), "--resume and --cache were given"),
        ("f.parquet", ("--split", "none"), "has no split 'none'"),
    ],
)
def test_mistakes_are_one_sentence(
    run: Runner,
    model: Path,
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    out: str,
    options: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.parquet").write_text("something else")
    check_failed(run("features", model, scenes, "--out", out, *options), 2, said)
    assert Path("there.parquet").read_text() == "something else"


def test_an_output_among_the_images_is_refused(run: Runner, model: Path, scenes: Path) -> None:
    out = scenes / "train" / "f.parquet"
    said = "be taken for images the next time; write it elsewhere"
    check_failed(run("features", model, scenes, "--out", out), 2, said)
