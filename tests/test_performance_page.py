"""The page on performance shows what was measured, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
from benchmarks import records, tables
from benchmarks.benchmark import Benchmark, Outcome, Setting, Target
from benchmarks.catalogue import BENCHMARKS
from benchmarks.harness import Measured
from benchmarks.page import PICTURE, filled, main
from PIL import Image

from wordsight.exceptions import InputError

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, RESULTS = DOCS / "performance.md", DOCS / "performance.json"

TARGETS = """
features: ≥ 0.85 ×, ≥ 40 ×; dictionary: ≤ 60 s; linear-map: ≥ 2 ×, ≤ 0.5; softmax: ≥ 10 ×, ≤ 0.5;
loop: ≥ 50 ×, ≤ 2 GB; pairs: ≤ 8 ×; fit: ≤ 5 minutes, ≤ 6 GB; predict: ≥ 300 images/s;
one-image: ≤ 10 ms; start: ≤ 0.3 s; explorer: ≤ 250 MB; memory-growth: ≤ 1.2 ×; gpu: ≤ 1.5 s, ≤ 3 s
"""
"""What was asked for, as it was asked."""


def entry(reached: float, *, quick: bool = False) -> records.Record:
    measured = [
        Measured("ours", [0.002, 0.001, 0.004], [1.0, 1.0, 1.0], 1234.5, "process"),
        Measured("theirs", [0.5, 2.0, 1.0], [250.0, 2000.0, 250.0], None),
    ]
    (features,) = [each for each in BENCHMARKS if each.name == "features"]
    outcome = Outcome(measured, {"bare": reached}, "image", 2e6, 4e3, {"n_images": 1600})
    return records.record(features, outcome, Setting(quick, 2), "2013-12-05")


def test_the_tables_of_the_page_are_what_the_results_render_to() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text, records.read(RESULTS)) == text


def test_the_page_has_a_place_for_every_benchmark() -> None:
    places = re.findall(r"<!-- table: (.*?) -->", PAGE.read_text(encoding="utf-8"))
    assert sorted(places) == sorted(["targets", "machine", "stages", *(b.name for b in BENCHMARKS)])


def test_every_target_is_shown_with_what_was_asked_and_reached() -> None:
    expected = dict(part.strip().split(": ") for part in TARGETS.strip().split(";"))
    page = PAGE.read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- table: targets -->(.*?)<!-- end -->", page, re.S)
    shown = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    asked = [
        (each.name, tables.asked(target), target.what)
        for each in BENCHMARKS
        for target in each.targets
        if not target.agreement
    ]
    assert [row[:2] for row in shown] == [[what, wanted] for _name, wanted, what in asked]
    assert all(row[3] in {"yes", "no", "quick run", "–"} for row in shown)
    for name, wanted in expected.items():
        assert [each[1] for each in asked if each[0] == name] == wanted.split(", ")


@pytest.mark.parametrize(
    ("given", "cells"),
    [
        (entry(0.9), ["≥ 0.85 ×", "0.9 ×", "yes"]),
        (entry(0.8), ["≥ 0.85 ×", "0.8 ×", "no"]),
        (entry(0.9, quick=True), ["≥ 0.85 ×", "0.9 ×", "quick run"]),
        (None, ["≥ 0.85 ×", "not measured", "–"]),
    ],
)
def test_the_verdict_on_a_target(given: records.Record | None, cells: list[str]) -> None:
    entries = {} if given is None else {"features": given}
    assert tables.targets(BENCHMARKS, entries)[1][1:] == cells


def test_contenders_are_shown_by_medians_with_their_spread() -> None:
    head, ours, theirs = tables.contenders(entry(0.9))
    assert head[1] == "time for one image"
    assert ours == ["ours", "2.00 ms (1.00 ms – 4.00 ms)", "1", "1,234 MB"]
    assert theirs == ["theirs", "1.00 s (500 ms – 2.00 s)", "250 (250 – 2,000)", ""]


def test_stages_stand_beside_the_ceiling() -> None:
    ceilings: records.Record = {**entry(0.9), "facts": {"product_gflops": 4.0}}
    ceilings["contenders"] = []
    _head, row = tables.stages(BENCHMARKS, {"features": entry(0.9), "ceilings": ceilings})
    # 2 MFLOP and 4 kB in 2 ms
    assert row == ["Features", "image", "2.00 MFLOP", "4.00 kB", "2.00 ms", "1.00", "25%", "0.002"]


def test_the_power_of_a_growth() -> None:
    series = {
        "stage": "map",
        "against": "features",
        "sizes": [100, 200, 400],
        "seconds": [0.1, 0.4, 1.6],
    }
    found = tables.growth({"facts": {"series": [series]}})
    assert found[1] == ["map", "features", "100", "400", "100 ms – 1.60 s", "2.00"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (0.12345, "0.123"),
        (1, "1.00"),
        (12.34, "12.3"),
        (1234.5, "1,234"),
        (1e-6, "1.0e-06"),
    ],
)
def test_numbers_have_three_digits(value: float, written: str) -> None:
    assert tables.number(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(2e-6, "2.00 µs"), (0.0123, "12.3 ms"), (61.0, "61.0 s"), (300.0, "5.00 min")],
)
def test_times_have_a_unit_that_suits_them(seconds: float, written: str) -> None:
    assert tables.duration(seconds) == written


def test_only_what_stands_between_the_marks_changes() -> None:
    page = "Before.\n\n<!-- table: features -->\nstale\n<!-- end -->\n\nAfter, | too.\n"
    found = filled(page, {"features": entry(0.9)})
    assert found.startswith("Before.\n\n<!-- table: features -->\n\nEncoding")
    assert found.endswith("\n\n<!-- end -->\n\nAfter, | too.\n")
    assert "stale" not in found
    assert "| theirs | 1.00 s (500 ms – 2.00 s) |" in found
    assert filled(found, {"features": entry(0.9)}) == found
    assert "_Not measured yet._" in filled(found, {})


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<!-- table: fetures -->\n<!-- end -->\n", "a table 'fetures'"),
        ("<!-- table: features -->\n", "no beginning or no end"),
        ("<!-- end -->\n", "no beginning or no end"),
        ("<!-- table: features -->\n<!-- table: loop -->\n<!-- end -->\n", "no beginning"),
    ],
)
def test_marks_that_are_wrong_are_told(page: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        filled(page, {})


def _series(stage: str, against: str) -> dict[str, Any]:
    seconds = [0.1, 0.2]
    return {
        "stage": stage,
        "against": against,
        "sizes": [10, 20],
        "seconds": seconds,
        "least": seconds,
        "most": seconds,
    }


def test_the_command_fills_the_page_and_draws_how_cost_grows(tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text("<!-- table: scaling -->\n<!-- end -->\n", encoding="utf-8")
    series = [_series("map", "images"), _series("softmax", "images"), _series("map", "features")]
    outcome = Outcome(facts={"series": series})
    scaling = Benchmark("scaling", "", "", (), lambda _: outcome)
    setting = Setting(False, 2)
    records.merge_into(results, "scaling", records.record(scaling, outcome, setting, "2013-12-05"))
    assert main([str(results), str(page)]) == 0
    assert f"]({PICTURE})" in page.read_text(encoding="utf-8")
    with Image.open(tmp_path / PICTURE) as picture:
        assert picture.format == "PNG"
        assert picture.width == 1100
    first = (tmp_path / PICTURE).read_bytes()
    assert main([str(results), str(page)]) == 0
    assert (tmp_path / PICTURE).read_bytes() == first


def test_a_page_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "results.json"), str(tmp_path / "page.md")]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_targets_are_told_apart_from_agreement() -> None:
    target = Target("agreement", "gap", 1e-4, agreement=True)
    some = Benchmark("features", "", "", (target,), lambda _: Outcome())
    assert len(tables.targets([some], {})) == 2
    assert len(tables.targets([some], {}, agreement=False)) == 1
