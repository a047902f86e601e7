"""A real browser on the explorer's page, watched: what it logs, asks for, and shows."""

import base64
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, sync_playwright

__all__ = ["CHECK_CONTRAST", "FOCUSED", "NAMELESS", "Watched", "launched", "opened"]

# Every text that is shown, against what lies behind it; colours are resolved by the browser.
CHECK_CONTRAST = """() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const resolve = (css) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = css;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) =>
    [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3])).concat(1);
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = resolve(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const luminance = ([r, g, b]) => [r, g, b]
    .map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(".visually-hidden, title, script, style, .skip")) continue;
    const style = getComputedStyle(element);
    const behind = ground(element);
    const ink = over(resolve(element.closest("svg") ? style.fill : style.color), behind);
    const [low, high] = [luminance(ink), luminance(behind)].sort((a, b) => a - b);
    found.push([node.data.trim().slice(0, 40), (high + 0.05) / (low + 0.05)]);
  }
  return found;
}"""

# What can be operated and has no name for those who do not see it.
NAMELESS = """() => {
  const operated = "button, input, textarea, select, a[href], [tabindex]";
  const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && one.id !== "main";
  return [...document.querySelectorAll(operated)].filter(shown).filter((element) => {
    const labels = [...(element.labels ?? [])].map((label) => label.textContent).join("");
    const said = element.getAttribute("aria-label") || labels;
    return !(said || (element.tagName === "INPUT" ? "" : element.textContent)).trim();
  }).map((element) => element.outerHTML.slice(0, 120));
}"""

# What has the focus, "" for the page itself, and whether it can be seen that it has.
FOCUSED = """() => {
  const element = document.activeElement;
  const shows = (one) => one && getComputedStyle(one).outlineStyle !== "none"
    && parseFloat(getComputedStyle(one).outlineWidth) >= 2;
  const name = element.id || element.getAttribute("name") || element.textContent.trim();
  return {
    id: element === document.body ? "" : name.slice(0, 30),
    view: element.closest("[role=tabpanel]")?.id ?? "",
    seen: shows(element) || shows(element.nextElementSibling) || shows(element.parentElement),
  };
}"""

_DROP = """([name, type, text]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  const options = { dataTransfer: carried, bubbles: true, cancelable: true };
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, options));
  }
}"""

_PASTE = """([name, type, text]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  document.body.dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true }));
}"""


@dataclass
class Watched:
    """A page, and all that it logged and asked for."""

    page: Page
    logged: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, view: str) -> None:
        self.page.locator(f"#tab-{view}").click()
        self.page.locator(f"#view-{view}").wait_for()

    def drop(self, content: bytes, name: str, kind: str) -> None:
        self.page.evaluate(_DROP, [name, kind, base64.b64encode(content).decode()])

    def paste(self, content: bytes, name: str, kind: str) -> None:
        self.page.evaluate(_PASTE, [name, kind, base64.b64encode(content).decode()])

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def script(self, code: str) -> Any:
        """Run code that may import the page's own modules."""
        return self.page.evaluate(code)

    def until(self, code: str, holds: Callable[[Any], bool], patience: float = 10.0) -> None:
        """Run code again and again until what it gives is right."""
        end = time.monotonic() + patience
        while not holds(found := self.script(code)):
            assert time.monotonic() < end, found
            self.page.wait_for_timeout(50)

    def expect_refusal(self) -> None:
        """Forget the browser's own line about a reply of 4xx; anything else stays a fault."""
        self.logged = [line for line in self.logged if "Failed to load resource" not in line]


@contextmanager
def launched() -> Iterator[Browser]:
    """Start Debian's chromium; skip, saying so, where there is none."""
    chromium = shutil.which("chromium")
    if chromium is None:
        message = "BROWSER ABSENT: there is no chromium on the path; the page is not tested"
        if os.environ.get("WORDSIGHT_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Watched]:
    """Open a page; afterwards there must be no error in it, and no request to elsewhere."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    context.set_default_timeout(20_000)
    watched = Watched(context.new_page())

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            watched.logged.append(message.text)

    def look(route: Route, request: Request) -> None:
        watched.asked.append(request.url)
        if request.url.startswith((address, "blob:", "data:")):
            route.continue_()
        else:
            route.abort()

    watched.page.on("console", note)
    watched.page.on("pageerror", lambda error: watched.logged.append(str(error)))
    context.route("**/*", look)
    watched.page.goto(address)
    watched.page.wait_for_selector("html[data-ready]", state="attached")
    yield watched
    elsewhere = [url for url in watched.asked if not url.startswith((address, "blob:", "data:"))]
    assert elsewhere == []
    assert watched.logged == []
    context.close()
