"""The classes of a model and their word vectors, changed only as a whole.

Names are compared in Unicode NFC, as everywhere: two spellings of one name are one class.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from wordsight.exceptions import InputError
from wordsight.words.spelling import LONGEST_NAME, canonical, shortened
from wordsight.words.vectors import WordVectors

__all__ = ["ClassWords", "check_classes", "columns_of", "listed"]

OnMissing = Literal["error", "compose"]

_LISTED = 30
"""Names in a sentence at most."""


@dataclass(frozen=True)
class ClassWords:
    """Seen and unseen classes with their word vectors.

    Attributes
    ----------
    words : WordVectors
        What names are looked up in.
    seen : ndarray, shape (n_seen,)
        Labels of the training images, sorted.
    unseen : ndarray of str, shape (n_unseen,)
        In the order in which they were named.
    seen_vectors, unseen_vectors : ndarray, shapes (n_seen, d) and (n_unseen, d)
    """

    words: WordVectors
    seen: NDArray[Any]
    unseen: NDArray[Any]
    seen_vectors: NDArray[Any]
    unseen_vectors: NDArray[Any]

    @classmethod
    def look_up(
        cls,
        words: WordVectors,
        seen: NDArray[Any],
        unseen: Sequence[str],
        *,
        on_missing: OnMissing,
    ) -> Self:
        """Look up the vectors of all classes; every name that has none is in the one error."""
        names = [*map(str, seen), *unseen]
        _found, vectors = words.vectors_for(names, on_missing=on_missing)
        return cls(
            words,
            seen,
            np.array(unseen, dtype=np.str_),
            vectors[: len(seen)],
            vectors[len(seen) :],
        )

    @cached_property
    def classes(self) -> NDArray[Any]:
        """Seen classes, then unseen ones; labels keep their type while none is unseen."""
        if not len(self.unseen):
            return self.seen
        return np.concatenate([self.seen.astype(np.str_), self.unseen])

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each class stands in `classes`, by its canonical spelling."""
        return {canonical(name): place for place, name in enumerate(map(str, self.classes))}

    def vector_at(self, place: int) -> NDArray[Any]:
        """Return one row of `vectors`, without making them all."""
        n_seen = len(self.seen)
        row: NDArray[Any] = (
            self.seen_vectors[place] if place < n_seen else self.unseen_vectors[place - n_seen]
        )
        return row

    @property
    def vectors(self) -> NDArray[Any]:
        """Word vectors in the order of `classes`."""
        return np.concatenate([self.seen_vectors, self.unseen_vectors])

    def with_classes(
        self, names: Iterable[str] | Mapping[str, Any] | WordVectors, *, on_missing: OnMissing
    ) -> Self:
        """Return these classes and more unseen ones."""
        if isinstance(names, str):
            raise InputError(f"the one text {names!r} was given; expected a list: [{names!r}]")
        if isinstance(names, WordVectors):
            self._check_source(names)
            names = dict(zip(names.words, names.vectors, strict=True))
        elif self.words.is_described and not isinstance(names, Mapping):
            names = list(names)
            self.check_described(names)
        added = [str(name) for name in names]
        known = set(self.places)
        for name in added:
            _check_name(name)
            if canonical(name) in known:
                raise InputError(f"{name} is a class of the model already; add only new ones")
            known.add(canonical(name))
        if isinstance(names, Mapping):
            given = [self._checked(str(name), names[name]) for name in names]
            vectors = np.array(given).reshape(len(given), self.seen_vectors.shape[1])
        else:
            _found, vectors = self.words.vectors_for(added, on_missing=on_missing)
        vectors = vectors.astype(self.seen_vectors.dtype, copy=False)
        return replace(
            self,
            unseen=np.concatenate([self.unseen, np.array(added, dtype=np.str_)]),
            unseen_vectors=np.concatenate([self.unseen_vectors, vectors]),
        )

    def _check_source(self, table: WordVectors) -> None:
        """Refuse vectors of another kind: no distance between the two kinds means anything."""
        if table.is_described or self.words.is_described:
            if table.source == self.words.source:
                return
            raise InputError(
                f"the model knows classes by {_kind(self.words)}, and these are {_kind(table)}: "
                "vectors of two sources lie in two spaces, and no distance between them means "
                "anything; make them in the way that the model was trained with"
            )

    def check_described(self, names: Sequence[str]) -> None:
        """Raise `InputError` for names that are not described, where classes are described."""
        if not self.words.is_described:
            return
        described = _spelled(self.words.words)
        lacking = [str(name) for name in names if canonical(str(name)) not in described]
        if lacking:
            raise InputError(
                f"{listed(lacking)} is named, and the model knows classes by "
                f"{_kind(self.words)}: a word's vector would mean nothing there; describe "
                "each in a sentence (describe, or --also-described FILE)"
            )

    def without_classes(self, names: Iterable[str]) -> Self:
        """Return these classes less some unseen ones."""
        removed = [names] if isinstance(names, str) else [str(name) for name in names]
        seen, unseen = _spelled(self.seen), _spelled(self.unseen)
        for name in removed:
            if canonical(name) in seen:
                raise InputError(
                    f"{name} is a seen class, which the gate was trained on and cannot be removed; "
                    "use predict_among to choose among other classes"
                )
            if canonical(name) not in unseen:
                raise InputError(
                    f"{name} is not a class of the model; its unseen classes are: "
                    f"{listed(self.unseen) or 'none'} (name one of them)"
                )
        gone = _spelled(removed)
        kept = np.array([canonical(name) not in gone for name in self.unseen.tolist()], dtype=bool)
        return replace(self, unseen=self.unseen[kept], unseen_vectors=self.unseen_vectors[kept])

    def _checked(self, name: str, vector: Any) -> NDArray[Any]:
        try:
            with np.errstate(over="ignore"):  # what does not fit is then infinite, and refused
                values = np.asarray(vector).astype(self.seen_vectors.dtype, casting="same_kind")
        except (TypeError, ValueError) as error:
            raise InputError(
                f"the vector given for {name} is no row of numbers ({error}); give one number "
                "for each dimension of the word space"
            ) from error
        expected = self.seen_vectors.shape[1:]
        if values.shape != expected:
            raise InputError(
                f"a vector of shape {values.shape} was given for {name}; the model's word vectors "
                f"have {expected[0]} dimensions: take it from the same source"
            )
        if not np.isfinite(values).all() or not values.any():
            raise InputError(
                f"the vector given for {name} is zero, NaN or infinite; expected finite numbers"
            )
        return values


def _kind(table: WordVectors) -> str:
    return table.source if table.is_described else f"words ({table.source})"


def _spelled(names: Iterable[Any]) -> set[str]:
    return {canonical(str(name)) for name in names}


def _check_name(name: str) -> None:
    """Refuse a name that a class cannot bear: arrays and files of names could not hold it."""
    if not name or "\0" in name or len(name) > LONGEST_NAME:
        raise InputError(
            f"the class name {shortened(name)!r} has {len(name):,} characters; give one of 1 to "
            f"{LONGEST_NAME:,} characters, none of them NUL"
        )
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"the class name {shortened(name)!r} cannot be written as UTF-8; mend it"
        ) from error


def listed(names: Iterable[Any]) -> str:
    """Return names as a sentence shows them: the first, and how many more there are."""
    shown = [str(name) for name in names]
    more = f" and {len(shown) - _LISTED:,} more" if len(shown) > _LISTED else ""
    return ", ".join(shown[:_LISTED]) + more


def columns_of(classes: Iterable[Any], asked: Sequence[str]) -> NDArray[np.int64]:
    """Return where some classes stand among those of a model, shape (k,).

    Raises
    ------
    InputError
        A class that is not there, or none at all.
    """
    known = {canonical(str(name)): column for column, name in enumerate(classes)}
    missing = [str(name) for name in asked if canonical(str(name)) not in known]
    if missing or not len(asked):
        raise InputError(
            f"{listed(missing) or 'no class'} was asked for; expected some of the model's "
            f"classes: {listed(known)}"
        )
    return np.array([known[canonical(str(name))] for name in asked])


def check_classes(seen: NDArray[Any], unseen: Sequence[str]) -> None:
    """Refuse names of no use, classes named twice or both seen and unseen, and fewer than two."""
    unseen = [str(name) for name in unseen]
    for name in [*map(str, seen), *unseen]:
        _check_name(name)
    known = _spelled(seen)
    if len(known) < len(seen):
        spelled = Counter(canonical(str(name)) for name in seen)
        raise InputError(
            f"labels spell {max(spelled, key=spelled.__getitem__)!r} in two ways that look alike; "
            "write them in one: unicodedata.normalize('NFC', label)"
        )
    both = [name for name in unseen if canonical(name) in known]
    if both:
        raise InputError(
            f"images of {listed(both)} were given for training, and the same classes are named "
            "unseen; leave their images out, or do not name them unseen"
        )
    if len(seen) < 2:
        given = f"only one class was given ({seen[0]})" if len(seen) else "no images were given"
        raise InputError(f"{given}; expected images of at least two seen classes to learn from")
    twice = sorted(name for name, n in Counter(map(canonical, unseen)).items() if n > 1)
    if twice:
        raise InputError(f"{listed(twice)} is named unseen twice; name each class once")
