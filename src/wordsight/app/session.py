"""What the explorer shows: a model, its images, and what was taught, undone and set.

A `State` never changes. Whoever answers a request takes the present one and works with it to the
end; a change makes another state and puts it in place at once, so that nobody ever sees half of it.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.classifiers.queries import WordQuery
from wordsight.exceptions import InputError
from wordsight.exploration.gallery import Gallery
from wordsight.exploration.teaching import Preview, preview
from wordsight.mapping.base import moved_words
from wordsight.persistence import save_model
from wordsight.storage import refuse_existing
from wordsight.words.descriptions import Encoder, describe
from wordsight.words.vectors import WordVectors

__all__ = ["Limits", "NotThereError", "Session", "State"]

FARTHEST = 1e9
"""Thresholds beyond this would leave no digits of the scores that are counted from them."""

_NAME_BYTES = 200
"""Most systems allow 255, and it is a little longer until it is whole."""

_PLAIN_NAME = re.compile(r"[^\W_][\w .-]{0,99}")


class NotThereError(InputError):
    """An image, or images at all, that this explorer does not have."""


@dataclass(frozen=True)
class Limits:
    """What is refused.

    Attributes
    ----------
    upload_bytes : int
        The longest picture that may be dropped.
    classes : int
        The most classes a model may have.
    undo : int
        How many changes can be undone.
    """

    upload_bytes: int = 25_000_000
    classes: int = 1000
    undo: int = 20


@dataclass(frozen=True)
class State:
    """A model with a threshold, and the images as it sees them.

    Attributes
    ----------
    own : CrossModalClassifier
        The model with the threshold of its own.
    model : CrossModalClassifier
        The same with the threshold that was set.
    gallery : Gallery or None
        The images, as `model` sees them; None where no data were given.
    threshold : float
        How far the threshold was moved from the model's own, as a novelty score: an image is novel
        where its score, counted from the model's own threshold, is above it.
    revision : int
        Rises with every change of the classes.
    added : frozenset of str
        Classes that were taught.
    """

    own: CrossModalClassifier
    model: CrossModalClassifier
    gallery: Gallery | None
    threshold: float = 0.0
    revision: int = 0
    added: frozenset[str] = frozenset()

    @property
    def classes(self) -> list[str]:
        """The names of all classes, seen ones first."""
        return [str(name) for name in self.model.classes_]

    @property
    def scores(self) -> NDArray[np.float64]:
        """The novelty scores of all images, counted from the model's own threshold."""
        assert self.gallery is not None
        return np.asarray(self.gallery.novelty_score + self.threshold)

    def images(self) -> Gallery:
        """Return the gallery; `NotThereError` where there is none."""
        if self.gallery is None:
            raise NotThereError(
                "no images were given, and this view needs some; start it with: wordsight explore "
                "MODEL DATA"
            )
        return self.gallery


@dataclass
class Session:
    """A model, its images and the changes made to it.

    Parameters
    ----------
    model : CrossModalClassifier
        Is never changed; what is taught goes into copies.
    name : str
        What the model is called.
    gallery : Gallery or None
        The images as the model sees them.
    data_name : str
        What the images are called.
    save_to : pathlib.Path
        The folder that new models are put in.
    encoder : Encoder or None
        Turns descriptions into vectors.
    limits : Limits
    """

    model: CrossModalClassifier
    name: str
    gallery: Gallery | None = None
    data_name: str = ""
    save_to: Path = field(default_factory=Path)
    encoder: Encoder | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        self._state = State(self.model, self.model, self.gallery)
        self._past: list[tuple[CrossModalClassifier, frozenset[str]]] = []
        self._saved = self._state
        self._changing = threading.Lock()

    @property
    def state(self) -> State:
        """The present state; take it once, and work with it."""
        return self._state

    @property
    def can_undo(self) -> bool:
        """Whether a change of the classes can be taken back."""
        return bool(self._past)

    @property
    def is_changed(self) -> bool:
        """Whether classes or threshold are others than those that were saved last."""
        now, saved = self._state, self._saved
        return (now.classes, now.threshold) != (saved.classes, saved.threshold)

    def preview(self, name: str, description: str | None = None) -> Preview:
        """Say what a new class would take from the others."""
        state = self.state
        gallery = state.images()
        table = self._described(name, description)
        vector = None if table is None else table.vectors[0]
        return preview(state.model, gallery, name, vector, n_examples=24)

    def look_up(self, name: str, description: str | None = None) -> WordQuery:
        """Return where a name lies, or what is said of it: all there is to see without images."""
        model = self.state.model
        table = self._described(name, description)
        if table is None:
            return model.query(name)
        vector = table.vectors[0]
        return WordQuery(name, (), moved_words(model.mapping_, vector[None])[0], vector)

    def teach(self, name: str, description: str | None = None) -> State:
        """Add a class by its name, or by what is said of it."""
        described = self._described(name, description)  # the slow part, before others have to wait

        def add(state: State) -> State:
            self._check_room(state)
            own = state.own.branch()
            # a name typed by hand is meant, whole or composed
            own.add_classes(described or {name: own.query(name).word_vector})
            return replace(state, own=own, added=state.added | {name})

        return self._change(add)

    def forget(self, name: str) -> State:
        """Take an unseen class away."""

        def remove(state: State) -> State:
            own = state.own.branch().remove_classes([name])
            return replace(state, own=own, added=state.added - {name})

        return self._change(remove)

    def undo(self) -> State:
        """Take back the last change of the classes; the threshold stays where it is."""
        with self._changing:
            if not self._past:
                raise InputError("no class was added or removed, so there is none to undo; add one")
            now, (own, added) = self._state, self._past[-1]
            before = _at_threshold(replace(now, own=own, added=added))
            self._past.pop()
            self._state = replace(before, revision=now.revision + 1)
            return self._state

    def set_threshold(self, value: float | None) -> State:
        """Move the threshold; None puts it back where the model had it."""
        threshold = 0.0 if value is None else float(value)
        if not abs(threshold) <= FARTHEST:
            raise InputError(
                f"a threshold of {threshold:g} was given; give a number between {-FARTHEST:g} and "
                f"{FARTHEST:g}"
            )
        with self._changing:
            if threshold != self._state.threshold:
                self._state = _at_threshold(replace(self._state, threshold=threshold))
            return self._state

    def save(self, name: str) -> Path:
        """Save the model as it is now, in a new folder of this name beside the others.

        Parameters
        ----------
        name : str
            A plain name, no path.

        Returns
        -------
        pathlib.Path
            The folder.
        """
        state = self.state
        if len(name.encode()) > _NAME_BYTES:
            raise InputError(
                f"a name of {len(name.encode())} bytes was given, and folders have shorter ones; "
                f"give one of at most {_NAME_BYTES}"
            )
        if not _PLAIN_NAME.fullmatch(name) or name.endswith((" ", ".")):
            raise InputError(
                f"{name!r} is no plain name; use letters, digits, '-', '_', '.' and spaces, and "
                "begin with a letter or digit"
            )
        if not self.save_to.is_dir():
            raise InputError(
                f"the folder {self.save_to} is gone, so nothing can be saved there; make it again"
            )
        place = self.save_to / name
        refuse_existing(place)
        about = dict(getattr(state.model, "about_", {}))
        if state.threshold or state.classes != [str(each) for each in self.model.classes_]:
            for outdated in ("scores", "scored_on"):  # they are of another model now
                about.pop(outdated, None)
        saved = save_model(state.model, place, about=about)
        self._saved = state
        return saved

    def _change(self, change: Callable[[State], State]) -> State:
        with self._changing:
            before = self._state
            after = _at_threshold(change(before))
            self._past = [*self._past, (before.own, before.added)][-self.limits.undo :]
            self._state = replace(after, revision=before.revision + 1)
            return self._state

    def _check_room(self, state: State) -> None:
        if len(state.classes) >= self.limits.classes:
            raise InputError(
                f"the model has {len(state.classes)} classes, which is all the explorer shows; "
                "remove one first"
            )

    def _described(self, name: str, description: str | None) -> WordVectors | None:
        if not name.strip():
            raise InputError("the new class was given no name; give one, such as: zebra")
        if description is None or not description.strip():
            return None
        if self.encoder is None:
            raise InputError(
                "a description was given without a text model; run: wordsight explore MODEL DATA "
                "--text-model DIR"
            )
        return describe({name: description}, self.encoder)


def _at_threshold(state: State) -> State:
    """Return the state with its model's gate moved to its threshold, and the images seen anew."""
    model = state.own
    if state.threshold:
        model = state.own.branch().move_threshold(state.threshold)
    gallery = None if state.gallery is None else state.gallery.updated(model)
    return replace(state, model=model, gallery=gallery)
