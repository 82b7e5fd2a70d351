"""The charts of the page: points with intervals in rows, and lines over a common axis."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean

import numpy as np

from halpose.report.axes import Scale, domain, tick_labels, ticks
from halpose.report.markup import Markup, element, join

WIDTH, LEFT, RIGHT, ROW = 720.0, 190.0, 700.0, 26.0
HEIGHT, BOTTOM = 300.0, 250.0
_HUES = (210, 25, 140, 330, 60, 280, 0, 180, 100, 240)


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: shown beside its last point.
        x: ascending.
        y: one for each; None leaves a gap.
        colour: its number; lines of one thing have one colour in every chart.
        dashed: drawn so.
    """

    name: str
    x: list[float]
    y: list[float | None]
    colour: int = 0
    dashed: bool = False


def chart(lines: list[tuple[str, list[float], tuple[float, float] | None]], zero: bool = False) -> Markup:
    """A row for each line: points, and their mean with its interval where there is one."""
    if not lines:
        return element("p", {}, "Two seeds at least are needed.")
    values = [value for _, points, ends in lines for value in (*points, *(ends or ()))]
    low, high = domain(np.array([*values, 0.0] if zero else values))
    scale, height = Scale(low, high, LEFT, RIGHT), ROW * len(lines) + 34
    grid = [
        join((
            element("line", {"x1": scale(at), "x2": scale(at), "y1": 4, "y2": height - 26, "class": "rule"}),
            element("text", {"x": scale(at), "y": height - 10, "text-anchor": "middle"}, label),
        ))
        for at, label in _marks(low, high)
    ]  # fmt: skip
    if zero:
        grid.append(element("line", {"x1": scale(0), "x2": scale(0), "y1": 4, "y2": height - 26, "stroke-width": 2}))
    rows = [_row(line, scale, 4 + ROW * (at + 0.5)) for at, line in enumerate(lines)]
    return element("svg", _frame(height), *grid, *rows)


def _row(line: tuple[str, list[float], tuple[float, float] | None], scale: Scale, y: float) -> Markup:
    name, points, ends = line
    middle = mean(points)
    dots = [element("circle", {"cx": scale(value), "cy": y, "r": 2.5, "fill-opacity": 0.35}) for value in points]
    interval = (
        element("line", {"x1": scale(ends[0]), "x2": scale(ends[1]), "y1": y, "y2": y, "stroke-width": 2})
        if ends
        else None
    )
    return element(
        "g",
        {},
        element("title", {}, f"{name}: {middle:+.2f}" if ends else f"{name}: {middle:.1f}"),
        element("text", {"x": LEFT - 12, "y": y + 4, "text-anchor": "end", "stroke": "none"}, name),
        *dots,
        interval,
        element("rect", {"x": scale(middle) - 1.5, "y": y - 8, "width": 3, "height": 16}),
    )


def line_chart(lines: list[Line], what: str, over: str) -> Markup:
    """Lines in one frame, named in a key beside it.

    Args:
        lines: one at least.
        what: the values, for those who cannot see them.
        over: what the horizontal axis is.
    """
    known = [value for line in lines for value in line.y if value is not None]
    low, high = domain(np.array(known))
    first, last = min(line.x[0] for line in lines), max(line.x[-1] for line in lines)
    x, y = Scale(first, max(last, first + 1e-9), 60, RIGHT - 160), Scale(low, high, BOTTOM, 10)
    rules = [
        join((
            element("line", {"x1": 60, "x2": RIGHT - 160, "y1": y(at), "y2": y(at), "class": "rule"}),
            element("text", {"x": 52, "y": y(at) + 4, "text-anchor": "end", "stroke": "none"}, label),
        ))
        for at, label in _marks(low, high)
    ]  # fmt: skip
    under = [
        element("text", {"x": x(at), "y": BOTTOM + 20, "text-anchor": "middle", "stroke": "none"}, label)
        for at, label in _marks(first, last)
    ]
    title = element(
        "text", {"x": x((first + last) / 2), "y": BOTTOM + 42, "text-anchor": "middle", "stroke": "none"}, over
    )
    drawn = [_path(line, x, y, at) for at, line in enumerate(lines)]
    return element("svg", _frame(HEIGHT) | {"aria-label": f"{what} over {over}"}, *rules, *under, title, *drawn)


def _path(line: Line, x: Scale, y: Scale, number: int) -> Markup:
    """The line and its name."""
    colour = f"hsl({_HUES[line.colour % len(_HUES)]} 65% 50%)"
    steps, begun = [], False
    for at, value in zip(line.x, line.y, strict=True):
        if value is not None:
            steps.append(f"{'L' if begun else 'M'}{x(at):.1f} {y(value):.1f}")
        begun = value is not None
    style = {"fill": "none", "stroke": colour, "stroke-width": 2, "stroke-dasharray": "6 4" if line.dashed else "none"}
    key = 18 + 18 * number
    return join((
        element("path", {"d": "".join(steps), **style}, element("title", {}, line.name)),
        element("path", {"d": f"M{RIGHT - 146:g} {key - 4:g}h24", **style}),
        element("text", {"x": RIGHT - 116, "y": key, "stroke": "none"}, line.name),
    ))  # fmt: skip


def scatter(points: list[tuple[float, float, str]], across: str, up: str) -> Markup:
    """Points with names, two measures of each."""
    x_low, x_high = domain(np.array([point[0] for point in points]))
    y_low, y_high = domain(np.array([point[1] for point in points]))
    x, y = Scale(x_low, x_high, 60, RIGHT), Scale(y_low, y_high, BOTTOM, 10)
    zero = [element("line", {"x1": 60, "x2": RIGHT, "y1": y(0), "y2": y(0), "stroke-width": 1})] * (y_low < 0 < y_high)
    left = [
        element("text", {"x": 52, "y": y(at) + 4, "text-anchor": "end", "stroke": "none"}, label)
        for at, label in _marks(y_low, y_high)
    ]
    under = [
        element("text", {"x": x(at), "y": BOTTOM + 20, "text-anchor": "middle", "stroke": "none"}, label)
        for at, label in _marks(x_low, x_high)
    ]
    title = element(
        "text", {"x": (60 + RIGHT) / 2, "y": BOTTOM + 42, "text-anchor": "middle", "stroke": "none"}, across
    )
    dots = [
        element("circle", {"cx": x(a), "cy": y(b), "r": 4, "fill-opacity": 0.4}, element("title", {}, name))
        for a, b, name in points
    ]
    return element("svg", _frame(HEIGHT) | {"aria-label": f"{up} over {across}"}, *zero, *left, *under, title, *dots)


def _marks(low: float, high: float) -> list[tuple[float, str]]:
    found = ticks(low, high, 6)
    return list(zip(found, tick_labels(found), strict=True))


def _frame(height: float) -> dict[str, str | float]:
    """What every chart is drawn in."""
    return {
        "viewBox": f"0 0 {WIDTH:g} {height:g}", "role": "img", "stroke": "currentColor", "fill": "currentColor",
        "font-size": 12, "stroke-width": 0.3,
    }  # fmt: skip


def picture(chart: Markup, title: str) -> str:
    """A chart as a file of its own, light or dark as its reader's browser is."""
    style = (
        "svg{color:#1c2128}.rule{stroke:#8888}text{font:12px system-ui,Arial,sans-serif}"
        "@media(prefers-color-scheme:dark){svg{color:#e8eaed}}"
    )
    opening, rest = chart.split(">", 1)
    head = element("title", {}, title) + element("style", {}, Markup(style))
    return f'{opening} xmlns="http://www.w3.org/2000/svg">{head}{rest}\n'
