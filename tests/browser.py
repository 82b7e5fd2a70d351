"""A real Chromium, for tests that open pages; tests are skipped, with the reason, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

KNOWN = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chromium-headless-shell")
USUAL = ("/usr/lib/chromium/chromium", "/snap/bin/chromium", "/opt/google/chrome/chrome")

# Colour of the text and of what lies behind it, of everything that a reader reads; both as [r, g, b, a].
CONTRAST = r"""() => {
  // A canvas knows every way to write a colour.
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  const read = (text) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.map((c, i) => (i === 3 ? 1 : c * top[3] + under[i] * (1 - top[3])));
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || element.closest("script, style, .skip") || !element.checkVisibility({ checkOpacity: true })) continue;
    if (element.closest(":disabled") || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const isSvg = element instanceof SVGElement;
    let behind = read(getComputedStyle(document.documentElement).backgroundColor);
    if (!behind[3]) behind = [255, 255, 255, 1];
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      if (!(at instanceof SVGElement)) layers.unshift(read(getComputedStyle(at).backgroundColor));
    }
    for (const layer of layers) behind = over(layer, behind);
    // Numbers in the cells of a matrix stand on the cell, which a test of its own knows.
    if (isSvg && element.classList.contains("count")) continue;
    found.push({ text: text.slice(0, 60), size: parseFloat(style.fontSize), where: element.outerHTML.slice(0, 120),
      ink: over(read(isSvg ? style.fill : style.color), behind), behind });
  }
  return found;
}"""

# What runs over: text wider than its box, or a page wider than its window.
OVERFLOW = r"""() => {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) found.push(`page: ${root.scrollWidth} > ${root.clientWidth}`);
  for (const element of document.querySelectorAll("h1, h2, h3, p, td, th, dd, dt, li, button, figcaption, label")) {
    if (!element.checkVisibility() || element.closest(".skip, nav ul, .matrix-scroll, .table-scroll")) continue;
    const box = element.getBoundingClientRect();
    if (element.scrollWidth > element.clientWidth + 2 && element.clientWidth) {
      found.push(`${element.tagName} ${element.className}: ${element.scrollWidth} > ${element.clientWidth}: ` +
        element.textContent.trim().slice(0, 50));
    }
    if (box.right > root.clientWidth + 1) found.push(`${element.tagName}: right edge ${box.right}`);
  }
  return found;
}"""

# Everything that the keyboard must reach.
CONTROLS = "a[href], button:not(:disabled), input, select, summary, [tabindex='0']"


def find_chromium() -> str | None:
    """The browser that HALPOSE_CHROMIUM names, or one where they usually lie."""
    named = os.environ.get("HALPOSE_CHROMIUM")
    if named:
        return shutil.which(named)
    return next((path for name in (*KNOWN, *USUAL) if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser; the test is skipped where there is none."""
    missing = "playwright is not installed: pip install 'halpose[browser]'"
    api = pytest.importorskip("playwright.sync_api", reason=missing)
    with api.sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        path = find_chromium() or (own if Path(own).exists() else None)
        if path is None:
            pytest.skip("no Chromium: install the package chromium, or name one in HALPOSE_CHROMIUM")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page in a browser, and what it said and asked for."""

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def contrasts(self) -> list[tuple[float, str, float]]:
        """(contrast, text, font size) of everything there is to read."""
        return [(contrast(row["ink"], row["behind"]), row["text"], row["size"]) for row in self.page.evaluate(CONTRAST)]

    def reached_by_tab(self) -> set[str]:
        """Press Tab through the whole page: a mark of each control that got the focus."""
        count = self.page.evaluate(
            """(controls) => {
              const all = [...document.querySelectorAll(controls)];
              all.forEach((control, i) => (control.dataset.control = i));
              window.reached = new Set();
              addEventListener("focusin", (event) => window.reached.add(event.target.dataset.control));
              return all.length;
            }""",
            CONTROLS,
        )
        for _ in range(count + 5):
            self.page.keyboard.press("Tab")
        return set(self.page.evaluate("() => [...window.reached].filter((mark) => mark)"))

    def controls(self) -> dict[str, str]:
        """Everything that can be used, by its mark."""
        return dict(
            self.page.evaluate(
                "() => [...document.querySelectorAll('[data-control]')].filter((c) => c.checkVisibility())"
                ".map((c) => [c.dataset.control, c.outerHTML.slice(0, 100)])"
            )
        )

    def unnamed(self) -> list[str]:
        """Controls without a name that a screen reader could say."""
        return list(
            self.page.evaluate(
                "(controls) => [...document.querySelectorAll(controls)].filter((c) => c.checkVisibility() && "
                "!(c.getAttribute('aria-label') || c.textContent.trim() || c.labels?.length))"
                ".map((c) => c.outerHTML.slice(0, 100))",
                CONTROLS,
            )
        )


@contextmanager
def opened(browser: Any, path: Path, scheme: str = "light", width: int = 1280, calm: bool = False) -> Iterator[Opened]:
    """Open a page from its file, offline."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True,
        reduced_motion="reduce" if calm else "no-preference",
    )  # fmt: skip
    try:
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.console.append(f"{message.type}: {message.text}"))
        found.page.on("pageerror", lambda error: found.console.append(f"error: {error}"))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(path.as_uri())
        found.page.wait_for_selector("html[data-ready=true]", timeout=20_000)
        yield found
    finally:
        context.close()


def contrast(ink: list[float], behind: list[float]) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2)."""

    def luminance(colour: list[float]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour[:3])]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(ink), luminance(behind)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
