"""The demo: zero-shot recognition on synthetic drawings, in under a minute and with no download.

How the settings were chosen. 200 atoms, 50,000 patches and 100 drawings a class are what two
cores do in well under a minute. They were compared with 60 drawings a class and with 400 atoms on
drawings of other seeds, leaving out two handfuls of *seen* classes as if they were unseen: twice
the atoms took three times as long and told hardly more of them apart. No drawing of the unseen
classes, and no score on them, entered a choice. The gate and the ridge term are the defaults.
"""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.recognition import Recognition
from wordsight.data.scenes import SEEN, UNSEEN, make_scenes
from wordsight.exceptions import InputError
from wordsight.features.patch_features import PatchFeatures
from wordsight.metrics import Scores, scores
from wordsight.persistence import save_model
from wordsight.plots import demo_picture
from wordsight.storage import atomic_directory, check_writable, refuse_existing

__all__ = ["DemoSettings", "chance_scores", "run_demo"]

Say = Callable[[str], None]

_MARK = "Made by: wordsight demo\n"
_MARK_NAME = ".wordsight-demo"


@dataclass(frozen=True)
class DemoSettings:
    """How much work the demo does.

    Attributes
    ----------
    n_train, n_test : int
        Drawings of each class to train on (seen classes alone) and to score on (all classes).
    n_atoms, n_patches : int
        Of `PatchFeatures`.
    n_mapped : int
        Test drawings of each class on the semantic map.
    """

    n_train: int = 100
    n_test: int = 40
    n_atoms: int = 200
    n_patches: int = 50_000
    n_mapped: int = 20


DEFAULT = DemoSettings()


def run_demo(
    out: Path,
    *,
    random_state: int = 0,
    overwrite: bool = False,
    say: Say,
    settings: DemoSettings = DEFAULT,
) -> dict[str, Any]:
    """Train on drawings of seen classes, recognise seen and unseen ones, and show how well.

    Parameters
    ----------
    out : pathlib.Path
        The folder to make, which appears whole or not at all: ``model/`` (a model directory),
        ``demo.png`` (the semantic map and some predictions) and ``images/`` (test drawings).
    random_state : int, default 0
        The seed of the drawings and of the model: the same seed gives the same scores.
    overwrite : bool, default False
        Replace `out` where an earlier demo made it. A folder that holds anything else is refused
        in any case.
    say : callable
        Takes the lines to be shown, one call each.
    settings : DemoSettings
        How much work to do.

    Returns
    -------
    dict
        The entries of `metrics.scores`; ``unseen_called_novel``, the share of unseen drawings
        that the gate finds; ``chance`` (see `chance_scores`); ``seconds``; ``out``.

    Raises
    ------
    InputError
        `out` exists and may not be replaced.
    WordsightError
        `out` cannot be written.
    """
    _check_out(out, overwrite)
    start = time.perf_counter()
    say(
        f"Wordsight demo on synthetic drawings, made by the program itself: {len(SEEN)} classes "
        f"are learned from drawings, {len(UNSEEN)} are known by name alone.\n"
        f"Unseen: {', '.join(UNSEEN)}."
    )
    model, n_train = _fit(random_state, settings, say)
    images, labels = make_scenes(
        settings.n_test, (*SEEN, *UNSEEN), random_state=random_state, split="test"
    )
    found = model.recognise(images)
    result = _score(found, labels)
    unseen_called_novel = float(found.is_novel[np.isin(labels, UNSEEN)].mean())
    with atomic_directory(out, overwrite=overwrite) as folder:
        (folder / _MARK_NAME).write_text(_MARK, encoding="utf-8")
        seconds = time.perf_counter() - start
        about = _about(result, n_train, settings, random_state, seconds)
        save_model(model, folder / "model", about=about)
        _write_images(folder / "images", images, labels)
        _draw(folder / "demo.png", model, found, images, labels, random_state, settings)
    seconds = time.perf_counter() - start
    chance = chance_scores(len(SEEN), len(UNSEEN))
    say(_table(result, chance, model.false_novel_rate))
    say(_plain_words(result, unseen_called_novel))
    say(f"Done in {seconds:.0f} s.\n")
    say(_next_commands(out))
    return {
        **result,
        "unseen_called_novel": unseen_called_novel,
        "chance": chance,
        "seconds": seconds,
        "out": str(out),
    }


def chance_scores(n_seen: int, n_unseen: int) -> dict[str, float]:
    """Return what guessing evenly among the classes scores.

    The seen–unseen curve of a gate that draws lots is the straight line from
    (1 / n_seen, 0) to (0, 1 / n_unseen), and its area that of the triangle below.

    Parameters
    ----------
    n_seen, n_unseen : int
        How many classes there are of each kind.

    Returns
    -------
    dict
        By the names of `metrics.scores`.
    """
    among_all = 1 / (n_seen + n_unseen)
    return {
        "seen_only_accuracy": 1 / n_seen,
        "unseen_only_accuracy": 1 / n_unseen,
        "seen_accuracy": among_all,
        "unseen_accuracy": among_all,
        "harmonic_mean": among_all,
        "ausuc": 1 / (2 * n_seen * n_unseen),
        "novelty_auroc": 0.5,
    }


def _check_out(out: Path, overwrite: bool) -> None:
    """Refuse at once what cannot be written in the end, and what somebody may miss."""
    refuse_existing(out, overwrite=overwrite)
    check_writable(out)
    if not out.exists() or (out / _MARK_NAME).is_file():
        return
    if not out.is_dir() or any(out.iterdir()):
        raise InputError(
            f"{out} was not made by wordsight demo, so it is not replaced; name another folder"
        )


def _fit(random_state: int, settings: DemoSettings, say: Say) -> tuple[CrossModalClassifier, int]:
    images, labels = make_scenes(settings.n_train, SEEN, random_state=random_state)
    say(f"Training on {len(images):,} drawings of {len(SEEN)} seen classes …")
    model = CrossModalClassifier(
        unseen=UNSEEN,
        features=PatchFeatures(
            settings.n_atoms, n_patches=settings.n_patches, random_state=random_state
        ),
        random_state=random_state,
    )
    return model.fit(images, labels), len(images)


def _score(found: Recognition, labels: NDArray[np.str_]) -> Scores:
    as_unseen = found.unseen_label
    assert as_unseen is not None  # the demo has unseen classes
    return scores(
        labels,
        found.label,
        found.seen_label,
        as_unseen,
        found.novelty_score,
        seen=SEEN,
        unseen=UNSEEN,
    )


def _about(
    result: Scores, n_train: int, settings: DemoSettings, random_state: int, seconds: float
) -> dict[str, Any]:
    """Gather what the model card says of the training."""
    single = {
        name: value for name, value in result.items() if isinstance(value, int | float | None)
    }
    return {
        "data": "synthetic drawings made by wordsight.data.scenes, no photographs",
        "command": f"wordsight demo --random-state {random_state}",
        "n_images": n_train,
        "class_counts": dict.fromkeys(SEEN, settings.n_train),
        "seconds": seconds,
        "scores": single,
        "scored_on": "synthetic drawings of the test split, seen and unseen classes",
    }


def _write_images(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.str_]) -> None:
    """Write the first test drawing of every class, its class in the file's name."""
    folder.mkdir()
    for name, row in _first_rows(labels).items():
        Image.fromarray(images[row]).save(folder / f"{name.replace(' ', '-')}.png")


def _draw(
    path: Path,
    model: CrossModalClassifier,
    found: Recognition,
    images: NDArray[np.uint8],
    labels: NDArray[np.str_],
    random_state: int,
    settings: DemoSettings,
) -> None:
    # drawings come class after class: the first few of each are those of the lowest numbers
    number = np.arange(len(labels)) % settings.n_test
    is_unseen = np.isin(labels, UNSEEN)
    right = found.label[is_unseen] == labels[is_unseen]
    demo_picture(
        path,
        found,
        images,
        labels,
        model.word_vectors_,
        map_rows=np.flatnonzero(number < settings.n_mapped),
        strip_rows=_strip_rows(labels),
        random_state=random_state,
        map_title="Semantic map: synthetic drawings among the words for them (t-SNE)",
        strip_title="Predictions: the first test drawing of each unseen class and of six seen ones",
        caption=(
            "Synthetic drawings of 32 × 32 pixels, not photographs; test split, not picked by "
            "result. Numbers are probabilities of the predicted class.\nOf all "
            f"{is_unseen.sum()} drawings of unseen classes {right.mean():.0%} are named rightly "
            f"among {len(found.classes)} classes (chance {1 / len(found.classes):.0%})."
        ),
    )


def _strip_rows(labels: NDArray[np.str_]) -> list[int]:
    """Take the first drawing of every unseen class, and of six seen ones along the list."""
    first = _first_rows(labels)
    seen = [SEEN[i] for i in np.linspace(0, len(SEEN) - 1, 6).astype(int)]
    return [first[name] for name in (*UNSEEN, *seen)]


def _first_rows(labels: NDArray[np.str_]) -> dict[str, int]:
    names, rows = np.unique(labels, return_index=True)
    return dict(zip(names.tolist(), rows.tolist(), strict=True))


def _table(result: Scores, chance: dict[str, float], asked: float) -> str:
    rows = (
        ("seen_only_accuracy", f"seen drawings, among the {len(SEEN)} seen classes"),
        ("unseen_only_accuracy", f"unseen drawings, among the {len(UNSEEN)} unseen classes"),
        ("seen_accuracy", f"seen drawings, among all {len(SEEN) + len(UNSEEN)} classes"),
        ("unseen_accuracy", f"unseen drawings, among all {len(SEEN) + len(UNSEEN)} classes"),
        ("harmonic_mean", "harmonic mean of these two"),
        ("ausuc", "area under the seen–unseen curve (AUSUC)"),
        ("novelty_auroc", "novelty AUROC: unseen above seen"),
    )
    values: dict[str, Any] = dict(result)
    head = f"Scores on {result['n_images']:,} test drawings"
    lines = [f"\n{head:<50}{'score':>7}{'chance':>9}", "-" * 66]
    lines += [f"{text:<50}{values[name]:>7.3f}{chance[name]:>9.3f}" for name, text in rows]
    called = f"{'seen drawings called novel':<50}{values['seen_called_novel']:>7.3f}"
    lines.append(f"{called}   (asked: {asked:.2f})")
    return "\n".join(lines) + "\n"


def _plain_words(result: Scores, found: float) -> str:
    """Say where the errors are made."""
    return (
        f"The gate, set on seen drawings alone, calls {found:.0%} of the unseen drawings novel. "
        f"The other {1 - found:.0%} are taken for seen classes and so named wrongly, however well "
        "the unseen classes are told apart.\n"
        "These are simple drawings: the scores say nothing about photographs."
    )


def _next_commands(out: Path) -> str:
    model, images = (shlex.quote(str(out / name)) for name in ("model", "images"))
    return (
        f"Look at {out / 'demo.png'}, then try:\n"
        f"  wordsight predict {model} {images}\n"
        f"  wordsight predict {model} {images} --also 'orange circle'"
        "   # one more class, by its name alone: nothing is trained\n"
        f"  wordsight info {model}\n"
        "  wordsight words near violet\n"
        "  wordsight fit YOUR_FOLDER --unseen CLASS,CLASS --out model   "
        "# a folder with a folder of images for each class"
    )
