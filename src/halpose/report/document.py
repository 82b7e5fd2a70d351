"""One self-contained HTML document: the shell that every page of halpose shares.

A document needs no network and no other file. Its content security policy allows its own script and style, by
hash, and nothing else, so that even a mistake in escaping could not run anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from halpose.report.markup import Markup, element, json_data
from halpose.whole_file import write_whole

STYLES = ("style.css", "compare.css", "doctor.css")
SCRIPTS = (
    "theme.js",
    "stage.js",
    "marks.js",
    "player.js",
    "curves.js",
    "overlay.js",
    "matrix.js",
    "map.js",
    "start.js",
)


@dataclass(frozen=True)
class Section:
    """One part of a page: its anchor, heading, a sentence on how to read it, and its content."""

    key: str
    title: str
    intro: str
    body: Markup

    def render(self) -> Markup:
        """The section as markup."""
        return element(
            "section",
            {"id": self.key, "aria-labelledby": f"{self.key}-title"},
            element("h2", {"id": f"{self.key}-title"}, self.title),
            element("p", {"class": "intro"}, self.intro) if self.intro else None,
            self.body,
        )


def document(
    title: str,
    sections: Sequence[Section],
    data: Mapping[str, Any],
    *,
    subtitle: str = "",
    lead: Markup | None = None,
) -> str:
    """A whole page as text.

    Args:
        title: heading.
        sections: in reading order.
        data: what the scripts read: numbers that only the browser needs, such as packed clips.
        subtitle: one sentence under the title.
        lead: what stands between the subtitle and the first section.
    """
    style, script = ("\n".join(_asset(name) for name in names) for names in (STYLES, SCRIPTS))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("meta", {"name": "generator", "content": "halpose"}),
        element("link", {"rel": "icon", "href": "data:,"}),
        element("title", {}, title),
        element("style", {}, Markup(style)),
    )
    masthead = element(
        "header",
        {"class": "masthead"},
        element("h1", {}, title),
        element("p", {"class": "subtitle"}, subtitle) if subtitle else None,
        lead,
    )
    body = element(
        "body",
        {},
        element("a", {"class": "skip", "href": "#content"}, "Skip to the content"),
        _navigation(sections),
        element("main", {"id": "content"}, masthead, *(section.render() for section in sections)),
        element("footer", {}, element("p", {}, "Made by halpose. This page is one file and needs no network.")),
        element("script", {"type": "application/json", "id": "data"}, json_data(data)),
        element("script", {"type": "module"}, Markup(script)),
    )
    return "<!doctype html>\n" + element("html", {"lang": "en"}, head, body) + "\n"


def write_document(path: str | Path, text: str) -> Path:
    """Write a page, atomically: an older page at `path` stays until the new one is complete.

    Raises:
        DataError: the file cannot be written.
    """
    path = Path(path)
    write_whole(path, text, way_out="give a file in a folder that can be written")
    return path


def _navigation(sections: Sequence[Section]) -> Markup:
    links = [element("li", {}, element("a", {"href": f"#{s.key}"}, s.title)) for s in sections]
    return element(
        "nav",
        {"aria-label": "Sections"},
        element("span", {"class": "brand"}, "halpose"),
        element("ul", {}, *links) if links else None,
        element("button", {"type": "button", "id": "theme", "hidden": True}, "Dark"),
    )


def _asset(name: str) -> str:
    return (resources.files("halpose.report") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
