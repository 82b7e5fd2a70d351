"""Hooks of the built site (mkdocs.yml): pages that live outside docs, links to them, and lists as GitHub reads them.

Links in the repository are those that GitHub follows: from docs to `../CONTRIBUTING.md`, from there to
`docs/data.md`. In the site the folder docs is the root, and what lies beside it keeps its path from the repository.
What belongs to an item of a list is indented by the width of its mark, as GitHub has it; Python-Markdown wants four
spaces.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

_ROOT = Path(__file__).resolve().parents[1]
_PAGES = ("CONTRIBUTING.md", "CHANGELOG.md")
_MARK = re.compile(r"(?:-|\d+\.) ")
_LINK = re.compile(r"(\]\()(?!https?:|#)([^)#\s]+)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the repository's root, and every other file that a page links to."""
    outside = {name: _ROOT / name for name in _PAGES}
    for path in (*Path(config.docs_dir).rglob("*.md"), *outside.values()):
        for _, link in _LINK.findall(path.read_text(encoding="utf-8")):
            target = Path(os.path.normpath(path.parent / link))
            if target.is_file() and not target.is_relative_to(config.docs_dir) and target.name != "README.md":
                outside[target.relative_to(_ROOT).as_posix()] = target
    for name, path in outside.items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Rewrite links between docs and what lies beside it, and indent what belongs to a list."""
    name = page.file.src_uri
    source = _ROOT / name if page.file.generated_by else Path(config.docs_dir) / name

    def moved(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(source.parent / match[2]))
        base = Path(config.docs_dir) if target.is_relative_to(config.docs_dir) else _ROOT
        if not target.is_relative_to(base):
            return match[0]
        place = Path(os.path.relpath(target.relative_to(base), Path(name).parent))
        return f"{match[1]}{place.as_posix()}"

    return _indent(_LINK.sub(moved, markdown))


def _indent(markdown: str) -> str:
    """Lines of list items, but the first, begin with four spaces; an item of several paragraphs ends with a blank."""
    lines: list[str] = []
    is_fenced, width, marked = False, 0, 0
    for line in markdown.split("\n"):
        is_fenced ^= line.startswith("```")
        mark = _MARK.match(line)
        if mark and not is_fenced:
            if width and "" in lines[marked:]:
                lines.append("")
            width, marked = len(mark[0]), len(lines)
        elif line and not line.startswith(" "):
            width = 0
        elif width and line.startswith(" " * width):
            line = " " * (4 - width) + line
        lines.append(line)
    return "\n".join(lines)
