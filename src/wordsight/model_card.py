"""The README.md of a model directory: what the model is, what it was trained on, how to use it."""

from collections.abc import Mapping, Sequence
from typing import Any

from wordsight.exceptions import InputError

__all__ = ["CARD_PICTURES", "check_pictures", "model_card"]

CARD_PICTURES = {
    "curve": "Unseen against seen accuracy as the gate opens; the star is this model",
    "confusion": "What images of each class are called; a star marks unseen classes",
    "map": "Mapped images among the words of their classes",
    "reliability": "How often the model is right against how sure it is",
}
"""Pictures that a card shows, in this order, and what is said of each to those who do not see."""

_SHOWN = 1000
"""Classes that a card names at most."""

_PNG = b"\x89PNG\r\n\x1a\n"


def check_pictures(pictures: Mapping[str, bytes]) -> None:
    """Raise `InputError` where a picture is none that a card shows, or no PNG file."""
    for name, content in pictures.items():
        if name not in CARD_PICTURES:
            raise InputError(
                f"a picture {name!r} was given for the card; expected some of: "
                f"{', '.join(CARD_PICTURES)}"
            )
        if not content.startswith(_PNG):
            raise InputError(f"the picture {name!r} is no PNG file; give the bytes of one")


def model_card(config: Mapping[str, Any], pictures: Sequence[str] = ()) -> str:
    """Write the card of a model.

    Parameters
    ----------
    config : mapping
        The contents of ``config.json``.
    pictures : sequence of str
        Some of `CARD_PICTURES`, which lie beside the card as ``pictures/NAME.png``.

    Returns
    -------
    str
        Markdown.
    """
    about = config["about"]
    sections = [
        _head(config),
        _classes(config, about),
        _training(config, about),
        _scores(about),
        _shown(pictures),
        _usage(config),
        _limits(config),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(config: Mapping[str, Any]) -> str:
    return (
        "# A Wordsight model\n\n"
        f"Recognises {len(config['seen'])} classes it was shown images of and "
        f"{len(config['unseen'])} it knows by name alone, and says when an image is of none of "
        f"the former. Made by Wordsight {config['wordsight']}."
        + (
            " Its large arrays are stored in half precision."
            if config.get("precision") == "float16"
            else ""
        )
    )


def _classes(config: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    counts = about.get("class_counts", {})
    rows = [
        f"| {_cell(name)} | seen | {counts.get(str(name), '')} |" for name in config["seen"]
    ] + [f"| {_cell(name)} | unseen | 0 |" for name in config["unseen"]]
    if len(rows) > _SHOWN:
        rest = f"… and {len(rows) - _SHOWN:,} more, all of which are in config.json"
        rows = [*rows[:_SHOWN], f"| {rest} | | |"]
    return "\n".join(
        ["## Classes", "", "| class | kind | training images |", "|---|---|---|", *rows]
    )


def _training(config: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    parts = config["parts"]
    mapping, novelty = parts["mapping"], parts["novelty"]
    lines = ["## Training", ""]
    if "data" in about:
        lines.append(f"- Data: {about['data']}, {about.get('n_images', '?')} images.")
    for name, count in about.get("left_out", {}).items():
        lines.append(f"- Left out: {count} images of {_cell(name)}, which is to stay unseen.")
    if parts["features"] is not None:
        lines.append(f"- Features: {_about_features(parts['features'], config)}.")
    else:
        lines.append(f"- Features: {config['n_features']}, given ready.")
    lines += [
        f"- Word vectors: {config['words']['source']}.",
        f"- Map: {mapping['kind']}, {_about_map(mapping)}.",
        f"- Novelty: {novelty['kind']}, threshold set on {config['n_calibration']} held-out seen "
        f"images so that {_about_threshold(config)}; gate: {config['params']['gate']}.",
    ]
    if about.get("tuned"):
        lines.append(f"- Chosen: {_about_choice(about['tuned'])}.")
    if parts["seen_classifier"]["kind"] == "ShareClassifier":
        lines.append("- Seen classes: told apart by the shares of their words in mapped points.")
    if config.get("unseen_classifier"):
        lines.append(f"- Unseen classes: {_about_unseen(config['unseen_classifier'])}.")
    lines.append(
        f"- Held out: of these images {config['held_out_accuracy']:.1%} lie nearest to the word of "
        f"their own class, among the {len(config['seen'])} seen ones."
    )
    if "seconds" in about:
        lines.append(f"- Time: {about['seconds']:.0f} s.")
    if "command" in about:
        lines.append(f"- Command: `{about['command']}`")
    return "\n".join(lines)


def _about_threshold(config: Mapping[str, Any]) -> str:
    if config.get("keep_seen") is not None:
        return f"a seen accuracy of {config['keep_seen']:.3g} is kept"
    rate = config.get("false_novel_rate", config["params"]["false_novel_rate"])
    return f"about {100 * rate:.3g} % of seen images are called novel"


def _about_choice(tuned: Mapping[str, Any]) -> str:
    goal = {
        "harmonic_mean": "the best harmonic mean of seen and unseen accuracy",
        "keep_seen": f"unseen accuracy while a seen accuracy of {tuned['value']} is kept",
        "false_novel_rate": f"the harmonic mean with {tuned['value']} of seen images called novel",
    }[tuned["goal"]]
    alpha = "" if tuned["alpha"] is None else f"ridge term {tuned['alpha']:.3g}, "
    return (
        f"{alpha}gate {tuned['gate']} and threshold for {goal}, among {tuned['n_candidates']} "
        "combinations tried on seen classes held out in turn, on which they came to a seen "
        f"accuracy of {tuned['seen_accuracy']:.3f} and an unseen one of "
        f"{tuned['unseen_accuracy']:.3f}; no image of an unseen class had a part in it"
    )


def _about_features(features: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    fitted = features["fitted"]
    height, width = fitted["image_size_"]
    said = (
        f"{features['kind']}, {config['n_features']} of each image of {height} × {width} pixels, "
    )
    if features["kind"] == "ConvFeatures":
        return said + (
            f"of a network trained on the labels of {fitted['n_trained_']} of these images; the "
            "held-out ones are not among them"
        )
    if features["kind"] == "EncodedFeatures":
        name = fitted["encoder_recipe_"] or fitted["encoder_name_"] or "an encoder without a name"
        return said + f"by {_cell(name)}, which is not in this folder"
    return said + "learned without labels from these images alone"


def _about_map(mapping: Mapping[str, Any]) -> str:
    params, fitted = mapping["params"], mapping["fitted"]
    if mapping["kind"] == "TwoLayerMap":
        return (
            f"{params['n_hidden']} hidden units, weight decay {params['weight_decay']:.3g}, "
            f"iteration {fitted['best_iter_']} of {fitted['n_iter_']} kept"
        )
    return f"ridge term {fitted['alpha_']:.3g}"


def _about_unseen(entry: Mapping[str, Any]) -> str:
    settings = [f"{name}={value}" for name, value in entry.items() if name != "kind"]
    return f"{entry.get('kind', 'WordGaussians')}, {', '.join(settings)}"


def _scores(about: Mapping[str, Any]) -> str:
    scores = about.get("scores")
    if not scores:
        return ""
    rows = [
        f"| {name.replace('_', ' ')} | {value:.3f} |"
        for name, value in scores.items()
        if isinstance(value, float)
    ]
    count, where = scores.get("n_images", "the"), about.get("scored_on", "not named")
    return "\n".join(
        [
            "## Numbers",
            "",
            f"On {count} test images ({where}):",
            "",
            "| score | value |",
            "|---|---|",
            *rows,
        ]
    )


def _shown(pictures: Sequence[str]) -> str:
    shown = [
        f"![{said}](pictures/{name}.png)"
        for name, said in CARD_PICTURES.items()
        if name in pictures
    ]
    return "\n\n".join(["## Pictures", *shown]) if shown else ""


def _usage(config: Mapping[str, Any]) -> str:
    features, load = config["parts"]["features"], 'load_model("this_folder")'
    if features is not None and features["fitted"].get("encoder_recipe_", "") is None:
        load = 'load_model("this_folder", encoder=...)  # the one it was trained with'
    if features is None:
        call = "model.predict(features)  # from the encoder the model was trained with"
    else:
        call = 'model.predict(open_dataset("some_folder"))'
    return (
        "## Use\n\n"
        "```python\n"
        "from wordsight import load_model, open_dataset\n\n"
        f"model = {load}\n"
        f"{call}\n"
        'model.add_classes(["zebra"])  # any word with a vector; nothing is trained\n'
        "```\n\n"
        "```\nwordsight predict this_folder some_folder --out predictions.csv\n```"
    )


def _limits(config: Mapping[str, Any]) -> str:
    return (
        "## Limits\n\n"
        "Unseen classes are told apart only as far as their words lie near those of seen classes "
        "that look alike; probabilities of unseen classes are not calibrated, since there is no "
        "image to calibrate them on. Images unlike the training images in kind (size, style, "
        "camera) are outside what the numbers above say."
    )


def _cell(name: object) -> str:
    """Keep a class name from breaking the table it stands in."""
    return str(name).replace("|", "\\|").replace("\n", " ").replace("`", "'")
