"""Check a built site: all links lead to a page and a place on it, and nothing comes from elsewhere.

A link to another site may be followed by whoever clicks it; what a browser loads by itself
(scripts, styles, pictures, fonts) has to lie in the folder.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "link": "href",
}
"""What a browser loads without being asked, and the attribute that says from where."""

IN_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """The places of a page, and what it links to and loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = IN_STYLES.findall(text)
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        given = {name: value for name, value in attrs if value}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADED and LOADED[tag] in given:
            self.loaded.append(given[LOADED[tag]])


def faults(site: Path) -> list[str]:
    """Return what is wrong with the site in a folder, a sentence each."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [] if pages else [f"{site} holds no page"]
    for path, page in pages.items():
        name = path.relative_to(site)
        for target in page.loaded:
            if urlsplit(target).netloc:
                found.append(f"{name} loads {target}, which is not in the site")
            elif not _reached(path, target, site, pages):
                found.append(f"{name} loads {target}, which is not there")
        if name.name == "404.html":
            continue  # served from any place, with links from the root
        for target in page.links:
            if not urlsplit(target).scheme and not _reached(path, target, site, pages):
                found.append(f"{name} links to {target}, which is not there")
    for style in sorted(site.rglob("*.css")):
        for target in IN_STYLES.findall(style.read_text("utf-8")):
            found.append(f"{style.relative_to(site)} loads {target}, which is not in the site")
    return found


def _reached(page: Path, target: str, site: Path, pages: dict[Path, Page]) -> bool:
    """Say whether a target is a file of the site, and its fragment a place there."""
    split = urlsplit(target)
    if split.scheme == "data":
        return True
    start = site if split.path.startswith("/") else page.parent
    file = (start / unquote(split.path).lstrip("/")).resolve() if split.path else page
    if file.is_dir():
        file /= "index.html"
    if not file.is_file():
        return False
    place = unquote(split.fragment)
    return not place or file not in pages or place in pages[file].places


def main(site: str) -> None:
    """Say what is wrong with the site and exit with 1, or say how many pages it has."""
    folder = Path(site).resolve()
    found = faults(folder)
    if found:
        sys.exit("\n".join(found))
    sys.stdout.write(
        f"{site}: {len(list(folder.rglob('*.html')))} pages, all links lead somewhere\n"
    )


if __name__ == "__main__":
    main(sys.argv[1])
