"""Pictures of what the doctor found: what is missing, how a spike looks, how long clips are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from halpose.doctor.finding import runs
from halpose.report.axes import Scale, domain, tick_labels, ticks
from halpose.report.markup import Markup, element

WIDTH, LEFT, RIGHT = 1080.0, 150.0, 1072.0
_ROW = 13.0
_BARS = 32
_LISTED = 40
_NAMES = "xyz"


def missing_map(missing: Bool[np.ndarray, "t v"], joints: Sequence[str], caption: str) -> Markup:
    """Joints by time: what is missing.

    Args:
        missing: per frame and joint.
        joints: their names.
        caption: what is shown.
    """
    frames = len(missing)
    bottom = 6 + _ROW * len(joints)
    x = Scale(0, frames, LEFT, RIGHT)
    marks = [element("rect", {"class": "seen", "x": LEFT, "y": 6, "width": RIGHT - LEFT, "height": bottom - 6})]
    for row, joint in enumerate(joints):
        top = 6 + _ROW * row
        marks.append(element("text", {"x": LEFT - 8, "y": top + 10, "text-anchor": "end"}, joint))
        for start, end in runs(missing[:, row]):
            wide = max(x(end) - x(start), 1.0)
            marks.append(element("rect", {"class": "missing", "x": x(start), "y": top, "width": wide, "height": _ROW}))
    marks += _frames(x, frames, bottom)
    said = f"{caption}: {missing.mean():.1%} of joints and frames are missing"
    return _picture(bottom + 24, said, marks, caption, {"missing": "missing", "seen": "seen"})


def trace(
    track: Float[np.ndarray, "t c"], wrong: Sequence[tuple[int, int]], around: tuple[int, int], caption: str
) -> Markup:
    """The coordinates of a joint over time, with the frames in which it is wrong.

    Args:
        track: in every frame, NaN where missing.
        wrong: stretches: first frame, and the one after the last.
        around: the frames to draw, likewise.
        caption: what is shown.
    """
    first, end = around
    shown = track[first:end] - np.nanmedian(track[first:end], axis=0)
    bottom, top = 190.0, 10.0
    x, y = Scale(first, max(end - 1, first + 1), LEFT, RIGHT), Scale(*domain(shown), bottom, top)
    marks: list[Markup] = []
    for start, stop in wrong:
        if start < end and stop > first:
            left, right = x(max(start - 0.5, first)), x(min(stop - 0.5, end - 1))
            marks.append(
                element("rect", {"class": "wrong", "x": left, "y": top, "width": right - left, "height": bottom - top})
            )
    levels = ticks(*domain(shown))
    for value, label in zip(levels, tick_labels(levels), strict=True):
        marks.append(element("line", {"class": "grid", "x1": LEFT, "x2": RIGHT, "y1": y(value), "y2": y(value)}))
        marks.append(element("text", {"x": LEFT - 8, "y": y(value) + 4, "text-anchor": "end"}, label))
    for name, values in zip(_NAMES, shown.T, strict=False):
        for start, stop in runs(np.isfinite(values)):
            points = " ".join(f"{x(first + at):.1f},{y(float(values[at])):.1f}" for at in range(start, stop))
            marks.append(element("polyline", {"class": name, "points": points}))
    marks += _frames(x, end, bottom, first)
    named = {name: f"{name}, from its median" for name in _NAMES[: shown.shape[1]]}
    return _picture(bottom + 24, caption, marks, caption, named)


def histogram(lengths: Sequence[int], caption: str) -> Markup:
    """How many clips are how long; lengths on a logarithmic axis where they differ much."""
    values = np.asarray(lengths, dtype=np.float64)
    spread = values.max() > 30 * np.median(values)
    edges = (np.geomspace if spread else np.linspace)(values.min(), values.max() + 1, _BARS + 1)
    counts, _ = np.histogram(values, edges)
    bottom, top = 170.0, 10.0
    y = Scale(0, float(max(counts.max(), 1)), bottom, top)
    x = Scale(0, _BARS, LEFT, RIGHT)
    marks = _levels(y, float(counts.max()))
    for at, count in enumerate(counts.tolist()):
        if count:
            size = {"x": x(at) + 0.5, "y": y(count), "width": x(at + 1) - x(at) - 1, "height": bottom - y(count)}
            marks.append(element("rect", {"class": "bar", **size}))
    for at in range(0, _BARS + 1, 8):
        marks.append(element("text", {"x": x(at), "y": bottom + 18, "text-anchor": "middle"}, f"{edges[at]:.0f}"))
    said = f"{caption}: from {int(values.min())} to {int(values.max())} frames, median {np.median(values):g}"
    return _picture(bottom + 24, said, marks, said, {})


def bars(counts: Mapping[str, int], caption: str) -> Markup:
    """A number for each name, the first forty."""
    shown = list(counts.items())[:_LISTED]
    bottom = 6 + (_ROW + 3) * len(shown)
    x = Scale(0, float(max(max(counts.values()), 1)), LEFT, RIGHT - 40)
    marks: list[Markup] = []
    for row, (name, count) in enumerate(shown):
        top = 6 + (_ROW + 3) * row
        short = name if len(name) <= 20 else f"{name[:19]}…"
        marks.append(element("text", {"x": LEFT - 8, "y": top + 10, "text-anchor": "end"}, short))
        marks.append(element("rect", {"class": "bar", "x": LEFT, "y": top, "width": x(count) - LEFT, "height": _ROW}))
        marks.append(element("text", {"x": x(count) + 6, "y": top + 10}, str(count)))
    more = f"; the first {_LISTED} of {len(counts)}" if len(counts) > _LISTED else ""
    return _picture(bottom + 6, caption, marks, caption + more, {})


def _levels(y: Scale, most: float) -> list[Markup]:
    marks: list[Markup] = []
    levels = [value for value in ticks(0, max(most, 1.0), 3) if value == int(value)]
    for value, label in zip(levels, tick_labels(levels), strict=True):
        marks.append(element("line", {"class": "grid", "x1": LEFT, "x2": RIGHT, "y1": y(value), "y2": y(value)}))
        marks.append(element("text", {"x": LEFT - 8, "y": y(value) + 4, "text-anchor": "end"}, label))
    return marks


def _frames(x: Scale, end: int, bottom: float, first: int = 0) -> list[Markup]:
    """The axis of frames."""
    moments = [value for value in ticks(first, max(end, first + 1), 6) if value == int(value)]
    marks = [element("line", {"class": "base", "x1": LEFT, "x2": RIGHT, "y1": bottom, "y2": bottom})]
    for value in moments:
        marks.append(element("text", {"x": x(value), "y": bottom + 18, "text-anchor": "middle"}, f"{value:.0f}"))
    return marks


def _picture(height: float, said: str, marks: Sequence[Markup], caption: str, key: Mapping[str, str]) -> Markup:
    spans = [element("span", {}, element("i", {"class": f"swatch {kind}"}), words) for kind, words in key.items()]
    view = f"0 0 {WIDTH:.0f} {height:.0f}"
    return element(
        "figure",
        {"class": "picture"},
        element("figcaption", {}, caption),
        element("p", {"class": "key"}, *spans) if spans else None,
        element("svg", {"viewBox": view, "role": "img", "aria-label": said}, *marks),
    )
