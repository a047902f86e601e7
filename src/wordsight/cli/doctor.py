"""``wordsight doctor``: what this installation runs on, and what it lacks."""

from typing import TYPE_CHECKING, Any

from wordsight.cli import console
from wordsight.cli.options import Json
from wordsight.exceptions import WordsightError

if TYPE_CHECKING:
    from wordsight.doctor import Finding

__all__ = ["doctor"]


def doctor(json_: Json = False) -> None:
    """Print versions, processors, devices and folders, what is missing, and what to do.

    Learns a model of two classes of synthetic pictures to see whether the whole works. The exit
    code is 0 where it does, and 1 where something that is needed is broken. Your home folder is
    shown as ~, and of the environment only what Wordsight reads.

    Examples
    --------
    wordsight doctor
    wordsight doctor --json
    """
    from wordsight.doctor import examine  # noqa: PLC0415

    with console.progress():
        found = examine()
    if json_:
        console.print_json(found.as_json())
    else:
        for title, facts in found.sections.items():
            console.print_table(None, [title, ""], [(name, _shown(x)) for name, x in facts.items()])
        for finding in found.findings:
            console.print_line(_sentence(finding))
        if found.works:
            console.print_line("Wordsight works here.")
    if not found.works:
        raise WordsightError(
            "something that Wordsight needs is broken; do what is said beside it, and run "
            "wordsight doctor again"
        )


def _sentence(finding: "Finding") -> str:
    kind = "broken" if finding.is_needed else "missing"
    return f"{kind}: {finding.what}; {finding.advice}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) or "none"
    return "none" if value is None else str(value)
