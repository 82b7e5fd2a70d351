"""Reading our own Markdown: fenced blocks, tables, inline code, links, headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        """The words of each shell command, comments and prompts left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
        return [command for command in words if command]


@dataclass(frozen=True)
class Table:
    """A table; cells keep their Markdown."""

    page: Path
    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        return [row[self.columns.index(name)] for row in self.rows]


@dataclass(frozen=True)
class Page:
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        found = []
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", self.text, re.M | re.S):
            line = self.text.count("\n", 0, match.start()) + 2
            found.append(Block(self.path, line, match[1], match[2]))
        return found

    @cached_property
    def prose(self) -> str:
        """The text without its fenced blocks, line for line."""
        return re.sub(r"^```.*?^```$", lambda m: "\n" * m[0].count("\n"), self.text, flags=re.M | re.S)

    @property
    def headings(self) -> list[str]:
        return re.findall(r"^#+ (.+)$", self.prose, re.M)

    @property
    def anchors(self) -> set[str]:
        """As GitHub makes them: lower case, punctuation dropped, spaces to hyphens."""
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in self.headings}

    @property
    def links(self) -> list[str]:
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)

    @property
    def tables(self) -> Iterator[Table]:
        heading, rows = "", []
        for line in [*self.prose.splitlines(), ""]:
            if line.startswith("|"):
                cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
                rows.append(cells)
                continue
            if rows:
                yield Table(self.path, heading, rows[0], tuple(rows[2:]))
                rows = []
            if line.startswith("#"):
                heading = line.lstrip("# ")

    @property
    def inline(self) -> list[str]:
        return code(self.prose)


def code(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


PAGES = [Page(path) for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))]


def page(name: str) -> Page:
    return next(found for found in PAGES if found.path == ROOT / name)
