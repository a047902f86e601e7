"""What the documentation site adds to the pages, and what is checked of it once it is built."""

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("mkdocs")
pytest.importorskip("latex2mathml")

import importlib.util
import re
from types import ModuleType, SimpleNamespace

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]


def module(name: str) -> ModuleType:
    """A module of the site's, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "_site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


check, hooks = module("check"), module("hooks")


def site(folder: Path, **pages: str) -> Path:
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(f"<html>{text}</html>", "utf-8")
    return folder


# after the build


def test_a_site_that_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a b.png").touch()
    (tmp_path / "s.css").write_text("a { background: url(data:image/svg+xml;x) url(i.png) }")
    site(
        tmp_path,
        index='<h1 id="top">x</h1><a href="#top">x</a><a href="b.html#x%20y">x</a>'
        '<img src="a%20b.png"><link rel="stylesheet" href="s.css"><a href="https://a.org/">x</a>',
        b='<a name="x y"></a><a href=".">x</a><a href="mailto:x@a.org">x</a>'
        '<img src="data:image/png;base64,AA">',
    )
    assert check.faults(tmp_path) == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ('<a href="gone.html">x</a>', "index.html links to gone.html, which is not there"),
        ('<a href="#gone">x</a>', "index.html links to #gone, which is not there"),
        ('<a href="b.html#gone">x</a>', "index.html links to b.html#gone, which is not there"),
        ('<img src="gone.png">', "index.html loads gone.png, which is not there"),
        ('<script src="https://cdn.org/x.js"></script>', "loads https://cdn.org/x.js, which is"),
        ('<link rel="preconnect" href="//fonts.org">', "loads //fonts.org, which is not in"),
        ("<style>@import 'https://a.org/x.css'</style>", "loads https://a.org/x.css, which is"),
        ('<p style="background: url(//a.org/x.png)">', "loads //a.org/x.png, which is not in"),
    ],
)
def test_what_is_wrong_with_a_page(tmp_path: Path, page: str, said: str) -> None:
    (fault,) = check.faults(site(tmp_path, index=page, b=""))
    assert said in fault


def test_a_style_that_loads_from_elsewhere_and_a_site_of_nothing(tmp_path: Path) -> None:
    (fault,) = check.faults(tmp_path)
    assert "holds no page" in fault
    (tmp_path / "s.css").write_text("@font-face { src: url('https://fonts.org/x.woff2') }")
    (fault,) = check.faults(site(tmp_path, index=""))
    assert fault == "s.css loads https://fonts.org/x.woff2, which is not in the site"
    with pytest.raises(SystemExit, match=r"fonts\.org"):
        check.main(str(tmp_path))


# before it


def config(**given: Any) -> MkDocsConfig:
    made = MkDocsConfig()
    made.load_dict({"site_name": "x", "docs_dir": str(ROOT / "docs"), **given})
    made.validate()
    made.plugins._current_plugin = "hooks"  # as in a build
    return made


def turned(markdown: str, page: str = "guide.md") -> str:
    shown = SimpleNamespace(file=SimpleNamespace(src_uri=page), meta={})
    result: str = hooks.on_page_markdown(markdown, shown)
    return result


def test_links_to_source_lead_to_the_reference() -> None:
    assert turned("[`join`](../src/wordsight/metrics.py) here") == (
        "[`join`](reference/wordsight.metrics.md) here"
    )
    assert turned("[x](../src/wordsight/words/vectors.py)", "notebooks/a.md") == (
        "[x](../reference/wordsight.words.vectors.md)"
    )
    assert turned("[`test_x.py`](../tests/test_x.py)") == "`test_x.py`"
    assert turned("[y](gates.md#x)") == "[y](gates.md#x)"


def test_what_wrote_a_page_is_said_at_its_end() -> None:
    note = "Written by `wordsight reproduce x`: change that, not this page."
    assert turned(f"{note}\n\n# Results\n\nText.\n").split() == (
        f"# Results Text. *{note}*".split()
    )


def test_links_of_notebooks_lead_to_built_pages() -> None:
    html = '<a href="../a.md#x">x</a><a href="b.ipynb">x</a><a href="https://a.org/c.md">x</a>'
    pages = [SimpleNamespace(file=SimpleNamespace(src_uri=f"n.{end}")) for end in ("ipynb", "md")]
    assert [hooks.on_page_content(html, page) for page in pages] == [
        '<a href="../a.html#x">x</a><a href="b.html">x</a><a href="https://a.org/c.md">x</a>',
        html,
    ]


def test_equations_are_mathml() -> None:
    made = hooks.equation(r"\sum_y \lVert w_y \rVert^2", "math", "equation", {}, None)
    assert made.startswith('<div class="equation"><math xmlns="http://www.w3.org/1998/Math/MathML"')
    assert "\\" not in made


def test_every_equation_of_the_pages_is_understood() -> None:
    for page in sorted((ROOT / "docs").glob("*.md")):
        for text in re.findall(r"^```math\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
            # a command that is not known is left as it is
            assert "\\" not in hooks.equation(text), text


def test_every_module_has_a_page_in_the_reference_and_in_the_navigation() -> None:
    names = hooks.public_modules()
    assert {"wordsight", "wordsight.metrics", "wordsight.words.vectors"} <= set(names)
    assert not any(name.startswith(("wordsight.cli", "wordsight.experiments")) for name in names)
    files = hooks.on_files(Files([]), config())
    pages = {file.src_uri: file.content_string for file in files}
    assert set(pages) == {"reference/index.md", *(f"reference/{name}.md" for name in names)}
    assert all(f"]({name}.md)" in pages["reference/index.md"] for name in names)
    nav = hooks.on_config(config(nav=[{"Reference": [{"Python": "reference/index.md"}]}])).nav
    first, *rooms = nav[0]["Reference"][0]["Python"]
    assert first == "reference/index.md"
    listed = {
        page for room in rooms for pages in room.values() for one in pages for page in one.values()
    }
    assert listed == {f"reference/{name}.md" for name in names}


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    listed = set(re.findall(r"[\w/-]+\.(?:md|ipynb)", str(nav))) - {"reference/index.md"}
    docs = ROOT / "docs"
    there = {
        path.relative_to(docs).as_posix()
        for path in docs.rglob("*")
        if path.suffix in {".md", ".ipynb"}
    }
    assert listed == there
