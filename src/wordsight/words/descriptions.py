"""Classes described in sentences: the file that holds them, and the vectors made of them."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import DataError, InputError, WordsightError
from wordsight.words.vectors import DESCRIBED, WordVectors

__all__ = ["Descriptions", "Encoder", "describe", "read_descriptions"]

Descriptions = Mapping[str, str | Sequence[str]]
"""One text, or several, for each class."""

_KEY = "description"
_LONGEST = 10_000_000


class Encoder(Protocol):
    """What turns texts into vectors."""

    @property
    def name(self) -> str:
        """Which encoder it is: the same name, the same vectors."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector a text, shape (n, d)."""


def read_descriptions(path: str | os.PathLike[str]) -> dict[str, tuple[str, ...]]:
    """Read a YAML or JSON file of class descriptions.

    .. code-block:: yaml

        segway: a two-wheeled self-balancing electric vehicle on which one stands
        okapi:
          - a striped animal of the rain forest
          - a relative of the giraffe with a dark body
        zebra:
          description: a horse with black and white stripes

    Parameters
    ----------
    path : path-like
        Ends in ``.yaml``, ``.yml`` or ``.json``. YAML needs PyYAML, which the extra ``text``
        brings.

    Returns
    -------
    dict of str to tuple of str
        In the order of the file.

    Raises
    ------
    DataError
        The file cannot be read or parsed, names a class twice, has an unknown key or a YAML alias,
        or an entry is empty or no text.
    InputError
        Another ending.
    WordsightError
        A YAML file, and PyYAML is not installed.
    """
    place = Path(path)
    ending = place.suffix.lower()
    if ending not in (".yaml", ".yml", ".json"):
        raise InputError(f"{place} is no description file; give a .yaml, .yml or .json file")
    try:
        if place.stat().st_size > _LONGEST:
            raise DataError(f"{place} has more than {_LONGEST:,} bytes; describe classes in less")
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise DataError(f"{place} cannot be read: {reason}; save it as a text in UTF-8") from error
    found = _parsed_json(place, text) if ending == ".json" else _parsed_yaml(place, text)
    if not isinstance(found, dict) or not found:
        raise DataError(
            f"{place} describes no class; expected lines such as: zebra: a horse with stripes"
        )
    try:
        return _checked(found)
    except InputError as error:
        raise DataError(f"{place}: {error}") from error


def _parsed_json(place: Path, text: str) -> Any:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        _refuse_twice(place, [name for name, _value in found])
        return dict(found)

    try:
        return json.loads(text, object_pairs_hook=pairs)
    except DataError:  # which is a ValueError as well
        raise
    except (ValueError, RecursionError) as error:
        raise DataError(
            f'{place} is no JSON ({error}); mend it, such as: {{"zebra": "a horse with stripes"}}'
        ) from error


def _parsed_yaml(place: Path, text: str) -> Any:
    try:
        import yaml  # noqa: PLC0415 - optional
    except ImportError as error:
        raise WordsightError(
            f"reading {place} needs PyYAML: pip install 'wordsight[text]', or give a .json file"
        ) from error

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            # a few lines of aliases of aliases stand for more texts than there is memory
            events: Any = self
            if events.check_event(yaml.AliasEvent):
                raise ValueError(f"the alias *{events.peek_event().anchor}; write the text out")
            return super().compose_node(parent, index)

    try:
        loader = Loader(text)
        tree = loader.get_single_node()
        # the loader itself lets a name that comes twice pass
        pairs = tree.value if isinstance(tree, yaml.MappingNode) else []
        _refuse_twice(place, [key.value for key, _value in pairs if isinstance(key.value, str)])
        return None if tree is None else loader.construct_document(tree)
    except DataError:
        raise
    # a tag that does not fit its value ("!!bool x") makes PyYAML raise nearly anything
    except Exception as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{place} is no YAML of class descriptions ({reason}); mend it, such "
            "as: zebra: a horse with stripes"
        ) from error


def _refuse_twice(place: Path, names: Sequence[str]) -> None:
    met = set()
    for name in names:
        if name in met:
            raise DataError(f"{place} names {name!r} twice; describe each class once")
        met.add(name)


def _is_text(value: Any) -> bool:
    """Say whether a value is a text that says something and that UTF-8 can hold."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON can spell
        return False
    return True


def _checked(given: Mapping[Any, Any]) -> dict[str, tuple[str, ...]]:
    """Return the texts of each class; refuse what is none."""
    found = {}
    for name, entry in given.items():
        if not _is_text(name):
            raise InputError(f"{name!r} is no class name; put a name in quotes")
        texts = entry
        if isinstance(entry, Mapping):
            strange = [str(key) for key in entry if key != _KEY]
            if strange or not entry:
                raise InputError(
                    f"{name} has the unknown key {', '.join(strange) or 'none'}; expected a text, "
                    f"a list of texts, or: {_KEY}"
                )
            texts = entry[_KEY]
        several = [texts] if isinstance(texts, str) else texts
        if not isinstance(several, Sequence) or not several:
            raise InputError(f"{name} has no description; give a sentence of what it looks like")
        for text in several:
            if not _is_text(text):
                raise InputError(
                    f"{name} is described by {text!r}, which is no text; give a sentence of what "
                    "it looks like"
                )
        found[name] = tuple(" ".join(text.split()) for text in several)
    return found


def describe(descriptions: Descriptions, encoder: Encoder) -> WordVectors:
    """Make the vectors of described classes.

    Parameters
    ----------
    descriptions : mapping of str to str or sequence of str
        A class's texts; the mean of their directions stands for the class, at length 1.
    encoder : Encoder
        Such as `SentenceEncoder`.

    Returns
    -------
    WordVectors
        A table of the classes, whose source names the encoder.

    Raises
    ------
    InputError
        An empty text, or none.
    WordsightError
        The encoder returns something else than one finite vector a text.
    """
    if not descriptions:
        raise InputError("no class is described; give a text for each class name")
    texts = _checked(descriptions)
    every = [text for some in texts.values() for text in some]
    vectors = np.asarray(encoder.encode(every), dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(every) or not np.isfinite(vectors).all():
        raise WordsightError(
            f"{encoder.name} returned an array of shape {vectors.shape} for {len(every)} texts; "
            "expected one finite vector for each"
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        raise WordsightError(f"{encoder.name} returned a vector of zeros; describe in other words")
    vectors /= lengths
    table, start = [], 0
    for name, some in texts.items():
        mean = vectors[start : start + len(some)].mean(axis=0)
        start += len(some)
        length = float(np.linalg.norm(mean))
        if length < 1e-6:
            raise InputError(f"the descriptions of {name} cancel out; give others")
        table.append(mean / length)
    return WordVectors(
        list(texts), np.array(table, dtype=np.float32), source=DESCRIBED + encoder.name
    )
