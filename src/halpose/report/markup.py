"""HTML and SVG as values: elements whose text is escaped unless it is already `Markup`.

Everything the page shows passes through `element`, so a class called `<img onerror=...>` is shown, never run.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

Attributes = Mapping[str, str | int | float | bool | None]
VOID = frozenset({"br", "col", "input", "link", "meta"})


class Markup(str):
    """Text that is HTML already: escaped where it was made, inserted as it is."""

    __slots__ = ()


def element(name: str, attributes: Attributes | None = None, *children: str | None) -> Markup:
    """One element; plain strings inside are escaped, `Markup` is not.

    Args:
        name: tag name.
        attributes: numbers are written with at most two decimals, True as a bare attribute; None and False
            leave the attribute out.
        children: text or markup; None is left out.
    """
    opening = f"<{name}{_attributes(attributes or {})}>"
    if name in VOID:
        return Markup(opening)
    return Markup(f"{opening}{join(children)}</{name}>")


def svg_file(width: float, height: float, about: str, style: str, *marks: str) -> Markup:
    """A drawing that is a file of its own, on white.

    Args:
        width: in pixels at full size.
        height: likewise.
        about: what it shows, for those who do not see it.
        style: CSS.
        marks: one upon the other.
    """
    return element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width:g} {height:g}", "role": "img"},
        element("title", None, about),
        element("style", None, Markup(style)),
        element("rect", {"width": width, "height": height, "fill": "white"}),
        *marks,
    )


def join(children: Iterable[str | None]) -> Markup:
    """Several pieces one after another, plain text escaped."""
    return Markup("".join(escape(child) for child in children if child is not None))


def escape(text: str) -> Markup:
    """Text made safe for element content and quoted attributes; `Markup` passes unchanged."""
    return text if isinstance(text, Markup) else Markup(html.escape(_printable(text), quote=True))


def decimal(value: float, digits: int = 2) -> str:
    """A coordinate: fixed point, no trailing zeros, never `-0` or an exponent."""
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def json_data(value: Any) -> Markup:
    """JSON that can stand inside a `<script>` element: no `<`, `>`, `&`, U+2028 or U+2029, NaN as null."""
    text = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _attributes(attributes: Attributes) -> str:
    written = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        if value is True:
            written.append(f" {key}")
        else:
            text = decimal(float(value)) if isinstance(value, (int, float)) else escape(value)
            written.append(f' {key}="{text}"')
    return "".join(written)


def _printable(text: str) -> str:
    """Control characters and lone surrogates have no place in HTML (or in UTF-8) and become U+FFFD."""
    return "".join(
        "\ufffd" if (ord(c) < 32 and c not in "\t\n\r") or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 else c
        for c in text
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
