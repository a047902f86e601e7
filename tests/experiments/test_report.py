"""The report: whole or not at all, complete without anything beside it, and true to its numbers."""

import base64
import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wordsight.exceptions import InputError, WordsightError
from wordsight.experiments.experiment import Experiment, Number, Outcome, Picture
from wordsight.experiments.markup import Html, element, join
from wordsight.experiments.report import check_report, write_report
from wordsight.experiments.results import ExperimentResults, Results, RunRecord, StageRecord
from wordsight.experiments.results_page import markdown
from wordsight.experiments.setting import Setting

HOSTILE = "<script>alert(\"x\")</script> & `code` | *bold* $title ${x} 'quoted'"
PAIRS = (
    Number("cat-truck", "cat and truck", 0.914, "NIPS Fig. 3", "few images of cats"),
    Number("deer-ship", "deer and ship", 0.83, "NIPS Fig. 3", "ships are alike"),
    Number("random", "random words", higher_is_better=None),
)
OUTLIERS = (
    Number("seen", "really seen", 12.0, "section 4", "the map differs", higher_is_better=False),
    Number("curve", HOSTILE, 0.5, HOSTILE, HOSTILE),
)


def line(outcomes: Sequence[Outcome]) -> list[Picture]:
    """Draw the curves of all seeds."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for seed, outcome in enumerate(outcomes):
        axes.plot(outcome.details["curve"], label=f"seed {seed}")
    axes.set(xlabel="rank", ylabel="accuracy", title="Accuracy by rank")
    axes.legend()
    return [Picture("curve", f"Accuracy by rank. {HOSTILE}", figure)]


def broken(_outcomes: Sequence[Outcome]) -> list[Picture]:
    raise KeyError("no <curve>")


def half_broken(outcomes: Sequence[Outcome]) -> list[Picture]:
    class Unfinished(Figure):
        def savefig(self, *_arguments: object, **_options: object) -> None:
            raise RuntimeError("out of ink")

    (good,) = line(outcomes)
    return [Picture("sad", "Never drawn", Unfinished()), good, Picture("../up", "Path", Figure())]


def never(_lab: object) -> Outcome:
    raise AssertionError("a report runs nothing")


EXPERIMENTS = (
    Experiment("pairs", "Pairs of classes", "NIPS Fig. 3", "Pair by pair.", PAIRS, never, line),
    Experiment("outliers", f"Outliers {HOSTILE}", "section 4", HOSTILE, OUTLIERS, never, broken),
    Experiment("control", "Control", "ours", "Leaks.", PAIRS[2:], never, half_broken),
)  # fmt: skip
VALUES = (
    # cat-truck: mean .924, sd .01: .0100 above, 1 sd. deer-ship: mean .81, sd .02: .02 below, 1 sd
    {"cat-truck": (0.914, 0.924, 0.934), "deer-ship": (0.79, 0.81, 0.83), "random": (0.5,) * 3},
    # better the lower: mean 15 is 3 above 12, sd 1
    {"seen": (14.0, 15.0, 16.0)},
    {"random": (0.25, 0.5, 0.75)},
)  # fmt: skip


def sample(n_seeds: int = 3) -> Results:
    found = []
    for experiment, values in zip(EXPERIMENTS, VALUES, strict=True):
        runs = [
            RunRecord(
                seed,
                31.0,
                {key: each[seed] for key, each in values.items()},
                {"curve": np.linspace(0, 1, 5 + seed).tolist()},
                {"n_neighbours": 20},
            )
            for seed in range(n_seeds)
        ]
        found.append(ExperimentResults.of(experiment, runs))
    return Results(
        version="0.1.0",
        command=f"wordsight reproduce data --seeds {n_seeds} --out 'my {HOSTILE}'",
        setting=Setting().as_dict(),
        seeds=tuple(range(n_seeds)),
        data={"name": "CIFAR-10", "fingerprint": "0f" * 32, "counts": {"train": 50000}},
        words=f"vectors of Huang et al. {HOSTILE}",
        machine={"processor": "unnamed", "cores": 2},
        stages=tuple(StageRecord("features", seed, 600.0) for seed in range(n_seeds)),
        experiments=tuple(found),
        peak_bytes=7_000_000_000,
    )


class Reader(HTMLParser):
    """Collects tags, attributes and text, and fails where tags are not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in {"meta", "link", "img", "br"}:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""
        if {"td", "th"} & set(self.open):
            # small letters are set apart by the style sheet, here by a bar
            self.rows[-1][-1] += (" / " if self.open[-1] == "small" else "") + data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "report"
    write_report(sample(), EXPERIMENTS, folder, overwrite=False)
    return folder


@pytest.fixture(scope="module")
def html(out: Path) -> Reader:
    return Reader((out / "index.html").read_text("utf-8"))


def row(html: Reader, first: str) -> list[str]:
    """The first row that starts so."""
    return next(each for each in html.rows if each[0] == first)


# what is in the page


def test_the_order_of_the_page(html: Reader) -> None:
    places = [section["id"] for section in html.all("section")]
    expected = ["at-a-glance", "pairs", "outliers", "control", "times", "deviations", "rerun"]
    assert places == expected
    assert [link["href"] for link in html.all("a")][1:8] == [f"#{place}" for place in expected]


def test_published_numbers_stand_beside_ours_with_the_difference(html: Reader) -> None:
    what, published, ours, difference, verdict, reason = row(html, "cat and truck")
    assert (what, published) == ("cat and truck", "0.914 / NIPS Fig. 3")
    assert ours == "0.9240 ± 0.0100 / 0.9140, 0.9240, 0.9340"
    assert difference == "+0.0100 (+1.0 sd)"
    assert verdict == "✓ reached"
    assert reason == ""


def test_what_falls_short_has_its_reason(html: Reader) -> None:
    assert row(html, "deer and ship")[3:] == [
        "−0.0200 (−1.0 sd)",
        "▼ falls short",
        "ships are alike",
    ]
    # better the lower
    assert row(html, "really seen")[3:] == ["+3 (+3.0 sd)", "▼ falls short", "the map differs"]
    assert "few images of cats" not in html.text
    assert "4 numbers can be set beside a published value: 1 reaches it, 2 fall short" in html.text


def test_all_numbers_stand_in_the_table_of_their_experiment(html: Reader) -> None:
    rows = [each for each in html.rows if each[0] == "random words"]
    assert rows[0] == ["random words", "0.5000 ± 0.0000", "0.5000", "0.5000", "0.5000", "", "", ""]
    assert rows[1] == ["random words", "0.5000 ± 0.2500", "0.2500", "0.5000", "0.7500"]


def test_times(html: Reader) -> None:
    assert row(html, "features") == ["features", "10 min", "10 min", "10 min", "30 min"]
    assert row(html, "Control") == ["Control", "31 s", "31 s", "31 s", "1 min 33 s"]
    # ten minutes and three runs of 31 s for each seed
    each = "11 min 33 s"
    assert row(html, "Total") == ["Total", each, each, each, "34 min 39 s"]


def test_deviations_and_the_command_are_there(html: Reader) -> None:
    for words in ("all ten classes", "74.25", "106 classes", "Ridge term", "docs/deviations.md"):
        assert words in html.text
    assert sample().command in html.text


def test_one_seed_has_neither_spread_nor_columns_of_seeds(tmp_path: Path) -> None:
    write_report(sample(1), EXPERIMENTS, tmp_path, overwrite=False)
    html = Reader((tmp_path / "index.html").read_text("utf-8"))
    assert row(html, "deer and ship")[2:4] == ["0.7900", "−0.0400"]
    _pairs, control = (each for each in html.rows if each[0] == "random words")
    assert control == ["random words", "0.2500"]


def test_what_is_not_the_full_setting_or_left_out_is_said_first(
    html: Reader, tmp_path: Path
) -> None:
    assert "Not the full setting" not in html.text
    quick = replace(sample(), setting=Setting.quick().as_dict(), left_out=("Attributes", "Words"))
    write_report(quick, EXPERIMENTS, tmp_path, overwrite=False)
    text = Reader((tmp_path / "index.html").read_text("utf-8")).text
    assert "Not the full setting: atoms 400 instead of 1,600" in text
    assert "Left out: Attributes; Words." in text
    # the reasons are those for full size
    assert "ships are alike" not in text
    assert "ships are alike" not in markdown(quick)
    assert text.index("Not the full setting") < text.index("Left out") < text.index("At a glance")
    for words in (
        "**Not the full setting:** atoms 400 instead of 1,600",
        "**Left out:** Attributes",
    ):
        assert words in markdown(quick)


# how it is made


def test_nothing_comes_from_outside(out: Path, html: Reader) -> None:
    text = (out / "index.html").read_text("utf-8")
    for _tag, attributes in html.tags:
        for key in ("src", "href"):
            assert attributes.get(key, "#").startswith(("#", "data:"))
        assert not [key for key in attributes if key.startswith("on")]
    assert not re.search(r"url\(|@import", text)
    assert html.all("script") == []


def test_the_page_can_be_heard_as_well_as_seen(html: Reader) -> None:
    assert html.all("html") == [{"lang": "en"}]
    for landmark in ("header", "nav", "main", "footer"):
        assert len(html.all(landmark)) == 1
    assert len(html.all("h1")) == 1
    ids = [attributes["id"] for _tag, attributes in html.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for section in html.all("section"):
        assert section["aria-labelledby"] in ids
    assert {head["scope"] for head in html.all("th")} == {"col", "row", "rowgroup"}
    assert len(html.all("caption")) == len(html.all("table"))
    assert len(html.all("img")) == 2
    for image in html.all("img"):
        assert image["alt"] == f"Accuracy by rank. {HOSTILE}"


def test_rows_are_as_wide_as_their_heads(html: Reader) -> None:
    widths = [len(each) for each in html.rows if len(each) > 1]
    # times, and numbers with three seeds; at a glance; numbers with what is in print
    assert sorted(set(widths)) == [5, 6, 8]


def test_hostile_names_are_text(html: Reader) -> None:
    assert html.text.count("<script>") >= 5
    assert "${x}" in html.text  # nor are they the template's


def test_pictures_are_the_same_beside_the_page(out: Path, html: Reader) -> None:
    names = sorted(file.name for file in (out / "pictures").iterdir())
    assert names == ["control-curve.png", "pairs-curve.png"]
    inside = [base64.b64decode(image["src"].partition(",")[2]) for image in html.all("img")]
    beside = [
        (out / "pictures" / f"{name}-curve.png").read_bytes() for name in ("pairs", "control")
    ]
    assert inside == beside
    # 7 × 4 inches: a hundred pixels an inch on the page, twice as many in the file
    assert struct.unpack(">II", inside[0][16:24]) == (1400, 800)
    assert (html.all("img")[0]["width"], html.all("img")[0]["height"]) == ("700", "400")


def test_a_picture_that_cannot_be_drawn_costs_nothing_else(tmp_path: Path) -> None:
    problems = write_report(sample(), EXPERIMENTS, tmp_path, overwrite=False)
    assert [problem.partition(" could not")[0] for problem in problems] == [
        f'the pictures of "Outliers {HOSTILE}"',
        "the picture 'sad' of \"Control\"",
        "the picture '../up' of \"Control\"",
    ]
    assert "KeyError: 'no <curve>'" in problems[0]
    assert "RuntimeError: out of ink" in problems[1]
    html = Reader((tmp_path / "index.html").read_text("utf-8"))
    for problem in problems:
        assert f"Not shown: {problem}." in html.text
    assert row(html, "really seen")[2].startswith("15 ± 1")


def test_the_same_results_give_the_same_bytes(out: Path, tmp_path: Path) -> None:
    read = Results.read(out / "results.json")
    assert read == sample()
    write_report(read, EXPERIMENTS, tmp_path, overwrite=False)
    for name in ("index.html", "results.json", "pictures/pairs-curve.png"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


# whole or not at all


def test_a_report_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    assert write_report(sample(1), EXPERIMENTS[:1], tmp_path, overwrite=False) == []
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match="exists already"):
        check_report(tmp_path, overwrite=False)
    with pytest.raises(InputError, match="exists already"):
        write_report(sample(), EXPERIMENTS, tmp_path, overwrite=False)
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    write_report(sample(), EXPERIMENTS, tmp_path, overwrite=True)
    assert Results.read(tmp_path / "results.json") == sample()


def test_a_folder_that_holds_other_files_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    check_report(tmp_path, overwrite=False)
    write_report(sample(1), EXPERIMENTS, tmp_path, overwrite=False)
    assert (tmp_path / "notes.txt").read_text("utf-8") == "mine"


def test_an_error_leaves_no_page_and_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file where a folder is needed", "utf-8")
    with pytest.raises(WordsightError, match="pictures"):
        write_report(sample(1), EXPERIMENTS, tmp_path, overwrite=False)
    assert [file.name for file in tmp_path.iterdir()] == ["pictures"]


def test_a_file_name_that_is_not_text_does_not_stop_the_report(tmp_path: Path) -> None:
    odd = replace(sample(1), words=b"caf\xe9.txt".decode("utf-8", "surrogateescape"))
    write_report(odd, EXPERIMENTS, tmp_path, overwrite=False)
    assert "caf" in (tmp_path / "index.html").read_text("utf-8")
    assert Results.read(tmp_path / "results.json").words == odd.words


def test_an_experiment_that_is_not_known_has_no_pictures(tmp_path: Path) -> None:
    assert write_report(sample(1), (), tmp_path, overwrite=False) == []
    assert Reader((tmp_path / "index.html").read_text("utf-8")).all("img") == []


# the page of the documentation


def lines_of(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


def test_the_page_of_the_documentation_says_what_wrote_it() -> None:
    first = markdown(replace(sample(), command="wordsight reproduce data")).splitlines()[0]
    assert first == "Written by `wordsight reproduce data`: change that, not this page."
    (hostile,) = markdown(replace(sample(), command="a `b`\nc")).splitlines()[:1]
    assert hostile.startswith("Written by `` a `b` c ``:")


def test_the_tables_of_the_documentation() -> None:
    text = markdown(sample())
    glance, pair = lines_of(text, "| deer and ship |")
    assert glance == (
        "| deer and ship | 0.830 (NIPS Fig. 3) | 0.8100 ± 0.0200 | −0.0200 (−1.0 sd) "
        "| falls short | ships are alike |"
    )
    assert pair == "| deer and ship | 0.8100 ± 0.0200 | 0.830 | 0.7900, 0.8100, 0.8300 |"
    assert "few images of cats" not in text
    assert lines_of(text, "| features |") == ["| features | 10 min | 10 min | 10 min | 30 min |"]
    titles = [line.removeprefix("## ").split(" ")[0] for line in lines_of(text, "## ")]
    assert titles == ["At", "Pairs", "Outliers", "Control", "Times", "Where", "After", "How"]
    assert lines_of(text, "# ") == ["# Results"]
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_every_row_of_the_documentation_has_as_many_cells_as_its_head() -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", markdown(sample()), re.MULTILINE)
    assert len(blocks) == 6  # facts, glance, three experiments, times
    for block in blocks:
        # a bar that belongs to a text is written \|
        widths = {len(re.findall(r"(?<!\\)\|", each)) for each in block.splitlines()}
        assert len(widths) == 1


def test_text_in_the_documentation_is_neither_html_nor_markdown() -> None:
    text = markdown(replace(sample(), command="wordsight reproduce"))
    assert not re.search(r"(?<!\\)<", text)
    assert r"\*bold\*" in text
    assert r"\`code\`" in text


# elements


def test_text_is_escaped_once_and_html_never() -> None:
    inner = element("b", "<&>")
    assert inner == "<b>&lt;&amp;&gt;</b>"
    assert element("p", inner, None, " & ") == "<p><b>&lt;&amp;&gt;</b> &amp; </p>"
    assert element("img", alt='"x"', class_=None) == '<img alt="&quot;x&quot;">'
    assert element("a", "x", aria_label="'", class_="y") == (
        '<a aria-label="&#x27;" class="y">x</a>'
    )
    assert join("<", Html("<br>"), between=", ") == "&lt;, <br>"
