"""Which words of a large file are wanted, and whether all of them have been met."""

from collections.abc import Iterable

from wordsight.exceptions import InputError
from wordsight.words.spelling import canonical, lookup_order, name_parts

__all__ = ["Selection"]


class Selection:
    """The words worth keeping so that every later look-up of some names ends as in the whole file.

    Parameters
    ----------
    names : iterable of str
        The names that will be looked up. All their spellings are wanted, and, since a name may
        have to be composed, those of their parts.

    Raises
    ------
    InputError
        `names` is one string, or holds something else than strings.
    """

    def __init__(self, names: Iterable[str]) -> None:
        if isinstance(names, str):
            raise InputError(
                f"only={names!r} is one string; give a list of words: only=[{names!r}]"
            )
        asked = list(names)
        for name in asked:
            if not isinstance(name, str):
                raise InputError(
                    f"only= takes words (strings), and {name!r} is none; give a list of words"
                )
        self._wanted = {
            spelling
            for name in asked
            for whole_or_part in (name, *name_parts(name))
            for spelling in lookup_order(whole_or_part)
        }
        # while the first spelling of a name is still to come, any other is but a fallback
        self._awaited = {canonical(name) for name in asked}

    def take(self, word: str) -> bool:
        """Say whether a word met in the file is wanted, and remember that it was met.

        Parameters
        ----------
        word : str
            In Unicode NFC.
        """
        self._awaited.discard(word)
        return word in self._wanted

    @property
    def complete(self) -> bool:
        """Whether every name was met exactly as given, so that the rest need not be read."""
        return not self._awaited
