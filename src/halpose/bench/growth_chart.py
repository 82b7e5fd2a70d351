"""Cost curves as one picture: a panel for each thing that grows, points measured, line fitted."""

from __future__ import annotations

import textwrap

import numpy as np

from halpose.bench.growth import Growth
from halpose.report.axes import Scale, tick_labels, ticks
from halpose.report.markup import Markup, element, svg_file

_WIDTH, _HEIGHT, _ACROSS = 320.0, 250.0, 3
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 300.0, 62.0, 198.0
_LONGEST = 150  # letters of the title on one line
_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #444; }
.name { font-weight: 600; font-size: 13px; fill: #111; }
.unit { font-style: italic; }
.grid { stroke: #e4e4e4; }
.base { stroke: #888; }
.fit { stroke: #c2571a; stroke-width: 1.5; fill: none; }
circle { fill: #1f5fa8; }
"""


def growth_chart(curves: list[Growth], title: str) -> Markup:
    """A standalone SVG of all curves.

    Args:
        curves: what was measured.
        title: on what, in a sentence.
    """
    rows = -(-len(curves) // _ACROSS)
    head = 20 + 15 * len(textwrap.wrap(title, _LONGEST))
    width, height = _ACROSS * _WIDTH, rows * _HEIGHT + head
    panels = (
        element(
            "g", {"transform": f"translate({at % _ACROSS * _WIDTH:g} {head + at // _ACROSS * _HEIGHT:g})"}, *_panel(c)
        )
        for at, c in enumerate(curves)
    )
    return svg_file(
        width, height, "Seconds of a step as the work grows", _STYLE,
        *(
            element("text", {"x": 12, "y": 18 + 15 * number}, line)
            for number, line in enumerate(textwrap.wrap(title, _LONGEST))
        ),
        *panels,
    )  # fmt: skip


def _panel(curve: Growth) -> list[Markup]:
    most = max(curve.seconds) * 1e3
    x, y = Scale(0, max(curve.values) * 1.05, _LEFT, _RIGHT), Scale(0, most * 1.1, _BOTTOM, _TOP)
    marks = [
        element("text", {"x": 12, "y": 16, "class": "name"}, curve.axis),
        element("text", {"x": 12, "y": 31}, curve.formula),
    ]
    levels = ticks(0, most * 1.1, 4)
    for value, label in zip(levels, tick_labels(levels), strict=True):
        marks.append(element("line", {"class": "grid", "x1": _LEFT, "x2": _RIGHT, "y1": y(value), "y2": y(value)}))
        marks.append(element("text", {"x": _LEFT - 6, "y": y(value) + 4, "text-anchor": "end"}, label))
    places = ticks(0, max(curve.values) * 1.05, 4)
    for value, label in zip(places, tick_labels(places), strict=True):
        marks.append(element("text", {"x": x(value), "y": _BOTTOM + 16, "text-anchor": "middle"}, label))
    marks.append(element("line", {"class": "base", "x1": _LEFT, "x2": _RIGHT, "y1": _BOTTOM, "y2": _BOTTOM}))
    along = np.linspace(min(curve.values), max(curve.values), 60) if curve.is_shared else (0.0, max(curve.values))
    line = " ".join(f"{x(value):.1f},{y(curve.at(value) * 1e3):.1f}" for value in along)
    marks.append(element("polyline", {"class": "fit", "points": line}))
    for value, seconds in zip(curve.values, curve.seconds, strict=True):
        marks.append(element("circle", {"cx": x(value), "cy": y(seconds * 1e3), "r": 3.5}))
    # Each axis is named at its end: what grows along the line below, milliseconds along the one at the left.
    marks.append(element("text", {"x": _RIGHT, "y": _BOTTOM + 32, "text-anchor": "end", "class": "unit"}, curve.axis))
    marks.append(element("text", {"x": 12, "y": _TOP - 12, "class": "unit"}, "ms a step"))
    return marks
