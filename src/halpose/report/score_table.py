"""How scores are shown: the headline, and a table whose rows carry a dot and its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

from halpose.report.axes import MINUS, percent, ticks
from halpose.report.markup import Markup, element, join
from halpose.report.scores import FEATURES, Score, headline_score

CIRCLE = "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0"


def headline(scores: Sequence[Score]) -> Markup | None:
    """The headline result and how far it is from the untrained encoder and from raw coordinates."""
    best = headline_score(scores)
    if best is None:
        return None
    text = f"Top-1 accuracy, {best.protocol_title.lower()}"
    if best.split:
        text += f", {best.split}"
    peers = [s for s in scores if (s.split, s.protocol) == (best.split, best.protocol) and s is not best]
    return element(
        "div",
        {"class": "headline"},
        element("p", {"class": "number"}, percent(best.top1), element("span", {}, "%")),
        element(
            "div",
            {},
            element("p", {"class": "what"}, text, _interval_text(best)),
            element("ul", {"class": "deltas"}, *(_delta(best, peer) for peer in peers)) if peers else None,
        ),
    )


def score_table(scores: Sequence[Score]) -> Markup | None:
    """Table of all scores with a dot-and-interval chart in its second column."""
    if not scores:
        return None
    low, high = _range(scores)
    grid = [tick for tick in ticks(low, high, 5) if low <= tick <= high]
    bodies = []
    for key in dict.fromkeys((score.split, score.protocol) for score in scores):
        group = [score for score in scores if (score.split, score.protocol) == key]
        heading = element(
            "tr",
            {"class": "group"},
            element(
                "th",
                {"colspan": 4, "scope": "rowgroup"},
                group[0].protocol_title,
                element("span", {"class": "muted"}, f" {key[0]}"),
            ),
        )
        bodies.append(element("tbody", {}, heading, *(_row(score, low, high, grid) for score in group)))
    header = [
        ("features", "Features"),
        ("chart", "Top-1 accuracy, %"),
        ("top1", "Top-1"),
        ("range", "95 % interval"),
    ]
    return element(
        "table",
        {"class": "scores"},
        element(
            "thead",
            {},
            element("tr", {}, *(element("th", {"scope": "col", "class": key}, text) for key, text in header)),
        ),
        *bodies,
        element(
            "tfoot",
            {"aria-hidden": "true"},
            element(
                "tr",
                {},
                element("td", {}),
                element("td", {"class": "chart"}, axis(low, high, grid)),
                element("td", {"colspan": 2, "class": "range"}),
            ),
        ),
    )


def settings_table(scores: Sequence[Score]) -> Markup | None:
    """How each protocol was run, folded away until asked for."""
    rows = [
        element(
            "tr",
            {},
            element("th", {"scope": "row"}, f"{score.protocol_title}, {score.features_title.lower()}"),
            element("td", {}, ", ".join(f"{key} = {value}" for key, value in score.settings.items())),
        )
        for score in scores
        if score.settings
    ]
    if not rows:
        return None
    return element(
        "details",
        {},
        element("summary", {}, "Settings of each evaluation"),
        element("table", {"class": "settings"}, element("tbody", {}, *rows)),
    )


def _interval_text(score: Score) -> Markup | None:
    if score.interval is None:
        return None
    low, high = score.interval
    return element("span", {"class": "muted"}, f" 95\u00a0% interval {percent(low)}\u2013{percent(high)}\u00a0%")


def _delta(best: Score, peer: Score) -> Markup:
    points = 100 * (best.top1 - peer.top1)
    sign = "+" if points >= 0 else MINUS
    overlap = (
        best.interval is not None
        and peer.interval is not None
        and best.interval[0] <= peer.interval[1]
        and peer.interval[0] <= best.interval[1]
    )
    name = peer.features_title.lower()
    return element(
        "li",
        {"class": "worse" if points < 0 else None},
        element("strong", {}, f"{sign}{abs(points):.1f} points"),
        f" compared with {name} ({percent(peer.top1)}\u00a0%)",
        element("span", {"class": "muted"}, "; the intervals overlap") if overlap else None,
    )


def _range(scores: Sequence[Score]) -> tuple[float, float]:
    """Axis in percent, from the ten below the lowest bar to the ten above the highest."""
    ends = [value for score in scores for value in (score.top1, *(score.interval or ()))]
    low = max(0.0, 10.0 * math.floor(10 * min(ends) - 0.2))
    high = min(100.0, 10.0 * math.ceil(10 * max(ends) + 0.2))
    return low, high


def _row(score: Score, low: float, high: float, grid: Sequence[float]) -> Markup:
    bounds = score.interval
    return element(
        "tr",
        {"class": score.features if score.features in FEATURES else "other"},
        element("th", {"scope": "row", "class": "features"}, score.features_title),
        element("td", {"class": "chart"}, _interval(score, low, high, grid)),
        element("td", {"class": "top1"}, percent(score.top1)),
        element(
            "td",
            {"class": "range"},
            f"{percent(bounds[0])}\u2013{percent(bounds[1])}" if bounds else "\u2013",
        ),
    )


def _interval(score: Score, low: float, high: float, grid: Sequence[float]) -> Markup:
    shape = {"trained": CIRCLE, "untrained": "M0 -6.5L6.5 5H-6.5Z"}.get(score.features, "M-5 -5H5V5H-5Z")
    return interval_chart(score.top1, score.interval, low, high, grid, shape)


def interval_chart(
    value: float,
    bounds: tuple[float, float] | None,
    low: float,
    high: float,
    grid: Sequence[float],
    shape: str = CIRCLE,
) -> Markup:
    """A dot and its interval; positions in per cent of the cell, so that it grows with the table.

    Args:
        value: a share.
        bounds: its interval, if it has one.
        low: left end of the axis, in per cent.
        high: right end.
        grid: values of the grid lines, in per cent.
        shape: of the dot, as an SVG path.
    """

    def at(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.2f}%"

    marks = [element("line", {"class": "grid", "x1": at(t), "x2": at(t), "y1": "0", "y2": "100%"}) for t in grid]
    if bounds is not None:
        left, right = (at(100 * bound) for bound in bounds)
        marks.append(element("line", {"class": "bar", "x1": left, "x2": right, "y1": "50%", "y2": "50%"}))
        marks += [element("line", {"class": "cap", "x1": x, "x2": x, "y1": "36%", "y2": "64%"}) for x in (left, right)]
    dot = element("path", {"class": "dot", "d": shape})
    marks.append(element("svg", {"x": at(100 * value), "y": "50%", "overflow": "visible"}, dot))
    return element("svg", {"class": "interval", "aria-hidden": "true"}, *marks)


def axis(low: float, high: float, grid: Sequence[float]) -> Markup:
    """What the grid lines of interval charts stand for."""
    labels = [
        element(
            "text",
            {"x": f"{100 * (tick - low) / (high - low):.2f}%", "y": "14", "text-anchor": "middle"},
            f"{tick:g}",
        )
        for tick in grid
    ]
    return element("svg", {"class": "axis"}, join(labels))
