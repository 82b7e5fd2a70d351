"""A drawing: SVG that is light or dark as its reader's browser is, and says what it shows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from halpose.report.markup import Markup, decimal, element

# The colours of halpose's own pages (report/assets/style.css), each for light and for dark.
_COLOURS = {
    "ground": ("#ffffff", "#1b1f25"),
    "ink": ("#1c2128", "#e8eaed"),
    "muted": ("#5b636e", "#9ca5b0"),
    "line": ("#d0cfca", "#3a424c"),
    "faint": ("#eceae5", "#292e36"),
    "accent": ("#0b66a8", "#62b4f0"),
    "warm": ("#c14f00", "#f5924e"),
    "left": ("#2f9be0", "#7cc8fa"),
    "right": ("#0a4677", "#2f86cc"),
    "trunk": ("#4a5a6a", "#b4c2d0"),
    "hue0": ("#0072b2", "#4fa8e8"),
    "hue1": ("#d55e00", "#f2823f"),
    "hue2": ("#00916a", "#2cc797"),
    "hue3": ("#b04f8b", "#e59cc6"),
    "hue4": ("#b98500", "#f0c244"),
    "hue5": ("#4a4f57", "#c6ccd4"),
    "hue6": ("#5a48c8", "#a79cf7"),
    "hue7": ("#45b4e6", "#a5defa"),
}
HUES = 8


def _palette(which: int) -> str:
    return "".join(f"--{name}:{pair[which]};" for name, pair in _COLOURS.items())


_STYLE = (
    f":root{{{_palette(0)}}}@media(prefers-color-scheme:dark){{:root{{{_palette(1)}}}}}"
    "text{font:14px system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif;fill:var(--ink)}"
    ".small{font-size:12px;fill:var(--muted)}.name{font-weight:600}.middle{text-anchor:middle}.end{text-anchor:end}"
    "path,line,polyline{fill:none;stroke-linecap:round;stroke-linejoin:round}"
)


class Sheet:
    """Marks one after another; the last lies on top.

    Args:
        width: in pixels of a screen at full size.
        height: likewise.
        title: what is shown, for those who do not see it.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.marks: list[Markup] = []

    def mark(self, name: str, *children: str, colour: str = "", fill: str = "", **attributes: str | float) -> None:
        """One element; `colour` is its stroke, `fill` its inside, both by the names of the palette."""
        style = f"stroke:var(--{colour});" if colour else ""
        style += f"fill:var(--{fill})" if fill else ""
        written = {key.replace("_", "-").rstrip("-"): value for key, value in attributes.items()}
        self.marks.append(element(name, {**written, "style": style or None}, *children))

    def text(self, x: float, y: float, words: str, kind: str = "", fill: str = "") -> None:
        """A line of text; `kind` is any of small, name, middle, end."""
        self.mark("text", words, x=x, y=y, class_=kind or "plain", fill=fill)

    def dots(self, places: Iterable[Iterable[float]], radius: float, colour: str, opacity: float = 1.0) -> None:
        """Round dots: a path of zero-length strokes, which is shorter than a circle for each."""
        d = "".join(f"M{decimal(x, 1)} {decimal(y, 1)}h0" for x, y in places)
        if d:
            self.mark("path", d=d, colour=colour, stroke_width=2 * radius, stroke_opacity=opacity)

    def line(self, places: np.ndarray, colour: str, width: float = 1.0, **more: str | float) -> None:
        """A line through places, (n, 2)."""
        points = " ".join(f"{decimal(x, 1)},{decimal(y, 1)}" for x, y in places)
        self.mark("polyline", points=points, colour=colour, stroke_width=width, **more)

    def area(self, places: np.ndarray, fill: str, opacity: float) -> None:
        """A filled polygon, (n, 2)."""
        points = " ".join(f"{decimal(x, 1)},{decimal(y, 1)}" for x, y in places)
        self.mark("polygon", points=points, fill=fill, fill_opacity=opacity)

    def write(self) -> str:
        """The whole file."""
        ground = {"width": self.width, "height": self.height, "rx": 8, "style": "fill:var(--ground)"}
        view = f"0 0 {decimal(self.width)} {decimal(self.height)}"
        attributes = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": view, "role": "img"}
        body = (element("title", None, self.title), element("style", None, Markup(_STYLE)), element("rect", ground))
        # A mark a line, so that a change of the code is a readable change of the picture.
        return str(element("svg", attributes, *(Markup("\n" + part) for part in (*body, *self.marks)))) + "\n"
