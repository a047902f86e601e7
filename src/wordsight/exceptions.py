"""Errors a user can act on.

Every message says what was given, what was expected and what to do next, in one sentence. The
command line prints the message alone and exits with the error's ``exit_code``.
"""


class WordsightError(Exception):
    """Base of every error that Wordsight raises on purpose.

    Parameters
    ----------
    message : str
        Lines are joined, and of a long message the middle is left out: it begins with what was
        given, and ends with what to do.
    """

    exit_code = 1
    longest = 400
    """Characters of a message: what was given may be a whole table."""

    def __init__(self, message: str) -> None:
        text = " ".join(line.strip() for line in message.splitlines())
        if len(text) > self.longest:
            half = self.longest // 2 - 2
            text = f"{text[:half].rstrip()} … {text[-half:].lstrip()}"
        super().__init__(text)


class InputError(WordsightError, ValueError):
    """The call itself is wrong: an argument, a name, a shape, a path that is not there."""

    exit_code = 2


class DataError(WordsightError, ValueError):
    """The call is right, but a file it names is broken, truncated or of another kind."""


class BrokenImageError(DataError):
    """One image cannot be decoded.

    Parameters
    ----------
    name : str
        The file, or the row of a table, that holds the image.
    reason : str
        What is wrong with it.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"cannot read the image {name}: {reason} (mend or remove it, or skip it: "
            "on_broken='skip')"
        )
        self.name = name
        self.reason = reason


class MissingWordError(InputError, KeyError):
    """A word has no vector."""

    longest = 20_000  # all names are in it, to be mended at once
    advice = "name another word, or give word vectors that have it"

    def __str__(self) -> str:
        # KeyError would print the message's repr
        return str(self.args[0])


class MissingDependencyError(WordsightError, ImportError):
    """An optional library is asked for and not installed."""
