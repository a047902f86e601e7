"""The page as it is shipped: whole, of this origin alone, and fit for the strict policy."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from wordsight.app.server import STATIC

SCRIPTS = sorted(STATIC.glob("*.js"))


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def elements() -> list[tuple[str, dict[str, str | None]]]:
    return Elements((STATIC / "index.html").read_text("utf-8")).found


def test_nothing_is_inline(elements: list[tuple[str, dict[str, str | None]]]) -> None:
    for tag, attributes in elements:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_nothing_is_elsewhere() -> None:
    for file in STATIC.iterdir():
        found = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", file.read_text("utf-8"))
        assert set(found) <= {"http://www.w3.org/2000/svg"}, file.name  # a name, not an address


def test_every_file_that_is_named_is_there(
    elements: list[tuple[str, dict[str, str | None]]],
) -> None:
    named = {
        str(attributes[name]).removeprefix("/static/")
        for _, attributes in elements
        for name in ("src", "href")
        if attributes.get(name) and not str(attributes[name]).startswith("#")
    }
    for script in SCRIPTS:
        named |= set(re.findall(r"from \"\./([\w.]+)\"", script.read_text("utf-8")))
    assert named == {file.name for file in STATIC.iterdir()} - {"index.html"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_uses_what_it_imports_and_the_page_has_what_it_uses(
    script: Path, elements: list[tuple[str, dict[str, str | None]]]
) -> None:
    code = script.read_text("utf-8")
    ids = {attributes.get("id") for _, attributes in elements}
    assert set(re.findall(r"byId\(\"([\w-]+)\"\)", code)) <= ids
    for names, source in re.findall(r"import \{([^}]*)\} from \"\./([\w.]+)\"", code):
        exporting = (STATIC / source).read_text("utf-8")
        for name in (one.strip() for one in names.split(",")):
            assert len(re.findall(rf"\b{name}\b", code)) > 1, name
            exported = rf"export (async )?(function|const|class) {name}\b"
            assert re.search(exported, exporting), (source, name)


def test_labels_and_tabs_point_to_what_is_there(
    elements: list[tuple[str, dict[str, str | None]]],
) -> None:
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements:
        for name in ("for", "aria-controls", "aria-labelledby", "aria-describedby"):
            if name in attributes:
                assert attributes[name] in ids
