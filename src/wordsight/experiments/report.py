"""The report of ``wordsight reproduce``: index.html, results.json, results.md and the pictures."""

from collections.abc import Sequence
from pathlib import Path

from wordsight.experiments.drawn import draw
from wordsight.experiments.experiment import Experiment
from wordsight.experiments.page import page
from wordsight.experiments.results import Results
from wordsight.experiments.results_page import markdown
from wordsight.storage import atomic_path, check_writable, refuse_existing

__all__ = ["check_report", "write_report"]

_PAGE, _RESULTS, _TABLES, _PICTURES = "index.html", "results.json", "results.md", "pictures"


def check_report(out: Path, *, overwrite: bool) -> None:
    """Raise where a report could not be written, before hours of work are done for it.

    Raises
    ------
    InputError
        `out` holds a report already and may not be replaced.
    WordsightError
        Nothing can be written there.
    """
    for name in (_PAGE, _RESULTS):
        refuse_existing(out / name, overwrite=overwrite)
    check_writable(out / _PAGE)


def write_report(
    results: Results, experiments: Sequence[Experiment], out: Path, *, overwrite: bool
) -> list[str]:
    """Write a report.

    Everything is drawn and put together first; then every file appears whole or not at all, the
    page last: where there is a page, there is the whole report.

    Parameters
    ----------
    results : Results
        The numbers; the report has a section for each of its experiments.
    experiments : sequence of Experiment
        They draw the pictures; one that is missing has none.
    out : Path
        A folder, made where it is missing. It gets ``index.html``, ``results.json``,
        ``results.md`` (the tables alone) and ``pictures/*.png``.
    overwrite : bool
        Replace a report that is there.

    Returns
    -------
    list of str
        What could not be drawn, and why, to warn of; the report says it too.

    Raises
    ------
    InputError
        `out` holds a report already and may not be replaced.
    WordsightError
        The disk is full, the folder is read-only, and the like.
    """
    check_report(out, overwrite=overwrite)
    by_name = {experiment.name: experiment for experiment in experiments}
    drawn = {
        each.name: draw(each, by_name[each.name])
        for each in results.experiments
        if each.name in by_name
    }
    pictures = {name: made for name, (made, _problems) in drawn.items()}
    problems = {name: failed for name, (_made, failed) in drawn.items()}
    content = page(results, pictures, problems)
    for picture in (each for made in pictures.values() for each in made):
        with atomic_path(out / _PICTURES / picture.file) as temporary:
            temporary.write_bytes(picture.png)
    results.write(out / _RESULTS)
    with atomic_path(out / _TABLES) as temporary:
        temporary.write_text(markdown(results), encoding="utf-8", errors="replace")
    with atomic_path(out / _PAGE) as temporary:
        # a command may name a file whose name is not text
        temporary.write_text(content, encoding="utf-8", errors="replace")
    return [problem for failed in problems.values() for problem in failed]
