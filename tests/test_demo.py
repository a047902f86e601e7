"""The demo: what it writes and says is what the model it saves does."""

import json
import shlex
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wordsight.cli import main
from wordsight.data.scenes import SEEN, UNSEEN, make_scenes
from wordsight.demo import DemoSettings, chance_scores, run_demo
from wordsight.exceptions import InputError, WordsightError
from wordsight.metrics import harmonic_mean, seen_unseen_curve
from wordsight.persistence import load_model

SMALL = DemoSettings(n_train=20, n_test=3, n_atoms=20, n_patches=3000, n_mapped=2)


@dataclass(frozen=True)
class Ran:
    out: Path
    result: dict[str, Any]
    said: str


def run(out: Path, *, random_state: int = 0, settings: DemoSettings = SMALL) -> Ran:
    lines: list[str] = []
    result = run_demo(
        out, random_state=random_state, overwrite=True, say=lines.append, settings=settings
    )
    return Ran(out, result, "\n".join(lines))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("demo") / "a demo")  # a name that a shell must be told


def scores_of(ran: Ran) -> dict[str, Any]:
    return {name: value for name, value in ran.result.items() if name not in ("seconds", "out")}


def accuracy(true: NDArray[Any], predicted: NDArray[Any], classes: tuple[str, ...]) -> float:
    return float(np.mean([np.mean(predicted[true == name] == name) for name in classes]))


def test_it_leaves_a_model_a_picture_and_images_and_nothing_beside(small: Ran) -> None:
    assert [path.name for path in small.out.parent.iterdir()] == ["a demo"]
    visible = sorted(path.name for path in small.out.iterdir() if path.name[0] != ".")
    assert visible == ["demo.png", "images", "model"]
    with Image.open(small.out / "demo.png") as picture:
        assert picture.size == (1400, 1500)


def test_the_images_are_the_first_test_drawing_of_every_class(small: Ran) -> None:
    images, labels = make_scenes(1, (*SEEN, *UNSEEN), split="test")
    names = [f"{label.replace(' ', '-')}.png" for label in labels.tolist()]
    assert sorted(path.name for path in (small.out / "images").iterdir()) == sorted(names)
    for name, pixels in zip(names, images, strict=True):
        with Image.open(small.out / "images" / name) as image:
            np.testing.assert_array_equal(np.asarray(image), pixels)


def test_the_scores_are_those_of_the_saved_model(small: Ran) -> None:
    model = load_model(small.out / "model")
    images, labels = make_scenes(SMALL.n_test, (*SEEN, *UNSEEN), split="test")
    predicted = model.predict(images)
    as_seen, as_unseen = model.predict_among(images, SEEN), model.predict_among(images, UNSEEN)
    is_unseen = np.isin(labels, UNSEEN)
    expected = {
        "n_images": 90,
        "seen_only_accuracy": accuracy(labels, as_seen, SEEN),
        "unseen_only_accuracy": accuracy(labels, as_unseen, UNSEEN),
        "seen_accuracy": accuracy(labels, predicted, SEEN),
        "unseen_accuracy": accuracy(labels, predicted, UNSEEN),
        "seen_called_novel": np.isin(predicted[~is_unseen], UNSEEN).mean(),
        "unseen_called_novel": np.isin(predicted[is_unseen], UNSEEN).mean(),
    }
    for name, value in expected.items():
        assert small.result[name] == pytest.approx(value, abs=1e-12), name


def test_the_unseen_classes_are_not_trained_on_and_the_card_says_synthetic(small: Ran) -> None:
    config = json.loads((small.out / "model" / "config.json").read_text())
    assert set(config["seen"]) == set(SEEN)
    assert tuple(config["unseen"]) == UNSEEN
    assert config["about"]["class_counts"] == dict.fromkeys(SEEN, SMALL.n_train)
    assert config["about"]["n_images"] == len(SEEN) * SMALL.n_train
    card = (small.out / "model" / "README.md").read_text()
    assert "synthetic drawings" in card
    assert f"| unseen accuracy | {small.result['unseen_accuracy']:.3f} |" in card


def test_what_it_says_is_what_it_returns(small: Ran) -> None:
    assert "synthetic drawings" in small.said.splitlines()[0]
    chance = chance_scores(len(SEEN), len(UNSEEN))
    table = small.said[small.said.index("----") :].splitlines()[1:9]
    numbers = [[float(cell) for cell in line.split()[-2:]] for line in table[:7]]
    assert len(chance) == 7
    for (score, by_chance), (name, value) in zip(numbers, chance.items(), strict=True):
        assert score == pytest.approx(small.result[name], abs=5.1e-4), name
        assert by_chance == pytest.approx(value, abs=5.1e-4), name
    assert f"{small.result['seen_called_novel']:.3f}   (asked: 0.10)" in table[7]
    assert f"{small.result['unseen_called_novel']:.0%} of the unseen drawings" in small.said


def test_the_commands_it_names_work(small: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.strip() for line in small.said.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("wordsight ")]
    assert [words[1] for words in commands] == ["predict", "predict", "info", "words", "fit"]
    for command in commands[:4]:  # the last is for a folder of the reader's own
        assert main(command[1:]) == 0, command
        assert capsys.readouterr().out.strip()


def test_the_same_seed_gives_the_same_scores(small: Ran, tmp_path: Path) -> None:
    again = run(tmp_path / "again")
    assert scores_of(again) == scores_of(small)
    pictures = [ran.out / "demo.png" for ran in (small, again)]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_it_replaces_an_earlier_demo_when_asked(tmp_path: Path) -> None:
    settings = DemoSettings(n_train=10, n_test=1, n_atoms=4, n_patches=500, n_mapped=1)
    run(tmp_path / "demo", random_state=1, settings=settings)
    (tmp_path / "demo" / "images" / "old.png").touch()
    run(tmp_path / "demo", random_state=2, settings=settings)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert not (tmp_path / "demo" / "images" / "old.png").exists()
    assert load_model(tmp_path / "demo" / "model").random_state == 2


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_somebody_elses_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "wedding.jpg").write_text("dear")
    said: list[str] = []
    with pytest.raises(InputError, match="photos") as refusal:
        run_demo(tmp_path / "photos", overwrite=overwrite, say=said.append, settings=SMALL)
    assert refusal.value.exit_code == 2
    assert not said  # refused before the work, not after it
    assert (tmp_path / "photos" / "wedding.jpg").read_text() == "dear"
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said: list[str] = []
    with pytest.raises(WordsightError, match="cannot write"):
        run_demo(tmp_path / "file" / "demo", say=said.append, settings=SMALL)
    assert not said


@pytest.mark.parametrize(("n_seen", "n_unseen"), [(2, 2), (4, 3), (24, 6)])
def test_chance_is_what_even_guesses_score(n_seen: int, n_unseen: int) -> None:
    """An image of every class with every guess there is, and a gate that cannot tell."""
    seen = [f"seen {i}" for i in range(n_seen)]
    unseen = [f"unseen {i}" for i in range(n_unseen)]
    rows = np.array(list(product([*seen, *unseen], seen, unseen)))
    curve = seen_unseen_curve(
        rows[:, 0], rows[:, 1], rows[:, 2], np.zeros(len(rows)), seen=seen, unseen=unseen
    )
    chance = chance_scores(n_seen, n_unseen)
    assert chance["ausuc"] == pytest.approx(curve.area)
    assert chance["seen_only_accuracy"] == pytest.approx(curve.seen_accuracy[0])
    assert chance["unseen_only_accuracy"] == pytest.approx(curve.unseen_accuracy[-1])
    both = chance["seen_accuracy"], chance["unseen_accuracy"]
    assert chance["harmonic_mean"] == pytest.approx(harmonic_mean(*both))


@pytest.mark.slow
def test_the_whole_demo_is_quick_and_far_above_chance(tmp_path: Path) -> None:
    result = run(tmp_path / "demo", settings=DemoSettings()).result
    assert result["seconds"] < 90
    chance = chance_scores(len(SEEN), len(UNSEEN))
    assert result["unseen_only_accuracy"] > 3 * chance["unseen_only_accuracy"]
    assert result["unseen_accuracy"] > 3 * chance["unseen_accuracy"]
    assert result["seen_accuracy"] > 3 * chance["seen_accuracy"]
    # 10 % asked for, of 960 images, with a threshold set on 240 others: four deviations
    spread = 4 * np.sqrt(0.1 * 0.9 * (1 / 960 + 1 / 240))
    assert result["seen_called_novel"] == pytest.approx(0.1, abs=spread)
