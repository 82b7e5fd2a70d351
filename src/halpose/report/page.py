"""One self-contained HTML page: what was trained on what, how good it is, and what it looks like.

The page needs no network and no other file. Its content security policy allows its own script and style, by
hash, and nothing else, so that even a mistake in escaping could not run anything.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from halpose.errors import DataError
from halpose.report.animation import AnimatedClip, clip_data
from halpose.report.confusion import confusion_data
from halpose.report.curves import Curves, curve_data, read_curves
from halpose.report.embedding import Embedding, embedding_data
from halpose.report.markup import Markup, element, json_data
from halpose.report.score_table import headline
from halpose.report.scores import Score, read_scores
from halpose.report.sections import SECTIONS, Section

SCRIPTS = ("theme.js", "stage.js", "player.js", "curves.js", "matrix.js", "map.js", "start.js")


@dataclass(frozen=True)
class Page:
    """What a page shows; every part but the title may be left out.

    Attributes:
        title: heading.
        subtitle: one sentence under it.
        facts: (name, value) of the data card and the run card.
        curves: rows of metrics.jsonl: step, loss, infonce, halp, accuracy, kept, clips_per_second, learning_rate,
            and whatever else a method logs.
        results: rows of `halpose evaluate --json`: protocol, features, split, top1, low, high, confusion, classes,
            settings.
        embedding: the clips as points.
        clips: clips to play.
        notes: remarks that a reader must know: synthetic data, protocol, seed, command, hardware.
        next_steps: commands to run next.
    """

    title: str
    subtitle: str = ""
    facts: Sequence[tuple[str, str]] = ()
    curves: Sequence[Mapping[str, Any]] = ()
    results: Sequence[Mapping[str, Any]] = ()
    embedding: Embedding | None = None
    clips: Sequence[AnimatedClip] = ()
    notes: Sequence[str] = ()
    next_steps: Sequence[str] = ()

    @cached_property
    def scores(self) -> list[Score]:
        """The results, checked and grouped."""
        return read_scores(self.results)

    @cached_property
    def learning(self) -> Curves | None:
        """The curves, ready to draw."""
        return read_curves(self.curves)


def write_page(path: str | Path, page: Page) -> Path:
    """Write a page, atomically: an older page at `path` stays until the new one is complete.

    Raises:
        DataError: results, embedding or clips are not what they should be, or the file cannot be written.
    """
    path = Path(path)
    text = render_page(page)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot write the page ({error.strerror}); give a file in a folder that can be written"
        ) from None
    finally:
        with suppress(OSError):
            part.unlink()
    return path


def render_page(page: Page) -> str:
    """The page as text."""
    sections = [section for build in SECTIONS if (section := build(page)) is not None]
    style, script = _asset("style.css"), "\n".join(_asset(name) for name in SCRIPTS)
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
        element("title", {}, page.title),
        element("style", {}, Markup(style)),
    )
    body = element(
        "body",
        {},
        element("a", {"class": "skip", "href": "#content"}, "Skip to the content"),
        _navigation(sections),
        element("main", {"id": "content"}, _masthead(page), *(section.render() for section in sections)),
        element("footer", {}, element("p", {}, "Made by halpose. This page is one file and needs no network.")),
        element("script", {"type": "application/json", "id": "data"}, json_data(_data(page))),
        element("script", {"type": "module"}, Markup(script)),
    )
    return "<!doctype html>\n" + element("html", {"lang": "en"}, head, body) + "\n"


def _masthead(page: Page) -> Markup:
    return element(
        "header",
        {"class": "masthead"},
        element("h1", {}, page.title),
        element("p", {"class": "subtitle"}, page.subtitle) if page.subtitle else None,
        headline(page.scores),
    )


def _navigation(sections: Sequence[Section]) -> Markup:
    links = [element("li", {}, element("a", {"href": f"#{s.key}"}, s.title)) for s in sections]
    return element(
        "nav",
        {"aria-label": "Sections"},
        element("span", {"class": "brand"}, "halpose"),
        element("ul", {}, *links) if links else None,
        element("button", {"type": "button", "id": "theme", "hidden": True}, "Dark"),
    )


def _data(page: Page) -> dict[str, Any]:
    """What the scripts read: numbers only the browser needs, such as packed clips."""
    animations = page.embedding.animations if page.embedding is not None else ()
    return {
        "clips": [clip_data(clip) for clip in page.clips],
        "previews": [clip_data(replace(clip, title="", caption="")) for clip in animations],
        "curves": curve_data(page.learning) if page.learning is not None else None,
        "confusion": confusion_data(page.scores),
        "map": embedding_data(page.embedding) if page.embedding is not None else None,
    }


def _asset(name: str) -> str:
    return (resources.files("halpose.report") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
