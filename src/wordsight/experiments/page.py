"""The report as one page of HTML that needs nothing beside itself."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Any

from wordsight.experiments.comparison import (
    Comparison,
    compare,
    duration,
    in_words,
    memory,
    plain,
    timings,
)
from wordsight.experiments.deviations import ALL_DEVIATIONS, DEVIATIONS
from wordsight.experiments.drawn import DrawnPicture
from wordsight.experiments.markup import Html, element, join, table
from wordsight.experiments.results import ExperimentResults, Results, RunRecord
from wordsight.experiments.summary import (
    GLANCE,
    HOW_TO_READ,
    RERUN,
    TIMES,
    TITLE,
    facts,
    reason,
    summary,
    warnings,
)

__all__ = ["page"]

_HOME = "at-a-glance"


def page(
    results: Results,
    pictures: Mapping[str, Sequence[DrawnPicture]],
    problems: Mapping[str, Sequence[str]],
) -> str:
    """Return the page.

    Parameters
    ----------
    results : Results
    pictures : dict of str to list of DrawnPicture
        By the names of experiments.
    problems : dict of str to list of str
        What could not be drawn, by the names of experiments.
    """
    sections = [
        _section(_HOME, GLANCE, element("p", HOW_TO_READ), _glance(results)),
        *(
            _experiment(results, each, pictures.get(each.name, ()), problems.get(each.name, ()))
            for each in results.experiments
        ),
        _section("times", "Times", element("p", TIMES), _times(results)),
        _section("deviations", "Where this differs from the papers", *_deviations()),
        _section("rerun", "How to rerun", *_rerun(results)),
    ]
    template = Template(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=join(TITLE),
        header=_header(results),
        contents=_contents(results),
        main=join(*sections, between="\n"),
        footer=element("p", f"Written by Wordsight {results.version}."),
    )


def _header(results: Results) -> Html:
    banner = [
        element("p", element("strong", f"{title}: "), text) for title, text in warnings(results)
    ]
    return join(
        element("h1", TITLE),
        element("p", summary(results)),
        element("div", *banner, class_="banner", role="note") if banner else None,
        _list(facts(results)),
        between="\n",
    )


def _contents(results: Results) -> Html:
    places = [(_HOME, GLANCE), *((each.name, each.title) for each in results.experiments)]
    places += [("times", "Times"), ("deviations", "Where this differs from the papers")]
    places += [("rerun", "How to rerun")]
    links = (element("li", element("a", title, href=f"#{place}")) for place, title in places)
    return element("ol", *links)


def _section(place: str, title: str, *content: str | None) -> Html:
    heading = element("h2", title, id=f"{place}-title")
    return element(
        "section",
        join(heading, *content, between="\n"),
        id=place,
        aria_labelledby=f"{place}-title",
    )


def _list(pairs: Sequence[tuple[str, str]]) -> Html:
    return element(
        "dl", *(element(*pair) for key, text in pairs for pair in (("dt", key), ("dd", text)))
    )


def _glance(results: Results) -> Html:
    """Return the table of all numbers that have a published value."""
    bodies = []
    for experiment in results.experiments:
        rows = [
            _glance_row(results, experiment, each)
            for each in compare(experiment)
            if each.number.published is not None
        ]
        if rows:
            link = element("a", experiment.title, href=f"#{experiment.name}")
            first = element("tr", element("th", link, scope="rowgroup", colspan=6))
            bodies.append(element("tbody", first, *rows, class_="group"))
    if not bodies:
        return element("p", "None of the numbers measured has a published value.")
    head = ["What", "Published", "Ours", "Difference", "Verdict", "Where ours falls short, why"]
    return table("Every number with a published value, beside ours", head, *bodies)


def _glance_row(results: Results, experiment: ExperimentResults, each: Comparison) -> Html:
    return element(
        "tr",
        element("th", each.number.what, scope="row"),
        _published(each, each.number.source or experiment.source),
        element("td", each.ours, _seeds(results, each), class_="number"),
        element("td", each.difference_text, class_="number"),
        element("td", _verdict(each)),
        element("td", reason(results, each), class_="reason"),
    )


def _published(each: Comparison, source: str) -> Html:
    small = element("small", source) if source and each.published else None
    return element("td", each.published, small, class_="published")


def _seeds(results: Results, each: Comparison) -> Html | None:
    """Return the value of each seed in small letters, where there are several seeds."""
    if len(results.seeds) == 1 or not each.values:
        return None
    return element("small", ", ".join(each.seed_text(seed) for seed in results.seeds))


def _verdict(each: Comparison) -> Html | None:
    signs = {"reached": "✓ ", "falls short": "▼ "}
    verdict = each.verdict
    sign = element("span", signs[verdict], aria_hidden="true") if verdict in signs else None
    return element("span", sign, verdict, class_=verdict.replace(" ", "-")) if verdict else None


def _experiment(
    results: Results,
    experiment: ExperimentResults,
    pictures: Sequence[DrawnPicture],
    problems: Sequence[str],
) -> Html:
    shown = [
        element("p", element("strong", "Not shown: "), f"{problem}.", class_="banner")
        for problem in problems
    ]
    return _section(
        experiment.name,
        experiment.title,
        element("p", experiment.source, class_="source"),
        element("p", experiment.about),
        *(_figure(picture) for picture in pictures),
        *shown,
        _numbers(results, experiment),
        element("h3", "Setting and time"),
        _list(_setting(experiment)),
    )


def _figure(picture: DrawnPicture) -> Html:
    image = element(
        "img",
        src="data:image/png;base64," + base64.b64encode(picture.png).decode("ascii"),
        alt=picture.caption,
        width=picture.width,
        height=picture.height,
    )
    # on a narrow screen it scrolls, and what scrolls must be reachable without a mouse
    frame = element("div", image, class_="wide", tabindex=0, role="group", aria_label="Picture")
    return element("figure", frame, element("figcaption", picture.caption))


def _numbers(results: Results, experiment: ExperimentResults) -> Html:
    """Return the table of all numbers of one experiment, with a column for each seed."""
    comparisons = compare(experiment)
    in_print = any(each.number.published is not None for each in comparisons)
    seeds = results.seeds if len(results.seeds) > 1 else ()
    rows = [
        element(
            "tr",
            element("th", each.number.what, scope="row"),
            element("td", each.ours, class_="number"),
            *(element("td", each.seed_text(seed), class_="number") for seed in seeds),
            *(_beside(each) if in_print else ()),
        )
        for each in comparisons
    ]
    head = ["What", "Ours", *(f"Seed {seed}" for seed in seeds)]
    head += ["Published", "Difference", "Verdict"] if in_print else []
    return table(f"All numbers: {experiment.title}", head, element("tbody", *rows))


def _beside(each: Comparison) -> Iterator[Html]:
    yield _published(each, each.number.source)
    yield element("td", each.difference_text, class_="number")
    yield element("td", _verdict(each))


def _setting(experiment: ExperimentResults) -> list[tuple[str, str]]:
    """Return what an experiment set for itself, once where it is the same for all seeds."""
    runs: Sequence[RunRecord] = experiment.runs
    alike = all(run.setting == runs[0].setting for run in runs)
    pairs: list[tuple[str, Any]] = []
    for run in runs[:1] if alike else runs:
        seed = "" if alike else f" (seed {run.seed})"
        pairs += [(in_words(key) + seed, value) for key, value in run.setting.items()]
    listed = [(key, plain(value)) for key, value in pairs]
    times = ", ".join(f"{duration(run.seconds)} (seed {run.seed})" for run in runs)
    return [
        *(listed or [("setting", "nothing beside the one that all experiments share")]),
        ("time", times or "was not run"),
    ]


def _times(results: Results) -> Html:
    rows = [
        element(
            "tr",
            element("th", name, scope="row"),
            *(_seconds(seconds) for seconds in of_seeds),
            _seconds(total),
        )
        for name, of_seeds, total in timings(results)
    ]
    *parts, sums = rows
    head = ["Work", *(f"Seed {seed}" for seed in results.seeds), "All"]
    whole = table("Time of each part", head, element("tbody", *parts), element("tfoot", sums))
    if results.peak_bytes is None:
        return whole
    return join(whole, element("p", f"Peak memory: {memory(results.peak_bytes)}."))


def _seconds(seconds: float | None) -> Html:
    return element("td", "—" if seconds is None else duration(seconds), class_="number")


def _deviations() -> Iterator[Html]:
    for title, text in DEVIATIONS:
        yield element("h3", title)
        yield element("p", text)
    yield element(
        "p", "These are the ones that numbers depend on; ", element("code", ALL_DEVIATIONS),
        " in Wordsight's documentation lists all of them.",
    )  # fmt: skip


def _rerun(results: Results) -> Iterator[Html]:
    yield element("pre", element("code", results.command), tabindex=0)
    yield element("p", RERUN)
    yield element(
        "p", element("code", "results.json"),
        ", beside this page, holds every number with its seed, its setting and its seconds.",
    )  # fmt: skip
