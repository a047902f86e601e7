"""The standard benchmark: scores by hand, and all methods on a made data set."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from wordsight import cli, standard_benchmark
from wordsight.baselines.base import ZeroShotPeer
from wordsight.data.gzsl import FEATURES_FILE, SPLITS_FILE, StandardSplit, open_gzsl
from wordsight.exceptions import InputError
from wordsight.standard_benchmark import METHODS, PUBLISHED, score_methods


class Given(ZeroShotPeer):
    """A method whose scores are the features."""

    def __init__(self, words: Any = None, unseen: Any = ()) -> None:
        self.words = words
        self.unseen = unseen
        self.on_missing = "error"

    def _fit(self, X: NDArray[Any], codes: NDArray[np.int64], W: NDArray[np.float64]) -> None:
        pass

    def _scores(self, X: NDArray[Any], W: NDArray[np.float64]) -> NDArray[np.float64]:
        return X.astype(np.float64)


def by_hand() -> StandardSplit:
    """Two seen classes, a and b, and two unseen ones, y and z; a row is its four scores."""
    rows = [
        ("a", [1, 0, 0, 0]),  # to learn from
        ("b", [0, 1, 0, 0]),
        ("a", [9, 0, 5, 0]),  # a, right
        ("a", [4, 0, 0, 6]),  # z; a among the seen
        ("a", [3, 4, 0, 0]),  # b, wrong on either side of the gate
        ("a", [8, 0, 0, 0]),  # a, right
        ("b", [0, 5, 1, 0]),  # b, right
        ("y", [0, 0, 7, 6]),  # y, right
        ("y", [9, 0, 1, 2]),  # a; z among the unseen
        ("z", [5, 0, 0, 4]),  # a; z among the unseen
        ("z", [0, 1, 0, 3]),  # z, right
    ]
    labels = np.array([label for label, _scores in rows])
    classes = np.array(["a", "b", "y", "z"])
    return StandardSplit(
        name="hand",
        features=np.array([scores for _label, scores in rows], dtype=np.float32),
        labels=labels,
        classes=classes,
        attributes=np.eye(4) + 0.1,
        train=np.array([0, 1]),
        test_seen=np.arange(2, 7),
        test_unseen=np.arange(7, 11),
        digest="0" * 64,
    )


def test_scores_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "given", lambda words, unseen, _seed: Given(words, unseen))
    (found,) = score_methods(by_hand(), ["given"])
    assert found.method == "given"
    assert found.zsl == pytest.approx((1 / 2 + 2 / 2) / 2)  # y: 1 of 2, z: both
    assert found.unseen == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert found.seen == pytest.approx((2 / 4 + 1) / 2)
    assert found.harmonic_mean == pytest.approx(2 * 0.5 * 0.75 / 1.25)
    # with the gate wide open seen images score (3/4 + 1)/2 = 7/8; from the most novel on, unseen
    # minus seen: y 7 and z 2 (right), a 2 (lost) with it, z −1 (right), a −4, a −4, b −4, ...
    # points (S, U): (7/8, 0) (7/8, 1/4) (6/8, 2/4) (6/8, 3/4) (0 or more, 3/4)
    area = (7 / 8 - 6 / 8) * (1 / 4 + 2 / 4) / 2 + 6 / 8 * 3 / 4
    assert found.ausuc == pytest.approx(area)


def made(folder: Path) -> Path:
    """Features that attributes and noise make: 12 classes of 30 images, the last three unseen."""
    rng = np.random.default_rng(0)
    names = [f"class+{letter}" for letter in "abcdefghijkl"]
    att = rng.normal(size=(len(names), 8))
    codes = np.repeat(np.arange(len(names)), 30)
    features = att[codes] @ rng.normal(size=(8, 20)) + 0.5 * rng.normal(size=(len(codes), 20))
    order = rng.permutation(len(codes))
    codes, features = codes[order], features[order]
    seen = np.flatnonzero(codes < 9)
    folder.mkdir(parents=True)
    savemat(folder / FEATURES_FILE, {"features": features.T, "labels": codes[:, None] + 1.0})
    savemat(
        folder / SPLITS_FILE,
        {
            "att": att.T,
            "allclasses_names": np.array(names, dtype=object)[:, None],
            "trainval_loc": seen[:200, None] + 1.0,
            "test_seen_loc": seen[200:, None] + 1.0,
            "test_unseen_loc": np.flatnonzero(codes >= 9)[:, None] + 1.0,
        },
    )
    return folder


def test_all_methods_do_better_than_chance(tmp_path: Path) -> None:
    split = open_gzsl(made(tmp_path / "AWA2"))
    scores = {each.method: each for each in score_methods(split)}
    assert list(scores) == list(METHODS)
    for each in scores.values():
        assert each.zsl > 0.5, each  # chance: a third
        assert each.ausuc > 0.3, each
        assert each.seconds > 0
    again = score_methods(split, ["DeViSE", "Wordsight"])
    for one in again:
        same = {**one.record(), "seconds": 0}
        assert same == {**scores[one.method].record(), "seconds": 0}
    with pytest.raises(InputError, match=r"CADA was asked for; .* Wordsight, .* CMT, CMT\*"):
        score_methods(split, ["CADA"])


def test_published_numbers_are_of_methods_and_scores_there_are() -> None:
    for method, by_score in PUBLISHED.items():
        assert method in METHODS
        assert set(by_score) <= set(standard_benchmark.StandardScores.__dataclass_fields__)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "data" / "AWA2")
    out = tmp_path / "scores.json"
    arguments = ["benchmark", "gzsl", str(tmp_path / "data"), "--methods", "ESZSL,CMT*"]
    assert cli.main([*arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr()
    records = json.loads(out.read_text())
    (record,) = records
    assert record["data"] == "AWA2"
    assert record["split"][:16] in printed.out
    assert record["split"][:16] in printed.err
    assert (record["n_train"], record["n_test_seen"], record["n_test_unseen"]) == (200, 70, 90)
    assert [each["method"] for each in record["scores"]] == ["ESZSL", "CMT*"]
    assert "(11.0)" in printed.out  # what was published for ESZSL
    assert "(15.9)" in printed.out
    assert cli.main([*arguments, "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    for one, other in zip(alone[0]["scores"], record["scores"], strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "there is no res101.mat in"),
        (["{}/AWA2", "{}/AWA2"], "is named twice"),
        (["{}/AWA2", "--methods", "CADA"], "CADA was asked for"),
    ],
)
def test_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    made(tmp_path / "AWA2")
    filled = [text.format(tmp_path) for text in arguments]
    assert cli.main(["benchmark", "gzsl", *filled]) == 2
    assert said in capsys.readouterr().err
