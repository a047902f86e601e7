"""The documentation keeps its word: links lead somewhere, names exist, numbers were measured."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_test_that_the_equations_name_exists() -> None:
    page = (ROOT / "docs" / "equations.md").read_text("utf-8")
    sources = "\n".join(place.read_text("utf-8") for place in ROOT.glob("tests/**/test_*.py"))
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) > 20
    missing = [name for name in named if f"def {name}(" not in sources]
    assert missing == []


def test_every_name_of_code_in_the_equations_is_in_its_module() -> None:
    page = ROOT / "docs" / "equations.md"
    lines = re.findall(
        r"^- code: \[[^\]]*\]\(([^)]+)\)((?:[,\s]+`\w+`)+)", page.read_text("utf-8"), re.M
    )
    assert len(lines) > 15
    for place, names in lines:
        source = (page.parent / place).read_text("utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert name in source, f"{place} has no {name}"


def test_every_room_of_the_house_is_named() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    places = ROOT.joinpath("src", "wordsight").iterdir()
    rooms = {f"{place.name}/" if place.is_dir() else place.stem for place in places}
    rooms -= {"__init__", "__main__", "__pycache__/", "py"}
    missing = sorted(room for room in rooms if f"`{room}`" not in text)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_pages_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        assert ast.parse(block).body


def test_the_limits_are_those_that_were_measured() -> None:
    record = json.loads((ROOT / "docs" / "beyond.json").read_text("utf-8"))

    def measured(pair: str, name: str) -> str:
        found = [
            one["methods"]["ours"][name]
            for one in record["pairs"]
            if one["pair"] == pair and one["kind"] == "plain"
        ]
        assert len(found) == 3
        return f"{100 * np.mean(found):.0f}"

    page = " ".join((ROOT / "docs" / "limits.md").read_text("utf-8").split())
    dog, truck = "cat–dog", "cat–truck"
    for pair in (dog, truck):
        assert f"{measured(pair, 'unseen_told_apart')} of 100" in page
    kept = [measured(pair, "kept_unseen_accuracy") for pair in (truck, dog)]
    assert f"{kept[0]} % of unseen cats and trucks are, and {kept[1]} % of cats and dogs" in page
    perfect = [measured(pair, "unseen_told_apart") for pair in (truck, dog)]
    assert f"never wrong would make that {perfect[0]} % and {perfect[1]} %" in page
