"""Fill the tables of a page: ``python -m benchmarks.page docs/performance.json PAGE``.

The page is prose with marked places, ``<!-- table: NAME -->`` to ``<!-- end -->``; what stands
between the marks is made from the results, and nothing else of the page is touched. Names are
``targets``, ``stages``, ``machine`` and those of the benchmarks. The place ``scaling`` gets a
picture, in ``images/`` beside the page.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import records, tables
from benchmarks.catalogue import BENCHMARKS
from benchmarks.pictures import draw_scaling
from benchmarks.records import Record
from wordsight.exceptions import InputError, WordsightError
from wordsight.storage import atomic_path

__all__ = ["PICTURE", "filled", "main"]

PICTURE = "images/scaling.png"
"""Beside the page."""

_PLACE = re.compile(r"(<!-- table: ([^>]*?) -->\n)(.*?)(^<!-- end -->)", re.M | re.S)
_MARK = re.compile(r"<!-- (?:table: [^>]*?|end) -->")


def filled(page: str, entries: Mapping[str, Record]) -> str:
    """Return a page with its marked places filled.

    Parameters
    ----------
    page : str
    entries : dict of str to record
        By the names of benchmarks; one that is missing is said to be not measured yet.

    Raises
    ------
    InputError
        A place has an unknown name, or no end.
    """
    if len(_MARK.findall(page)) != 2 * len(_PLACE.findall(page)):
        raise InputError(
            "a marked place of the page has no beginning or no end; expected pairs of "
            "<!-- table: NAME --> and <!-- end -->, each on a line of its own"
        )
    return _PLACE.sub(
        lambda found: f"{found[1]}\n{_content(found[2], entries)}\n\n{found[4]}", page
    )


def _content(name: str, entries: Mapping[str, Record]) -> str:
    if name == "targets":
        return tables.markdown(tables.targets(BENCHMARKS, entries, agreement=False))
    if name == "stages":
        return tables.markdown(tables.stages(BENCHMARKS, entries))
    if name == "machine":
        return tables.markdown(tables.machines(BENCHMARKS, entries))
    known = {each.name: each for each in BENCHMARKS}
    if name not in known:
        raise InputError(
            f"the page asks for a table {name!r}; expected targets, stages, machine or one of "
            f"{', '.join(known)}"
        )
    benchmark, entry = known[name], entries.get(name)
    if entry is None:
        return f"{benchmark.about}\n\n_Not measured yet._"
    parts = [benchmark.about]
    if "series" in entry["facts"]:
        parts.append(f"![Seconds of each stage while one size grows]({PICTURE})")
        parts.append(tables.markdown(tables.growth(entry)))
        return "\n\n".join(parts)
    if entry["contenders"]:
        parts.append(tables.markdown(tables.contenders(entry)))
    if benchmark.targets:
        parts.append(tables.markdown(tables.targets([benchmark], entries)))
    if "costs" in entry["facts"]:
        parts.append(tables.markdown(tables.costs(entry)))
    elif entry["facts"]:
        parts.append(tables.markdown(tables.facts(entry)))
    parts += entry["notes"]
    return "\n\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the page and draw its picture; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("results", type=Path, help="the JSON file that python -m benchmarks wrote")
    parser.add_argument("page", type=Path, help="the Markdown file to fill")
    options = parser.parse_args(arguments)
    try:
        for path in (options.results, options.page):
            if not path.is_file():
                raise InputError(f"there is no file {path}")
        entries = records.read(options.results)
        text = filled(options.page.read_text(encoding="utf-8"), entries)
        series = entries.get("scaling", {}).get("facts", {}).get("series")
        if series:
            draw_scaling(series, options.page.parent / PICTURE)
        with atomic_path(options.page) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except WordsightError as error:
        sys.stderr.write(f"python -m benchmarks.page: error: {error}\n")
        return 2 if isinstance(error, InputError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
