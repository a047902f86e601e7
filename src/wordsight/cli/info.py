"""``wordsight info``: what a model is."""

import json
from typing import Any

from wordsight.box import model_directory
from wordsight.cli import console
from wordsight.cli.classes import SHOWN
from wordsight.cli.options import Json, ModelPath

__all__ = ["info"]


def info(model: ModelPath, json_: Json = False) -> None:
    """Print a model's classes, training and scores.

    Examples
    --------
    wordsight info model/
    """
    from wordsight.persistence import check_model  # noqa: PLC0415 - imports torch

    check_model(model)  # refuses one that is damaged
    place = model_directory(model) / "config.json"
    config: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    if json_:
        console.print_json(config)
        return
    about = config["about"]
    counts = about.get("class_counts", {})
    rows = [(name, "seen", str(counts.get(name, ""))) for name in config["seen"]]
    rows += [(name, "unseen", "") for name in config["unseen"]]
    console.print_table(None, ["class", "kind", "training images"], rows[:SHOWN], right=1)
    if len(rows) > SHOWN:
        console.say(f"… and {len(rows) - SHOWN:,} more classes; --json names them all.")
    shown = sorted(path.stem for path in model.glob("pictures/*.png"))
    pictures = [("pictures", f"{', '.join(shown)}, in {model / 'pictures'}")] if shown else []
    console.print_table(None, ["what", "value"], [*_facts(config), *pictures])


def _facts(config: dict[str, Any]) -> list[tuple[str, str]]:
    about, parts = config["about"], config["parts"]
    facts = [
        ("made by", f"Wordsight {config['wordsight']}"),
        ("features", _part(parts["features"]) + f", {config['n_features']} of them"),
        ("map", _part(parts["mapping"])),
        ("novelty", _part(parts["novelty"])),
        ("unseen classes", _unseen_classifier(config.get("unseen_classifier"))),
        ("stored in", config.get("precision", "float32")),
        ("gate", str(config["params"]["gate"])),
        ("false novel rate", f"{config['params']['false_novel_rate']:g}"),
        ("word vectors", f"{config['words']['source']}, {config['words']['n_words']} kept"),
    ]
    for name in ("data", "split", "n_images", "command", "seconds"):
        if about.get(name) is not None:
            facts.append((name.replace("_", " "), str(about[name])))
    for name, count in about.get("left_out", {}).items():
        facts.append(("left out", f"{count} images of {name}"))
    for name, value in (about.get("scores") or {}).items():
        if isinstance(value, float):
            facts.append((name.replace("_", " "), f"{value:.3f}"))
    return facts


def _part(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "given ready"
    encoder = entry["fitted"].get("encoder_recipe_") or entry["fitted"].get("encoder_name_")
    return f"{entry['kind']} ({encoder})" if encoder else str(entry["kind"])


def _unseen_classifier(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "WordGaussians"
    correction = entry.get("correction")
    return str(entry.get("kind", "WordGaussians")) + (f", {correction}" if correction else "")
