"""What the site does to the pages: a page of reference for each module, and links that lead there.

In the repository, pages link to files of source and tests. On the site, a link to a module leads to
its page of the reference, and other files outside of ``docs/`` are named without a link.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).resolve().parents[2] / "src"
PACKAGE = "wordsight"
LEFT_OUT = ("wordsight.cli", "wordsight.__main__", "wordsight.experiments")
"""Modules that nobody imports: commands, and the experiments behind one of them."""

LINK = re.compile(r"\[([^\]]*)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")


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


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each module, and one that lists them all."""
    names = public_modules()
    rooms: dict[str, list[str]] = {}
    for name in names:
        rooms.setdefault(name.rpartition(".")[0], []).append(name)
        text = f"# `{name}`\n\n::: {name}\n    options:\n      show_root_heading: false\n"
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    lines = ["# Python reference", ""]
    for room, members in rooms.items():
        lines += [f"## `{room or PACKAGE}`", ""]
        lines += [f"- [`{name}`]({name}.md): {_first_sentence(name)}" for name in members]
        lines += [""]
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

    return LINK.sub(turned, markdown)


def _first_sentence(name: str) -> str:
    path = SOURCE.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    said = re.search(r'^"""(.+?)(?:\n\n|""")', path.read_text("utf-8"), re.S)
    return " ".join(said[1].split()) if said else ""
