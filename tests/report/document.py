"""A parser that is stricter than a browser: every tag must be closed in its turn."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

VOID = {"br", "col", "input", "link", "meta"}


class Document(HTMLParser):
    """Elements, text and ids of a page; raises where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.stack, f"left open: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> names an attribute twice: {names}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/> is not HTML")

    def handle_endtag(self, tag: str) -> None:
        assert self.stack and self.stack[-1] == tag, f"</{tag}> closes {self.stack[-1:]}"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        self.text.append((self.stack[-1] if self.stack else "", data))

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """Attributes of all elements with this tag and these attribute values (`class_` holds a class)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            found
            for name, found in self.elements
            if name == tag
            and all(
                value in (found.get(key) or "").split() if key == "class" else found.get(key) == value
                for key, value in wanted.items()
            )
        ]

    def words(self) -> str:
        """All text that a reader sees."""
        return " ".join(" ".join(text for tag, text in self.text if tag not in ("script", "style")).split())

    def data(self) -> dict[str, Any]:
        """The JSON that the scripts read."""
        index = next(i for i, (tag, _) in enumerate(self.text) if tag == "script")
        parsed: dict[str, Any] = json.loads(self.text[index][1])
        return parsed
