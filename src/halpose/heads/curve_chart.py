"""The learning curve as a picture: accuracy over labelled clips of each class, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

from halpose.heads.curve import Point
from halpose.report.axes import Scale, percent
from halpose.report.markup import Markup, element, svg_file

_WIDTH, _HEIGHT = 520.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 500.0, 44.0, 264.0
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #444; }
.name { font-weight: 600; font-size: 14px; fill: #111; }
.grid { stroke: #e4e4e4; }
.base { stroke: #888; }
.line { stroke: #1f5fa8; stroke-width: 2; fill: none; }
.band { fill: #1f5fa8; opacity: 0.15; }
circle { fill: #1f5fa8; }
"""


def curve_chart(points: Sequence[Point], title: str) -> Markup:
    """A standalone SVG; the number of labels grows by doublings.

    Args:
        points: one or more.
        title: on what, in a sentence.
    """
    last = math.log2(points[-1].each) or 1.0
    x, y = Scale(0.0, last, _LEFT + 8, _RIGHT - 8), Scale(0.0, 1.0, _BOTTOM, _TOP)
    places = [x(math.log2(point.each)) for point in points]
    marks: list[Markup] = []
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        marks.append(element("line", {"class": "grid", "x1": _LEFT, "x2": _RIGHT, "y1": y(level), "y2": y(level)}))
        marks.append(
            element("text", {"x": _LEFT - 8, "y": y(level) + 4, "text-anchor": "end"}, f"{percent(level, 0)} %")
        )
    for place, point in zip(places, points, strict=True):
        marks.append(element("text", {"x": place, "y": _BOTTOM + 18, "text-anchor": "middle"}, str(point.each)))
    upper = [(place, y(point.high)) for place, point in zip(places, points, strict=True)]
    lower = [(place, y(point.low)) for place, point in zip(places, points, strict=True)]
    middle = [(place, y(point.accuracy)) for place, point in zip(places, points, strict=True)]
    marks.append(element("line", {"class": "base", "x1": _LEFT, "x2": _RIGHT, "y1": _BOTTOM, "y2": _BOTTOM}))
    marks.append(element("polygon", {"class": "band", "points": _points([*upper, *reversed(lower)])}))
    marks.append(element("polyline", {"class": "line", "points": _points(middle)}))
    for (across, height), point in zip(middle, points, strict=True):
        told = f"{percent(point.accuracy)} % ({percent(point.low)} to {percent(point.high)}), {point.clips:.0f} clips"
        marks.append(element("circle", {"cx": across, "cy": height, "r": 4}, element("title", None, told)))
    return svg_file(
        _WIDTH, _HEIGHT, "Accuracy against the number of labels", _STYLE,
        element("text", {"x": 14, "y": 24, "class": "name"}, title),
        *marks,
        element("text", {"x": _RIGHT, "y": _BOTTOM + 40, "text-anchor": "end"}, "labelled clips of each class"),
    )  # fmt: skip


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{across:.1f},{height:.1f}" for across, height in places)
