"""The one error for names without a word vector: what is missing, what is near, what to do."""

from collections.abc import Sequence

from wordsight.exceptions import MissingWordError
from wordsight.words.spelling import LONGEST_NAME, near_spellings, shortened

__all__ = ["missing_error"]

# finding near spellings takes some milliseconds a name: the first few tell what is wrong
_NAMES_WITH_HINTS = 10
# of very many names a sentence shows the first
_NAMES = 100


def missing_error(
    lacking: Sequence[tuple[str, list[str]]], words: Sequence[str], ways: Sequence[str]
) -> MissingWordError:
    """Return the error, in one sentence.

    Parameters
    ----------
    lacking : sequence of (str, list of str)
        Each name without a vector and those of its parts that were looked up in vain, if any.
    words : sequence of str
        The vocabulary to find near spellings in.
    ways : sequence of str
        Values of ``on_missing`` that would help.
    """
    separator = "; near: " if len(lacking) == 1 else ", near: "
    told = []
    for at, (name, looked_up) in enumerate(lacking[:_NAMES]):
        parts = list(dict.fromkeys(map(shortened, looked_up)))
        what = repr(shortened(name))
        if parts:
            noun = "its part" if len(parts) == 1 else "its parts"
            what += f", nor for {noun} {', '.join(map(repr, parts))}"
        hint = at < _NAMES_WITH_HINTS and len(name) <= LONGEST_NAME
        near = _near(parts or [name], words) if hint else []
        told.append(what + (separator + ", ".join(near) if near else ""))
    if len(lacking) > _NAMES:
        told.append(f"and {len(lacking) - _NAMES:,} more")
    noun = "no word vector for" if len(lacking) == 1 else "no word vectors for"
    advice = f"use on_missing={' or '.join(map(repr, ways))}" if ways else MissingWordError.advice
    return MissingWordError(f"{noun} {'; '.join(told)} ({advice})")


def _near(spelled: Sequence[str], words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(word for part in spelled for word in near_spellings(words, part)))
