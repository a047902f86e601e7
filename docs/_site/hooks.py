"""What the site does to the pages: a reference of each module, links that lead there, equations.

In the repository, pages link to files of source and tests. On the site, a link to a module leads to
its page of the reference, and other files outside of ``docs/`` are named without a link.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).resolve().parents[2] / "src"
PACKAGE = "wordsight"
LEFT_OUT = ("wordsight.cli", "wordsight.__main__", "wordsight.experiments")
"""Modules that nobody imports: commands, and the experiments behind one of them."""

LINK = re.compile(r"\[([^\]]*)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")
NOTEBOOK_LINK = re.compile(r'href="((?!\w+:)[^"#]+)\.(?:md|ipynb)(#[^"]*)?"')
WRITTEN_BY = re.compile(r"\A(Written by `.*?`: change that, not this page\.)\n\n(.*)", re.S)


def public_modules() -> list[str]:
    """Return the names of the modules with a page, sorted."""
    names = []
    for path in sorted(SOURCE.joinpath(PACKAGE).rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        # packages but the first hold nothing of their own
        is_room = parts[-1] == "__init__" and name != PACKAGE
        if not is_room and not name.startswith(LEFT_OUT):
            names.append(name)
    return names


def rooms() -> Iterator[tuple[str, list[str]]]:
    """Yield each package with its modules; the first one with itself."""
    found: dict[str, list[str]] = {}
    for name in public_modules():
        found.setdefault(name.rpartition(".")[0] or PACKAGE, []).append(name)
    yield from sorted(found.items())


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the reference into the navigation, and let ```math blocks be equations."""
    pages = [
        {room.removeprefix(f"{PACKAGE}."): [{_short(name): _page(name)} for name in members]}
        for room, members in rooms()
    ]
    for section in config.nav or []:
        for entry in section.get("Reference", []):
            if "Python" in entry:
                entry["Python"] = [entry["Python"], *pages]
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {})
    fences["custom_fences"] = [{"name": "math", "class": "equation", "format": equation}]
    return config


def equation(source: str, *_language: Any, **_options: Any) -> str:
    """Return LaTeX as MathML, which browsers draw without a script."""
    return f'<div class="equation">{convert(source.strip(), display="block")}</div>'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each module, and one that lists them all."""
    lines = ["# Python reference", ""]
    lines += ["What most programs need is in the package itself: `from wordsight import …`.", ""]
    for room, members in rooms():
        lines += [f"## `{room}`", ""]
        for name in members:
            files.append(File.generated(config, _page(name), content=f"# `{name}`\n\n::: {name}\n"))
            lines.append(f"- [`{name}`]({name}.md): {_first_sentence(name)}")
        lines.append("")
    files.append(File.generated(config, "reference/index.md", content="\n".join(lines)))
    return files


def on_page_markdown(markdown: str, page: Any, **_more: Any) -> str:
    """Turn links to files outside of ``docs/`` into what the site has."""
    depth = len(PurePosixPath(page.file.src_uri).parts) - 1
    here = "../" * depth

    def turned(found: re.Match[str]) -> str:
        text, target = found[1], found[2].removeprefix("../")
        if not target.startswith("src/"):
            return text
        name = target.removeprefix("src/").removesuffix(".py").replace("/", ".")
        return f"[{text}]({here}reference/{name}.md)"

    if page.file.src_uri == "index.md":
        page.meta["hide"] = ["navigation"]
    # what wrote a page is said at its end: a page begins with its title
    markdown = WRITTEN_BY.sub(r"\2\n\n*\1*\n", markdown)
    return LINK.sub(turned, markdown)


def on_page_content(html: str, page: Any, **_more: Any) -> str:
    """Let links of notebooks lead to pages as they are built; those of Markdown already do."""
    if not page.file.src_uri.endswith(".ipynb"):
        return html
    return NOTEBOOK_LINK.sub(lambda found: f'href="{found[1]}.html{found[2] or ""}"', html)


def _page(name: str) -> str:
    return f"reference/{name}.md"


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _first_sentence(name: str) -> str:
    path = SOURCE.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    said = re.search(r'^"""(.+?)(?:\n\n|""")', path.read_text("utf-8"), re.S)
    return " ".join(said[1].split()) if said else ""
