"""What is said of columns that do not go together."""

from collections.abc import Sized

from wordsight.exceptions import InputError

__all__ = ["check_length"]


def check_length(what: str, values: Sized, expected: int) -> None:
    """Raise `InputError` where there is not one value for each."""
    if len(values) != expected:
        raise InputError(f"{what} has {len(values)} entries; expected {expected}, one for each")
