"""Model directories: ``config.json``, ``model.safetensors``, ``README.md`` and its ``pictures``.

Nothing in a model directory is ever executed: the configuration names parts that this package
knows, numbers are checked as they are read, and there is no pickle. A model that was saved and
loaded predicts bit for bit the same; one saved in half precision is off by a little, and by no more
when it is saved again.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from wordsight import __version__
from wordsight.box import model_directory
from wordsight.classifiers.class_words import ClassWords
from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.shares import ShareClassifier
from wordsight.compute import resolve_device
from wordsight.exceptions import DataError, InputError, WordsightError
from wordsight.features.encoded import EncodedFeatures
from wordsight.features.named_encoders import load_encoder
from wordsight.half_precision import Precision, half_or_whole, in_runs, single
from wordsight.model_card import CARD_PICTURES, check_pictures, model_card
from wordsight.model_parts import (
    PARTS,
    SHARED_SIZES,
    StoredPart,
    check_part,
    finite_number,
    labels_of,
    pack_unseen_classifier,
    plain,
    unpack_unseen_classifier,
    whole_number,
)
from wordsight.storage import atomic_directory, refuse_existing, save_tensors
from wordsight.words.vectors import WordVectors

__all__ = ["FORMAT_VERSION", "check_model", "check_replaceable", "load_model", "save_model"]

FORMAT = "wordsight-model"
FORMAT_VERSION = 1
FILES = {"config.json", "model.safetensors", "README.md"}
PICTURES = "pictures"
"""The folder of the card's pictures, which loading never looks at."""
PRECISIONS = ("float32", "float16")
KEPT_WORDS = 20_000
"""Words of a large table that are kept for naming classes later; the most frequent come first."""

_UNFIT = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError)
"""What comes of putting together a model from values that do not belong together."""


def save_model(
    model: CrossModalClassifier,
    path: str | os.PathLike[str],
    *,
    about: Mapping[str, Any] | None = None,
    pictures: Mapping[str, bytes] | None = None,
    precision: Precision | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a fitted model to a directory, which appears whole or not at all.

    Parameters
    ----------
    model : CrossModalClassifier
        With parts of this package; parts from elsewhere cannot be saved. Of `EncodedFeatures` the
        encoder itself is not: it is loaded by its name, or given to `load_model`.
    path : path-like
        The directory to make.
    about : mapping, optional
        What the model was trained on, for the card: any of ``data``, ``command``, ``n_images``,
        ``class_counts``, ``left_out``, ``seconds``, ``scores``. JSON values.
    pictures : mapping of str to bytes, optional
        PNG files for the card, by their kind: some of ``curve``, ``confusion``, ``map``,
        ``reliability``.
    precision : {"float32", "float16"} or None, default None
        With "float16" the large arrays of features, map, softmax and vocabulary take half the room,
        each number rounded by at most 1 part in 2,048; an array with numbers that half precision
        cannot hold stays as it is. Gate, scales and the words of classes are never rounded. None
        keeps what the model was loaded from, and else "float32".
    overwrite : bool, default False
        Replace a model directory that exists, with its pictures; one that holds anything else is
        refused.

    Returns
    -------
    pathlib.Path
        The directory.

    Raises
    ------
    InputError
        The directory exists, or is to be replaced and holds other files than a model's; the model
        is not fitted, a part cannot be saved, or there is no such precision.
    WordsightError
        The disk is full, the folder is read-only, and the like.
    """
    if not hasattr(model, "seen_classifier_"):
        raise InputError("the model is not fitted; call fit before save_model")
    precision = precision or getattr(model, "precision_", "float32")
    if precision not in PRECISIONS:
        raise InputError(
            f"precision={precision!r} was given; expected one of: {', '.join(PRECISIONS)}"
        )
    check_replaceable(Path(path), overwrite=overwrite)
    drawn = dict(pictures or {})
    check_pictures(drawn)
    config, tensors = _pack(model, dict(about or {}), precision)
    text, card = _texts(config, list(drawn))
    with atomic_directory(path, overwrite=overwrite) as directory:
        save_tensors(directory / "model.safetensors", tensors, {"format": FORMAT})
        (directory / "config.json").write_bytes(text)
        (directory / "README.md").write_bytes(card)
        if drawn:
            (directory / PICTURES).mkdir()
        for name, content in drawn.items():
            (directory / PICTURES / f"{name}.png").write_bytes(content)
    return Path(path)


def check_replaceable(path: Path, *, overwrite: bool) -> None:
    """Raise `InputError` where a model cannot go to `path` without something being lost."""
    refuse_existing(path, overwrite=overwrite)
    if not path.exists():
        return
    strange = ["it is a file"]
    if path.is_dir():
        strange = sorted(_foreign(path))
    if strange:
        raise InputError(
            f"{path} holds other things than a model ({strange[0]}), so it is not replaced; name "
            "another output"
        )


def _foreign(directory: Path) -> Iterator[str]:
    """Yield what lies in a directory and is no part of a model."""
    pictures = {f"{name}.png" for name in CARD_PICTURES}
    for place in directory.iterdir():
        if place.name == PICTURES and place.is_dir():
            inside = (one.name for one in place.iterdir())
            yield from (f"{PICTURES}/{name}" for name in inside if name not in pictures)
        elif place.name not in FILES:
            yield place.name


def load_model(
    path: str | os.PathLike[str],
    *,
    words: Any = None,
    device: str | None = None,
    encoder: Any = None,
) -> CrossModalClassifier:
    """Read a model from a directory, or the one in the box.

    Parameters
    ----------
    path : path-like
        Made by `save_model`; or ``"box:cifar10"``, the small model that comes with the package.
    words : WordVectors, mapping, path or None, default None
        Where to look up classes added later; by default what the model keeps of its own.
    device : str or None, default None
        Where to compute.
    encoder : callable, torch.nn.Module or None, default None
        The encoder that the model was trained with, where it is not of this package: None loads
        it by its name where it has one (``transformers:FOLDER``, ``timm:NAME`` and the like).
        Without either, the model takes ready features alone.

    Returns
    -------
    CrossModalClassifier

    Raises
    ------
    InputError
        There is no such directory; the encoder is another one than the model was trained with, or
        given to a model that needs none.
    DataError
        It holds no model, one of another version, or one that is truncated or damaged.
    WordsightError
        The encoder's library is not installed, or its model is not where it was.
    """
    resolve_device(device)
    model = check_model(path)
    _give_encoder(model, encoder, device)
    if device is not None:
        computing: tuple[Any, ...] = (model.features_, model.mapping_, model.seen_classifier_)
        for part in computing:
            if part is not None and "device" in part.get_params():
                part.set_params(device=device)
    if words is not None:
        model.use_words(WordVectors.coerce(words))
    return model


def check_model(path: str | os.PathLike[str]) -> CrossModalClassifier:
    """Read all of a model that is in its directory: without an encoder from elsewhere.

    Parameters
    ----------
    path : path-like
        As for `load_model`.

    Returns
    -------
    CrossModalClassifier

    Raises
    ------
    InputError, DataError
        As for `load_model`.
    """
    directory = model_directory(path)
    config = _read_config(directory)
    tensors = _read_tensors(directory, halves=config.get("precision") == "float16")
    try:
        model = _unpack(config, single(tensors), directory)
        _try_out(model)
    except _UNFIT as error:
        if isinstance(error, DataError):
            raise
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{directory} is damaged or was changed by hand ({reason}); save the model again"
        ) from error
    return model


def _give_encoder(model: CrossModalClassifier, encoder: Any, device: str | None) -> None:
    """Give a model the encoder that is not in its directory; never another one."""
    features = model.features_
    if not isinstance(features, EncodedFeatures):
        if encoder is not None:
            kind = "ready features" if features is None else type(features).__name__
            raise InputError(
                f"an encoder was given to a model that was trained on {kind} and needs none; leave "
                "encoder out"
            )
        return
    if encoder is not None:
        features.use_encoder(encoder)
    elif features.encoder_recipe_ is not None:
        try:
            made = load_encoder(features.encoder_recipe_, device=device)
        except WordsightError as error:
            raise WordsightError(
                f"the model's encoder is {features.encoder_recipe_}, and {error}; or give it: "
                "load_model(path, encoder=...)"
            ) from error
        features.use_encoder(made)


def _texts(config: dict[str, Any], pictures: list[str]) -> tuple[bytes, bytes]:
    """Return ``config.json`` and ``README.md``."""
    try:
        text = json.dumps(config, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        return text.encode(), model_card(config, pictures).encode()
    except _UNFIT as error:
        raise InputError(
            f"the model cannot be described ({error}); give class names that are texts or "
            "numbers, and about= finite JSON values as save_model lists them"
        ) from error


def _pack(
    model: CrossModalClassifier, about: dict[str, Any], precision: Precision
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    halve = precision == "float16"
    tensors: dict[str, NDArray[Any]] = {}
    parts: dict[str, Any] = {}
    for role, kinds in PARTS.items():
        part = getattr(model, f"{role}_")
        if part is None:  # ready features
            parts[role] = None
            continue
        parts[role] = _pack_part(role, role, part, kinds, tensors)
        if halve:
            _halve(role, part, kinds[parts[role]["kind"]], tensors)
    if model.novelty_.compares_words:
        tensors["calibration.points"] = np.ascontiguousarray(model.calibration_points_)
        codes = np.searchsorted(model.seen_, model.calibration_labels_)
        tensors["calibration.codes"] = codes.astype(np.float32)
        if model.calibration_right_ is not None:
            tensors["calibration.right"] = model.calibration_right_.astype(np.float32)
    if model.reference_points_ is not None:
        tensors["reference.points"] = np.ascontiguousarray(model.reference_points_)
        tensors["reference.codes"] = model.reference_codes_.astype(np.float32)
    tensors["words.seen"] = np.ascontiguousarray(model._class_words.seen_vectors)
    tensors["words.unseen"] = np.ascontiguousarray(model._class_words.unseen_vectors)
    words = _pack_words(model.words_, tensors)
    if halve and "words.table" in tensors:
        tensors["words.table"] = half_or_whole(tensors["words.table"])
    own = ("gate", "false_novel_rate", "calibration_fraction", "on_missing", "random_state")
    config = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "wordsight": __version__,
        "precision": precision,
        "seen": model.seen_.tolist(),
        "unseen": model.unseen_.tolist(),
        "n_features": int(model.n_features_in_),
        "n_calibration": model.n_calibration_,
        "held_out_accuracy": model.held_out_accuracy_,
        "false_novel_rate": float(model.false_novel_rate_),
        "keep_seen": model.keep_seen_,
        "variance": model.variance_,
        "params": {name: plain(getattr(model, name)) for name in own},
        "parts": parts,
        "unseen_classifier": pack_unseen_classifier(model.unseen_classifier),
        "words": words,
        "about": about,
    }
    return config, tensors


def _pack_part(
    role: str,
    place: str,
    part: Any,
    kinds: Mapping[str, StoredPart],
    tensors: dict[str, NDArray[Any]],
) -> dict[str, Any]:
    """Put the arrays of a part, and of those it is made of, into `tensors`; return the rest."""
    kind = type(part).__name__
    if kind not in kinds or type(part) is not kinds[kind].make:
        raise InputError(
            f"{role} is a {kind}, which cannot be saved; use one of: {', '.join(kinds)}"
        )
    stored = kinds[kind]
    # where it was trained is no property of the model, and what is given is not kept
    left_out = {"device", stored.members, *stored.given}
    for name in stored.arrays:
        if hasattr(part, name):
            tensors[f"{place}.{name}"] = np.ascontiguousarray(getattr(part, name))
    entry = {
        "kind": kind,
        "params": {
            name: plain(value)
            for name, value in part.get_params(deep=False).items()
            if name not in left_out
        },
        "fitted": {name: plain(getattr(part, name)) for name in stored.scalars},
    }
    if stored.members:
        entry["members"] = [
            _pack_part(role, f"{place}.{number}", member, kinds, tensors)
            for number, member in enumerate(stored.members_of(part))
        ]
    return entry


def _halve(role: str, part: Any, stored: StoredPart, tensors: dict[str, NDArray[Any]]) -> None:
    """Put the large arrays of a part in half precision, as far as they may be."""
    for name in stored.halves:
        place = f"{role}.{name}"
        if name in stored.runs:
            tensors.update(in_runs(place, tensors.pop(place), stored.runs[name](part)))
        else:
            tensors[place] = half_or_whole(tensors[place])


def _pack_words(words: WordVectors, tensors: dict[str, NDArray[Any]]) -> dict[str, Any]:
    if words is WordVectors.default():
        return {"kept": "default", "source": words.source, "n_words": len(words)}
    kept = list(words.words[:KEPT_WORDS])
    tensors["words.table"] = np.ascontiguousarray(words.vectors[: len(kept)])
    text = json.dumps(kept, ensure_ascii=False).encode()
    tensors["words.names"] = np.frombuffer(text, dtype=np.uint8)
    return {"kept": "table", "source": words.source, "n_words": len(kept)}


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _read_config(directory: Path) -> dict[str, Any]:
    if not directory.exists():
        raise InputError(f"there is no model at {directory}; make one with: wordsight fit")
    try:
        config = json.loads(
            (directory / "config.json").read_text(encoding="utf-8"), parse_constant=_refuse_constant
        )
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{directory} holds no Wordsight model: its config.json is missing or unreadable; "
            "name a directory made by: wordsight fit"
        ) from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise DataError(
            f"{directory} was not made by Wordsight (its config.json says nothing of "
            f"{FORMAT!r}); name a directory made by: wordsight fit"
        )
    if config.get("version") != FORMAT_VERSION:
        raise DataError(
            f"{directory} is a model of version {config.get('version')!r}, and this Wordsight "
            f"({__version__}) reads version {FORMAT_VERSION}; fit it again, or install the "
            "Wordsight that made it"
        )
    return config


def _read_tensors(directory: Path, *, halves: bool) -> dict[str, NDArray[Any]]:
    try:
        tensors = load_file(directory / "model.safetensors")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{directory}/model.safetensors is missing, truncated or damaged; copy or save the "
            "model again"
        ) from error
    for name, values in tensors.items():
        expected: tuple[type[np.generic], ...] = (np.float32, np.float64)
        if name == "words.names":
            expected = (np.uint8,)
        elif halves:
            expected = (*expected, np.float16)
        if values.dtype not in expected:
            raise DataError(
                f"{directory}/model.safetensors holds {name} as {values.dtype}, which no model "
                "has; copy or save the model again"
            )
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise DataError(
                f"{directory}/model.safetensors has NaN or infinity in {name}; save the model again"
            )
    return tensors


def _unpack(
    config: dict[str, Any], tensors: dict[str, NDArray[Any]], directory: Path
) -> CrossModalClassifier:
    seen, unseen = labels_of(config["seen"]), _unseen_of(config)
    sizes = {"F": whole_number(config["n_features"]), "C": len(seen), "u": len(unseen)}

    def take(name: str, shape: tuple[str, ...]) -> NDArray[Any]:
        values = tensors[name]
        expected = tuple(
            sizes.setdefault(letter, values.shape[axis] if axis < values.ndim else -1)
            for axis, letter in enumerate(shape)
        )
        if values.shape != expected:
            raise DataError(
                f"{directory}/model.safetensors: {name} has shape {values.shape}, and the rest of "
                f"the model asks for {expected}; copy or save the model again"
            )
        return values

    seen_vectors = take("words.seen", ("C", "d"))
    unseen_vectors = take("words.unseen", ("u", "d"))
    if "word_coef_" not in PARTS["mapping"][config["parts"]["mapping"]["kind"]].arrays:
        sizes["m"] = sizes["d"]  # images are mapped to where the words are
    model = CrossModalClassifier(unseen=tuple(unseen.tolist()), **config["params"])
    model._check_parameters()
    model.unseen_classifier = unpack_unseen_classifier(config.get("unseen_classifier"))
    for role, kinds in PARTS.items():
        entry = config["parts"][role]
        setattr(
            model,
            f"{role}_",
            None if entry is None else _unpack_part(role, role, entry, kinds, take),
        )
    for part in (model.seen_classifier_, *_and_members(model.novelty_)):
        part.classes_ = seen
    words = _unpack_words(config["words"], take)
    if words.dimension != sizes["d"]:
        raise ValueError(f"words of {words.dimension} dimensions, and a model of {sizes['d']}")
    model.restore(
        ClassWords(words, seen, unseen, seen_vectors, unseen_vectors),
        n_features=sizes["F"],
        n_calibration=whole_number(config["n_calibration"]),
        held_out_accuracy=finite_number(config["held_out_accuracy"]),
        variance=finite_number(config["variance"]),
        reference=_kept("reference", "r", len(seen), take)
        if "reference.points" in tensors
        else None,
    )
    model.selection_ = None
    model.false_novel_rate_ = finite_number(config.get("false_novel_rate", model.false_novel_rate))
    kept = config.get("keep_seen")
    model.keep_seen_ = None if kept is None else finite_number(kept)
    model.calibration_points_ = model.calibration_labels_ = model.calibration_right_ = None
    if model.novelty_.compares_words:
        model.calibration_points_, codes = _kept("calibration", "h", len(seen), take)
        model.calibration_labels_ = seen[codes]
        if model.keep_seen_ is not None:
            model.calibration_right_ = take("calibration.right", ("h",)).astype(bool)
    model.about_ = dict(config["about"])
    model.precision_ = _precision_of(config)
    return model


def _precision_of(config: dict[str, Any]) -> str:
    """Return what the arrays are stored as; models from before there was a choice do not say."""
    precision = config.get("precision", "float32")
    if precision not in PRECISIONS:
        raise ValueError(f"{precision!r} stands where a precision is expected")
    return str(precision)


def _kept(
    name: str, size: str, n_seen: int, take: Callable[[str, tuple[str, ...]], NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return held-out images that a model keeps, and their classes."""
    points = take(f"{name}.points", (size, "m"))
    codes = take(f"{name}.codes", (size,)).astype(np.int64)
    if not np.isin(codes, np.arange(n_seen)).all():
        raise ValueError("held-out images are of classes that are not there")
    return points, codes


def _unseen_of(config: dict[str, Any]) -> NDArray[np.str_]:
    names = config["unseen"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("the unseen classes are no list of names")
    if len({*names, *map(str, config["seen"])}) < len(names) + len(config["seen"]):
        raise ValueError("a class is named twice")
    return np.array(names, dtype=np.str_)


def _try_out(model: CrossModalClassifier) -> None:
    """Recognise one row of zeros, so that what does not fit together is found at once."""
    with np.errstate(all="ignore"):
        X = np.zeros((1, model.n_features_in_), dtype=np.float32)
        found = model._recognise_features(X)
    if not (np.isfinite(found.mapped).all() and np.isfinite(found.proba).all()):
        raise ValueError("its numbers are too large to compute with")


def _unpack_part(
    role: str,
    place: str,
    entry: Mapping[str, Any],
    kinds: Mapping[str, StoredPart],
    take: Callable[[str, tuple[str, ...]], NDArray[Any]],
) -> Any:
    stored = kinds[entry["kind"]]
    part: Any = stored.make(**dict.fromkeys(stored.given))
    part.set_params(**{name: _tupled(value) for name, value in entry["params"].items()})
    for name, shape in stored.arrays.items():
        if name == "log_thresholds_" and part.rule != "per_class":
            continue
        own = [size if size in SHARED_SIZES else f"{size} of {place}" for size in shape]
        setattr(part, name, take(f"{place}.{name}", tuple(own)))
    for name, read in stored.scalars.items():
        fitted = {**stored.later, **entry["fitted"]}
        setattr(part, name, read(fitted[name]))
    members = entry.get("members", [])
    stored.put_members(
        part,
        [
            _unpack_part(role, f"{place}.{number}", member, kinds, take)
            for number, member in enumerate(members)
        ],
    )
    if role == "novelty":
        part.n_features_in_ = _n_seen_by(part, take)
    elif isinstance(part, ShareClassifier):
        part.n_features_in_ = part.centers_.shape[1]
    elif role != "features":
        # what meets the features: θ1 where there are two layers
        part.n_features_in_ = getattr(part, "coef_hidden_", part.coef_).shape[1]
    check_part(part)
    return part


def _and_members(part: Any) -> list[Any]:
    """Return a novelty detector and all that it is made of."""
    members = PARTS["novelty"][type(part).__name__].members_of(part)
    return [part, *(each for member in members for each in _and_members(member))]


def _n_seen_by(part: Any, take: Callable[[str, tuple[str, ...]], NDArray[Any]]) -> int:
    """Return how many numbers a novelty detector sees of an image."""
    if part.sees == "features":
        inner = _and_members(part)[-1]
        table = inner.means_ if hasattr(inner, "means_") else inner.training_points_
        return int(table.shape[1])
    if part.sees == "logits":
        return len(take("words.seen", ("C", "d")))
    return len(take("mapping.intercept_", ("m",)))


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _unpack_words(
    entry: Mapping[str, Any], take: Callable[[str, tuple[str, ...]], NDArray[Any]]
) -> WordVectors:
    if entry["kept"] == "default":
        return WordVectors.default()
    names = json.loads(take("words.names", ("b",)).tobytes().decode())
    return WordVectors(names, take("words.table", ("t", "d")), source=str(entry["source"]))
